"""Figures that a reader without colours can read, and that a notebook writes where a batch would."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import sinklab as sl
from sinklab import language, plots
from sinklab.data import literature
from sinklab.propagate.stocks import stock_map
from sinklab.systems import figures

sys.path.insert(0, str(Path(__file__).resolve().parent))
import published_tables  # noqa: E402


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", "en")


def lines_of(figure):
    return [line for line in figure.axes[0].lines if not line.get_label().startswith("_")]


def test_no_two_curves_look_alike():
    grid = np.linspace(1, 10, 40)
    printed = [(f"species {k}", grid, grid * (k + 1)) for k in range(12)]
    lines = lines_of(plots.curves_figure(None, "dbh", "agb", printed=printed))
    assert len(lines) == 12
    looks = {(line.get_marker(), str(line.get_linestyle()), str(line._dash_pattern)) for line in lines}
    assert len(looks) == 12


def test_our_curves_and_printed_ones_differ_without_colour():
    trees = pd.DataFrame({"dbh": np.linspace(5, 30, 25)})
    trees["agb"] = 0.1 * trees["dbh"] ** 2.4 * np.exp(0.05 * np.sin(np.arange(25)))
    fits = [
        sl.fit(trees, text, label=label, name="made")
        for label, text in (("power", "agb = a*dbh**b"), ("line", "agb = a*dbh + b*dbh**2"))
    ]
    figure = plots.curves_figure(trees, "dbh", "agb", fits, [("printed", trees["dbh"], trees["agb"])])
    power, line, printed = lines_of(figure)
    assert power.get_linestyle() != line.get_linestyle() and power.get_marker() == "None"
    assert printed.get_marker() != "None" and printed.get_linewidth() < power.get_linewidth()
    assert np.ptp(power.get_xdata()) == pytest.approx(25)


def test_own_and_printed_values_stand_on_one_row():
    rows = pd.DataFrame(
        {
            "group": ["habitat=mangrove", "habitat=salt_marsh", "habitat=mangrove", "habitat=mangrove"],
            "mean": [200.0, 90.0, np.nan, np.nan],
            "q025": [100.0, 40.0, np.nan, np.nan],
            "q975": [400.0, 200.0, np.nan, np.nan],
            "printed": [np.nan, np.nan, 150.0, 260.0],
            "source_id": ["", "", "ZZW2020", "QTPPEAT2025"],
        }
    )
    figure = plots.beside_figure(rows, "soc_stock")
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["mangrove", "salt marsh"]
    own, *printed = (line for line in axis.lines if len(line.get_xdata()))
    assert list(own.get_xdata()) == [200, 90]
    assert [list(line.get_xdata()) for line in printed] == [[150], [260]]
    # Less than half a row from the middle of its label, ours above and print below it.
    places = [line.get_ydata()[0] for line in printed]
    assert all(-0.5 < place < own.get_ydata()[0] < 0.5 for place in places)
    assert len({line.get_marker() for line in (own, *printed)}) == 3
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert any(literature.short("ZZW2020") in text for text in legend)
    assert not any("ZZW2020" in text for text in legend)


def test_sources_are_called_by_who_printed_them():
    assert literature.short("SCHEPASCHENKO2017") == "Schepaschenko et al. 2017"
    assert all(len(literature.short(source)) < 45 for source in literature.sources().index)


def test_a_notebook_writes_into_the_workbench(tmp_path, monkeypatch):
    monkeypatch.setenv("SINKLAB_ROOT", str(tmp_path))
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    figure = plots.curves_figure(None, "dbh", "agb", printed=[("a", [1, 2], [3, 4])])
    plots.show(figure, "reports/runs/by_hand", "curves")
    assert (tmp_path / "reports" / "runs" / "by_hand" / "figures" / "curves.png").is_file()


@pytest.fixture
def counties():
    """Six counties of half a degree about 25° N, two without a number."""
    geopandas = pytest.importorskip("geopandas")
    from shapely.geometry import box

    cells = [
        box(109 + 0.5 * i, 25 + 0.5 * j, 109.5 + 0.5 * i, 25.5 + 0.5 * j) for j in range(2) for i in range(3)
    ]
    columns = {
        "density": [40.0, 55, np.nan, 71, 23, np.nan],
        "spread": [0.1, 0.2, np.nan, 0.15, 0.3, np.nan],
        "label": ["融水", "三江", "融安", "龙胜", "罗城", "环江"],
    }
    return geopandas.GeoDataFrame(columns, geometry=cells, crs="EPSG:4326")


def texts(figure):
    found = [t.get_text() for axis in figure.axes for t in axis.texts]
    return found + [t.get_text() for legend in figure.legends for t in legend.get_texts()]


@pytest.mark.parametrize(
    "lang, north, left", [("zh", "北", "未统计（2 个单元）"), ("en", "N", "not counted (2 units)")]
)
def test_a_map_names_its_units_and_says_what_is_not_counted(counties, lang, north, left):
    figure = stock_map(counties, "density", "spread", "label", lang)
    said = texts(figure)
    assert {"融安", "融水\n40", "龙胜\n71", north, left, "20 km"} <= set(said)
    assert said.count("融安") == 2
    # The bar is as long as it says, on a map of which a metre is a metre.
    bar = next(line for line in figure.axes[0].lines if len(line.get_xdata()) == 4)
    assert np.ptp(bar.get_xdata()) == pytest.approx(20_000)
    west, _, east, _ = figure.axes[0].dataLim.extents
    # A degree of longitude at 25.5° N is 100.5 km.
    assert east - west == pytest.approx(1.5 * 100_500, rel=0.02)


def test_a_map_has_no_empty_half(counties):
    alone = stock_map(counties.assign(spread=np.nan), "density", "spread")
    assert len([axis for axis in alone.axes if not axis.axison]) == 1
    both = [axis for axis in stock_map(counties, "density", "spread").axes if not axis.axison]
    assert len(both) == 2 and both[0].get_xlim() == both[1].get_xlim() and all(axis.lines for axis in both)
    wide = counties.cx[:, 25:25.2].dissolve().assign(density=4.0, spread=0.1)
    wide.geometry = wide.geometry.scale(2, 0.5)
    first, second = (axis for axis in stock_map(wide, "density", "spread").axes if not axis.axison)
    assert first.get_position().y0 > second.get_position().y1  # one above the other


def test_a_map_without_coordinates_has_no_scale(counties):
    plain = counties.set_crs(None, allow_override=True)
    assert not any("km" in text or text == "N" for text in texts(stock_map(plain, "density", "spread")))


def test_heights_of_others_are_told_apart_by_marks_and_called_by_name():
    rng = np.random.default_rng(2)
    trees = pd.DataFrame({"dbh": rng.uniform(4, 40, 60)})
    trees["height"] = 1.3 + 3 * trees["dbh"] ** 0.5 * np.exp(rng.normal(0, 0.1, 60))
    fit = sl.fit(trees, "height = 1.3 + a*dbh**b", variance="power:mean", name="made")
    others = pd.DataFrame({"source_id": ["ZZW2020", "Camac0000", "ZZW2020"], "dbh": [5.0, 10, 20]})
    others["height"] = [8.0, 9, 15]
    axis = figures.heights_beside_figure(fit, others).axes[0]
    told = {text.get_text() for text in axis.get_legend().get_texts()}
    assert told == {"Camac0000", literature.short("ZZW2020")}
    assert len({line.get_marker() for line in axis.lines}) == 3


def test_methods_have_a_mark_each():
    rows = [
        (m, "stem", "D=10", 10.0 + k, 9.0, 12.0 + k) for k, m in enumerate(["nsur", "wls", "mixed", "bayes"])
    ]
    told = pd.DataFrame(rows, columns=["method", "response", "size", "value", "lower", "upper"])
    axis = plots.comparison_figure(told).axes[0]
    marks = [
        line.get_marker() for line in axis.lines if len(line.get_xdata()) == 1 and line.get_marker() != "None"
    ]
    assert len(set(marks)) == 4


def made_fit(**options):
    trees = pd.DataFrame({"dbh": np.linspace(5, 30, 25)})
    trees["agb"] = 0.1 * trees["dbh"] ** 2.4 * np.exp(0.05 * np.sin(np.arange(25)))
    return sl.fit(trees, "agb = a*dbh**b", name="made", **options)


def test_a_logarithmic_axis_of_less_than_two_decades_bears_more_than_one_number():
    axis = made_fit().plot("log").axes[0]
    axis.figure.canvas.draw()

    def shown(ticks, limits):
        return [t.get_text() for t in ticks if limits[0] <= t.get_position()[0] <= limits[1] and t.get_text()]

    assert shown(axis.get_xticklabels(), axis.get_xlim()) == ["5", "10", "20"]
    wide = plots.curves_figure(
        None, "dbh", "agb", printed=[("a", np.array([1, 1e4]), np.array([1, 2]))], log=True
    )
    wide.canvas.draw()
    assert "10^{2}" in "".join(t.get_text() for t in wide.axes[0].get_xticklabels())


def test_a_caption_sets_the_equation_and_leaves_out_what_is_not_known():
    fit = made_fit()
    title = fit.plot("fit").axes[0].get_title()
    assert "**" not in title and "D^{b}" in title and "n = 25" in title and title.endswith(" %")
    fit.index_table["MPE"] = np.nan
    assert "MPE" not in fit.plot("observed").axes[0].get_title()


def test_a_table_whose_values_have_no_interval_says_so():
    table = published_tables.values_table()
    table.frames["values"]["status"] = "refused"
    with pytest.raises(language.DataError, match="no value has a mean and an interval"):
        table.plot("values")


@pytest.mark.parametrize(
    ("lang", "name"), [("zh", "杉木"), ("en", r"\mathit{Cunninghamia}\ \mathit{lanceolata}")]
)
@pytest.mark.parametrize("kind", ["residuals", "qq", "fit", "log", "observed"])
def test_every_figure_of_a_fit_says_whose_it_is_its_equation_and_how_good(kind, lang, name, tmp_path):
    trees = published_tables.make_trees().assign(species="Cunninghamia lanceolata")
    fit = sl.fit(trees, "stem = a * dbh**b; branch = c * dbh**d", cluster="none", name="trees")
    figure = fit.plot(kind, "stem", tmp_path / "it.png", lang)
    above = figure.get_suptitle() + "".join(axis.get_title() for axis in figure.axes)
    assert name in above
    several = kind in ("residuals", "qq")
    assert above.count("n = 60") == above.count("R² = ") == above.count("MPE = ") == (2 if several else 1)
    assert above.count("$W_{") == above.count("n = 60")
    # A picture that is shown elsewhere brings its caption along.
    with Image.open(tmp_path / "it.png") as picture:
        said = picture.info["Title"]
    assert {"zh": "与", "en": " against "}[lang] in said and "$" not in said and "kg" not in said


def test_a_figure_shows_the_mass_above_ground_where_no_response_is_named():
    trees = published_tables.make_trees().assign(
        agb=lambda f: f["stem"] + f["branch"], bgb=lambda f: f["stem"] / 4
    )
    fit = sl.fit(trees, "agb = a * dbh**b; bgb = c * dbh**d", cluster="none", name="trees")
    for kind, place in (("fit", "get_ylabel"), ("log", "get_ylabel"), ("observed", "get_xlabel")):
        assert "aboveground biomass" in getattr(fit.plot(kind, lang="en").axes[0], place)()
    (axis,) = fit.plot("observed", lang="en").axes
    np.testing.assert_allclose(axis.lines[0].get_ydata(), trees["agb"])
    whole = sl.fit(
        trees, "agb = a * dbh**b; bgb = c * dbh**d; total = agb + bgb", cluster="none", name="trees"
    )
    assert "total biomass" in whole.plot(lang="en").axes[0].get_ylabel()


@pytest.mark.parametrize(
    ("lang", "said"),
    [("zh", "沿曲线：株数密度 4000～749 株/hm²"), ("en", "along the curve: stem density 4000 to 749 1/ha")],
)
def test_a_curve_of_stands_says_that_stems_fall_along_it(lang, said):
    stands = pd.DataFrame({"dbh": [8.0, 12, 16, 24], "stem_density": [4000.0, 2100, 1600, 700]})
    stands["agb_density"] = [50.0, 80, 120, 170]
    fit = sl.fit(
        stands, "agb_density = a * dbh**b * stem_density", method="ols-log", cluster="none", name="stands"
    )
    assert fit.plot(lang=lang).axes[0].get_title().endswith(said)
    assert said not in fit.plot("observed", lang=lang).axes[0].get_title()
