"""What the sampler moved, as the quantities that people know: coefficients, residual SDs, correlations."""

import numpy as np
import pandas as pd

from sinklab.fit.bayes.density import Draws


def flat(values):
    """Draws of all chains, one after another."""
    return values.reshape(-1, *values.shape[2:])


def group_draws(builder, posterior) -> list[np.ndarray]:
    """Values of the groups on the sampled scale, (D, K, S) for each block, levels in their order."""
    return [flat(posterior[f"group_{c}"]) for c in range(len(builder.near.groups))]


def coefficient_draws(builder, posterior) -> np.ndarray:
    """Coefficients on their natural scale, (D, k), in the order of the layout."""
    spec, t = builder.spec, flat(posterior["t"])
    groups = group_draws(builder, posterior)
    found = {(n, g): t[:, i] for i, (n, g) in enumerate(spec.common)}
    for block, theta in zip(spec.blocks, groups, strict=True):
        for k, name in enumerate(block.parameters):
            found |= {(name, level): theta[:, k, s] for s, level in enumerate(block.levels)}
    labels = zip(spec.layout.names, spec.layout.groups, strict=True)
    out = np.column_stack([found[label] for label in labels])
    log = np.array([name in spec.positive for name in spec.layout.names])
    out[:, log] = np.exp(out[:, log])
    return out


def residual_draws(spec, near, scalars, t, values) -> Draws:
    """Draws of coefficients, residual SDs in their natural unit, exponents and correlations."""
    m = len(spec.free)
    exponent = np.tile([float(spec.functions[r].start) for r in spec.free], (len(t), 1))
    for j, response in enumerate(spec.free):
        if spec.functions[response].estimated:
            exponent[:, j] = scalars.take(t, "exponent", response)
    sigma = np.column_stack([scalars.take(t, "sigma", r) for r in spec.free])
    correlation = (
        scalars.correlation(t, "correlation") if spec.correlated else np.tile(np.eye(m), (len(t), 1, 1))
    )
    return Draws(
        spec.free, spec.functions, values, sigma * np.exp(-exponent * near.centre), exponent, correlation
    )


def other_draws(spec, draws, scalars, t) -> pd.DataFrame:
    """Everything beside the coefficients, natural scale and unit, one column each."""
    columns = {f"sigma({r})": draws.sigma[:, j] for j, r in enumerate(spec.free)}
    for j, r in enumerate(spec.free):
        if spec.functions[r].estimated:
            columns[f"exponent({r})"] = draws.exponent[:, j]
    if spec.correlated:
        columns |= _pairs(spec.free, draws.correlation)
    for block in spec.blocks:
        for kind in ("mean", "spread"):
            columns |= {f"{kind}({p})": scalars.take(t, kind, p) for p in block.parameters}
        if block.correlated:
            columns |= _pairs(block.parameters, scalars.correlation(t, f"correlation({block.column})"))
    return pd.DataFrame(columns)


def members(spec) -> dict[str, tuple[str, ...]]:
    """Members of each correlation matrix, by the name of its prior."""
    found = {f"correlation({b.column})": b.parameters for b in spec.blocks if b.correlated}
    return found | ({"correlation": spec.free} if spec.correlated else {})


def _pairs(names, matrices) -> dict:
    below = zip(*np.tril_indices(len(names), -1), strict=True)
    return {f"correlation({names[j]}, {names[i]})": matrices[:, i, j] for i, j in below}
