"""One row makes a function: a newcomer is known everywhere, and what has no row raises."""

import re
import shutil
import subprocess

import numpy as np
import pytest
import spreadsheet
from published_tables import SOURCE, make_trees

from sinklab.equations import functions
from sinklab.equations.compile import Compiled, Graph
from sinklab.equations.functions import OPERATIONS, WORDS, Operation
from sinklab.equations.latex import to_latex
from sinklab.equations.parse import Call, Equation, Name
from sinklab.equations.system import System
from sinklab.fitting import fit
from sinklab.language import EquationError, set_language
from sinklab.tables.export import export_table
from sinklab.tables.export.program import Program, _Lines
from sinklab.tables.export.workbook import FIRST_PREDICTION
from sinklab.tables.table import Table

TEXT = "stem = a * dbh^b * tanh(c * height)"
TANH = Operation(
    "tanh",
    "tanh(x)",
    np.tanh,
    lambda y, x, dx: (1 - y * y) * dx,
    latex=r"\tanh\left({}\right)",
    r="tanh({0})",
    excel="TANH({0})",
    pytensor="tanh",
)


@pytest.fixture
def tanh(monkeypatch):
    monkeypatch.setitem(OPERATIONS, "tanh", TANH)
    monkeypatch.setitem(WORDS, "tanh", TANH)


@pytest.fixture
def table(tanh):
    result = fit(make_trees(), TEXT, method="wls", variance="none", start={"a": 0.04, "b": 2.5, "c": 0.1})
    return Table.from_fits(result, "stem_forest_newcomer", "1.0.0", source=SOURCE)


def test_a_new_function_has_a_mean_and_a_jacobian(tanh):
    system = System.parse(TEXT)
    data = {"dbh": np.array([6.0, 14.0, 31.0]), "height": np.array([5.0, 11.0, 19.0])}
    theta = np.array([0.04, 2.5, 0.1])
    expected = 0.04 * data["dbh"] ** 2.5 * np.tanh(0.1 * data["height"])
    assert system.mean(theta, data)["stem"] == pytest.approx(expected, rel=1e-14)
    slopes = system.jacobian(theta, data)["stem"]
    for j, step in enumerate(1e-6 * theta):
        shift = step * np.eye(3)[j]
        up, down = system.mean(theta + shift, data)["stem"], system.mean(theta - shift, data)["stem"]
        assert slopes[:, j] == pytest.approx((up - down) / (2 * step), rel=1e-8)
        assert (slopes[:, j] != 0).all()


def test_a_new_function_is_read_folded_and_printed(tanh):
    system = System.parse("stem = a * tanh(0.5) + tanh(dbh)^2")
    assert system.text == "stem = a * tanh(0.5) + tanh(dbh)**2"
    assert system.latex()[0].endswith(r"a\,\tanh\left(0.5\right) + \left(\tanh\left(D\right)\right)^{2}")
    graph = system.compiled()._graph
    assert ("constant", (float(np.tanh(0.5)),)) in graph.nodes
    for text in ("stem = a * tanh(dbh, 2)", "stem = tanh * dbh"):
        with pytest.raises(EquationError, match=r"tanh\(x\)|tanh\(…\)"):
            System.parse(text)
    with pytest.raises(EquationError, match=r"functions: .*tanh"):
        System.parse("stem = a * sinh(dbh)")


def test_a_new_function_is_exported_to_r_and_to_a_workbook(table, tmp_path, monkeypatch):
    assert re.search(r"\btanh\(c \* height\)", export_table(table, "r", tmp_path / "t.R").read_text("utf-8"))
    assert r"\tanh" in export_table(table, "latex", tmp_path / "t.tex").read_text("utf-8")
    monkeypatch.setitem(spreadsheet._FUNCTIONS, "TANH", lambda x: float(np.tanh(x)))
    sheets = spreadsheet.Sheets(export_table(table, "xlsx", tmp_path / "t.xlsx"))
    trees = {x: [sheets.value("预测", FIRST_PREDICTION, i)] for i, x in enumerate(("dbh", "height"), start=2)}
    wanted = table.predict(make_trees(1).assign(**trees)[["dbh", "height"]])
    for column, name in ((6, "stem"), (7, "stem_se"), (8, "stem_lower"), (9, "stem_upper")):
        found = sheets.value("预测", FIRST_PREDICTION, column)
        assert found == pytest.approx(wanted[name].iloc[0], rel=1e-9)


@pytest.mark.witness
def test_a_new_function_is_worked_out_by_r(table, tmp_path):
    if not shutil.which("Rscript"):
        pytest.skip("R is not installed")
    export_table(table, "r", tmp_path / "t.R")
    script = (
        'source("t.R"); d <- data.frame(dbh = c(8, 20), height = c(7, 15)); options(digits = 17);'
        "cat(predict_stem_forest_newcomer(d)$stem_se)"
    )
    done = subprocess.run(["Rscript", "-e", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    wanted = table.predict(make_trees(2).assign(dbh=[8.0, 20.0], height=[7.0, 15.0])[["dbh", "height"]])
    np.testing.assert_allclose([float(x) for x in done.stdout.split()], wanted["stem_se"], rtol=1e-9)


def test_a_new_function_has_a_tensor(tanh):
    pytensor = pytest.importorskip("pytensor")
    import pytensor.tensor as pt

    from sinklab.fitting.bayes.model import Quantity, Translation

    system = System.parse(TEXT)
    data = {"dbh": np.array([6.0, 14.0]), "height": np.array([5.0, 11.0])}
    inputs = [pt.dscalar(name) for name in system.parameters]
    parameters = {p: Quantity(x) for p, x in zip(system.parameters, inputs, strict=True)}
    compiled = Compiled(system.equations, ("stem",), system.parameters)
    made = Translation(compiled, data, parameters, lambda _, array: pt.constant(array)).mean("stem")
    slopes = pytensor.gradient.jacobian(made, inputs)
    found = pytensor.function(inputs, [made, *slopes], mode="FAST_COMPILE")(0.04, 2.5, 0.1)
    assert found[0] == pytest.approx(system.mean([0.04, 2.5, 0.1], data)["stem"], rel=1e-12)
    assert np.array(found[1:]).T == pytest.approx(system.jacobian([0.04, 2.5, 0.1], data)["stem"], rel=1e-10)


def test_log10_is_what_papers_print():
    trees = make_trees()
    decades = fit(trees, "stem = 10^(a + b*log10(dbh))", method="nsur")
    naturals = fit(trees, "stem = exp(a + b*log(dbh))", method="nsur")
    assert decades.converged and decades.loglik == pytest.approx(naturals.loglik, abs=1e-6)
    assert decades.values * [np.log(10), 1] == pytest.approx(naturals.values, rel=1e-6)
    assert decades.system.latex()[0].endswith(r"10^{a + b\,\lg\left(D\right)}")
    with pytest.raises(EquationError, match=r"`log10\(x\)` needs x > 0"):
        System.parse("stem = a * log10(0)")


def test_an_operation_without_a_row_raises_everywhere(tanh):
    system = System.parse(TEXT)
    program = Program(
        fit(make_trees(), TEXT, method="wls", variance="none", start={"a": 0.04, "b": 2.5, "c": 0.1})
    )
    writer = _Lines(program, "r")
    compiled = system.compiled()
    for known in (OPERATIONS, WORDS):
        del known["tanh"]
    with pytest.raises(EquationError, match="not a function here"):
        System.parse(TEXT)
    call = Call("tanh", (Name("dbh"),))
    graph = Graph()
    column = graph.add_node("column", "dbh")
    for attempt in (
        lambda: graph.build(call, {"dbh": column}),
        lambda: graph.apply("tanh", column),
        lambda: compiled.mean_matrix([1.0, 1.0, 1.0], {"dbh": [1.0], "height": [1.0]}),
        lambda: compiled.at({"dbh": [1.0], "height": [1.0]}).jacobian([1.0, 1.0, 1.0]),
        lambda: compiled._graph.derivatives(compiled._means),
        lambda: to_latex(Equation("stem", call), system),
        writer.means,
    ):
        with pytest.raises(EquationError, match="`tanh` has no row"):
            attempt()
    set_language("zh")
    with pytest.raises(EquationError, match="没有运算 `tanh`"):
        graph.apply("tanh", column)


def test_only_a_row_with_a_slope_has_a_derivative():
    graph = Graph()
    node = graph.apply("log0", graph.add_node("parameter", "a"))
    with pytest.raises(EquationError, match="`log0` has no derivative"):
        graph.derivatives([node])


def test_a_constant_outside_the_domain_is_explained():
    with pytest.raises(EquationError, match=r"not a finite number\. `log\(x\)` needs x > 0"):
        System.parse("stem = a * dbh^log(0)")


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_every_row_is_complete(name):
    row = OPERATIONS[name]
    assert row.name == name and callable(row.value) and row.r and row.excel and row.pytensor
    assert not row.written or WORDS[row.word] is row
    assert not ("(" in row.written and name != "where") or "{}" in row.latex
    assert row.latex.count(r"\left") == row.latex.count(r"\right") and "\\\\" not in row.latex


def test_the_row_that_the_chapter_shows_can_be_copied():
    shown = functions.__doc__.split("::\n\n")[1].split("\n\n")[0]
    row = eval(shown, {"Operation": Operation, "np": np})
    assert (row.latex, row.r, row.excel) == (TANH.latex, TANH.r, TANH.excel)
