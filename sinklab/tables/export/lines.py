"""A program as lines of assignments, the part that R, Python and SQL share."""

import keyword
from itertools import count

from sinklab.tables.export.emit import Emitter

#: Names that generated functions use for themselves.
_PYTHON = {"np", "pd", "stats", "log0", "data", "level", "kind", "n", "out", "gradient", "variance", "rows"}
_R = {"if", "else", "repeat", "while", "function", "for", "next", "break", "in", "TRUE", "FALSE", "NULL"}
_R |= {"NA", "Inf", "NaN", "log0", "pmin", "pmax", "ifelse", "exp", "log", "sqrt"}


def safe_names(names, language: str) -> dict[str, str]:
    """Names of a model as names of a language: reserved words get an underscore behind them, SQL quotes all."""
    if language == "sql":
        return {name: f'"{name}"' for name in names}
    taken, found = set(), {}
    for name in names:
        own = name
        if language == "r" and own.startswith("_"):
            own = f"x{own}"
        while own in taken or _reserved(own, language):
            own += "_"
        taken.add(own)
        found[name] = own
    return found


def _reserved(name, language) -> bool:
    return name in _R if language == "r" else keyword.iskeyword(name) or name in _PYTHON


class Lines:
    """Writes the body of a function for one model.

    Parameters
    ----------
    program : Program
    dialect : Dialect
    language : "r", "python" or "sql"
    assign : str
        Sign of an assignment.
    """

    def __init__(self, program, dialect, language, assign):
        self.program, self.language, self.assign = program, language, assign
        self.names = self._all_names(program.model.system)
        self.emitter = Emitter(program.graph, dialect, self._leaf)
        self.deviations: dict[str, str] = {}
        self._medians: dict[str, str] = {}

    def _all_names(self, system) -> dict[str, str]:
        names = [*system.predictors, *dict.fromkeys(system.groups.values()), *system.parameters]
        return safe_names([*names, *system.responses], self.language)

    def _written(self, name) -> str:
        return f'"{name}"' if self.language == "sql" else name

    def _fresh(self, name, taken) -> str:
        while self._written(name) in taken:
            name += "_"
        taken.add(self._written(name))
        return self._written(name)

    def _bare(self, response) -> str:
        return self.names[response].strip('"')

    def _leaf(self, kind, name):
        head, _, rest = name.partition(" ")
        if not rest:
            return self.names[name]
        if head == "mean":
            return self.names[rest]
        if head == "sd":
            return self.deviations[rest]
        return self._constant(name)

    def _constant(self, name) -> str:
        return self.emitter.dialect.number(self.program.constants[name])

    def means(self) -> list[str]:
        """Lines that compute every response, what they share, and medians where they differ from means."""
        return [f"{name} {self.assign} {text}" for name, text, _ in self.variables()]

    def variables(self) -> list[tuple[str, str, set[str]]]:
        """Name, text and names used of each of them, in an order in which they can be computed."""
        p = self.program
        roots = [*p.raw.values(), *p.mean.values()]
        roots += [node for slopes in p.gradient.values() for node in slopes.values()]
        wanted: list[tuple[int, str]] = [(node, self.names[r]) for r, node in p.mean.items()]
        if p.model.of_medians:
            taken = set(self.names.values())
            for r, node in p.median.items():
                self._medians[r] = self._fresh(f"{self._bare(r)}_median", taken)
                wanted.append((node, self._medians[r]))
        named = {node for node, _ in wanted}
        extra = [node for node in self.emitter.shared(roots) if node not in named]
        taken = {*self.names.values(), *self._medians.values()}
        fresh = (name for i in count(1) if (name := self._written(f"part{i}")) not in taken)
        wanted += [(node, next(fresh)) for node in extra]
        wanted.sort(key=lambda pair: pair[0])
        found = []
        for node, name in wanted:
            self.emitter.used.clear()
            found.append((name, self.emitter.named(node, name), set(self.emitter.used)))
        return found

    def median(self, response) -> str:
        """Text of the median of a response with lognormal residuals."""
        return self._medians.get(response) or self.emitter.text(self.program.median[response])

    def gradient(self, response) -> list[tuple[int, str, str, str]]:
        """Position of a value, its group column and level, and the text of the derivative by it."""
        found = self.program.label_gradient(response)
        return [(i, column, level, self.emitter.text(node)) for i, column, level, node in found]

    def residual_deviations(self) -> list[str]:
        """Lines that compute the residual standard deviation of each free response."""
        return [f"{name} {self.assign} {text}" for name, text in self.deviation_texts()]

    def deviation_texts(self) -> list[tuple[str, str]]:
        """Name and text of each of them."""
        found, taken = [], {*self.names.values(), *self._medians.values()}
        for response, node in self.program.deviation.items():
            own = self._fresh(f"sd_{self._bare(response)}", taken)
            found.append((own, self.emitter.text(node)))
            self.deviations[response] = own
        return found

    def extra(self, response) -> str:
        """Text of what an individual adds to the variance; after :meth:`residual_deviations`."""
        return self.emitter.text(self.program.extra[response])
