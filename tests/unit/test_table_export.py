"""Exports are worked out by other programs, and give what the table predicts."""

import io
import json
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import openpyxl
import pandas as pd
import pytest
import spreadsheet
from published_tables import (
    SOURCE,
    gamma_table,
    log_table,
    lognormal_table,
    make_trees,
    mixed_table,
    site_table,
    system_table,
    tail_table,
    values_table,
    wide_table,
)

from sinklab.cli import main
from sinklab.evidence.distributions import FAMILIES, Distribution
from sinklab.fitting import fit
from sinklab.language import TableError
from sinklab.tables.digits import FRACTION, guard
from sinklab.tables.export import export_table, program, workbook
from sinklab.tables.export.workbook import FIRST_PREDICTION
from sinklab.tables.table import Table

ODD = (
    "stem = where(dbh < 12 and height > 2, a, max(a, 0.02)) * dbh^b * exp(-c / height) + min(dbh, 10) * 0.001"
)


def odd_table():
    """Equations with a condition, a sign before a power, and names that languages keep for themselves."""
    trees = make_trees()
    result = fit(trees, ODD, method="wls", variance="exp:dbh", start={"a": 0.05, "b": 2.5, "c": 2.0})
    return Table.from_fits(result, "stem_forest_odd", "1.0.0", source=SOURCE)


def reserved_table():
    trees = make_trees().rename(columns={"dbh": "data", "height": "level"})
    result = fit(trees, "stem = function * data^T * level^c - (-0.001)^2", method="wls", variance="none")
    return Table.from_fits(result, "stem_forest_reserved", "1.0.0", source=SOURCE)


def wide_mixed_table():
    return wide_table("mixed")


MAKERS = [
    system_table,
    log_table,
    site_table,
    lognormal_table,
    gamma_table,
    tail_table,
    mixed_table,
    wide_table,
    wide_mixed_table,
    odd_table,
    reserved_table,
]


@pytest.fixture(scope="module", params=MAKERS, ids=lambda f: f.__name__)
def table(request):
    return request.param()


@pytest.fixture(scope="module")
def individuals(table):
    """New trees, one beyond the range and one at the smallest diameter."""
    found = make_trees(12, 5).drop(columns=["stem", "branch", "root"])
    found.loc[3, "dbh"] = 90.0
    if table.table_id == "stem_forest_reserved":
        found = found.rename(columns={"dbh": "data", "height": "level"})
    return found.assign(tree_id=range(1, 13))


def expected(table, individuals, level, kind):
    columns = [c for c in individuals if c != "tree_id"]
    return table.predict(individuals[columns], level=level, kind=kind)


def assert_equal(found, wanted, rtol=1e-9):
    for column in wanted:
        if wanted[column].dtype.kind == "f":
            got = found[column].to_numpy(float)
            np.testing.assert_allclose(got, wanted[column].to_numpy(), rtol=rtol, atol=1e-12, err_msg=column)


@pytest.mark.witness
@pytest.mark.parametrize("kind", ["mean", "individual"])
def test_r(table, individuals, kind, tmp_path):
    if not shutil.which("Rscript"):
        pytest.skip("R is not installed")
    export_table(table, "r", tmp_path / "table.R")
    individuals.to_csv(tmp_path / "trees.csv", index=False, encoding="utf-8")
    script = (
        'source("table.R", encoding = "UTF-8"); d <- read.csv("trees.csv", encoding = "UTF-8", quote = "\\"");'
        f'out <- predict_{table.table_id}(d, level = 0.9, kind = "{kind}"); options(digits = 17);'
        'write.csv(format(out, digits = 17), "out.csv", row.names = FALSE, fileEncoding = "UTF-8")'
    )
    done = subprocess.run(
        ["Rscript", "-e", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    wanted = expected(table, individuals, 0.9, kind)
    assert list(found.columns) == list(wanted.columns)
    assert_equal(found, wanted)
    assert [str(v).strip() == "TRUE" for v in found["out_of_range"]] == list(wanted["out_of_range"]) or (
        list(found["out_of_range"]) == list(wanted["out_of_range"])
    )
    assert [note.strip() for note in found["range_note"]] == list(wanted["range_note"])


def inputs_of(model):
    """Columns that a person fills in: predictors, then groups of coefficients and of sigma."""
    groups = [*model.system.groups.values(), *(m.ident for m in model.residual.values())]
    return [*model.system.predictors, *dict.fromkeys(filter(None, groups))]


def typed(table, individuals, path, level, kind):
    """Workbook into which a person has typed the individuals."""
    book = openpyxl.load_workbook(export_table(table, "xlsx", path, level=level, kind=kind))
    sheets = [name for name in book.sheetnames if name.startswith("预测")]
    for name, model in zip(sheets, table.models, strict=True):
        inputs = inputs_of(model)
        for row, record in enumerate(individuals.to_dict("records"), start=FIRST_PREDICTION):
            for column, x in enumerate(inputs, start=2):
                book[name].cell(row, column).value = record[x]
    book.save(path)
    return sheets


def forecast(value, model, n):
    """Columns of the sheet 预测; ``value(row, column)`` is a cell."""
    first = 2 + len(inputs_of(model))
    rows = range(FIRST_PREDICTION, FIRST_PREDICTION + n)
    found = {"out_of_range": [value(r, first) == "是" for r in rows]}
    for j, response in enumerate(model.system.responses):
        for i, suffix in enumerate(("", "_se", "_lower", "_upper")):
            found[response + suffix] = [value(r, first + 2 + 4 * j + i) for r in rows]
    return pd.DataFrame(found)


@pytest.mark.parametrize("kind", ["mean", "individual"])
def test_workbook_formulas(table, individuals, kind, tmp_path):
    names = typed(table, individuals, tmp_path / "table.xlsx", 0.9, kind)
    sheets = spreadsheet.Sheets(tmp_path / "table.xlsx")
    for name, model in zip(names, table.models, strict=True):
        found = forecast(lambda r, c, s=name: sheets.value(s, r, c), model, len(individuals))
        wanted = model.predict(individuals, level=0.9, kind=kind)
        assert_equal(found, wanted[[c for c in wanted if c != "range_note"]])
        assert list(found["out_of_range"]) == list(wanted["out_of_range"])


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """Recalculate a workbook in LibreOffice; skipped where that cannot open one."""
    program = shutil.which("soffice")
    if not program:
        pytest.skip("LibreOffice is not installed")
    profile = tmp_path_factory.mktemp("profile").as_uri()

    def recalculated(path, folder):
        filters = ["--convert-to", "xlsx:Calc MS Excel 2007 XML", "--outdir", str(folder), str(path)]
        command = [program, "--headless", f"-env:UserInstallation={profile}", *filters]
        subprocess.run(command, capture_output=True, timeout=120, check=False)
        return (
            openpyxl.load_workbook(folder / path.name, data_only=True)
            if (folder / path.name).is_file()
            else None
        )

    probe = tmp_path_factory.mktemp("probe")
    book = openpyxl.Workbook()
    book.active["A1"] = "=1+1"
    book.save(probe / "probe.xlsx")
    if recalculated(probe / "probe.xlsx", probe / "out") is None:
        pytest.skip("LibreOffice is installed without its spreadsheet program (Calc)")
    return recalculated


@pytest.mark.witness
def test_workbook_in_libreoffice(table, individuals, office, tmp_path):
    names = typed(table, individuals, tmp_path / "table.xlsx", 0.9, "individual")
    book = office(tmp_path / "table.xlsx", tmp_path / "out")
    for name, model in zip(names, table.models, strict=True):
        found = forecast(lambda r, c, s=book[name]: s.cell(r, c).value, model, len(individuals))
        wanted = model.predict(individuals, level=0.9, kind="individual")
        assert_equal(found, wanted[[c for c in wanted if c != "range_note"]], rtol=1e-7)
        assert list(found["out_of_range"]) == list(wanted["out_of_range"])


def test_workbook_follows_its_cells(tmp_path):
    table = system_table()
    path = export_table(table, "xlsx", tmp_path / "table.xlsx")
    book = openpyxl.load_workbook(path)
    assert book["预测"]["B4"].value == 0.95 and book["预测"]["D4"].value == "均值"
    book["预测"]["B4"].value, book["预测"]["D4"].value = 0.5, "个体"
    book["系数"]["C4"].value *= 2
    book.save(path)
    sheets = spreadsheet.Sheets(path)
    inputs = {
        x: [sheets.value("预测", FIRST_PREDICTION, c)] for c, x in enumerate(("dbh", "height"), start=2)
    }
    model = table.models[0]
    values = model.parameters["value"].to_numpy().copy()
    values[0] *= 2
    other = replace(model, parameters=model.parameters.assign(value=values))
    wanted = other.predict(pd.DataFrame(inputs), level=0.5, kind="individual")
    found = forecast(lambda r, c: sheets.value("预测", r, c), model, 1)
    assert_equal(found, wanted[[c for c in wanted if c != "range_note"]])


def test_rows_without_all_inputs_stay_blank(tmp_path):
    table = site_table()
    path = export_table(table, "xlsx", tmp_path / "table.xlsx")
    book = openpyxl.load_workbook(path)
    book["预测"].cell(FIRST_PREDICTION + 1, 2).value = 20.0
    book["预测"].cell(FIRST_PREDICTION + 2, 2).value, book["预测"].cell(FIRST_PREDICTION + 2, 3).value = (
        20.0,
        "nowhere",
    )
    book.save(path)
    sheets = spreadsheet.Sheets(path)
    for row in (FIRST_PREDICTION + 1, FIRST_PREDICTION + 2):
        assert [sheets.value("预测", row, c) for c in (4, 6, 7, 8, 9)] == [""] * 5
        assert sheets.value("预测", row, 5) == "自变量不全或分组未知"
    assert sheets.value("预测", FIRST_PREDICTION + 3, 5) == ""


def test_workbook_is_chinese_and_the_same_bytes_each_time(tmp_path):
    table = system_table()
    first = export_table(table, "xlsx", tmp_path / "one.xlsx").read_bytes()
    assert export_table(table, "xlsx", tmp_path / "two.xlsx").read_bytes() == first
    book = openpyxl.load_workbook(io.BytesIO(first))
    assert book.sheetnames == ["说明", "预测", "系数", "适用范围", "评价指标", "残差", "协方差", "推导"]
    heads = [cell.value for cell in book["预测"][FIRST_PREDICTION - 1]][:9]
    assert heads == ["序号", "胸径/cm", "树高/m", "超出范围", "说明", "估计值", "标准误", "下限", "上限"]
    assert "树干生物量" in book["预测"].cell(FIRST_PREDICTION - 2, 6).value


@pytest.mark.parametrize("text", ['=HYPERLINK("http://example.org","x")', "+1+1", "-2", "@SUM(A1)"])
def test_formulas_in_text_stay_text(text, tmp_path):
    values = values_table()
    frame = values.frames["values"].assign(sources=text)
    hostile = replace(values, title=text, title_zh=text, frames=values.frames | {"values": frame})
    book = openpyxl.load_workbook(export_table(hostile, "xlsx", tmp_path / "table.xlsx"))
    cells = [book["说明"]["A1"], book["说明"]["A2"], book["参数值"]["N4"]]
    for cell in cells:
        assert cell.value == text and cell.data_type == "s" and cell.quotePrefix
    formulas = [c.value for row in book["参数值"].iter_rows() for c in row if c.data_type == "f"]
    assert len(formulas) == 4 and all(f.startswith(("=BETAINV", "=LOGINV")) for f in formulas)


HOSTILE = 'x\'); DROP TABLE trees; --\n"""; raise SystemExit(9) #'


def test_text_of_a_table_never_becomes_code(tmp_path):
    table = replace(system_table(), title=HOSTILE, title_zh=HOSTILE, sources=({"title": HOSTILE},))
    text = export_table(table, "r", tmp_path / "t.R").read_text(encoding="utf-8")
    assert all(line.startswith("#") for line in text.splitlines() if "DROP" in line)
    text = export_table(table, "latex", tmp_path / "t.tex").read_text(encoding="utf-8")
    assert all(line.startswith("%") for line in text.splitlines() if "DROP" in line)


def read_number(printed):
    """Value of a number as LaTeX prints it."""
    digits, _, power = printed.strip("$").partition(r" \times 10^{")
    return float(f"{digits}e{power.rstrip('}') or 0}")


def test_latex_prints_the_equations_and_enough_digits(table, tmp_path):
    text = export_table(table, "latex", tmp_path / "table.tex").read_text(encoding="utf-8")
    tables = text.split(r"\caption{Coefficients")[1:]
    for part, model in zip(tables, table.models, strict=True):
        rows = part.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().split("\\\\\n")
        read = [read_number(row.split(" & ")[1]) for row in rows if row.strip()]
        k = len(model.labels)
        assert len(read) == len(guard(model).numbers)
        factors = dict(zip([r for r, f in model.correction.items() if f != 1], read[k:], strict=True))
        reader = replace(
            model,
            parameters=model.parameters.assign(value=read[:k]),
            correction=model.correction | factors,
        )
        points = make_trees(30, 8).rename(
            columns=dict(zip(("dbh", "height"), model.system.predictors, strict=False))
        )
        inside = pd.Series(True, index=points.index)
        for x, (low, high) in model.ranges.items():
            inside &= points[x].between(low, high)
        full, found = model.predict(points[inside]), reader.predict(points[inside])
        for response in model.system.responses:
            off = (found[response] - full[response]).abs() / full[f"{response}_se"]
            assert off.max() <= FRACTION * 1.1
    assert text.count(r"\begin{align}") == len(table.models)
    assert "&= " in text


@pytest.mark.parametrize(
    ("value", "decimals", "shown"),
    [
        (6.74902e-5, 7, r"$6.75 \times 10^{-5}$"),
        (-1.0334, 3, "$-1.033$"),
        (1234.5, -2, "$1200$"),
        (float("nan"), 2, "--"),
    ],
)
def test_latex_numbers(value, decimals, shown):
    assert program.in_latex(value, decimals) == shown


def test_scalar_values(tmp_path):
    table = values_table()
    path = export_table(table, "xlsx", tmp_path / "values.xlsx", level=0.5)
    sheets = spreadsheet.Sheets(path)
    assert sheets.value("参数值", 4, 12) == pytest.approx(Distribution("beta", 600.0, 600.0).quantile(0.75))
    assert sheets.value("参数值", 5, 11) == pytest.approx(
        Distribution("lognormal", -1.05, 0.1).quantile(0.25)
    )


def test_every_family_has_its_quantile_everywhere(tmp_path):
    assert set(workbook.QUANTILES) == set(program.QUANTILES) == set(FAMILIES)
    book = openpyxl.Workbook()
    for row, family in enumerate(FAMILIES, start=1):
        code = workbook.QUANTILES[family].format(q="0.9", p1="0.7", p2="0.4")
        book.active.cell(row, 1).value = f"={code}"
    book.save(tmp_path / "families.xlsx")
    sheets = spreadsheet.Sheets(tmp_path / "families.xlsx")
    for row, family in enumerate(FAMILIES, start=1):
        found = sheets.value(book.active.title, row, 1)
        assert found == pytest.approx(Distribution(family, 0.7, 0.4).quantile(0.9), rel=1e-10), family


@pytest.mark.witness
def test_r_quantiles(tmp_path):
    if not shutil.which("Rscript"):
        pytest.skip("R is not installed")
    codes = "; ".join(f"cat({code}, '')" for code in program.QUANTILES.values())
    script = f"q <- 0.9; p1 <- 0.7; p2 <- 0.4; options(digits = 15); {codes}"
    done = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, check=True)
    wanted = [Distribution(family, 0.7, 0.4).quantile(0.9) for family in program.QUANTILES]
    np.testing.assert_allclose([float(x) for x in done.stdout.split()], wanted, rtol=1e-6)


def test_what_is_refused(tmp_path):
    table = system_table()
    with pytest.raises(TableError, match="expected one of xlsx"):
        export_table(table, "csv", tmp_path / "x")
    with pytest.raises(TableError, match="level 95"):
        export_table(table, "r", tmp_path / "x", level=95)
    with pytest.raises(TableError, match="leave level and kind out"):
        export_table(table, "latex", tmp_path / "x", level=0.9)
    with pytest.raises(TableError, match="table id"):
        export_table(replace(table, table_id="../../etc/passwd"), "r")
    assert list(tmp_path.iterdir()) == []


def test_command(tmp_path, capsys, monkeypatch):
    system_table().write(tmp_path / "params")
    monkeypatch.chdir(tmp_path)
    assert main(["table", "export", "agb_forest_test", "--to", "r", "--root", "params"]) == 0
    assert (tmp_path / "agb_forest_test-1.0.0.R").is_file()
    assert "agb_forest_test@1.0.0 written to" in capsys.readouterr().out
    arguments = [
        "table",
        "export",
        "agb_forest_test",
        "--to",
        "latex",
        "--root",
        "params",
        "-o",
        "v.tex",
        "--json",
    ]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["file"] == "v.tex"
    assert main(["table", "export", "../params/agb_forest_test", "--to", "r", "--root", "nowhere"]) == 2


# What another program makes of data that lack something, and of names and titles that mean something to it.


def by_r(folder, expression):
    """What R prints of an expression, after the table; and what it complains of."""
    if not shutil.which("Rscript"):
        pytest.skip("R is not installed")
    script = f'source("table.R", encoding = "UTF-8"); options(digits = 17, warn = 1); {expression}'
    return subprocess.run(
        ["Rscript", "-e", script], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )


@pytest.mark.witness
def test_r_tells_what_the_data_lack(tmp_path):
    export_table(system_table(), "r", tmp_path / "table.R")
    call = "predict_agb_forest_test"
    done = by_r(tmp_path, f"{call}(data.frame(dbh = 20, h = 12))")
    assert done.returncode != 0 and "the data lack height" in done.stderr and done.stdout == ""
    done = by_r(tmp_path, f"{call}(data.frame(x = 1))")
    assert "the data lack dbh, height" in done.stderr
    # A name that begins like a column is not that column.
    done = by_r(tmp_path, f"{call}(data.frame(dbh1 = 20, height_m = 12))")
    assert "the data lack dbh, height" in done.stderr
    export_table(site_table(), "r", tmp_path / "table.R")
    done = by_r(tmp_path, "predict_stem_forest_sites(data.frame(dbh = 20))")
    assert "the data lack site" in done.stderr


@pytest.mark.witness
def test_r_reads_blanks_text_and_sizes_out_of_range(tmp_path):
    table = system_table()
    export_table(table, "r", tmp_path / "table.R")
    trees = pd.DataFrame({"dbh": [20.0, np.nan, 900.0, 0.0], "height": [12.0, 12.0, 300.0, 0.0]})
    rows = "dbh = factor(c('20', '', '900', '0')), height = c('12', '12', '300', '0')"
    done = by_r(tmp_path, f"d <- predict_agb_forest_test(data.frame({rows})); cat(d$agb, d$out_of_range)")
    assert done.returncode == 0, done.stderr
    cells = done.stdout.split()
    wanted = table.predict(trees)
    found = np.array([np.nan if c == "NA" else float(c) for c in cells[:4]])
    np.testing.assert_allclose(
        found, wanted["agb"].to_numpy(), rtol=1e-12, err_msg="a factor's numbers are those of it"
    )
    assert [c == "TRUE" for c in cells[4:]] == list(wanted["out_of_range"]) == [False, False, True, True]


NAMES = ("TRUE", "SELECT", "NULL", "C", "R", "T", "PI", "LN", "A1", "XFD1048576", "IF", "NaN")


def named_table(name):
    result = fit(make_trees(), f"stem = {name} * dbh^b", method="wls", variance="power:dbh")
    return Table.from_fits(result, "stem_forest_named", "1.0.0", source=SOURCE)


@pytest.mark.witness
@pytest.mark.parametrize("name", NAMES)
def test_names_that_mean_something_elsewhere(name, office, tmp_path):
    table = named_table(name)
    individuals = make_trees(6, 5)
    export_table(table, "r", tmp_path / "table.R")
    text = ", ".join(f"{d!r}" for d in individuals["dbh"].tolist())
    done = by_r(tmp_path, f"cat(predict_stem_forest_named(data.frame(dbh = c({text})))$stem)")
    assert done.returncode == 0, done.stderr
    wanted = table.predict(individuals)
    np.testing.assert_allclose([float(c) for c in done.stdout.split()], wanted["stem"], rtol=1e-9)
    (sheet,) = typed(table, individuals, tmp_path / "table.xlsx", 0.95, "mean")
    book = office(tmp_path / "table.xlsx", tmp_path / "out")
    found = forecast(lambda r, c: book[sheet].cell(r, c).value, table.models[0], len(individuals))
    assert_equal(found, wanted[[c for c in wanted if c != "range_note"]], rtol=1e-7)
    text = export_table(table, "latex", tmp_path / "t.tex").read_text(encoding="utf-8")
    assert_latex(text, tmp_path)


HOSTILE_TITLES = [
    HOSTILE,
    "\\input{/etc/passwd} \\write18{id} $x_1^2$ % & # _ { } ~ ^ \\",
    '=cmd|"/c calc"!A1',
    "<script>alert(1)</script> ]]> &amp; \x00\x07 \u202e",
    "标题\r\nquit()\n#",
    "a" * 40_000,
]


def assert_latex(text, folder):
    """Compiled, where there is a LaTeX; else read by pandoc, and its braces, environments and commands looked at."""
    program = next(filter(shutil.which, ("xelatex", "lualatex", "tectonic")), None)
    if program:
        (folder / "all.tex").write_text(
            "\\documentclass{article}\\usepackage{amsmath,booktabs,longtable}\\usepackage{fontspec}\n"
            f"\\begin{{document}}\n{text}\n\\end{{document}}\n",
            encoding="utf-8",
        )
        done = subprocess.run(
            [
                program,
                *(["-interaction=nonstopmode", "-halt-on-error"] if "la" in program else []),
                "all.tex",
            ],
            cwd=folder,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:]
    import pypandoc

    assert pypandoc.convert_text(text, "plain", "latex").strip()
    code = re.sub(r"(?<!\\)%.*", "", text)
    bare = re.sub(r"\\[{}\\%]", "", code)
    assert bare.count("{") == bare.count("}") and code.count("\\begin{") == code.count("\\end{")
    assert not re.search(
        r"\\(?:input|include|write|openin|openout|immediate|def|csname|catcode|usepackage)(?![a-z])", code
    )


@pytest.mark.witness
@pytest.mark.parametrize("title", HOSTILE_TITLES, ids=range(len(HOSTILE_TITLES)))
def test_titles_are_text_wherever_they_are_opened(title, office, tmp_path):
    table = replace(
        system_table(), title=title, title_zh=title, sources=({"title": title, "citation": title},)
    )
    values = values_table()
    values = replace(values, title=title, title_zh=title, sources=({"title": title},))
    individuals = make_trees(3, 5)
    export_table(table, "r", tmp_path / "table.R")
    done = by_r(tmp_path, "cat(predict_agb_forest_test(data.frame(dbh = 20, height = 12))$agb)")
    assert done.returncode == 0, done.stderr
    wanted = table.predict(pd.DataFrame({"dbh": [20.0], "height": [12.0]}))["agb"]
    np.testing.assert_allclose(float(done.stdout), wanted, rtol=1e-12)
    (sheet,) = typed(table, individuals, tmp_path / "table.xlsx", 0.95, "mean")
    book = office(tmp_path / "table.xlsx", tmp_path / "out")
    found = forecast(lambda r, c: book[sheet].cell(r, c).value, table.models[0], 3)
    wanted = table.models[0].predict(individuals)
    assert_equal(found, wanted[[c for c in wanted if c != "range_note"]], rtol=1e-7)
    assert book["说明"]["A1"].data_type == "s"
    for one in (table, values):
        text = export_table(one, "latex", tmp_path / "t.tex").read_text(encoding="utf-8")
        assert_latex(text, tmp_path)


@pytest.mark.witness
def test_a_workbook_with_blanks_and_sizes_out_of_range_in_libreoffice(office, tmp_path):
    table = system_table()
    book = openpyxl.load_workbook(export_table(table, "xlsx", tmp_path / "table.xlsx"))
    rows = [(20.0, 12.0), (20.0, None), (None, None), ("many", 12.0), (900.0, 300.0), (0.0, 0.0)]
    for row, cells in enumerate(rows, start=FIRST_PREDICTION):
        for column, cell in enumerate(cells, start=2):
            book["预测"].cell(row, column).value = cell
    book.save(tmp_path / "table.xlsx")
    sheet = office(tmp_path / "table.xlsx", tmp_path / "out")["预测"]
    shown = [
        [sheet.cell(r, c).value for c in (4, 5, 6, 7, 8, 9)]
        for r in range(FIRST_PREDICTION, FIRST_PREDICTION + 6)
    ]
    wanted = table.predict(pd.DataFrame({"dbh": [20.0, 900.0], "height": [12.0, 300.0]}))["stem"].to_numpy()
    np.testing.assert_allclose([shown[0][2], shown[4][2]], wanted, rtol=1e-7)
    assert shown[4][0] == "是" and shown[4][1] and shown[0][0] != "是"
    for row in (1, 3):
        assert shown[row][1] == "自变量不全或分组未知" and not any(shown[row][2:]), shown[row]
    assert not any(shown[2]), "a row that nobody filled"
    assert shown[5][0] == "是" and not any(
        isinstance(c, str) and c.startswith("#") for row in shown for c in row
    )
    mine = spreadsheet.Sheets(tmp_path / "table.xlsx")
    assert [mine.value("预测", FIRST_PREDICTION + 5, c) for c in (4, 5, 6, 7, 8, 9)] == shown[5]
    assert shown[5][4:] == ["—", "—"] and "标“—”处方程无值" in shown[5][1], shown[5]
    assert not any("—" in str(cell) for row in shown[:5] for cell in row)


@pytest.mark.parametrize("make", [system_table, values_table], ids=["models", "values"])
def test_a_sheet_prints_a_page_wide_with_its_heads(make):
    table = make()
    book = openpyxl.load_workbook(io.BytesIO(workbook.write(table, 0.95, "mean")))
    for sheet in book.worksheets:
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        if sheet.title.startswith("推导"):
            # Steps between are no pages to read.
            assert sheet.print_area.endswith("$A$1:$F$2") and "打印区域" in sheet.oddFooter.left.text
            continue
        wide = sum(sheet.column_dimensions[c[0].column_letter].width for c in sheet.iter_cols(max_row=1))
        pages = sheet.page_setup.fitToWidth
        assert wide / pages <= 170 and (pages == 1 or wide / (pages - 1) > 170)
        assert sheet.page_setup.fitToHeight == 0
        assert sheet.page_setup.orientation == ("landscape" if wide > 95 else "portrait")
        head = sheet[sheet.freeze_panes].row - 1 if sheet.freeze_panes else 0
        assert sheet.print_title_rows == (f"$1:${head}" if head else None)
        last = int(sheet.print_area.rpartition("$")[2])
        assert last == min(sheet.max_row, head + workbook.PREPARED)
        # Cells show as many digits as a page has room for, and hold all of them.
        shown = [c for row in sheet.iter_rows(min_row=4) for c in row if isinstance(c.value, float)]
        if not sheet.title.startswith("预测"):
            long = [c.value for c in shown if c.number_format == "General" and len(repr(c.value)) > 6]
            assert long == [], sheet.title
        # What is not printed is said on the page.
        assert ("打印区域" in sheet.oddFooter.left.text) == (last < sheet.max_row)
