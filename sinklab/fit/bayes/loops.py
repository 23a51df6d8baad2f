"""Statements on arrays as a few plain loops: the text of a function that numba compiles quickly.

PyTensor gives numba a function for each operation of a graph, and numba takes its time for each. Here what is computed
for the elements of arrays of equal sizes, and needs nothing but that, stands in one loop; what is a single number is a
local variable; views and broadcasts are only other indices. The text has *stages*, one after another: single
numbers, then the loops that need them. A sum, or an array that others read at other places, is ready for the
next stage. :mod:`.operations` says what each operation of a graph becomes.
"""

from dataclasses import dataclass, field
from itertools import count


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
