"""What an object shows of itself: a few lines, set tables in a notebook, figures by kind and ending."""

import html
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter

import sinklab as sl
from sinklab import plots
from sinklab.cli import main
from sinklab.data import literature
from sinklab.evidence import distributions
from sinklab.evidence.pool_equations import as_result
from sinklab.fitting.bayes.priors import parse
from sinklab.language import DataError, latex_text, speaking, tr
from sinklab.plots import figure_of
from sinklab.results.summary import shape_report
from sinklab.runs.magic import show_frames
from sinklab.tables import table as tables


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


@pytest.fixture(scope="module")
def bayes(fit):
    stem = "stem = a * dbh**b[site]"
    return sl.fit(fit.data, stem, method="bayes", draws=400, chains=2, seed=1)


#: What each object shows: words of its few lines, a number or word of its set table, its kinds of figure, in (zh, en).
SHOWN = {
    "system": (("自变量: dbh", "predictors: dbh"), ("由其他量得出", "made of others"), ("equations",)),
    "fit": (("已收敛", "converged"), ("估计值", "value"), tuple(k for k in plots.KINDS if k != "prior")),
    "bayes": (
        ("bayes ·", "bayes ·"),
        ("估计值", "value"),
        ("fit", "log", "observed", "residuals", "qq", "prior"),
    ),
    "table": (("0.1.0 · 草案", "0.1.0 · draft"), ("杉木 &lt;b&gt;", "Fir &amp; co"), ("fit", "log", "sites")),
    "values": (("取值 3 个", "3 values"), ("均值", "mean"), ("values",)),
    "distribution": (("均值 0.5", "mean 0.5"), ("0.4608", "0.4608"), ("density", "cumulative")),
    "zero": (("zero_gamma(", "zero_gamma("), ("p0", "p0"), ("density", "cumulative")),
}


@pytest.fixture
def thing(request, fit, table):
    match request.param:
        case "system":
            return fit.system
        case "values":
            rows = literature.load("carbon_fraction")
            values = sl.summarise(rows, "carbon_fraction", by=["component"])
            return sl.Table.from_values(values.head(3), "cf_forest_cunninghamia", "0.1.0")
        case "distribution":
            return sl.from_moments(0.5, 0.02, "normal")
        case "zero":
            return distributions.fit(np.append(np.zeros(4), np.linspace(1, 9, 30)), "zero_gamma")
        case "bayes":
            return request.getfixturevalue("bayes")
    return {"fit": fit, "table": table}[request.param]


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize(("thing", "told"), SHOWN.items(), indirect=["thing"], ids=list(SHOWN))
def test_an_object_shows_itself(thing, told, lang, monkeypatch, tmp_path):
    """At most twelve lines; a set table in the reader's language, its texts escaped; all of it as text; figures by kind."""
    monkeypatch.setenv("SINKLAB_LANG", lang)
    line, cell, kinds = (
        (pair[lang == "en"] if len(pair) == 2 and pair is not told[2] else pair) for pair in told
    )
    assert len(repr(thing).splitlines()) <= 12 and line in repr(thing)
    shown = thing._repr_html_()
    assert "<table>" in shown and cell in shown and "<b>0" not in shown
    assert len(thing.summary().splitlines()) >= len(repr(thing).splitlines())
    for kind in kinds:
        figure = thing.plot(kind, lang=lang, path=tmp_path / f"{kind}.png")
        assert figure.axes and (tmp_path / f"{kind}.png").stat().st_size > 5000
    with pytest.raises(sl.SinklabError, match=r"kind|模型|model"):
        thing.plot("nothing")


def test_a_prior_is_drawn_on_the_scale_of_its_posterior(bayes):
    """The area below each prior, over where it lies, is one, and the draws of sigma are those at the centre."""
    axes = {axis.get_title().split(" ~ ")[0]: axis for axis in bayes.plot("prior").axes if axis.get_visible()}
    assert set(axes) == {"a", "mean(b)", "spread(b)", "sigma(stem)", "exponent(stem)"}
    centre, power = bayes.centres["stem"], bayes.other_draws["exponent(stem)"]
    at_centre = np.median(bayes.other_draws["sigma(stem)"] * np.exp(power * centre))
    low, high = axes["sigma(stem)"].get_xlim()
    assert low < at_centre < high
    for row in bayes.priors.itertuples():
        prior = parse(row.name, row.prior)
        x = (
            np.linspace(1e-6, 60 * prior.scale, 400_000)
            if prior.family != "normal"
            else np.linspace(-9, 12, 9999)
        )
        x = np.geomspace(1e-9, 1e6, 99_999) if prior.family == "lognormal" else x
        assert np.trapezoid(prior.density(x), x) == pytest.approx(1, abs=1e-3)


def test_a_table_that_cannot_be_drawn_says_why(table, fit):
    with pytest.raises(sl.SinklabError, match="no value has a mean and an interval to draw"):
        table.plot("values", "agb")
    with pytest.raises(DataError, match=r"priors|先验"):
        fit.plot("prior")


def test_the_command_shows_a_table_as_its_summary(table, tmp_path, capsys):
    table.write(tmp_path)
    assert main(["table", "show", table.ref, "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == sl.Table.read(table.ref, root=tmp_path).summary()


@pytest.mark.parametrize("kind", SHOWN["fit"][2])
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


def as_html(thing):
    """What a notebook with the extension shows of the last line of a cell, as HTML."""
    formatter = DisplayFormatter()
    show_frames(SimpleNamespace(display_formatter=formatter))
    return formatter.format(thing)[0]["text/html"]


FRAME = {
    "name": ["agb_density[mangrove]", "soc_stock[pinus_massoniana,1]"],
    "species_id": ["cunninghamia_lanceolata", "<b>"],
    "dbh": [12.25, 7.5],
    "stem_lower": [0.012345, 123.456],
    "mean": [float("nan"), 1e-7],
    "n": [1200, 3],
    "passed": [True, False],
    "message_en": ["fine", "bad"],
    "message_zh": ["好", "坏"],
}


@pytest.mark.parametrize(
    ("lang", "head", "rows"),
    [
        (
            "zh",
            "生境 项目 树种 胸径/cm 树干生物量下限/kg 均值 n 通过 说明",
            [
                "红树林 单位面积地上生物量/(t/hm²)|红树林 杉木 12.25 0.01 – 1200 是 好",
                "river 土壤碳储量/(t/hm²)|马尾松,|1 &lt;b&gt; 7.50 123.46 1e-07 3 否 坏",
            ],
        ),
        (
            "en",
            "habitat what species diameter|at|breast|height|(cm) stem|biomass,|lower|(kg) mean n passed message",
            [
                "mangrove aboveground|biomass|per|area|(t/ha)|mangrove Cunninghamia|lanceolata 12.25 0.01 – 1200 yes fine",
                "river soil|carbon|stock|(t/ha)|Pinus|massoniana,|1 &lt;b&gt; 7.50 123.46 1e-07 3 no bad",
            ],
        ),
    ],
)
def test_a_cell_shows_a_frame_as_a_set_table_in_words(lang, head, rows, monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", lang)
    shown = as_html(pd.DataFrame(FRAME, index=pd.Index(["mangrove", "river"], name="habitat")))
    lines = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line) for line in re.findall("<tr>(.*?)</tr>", shown)]
    wanted = [[cell.replace("|", " ") for cell in line.split(" ")] for line in (head, *rows)]
    assert lines == wanted


def test_a_long_or_wide_frame_tells_what_is_left_out_and_a_series_is_set_too(monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", "en")
    with pd.option_context("display.max_columns", 20):
        shown = as_html(pd.DataFrame(np.arange(2400).reshape(100, 24)))
    assert "first 20 of 100 rows" in shown and "first 20 of 24 columns" in shown
    assert shown.count("<tr>") == 21
    shown = as_html(pd.Series([2, 1], ["pinus", "larix"], name="height"))
    assert "height (m)" in shown and "pinus" in shown and "first" not in shown


def things():
    trees = sl.read_study("chinese_fir_simulated")
    fit = sl.fit(trees, "stem = a * dbh**b", cluster="site")
    table = sl.Table.from_fits([fit], table_id="stem_forest_x", version="0.1.0")
    frame = fit.predict(trees.head(40))
    return [fit, table, fit.system, sl.from_moments(0.5, 0.02, "normal"), frame, frame["stem"]]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_one_table_goes_to_a_page_latex_and_word_with_the_same_cells(lang, monkeypatch, tmp_path):
    import docx
    from docx.oxml.ns import qn

    monkeypatch.setenv("SINKLAB_LANG", lang)
    for thing in things():
        made = (
            sl.set_table(thing, "A & b")
            if isinstance(thing, (pd.DataFrame, pd.Series))
            else sl.set_table(thing)
        )
        lines = re.findall("<tr>(.*?)</tr>", made.to_html())
        on_page = [[html.unescape(c) for c in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", x)] for x in lines]
        assert len(on_page) > 1
        word = docx.Document(made.to_word(tmp_path / "t.docx"))
        assert [[cell.text for cell in row.cells] for t in word.tables for row in t.rows] == on_page
        for table in word.tables:
            borders = table._tbl.tblPr.find(qn("w:tblBorders"))
            assert [line.tag for line in borders] == [qn("w:top"), qn("w:bottom")], (
                "three rules, none upright"
            )
            assert table.rows[0]._tr.trPr.find(qn("w:tblHeader")) is not None
        latex = made.to_latex()
        set_rows = [line for line in latex.splitlines() if line.endswith(r" \\")]
        rows = [re.split(r"(?<!\\)& ", " " + line.removesuffix(r"\\")) for line in set_rows]
        rows = [[cell.strip() for cell in line] for line in rows]
        assert [[latex_text(cell) for cell in line] for line in on_page] == rows
        assert latex.count(r"\begin{") == latex.count(r"\end{") and ("longtable" in latex) == (
            len(on_page) > 31
        )
        assert not re.search(r"(?<!\\)[#%_](?![^$]*\$)", latex), "a letter that LaTeX reads as its own"
    with pytest.raises(sl.SinklabError, match="set_table"):
        sl.set_table("stem")


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        (
            "zh",
            "检查|平均年生长量下限|胸径1/cm|限值|规则来源|层|不予采用|≥ 0.2|该量的界限|油茶|D=4|空列：模型",
        ),
        (
            "en",
            "check|mean annual increment, lower|diameter at breast height, 1 (cm)|limit|source of the rule|"
            "stratum|refused|≥ 0.2|limits of the quantity|Camellia oleifera|D=4|empty: model",
        ),
    ],
)
def test_codes_of_the_library_stand_as_words_and_empty_columns_are_named(lang, words, monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", lang)
    frame = pd.DataFrame(
        {
            "check_id": ["refused", "refused"],
            "model_id": ["", None],
            "comparison": [">=", "<="],
            "threshold": [0.2, 0.7],
            "rule_status": ["verified", "house rule"],
            "rule_source": ["data/vocabulary/variables.csv", "sinklab"],
            "stratum": ["species_id=camellia_oleifera", "D=4"],
            "mai_lower": [1.0, 2.0],
            "dbh_1": [5.0, 6.0],
        },
        index=[4, 9],
    )
    shown = html.unescape(as_html(frame))
    assert [word for word in words.split("|") if word not in shown] == []
    assert "house rule" not in shown and "<td>9</td>" not in shown
    assert tr("none", "无") in as_html(frame.head(0))


def test_a_table_shows_its_first_values_and_says_how_many_more_there_are():
    n = tables.SHOWN + 3
    rows = {"name": [f"soil_depth[{i}]" for i in range(n)], "group": [f"site={i}" for i in range(n)]}
    rows |= {
        "variable": "soil_depth",
        "mean": 20.0,
        "q025": 15.0,
        "q975": 26.0,
        "n_study": 2,
        "sources": "here",
    }
    table = sl.Table.from_values(pd.DataFrame(rows), "soil_depth_karst_test", "1.0.0")
    with speaking("en"):
        told = repr(table.set_table())
    assert "and 3 more rows" in told and "soil depth (0)" in told and f"soil depth ({n - 1})" not in told


def test_a_pooled_table_shows_parameters_where_it_has_no_trees_to_be_judged_by():
    pooled = as_result(sl.default_equation("agb", "杉木"))
    table = sl.Table.from_fits([pooled], table_id="agb_forest_test_published", version="1.0.0")
    with speaking("en"):
        told = repr(table.set_table())
    assert "Indices" not in told and "Parameters" in told


@pytest.mark.parametrize(("lang", "source"), [("zh", "张珍明等 2017"), ("en", "张珍明 et al. 2017")])
def test_a_frame_says_sources_places_types_and_checks_in_words(lang, source):
    frame = pd.DataFrame(
        {
            "source_id": ["CX_HZH2017"],
            "soil_type": ["yellow_clay"],
            "soil_type_zh": ["黄泥土"],
            "region_id": ["inner_mongolia"],
            "forest_type": ["spruce_fir"],
            "check_id": ["mpe_parts"],
            "agb_sd_log": [0.3],
        }
    )
    with speaking(lang):
        told = repr(sl.set_table(frame))
    assert source in told and ("内蒙古" if lang == "zh" else "Inner Mongolia") in told
    assert re.findall(r"[a-z]+_[a-z_]+", told) == [] and told.count("黄泥土") == (lang == "zh")


def test_what_the_name_of_a_value_says_is_not_said_again():
    values = sl.summarise(
        sl.load("literature:karst_soil_types"), "soil_depth", ["soil_type"], study="source_id"
    )
    with speaking("en"):
        told = repr(sl.set_table(values))
    assert told.count("yellow clay paddy") == 1 and "quantity" not in told and "soil_type" not in told


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("zh", "等级|分类单元|森林类型|落叶松林|科|松科|种|华北落叶松|研究|林分|空列：均值、标准差"),
        (
            "en",
            "rank|taxon|forest type|larch forest|family|Pinaceae|species|Larix principis-rupprechtii|study|stand|"
            "empty: mean; SD",
        ),
    ],
)
def test_ranks_and_taxa_stand_as_words(lang, words, monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", lang)
    taxa = {"forest_type": "larch", "family": "Pinaceae", "species": "Larix principis-rupprechtii"}
    frame = pd.Series(taxa, name="taxon").rename_axis("rank").reset_index()
    # The word of a column of distributions is not that of a rank.
    frame.loc[len(frame)], frame.loc[len(frame) + 1] = ["study", "–"], ["stand", "–"]
    shown = str(sl.set_table(frame.assign(mean=np.nan, sd=np.nan)))
    for word in words.split("|"):
        assert word in shown, word
    assert not re.search("分布|小班|larch$", shown, re.M)


def test_the_inputs_of_a_sum_stand_as_words(monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", "zh")
    shown = str(sl.set_table(pd.DataFrame({"input": ["soil_depth", "soc"], "share": [0.3, 0.2]})))
    assert "土层厚度/cm" in shown and "土壤有机碳含量/(g/kg)" in shown and "soil_depth" not in shown
