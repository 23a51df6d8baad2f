"""The text that is compiled for a model against the model itself, and the unknowns against its graph."""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from incomplete_trees import weighed

from sinklab.fitting.bayes import engine, model, sample
from sinklab.fitting.bayes.sample import Operations, Unknown, Value, expression
from sinklab.fitting.data import prepare


def trees(n=40):
    """Three components with gaps, of species and sites, and two trees of which only totals were weighed."""
    rng = np.random.default_rng(2)
    dbh = rng.uniform(5, 40, n)
    frame = pd.DataFrame({"dbh": dbh, "height": 1.3 + 0.7 * dbh * np.exp(0.1 * rng.standard_normal(n))})
    frame["species"] = rng.choice(list("ABCDEF"), n, p=[0.3, 0.3, 0.2, 0.1, 0.05, 0.05])
    frame["site"] = rng.choice(["north", "south", "west"], n)
    return weighed(frame, rng)


PARTS = "stem = a1[species] * dbh**b1[species]\nbranch = a2 * dbh**b2\nagb = stem + branch\nroot = agb * r0 * dbh**r1"
CROSSED = "stem = a[species] * dbh**b[site] * height**c"
SHAPED = (
    "stem = where(dbh < 12, a * dbh**b, a * 12**b * (dbh / 12)**c) + max(d * height, 0.1) + exp(min(e, 0.5))"
)
MODELS = {
    "parts": (PARTS, "power:mean", {}),
    "kinds": (PARTS, "stem=lognormal,branch=power:dbh,root=none", {}),
    "apart": (PARTS, "power:mean", {"pool": "none"}),
    "crossed": (CROSSED, "exp:dbh", {"pool": "independent"}),
    "straight": ("stem = a + b * dbh", "power:mean", {}),
    "errors": (SHAPED, "power:mean", {"measurement_error": {"dbh": 0.5, "height": 0.3}}),
}


def built(name, n=40):
    text, variance, options = MODELS[name]
    totals = "agb" in text
    prepared = prepare(trees(n) if totals else trees(n).dropna(subset="stem"), text, totals=totals)
    options = {"pool": None, "measurement_error": None, "correlated": True} | options
    spec = engine.read_spec(prepared, variance, **options)
    builder = model.Builder(spec, *engine._priors(spec, prepared.frame, None, 0))
    return builder, *sample.compile_model(builder)


def unknowns(builder, functions, points):
    """Scalar unknowns and values of the groups at several points, by the compiled text."""
    data = sample.block(builder.arrays, builder.sizes)
    found = [functions.unknowns(builder, data, point) for point in points]
    return {name: np.stack([f[name] for f in found]) for name in found[0]}


def by_pytensor(model):
    """Log-density, its slopes and the deterministic quantities, by PyTensor's interpreter."""
    import pytensor
    from pytensor.compile.mode import Mode

    logp = model.logp()
    wanted = [logp, *pytensor.gradient.grad(logp, model.value_vars)]
    wanted += model.replace_rvs_by_values(model.deterministics)
    plain = Mode(linker="py", optimizer="fast_compile")
    return pytensor.function(model.value_vars, wanted, mode=plain, on_unused_input="ignore")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", MODELS)
def test_compiled_density_slope_and_unknowns_are_those_of_the_graph(name):
    builder, model, functions = built(name)
    graph, data = by_pytensor(model), sample.block(builder.arrays, builder.sizes)
    k = len(model.value_vars)
    rng = np.random.default_rng(5)
    for size in (0.1, 0.5, 1.0):
        parts = [size * rng.standard_normal(v.type.shape) for v in model.value_vars]
        logp, *rest = graph(*parts)
        point = np.concatenate(parts)
        value, slope = functions.at(data, point)
        assert value == pytest.approx(float(logp), rel=1e-9)
        expected = np.concatenate(rest[:k])
        assert np.abs(expected).min() > 0, "every variable matters"
        assert np.allclose(slope, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
        found = unknowns(builder, functions, point[None])
        assert list(found) == [d.name for d in model.deterministics]
        for name_, quantity in zip(found, rest[k:], strict=True):
            assert np.allclose(found[name_][0], quantity, rtol=1e-12, atol=1e-12)


@pytest.mark.timeout(300)
def test_one_text_serves_data_of_another_length():
    builder, model, functions = built("parts")
    other, model_, functions_ = built("parts", 70)
    assert functions_ is functions and len(other.spec.y) > len(builder.spec.y)
    parts = [0.3 * np.random.default_rng(1).standard_normal(v.type.shape) for v in model_.value_vars]
    value, _ = functions.at(sample.block(other.arrays, other.sizes), np.concatenate(parts))
    assert value == pytest.approx(float(by_pytensor(model_)(*parts)[0]), rel=1e-9)


@pytest.mark.timeout(300)
def test_a_point_of_another_length_is_not_touched():
    builder, model, code = built("straight")
    n = model.value_vars[0].type.shape[0]
    data = sample.block(builder.arrays, builder.sizes)
    for sizes in ((n + 1, code.n_out), (n, code.n_out + 1)):
        point, slope = (np.full(size, 7.0) for size in sizes)
        assert math.isnan(code.function(point, slope, data, data.view(float)))
        assert (point == 7.0).all() and (slope == 7.0).all()


def test_an_operation_that_is_not_known_is_refused_by_name():
    import pytensor.tensor as pt
    from pytensor.graph.fg import FunctionGraph

    x = pt.vector("x", shape=(4,))
    given = {x: Value(("4",), 0, lambda at: f"x[{at[0]}]")}
    for made, told in ((pt.cumsum(x), "Cumsum"), (pt.gammaln(x), "gammaln"), (x[::-1].sum(), "Subtensor")):
        with pytest.raises(Unknown, match=f"(?i)not known here, {told}"):
            Operations(FunctionGraph([x], [made], clone=False), given)


def test_unknowns_of_every_draw_have_the_shapes_of_the_model():
    builder, model, functions = built("parts")
    z = np.random.default_rng(3).standard_normal((50, sum(v.type.shape[0] for v in model.value_vars)))
    whole = unknowns(builder, functions, z)
    assert whole["t"].shape == (50, len(builder.scalars.keys)) and whole["group_0"].shape == (50, 2, 6)


@pytest.mark.timeout(300)
def test_what_is_no_number_is_told_and_not_sampled():
    builder, model, functions = built("straight")
    data, graph = sample.block(builder.arrays, builder.sizes), by_pytensor(model)
    point = np.zeros(model.value_vars[0].type.shape)
    begin = builder.scalars.place("common", "a[]")
    told = []
    for far in (0.0, -1e5, 1e160):
        point[begin] = far
        with np.errstate(all="ignore"):
            expected = graph(point)[:2]
        value, _ = functions.at(data, point)
        told.append(np.isfinite(value))
        assert told[-1] == all(np.isfinite(x).all() for x in expected)
    # The logarithm of a negative mean is none, and a square overflows.
    assert told == [True, False, False]


ONE = [
    "neg",
    "exp",
    "log",
    "log1p",
    "expm1",
    "sqrt",
    "sqr",
    "sinh",
    "cosh",
    "tanh",
    "abs",
    "sign",
    "reciprocal",
]
ONE += ["isinf", "isnan", "identity", "sigmoid", "softplus", "log1mexp"]
TWO = [
    "add",
    "sub",
    "mul",
    "true_div",
    "pow",
    "maximum",
    "minimum",
    "lt",
    "le",
    "gt",
    "ge",
    "eq",
    "neq",
    "second",
]


@pytest.mark.parametrize("name", [*ONE, *TWO])
def test_expressions_are_the_operations_of_pytensor(name):
    import pytensor.scalar as ps

    operation = getattr(ps, name)
    count = 2 if name in TWO else 1
    for numbers in product([-1.5, -0.3, 0.7, 0.7, 2.0, 40.0], repeat=count):
        if (
            name in ("log", "sqrt", "log1p", "pow")
            and numbers[0] < 0
            or name == "log1mexp"
            and numbers[0] >= 0
        ):
            continue
        text = expression(operation, [repr(x) for x in numbers])
        found = eval(text, {"math": math})
        out = operation(*(ps.float64() for _ in numbers))
        expected = out.owner.op.impl(*map(np.float64, numbers))
        assert found == pytest.approx(float(expected), rel=1e-12), (name, numbers)
    three = [expression(ps.switch, [c, "2.0", "-3.0"]) for c in ("True", "False")]
    assert [eval(t) for t in three] == [2.0, -3.0]
    assert [eval(expression(ps.invert, [c])) for c in ("True", "False")] == [False, True]


def test_no_number_stays_none_in_extremes():
    import pytensor.scalar as ps

    for operation, numbers in product((ps.maximum, ps.minimum), (("x", "1.0"), ("1.0", "x"))):
        assert math.isnan(eval(expression(operation, numbers), {"x": math.nan}))
