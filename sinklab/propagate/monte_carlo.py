r"""Totals of units with their errors: by Monte Carlo, and to the first order beside it (IPCC Approaches 2 and 1).

*Monte Carlo.* For every draw the parameters of each model, the factors of each species and the shared noises are
one set of numbers for all units that share them; measurement errors and residuals are new for each
unit. A tile (1,024 rows, 64 draws) is computed with the random numbers of its own address and summed
by group; the sums are added in the order of the tiles, so that memory does not grow with units × draws,
nor do workers change digits.

*Delta method.* Every source contributes :math:`G\, V\, G^T` to the covariance of the group totals:
the derivatives of the totals by what is uncertain, and its covariance. Errors that are shared keep
their full weight in a total; errors of single rows add as squares.

*IPCC Approach 1.* With :math:`U` half the 95 % interval in per cent of the value, products of
independent quantities have :math:`U = \sqrt{\sum U_i^2}`, sums
:math:`U = \sqrt{\sum (U_i x_i)^2} / |\sum x_i|`. It knows no correlation: quantities that share a
parameter must not be combined by it.

Source
------
IPCC (2006, 2019) Guidelines for National Greenhouse Gas Inventories, volume 1, chapter 3; the two
rules are given from memory there and follow from the delta method here.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from sinklab.language import DataError, require_known
from sinklab.propagate.model import PARAMETERS, RESIDUAL, Model, Units, shared_normals, stream

#: Rows and draws that are computed at once; part of the address of an error, so changing them changes digits.
ROWS, DRAWS = 1024, 64
#: Rows and draws of one piece of work: many tiles, so that little time goes into handing it over.
PIECE_ROWS, PIECE_DRAWS = 8 * ROWS, 4 * DRAWS


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
    residual_of: str

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
            if noise.log:
                # Half the variance is taken off, so that its mean is 1.
                relative.append(np.exp(normal * spread[rows] - spread[rows] ** 2 / 2))
            elif not noise.column:
                relative.append(1 + normal * spread[rows])
            elif noise.column in columns:
                centre = columns[noise.column]
                columns[noise.column] = _inside(
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
        occasion = self.residual_of if source == RESIDUAL else self.occasion
        return stream(self.seed, source, occasion, self.model.name, row, draw)


def _inside(generator, centre, sd, low, high, normal) -> np.ndarray:
    """``centre + sd * normal``, with values outside the limits drawn again.

    Parameters
    ----------
    generator : Generator or None
        Without one, as where many rows share a draw, values are cut at the limits.
    centre, sd : array, shape (n,)
    low, high : float
        A centre outside the limits is not drawn for ever: after 100 rounds the limit is taken.
    normal : array, shape (n_draw, n)
        Standard normal numbers; overwritten.
    """
    value = np.multiply(normal, sd, out=normal)
    value += centre
    # Least and greatest first: they make no mask of the whole array.
    if value.min() >= low and value.max() <= high:
        return value
    if generator is not None:
        draw, row = np.nonzero((value < low) | (value > high))
        for _ in range(100):
            again = centre[row] + sd[row] * generator.standard_normal(len(row))
            value[draw, row] = again
            out = (again < low) | (again > high)
            draw, row = draw[out], row[out]
            if not len(row):
                return value
    return np.clip(value, low, high, out=value)


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
    for start in range(0, n, ROWS):
        rows = slice(start, min(start + ROWS, n))
        here, cuts = np.unique(local[rows], return_index=True)
        for first in range(0, n_draw, DRAWS):
            draws = slice(first, min(first + DRAWS, n_draw))
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
        raise DataError(f"n_draw must be at least 2, found {n_draw}", f"抽样次数至少为 2，而不是 {n_draw}")
    active = set(units.sources) if only is None else set(only)
    require_known(sorted(active), units.sources, "source of error", "误差来源")
    # Whole tiles are drawn and the last draws dropped, so that no draw depends on how many follow.
    whole = -(-n_draw // DRAWS) * DRAWS
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
    shared = {x.name: shared_normals(seed, x.name, units.levels[x.by], n_draw) for x in noises if x.by}
    factors = [(f.by, _factor_draws(f, units, n_draw, seed, active)) for f in units.factors]
    for m, own in units.spans():
        model = units.models[m]
        light = model.light()
        theta = np.broadcast_to(model.values, (n_draw, len(model.values)))
        if PARAMETERS in active:
            theta = model.draws(n_draw, seed)
        columns = units.predictors(m, own)
        for start in range(0, own.stop - own.start, PIECE_ROWS):
            rows = slice(start, min(start + PIECE_ROWS, own.stop - own.start))
            whole = slice(own.start + rows.start, own.start + rows.stop)
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
                    residual_of=units.residual_of,
                )


def _factor_draws(factor, units, n_draw, seed, active):
    levels = units.levels[factor.by]
    if factor.name in active:
        return factor.draws(levels, n_draw, seed)
    return np.broadcast_to(factor.moments(levels)[0][:, None], (len(levels), n_draw))


def _noise_rows(units, noise, rows, shared, draws):
    normals = shared[noise.name][:, draws] if noise.by else None
    return noise, units.spread[noise.name][rows], units.level[noise.by][rows], normals


#: Rows whose derivatives are held at once; a million rows need no matrix of a million rows by k.
BLOCK = 65536


def variances(units: Units, combine=None) -> dict[str, np.ndarray]:
    """Variance of group totals by source, to the first order.

    Parameters
    ----------
    units : Units
    combine : array, shape (n_out, n_group), optional
        Linear combinations of the group totals; the totals themselves when left out.

    Returns
    -------
    variance : dict of str to array, shape (n_out,)
        One entry per source, in the order of ``units.sources``; their sum is the whole.
    """
    n_group = len(units.groups)
    mix = np.eye(n_group) if combine is None else np.atleast_2d(np.asarray(combine, float))
    found = {PARAMETERS: np.zeros(len(mix))}
    for m, own in units.spans():
        model = units.models[m]
        gradient = np.zeros((n_group, len(model.values)))
        for rows, scale, slope in _slopes(units, model, own):
            np.add.at(gradient, units.group[rows], scale[:, None] * slope)
        gradient = mix @ gradient
        found[PARAMETERS] += np.einsum("gj,jk,gk->g", gradient, model.covariance, gradient)
    found[PARAMETERS] = np.clip(found[PARAMETERS], 0, None)
    for name, effect, level in _effects(units):
        if level is None:
            found[name] = mix**2 @ np.bincount(units.group, effect**2, n_group)
        else:
            n_level = level.max(initial=0) + 1
            cell = np.bincount(units.group * n_level + level, effect, n_group * n_level)
            found[name] = ((mix @ cell.reshape(-1, n_level)) ** 2).sum(axis=1)
    return found


def row_variances(units: Units) -> np.ndarray:
    """Variance of ``weight * mass`` of every row by all sources together, to the first order, shape (n,)."""
    total = np.zeros(units.n)
    for m, own in units.spans():
        model = units.models[m]
        for rows, scale, slope in _slopes(units, model, own):
            total[rows] = scale**2 * np.einsum("ij,jk,ik->i", slope, model.covariance, slope)
    for _, effect, _ in _effects(units):
        total += effect**2
    return np.clip(total, 0, None)


def _slopes(units, model, own) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Rows of a model in blocks, what multiplies their mass, and its derivatives by the parameters."""
    for start in range(own.start, own.stop, BLOCK):
        rows = slice(start, min(start + BLOCK, own.stop))
        scale = units.weight[rows] * units.factor_mean[rows]
        yield rows, scale, model.slopes(units.at(rows), rows.stop - rows.start)


def _effects(units) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
    """What one standard deviation of each source beside the parameters does to ``weight * mass`` of each row.

    With the name of the source, and the position of the level that shares a draw (None: every row its own).
    """
    value = units.weight * units.centre
    for factor in units.factors:
        levels, index = units.levels[factor.by], units.level[factor.by]
        mean, sd = factor.moments(levels)
        # Levels that take the common value move together.
        _, merged = np.unique([x if x in factor.values else "" for x in levels], return_inverse=True)
        ratio = np.divide(sd, mean, out=np.zeros_like(sd), where=mean != 0)
        yield factor.name, value * ratio[index], merged[index]
    for noise in units.noises:
        spread = units.spread[noise.name]
        sd = spread if noise.by else noise.total_sd(spread)
        effect = (_slope(units, noise.column) if noise.column else value) * sd
        yield noise.name, effect, units.level[noise.by] if noise.by else None
    if units.residual:
        yield RESIDUAL, units.weight * units.factor_mean * units.residual_sd, None


def _slope(units, column) -> np.ndarray:
    """Derivative of ``weight * mass`` by a predictor, zero for models without it; central differences."""
    out = np.zeros(units.n)
    for m, rows in units.spans():
        columns = units.predictors(m, rows)
        if column not in columns:
            continue
        step = 1e-5 * np.maximum(np.abs(columns[column]), 1e-6)
        high, low = (
            units.models[m].centre(columns | {column: columns[column] + s * step}, units.places[m], len(step))
            for s in (1, -1)
        )
        out[rows] = (high - low) / (2 * step)
    return out * units.weight * units.factor_mean
