r"""The scalar unknowns of a model as one vector :math:`t = t_0 + R z`, and their priors.

Positive quantities stand in ``t`` as logarithms, correlations as inverse hyperbolic tangents of partial
correlations. A spread between groups that may be 0 stands there as :math:`\mathrm{arsinh}(s / s_0)` and is *folded*:
s and -s are the same spread, so that 0 is no border against which the sampler runs, and the half-normal
prior is a normal one. Far from 0 that is a logarithm too; :math:`s_0` is what the data can tell from 0.
One vector, because compiled code takes its time for every operation, not for every number.
"""

from dataclasses import dataclass, field

import numpy as np

from sinklab.fit.bayes import latent, vines
from sinklab.fit.bayes.groups import resolution


@dataclass
class Scalars:
    """Unknowns in the order in which they were added.

    ``keys`` are ``(kind, name)`` pairs such as ``("spread", "a")``; ``log`` tells which are logarithms,
    ``folded`` which may have either sign, in multiples of ``unit``; ``natural`` where the prior is one of the
    natural value, so that a Jacobian is due; ``centre`` and ``scale`` are those of a normal density on the
    scale of the prior. ``vines`` holds for each correlation matrix its place, its size, the shapes of its prior
    and the places of the folded spreads whose signs turn it.
    """

    keys: list = field(default_factory=list)
    log: list = field(default_factory=list)
    folded: list = field(default_factory=list)
    unit: list = field(default_factory=list)
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
            centre = np.log(prior.centre) if on_log else prior.centre
            self._append(
                key, value, centre, prior.scale, log=bool(logged), natural=bool(logged) and not on_log
            )
        self._blocks.append((len(self.keys) - len(start), np.atleast_2d(root), slope))

    def add_spread(self, key, prior, value, n, unit) -> None:
        """Add the spread of ``n`` groups, of which the data tell down to ``unit``; folded if it may be 0."""
        if prior.family == "lognormal":
            self.add([key], [prior], [True], [np.log(value)], [[1 / np.sqrt(2 * n)]])
            return
        unit = min(unit, prior.scale)
        self._append(key, np.arcsinh(value / unit), 0.0, prior.scale, natural=True, folded=True, unit=unit)
        error = np.hypot(value / np.sqrt(2 * n), unit) / np.hypot(value, unit)
        self._blocks.append((len(self.keys) - 1, np.array([[error]]), None))

    def add_vine(self, name, eta, correlation, n, spreads=()) -> None:
        """Add the correlations of one matrix under LKJ(eta); ``n`` observations tell of them."""
        start = vines.from_correlation(correlation)
        folded = tuple(self.place("spread", p) for p in spreads)
        self.vines[name] = (len(self.keys), len(correlation), vines.shapes(len(correlation), eta), folded)
        for i, value in enumerate(start):
            self._append((name, str(i)), value, 0.0, np.inf)
        self._blocks.append((len(self.keys) - len(start), np.eye(len(start)) / np.sqrt(n), None))

    def _append(self, key, start, centre, scale, log=False, folded=False, natural=False, unit=1.0):
        self.keys.append(key)
        self.log.append(log)
        self.folded.append(folded)
        self.natural.append(natural)
        self.unit.append(float(unit))
        self.centre.append(float(centre))
        self.scale.append(float(scale))
        self.start.append(float(start))

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
        if self.folded[at]:
            return np.abs(self.unit[at] * np.sinh(t[:, at]))
        return np.exp(t[:, at]) if self.log[at] else t[:, at]

    def correlation(self, t, name) -> np.ndarray:
        """Draws of a correlation matrix, (D, d, d)."""
        at, d, _, spreads = self.vines[name]
        partial = np.tanh(t[:, at : at + d * (d - 1) // 2]).T
        matrix = vines.correlation(vines.cholesky(partial, d, np.sqrt))
        sign = [np.sign(t[:, p]) if self.folded[p] else 1.0 for p in spreads] or [1.0] * d
        out = np.empty((len(t), d, d))
        for i in range(d):
            for j in range(d):
                out[:, i, j] = 1.0 if i == j else sign[i] * sign[j] * matrix[i][j]
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
        names = block.parameters
        log = [n in spec.positive for n in names]
        slope = group.mean_slope if k else None
        keys = [("mean", n) for n in names]
        found.add(keys, [priors[n] for n in names], log, group.mean, group.mean_root, slope)
        values, units = np.sqrt(np.diag(group.between)), resolution(group)
        for name, value, unit in zip(names, values, units, strict=True):
            found.add_spread(("spread", name), priors[f"spread({name})"], value, len(block.levels), unit)
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
            start, n = group.between / np.outer(sd, sd), len(block.levels)
            found.add_vine(name, priors[name].scale, start, n, block.parameters)
    if spec.correlated:
        found.add_vine("correlation", priors["correlation"].scale, near.correlation, counts.min())
    return found
