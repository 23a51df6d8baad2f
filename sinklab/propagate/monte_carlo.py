"""Monte Carlo over units, in tiles: memory does not grow with units × draws, nor do workers change digits.

For every draw the parameters of each model, the factors of each species and the shared noises are
one set of numbers for all units that share them; measurement errors and residuals are new for each
unit. A tile (1,024 rows, 64 draws) is computed with the random numbers of its own address and summed
by group; the sums are added in the order of the tiles, whoever computed them.
"""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from sinklab.errors import DataError
from sinklab.language import tr
from sinklab.propagate import streams
from sinklab.propagate.levels import PARAMETERS, RESIDUAL
from sinklab.propagate.model import Model
from sinklab.propagate.units import Units

#: Rows and draws of one piece of work: many tiles, so that little time goes into handing it over.
PIECE_ROWS, PIECE_DRAWS = 8 * streams.ROWS, 4 * streams.DRAWS


@dataclass(frozen=True, eq=False)
class Piece:
    """Consecutive rows of one model and some draws, with all that is needed; sent to a worker."""

    model: Model
    first: int
    first_draw: int
    columns: dict
    places: list
    theta: np.ndarray
    group: np.ndarray
    weight: np.ndarray
    noises: list
    factors: list
    residual_sd: np.ndarray | None
    seed: int
    occasion: str

    def masses(self, rows, draws) -> np.ndarray:
        """Masses of a tile: some rows in some draws, shape (n_draw, n)."""
        shape = draws.stop - draws.start, rows.stop - rows.start
        columns = {c: v[rows] for c, v in self.columns.items()}
        relative = []
        for noise, spread, index, shared in self.noises:
            generator = None if noise.by else self._stream(noise.name, rows, draws)
            if generator is None:
                normal = shared[index[rows], draws].T.copy()
            else:
                normal = generator.standard_normal(shape)
                _add_gross(generator, noise, spread[rows], normal)
            if not noise.column:
                relative.append(1 + normal * spread[rows])
            elif noise.column in columns:
                centre = columns[noise.column]
                columns[noise.column] = streams.inside(
                    generator, centre, spread[rows], noise.low, noise.high, normal
                )
        places = [q if np.ndim(q) == 0 else q[rows] for q in self.places]
        mass = np.broadcast_to(self.model.mass(self.theta[draws], columns, places), shape)
        if self.residual_sd is not None:
            mass = self._scattered(mass, rows, draws)
        for index, values in self.factors:
            mass = mass * values[index[rows], draws].T
        for factor in relative:
            mass = mass * factor
        return mass

    def _scattered(self, mass, rows, draws) -> np.ndarray:
        """Masses of individuals, from the means of such individuals."""
        normal = self._stream(RESIDUAL, rows, draws).standard_normal(mass.shape)
        if not self.model.sigma:
            normal *= self.residual_sd[rows]
            return np.add(mass, normal, out=normal)
        # Half the variance is taken off, so that the mean of the lognormal residual is 1.
        normal *= self.model.sigma
        normal -= self.model.sigma**2 / 2
        np.exp(normal, out=normal)
        return np.multiply(mass, normal, out=normal)

    def _stream(self, source, rows, draws):
        row, draw = self.first + rows.start, self.first_draw + draws.start
        return streams.stream(self.seed, source, self.occasion, self.model.name, row, draw)


def _add_gross(generator, noise, spread, normal) -> None:
    """Give some numbers a larger spread, in place."""
    if noise.gross_share:
        count = generator.binomial(normal.size, noise.gross_share)
        hit = generator.choice(normal.size, count, replace=False, shuffle=False)
        sd = spread[hit % normal.shape[1]]
        normal.reshape(-1)[hit] *= noise.gross_sd / sd


def piece_sums(piece: Piece) -> tuple[np.ndarray, np.ndarray]:
    """Sums of ``weight * mass`` by group of one piece.

    Returns
    -------
    groups : array of int, shape (m,)
    sums : array, shape (m, n_draw of the piece)
    """
    n, n_draw = len(piece.group), len(piece.theta)
    groups, local = np.unique(piece.group, return_inverse=True)
    out = np.zeros((len(groups), n_draw))
    for start in range(0, n, streams.ROWS):
        rows = slice(start, min(start + streams.ROWS, n))
        here, cuts = np.unique(local[rows], return_index=True)
        for first in range(0, n_draw, streams.DRAWS):
            draws = slice(first, min(first + streams.DRAWS, n_draw))
            weighted = piece.masses(rows, draws) * piece.weight[rows]
            out[here, draws] += np.add.reduceat(weighted, cuts, axis=1).T
    return groups, out


def draw_totals(units: Units, n_draw: int, seed: int, workers=1, only=None) -> np.ndarray:
    """Draw the totals of all groups.

    Parameters
    ----------
    units : Units
    n_draw : int
    seed : int
    workers : int or Executor
        Number of threads, or anything with ``submit`` whose results answer ``result()``: a process
        pool, or ``client.get_executor()`` of a Dask client for several machines.
    only : collection of str, optional
        Names of the sources that vary; the others stay at their means. All when left out.

    Returns
    -------
    totals : array, shape (n_group, n_draw)
        The same for any number and kind of workers; the first draws are the same for any ``n_draw``.
    """
    if n_draw < 2:
        raise DataError(
            tr(f"n_draw must be at least 2, found {n_draw}", f"抽样次数至少为 2，而不是 {n_draw}")
        )
    active = set(units.sources) if only is None else set(only)
    unknown = sorted(active - set(units.sources))
    if unknown:
        raise DataError(
            tr(
                f"no source of error {', '.join(unknown)}; there are: {', '.join(units.sources)}",
                f"没有误差来源 {'、'.join(unknown)}；现有：{'、'.join(units.sources)}",
            )
        )
    # Whole tiles are drawn and the last draws dropped, so that no draw depends on how many follow.
    whole = -(-n_draw // streams.DRAWS) * streams.DRAWS
    out = np.zeros((len(units.groups), whole))
    with _executor(workers) as (submit, width):
        waiting: deque = deque()
        for piece in _pieces(units, whole, seed, active):
            waiting.append((piece.first_draw, submit(piece_sums, piece)))
            if len(waiting) > 2 * width:
                _add(out, *waiting.popleft())
        while waiting:
            _add(out, *waiting.popleft())
    return out[:, :n_draw]


def _add(out, first, future) -> None:
    groups, sums = future.result()
    out[groups, first : first + sums.shape[1]] += sums


@contextmanager
def _executor(workers):
    if hasattr(workers, "submit"):
        yield workers.submit, max(8, getattr(workers, "_max_workers", 8) or 8)
        return
    if workers == 1:
        yield _Now, 0
        return
    with ThreadPoolExecutor(workers) as pool:
        yield pool.submit, workers


class _Now:
    """A future that is computed where it is made."""

    def __init__(self, function, piece):
        self.value = function(piece)

    def result(self):
        return self.value


def _pieces(units, n_draw, seed, active):
    """Cut rows and draws into pieces; each carries slices of the arrays only."""
    noises = [x for x in units.noises if x.name in active]
    shared = {
        x.name: streams.shared_normals(seed, x.name, units.levels[x.by], n_draw) for x in noises if x.by
    }
    factors = [(f.by, _factor_draws(f, units, n_draw, seed, active)) for f in units.factors]
    for m, begin, end in units.spans():
        model = units.models[m]
        light = model.light()
        theta = np.broadcast_to(model.values, (n_draw, len(model.values)))
        if PARAMETERS in active:
            theta = model.draws(n_draw, seed)
        columns = {c: np.asarray(units.data[c][begin:end], float) for c in model.predictors}
        for start in range(0, end - begin, PIECE_ROWS):
            rows = slice(start, min(start + PIECE_ROWS, end - begin))
            whole = slice(begin + rows.start, begin + rows.stop)
            for first in range(0, n_draw, PIECE_DRAWS):
                draws = slice(first, min(first + PIECE_DRAWS, n_draw))
                yield Piece(
                    model=light,
                    first=start,
                    first_draw=first,
                    columns={c: v[rows] for c, v in columns.items()},
                    places=[p if np.ndim(p) == 0 else p[rows] for p in units.places[m]],
                    theta=theta[draws],
                    group=units.group[whole],
                    weight=units.weight[whole],
                    noises=[_noise_rows(units, x, whole, shared, draws) for x in noises],
                    factors=[(units.level[by][whole], values[:, draws]) for by, values in factors],
                    residual_sd=units.residual_sd[whole] if RESIDUAL in active else None,
                    seed=seed,
                    occasion=units.occasion,
                )


def _factor_draws(factor, units, n_draw, seed, active):
    levels = units.levels[factor.by]
    if factor.name in active:
        return factor.draws(levels, n_draw, seed)
    return np.broadcast_to(factor.moments(levels)[0][:, None], (len(levels), n_draw))


def _noise_rows(units, noise, rows, shared, draws):
    normals = shared[noise.name][:, draws] if noise.by else None
    return noise, units.spread[noise.name][rows], units.level[noise.by][rows], normals
