"""Intervals as quantiles over joint draws of the parameters.

Nothing is linearised, so the intervals of curved equations and of ratios may be lopsided. A table
carries draws, so the same numbers come out wherever it is read.
"""

import numpy as np

from sinklab.equations.parts import complete
from sinklab.prediction.delta import by_delta, floor

#: Draws behind the quantiles of a prediction.
N_DRAW = 2000


def by_draws(result, frame, level, kind) -> dict[str, np.ndarray]:
    r"""Columns of a prediction with quantiles over :data:`N_DRAW` joint draws of the parameters.

    An individual adds to each draw its residuals, correlated between the equations, and the deviation
    of its group when parameters vary at random; an identity is made of the parts of each draw, so its
    interval follows from theirs. The estimate is that of :func:`~sinklab.prediction.delta.by_delta`; the standard error is the
    standard deviation of the draws.
    """
    stored = result.stored_draws
    values = result.draws(N_DRAW if stored is None else min(N_DRAW, len(stored))).to_numpy()
    rng = np.random.default_rng([result.seed, len(values)])
    responses, n = result.system.responses, len(frame)
    evaluator = result.layout.at(frame, tuple(result.system.free), n)
    found = {r: np.empty((len(values), n)) for r in responses}
    for i, theta in enumerate(values):
        if kind == "individual" and result.random is not None:
            theta = result.random.drawn(theta, result.labels, rng)
        means = dict(zip(result.system.free, evaluator.mean(theta).T, strict=True))
        one = _individual(result, means, frame, rng) if kind == "individual" else _corrected(result, means)
        for response, row in complete(result.system, one, frame).items():
            found[response][i] = row
    centre = by_delta(result, frame, level, "mean")
    columns = {}
    for response in responses:
        low, high = np.quantile(found[response], [0.5 - level / 2, 0.5 + level / 2], axis=0)
        columns |= {response: centre[response], f"{response}_se": found[response].std(axis=0, ddof=1)}
        columns |= {f"{response}_lower": np.maximum(low, floor(result, response)), f"{response}_upper": high}
    if kind == "individual":
        # The standard error is that of the mean, as with the other intervals.
        columns |= {f"{r}_se": centre[f"{r}_se"] for r in responses}
    return columns


def _corrected(result, means) -> dict[str, np.ndarray]:
    return {r: m * result.correction[r] for r, m in means.items()} if result.of_medians else means


def _individual(result, means, frame, rng) -> dict[str, np.ndarray]:
    """One individual for each row: means or medians of the free responses with residuals."""
    names = list(result.system.free)
    correlation = result.correlation.loc[names, names].to_numpy()
    roots, vectors = np.linalg.eigh(correlation)
    normal = rng.standard_normal((len(frame), len(names))) * np.sqrt(np.clip(roots, 0, None)) @ vectors.T
    out = {}
    for j, response in enumerate(names):
        model, mean = result.residual[response], means[response]
        if model.kind == "lognormal":
            shift = 0.0 if result.of_medians else model.sigma**2 / 2
            out[response] = mean * np.exp(model.sigma * normal[:, j] - shift)
        else:
            out[response] = mean + model.sd(mean, frame) * normal[:, j]
    return out
