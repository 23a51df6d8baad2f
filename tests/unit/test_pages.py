"""Pages of tables and fits, and what the index of runs says of how good a table is."""

import html
import re
import zipfile

import numpy as np
import pandas as pd
import pytest
from published_tables import log_table, make_trees, system_table

import sinklab as sl
from sinklab.drafts.rendering import write_page
from sinklab.fitting import fit
from sinklab.language import DraftError
from sinklab.runs import batch
from sinklab.tables.table import Table


def text_of(path):
    return html.unescape(re.sub(r"<[^>]+>", " ", path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_page_of_a_table_holds_its_numbers_checks_and_files(lang, tmp_path):
    table = system_table()
    page = write_page(table, tmp_path / "page.html", lang, files="../table", figures=())
    raw, text = page.read_text(encoding="utf-8"), text_of(page)
    assert table.ref in text and ("演示" if lang == "zh" else "demonstration") not in text
    failed = table.checks[~table.checks["passed"]]
    assert len(failed), "the case must hold a failed check"
    marks = re.findall(r"[✓✗]", text)
    assert marks.count("✗") == len(failed) and marks == sorted(marks, key="✗✓".index)
    for message in failed["message_zh" if lang == "zh" else "message_en"]:
        assert " ".join(message.split()) in " ".join(text.split())
    for response, row in table.models[0].index_table.iterrows():
        assert f"{row['R2']:.4f}" in text, response
    written = table.write(tmp_path / "params")
    linked = set(re.findall(r'href="../table/([^"]+)"', raw))
    assert {"coefficients.csv", "draws.parquet", "provenance.json"} <= linked
    assert linked <= {path.name for path in written.iterdir()}, "a link leads to a file of the table"
    assert raw.count("<math") >= 4 and "[@" not in raw


def test_a_page_of_values_shows_refused_ones_as_such(tmp_path):
    rows = pd.DataFrame(
        {
            "name": ["a", "b"],
            "group": ["species_id=pinus_massoniana", "species_id=cunninghamia_lanceolata"],
            "variable": "carbon_fraction",
            "unit": "1",
            "mean": [0.51, 4.9],
            "sd": [0.02, 0.02],
            "se": [0.01, 0.01],
            "n_study": [3, 4],
            "n": [30, 40],
            "sources": "here",
            "q025": [0.47, 4.5],
            "q975": [0.55, 5.3],
        }
    )
    table = Table.from_values(rows, "carbon_fraction_forest_test", "1.0.0")
    page = write_page(table, tmp_path / "values.html", "zh")
    text = " ".join(text_of(page).split())
    assert "0.510" in text and "data:image/png" in page.read_text("utf-8")
    # A carbon fraction above one is refused: named, without a number.
    assert "杉木的估计值未通过合理性检验，未列入" in text and "4.90" not in text and "✗" in text
    # Words of the reader: no keys of groups, names of columns or signs of programs.
    for said in (text, table.summary(), repr(table), table.set_table().to_html()):
        assert "species_id" not in said and "carbon_fraction[" not in said, said
    assert "b（杉木）" in text and "均值 4.9" in text and "<=" not in text


def test_a_report_of_a_fit_has_its_verdicts_and_figures_in_each_format(tmp_path):
    result = fit(make_trees(), "stem = a * dbh**b * height**c", cluster="site", name="trees.csv")
    written = {to: write_page([result], tmp_path / f"fit.{to}", "en") for to in ("html", "docx", "pdf")}
    text = text_of(written["html"])
    assert "trees.csv" in text and "at least 150 trees" in text and "✗" in text
    assert written["html"].read_text("utf-8").count("data:image/png") == 6
    with zipfile.ZipFile(written["docx"]) as word:
        pictures = [name for name in word.namelist() if name.startswith("word/media/")]
        body = word.read("word/document.xml").decode("utf-8")
    assert len(pictures) == 6 and "at least 150 trees" in body
    # No empty page before the first.
    assert body.index("<w:sectPr") > body.index("<w:tbl>")
    assert written["pdf"].read_bytes().startswith(b"%PDF")
    with pytest.raises(DraftError, match="html"):
        write_page([result], tmp_path / "fit.odt")
    assert not (tmp_path / "fit.odt").exists()


def test_figures_need_trees_and_a_table_without_them_has_none(tmp_path):
    page = write_page(log_table(), tmp_path / "two.html", "en")
    shown = page.read_text("utf-8")
    # Curves can be drawn from coefficients alone; residuals and sites cannot.
    assert "residuals, and their means" not in shown and "pinus" in shown.lower()


def test_the_index_says_how_good_a_table_is(tmp_path):
    table = system_table()
    table.write(tmp_path / "params")
    good = batch._good(tmp_path / "params" / table.table_id / table.version)
    checks, told = table.checks, table.models[0].index_table
    assert good["checks"] == f"{int(checks['passed'].sum())}/{len(checks)}"
    assert good["R2"] == f"{np.min(told['R2']):.2f}–{np.max(told['R2']):.2f}"
    assert good["MPE"] == f"{np.min(told['MPE']):.1f}–{np.max(told['MPE']):.1f}" and "refused" not in good
    assert batch._good(tmp_path / "nowhere") == {}


def test_a_fit_to_what_a_notebook_worked_out_has_a_page(tmp_path):
    # The file is at hand and the same, but holds no ratio of the two masses: the page does without its residuals.
    stands = sl.load("literature:stand_biomass", {"species_id": "pinus_massoniana"})
    made = stands.assign(root_shoot_ratio=0.25 + 0.002 * stands["age"] + 0.01 * np.sin(stands.index))
    result = fit(made, "root_shoot_ratio = a * age**b", name="literature:stand_biomass")
    table = Table.from_fits([result], "root_shoot_ratio_forest_made", "0.1.0", source=stands.attrs["source"])
    back = Table.read(table.write(tmp_path))
    page = write_page(back, tmp_path / "page.html", "en")
    assert "root_shoot_ratio" in page.read_text(encoding="utf-8")
