"""Means and Jacobians: printed values, plain Python, central differences, and the awkward corners."""

import math

import numpy as np
import pandas as pd
import pytest
from counting import calls
from hypothesis import given, settings
from hypothesis import strategies as st

from sinklab.equations.system import System
from sinklab.language import EquationError

FOUR = """
stem    = a1 * dbh**b1 * height**c1
branch  = a2 * dbh**b2 * height**c2
foliage = a3 * dbh**b3 * height**c3
agb     = stem + branch + foliage
root    = agb * r0 * dbh**r1
"""
THETA = np.array([0.05, 2.0, 0.7, 0.02, 2.1, 0.4, 0.03, 1.8, 0.1, 0.3, -0.1])


def trees(n=50, seed=1):
    rng = np.random.default_rng(seed)
    return {"dbh": rng.uniform(5, 40, n), "height": rng.uniform(4, 25, n)}


def check_jacobian(system, theta, data, rtol=1e-6):
    """Compare with central differences, relative to the largest derivative of the same mean."""
    theta = np.asarray(theta, dtype=float)
    slopes = system.jacobian(theta, data)
    for j in range(len(theta)):
        step = 1e-5 * max(abs(theta[j]), 1e-2)
        up, down = theta.copy(), theta.copy()
        up[j] += step
        down[j] -= step
        means_up, means_down = system.mean(up, data), system.mean(down, data)
        for response in system.responses:
            expected = (means_up[response] - means_down[response]) / (2 * step)
            np.testing.assert_allclose(
                slopes[response][:, j], expected, rtol=rtol, atol=rtol * (1e-3 + np.abs(expected).max())
            )
    return slopes


def test_values_that_can_be_checked_by_hand():
    system = System.parse("stem = a*dbh^b\nagb = stem + c*height\nbef = agb/stem")
    data = {"dbh": [10.0, 20.0], "height": [5.0, 10.0]}
    means = system.mean({"a": 0.1, "b": 2.0, "c": 0.5}, data)
    assert means["stem"] == pytest.approx([10, 40], rel=1e-14)
    assert means["agb"] == pytest.approx([12.5, 45], rel=1e-14)
    assert means["bef"] == pytest.approx([1.25, 1.125], rel=1e-14)
    slopes = system.jacobian([0.1, 2.0, 0.5], data)
    assert slopes["stem"] == pytest.approx(
        np.array([[100, 10 * math.log(10), 0], [400, 40 * math.log(20), 0]]), rel=1e-14
    )
    assert slopes["agb"][:, 2] == pytest.approx([5, 10], rel=1e-14)
    # bef = 1 + c H / (a D^b): d/da = -c H / (a^2 D^b)
    assert slopes["bef"][:, 0] == pytest.approx([-2.5 / (0.01 * 100), -5 / (0.01 * 400)], rel=1e-13)


def test_every_function_by_hand():
    text = "y = exp(a)*log(x) + sqrt(x) - min(x, a, 3) + max(x, b)/-2 + where(x < 2 and not x == 1, a, b)^2"
    system = System.parse(text).bind(["x", "y"])
    out = system.mean([0.5, 1.5], {"x": [1.0, 1.9, 4.0]})["y"]
    e = math.exp(0.5)
    expected = [
        0 + 1 - 0.5 - 0.75 + 2.25,
        e * math.log(1.9) + math.sqrt(1.9) - 0.5 - 0.95 + 0.25,
        e * math.log(4) + 2 - 0.5 - 2 + 2.25,
    ]
    assert out == pytest.approx(expected, rel=1e-14)


def test_jacobian_of_an_additive_system():
    check_jacobian(System.parse(FOUR), THETA, trees())


@pytest.mark.parametrize(
    ("text", "theta"),
    [
        ("y = a + b*x + c*x^2", [1, -2, 0.5]),
        ("y = a*(1 - exp(-b*x))^c", [30, 0.1, 1.4]),
        ("y = a/(1 + b*exp(-c*x))", [30, 9, 0.2]),
        ("y = exp(a + b*log(x) + c*sqrt(x))", [-2, 1.5, 0.1]),
        ("y = where(x < 12, a*x^b, a*12^b*(x/12)^c)", [0.1, 2, 1.2]),
        ("y = where(a*x > 1.1 or x > 30, b*x, c/x)", [0.1, 2, 1.2]),
        ("y = min(a*x, b, c*x^2) + max(a, b/x, 0.01)", [0.1, 1.5, 1.2]),
        ("y = a^b^c * x", [1.3, 0.7, 1.2]),
        ("y = 2^(a*x/10) - -b^2*x^-c", [0.1, 2, 1.2]),
        ("y = (a*x)^(b*x/10) / (c - x)^2", [0.4, 0.5, 1.2]),
        ("y = log(a*x + b)/log(10) * c^0.5", [0.4, 0.5, 1.2]),
        ("y = x/(a + b*x)/c*a", [0.4, 0.5, 1.2]),
        ("u = a*x^b\nv = u^c\ny = v/u + log(v)", [0.4, 0.5, 1.2]),
        ("u = a*x^b\nv = (u - c)^2\ny = u*v*u", [0.4, 0.5, 1.2]),
    ],
)
def test_jacobian_against_central_differences(text, theta):
    system = System.parse(text).bind(["x"], responses_required=False)
    assert system.parameters == ("a", "b", "c")
    slopes = check_jacobian(system, theta, {"x": np.linspace(2.3, 31, 40)})
    assert all(np.isfinite(s).all() for s in slopes.values())


def test_jacobian_agrees_with_a_complex_step():
    """The imaginary part of plain Python at ``theta + ih`` is the derivative, to the last digits."""
    system = System.parse(FOUR)
    data = trees(7)
    slopes = system.jacobian(THETA, data)
    for i in range(7):
        for j, parameter in enumerate(system.parameters):
            values = dict(zip(system.parameters, THETA, strict=True))
            values |= {"dbh": data["dbh"][i], "height": data["height"][i], parameter: THETA[j] + 1e-30j}
            exec(system.text, {"__builtins__": {}}, values)
            for response in system.responses:
                expected = complex(values[response]).imag / 1e-30
                assert slopes[response][i, j] == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_a_branch_not_taken_leaks_nothing():
    system = System.parse("y = where(x > 0, a*log(x) + x^b, c)").bind(["x", "y"])
    data = {"x": [0.0, -1.0, 2.0]}
    with np.errstate(all="raise"):
        mean = system.mean([1.0, 2.0, 3.0], data)["y"]
        slopes = system.jacobian([1.0, 2.0, 3.0], data)["y"]
    assert mean == pytest.approx([3, 3, math.log(2) + 4])
    assert slopes == pytest.approx(np.array([[0, 0, 1], [0, 0, 1], [math.log(2), 4 * math.log(2), 0]]))
    nested = System.parse("y = exp(-where(x > 0, a/x, b))*max(x^c, 1)").bind(["x", "y"])
    slopes = nested.jacobian([1.0, 0.5, 2.0], {"x": [0.0, 2.0]})["y"]
    assert slopes == pytest.approx(
        np.array([[0, -math.exp(-0.5), 0], [-2 * math.exp(-0.5), 0, 4 * math.log(2) * math.exp(-0.5)]])
    )


def test_a_predictor_of_zero_has_the_limit_as_its_derivative():
    system = System.parse("y = a*x^b*z^c").bind(["x", "z", "y"])
    slopes = system.jacobian([2.0, 1.5, 0.5], {"x": [0.0, 1.0], "z": [3.0, 4.0]})["y"]
    assert slopes == pytest.approx(np.array([[0, 0, 0], [2, 0, 4 * math.log(4)]]))


def test_outside_the_domain_is_nan_without_warnings():
    system = System.parse("y = a*log(x)").bind(["x", "y"])
    with np.errstate(all="raise"):
        out = system.mean([2.0], {"x": [-1.0, 0.0, math.nan, 1.0]})["y"]
    assert np.isnan(out[[0, 2]]).all() and out[1] == -math.inf and out[3] == 0


def test_draws_give_one_row_each():
    system = System.parse(FOUR)
    rng = np.random.default_rng(3)
    draws = THETA * rng.normal(1, 0.02, (6, len(THETA)))
    data = trees(9)
    means = system.mean(draws, data)
    assert means["agb"].shape == (6, 9)
    for i in range(6):
        alone = system.mean(draws[i], data)
        for response in system.responses:
            assert means[response][i] == pytest.approx(alone[response], rel=1e-14)
    frame = pd.DataFrame(draws, columns=system.parameters)
    assert system.mean(frame, pd.DataFrame(data))["root"] == pytest.approx(means["root"], rel=1e-14)
    assert system.mean(frame.iloc[2], data)["root"] == pytest.approx(means["root"][2], rel=1e-14)


def test_constants_fill_all_rows():
    system = System.parse("stem = a\nroot = stem*0.5 + b*dbh").bind(["dbh", "stem", "root"])
    data = {"dbh": [1.0, 2.0, 3.0]}
    assert system.mean([2, 1], data)["stem"].tolist() == [2, 2, 2]
    assert system.mean([[2, 1], [3, 1]], data)["stem"].tolist() == [[2, 2, 2], [3, 3, 3]]
    assert system.jacobian([2, 1], data)["stem"].tolist() == [[1, 0]] * 3
    alone = System.parse("cf = m").bind(["cf"])
    assert alone.mean([0.5], pd.DataFrame({"cf": [0.4, 0.6]}))["cf"].tolist() == [0.5, 0.5]
    fixed = System.parse("stem = 0.1*dbh^2").bind(["dbh", "stem"])
    assert fixed.jacobian([], data)["stem"].shape == (3, 0)
    assert fixed.mean([], data)["stem"] == pytest.approx([0.1, 0.4, 0.9])


def test_one_tree_as_plain_numbers():
    assert System.parse("stem = a*dbh^b").mean([0.1, 2], {"dbh": 10})["stem"] == pytest.approx([10])


@pytest.mark.parametrize(
    ("values", "data", "words"),
    [
        ([1.0], {"dbh": [1.0]}, "(2,)"),
        ([[[1.0, 2.0]]], {"dbh": [1.0]}, "(1, 1, 2)"),
        ({"a": 1.0}, {"dbh": [1.0]}, "b"),
        ([1, 2], {"height": [1.0]}, "dbh"),
        ([1, 2], {"dbh": ["one"]}, "dbh"),
        ([1, 2], {"dbh": [[1.0], [2.0]]}, "(2, 1)"),
    ],
)
def test_wrong_arguments_are_named(values, data, words):
    with pytest.raises(EquationError) as caught:
        System.parse("stem = a*dbh^b").mean(values, data)
    assert words in str(caught.value)


def test_columns_of_different_length_and_draws_for_a_jacobian_are_refused():
    system = System.parse("stem = a*dbh*height")
    with pytest.raises(EquationError, match=r"dbh \(2,\), height \(3,\)"):
        system.mean([1], {"dbh": [1.0, 2], "height": [1.0, 2, 3]})
    with pytest.raises(EquationError):
        system.jacobian([[1.0], [2.0]], {"dbh": [1.0], "height": [1.0]})


def test_compiled_functions_for_chosen_responses():
    system = System.parse(FOUR)
    data = trees(20)
    compiled = system.compiled(["root", "stem"])
    assert compiled is system.compiled(("root", "stem"))
    assert compiled.responses == ("root", "stem") and compiled.columns == ("dbh", "height")
    matrix = compiled.mean_matrix(THETA, data)
    tensor = compiled.at(data).jacobian(THETA)
    assert matrix.shape == (20, 2) and tensor.shape == (20, 2, 11)
    means, slopes = system.mean(THETA, data), system.jacobian(THETA, data)
    for i, response in enumerate(("root", "stem")):
        np.testing.assert_array_equal(matrix[:, i], means[response])
        np.testing.assert_array_equal(tensor[:, i], slopes[response])
    held = compiled.at(data)
    again, both = held.mean_and_jacobian(THETA)
    np.testing.assert_array_equal(again, matrix)
    np.testing.assert_array_equal(both, tensor)
    np.testing.assert_array_equal(held.mean(THETA * 1.1), compiled.mean_matrix(THETA * 1.1, data))
    assert compiled.mean_matrix(np.stack([THETA, THETA]), data).shape == (2, 20, 2)


def test_equal_parts_are_computed_once():
    system = System.parse("y = a*x^b*exp(-c*x)\nz = y + a*x^b*exp(-c*x)").bind(
        ["x"], responses_required=False
    )
    steps = system.compiled()._full_program
    operations = [function.__name__ for function, _, _ in (*steps.fixed, *steps.moving)]
    assert operations.count("exp") == 1
    assert operations.count("power") == 1
    assert operations.count("_log0") == 1


def test_compiling_and_evaluating_takes_few_steps():
    system = System.parse(FOUR)
    data = trees(300)

    def compile_and_evaluate():
        held = system.compiled(system.free).at(data)
        held.jacobian(THETA)
        return held

    held, count = calls(compile_and_evaluate)
    assert count < 10_000, "3,694 when this was written"
    assert calls(held.mean_and_jacobian, THETA)[1] < 150, "64 when this was written: none for each tree"


def test_a_long_chain_of_equations_does_not_grow_beyond_measure():
    lines = ["y0 = a*x + 1"] + [f"y{i} = y{i - 1}*exp(-y{i - 1}) + y{i - 1}" for i in range(1, 150)]
    system = System.parse("\n".join(lines)).bind(["x"], responses_required=False)
    slopes, count = calls(system.jacobian, [0.1], {"x": [1.0]})
    assert np.isfinite(slopes["y149"]).all()
    assert count < 200_000, "59,976 when this was written"


# Random expressions of two parameters and two columns, as text for sinklab and for plain Python alike.
_LEAVES = st.sampled_from(["a", "b", "x", "z", "0.5", "2", "3"])


def _grow(inner):
    pairs = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(pairs, st.sampled_from(["+", "-", "*"])).map(lambda t: f"({t[0][0]} {t[1]} {t[0][1]})"),
        pairs.map(lambda t: f"({t[0]} / (1.5 + {t[1]}**2))"),
        inner.map(lambda t: f"-{t}"),
        inner.map(lambda t: f"sqrt(1 + ({t})**2)"),
        inner.map(lambda t: f"exp(-({t})**2)"),
        inner.map(lambda t: f"log(1 + ({t})**2)"),
        pairs.map(lambda t: f"(1 + ({t[0]})**2)**(1/(1 + ({t[1]})**2))"),
        pairs.map(lambda t: f"min({t[0]}, {t[1]})"),
        pairs.map(lambda t: f"max({t[0]}, {t[1]}, 0.25)"),
        st.tuples(inner, inner, inner).map(
            lambda t: f"where({t[0]} < 1 and x > 0.4 or z <= {t[1]}, {t[2]}, {t[1]})"
        ),
    )


expressions = st.recursive(_LEAVES, _grow, max_leaves=12)
_PYTHON = {
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "min": min,
    "max": max,
    "where": lambda condition, yes, no: yes if condition else no,
    "__builtins__": {},
}


@settings(max_examples=150, deadline=None)
@given(text=expressions, a=st.floats(0.2, 2), b=st.floats(-2, 2))
def test_means_equal_plain_python(text, a, b):
    x, z = [0.3, 0.9, 1.7], [1.1, 0.2, 0.6]
    system = System.parse(f"y = {text} + 0*x*z*a*b").bind(["x", "z"], responses_required=False)
    expected = [eval(text, _PYTHON, {"a": a, "b": b, "x": p, "z": q}) for p, q in zip(x, z, strict=True)]
    found = system.mean({"a": a, "b": b}, {"x": x, "z": z})["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    again = System.parse(system.text)
    assert again.text == system.text
    np.testing.assert_array_equal(
        again.bind(["x", "z"], responses_required=False).mean({"a": a, "b": b}, {"x": x, "z": z})["y"], found
    )


@settings(max_examples=150, deadline=None)
@given(text=expressions, a=st.floats(0.2, 2), b=st.floats(-2, 2))
def test_jacobians_equal_central_differences(text, a, b):
    """Two step sizes tell a true disagreement from a step across the boundary of a branch, or from its very edge."""
    data = {"x": np.array([0.31, 0.93, 1.71]), "z": np.array([1.13, 0.21, 0.63])}
    system = System.parse(f"y = {text} + 0*x*z*a*b").bind(["x", "z"], responses_required=False)
    theta = np.array([{"a": a, "b": b}[p] for p in system.parameters])
    slopes = system.jacobian(theta, data)["y"]
    assert np.isfinite(slopes).all()
    for j in range(len(theta)):
        estimates, bends = [], []
        for step in (1e-5, 2e-5):
            shift = np.zeros(len(theta))
            shift[j] = step
            up, down = system.mean(theta + shift, data)["y"], system.mean(theta - shift, data)["y"]
            estimates.append((up - down) / (2 * step))
            bends.append(np.abs(up + down - 2 * system.mean(theta, data)["y"]) / step)
        scale = 1 + np.abs(estimates[0]) + np.abs(system.mean(theta, data)["y"])
        smooth = np.abs(estimates[0] - estimates[1]) < 1e-7 * scale
        # The two slopes of an edge differ by as much for any step; those of a curve by half for half the step.
        smooth &= (bends[0] < 1e-6 * scale) | (bends[0] < 0.75 * bends[1])
        np.testing.assert_array_less(np.abs(slopes[:, j] - estimates[0])[smooth], 1e-5 * scale[smooth])
