"""Predictive draws: what the posterior, or the prior alone, expects of trees."""

import numpy as np
import pandas as pd

from sinklab.equations.compile import Compiled
from sinklab.equations.tree import names
from sinklab.errors import DataError
from sinklab.fit.bayes import priors as prior_rules
from sinklab.fit.bayes import vines
from sinklab.fit.bayes.density import Draws, observe
from sinklab.fit.variance import VarianceFunction
from sinklab.language import tr

KINDS = ("mean", "individual", "prior", "prior_individual")


def predictive(
    result, data, kind: str = "individual", n: int | None = None, seed: int = 0
) -> dict[str, np.ndarray]:
    """Draws of every response of a Bayesian fit.

    A level of a group column that was not fitted is a new group: its coefficients are drawn from the
    distribution over the groups, one for each draw and shared by the trees of that level.

    Parameters
    ----------
    result : BayesResult
    data : DataFrame
        Predictors and group columns, in the units of the fit.
    kind : {"individual", "mean", "prior", "prior_individual"}
        One new tree of each row, with its residual; the mean of such trees; or the same before any data
        were seen, from the priors alone.
    n : int, optional
        Number of draws; all stored ones by default, 1000 for the prior.
    seed : int

    Returns
    -------
    draws : dict of array, shape (n, len(data))
        By response, identities included; an identity of individuals is made of its own parts.

    Raises
    ------
    DataError
        Unknown kind, missing columns, or more draws than are stored.
    """
    if kind not in KINDS:
        raise DataError(
            tr(f"kind must be one of {KINDS}, found {kind!r}", f"kind 应为 {KINDS} 之一，而不是 {kind!r}")
        )
    frame = pd.DataFrame(data)
    needed = [*result.system.predictors, *dict.fromkeys(result.system.groups.values())]
    missing = [c for c in needed if c not in frame]
    if missing:
        raise DataError(tr(f"columns missing: {', '.join(missing)}", f"缺少列：{'、'.join(missing)}"))
    rng = np.random.default_rng(seed)
    if kind.startswith("prior"):
        coefficients, other = _from_priors(result, n or 1000, rng)
    else:
        coefficients, other = _stored(result, n)
    rows = _by_row(result, frame, coefficients, other, rng)
    free, system = list(result.residual), result.system
    columns = {c: frame[c].to_numpy(float) for c in system.predictors}
    shape = len(other), len(frame)
    found = Compiled(system.equations, free, system.parameters).broadcast(rows, columns)
    found = [np.broadcast_to(mean, shape) for mean in found]
    if kind.endswith("individual"):
        found = observe(_residuals(result, other), found, frame, rng)
    drawn = dict(zip(free, found, strict=True))
    return {r: _identity(system, r, drawn, columns, shape) for r in system.responses}


def _identity(system, response, drawn, columns, shape):
    """An identity from the draws of the responses before it; the others are drawn already."""
    if response not in drawn:
        line = next(e for e in system.equations if e.response == response)
        parts = [r for r in drawn if r in {found.name for found in names(line.right)}]
        compiled = Compiled((line,), (response,), parts)
        value = compiled.broadcast([drawn[r] for r in parts], columns)[0]
        drawn[response] = np.broadcast_to(value, shape)
    return drawn[response]


def _stored(result, n):
    found = len(result.stored_draws)
    if n is not None and n > found:
        raise DataError(tr(f"{n} draws asked for; {found} are stored", f"要求 {n} 次抽样；仅存有 {found} 次"))
    # Spread over the chains, which are stored one after another.
    keep = np.arange(found) if n is None else np.linspace(0, found - 1, n).round().astype(int)
    return result.stored_draws.iloc[keep], result.other_draws.iloc[keep]


def _from_priors(result, n, rng):
    """Coefficients and all other quantities drawn from their priors."""
    drawn = {}
    for name, text in zip(result.priors["name"], result.priors["prior"], strict=True):
        prior = prior_rules.parse(name, text)
        if prior.family != "lkj":
            drawn[name] = _positive(prior, rng, n) if name in result.positive else prior.draw(rng, n)
    groups = result.system.groups
    coefficients = {}
    for label, name in zip(result.labels, result.layout.names, strict=True):
        if name not in groups or f"spread({name})" not in drawn:
            # A fixed effect of every level has the prior of its coefficient for itself.
            again = prior_rules.parse(name, result.priors.set_index("name").loc[name, "prior"])
            draw = _positive(again, rng, n) if name in result.positive else again.draw(rng, n)
            coefficients[label] = drawn[name] if name not in groups else draw
    other = {c: drawn[c] for c in result.other_draws if c in drawn}
    other |= {f"mean({p})": drawn[p] for p in groups if f"spread({p})" in drawn}
    other |= _prior_correlations(result, n, rng)
    other = pd.DataFrame(other)
    for response, centre in result.centres.items():
        # The prior of sigma is one at the centre of its variance function.
        exponent = other.get(f"exponent({response})", result.residual[response].exponent)
        other[f"sigma({response})"] *= np.exp(-exponent * centre)
    return pd.DataFrame(coefficients, index=other.index), other


def _positive(prior, rng, n):
    values = prior.draw(rng, n)
    while (values <= 0).any():
        values[values <= 0] = prior.draw(rng, int((values <= 0).sum()))
    return values


def _prior_correlations(result, n, rng) -> dict:
    found = {}
    for name, text in zip(result.priors["name"], result.priors["prior"], strict=True):
        prior = prior_rules.parse(name, text)
        if prior.family != "lkj":
            continue
        members = result.correlated[name]
        alpha = vines.shapes(len(members), prior.scale)
        partial = 2 * rng.beta(alpha, alpha, (n, len(alpha))).T - 1
        matrix = vines.correlation(vines.cholesky(partial, len(members), np.sqrt))
        below = zip(*np.tril_indices(len(members), -1), strict=True)
        found |= {f"correlation({members[j]}, {members[i]})": matrix[i][j] for i, j in below}
    return found


def _by_row(result, frame, coefficients, other, rng) -> list[np.ndarray]:
    """Every parameter for every row, (D, n) or (D, 1)."""
    system, new, rows = result.system, {}, []
    for name in system.parameters:
        if name not in system.groups:
            rows.append(coefficients[name].to_numpy()[:, None])
            continue
        column = system.groups[name]
        levels, index = np.unique(frame[column].astype(str), return_inverse=True)
        unseen = [level for level in levels if f"{name}[{level}]" not in coefficients]
        if unseen and column not in new:
            new[column] = _new_groups(result, column, unseen, other, rng)
        values = [
            new[column][name, level] if level in unseen else coefficients[f"{name}[{level}]"].to_numpy()
            for level in levels
        ]
        rows.append(np.column_stack(values)[:, index])
    return rows


def _new_groups(result, column, levels, other, rng) -> dict:
    """Coefficients of groups that were not seen, by name and level, from the distribution over the groups."""
    members = [p for p in result.system.parameters if result.system.groups.get(p) == column]
    if f"spread({members[0]})" not in other:
        raise DataError(
            tr(
                f"{column}: levels that were not fitted: {', '.join(levels)}; without pooling nothing is known of them",
                f"{column}：未参与拟合的水平：{'、'.join(levels)}；未作部分汇集，无法推断",
            )
        )
    root = np.linalg.cholesky(_matrices(members, other))
    found = {}
    for level in levels:
        deviation = np.einsum("dkl,dl->dk", root, rng.standard_normal((len(other), len(members))))
        for k, name in enumerate(members):
            mean, spread = other[f"mean({name})"].to_numpy(), other[f"spread({name})"].to_numpy()
            logs = name in result.positive
            found[name, level] = (
                mean * np.exp(spread * deviation[:, k]) if logs else mean + spread * deviation[:, k]
            )
    return found


def _matrices(members, other) -> np.ndarray:
    """Correlation matrices (D, d, d) of named quantities; uncorrelated where no correlation was drawn."""
    out = np.tile(np.eye(len(members)), (len(other), 1, 1))
    for i, one in enumerate(members):
        for j, two in enumerate(members):
            for label in (f"correlation({one}, {two})", f"correlation({two}, {one})"):
                if i != j and label in other:
                    out[:, i, j] = other[label]
    return out


def _residuals(result, other) -> Draws:
    free = list(result.residual)
    functions, exponents = {}, []
    for response, model in result.residual.items():
        functions[response] = VarianceFunction(model.kind, model.by, model.exponent if model.fixed else None)
        drawn = other.get(f"exponent({response})")
        exponents.append(np.full(len(other), model.exponent) if drawn is None else drawn.to_numpy())
    sigma = np.column_stack([other[f"sigma({r})"] for r in free])
    nothing = np.empty((len(other), 0))
    return Draws(tuple(free), functions, nothing, sigma, np.column_stack(exponents), _matrices(free, other))
