"""What one equation leaves unexplained."""

from dataclasses import dataclass

import numpy as np

from sinklab.results.plain import plain


@dataclass(frozen=True)
class ResidualModel:
    r"""Standard deviation of what one equation leaves unexplained.

    ========= ==================================================
    kind      standard deviation of the residual
    ========= ==================================================
    constant  sigma
    power     sigma · x^exponent, x a predictor or the mean
    exp       sigma · exp(exponent · x)
    lognormal sigma on the scale of ln(response)
    ========= ==================================================

    ``by`` is the predictor, or ``"mean"`` for the prediction itself; ``fixed`` tells an exponent that
    was given from one that was estimated; ``freedom`` is n - p of the equation.
    """

    response: str
    kind: str
    sigma: float
    by: str = ""
    exponent: float = 0.0
    fixed: bool = True
    freedom: float = np.inf

    def sd(self, mean, data) -> np.ndarray:
        """Residual standard deviation on the natural scale, in the unit of the response."""
        if self.kind == "constant":
            return np.full(np.shape(mean), self.sigma)
        if self.kind == "lognormal":
            return np.asarray(mean) * np.sqrt(np.expm1(self.sigma**2))
        x = np.asarray(mean) if self.by == "mean" else np.asarray(data[self.by], float)
        if self.kind == "power":
            return self.sigma * np.abs(x) ** self.exponent
        return self.sigma * np.exp(self.exponent * x)

    @property
    def text(self) -> str:
        """The variance function as a formula."""
        if self.kind == "constant":
            return f"sd = {self.sigma:.6g}"
        if self.kind == "lognormal":
            return f"sd(ln {self.response}) = {self.sigma:.6g}"
        x = self.response if self.by == "mean" else self.by
        if self.kind == "power":
            return f"sd = {self.sigma:.6g} * {x}^{self.exponent:.6g}"
        return f"sd = {self.sigma:.6g} * exp({self.exponent:.6g} * {x})"

    @property
    def spec(self) -> str:
        """The variance function as the option ``variance`` takes it."""
        if self.kind in ("constant", "lognormal"):
            return {"constant": "none"}.get(self.kind, self.kind)
        return f"{self.kind}:{self.by}" + (f"={self.exponent:.12g}" if self.fixed else "")

    def to_json(self) -> dict:
        """Plain types; what does not exist is null."""
        return {
            "variance": self.spec,
            "kind": self.kind,
            "by": self.by or None,
            "exponent": plain(self.exponent),
            "exponent_fixed": bool(self.fixed),
            "sigma": plain(self.sigma),
            "function": self.text,
            "df": plain(self.freedom),
        }
