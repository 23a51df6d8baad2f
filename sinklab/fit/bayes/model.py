r"""The PyMC model of a fit, built from the equations.

The sampler moves standardised variables ``z_…`` (see :mod:`.approximate`), of which the unknowns are functions
(:mod:`.scalars`, :mod:`.groups`); a prior is PyMC's normal density of the unknown, its logarithm or its natural value,
with the Jacobian due. Data, the numbers of the priors and the standardisation are ``pm.Data``, so that one compiled
model serves every data set of the same structure.
"""

import numpy as np

from sinklab.fit.bayes import backend, latent, vines
from sinklab.fit.bayes.groups import group_values
from sinklab.fit.bayes.held import Held
from sinklab.fit.bayes.likelihood import Likelihood
from sinklab.fit.bayes.scalars import collect
from sinklab.fit.bayes.translate import Quantity, Translation


class Builder:
    """Builds the PyMC model and keeps the arrays that it was given.

    ``structure`` tells all that the compiled code depends on besides the values of ``arrays``; ``scalars``
    are the unknowns that are not values of groups.
    """

    def __init__(self, spec, priors, near):
        self.spec, self.near = spec, near
        self.scalars = collect(spec, priors, near)

    def build(self):
        """Make the model.

        Returns
        -------
        model : pymc.Model
        """
        backend.load()
        import pymc as pm

        self.structure = [self.spec.system.text, self.spec.free, self.spec.common]
        with pm.Model(check_bounds=False) as model:
            self.pm, self.data = pm, Held(len(self.spec.y))
            self._unknowns()
            self.rows = {n: self._common_rows(n, i) for n, i in self.spec.common_rows.items()}
            for c, block in enumerate(self.spec.blocks):
                self._block(c, block)
            self._likelihood()
            self.data.fill(model)
        self.structure.append(self.data.structure)
        return model

    @property
    def arrays(self) -> dict:
        """The values of the model's data."""
        return self.data.arrays

    @property
    def sizes(self) -> dict:
        """What the axes of the data are called, see :class:`.held.Held`."""
        return self.data.sizes

    @property
    def held(self) -> dict:
        """Tensors of the data by name."""
        return self.data.tensors

    def hold(self, name, array, along=None):
        """Take an array into the model as data, once."""
        return self.data.take(name, array, along)

    def _unknowns(self):
        """The vector of scalar unknowns with its priors, and each of them by itself."""
        import pytensor.tensor as pt

        pm, s = self.pm, self.scalars
        size = len(s.keys)
        z = pm.Flat("z", shape=size)
        self.t = pm.Deterministic(
            "t", self.hold("start", s.start) + (self.hold("root", s.root()) * z).sum(axis=1)
        )
        plain = size - sum(d * (d - 1) // 2 for _, d, *_ in s.vines.values())
        value, jacobian = self._natural(self.t[:plain], plain)
        centre, scale = self.hold("centre", s.centre[:plain]), self.hold("scale", s.scale[:plain])
        pm.Potential("priors", (pm.logp(pm.Normal.dist(centre, scale), value) + jacobian).sum())
        self.conditionals = {}
        for name, (at, d, alpha, _) in s.vines.items():
            y = self.t[at : at + len(alpha)]
            # tanh(y) is Beta(alpha, alpha) on (-1, 1); log cosh, with its Jacobian, without overflow.
            bend = _log_two_cosh(y) - np.log(2.0)
            pm.Potential(f"prior_{name}", (-2 * self.hold(f"alpha_{name}", alpha) * bend).sum())
            partial = pt.tanh(y)
            rows = vines.cholesky([partial[i] for i in range(len(alpha))], d, pt.sqrt)
            self.conditionals[name] = vines.Conditionals(rows, pt.sqrt)
        self.structure.append((tuple(s.keys), tuple(s.natural), tuple(s.log), tuple(s.folded)))

    def _natural(self, t, n):
        """Unknowns on the scale of their prior, and the logarithm of the Jacobian."""
        import pytensor.tensor as pt

        s, value, jacobian = self.scalars, t, 0.0
        log, folded = np.array(s.natural[:n]) & np.array(s.log[:n]), np.array(s.folded[:n])
        # What is not transformed is kept from the functions, whose overflow would spoil the gradient.
        if log.any():
            inside = pt.switch(log, t, 0.0)
            value, jacobian = pt.switch(log, pt.exp(inside), value), jacobian + inside
        if folded.any():
            inside = pt.switch(folded, t, 0.0)
            value = pt.switch(folded, self.hold("unit", s.unit[:n]) * pt.sinh(inside), value)
            jacobian = jacobian + _log_two_cosh(inside)
        return value, jacobian

    def scalar(self, kind, name, natural=False):
        """One unknown, on the sampled or on its natural scale."""
        import pytensor.tensor as pt

        at = self.scalars.place(kind, name)
        if not natural:
            return self.t[at]
        if self.scalars.folded[at]:
            return self.held["unit"][at] * pt.sinh(self.t[at])
        return pt.exp(self.t[at])

    def _common_rows(self, name, place):
        return self.t[self.hold(f"level_{name}", place)] if np.ndim(place) else self.t[place]

    def _block(self, c, block):
        import pytensor.tensor as pt

        z = self.pm.Flat(f"z_{c}", shape=len(block.levels) * len(block.parameters))
        theta, u, log_size = group_values(self, c, block, z, pt)
        self.pm.Potential(f"groups_{c}", log_size.sum() - 0.5 * sum((x**2).sum() for x in u))
        self.pm.Deterministic(f"group_{c}", pt.stack(theta))
        level = self.hold(f"group_{c}_of_row", block.rows)
        for name, values in zip(block.parameters, theta, strict=True):
            self.rows[name] = values[level]
        self.structure.append((block.column, block.parameters, block.correlated, len(block.levels)))

    def _likelihood(self):
        import pytensor.tensor as pt

        columns = self.spec.columns | latent.true_predictors(self)
        parameters = {}
        for name, value in self.rows.items():
            positive = name in self.spec.positive
            parameters[name] = Quantity(pt.exp(value), value) if positive else Quantity(value)
        translation = Translation(self.spec.compiled, columns, parameters, self.hold)
        self.structure.append(Likelihood(self, translation, self.conditionals.get("correlation")).add())


def _log_two_cosh(x):
    """Logarithm of ``2 cosh(x)``, smooth and without overflow."""
    import pytensor.tensor as pt

    size = pt.abs(x)
    return size + pt.log1p(pt.exp(-2 * size))
