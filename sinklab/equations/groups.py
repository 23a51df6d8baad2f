"""Parameters that vary by group: one value for each level, looked up for every row.

A parameter written ``a[site]`` becomes as many values as there are sites. A :class:`Layout` says
where each value stands in the long vector, and evaluates means and derivatives with it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sinklab.equations.compile import Compiled
from sinklab.errors import DataError
from sinklab.language import tr


@dataclass(frozen=True)
class Layout:
    """Places of the parameters of a system: ``names`` and ``groups`` are parallel, one per value.

    ``groups`` holds the level of a parameter that varies, and ``""`` for the others.
    """

    system: object
    names: tuple[str, ...]
    groups: tuple[str, ...]

    @classmethod
    def of(cls, system, frame) -> "Layout":
        """Layout of a system on data: a value for each level found there, levels sorted."""
        names, groups = [], []
        for name in system.parameters:
            levels = [""]
            if name in system.groups:
                levels = sorted(frame[system.groups[name]].astype(str).unique())
            names += [name] * len(levels)
            groups += levels
        return cls(system, tuple(names), tuple(groups))

    @property
    def labels(self) -> list[str]:
        """Name of each value, with its level in brackets when it has one."""
        return [f"{n}[{g}]" if g else n for n, g in zip(self.names, self.groups, strict=True)]

    @property
    def grouped(self) -> bool:
        """Whether any parameter varies by group."""
        return bool(self.system.groups)

    def spread(self, values) -> np.ndarray:
        """Give every level of a parameter the same value, from a mapping by parameter name."""
        return np.array([values[name] for name in self.names], dtype=float)

    def count(self, names) -> int:
        """Number of values that belong to some parameters."""
        return sum(name in set(names) for name in self.names)

    @cached_property
    def _places(self) -> dict[str, dict[str, int]]:
        places = {}
        for index, (name, group) in enumerate(zip(self.names, self.groups, strict=True)):
            places.setdefault(name, {})[group] = index
        return places

    def rows(self, frame, n) -> list[np.ndarray | int]:
        """Position of each parameter in the long vector: one number, or one for each row.

        Raises
        ------
        DataError
            The data lack a group column, or have levels that were not fitted, all at once.
        """
        found, unknown = [], {}
        for name in self.system.parameters:
            if name not in self.system.groups:
                found.append(self._places[name][""])
                continue
            column = self.system.groups[name]
            if column not in frame:
                raise DataError(
                    tr(
                        f"the data have no column {column!r}, by which {name} varies",
                        f"数据中没有列 {column!r}（{name} 按其变化）",
                    )
                )
            levels = [str(level) for level in frame[column]]
            missing = sorted(set(levels) - set(self._places[name]))
            if missing:
                unknown[column] = (missing, sorted(self._places[name]))
                continue
            found.append(np.array([self._places[name][level] for level in levels], dtype=int))
        if unknown:
            raise DataError("\n".join(_unknown(column, *levels) for column, levels in unknown.items()))
        return found

    def at(self, frame, responses, n) -> "GroupedEvaluator":
        """Bind to data; see :class:`GroupedEvaluator`.

        Parameters
        ----------
        frame : mapping of str to array, shape (n,)
            Predictors as floats, and the group columns.
        responses : tuple of str
        n : int
        """
        if not self.grouped:
            compiled = self.system.compiled(responses)
            return compiled.at({c: np.asarray(frame[c], dtype=float) for c in compiled.columns}, n)
        compiled = Compiled(self.system.equations, tuple(responses), self.system.parameters)
        columns = {c: np.asarray(frame[c], dtype=float) for c in compiled.columns}
        return GroupedEvaluator(compiled.at(columns, n), self.rows(frame, n), len(self.names))


def _unknown(column, missing, known) -> str:
    return tr(
        f"{column}: levels that were not fitted: {', '.join(missing)}; fitted: {', '.join(known)}",
        f"{column}：未参与拟合的水平：{'、'.join(missing)}；已拟合：{'、'.join(known)}",
    )


@dataclass
class GroupedEvaluator:
    """Means and derivatives when parameters vary by group; called like an ordinary evaluator."""

    evaluator: object
    places: list
    k: int

    def mean_and_jacobian(self, theta) -> tuple[np.ndarray, np.ndarray]:
        """Means (n, m) and their derivatives (n, m, k) by every value of the long vector."""
        compiled, n = self.evaluator.compiled, self.evaluator.n
        m = len(compiled.responses)
        found = compiled._full_program.run(self.evaluator._full_start, self._by_row(theta))
        mean = np.empty((n, m))
        for i in range(m):
            mean[:, i] = found[i]
        slopes = np.zeros((n, m, self.k))
        everyone = np.arange(n)
        for (i, j, _), slope in zip(compiled._jacobian_cells, found[m:], strict=True):
            slopes[everyone, i, self.places[j]] = slope
        return mean, slopes

    def mean(self, theta) -> np.ndarray:
        """Means (n, m)."""
        return self.mean_and_jacobian(theta)[0]

    def jacobian(self, theta) -> np.ndarray:
        """Derivatives (n, m, k)."""
        return self.mean_and_jacobian(theta)[1]

    def _by_row(self, theta) -> np.ndarray:
        rows = np.empty(len(self.places), dtype=object)
        for j, place in enumerate(self.places):
            rows[j] = np.asarray(theta, dtype=float)[place]
        return rows
