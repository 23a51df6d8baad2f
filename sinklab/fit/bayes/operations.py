"""Operations of PyTensor's graphs as statements, see :mod:`.loops`.

Only those are known that the models of this room are made of: elementwise functions, sums, views, gathers and
scattered additions. Positions must be constant, counted from the beginning and within bounds.
"""

import numpy as np

from sinklab.errors import ConvergenceError
from sinklab.fit.bayes.expressions import expression
from sinklab.fit.bayes.loops import Loops, Value, flat, indices, is_number, nested
from sinklab.language import tr


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
    ConvergenceError
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
                raise ConvergenceError(_unknown(node)) from error

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
        f"PyTensor {pytensor.__version__} made an operation of the model that is not known here, {node}; "
        "please report it with the equations",
        f"PyTensor {pytensor.__version__} 在模型中产生了此处未知的运算 {node}；请连同方程一并报告",
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
