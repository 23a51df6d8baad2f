r"""The scalar unknowns of a model as one vector :math:`t = t_0 + R z`, and their priors.

Positive quantities stand in ``t`` as logarithms, correlations as inverse hyperbolic tangents of partial
correlations. One vector, because compiled code takes its time for every operation, not for every number.
"""

from dataclasses import dataclass, field

import numpy as np

from sinklab.fit.bayes import latent, vines


@dataclass
class Scalars:
    """Unknowns in the order in which they were added.

    ``keys`` are ``(kind, name)`` pairs such as ``("spread", "a")``; ``log`` tells which are logarithms;
    ``natural`` where the prior is one of the natural value of a logarithm, so that the Jacobian is due;
    ``centre`` and ``scale`` are those of a normal density on the scale of the prior.
    """

    keys: list = field(default_factory=list)
    log: list = field(default_factory=list)
    natural: list = field(default_factory=list)
    centre: list = field(default_factory=list)
    scale: list = field(default_factory=list)
    start: list = field(default_factory=list)
    vines: dict = field(default_factory=dict)
    _blocks: list = field(default_factory=list)

    def add(self, keys, priors, log, start, root, slope=None) -> None:
        """Add a vector of unknowns.

        Parameters
        ----------
        keys : sequence of (str, str)
        priors : sequence of Prior
        log : sequence of bool
            Which are sampled as logarithms.
        start : array, shape (q,)
        root : array, shape (q, q)
        slope : array, shape (q, k), optional
            Dependence on the first k unknowns of all.
        """
        for key, prior, logged, value in zip(keys, priors, log, start, strict=True):
            on_log = prior.family == "lognormal"
            self.keys.append(key)
            self.log.append(bool(logged))
            self.natural.append(bool(logged) and not on_log)
            self.centre.append(np.log(prior.centre) if on_log else prior.centre)
            self.scale.append(prior.scale)
            self.start.append(float(value))
        self._blocks.append((len(self.keys) - len(start), np.atleast_2d(root), slope))

    def add_vine(self, name, eta, correlation, n) -> None:
        """Add the correlations of one matrix under LKJ(eta); ``n`` observations tell of them."""
        start = vines.from_correlation(correlation)
        self.vines[name] = (len(self.keys), len(correlation), vines.shapes(len(correlation), eta))
        for i, value in enumerate(start):
            self.keys.append((name, str(i)))
            self.log.append(False)
            self.natural.append(False)
            self.centre.append(0.0)
            self.scale.append(np.inf)
            self.start.append(float(value))
        self._blocks.append((len(self.keys) - len(start), np.eye(len(start)) / np.sqrt(n), None))

    def root(self) -> np.ndarray:
        """The matrix R, lower triangular by blocks."""
        out = np.zeros((len(self.keys), len(self.keys)))
        for at, root, slope in self._blocks:
            here = slice(at, at + len(root))
            out[here, here] = root
            if slope is not None:
                k = slope.shape[1]
                out[here, :k] = -slope @ out[:k, :k]
        return out

    def place(self, kind, name) -> int:
        """Position of an unknown."""
        return self.keys.index((kind, name))

    def take(self, t, kind, name) -> np.ndarray:
        """Draws of one unknown on its natural scale, from those of the vector (D, P)."""
        at = self.place(kind, name)
        return np.exp(t[:, at]) if self.log[at] else t[:, at]

    def correlation(self, t, name) -> np.ndarray:
        """Draws of a correlation matrix, (D, d, d)."""
        at, d, _ = self.vines[name]
        partial = np.tanh(t[:, at : at + d * (d - 1) // 2]).T
        matrix = vines.correlation(vines.cholesky(partial, d, np.sqrt))
        out = np.empty((len(t), d, d))
        for i in range(d):
            for j in range(d):
                out[:, i, j] = matrix[i][j]
        return out


def collect(spec, priors, near) -> Scalars:
    """All scalar unknowns of a model, standardised by its normal approximation."""
    found, k = Scalars(), len(spec.common)
    if k:
        names = [name for name, _ in spec.common]
        log = [n in spec.positive for n in names]
        keys = [("common", f"{n}[{g}]") for n, g in spec.common]
        found.add(keys, [priors[n] for n in names], log, near.beta, near.beta_root)
    for block, group in zip(spec.blocks, near.groups, strict=True):
        names, size = block.parameters, len(block.parameters)
        log = [n in spec.positive for n in names]
        slope = group.mean_slope if k else None
        keys = [("mean", n) for n in names]
        found.add(keys, [priors[n] for n in names], log, group.mean, group.mean_root, slope)
        spread = 0.5 * np.log(np.diag(group.between))
        own = [priors[f"spread({n})"] for n in names]
        width = np.eye(size) / np.sqrt(2 * len(block.levels))
        found.add([("spread", n) for n in names], own, [True] * size, spread, width)
    counts = np.isfinite(spec.y).sum(axis=0)
    own = [priors[f"sigma({r})"] for r in spec.free]
    width = np.diag(1 / np.sqrt(2 * counts))
    found.add([("sigma", r) for r in spec.free], own, [True] * len(own), np.log(near.sigma), width)
    for j, response in enumerate(spec.free):
        if spec.functions[response].estimated:
            width = [[1 / (np.sqrt(2 * counts[j]) * near.base_sd[j])]]
            prior = priors[f"exponent({response})"]
            found.add([("exponent", response)], [prior], [False], [near.exponent[j]], width)
    latent.add_scalars(spec, priors, found)
    for block, group in zip(spec.blocks, near.groups, strict=True):
        if block.correlated:
            sd = np.sqrt(np.diag(group.between))
            name = f"correlation({block.column})"
            found.add_vine(name, priors[name].scale, group.between / np.outer(sd, sd), len(block.levels))
    if spec.correlated:
        found.add_vine("correlation", priors["correlation"].scale, near.correlation, counts.min())
    return found
