"""Graphs of PyTensor as a few plain loops: the text of one function that numba compiles quickly.

PyTensor gives numba a function for each operation of a graph, and numba takes its time for each. Here the operations
of equal shape that need nothing but each other stand in one loop, what is a single number is a local variable, and
views, gathers and broadcasts are only other indices. A graph becomes *stages*, one after another: single
numbers, then the loops that need them. A sum or a scattered addition ends with its loop and is ready for the next stage.

Only the operations that occur in the models of this room are known. Positions must be constant and within bounds.
"""

from dataclasses import dataclass, field
from itertools import count

import numpy as np

from sinklab.fit.bayes.numbers import expression


@dataclass
class Value:
    """One tensor: the ``sizes`` of its axes, the ``stage`` at whose beginning it can be read, and how to read it.

    ``loop`` is the (stage, sizes) of the loop in which it has a name of its own.
    """

    sizes: tuple[str, ...]
    stage: int
    read: object
    loop: tuple | None = None


@dataclass
class Stage:
    """``before`` are statements, ``loops`` lists of statements by the sizes of the axes they run over."""

    before: list[str] = field(default_factory=list)
    loops: dict = field(default_factory=dict)


class Loops:
    """Turns variables into statements, one operation after another.

    Parameters
    ----------
    known : dict
        Value of each variable that is given.
    """

    def __init__(self, known: dict):
        self.values, self.stages, self.constants = dict(known), [], {}
        self.work = []
        self._names, self._known_text, self._own = count(), {}, set()

    def add(self, graph) -> None:
        """Make statements of every operation of a FunctionGraph."""
        self.clients = graph.clients
        for node in graph.toposort():
            make = getattr(self, f"_{type(node.op).__name__}".lower())
            self.values[node.outputs[0]] = make(node, *(self.of(v) for v in node.inputs))

    def of(self, variable) -> Value:
        """Value of a variable or constant."""
        if variable not in self.values:
            self.values[variable] = self._constant(np.asarray(variable.data))
        return self.values[variable]

    def lines(self) -> list[str]:
        """Statements in their order."""
        out = []
        for stage in self.stages:
            out += stage.before
            for sizes, inside in stage.loops.items():
                out += _nested(sizes, inside)
        return out

    def store(self, value, target) -> None:
        """Write a value, where ``target`` gives the text of an element from its indices."""
        sizes = value.sizes
        stage, inside = self._place(value.loop[0] if value.loop else value.stage, sizes)
        inside.append(f"{target(_indices(sizes))} = {self._inside(value, stage, sizes)}")

    def _constant(self, array):
        if array.size and np.all(array == array.flat[0]):
            return Value(_fixed(array.shape), 0, lambda _: repr(array.flat[0].item()))
        name = f"c{len(self.constants)}"
        self.constants[name] = np.ascontiguousarray(array).ravel()
        sizes = _fixed(array.shape)
        return Value(sizes, 0, lambda at: f"{name}[{flat_place(at, sizes)}]")

    def _place(self, stage, sizes):
        """The statements of a stage in which something of these sizes is to stand."""
        while len(self.stages) <= stage:
            self.stages.append(Stage())
        found = self.stages[stage]
        moving = all(s == "1" for s in sizes)
        return stage, found.before if moving else found.loops.setdefault(sizes, [])

    def _inside(self, value, stage, sizes) -> str:
        """Text of a value's element within a loop."""
        if value.loop and (value.loop[0] == stage and value.loop[1] == sizes):
            return value.loop[2]
        at = _indices(sizes)[len(sizes) - len(value.sizes) :]
        return value.read(tuple("0" if s == "1" else i for s, i in zip(value.sizes, at, strict=True)))

    def _ready(self, value, sizes) -> int:
        """First stage whose loop over these sizes can use a value."""
        return value.loop[0] if value.loop and value.loop[1] == sizes else value.stage

    def _named(self, stage, sizes, text):
        """Value of a text that is computed for every element, once."""
        key = (stage, sizes, text)
        if key in self._known_text:
            return self._known_text[key]
        name = f"v{next(self._names)}"
        _, inside = self._place(stage, sizes)
        inside.append(f"{name} = {text}")
        if all(s == "1" for s in sizes):
            value = Value(sizes, stage, lambda _: name)
        else:
            value = Value(sizes, stage + 1, None, (stage, sizes, name))
            value.read = lambda at: self._kept(value)(at)
        self._known_text[key] = value
        return value

    def _kept(self, value):
        """Keep what a loop computes for those after it; returns how to read it."""
        read, write = self._array(value.sizes)
        stage, sizes, name = value.loop
        self.stages[stage].loops[sizes].append(f"{write(_indices(sizes))} = {name}")
        value.read = read
        return read

    def _array(self, sizes):
        """Room for an array among the numbers to work with."""
        name = f"o{len(self.work)}"
        self.work.append((name, " * ".join(s for s in sizes if s != "1") or "1"))

        def element(at):
            return f"w[{name} + {flat_place(at, sizes)}]"

        return element, element

    def _filled(self, stage, sizes, text=None, value=None):
        """An array that begins with one number, or as a copy."""
        read, write = self._array(sizes)
        _, before = self._place(stage, ())
        at = _indices(sizes)
        before += _nested(sizes, [f"{write(at)} = {text or value.read(at)}"])
        return read

    # Operations, by the names of their classes.

    def _elemwise(self, node, *inputs):
        width = max(len(v.sizes) for v in inputs)
        padded = [("1",) * (width - len(v.sizes)) + v.sizes for v in inputs]
        sizes = tuple(next((s for s in axis if s != "1"), "1") for axis in zip(*padded, strict=True))
        stage = max(self._ready(v, sizes) for v in inputs)
        texts = []
        for v in inputs:
            text = self._inside(v, stage, sizes)
            # Numbers and names may be repeated in an expression; anything else is read once.
            texts.append(
                text if "[" not in text else self._inside(self._named(stage, sizes, text), stage, sizes)
            )
        return self._named(stage, sizes, expression(node.op.scalar_op, texts))

    def _dimshuffle(self, node, value):
        order = node.op.new_order
        sizes = tuple("1" if k == "x" else value.sizes[k] for k in order)

        def read(at):
            inner = dict(zip(order, at, strict=True))
            return value.read(tuple(inner.get(k, "0") for k in range(len(value.sizes))))

        if sizes == value.sizes and list(order) == list(range(len(sizes))):
            return value
        return Value(sizes, value.stage, read)

    def _subtensor(self, node, value, *_):
        places = list(_positions(node.op.idx_list, node.inputs[1:]))
        places += [slice(None)] * (len(value.sizes) - len(places))
        sizes = tuple(_length(p, s) for p, s in zip(places, value.sizes, strict=True) if isinstance(p, slice))

        def read(at):
            rest = iter(at)
            return value.read(
                tuple(_plus(next(rest), p.start or 0) if isinstance(p, slice) else str(p) for p in places)
            )

        view = Value(sizes, value.stage, read)
        return view if sizes else self._number(view)

    def _number(self, view):
        """A number out of an array, with a name."""
        text = view.read(())
        return self._named(view.stage, (), text) if "[" in text else view

    def _advancedsubtensor1(self, node, value, index):
        stage = max(value.stage, self._ready(index, index.sizes))
        at = self._inside(index, stage, index.sizes)
        return self._named(stage, index.sizes, value.read((at,)))

    def _incsubtensor(self, node, value, added, *_):
        (place,) = _positions(node.op.idx_list, node.inputs[2:])
        stage, before = self._place(max(value.stage, added.stage), ())
        begun = node.inputs[0]
        if begun in self._own and len(self.clients[begun]) == 1:
            element = value.read
        else:
            element = self._filled(stage, value.sizes, value=value)
        sign = "=" if node.op.set_instead_of_inc else "+="
        if isinstance(place, slice):
            sizes = (_length(place, value.sizes[0]),)
            at = tuple(_plus(i, place.start or 0) for i in _indices(sizes))
            before += _nested(sizes, [f"{element(at)} {sign} {self._inside(added, stage, sizes)}"])
        else:
            before.append(f"{element((str(place),))} {sign} {added.read(())}")
        self._own.add(node.outputs[0])
        return Value(value.sizes, stage, element)

    def _advancedincsubtensor1(self, node, value, added, index):
        sizes = index.sizes
        stage = max(value.stage, self._ready(added, sizes), self._ready(index, sizes))
        element = self._filled(stage, value.sizes, value=value)
        at = self._inside(index, stage, sizes)
        _, inside = self._place(stage, sizes)
        inside.append(f"{element((at,))} += {self._inside(added, stage, sizes)}")
        return Value(value.sizes, stage + 1, element)

    _advancedsubtensor, _advancedincsubtensor = _advancedsubtensor1, _advancedincsubtensor1

    def _sum(self, node, value):
        axes = node.op.axis
        axes = range(len(value.sizes)) if axes is None else axes
        left = [k for k in range(len(value.sizes)) if k not in axes]
        sizes = tuple(value.sizes[k] for k in left)
        stage, inside = self._place(value.loop[0] if value.loop else value.stage, value.sizes)
        text = self._inside(value, stage, value.sizes)
        if all(s == "1" for s in sizes):
            name = f"v{next(self._names)}"
            self._place(stage, ())[1].append(f"{name} = 0.0")
            inside.append(f"{name} += {text}")
            return Value(sizes, stage + 1, lambda _: name)
        element = self._filled(stage, sizes, "0.0")
        at = _indices(value.sizes)
        inside.append(f"{element(tuple(at[k] for k in left))} += {text}")
        return Value(sizes, stage + 1, element)

    def _alloc(self, node, value, *sizes):
        # Only what is broadcast as a whole occurs.
        return Value(
            tuple(s.read(()) for s in sizes), value.stage, lambda _: value.read(("0",) * len(value.sizes))
        )

    def _reshape(self, node, value, _):
        sizes = _fixed(node.outputs[0].type.shape)
        return Value(sizes, value.stage, lambda at: value.read((flat_place(at, sizes),)))

    def _shape(self, node, value):
        return Value((str(len(value.sizes)),), 0, lambda at: value.sizes[int(at[0])])

    def _shape_i(self, node, value):
        return Value((), 0, lambda _: value.sizes[node.op.i])

    def _same(self, node, value, *_):
        return value

    _specifyshape = _scalarfromtensor = _tensorfromscalar = _checkandraise = _assert = _same


def _fixed(shape) -> tuple[str, ...]:
    return tuple(str(int(s)) for s in shape)


def _indices(sizes) -> tuple[str, ...]:
    return tuple("0" if s == "1" else f"i{k}" for k, s in enumerate(sizes))


def flat_place(at, sizes) -> str:
    """Place of an element in an array without gaps."""
    text = "0"
    for index, size in zip(at, sizes, strict=True):
        text = index if text == "0" else f"({text}) * {size} + {index}"
    return text


def _nested(sizes, inside) -> list[str]:
    """Statements within the loops over the axes."""
    out, depth = [], 0
    for k, size in enumerate(sizes):
        if size != "1":
            out.append(f"{'    ' * depth}for i{k} in range({size}):")
            depth += 1
    return out + [f"{'    ' * depth}{line}" for line in inside]


def _positions(indices, inputs):
    """Integers and slices of a constant index."""
    given = (int(v.data) for v in inputs)
    for one in indices:
        if isinstance(one, slice):
            ends = [None if end is None else next(given) for end in (one.start, one.stop, one.step)]
            yield slice(*ends)
        else:
            yield next(given)


def _length(place, size) -> str:
    """Number of elements of a slice."""
    if place.stop is not None:
        return str(place.stop - (place.start or 0))
    return size if not place.start else str(int(size) - place.start)


def _plus(index, number) -> str:
    return index if not number else f"{index} + {number}"
