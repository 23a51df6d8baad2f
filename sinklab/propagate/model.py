"""A fitted equation made ready for propagation: draws of its parameters, means, residuals, slopes."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from sinklab.equations import System
from sinklab.equations.compile import Compiled
from sinklab.equations.groups import Layout
from sinklab.errors import DataError
from sinklab.language import tr
from sinklab.propagate import streams
from sinklab.propagate.levels import PARAMETERS


@dataclass(frozen=True, eq=False)
class Model:
    """An equation whose parameters are uncertain together, and what it leaves unexplained.

    Two models of the same ``name`` are one model: their parameters are drawn once. Made from a fit
    with :meth:`of`.

    Attributes
    ----------
    responses : tuple of str
        Left sides whose sum is wanted.
    values : array, shape (k,)
        Estimates.
    covariance : array, shape (k, k)
    pool : array, shape (n_pool, k), optional
        Joint draws, of a posterior or a bootstrap. More draws than the pool holds use each row
        equally often. Without a pool the parameters are drawn from estimates and covariance.
    on_log : array of bool, shape (k,), optional
        Parameters drawn as logarithms.
    sigma : float
        Standard deviation of the residual on the logarithmic scale; 0 when there is none.
    correction : mapping of str to float
        Factor on the back-transformed mean of each free response.
    fit : FitResult, optional
        Gives the residual standard deviation on the natural scale.
    """

    name: str
    system: System
    responses: tuple[str, ...]
    values: np.ndarray
    covariance: np.ndarray
    pool: np.ndarray | None = None
    on_log: np.ndarray | None = None
    sigma: float = 0.0
    correction: dict = field(default_factory=dict)
    layout: Layout | None = None
    fit: object = None

    @classmethod
    def of(cls, fit, responses, name: str = "") -> "Model":
        """Model of some responses of a fit, or of a model read from a table.

        Parameters
        ----------
        fit : FitResult
        responses : str or sequence of str
            Several are added: ``("agb", "root")``.
        name : str
            Label of the fit when left out; names the parameters that are shared.

        Raises
        ------
        DataError
            A response that the fit does not have.
        """
        wanted = (responses,) if isinstance(responses, str) else tuple(responses)
        absent = [r for r in wanted if r not in fit.system.responses]
        if absent or not wanted:
            known = ", ".join(fit.system.responses)
            raise DataError(
                tr(
                    f"{name or fit.label}: no response {', '.join(absent)}; there are: {known}",
                    f"{name or fit.label}：没有因变量 {'、'.join(absent)}；现有：{known}",
                )
            )
        sampled = fit.method == "bayes" or fit.certificate.get("bootstrap")
        alone = len(wanted) == 1 and wanted[0] in fit.residual
        model = fit.residual[wanted[0]] if alone else None
        return cls(
            name=name or fit.label or wanted[0],
            system=fit.system,
            responses=wanted,
            values=fit.values,
            covariance=fit.covariance.to_numpy(float),
            pool=fit.stored_draws[fit.labels].to_numpy(float) if sampled else None,
            on_log=fit.log_coefficients() | leading_coefficients(fit),
            sigma=model.sigma if model is not None and model.kind == "lognormal" else 0.0,
            correction={r: c for r, c in fit.correction.items() if c != 1} if fit.of_medians else {},
            layout=fit.layout,
            fit=fit,
        )

    def draws(self, n: int, seed: int) -> np.ndarray:
        """Joint draws of the parameters, shape (n, k); the first rows do not depend on ``n``.

        Rows of a pool are put in an order that only this model has: two tables made with the same
        seed would otherwise go up and down together.
        """
        if self.pool is not None:
            size = len(self.pool)
            rounds = range(-(-n // size))
            order = [streams.stream(seed, PARAMETERS, self.name, r).permutation(size) for r in rounds]
            return self.pool[np.concatenate(order)[:n]]
        on_log = np.zeros(len(self.values), bool) if self.on_log is None else self.on_log
        centre, scale = self.values.copy(), np.ones(len(self.values))
        centre[on_log], scale[on_log] = np.log(self.values[on_log]), 1 / self.values[on_log]
        # Eigenvalues instead of Cholesky: a covariance may be singular to rounding.
        roots, vectors = np.linalg.eigh(self.covariance * np.outer(scale, scale))
        normal = streams.stream(seed, PARAMETERS, self.name).standard_normal((n, len(centre)))
        drawn = centre + normal @ (vectors * np.sqrt(np.clip(roots, 0, None))).T
        drawn[:, on_log] = np.exp(drawn[:, on_log])
        return drawn

    def light(self) -> "Model":
        """The model without draws and fit: what evaluating it needs, small enough to be sent."""
        return replace(self, pool=None, layout=None, fit=None)

    @property
    def predictors(self) -> tuple[str, ...]:
        """Columns that the responses need."""
        return self._program.columns

    @cached_property
    def _program(self) -> Compiled:
        wanted = self.system.free if self.correction else self.responses
        return Compiled(self.system.equations, wanted, self.system.parameters)

    @cached_property
    def _identities(self) -> Compiled:
        lines = [e for e in self.system.equations if e.response in self.system.identities]
        return Compiled(tuple(lines), self.system.identities, self.system.free)

    def places(self, data, n) -> list:
        """Position of every parameter in the long vector, by row where it varies by group."""
        if self.layout is None or not self.layout.grouped:
            return list(range(len(self.system.parameters)))
        return self.layout.rows(data, n)

    def mass(self, theta, columns, places) -> np.ndarray:
        """Sum of the responses.

        Parameters
        ----------
        theta : array, shape (n_draw, k)
        columns : mapping of str to array, shape (n,) or (n_draw, n)
        places : list
            As :meth:`places` gives them.

        Returns
        -------
        mass : array, shape (n_draw, n) or (n_draw, 1)
            In the unit of the responses.
        """
        found = self._program.broadcast(_by_place(theta, places), columns)
        if self.correction:
            free = {r: f * self.correction.get(r, 1.0) for r, f in zip(self.system.free, found, strict=True)}
            if set(self.responses) - set(free):
                parts = self._identities.broadcast([free[r] for r in self.system.free], columns)
                free |= dict(zip(self.system.identities, parts, strict=True))
            found = [free[r] for r in self.responses]
        return sum(found[1:], start=found[0])

    def centre(self, columns, places, n) -> np.ndarray:
        """Sum of the responses at the estimates, shape (n,)."""
        return np.broadcast_to(self.mass(self.values[None], columns, places)[0], (n,)).astype(float)

    def residual_sd(self, data, n) -> np.ndarray:
        """Standard deviation of the residual of the sum, shape (n,); zeros where the model has none.

        For a single response of a log-linear fit it is exact on the logarithmic scale (:attr:`sigma`)
        and only informs Approach 1; a sum of responses honours their correlation.
        """
        frame = {c: np.asarray(data[c], float) for c in self.predictors}
        places = self.places(data, n)
        if self.fit is None:
            return self.centre(frame, places, n) * np.sqrt(np.expm1(self.sigma**2))
        import pandas as pd

        from sinklab.prediction import residual_variance

        free = dict(zip(self.system.free, self._free(self.values[None], frame, places), strict=True))
        free = {r: np.broadcast_to(value[0], (n,)) for r, value in free.items()}
        outer, rows = self._outer(free, frame, n), pd.DataFrame(frame, index=range(n))
        variance = residual_variance(self.fit, outer, rows, free)
        return np.sqrt(np.broadcast_to(variance, (n,)))

    def _free(self, theta, columns, places) -> list[np.ndarray]:
        """Means of all free responses, corrected."""
        compiled = Compiled(self.system.equations, self.system.free, self.system.parameters)
        found = compiled.broadcast(_by_place(theta, places), columns)
        return [f * self.correction.get(r, 1.0) for r, f in zip(self.system.free, found, strict=True)]

    def _outer(self, free, frame, n) -> dict[str, np.ndarray]:
        """Derivative of the sum of the responses by each free response that it is made of."""
        from sinklab.equations.parts import slopes

        inner = slopes(self.system, free, frame)
        total: dict[str, np.ndarray] = {}
        for response in self.responses:
            for part, d in inner.get(response, {response: np.ones(n)}).items():
                total[part] = total.get(part, 0.0) + d
        return total

    def slopes(self, data, n) -> np.ndarray:
        """Derivatives of the sum by the parameters at the estimates, shape (n, k)."""
        layout = self.layout or Layout(self.system, self.system.parameters, ("",) * len(self.values))
        frame = {c: np.asarray(data[c], float) for c in self.predictors}
        frame |= {g: np.asarray(data[g]).astype(str) for g in self.system.groups.values()}
        if not self.correction:
            return layout.at(frame, self.responses, n).mean_and_jacobian(self.values)[1].sum(axis=1)
        free, inner = layout.at(frame, self.system.free, n).mean_and_jacobian(self.values)
        factor = np.array([self.correction.get(r, 1.0) for r in self.system.free])
        means = dict(zip(self.system.free, (free * factor).T, strict=True))
        total = np.zeros((n, len(self.values)))
        for part, d in self._outer(means, frame, n).items():
            i = self.system.free.index(part)
            total += (d * factor[i])[:, None] * inner[:, i]
        return total


def notes_of(models) -> list[str]:
    """What the draws of some models leave out, in words."""
    found = []
    for model in models:
        random = getattr(model.fit, "random", None)
        if random is not None:
            found.append(
                tr(
                    f"{model.name}: parameters at the mean of the {random.column} levels; the spread between them is "
                    "not counted (add a Noise of the mass by that column)",
                    f"{model.name}：参数取 {random.column} 各水平的均值；水平间的差异未计入（可按该列加一项质量误差）",
                )
            )
    return list(dict.fromkeys(found))


def leading_coefficients(fit) -> np.ndarray:
    r"""Mask of the positive parameters that multiply a product of powers, shape (k,).

    With :math:`a` and :math:`b` of :math:`a x^b` as correlated as they always are, normal draws of both
    scatter far more than the curve itself; with :math:`\ln a` they follow it.
    """
    names = set()
    for response in fit.system.free:
        form = fit.system.power_product(response)
        if form is not None and not form.log:
            names.add(form.coefficient)
    parameters = fit.parameters
    return np.array([n in names for n in parameters["name"]], bool) & (fit.values > 0)


def _by_place(theta, places) -> list[np.ndarray]:
    """Each parameter as (n_draw, 1), or as (n_draw, n) where it varies by row."""
    return [theta[:, p, None] if np.ndim(p) == 0 else theta[:, p] for p in places]
