"""What an object shows of itself: a few lines, set tables in a notebook, figures by kind and ending."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab import plots
from sinklab.language import DataError
from sinklab.plots import figure_of
from sinklab.results.summary import shape_report


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(5)
    site = np.repeat(np.arange(8), 12)
    dbh = rng.uniform(5, 35, len(site))
    height = 1.3 + 3.1 * dbh**0.55
    level = np.exp(rng.normal(0, 0.15, 8))[site]
    trees = pd.DataFrame(
        {
            "site": [f"<b>{s}" for s in site],
            "dbh": dbh,
            "height": height,
            "stem": 0.03 * dbh**1.9 * height**0.9 * level * np.exp(rng.normal(0, 0.1, len(site))),
            "branch": 0.02 * dbh**2.2 * level * np.exp(rng.normal(0, 0.2, len(site))),
        }
    )
    text = "stem = a*dbh**b*height**c\nbranch = d*dbh**e\nagb = stem + branch"
    return sl.fit(trees, text, cluster="site", name="made here")


@pytest.fixture(scope="module")
def table(fit):
    return sl.Table.from_fits(
        [fit], table_id="agb_forest_cunninghamia", version="0.1.0", title=("Fir & co", "杉木 <b>")
    )


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_fit_and_a_table_fit_twelve_lines(fit, table, lang, monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", lang)
    for thing in (fit, table):
        assert 3 <= len(repr(thing).splitlines()) <= 12
    assert "agb = stem + branch" in repr(fit) and "R2" in repr(fit)
    assert "agb_forest_cunninghamia@0.1.0 · draft" in repr(table)
    assert fit.summary().count("\n") > 20 and repr(fit).splitlines()[0] in fit.summary()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_notebook_shows_set_tables_with_every_text_escaped(fit, table, lang, monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", lang)
    shown = fit._repr_html_()
    assert shown.count("<table>") == 2 and ("估计值" in shown) == (lang == "zh")
    assert f"{fit.parameters['value'][0]:.4g}" in shown
    shown = table._repr_html_()
    assert "<b>&" not in shown and ("杉木 &lt;b&gt;" in shown if lang == "zh" else "Fir &amp; co" in shown)


def test_a_distribution_says_what_it_is(monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", "en")
    assert (
        repr(sl.from_moments(0.5, 0.02, "normal"))
        == "normal(0.5, 0.02): mean 0.5, sd 0.02, 95 % 0.4608–0.5392"
    )


@pytest.mark.parametrize("kind", plots.KINDS)
def test_every_kind_of_figure_is_drawn(fit, kind):
    axes = fit.plot(kind, "agb", lang="zh").axes
    assert axes and all(axis.get_xlabel() or axis.get_ylabel() or axis.get_title() for axis in axes)


def test_observed_against_predicted_holds_every_tree_and_the_line(fit):
    (axis,) = fit.plot("observed", "agb").axes
    points, line = axis.lines
    np.testing.assert_allclose(points.get_ydata(), (fit.data["stem"] + fit.data["branch"]).to_numpy())
    np.testing.assert_allclose(points.get_xdata(), fit.predict(fit.data, of="average")["agb"])
    assert list(line.get_xdata()) == list(line.get_ydata())


def test_sites_stand_where_their_effects_are(fit):
    (axis,) = fit.plot("sites", "agb").axes
    effects = fit.between.effects.query("response == 'agb'")["value"].sort_values()
    shown = axis.lines[-1].get_xdata()
    np.testing.assert_allclose(shown, 100 * np.expm1(effects))


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "tif"])
def test_a_figure_is_written_as_its_file_is_named_and_twice_the_same(fit, tmp_path, ending):
    one, two = tmp_path / f"one.{ending}", tmp_path / f"two.{ending}"
    for path in (one, two):
        fit.plot("qq", path=path)
    heads = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "tif": b"II*\x00"}
    assert one.read_bytes()[:4] == heads[ending][:4] and one.read_bytes() == two.read_bytes()


def test_figures_that_cannot_be_are_refused(fit, table, tmp_path):
    with pytest.raises(DataError, match="residuals"):
        fit.plot("nothing")
    with pytest.raises(DataError, match=r"\.svg"):
        fit.plot("fit", path=tmp_path / "figure.docx")
    with pytest.raises(DataError, match="no observations"):
        table.model().plot("observed")


def test_a_fit_takes_a_field_file_as_the_command_does(tmp_path):
    rng = np.random.default_rng(3)
    dbh = rng.uniform(5, 30, 48)
    book = pd.DataFrame(
        {"样地号": np.repeat([f"0{i}" for i in range(6)], 8), "胸径(mm)": 10 * dbh, "干(kg)": 0.06 * dbh**2.4}
    )
    book["干(kg)"] *= np.exp(rng.normal(0, 0.1, 48))
    book.to_excel(tmp_path / "trees.xlsx", index=False)
    named = sl.fit(tmp_path / "trees.xlsx", "stem = a * dbh**b")
    frame = sl.read(tmp_path / "trees.xlsx")
    assert named.data["dbh"].max() == pytest.approx(dbh.max())
    assert named.certificate.cluster["column"] == "plot_id" and named.certificate.cluster["n"] == 6
    np.testing.assert_allclose(named.values, sl.fit(frame, "stem = a * dbh**b").values, rtol=1e-10)
    assert named.source["name"] == "trees.xlsx"


def test_a_fit_whose_responses_are_not_in_its_data_has_no_pairs(fit):
    lost = replace(fit, data=fit.data[["dbh", "height", "site"]])
    assert lost.fitted().empty and list(lost.fitted().columns) == ["response", "observed", "predicted"]
    assert "positive" in shape_report(lost)


def test_a_figure_at_the_end_of_a_cell_is_shown():
    """A kernel that knows nothing of figures asks an object for its picture."""
    from IPython.core.interactiveshell import InteractiveShell

    found, _ = InteractiveShell().display_formatter.format(figure_of(2, 1)[0])
    assert found["image/png"].startswith(b"\x89PNG")
