"""The reviewer's report: numbers of its parts against numbers made apart, its pages, and the command."""

import json
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from desk_workbench import copied, write_fir

import sinklab as sl
from sinklab import cli
from sinklab.data import open_data
from sinklab.review import report, scrutiny
from sinklab.review.opinions import Opinion, Opinions, write_list
from sinklab.review.word import WordFile, pieces
from sinklab.tables import checks
from sinklab.tables.table import Table

EQUATIONS = """
stem = a1 * dbh**b1 * height**c1
foliage = a2 * dbh**b2
agb = stem + foliage
"""


@pytest.fixture(scope="module")
def workbench(tmp_path_factory):
    with copied(tmp_path_factory.mktemp("report")) as root:
        write_fir(EQUATIONS, "agb_forest_cunninghamia")
        yield root


@pytest.fixture(scope="module")
def found(workbench):
    return report.examine("agb_forest_cunninghamia")


@pytest.fixture(scope="module")
def model(found):
    return found.models[0]


def test_everything_is_recomputed_and_every_rule_has_its_row(found):
    assert found.verification.agreed
    assert set(found.thresholds["rule"]) == {rule.rule_id for rule in checks.rules()}
    row = found.thresholds.query("rule == 'mpe_parts' and response == 'foliage'").iloc[0]
    stored = found.table.frames["indices"].query("response == 'foliage' and class_column == ''").iloc[0]
    assert row["value"] == stored["MPE"]
    assert row["result"] == ("pass" if stored["MPE"] <= 10 else "fail")
    karst = found.thresholds.query("rule == 'tre_karst'").iloc[0]
    assert (karst["result"], karst["response"]) == ("none", "")


def test_a_missed_threshold_means_not_agreed(found):
    missed = found.thresholds.assign(result="fail")
    assert not report.TableFindings(found.table, found.verification, missed, ()).agreed


def test_standardised_residuals_have_the_scale_they_claim(model):
    assert model.residuals["sd"].to_numpy() == pytest.approx(1, abs=0.05)
    assert model.residuals.loc["stem", "n"] == 150
    z = model.fit.standardised("foliage")
    part = model.fit.fitted().query("response == 'foliage'").loc[z.index[3]]
    sd = model.fit.residual["foliage"]
    by_hand = (part["observed"] - part["predicted"]) / (sd.sigma * part["predicted"] ** sd.exponent)
    assert z.iloc[3] == pytest.approx(by_hand)


def test_the_tree_that_was_spoilt_leads_the_list(workbench):
    data = open_data.load("study:chinese_fir_simulated")
    data.loc[40, "stem"] *= 6
    spoilt = sl.fit(data, "stem = a * dbh**b * height**c", method="wls")
    trees, note = scrutiny.influential(spoilt)
    assert trees.index[0] == 40
    assert "150 trees" in note[0]
    told = scrutiny.sensitivity(spoilt, trees.index[:1])
    topics = set(told["topic"])
    assert {"weights", "correction", "outliers", "influence"} <= topics
    without = told[told["topic"] == "influence"].iloc[0]
    again = sl.fit(data.drop(index=40), "stem = a * dbh**b * height**c", method="wls")
    change = 100 * (again.predict(data)["stem"].sum() / spoilt.predict(data)["stem"].sum() - 1)
    assert without["change"] == pytest.approx(change, rel=1e-3)


def test_medians_are_below_means_by_the_correction(model):
    told = model.sensitivity.query("topic == 'correction' and response == 'stem'").set_index("choice")[
        "change"
    ]
    ratio = (1 + told["lognormal, medians"] / 100) / (1 + told["lognormal"] / 100)
    again = sl.fit(model.fit.data, EQUATIONS, variance="lognormal")
    assert ratio == pytest.approx(np.exp(-(again.residual["stem"].sigma ** 2) / 2), rel=1e-3)


def test_sites_are_left_out_one_by_one(model):
    data = model.fit.data
    assert model.site == "site"
    assert model.by_site["n_site"].eq(data["site"].nunique()).all()
    worst = model.by_site.loc["foliage", "worst"]
    kept = data[data["site"] != worst]
    again = sl.fit(kept, EQUATIONS)
    away = data[(data["site"] == worst) & data["foliage"].notna()]
    predicted = again.predict(away)["foliage"]
    error = 100 * (away["foliage"] - predicted).sum() / predicted.sum()
    # Folds keep the variance functions of the whole sample.
    assert model.by_site.loc["foliage", "worst_TRE"] == pytest.approx(error, abs=1.5)
    assert scrutiny.site_column(model.fit, "no_such_column") is None


def test_error_grows_beyond_the_range(model):
    stem = model.beyond.query("response == 'stem'")
    assert list(stem["multiple"]) == [1, 1.25, 1.5, 2]
    assert stem["size"].iloc[0] == pytest.approx(model.fit.ranges["dbh"][1])
    assert stem["error"].is_monotonic_increasing


def test_published_equations_of_the_species(model):
    pytest.importorskip("sinklab.evidence.equations")
    assert len(model.published) > 3
    row = model.published.iloc[0]
    assert row["least"] <= row["mean"] <= row["most"]
    assert model.fit.ranges["dbh"][0] <= row["low"] < row["high"] <= model.fit.ranges["dbh"][1]
    assert scrutiny.species_of("agb_forest_nothing", None_fit(model)) is None


def None_fit(model):  # noqa: N802
    """A fit whose data name no species."""
    from dataclasses import replace

    return replace(model.fit, data=model.fit.data.drop(columns="species"))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_report_opens_and_prints_what_was_found(found, tmp_path, lang):
    one = Opinion("k", "comment", "专家甲", "2026", "5.1 Results", 9, "", 0, "150", "=Why | so *few*?")
    files = report.render(found, lang, opinions=Opinions("d.docx", (one,)), folder=tmp_path)
    assert files["docx"].name == f"0.1.0.{lang}.docx"
    with zipfile.ZipFile(files["docx"]) as archive:
        for name in archive.namelist():
            if name.endswith(".xml"):
                ElementTree.fromstring(archive.read(name))
    rows = [p for p in pieces(WordFile(files["docx"])) if p.row]
    shown = [p.shown for p in rows]
    assert any("=Why | so *few*?" in line and "5.1" in line for line in shown)
    mpe = found.thresholds.query("rule == 'mpe_parts' and response == 'stem'").iloc[0]
    assert any(f"{mpe['value']:.2f}" in line and "10%" in line for line in shown)
    captions = {p.caption for p in rows}
    assert len(captions) >= 11
    page = files["html"].read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(https?:)?//', page), "a page must not load anything"
    assert {"zh": "审查意见汇总表", "en": "Opinions and how they were dealt with"}[lang] in page
    words = "".join(line for line in shown if "专家甲" not in line and "simulated" not in line)
    assert bool(re.search("without [0-9]+ trees", words)) == (lang == "en")
    again = report.render(found, lang, ("docx",), Opinions("d.docx", (one,)), tmp_path / "again")
    assert again["docx"].read_bytes() == files["docx"].read_bytes()


def test_table_of_values_is_reviewed_too(workbench, tmp_path):
    from sinklab.evidence import pooling

    printed = open_data.load("literature:carbon_fraction", {"species_id": "cunninghamia_lanceolata"})
    values = pooling.summarise(printed, "carbon_fraction", by=["species_id", "component"])
    Table.from_values(values, "carbon_fraction_forest_china", "0.1.0", source=printed.attrs["source"]).write()
    told = report.examine("carbon_fraction_forest_china")
    assert told.models == ()
    assert (told.thresholds["result"] == "none").all()
    assert told.agreed
    assert report.render(told, "en", ("html",), folder=tmp_path)["html"].stat().st_size > 5000


def run(capsys, *arguments):
    code = cli.main(["review", *map(str, arguments)])
    return code, capsys.readouterr()


def test_command_for_a_table(workbench, capsys, tmp_path):
    opinions = write_list(Opinions("d.docx", ()), tmp_path / "list.yml")
    code, said = run(
        capsys,
        "agb_forest_cunninghamia",
        "--json",
        "--to",
        "html",
        "-o",
        tmp_path,
        "--lang",
        "en",
        "--opinions",
        opinions,
    )
    told = json.loads(said.out)
    assert code == (0 if told["agreed"] else 1)
    assert told["models"][0]["site"] == "site"
    assert Path(told["files"]["html"]).is_file()


def test_command_for_an_equation_and_a_table_on_trees(workbench, capsys, tmp_path):
    rng = np.random.default_rng(1)
    dbh = rng.uniform(5, 40, 120)
    trees = tmp_path / "trees.csv"
    pd.DataFrame({"dbh": dbh, "agb": 0.1 * dbh**2.4 * (1 + rng.normal(0, 0.2, 120))}).to_csv(
        trees, index=False
    )
    code, said = run(
        capsys, "agb = 0.1 * dbh**2.4", "--data", trees, "--deviation", "0.2", "--range", "dbh=6:", "--json"
    )
    told = json.loads(said.out)
    assert code == 0
    assert told["outside"] == (dbh < 6).sum()
    assert told["coverage"]["n"] == 120
    code, said = run(capsys, "agb = a * dbh**2.4", "--values", "a=0.2", "--data", trees)
    assert code == 1
    assert "ellipse test" in said.out
    code, said = run(capsys, "agb = 0.1 * dbh**2.4")
    assert code == 2
    assert "--data" in said.err


def test_command_for_drafts_that_are_none(workbench, capsys, tmp_path):
    fake = tmp_path / "draft.docx"
    fake.write_bytes(b"not a zip")
    code, said = run(capsys, fake)
    assert code == 2
    assert "refused" in said.err
