"""Compile once, sample often: the same draws for the same seed, whatever the cache and the cores.

The log-density, its slope and the unknowns are machine code of one text, compared with the graph of the model before
they are used, and kept for the life of the process under the structure of the equations, groups and patterns; other
data of that structure are put beside them. A model that cannot be written so is compiled by nutpie itself. nutpie moves
the standardised variables; the unknowns are worked out for each draw that it keeps.

The text is PyTensor's graph, written as a few plain loops for numba. PyTensor gives numba a function for each operation
of a graph, and numba takes its time for each: minutes for the models of this room, which are seconds here. What is
computed for the elements of arrays of equal sizes, and needs nothing but that, stands in one loop; what is a single
number is a local variable; views and broadcasts are only other indices. The text has *stages*, one after another: single
numbers, then the loops that need them. A sum, or an array that others read at other places, is ready for the next stage.

Only the operations are known that the models of this room are made of: elementwise functions, sums, views, gathers and
scattered additions, with constant positions counted from the beginning. Any other raises :class:`Unknown`, and nutpie
compiles the model.

All data stand in one block of words of eight bytes: the number of words, the place of every array, the number of
elements of every axis that differs from one data set to the next, then the arrays, whose indices are whole numbers. One
text so serves all data sets of a structure. It is written into a folder of the user's own under the hash of what it
says, where numba keeps the machine code beside it. What is compiled is always the text just written, never what lies
in the folder, and a folder that others may write to is not used.
"""

import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from sinklab import paths
from sinklab.language import SinklabError, tr

# The text: stages and loops.


@dataclass
class Value:
    """One tensor: the ``sizes`` of its axes as text, and ``read``, the text of an element from its indices.

    It can be read from the beginning of a ``stage``; before, in the ``loop`` (stage, sizes) that computes its
    elements, under a ``name``.
    """

    sizes: tuple[str, ...]
    stage: int
    read: object
    loop: tuple | None = None
    name: str = ""


@dataclass
class Stage:
    """``before`` are statements, ``loops`` lists of statements by the sizes of the axes they run over."""

    before: list[str] = field(default_factory=list)
    loops: dict = field(default_factory=dict)


class Loops:
    """Statements that are collected; ``room`` holds name and size of each array among them."""

    def __init__(self):
        self.room, self._stages, self._named, self._names = [], [], {}, count()

    def lines(self) -> list[str]:
        """All statements in their order."""
        out = []
        for stage in self._stages:
            out += stage.before
            for sizes, inside in stage.loops.items():
                out += nested(sizes, inside)
        return out

    def statements(self, stage, sizes=()) -> list[str]:
        """Those of a stage that are done for each element of these sizes."""
        while len(self._stages) <= stage:
            self._stages.append(Stage())
        found = self._stages[stage]
        return found.before if is_number(sizes) else found.loops.setdefault(sizes, [])

    def stage_of(self, value, sizes) -> int:
        """First stage whose loop over these sizes can use a value."""
        return value.loop[0] if value.loop and value.loop[1] == sizes else value.stage

    def element(self, value, stage, sizes) -> str:
        """Text of a value's element in a loop, broadcast as numpy does."""
        if value.loop == (stage, sizes):
            return value.name
        at = indices(sizes)[len(sizes) - len(value.sizes) :]
        return value.read(tuple("0" if s == "1" else i for s, i in zip(value.sizes, at, strict=True)))

    def computed(self, stage, sizes, text) -> Value:
        """What a text gives for every element; the same text is computed once."""
        key = (stage, sizes, text)
        if key not in self._named:
            name = self.new_name()
            self.statements(stage, sizes).append(f"{name} = {text}")
            if is_number(sizes):
                self._named[key] = Value(sizes, stage, lambda _: name)
            else:
                value = Value(sizes, stage + 1, None, (stage, sizes), name)
                value.read = lambda at: self._keep(value)(at)
                self._named[key] = value
        return self._named[key]

    def _keep(self, value):
        """Keep the elements that a loop computes, because they are read outside of it; returns how."""
        value.read = self.array(value.sizes)
        self.statements(*value.loop).append(f"{value.read(indices(value.sizes))} = {value.name}")
        return value.read

    def filled(self, stage, sizes, text):
        """A new array, each element of which begins with a text; returns how to read and write it."""
        element = self.array(sizes)
        self.statements(stage).extend(nested(sizes, [f"{element(indices(sizes))} = {text}"]))
        return element

    def array(self, sizes):
        """Room for a new array."""
        name = f"o{len(self.room)}"
        self.room.append((name, " * ".join(sizes)))
        return lambda at: f"w[{name} + {flat(at, sizes)}]"

    def new_name(self) -> str:
        """Name of a local variable."""
        return f"v{next(self._names)}"

    def store(self, value, target) -> None:
        """Write a value to where ``target`` tells, the text of an element from its indices."""
        sizes = value.sizes
        stage = self.stage_of(value, sizes)
        self.statements(stage, sizes).append(
            f"{target(indices(sizes))} = {self.element(value, stage, sizes)}"
        )


def is_number(sizes) -> bool:
    """Whether there is one element only."""
    return all(size == "1" for size in sizes)


def indices(sizes) -> tuple[str, ...]:
    """Indices of the loops over the axes."""
    return tuple("0" if size == "1" else f"i{k}" for k, size in enumerate(sizes))


def flat(at, sizes) -> str:
    """Place of an element in an array that is stored without gaps."""
    text = "0"
    for index, size in zip(at, sizes, strict=True):
        text = index if text == "0" else f"({text}) * {size} + {index}"
    return text


def nested(sizes, inside) -> list[str]:
    """Statements within loops over the axes."""
    loops = [f"for i{k} in range({size}):" for k, size in enumerate(sizes) if size != "1"]
    lines = [f"{'    ' * depth}{line}" for depth, line in enumerate(loops)]
    return lines + [f"{'    ' * len(loops)}{line}" for line in inside]


# Operations of PyTensor's graphs as statements.

#: By the names of PyTensor's classes; ``{0}`` and so on are names or numbers, and may be repeated.
_EXPRESSIONS = {
    "Sub": "{0} - {1}",
    "TrueDiv": "{0} / {1}",
    "Pow": "{0} ** {1}",
    "Neg": "-{0}",
    "Sqr": "{0} * {0}",
    "Reciprocal": "1.0 / {0}",
    "Abs": "abs({0})",
    "Cast": "1.0 * {0}",
    "Identity": "{0}",
    "Second": "{1}",
    "Sign": "1.0 * ({0} > 0.0) - 1.0 * ({0} < 0.0)",
    "Switch": "{1} if {0} else {2}",
    # No number, where there is one, stays none.
    "Maximum": "{0} if {0} >= {1} or {0} != {0} else {1}",
    "Minimum": "{0} if {0} <= {1} or {0} != {0} else {1}",
    "LT": "{0} < {1}",
    "LE": "{0} <= {1}",
    "GT": "{0} > {1}",
    "GE": "{0} >= {1}",
    "EQ": "{0} == {1}",
    "NEQ": "{0} != {1}",
    "Invert": "not {0}",
    "Sigmoid": "1.0 / (1.0 + math.exp(-{0}))",
    "Softplus": "max({0}, 0.0) + math.log1p(math.exp(-abs({0})))",
    "Log1mexp": "math.log(-math.expm1({0})) if {0} > -0.6931 else math.log1p(-math.exp({0}))",
}
_CHAINED = {"Add": " + ", "Mul": " * ", "AND": " and ", "OR": " or "}
_FUNCTIONS = ("Exp", "Log", "Log1p", "Expm1", "Sqrt", "Sinh", "Cosh", "Tanh", "IsInf", "IsNan")


def expression(operation, arguments) -> str:
    """Text of an operation.

    Parameters
    ----------
    operation : pytensor.scalar.ScalarOp
    arguments : sequence of str
        Names or numbers.
    """
    kind = type(operation).__name__
    if kind in _FUNCTIONS:
        return f"math.{kind.lower()}({arguments[0]})"
    # A negative number is no factor as it stands.
    arguments = [f"({a})" if a.startswith("-") else a for a in arguments]
    return _CHAINED[kind].join(arguments) if kind in _CHAINED else _EXPRESSIONS[kind].format(*arguments)


class Unknown(Exception):
    """The graph of a model has an operation that cannot be written here."""


class Operations:
    """Turns the variables of a graph into statements.

    Parameters
    ----------
    graph : FunctionGraph
    given : dict of Value
        The variables that are given.

    Attributes
    ----------
    loops : Loops
    constants : dict of array
        Constants that are not a single number, by the names they have in the text.

    Raises
    ------
    Unknown
        An operation is not known.
    """

    def __init__(self, graph, given):
        self.loops, self.constants = Loops(), {}
        self._values, self._clients, self._own = dict(given), graph.clients, set()
        for node in graph.toposort():
            try:
                make = getattr(self, f"_{type(node.op).__name__}".lower())
                self._values[node.outputs[0]] = make(node, *map(self.value, node.inputs))
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise Unknown(_unknown(node)) from error

    def value(self, variable) -> Value:
        """Value of a variable or constant."""
        if variable not in self._values:
            self._values[variable] = self._constant(np.asarray(variable.data))
        return self._values[variable]

    def _constant(self, array):
        sizes = tuple(map(str, array.shape))
        if array.size and np.all(array == array.flat[0]):
            return Value(sizes, 0, lambda _: repr(array.flat[0].item()))
        name = f"c{len(self.constants)}"
        self.constants[name] = np.ascontiguousarray(array).ravel()
        return Value(sizes, 0, lambda at: f"{name}[{flat(at, sizes)}]")

    # One for each operation, by the name of its class in lower case.

    def _elemwise(self, node, *inputs):
        loops = self.loops
        width = max(len(v.sizes) for v in inputs)
        padded = [("1",) * (width - len(v.sizes)) + v.sizes for v in inputs]
        sizes = tuple(next((s for s in axis if s != "1"), "1") for axis in zip(*padded, strict=True))
        stage = max(loops.stage_of(v, sizes) for v in inputs)
        texts = [loops.element(v, stage, sizes) for v in inputs]
        # Numbers and names may be repeated in an expression; what is read from an array is given a name.
        texts = [
            loops.element(loops.computed(stage, sizes, t), stage, sizes) if "[" in t else t for t in texts
        ]
        return loops.computed(stage, sizes, expression(node.op.scalar_op, texts))

    def _dimshuffle(self, node, value):
        order = node.op.new_order

        def read(at):
            inner = dict(zip(order, at, strict=True))
            return value.read(tuple(inner.get(k, "0") for k in range(len(value.sizes))))

        return Value(tuple("1" if k == "x" else value.sizes[k] for k in order), value.stage, read)

    def _subtensor(self, node, value, *_):
        places = list(_positions(node.op.idx_list, node.inputs[1:]))
        places += [slice(0, None)] * (len(value.sizes) - len(places))
        sizes = tuple(_length(p, s) for p, s in zip(places, value.sizes, strict=True) if isinstance(p, slice))

        def read(at):
            rest = iter(at)
            return value.read(
                tuple(_moved(next(rest), p) if isinstance(p, slice) else str(p) for p in places)
            )

        if sizes or "[" not in read(()):
            return Value(sizes, value.stage, read)
        return self.loops.computed(value.stage, (), read(()))

    def _incsubtensor(self, node, value, added, *_):
        (place,) = _positions(node.op.idx_list, node.inputs[2:])
        stage, begun = max(value.stage, added.stage), node.inputs[0]
        if begun in self._own and len(self._clients[begun]) == 1:
            element = value.read  # nobody else looks at what was begun
        else:
            element = self.loops.filled(stage, value.sizes, value.read(indices(value.sizes)))
        self._own.add(node.outputs[0])
        sizes = (_length(place, value.sizes[0]),) if isinstance(place, slice) else ()
        at = _moved(*indices(sizes), place) if sizes else str(place)
        sign = "=" if node.op.set_instead_of_inc else "+="
        line = f"{element((at,))} {sign} {self.loops.element(added, stage, sizes)}"
        self.loops.statements(stage).extend(nested(sizes, [line]))
        return Value(value.sizes, stage, element)

    def _advancedsubtensor(self, node, value, index):
        stage = max(value.stage, self.loops.stage_of(index, index.sizes))
        at = self.loops.element(index, stage, index.sizes)
        return self.loops.computed(stage, index.sizes, value.read((at,)))

    def _advancedincsubtensor(self, node, value, added, index):
        if node.op.set_instead_of_inc:
            raise ValueError(node)
        loops, sizes = self.loops, index.sizes
        stage = max(value.stage, loops.stage_of(added, sizes), loops.stage_of(index, sizes))
        element = loops.filled(stage, value.sizes, value.read(indices(value.sizes)))
        at = loops.element(index, stage, sizes)
        loops.statements(stage, sizes).append(f"{element((at,))} += {loops.element(added, stage, sizes)}")
        return Value(value.sizes, stage + 1, element)

    _advancedsubtensor1, _advancedincsubtensor1 = _advancedsubtensor, _advancedincsubtensor

    def _sum(self, node, value):
        loops, axes = self.loops, node.op.axis
        left = [k for k in range(len(value.sizes)) if axes is not None and k not in axes]
        sizes = tuple(value.sizes[k] for k in left)
        stage = loops.stage_of(value, value.sizes)
        if is_number(sizes):
            name = loops.new_name()
            loops.statements(stage).append(f"{name} = 0.0")
            found = Value(sizes, stage + 1, lambda _: name)
        else:
            found = Value(sizes, stage + 1, loops.filled(stage, sizes, "0.0"))
        at = indices(value.sizes)
        line = f"{found.read(tuple(at[k] for k in left))} += {loops.element(value, stage, value.sizes)}"
        loops.statements(stage, value.sizes).append(line)
        return found

    def _alloc(self, node, value, *sizes):
        if not is_number(value.sizes):
            raise ValueError(node)
        sizes = tuple(s.read(()) for s in sizes)
        return Value(sizes, value.stage, lambda _: value.read(("0",) * len(value.sizes)))

    def _reshape(self, node, value, _):
        sizes = tuple(str(int(s)) for s in node.outputs[0].type.shape)
        return Value(sizes, value.stage, lambda at: value.read((flat(at, sizes),)))

    def _shape(self, node, value):
        return Value((str(len(value.sizes)),), 0, lambda at: value.sizes[int(at[0])])

    def _shape_i(self, node, value):
        return Value((), 0, lambda _: value.sizes[node.op.i])

    def _same(self, node, value, *_):
        return value

    _specifyshape = _scalarfromtensor = _tensorfromscalar = _checkandraise = _assert = _same


def _unknown(node) -> str:
    import pytensor

    return tr(
        f"PyTensor {pytensor.__version__} made an operation of the model that is not known here, {node}",
        f"PyTensor {pytensor.__version__} 在模型中产生了此处未知的运算 {node}",
    )


def _positions(places, inputs):
    """Integers and slices of a constant index."""
    given = (int(v.data) for v in inputs)
    for place in places:
        if isinstance(place, slice):
            ends = [end if end is None else next(given) for end in (place.start, place.stop, place.step)]
            place = slice(ends[0] or 0, ends[1])
        else:
            ends = [place := next(given), None, None]
        if ends[2] not in (None, 1) or min(end or 0 for end in ends) < 0:
            raise ValueError(place)
        yield place


def _length(place, size) -> str:
    """Number of elements of a slice."""
    if place.stop is not None:
        return str(place.stop - place.start)
    return size if not place.start else str(int(size) - place.start)


def _moved(index, place) -> str:
    """Index in what a slice was cut from."""
    return f"{index} + {place.start}" if place.start else index


# The function of a model, and the data that it reads.

#: Simplifications; those that make one operation of many are left to the loops.
REWRITES = ("merge", "canonicalize", "stabilize", "specialize", "local_remove_check_parameter")
#: They make positions depend on lengths that are known here, and not to PyTensor.
LEFT_OUT = ("local_subtensor_merge", "inplace", "fusion")

_HEAD = """\
def density(point, out, whole, number):
    if point.size != {n} or out.size != {n_out}:
        return nan
"""
_TAIL = """\
    for i0 in range({n}):
        if not math.isfinite(out[i0]):
            return nan
    return value if math.isfinite(value) else nan
"""
_TOP = """\
import math

import numpy as np

inf, nan = math.inf, math.nan
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


def density(model, told, arrays, sizes) -> str:
    """Text of the function ``density(point, out, whole, number)``.

    It returns the log-density at a point and fills in its slope, then what is to be told; no number where
    one of density and slope is none, or where point or ``out`` have another length. ``whole`` and ``number`` are one
    :func:`block`, read as either.

    Parameters
    ----------
    model : pymc.Model
        Its free variables stand one after another in the point.
    told : list of tensor
    arrays, sizes : dict
        See :func:`block`.

    Raises
    ------
    Unknown
    """
    graph = _graph(model, told)
    lines, known = _given(model, arrays, sizes)
    made = Operations(graph, {v: known[v.name] for v in graph.inputs if v.name in known})
    logp, *rest = map(made.value, graph.outputs)
    lengths, n_out = [v.type.shape[0] for v in model.value_vars], 0
    n = sum(lengths)
    for i, value in enumerate(rest):
        made.loops.store(value, lambda at, begin=n_out: f"out[{begin} + {at[0]}]")
        n_out += lengths[i] if i < len(lengths) else int(value.sizes[0])
    made.loops.store(logp, lambda _: "value")
    inside, room = made.loops.lines(), 0
    for name, size in made.loops.room:
        lines.append(f"{name} = {room}")
        room = f"{name} + {size}"
    lines += [f"w = np.empty({room})", *inside]
    constants = "".join(f"{k} = np.array({v.tolist()})\n" for k, v in made.constants.items())
    head, tail = _HEAD.format(n=n, n_out=n_out), _TAIL.format(n=n)
    return f"{_TOP}{constants}\n\n{head}" + "".join(f"    {line}\n" for line in lines) + tail


def _graph(model, told):
    """Log-density, slopes and what is told, simplified."""
    from pytensor.gradient import grad
    from pytensor.graph.fg import FunctionGraph
    from pytensor.graph.rewriting.utils import rewrite_graph

    def simplified(outputs):
        return rewrite_graph(FunctionGraph(outputs=outputs, clone=False), include=REWRITES, exclude=LEFT_OUT)

    logp, *told = simplified([model.logp(), *model.replace_rvs_by_values(told)]).outputs
    return simplified([logp, *grad(logp, model.value_vars), *told])


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


def compile_text(text: str, folder: Path | None = None) -> Callable:
    """The function of a text as machine code, which numba keeps in a folder if it is a private one.

    Fast-math is left out: with it, code that is loaded would differ from code that was just compiled.
    """
    import numba

    elsewhere = os.environ.get("NUMBA_CACHE_DIR")
    kept = folder is not None and paths.own(folder) and (not elsewhere or paths.own(elsewhere))
    # Machine code that is kept names the module that it came from, and is of no use to one of another name.
    key = sha256(f"{__name__}\n{text}".encode()).hexdigest()[:32]
    file = folder / f"{key}.py" if kept else None
    if file is not None and not _written(file, text):
        file = None
    names = {"__name__": __name__}
    exec(compile(text, str(file or "<density>"), "exec"), names)
    # Divisions by 0 are infinite, as they are for numpy, and raise nothing.
    return numba.njit(error_model="numpy", nogil=True, cache=file is not None)(names["density"])


def _written(file, text) -> bool:
    """Write a text where it does not stand already; numba goes by the time of the file."""
    with suppress(OSError, UnicodeDecodeError):
        if file.exists() and file.read_text(encoding="utf-8") == text:
            return True
    with suppress(OSError, SinklabError), paths.atomic_write(file) as stream:
        stream.write(text)
        return True
    return False


_compiled: dict[str, Any] = {}


@dataclass(frozen=True)
class Written:
    """A model whose log-density was written and compiled here; ``n`` numbers are sampled, ``n_out`` come out."""

    function: Any
    n: int
    n_out: int

    def at(self, data, point):
        """Log-density and slope at a point, from a block of data (:func:`block`)."""
        value, out = self._everything(data, point)
        return value, out[: self.n]

    def _everything(self, data, point):
        out = np.zeros(self.n_out)
        return self.function(np.array(point, float), out, data, data.view(float)), out

    def with_data(self, builder):
        """As nutpie samples it, beginning between -1 and 1."""
        from nutpie.compiled_pyfunc import from_pyfunc

        data, names = block(builder.arrays, builder.sizes), list(builder.shapes)
        return from_pyfunc(
            self.n,
            lambda: lambda point: self.at(data, point),
            lambda *_: lambda point: self.unknowns(builder, data, point),
            [np.dtype("float64")] * len(names),
            list(builder.shapes.values()),
            names,
            make_initial_point_fn=lambda seed: np.random.default_rng(seed).uniform(-1, 1, self.n),
        )

    def unknowns(self, builder, data, point) -> dict[str, np.ndarray]:
        """Scalar unknowns and values of the groups at a point, named as in the model."""
        found, at, told = {}, 0, self._everything(data, point)[1][self.n :]
        for name, shape in builder.shapes.items():
            found[name] = told[at : at + int(np.prod(shape))].reshape(shape)
            at += found[name].size
        return found


@dataclass(frozen=True)
class ByNutpie:
    """A model that nutpie compiled."""

    compiled: Any

    def with_data(self, builder):
        """With the data of a builder in place of those it was compiled with."""
        kept = self.compiled.shared_data
        return self.compiled.with_data(**{n: a for n, a in builder.arrays.items() if n in kept})


def compile_model(builder):
    """The model of a builder, and the code of its structure, compiled unless this process has it already.

    Parameters
    ----------
    builder : Builder

    Returns
    -------
    model : pymc.Model
    code : Written or ByNutpie
    """
    model = builder.build()
    key = repr(builder.structure)
    if key not in _compiled:
        _compiled[key] = _code(model, builder)
    return model, _compiled[key]


def _code(model, builder):
    """Code that computes the model: ours, or nutpie's where ours cannot or does not."""
    import nutpie
    import pytensor

    try:
        text = density(model, builder.told, builder.arrays, builder.sizes)
        function = compile_text(text, Path(pytensor.config.compiledir) / "sinklab")
        n = sum(v.type.shape[0] for v in model.value_vars)
        code = Written(function, n, n + sum(int(np.prod(s)) for s in builder.shapes.values()))
        if agrees(code, builder, reference(model)):
            return code
        why = tr("the compiled model does not compute what its equations say", "编译后的模型与方程不一致")
    except Unknown as error:
        why = str(error)
    warnings.warn(
        tr(
            f"{why}; nutpie compiles it, which takes longer; please report it with the equations",
            f"{why}；改由 nutpie 编译，耗时较长；请连同方程一并报告",
        ),
        stacklevel=2,
    )
    # With fast-math, code that is loaded would differ from code that was just compiled.
    with pytensor.config.change_flags(numba__fastmath=False):
        return ByNutpie(nutpie.compile_pymc_model(model, var_names=list(builder.shapes)))


def reference(model):
    """A point, and there the log-density and the deterministic quantities, by PyTensor's plain interpreter.

    Returns
    -------
    point : array
        All free variables, one after another.
    logp : float
    quantities : dict of array
    """
    import pytensor
    from pytensor.compile.mode import Mode

    rng = np.random.default_rng(0)
    # Shapes of the standardised variables are fixed when the model is made.
    parts = [0.1 * rng.standard_normal(v.type.shape) for v in model.value_vars]
    wanted = [model.logp(), *model.replace_rvs_by_values(model.deterministics)]
    plain = Mode(linker="py", optimizer="fast_compile")
    function = pytensor.function(model.value_vars, wanted, mode=plain, on_unused_input="ignore")
    logp, *found = function(*parts)
    names = [d.name for d in model.deterministics]
    return np.concatenate(parts), float(logp), dict(zip(names, found, strict=True))


def agrees(code, builder, expected) -> bool:
    """Whether written code gives the reference, and a slope that is the one of its own log-density.

    Parameters
    ----------
    code : Written
    builder : Builder
        Of a model that has been built; its data are used.
    expected : tuple
        See :func:`reference`.
    """
    point, logp, quantities = expected
    data = block(builder.arrays, builder.sizes)
    value, slope = code.at(data, point)
    step = 1e-5 * np.random.default_rng(1).standard_normal(len(point))
    above, below = (code.at(data, point + sign * step)[0] for sign in (1, -1))
    directional = float(slope @ step)
    # The difference of two log-densities keeps about ten digits fewer than they have.
    tolerance = 1e-3 * abs(directional) + 1e-9 * (1 + abs(logp))
    if not np.isclose(value, logp, rtol=1e-8) or not abs(0.5 * (above - below) - directional) <= tolerance:
        return False
    found = code.unknowns(builder, data, point)
    return all(np.allclose(found[n], q, rtol=1e-8, atol=1e-10) for n, q in quantities.items())


def sample_posterior(
    builder, draws: int, tune: int, chains: int, cores: int | None, seed: int, accept: float
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Sample the posterior.

    Parameters
    ----------
    builder : Builder
    draws, tune, chains : int
    cores : int, optional
        Chains that run at the same time.
    seed : int
    accept : float
        Acceptance rate that the step size is tuned to.

    Returns
    -------
    posterior : dict of array, shape (chain, draw, …)
        Scalar unknowns ``t`` (…, P), and values ``group_0`` and so on (…, K, S), named as in the model.
    statistics : dict of array, shape (chain, draw)
        ``diverging, energy``.
    """
    import nutpie

    _, code = compile_model(builder)
    trace = nutpie.sample(
        code.with_data(builder),
        draws=draws,
        tune=tune,
        chains=chains,
        cores=min(cores or paths.processors(), chains),
        seed=seed,
        target_accept=accept,
        save_warmup=False,
        progress_bar=False,
    )
    posterior, statistics = trace["posterior"], trace["sample_stats"]
    return (
        {name: np.asarray(posterior[name].values) for name in builder.shapes},
        {name: np.asarray(statistics[name].values) for name in ("diverging", "energy")},
    )
