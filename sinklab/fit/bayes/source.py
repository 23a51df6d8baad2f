"""The log-density of a model and its slope as the text of one function, and the data that it reads.

The functions have the form that nutpie asks for, a second one telling what is kept of a draw: the point itself.
They return 0, or the kind of a failure. All data stand in one block of words of eight bytes: the number of
words, the place of every array, the number of elements of every axis that differs from one data set to the
next, then the arrays, whose indices are whole numbers.
"""

import math

import numpy as np

from sinklab.fit.bayes.loops import Value, flat
from sinklab.fit.bayes.operations import Operations

#: Simplifications; those that make one operation of many are left to :mod:`.loops`.
REWRITES = ("canonicalize", "stabilize", "specialize", "local_remove_check_parameter")
#: They make positions depend on lengths that are known here, and not to PyTensor.
LEFT_OUT = ("local_subtensor_merge", "inplace", "fusion")

#: The functions of a text.
NAMES = ("density", "drawn")

_HEAD = """\
def density(n, point_, slope_, value_, data_):
    if n != {n}:
        return -1
    words = carray(data_, (1,), int64)[0]
    whole, number = carray(data_, (words,), int64), carray(data_, (words,), float64)
    point, slope, value = carray(point_, ({n},)), carray(slope_, ({n},)), carray(value_, (1,))
"""
_TAIL = """\
    for i0 in range({n}):
        if not math.isfinite(slope[i0]):
            return 3
    return 0 if math.isfinite(value[0]) else 4


def drawn(n, size, point_, out_, data_):
    if n != {n} or size != {n}:
        return -1
    point, out = carray(point_, ({n},)), carray(out_, ({n},))
    for i in range({n}):
        out[i] = point[i]
    return 0
"""


def block(arrays, sizes) -> np.ndarray:
    """Data of a model as one block of words.

    Parameters
    ----------
    arrays : dict of array
        Numbers or indices.
    sizes : dict of tuple of str
        What the axes of each are called; a number stands for itself.
    """
    names = _axes(sizes)
    found = {axis: n for name, a in arrays.items() for axis, n in zip(sizes[name], a.shape, strict=True)}
    parts = [np.ascontiguousarray(a).ravel() for a in arrays.values()]
    begin = 1 + len(parts) + len(names)
    places = begin + np.cumsum([0, *(len(p) for p in parts)])
    head = [places[-1], *places[:-1], *(found[name] for name in names)]
    words = [p.astype(np.int64) if p.dtype.kind == "i" else p.astype(float).view(np.int64) for p in parts]
    return np.concatenate([np.array(head, dtype=np.int64), *words])


def _axes(sizes) -> list[str]:
    return sorted({axis for axes in sizes.values() for axis in axes if not axis.isdigit()})


def density(model, arrays, sizes):
    """Text of the functions, and the constants that they name.

    Parameters
    ----------
    model : pymc.Model
        Its free variables stand one after another in the point.
    arrays, sizes : dict
        See :func:`block`.
    """
    graph = _graph(model)
    lines, known = _given(model, arrays, sizes)
    made = Operations(graph, {v: known[v.name] for v in graph.inputs if v.name in known})
    logp, *slopes = map(made.value, graph.outputs)
    at, n = 0, 0
    for slope, variable in zip(slopes, model.value_vars, strict=True):
        made.loops.store(slope, lambda index, at=at: f"slope[{at} + {index[0]}]")
        at += variable.type.shape[0]
    made.loops.store(logp, lambda _: "value[0]")
    inside = made.loops.lines()
    for name, size in made.loops.room:
        lines.append(f"{name} = {n}")
        n = f"{name} + {size}"
    lines += [f"w = np.empty({n})", *inside]
    text = _HEAD.format(n=at) + "".join(f"    {line}\n" for line in lines) + _TAIL.format(n=at)
    return text, made.constants


def _graph(model):
    """Log-density and slopes, simplified."""
    from pytensor.gradient import grad
    from pytensor.graph.fg import FunctionGraph
    from pytensor.graph.rewriting.utils import rewrite_graph

    logp = FunctionGraph(outputs=[model.logp()], clone=False)
    (logp,) = rewrite_graph(logp, include=REWRITES, exclude=LEFT_OUT).outputs
    return rewrite_graph(
        FunctionGraph(outputs=[logp, *grad(logp, model.value_vars)], clone=False),
        include=REWRITES,
        exclude=LEFT_OUT,
    )


def _given(model, arrays, sizes):
    """Statements that find what is given, and values of it by name."""
    lines, known, at = [], {}, 0
    for variable in model.value_vars:
        known[variable.name] = Value(
            (str(variable.type.shape[0]),), 0, lambda i, at=at: f"point[{at} + {i[0]}]"
        )
        at += variable.type.shape[0]
    named = {axis: f"n{k}" for k, axis in enumerate(_axes(sizes))}
    for k, (name, array) in enumerate(arrays.items()):
        lines.append(f"a{k} = whole[{k + 1}]")
        kind = "whole" if array.dtype.kind == "i" else "number"
        axes = tuple(named.get(axis, axis) for axis in sizes[name])
        known[name] = Value(axes, 0, lambda i, k=k, kind=kind, axes=axes: f"{kind}[a{k} + {flat(i, axes)}]")
    lines += [f"{short} = whole[{len(arrays) + 1 + k}]" for k, short in enumerate(named.values())]
    return lines, known


def functions(text, constants) -> dict:
    """The functions of a text by name, ready for numba."""
    from numba import carray, float64, int64

    room = {"np": np, "math": math, "inf": math.inf, "nan": math.nan} | constants
    # Machine code that is kept names the module that it came from.
    room |= {"carray": carray, "float64": float64, "int64": int64, "__name__": __name__}
    exec(compile(text, "<density>", "exec"), room)
    return {name: room[name] for name in NAMES}
