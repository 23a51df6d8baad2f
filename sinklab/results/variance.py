r"""The variance function: how the spread of what an equation leaves unexplained grows, in one place.

The residual standard deviation is :math:`\sigma\, g(x; \delta)` with :math:`x` a predictor or the
prediction itself. Every form of :math:`g` is one row of :data:`FORMS`; the engines (numpy, PyTensor), the
exports (spreadsheet, R) and the printed formulas all read it there. A :class:`Variance` says which form an
equation has, a :class:`ResidualModel` what a fit found for it.

========= ============================ ==================================================
kind      option ``variance``          standard deviation of the residual
========= ============================ ==================================================
constant  ``none``                     sigma
power     ``power:mean``, ``power:x``  sigma · x^exponent, x a predictor or the prediction
exp       ``exp:x``                    sigma · exp(exponent · x)
lognormal ``lognormal``                sigma on the scale of ln(response)
========= ============================ ==================================================

``power:x=2`` holds the exponent at 2; without a number it is estimated.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sinklab.language import DataError, Notes, listing, plain


@dataclass(frozen=True)
class Form:
    r"""One form of g, as functions of its exponent ``d`` and of its variable.

    ``g(x, d, library)`` takes the variable itself; ``log_g(base, d, library)`` and the two derivatives of it,
    ``by_exponent`` and ``by_base``, take its logarithm when ``of_log``. ``library`` gives ``abs``, ``exp`` and
    ``log``: numpy, PyTensor's tensors, or what an export writes with. ``options`` are the ways in which it may be
    asked for, ``start`` the exponent to start from and ``most`` the largest worth trying; ``text`` is g, ``latex``
    the whole standard deviation.
    """

    options: tuple[str, ...]
    of_log: bool
    start: float
    most: float
    g: Callable[..., Any]
    log_g: Callable[..., Any]
    by_exponent: Callable[..., Any]
    by_base: Callable[..., Any]
    text: str
    latex: str


#: Every form of g, by the kind that the option ``variance`` names.
FORMS = {
    "power": Form(
        options=("power:mean", "power:<column>", "power:<column>=<exponent>"),
        of_log=True,
        start=1.0,  # spread in proportion to size
        most=3.0,
        g=lambda x, d, library: library.abs(x) ** d,
        log_g=lambda base, d, library: d * base,
        by_exponent=lambda base, d: base,
        by_base=lambda base, d: d,
        text="{x}^{d}",
        latex=r"\sigma\,{{{x}}}^{{\delta}}",
    ),
    "exp": Form(
        options=("exp:<column>",),
        of_log=False,
        start=0.0,
        most=np.inf,
        g=lambda x, d, library: library.exp(d * x),
        log_g=lambda base, d, library: d * base,
        by_exponent=lambda base, d: base,
        by_base=lambda base, d: d,
        text="exp({d} * {x})",
        latex=r"\sigma\exp(\delta\,{x})",
    ),
}
#: Kinds without a function of anything: constant spread, of the response or of its logarithm.
EVEN = ("constant", "lognormal")
OPTIONS = ", ".join(["none", *(option for form in FORMS.values() for option in form.options), "lognormal"])


@dataclass(frozen=True)
class Variance:
    """Variance function of one equation.

    ``kind`` is one of :data:`EVEN` (g = 1, on the natural scale or on that of logarithms) or of :data:`FORMS`;
    ``by`` names the predictor, or ``mean`` for the prediction; ``exponent`` is None when it is estimated.
    """

    kind: str
    by: str = ""
    exponent: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Variance":
        """Read one function, such as ``power:dbh=2``.

        Raises
        ------
        ValueError
            The text is none of :data:`OPTIONS`.
        """
        spec = text.strip()
        if spec in ("none", *EVEN):
            return cls("constant" if spec == "none" else spec)
        kind, _, rest = spec.partition(":")
        by, equals, number = (part.strip() for part in rest.partition("="))
        if kind not in FORMS or not by.isidentifier() or (equals and not number):
            raise ValueError(spec)
        if by == "mean" and f"{kind}:mean" not in FORMS[kind].options:
            raise ValueError(spec)
        return cls(kind, by, float(number) if equals else None)

    @property
    def even(self) -> bool:
        """Whether the spread depends on nothing."""
        return self.kind in EVEN

    @property
    def logged(self) -> bool:
        """Whether it is the logarithm of the response that is normal."""
        return self.kind == "lognormal"

    @property
    def by_mean(self) -> bool:
        """Whether the spread follows the prediction."""
        return self.by == "mean"

    @property
    def estimated(self) -> bool:
        """Whether the exponent is a free parameter."""
        return not self.even and self.exponent is None

    @property
    def form(self) -> Form:
        """The row of :data:`FORMS`."""
        return FORMS[self.kind]

    @property
    def start(self) -> float:
        """Exponent to start from: the one that was given, else that of the form."""
        if self.exponent is not None:
            return self.exponent
        return 0.0 if self.even else self.form.start

    def variable(self, mean: Any, data: Any) -> Any:
        """What g depends on: the means, or a column of the data."""
        return mean if self.by_mean else np.asarray(data[self.by], float)

    def base(self, x: Any, library: Any = np) -> Any:
        """What of the variable :meth:`log_g` needs: its logarithm, or itself."""
        return library.log(x) if self.form.of_log else x

    def g(self, exponent: Any, x: Any, library: Any = np) -> Any:
        """Relative standard deviation at values of the variable."""
        return self.form.g(x, exponent, library)

    def log_g(self, exponent: Any, base: Any, about: Any = None, library: Any = np) -> Any:
        """Logarithm of g from the :meth:`base` of the variable; relative to g at the base ``about``, if given.

        Measured about a middle tree, exponent and sigma are nearly independent.
        """
        value = self.form.log_g(base, exponent, library)
        return value if about is None else value - self.form.log_g(about, exponent, library)

    def by_exponent(self, exponent: Any, base: Any, about: Any = None) -> Any:
        """Derivative of :meth:`log_g` by the exponent."""
        value = self.form.by_exponent(base, exponent)
        return value if about is None else value - self.form.by_exponent(about, exponent)

    def by_variable(self, exponent: Any, x: Any) -> Any:
        """Derivative of :meth:`log_g` by the variable, such as the mean."""
        slope = self.form.by_base(self.base(x), exponent)
        return slope / x if self.form.of_log else slope

    def scale(self, sigma: Any, exponent: Any, mean: Any, data: Any) -> np.ndarray:
        """Residual standard deviation, of the logarithm for lognormal residuals; arrays broadcast."""
        if self.even:
            return np.broadcast_to(sigma, np.broadcast_shapes(np.shape(sigma), np.shape(mean)))
        return np.asarray(sigma * self.g(exponent, self.variable(mean, data)))

    def residual(self, response: str, sigma: Any, exponent: Any, freedom: Any) -> "ResidualModel":
        """What a fit found for this function."""
        held = not self.estimated
        return ResidualModel(
            response, self.kind, float(sigma), self.by, float(exponent), held, float(freedom)
        )

    def observed(self, scale: Any, mean: Any, normal: Any, of_medians: bool = False) -> np.ndarray:
        """Individuals from standard normal numbers, their :meth:`scale`, and means (or medians)."""
        if not self.logged:
            return np.asarray(mean + scale * normal)
        return np.asarray(mean * np.exp(scale * normal - (0.0 if of_medians else scale**2 / 2)))


def parse_variance(
    spec: str | Mapping[str, str], free: Sequence[str], predictors: Collection[str]
) -> dict[str, Variance]:
    """Read the option ``variance``: one function for all equations, or one for each.

    Parameters
    ----------
    spec : str or mapping
        ``"power:mean"``, or ``"stem=power:dbh,root=none"`` (equations not named take ``power:mean``),
        or a mapping from response to function.
    free : sequence of str
        Responses that have a residual.
    predictors : collection of str
        Columns a variance function may depend on.

    Returns
    -------
    functions : dict
        One :class:`Variance` for each free response.

    Raises
    ------
    DataError
        All faults at once: unknown form, response or column.
    """
    if isinstance(spec, str):
        spec = _split(spec, free)
    problems = Notes()
    unknown = [r for r in spec if r not in free]
    if unknown:
        problems.add(
            f"no equation with a residual called {', '.join(unknown)}; there are {', '.join(free)}",
            f"没有名为 {'、'.join(unknown)} 的含残差方程；现有 {'、'.join(free)}",
        )
    functions = {}
    for response in free:
        text = spec.get(response, "power:mean")
        try:
            functions[response] = Variance.parse(text)
        except ValueError:
            problems.add(f"{text!r} is none of: {OPTIONS}", f"{text!r} 不是以下形式之一：{OPTIONS}")
            continue
        by = functions[response].by
        if by and by != "mean" and by not in predictors:
            problems.add(
                f"{text!r}: {by!r} is not a predictor of the system ({', '.join(predictors)})",
                f"{text!r}：{by!r} 不是方程组的自变量（{'、'.join(predictors)}）",
            )
    if problems:
        raise DataError(f"variance: {listing(problems)}", f"方差函数：{listing(problems)}")
    return functions


def _split(spec: str, free: Sequence[str]) -> dict[str, str]:
    """Split ``a=power:x=2,b=none`` at the equations; a text without one holds for all."""
    parts = {}
    for part in spec.split(","):
        name, equals, function = (p.strip() for p in part.partition("="))
        if equals and ":" not in name and name not in ("none", *EVEN):
            parts[name] = function
        else:
            return dict.fromkeys(free, spec)
    return parts


@dataclass(frozen=True)
class ResidualModel:
    r"""What one equation leaves unexplained: its variance function with the numbers of a fit.

    ``kind``, ``by`` and ``exponent`` are those of :class:`Variance`; ``fixed`` tells an exponent that was given
    from one that was estimated; ``freedom`` is n - p of the equation.
    """

    response: str
    kind: str
    sigma: float
    by: str = ""
    exponent: float = 0.0
    fixed: bool = True
    freedom: float = np.inf

    @property
    def variance(self) -> Variance:
        """The variance function, its exponent free where it was estimated."""
        return Variance(self.kind, self.by, self.exponent if self.fixed else None)

    def sd(self, mean: Any, data: Any) -> np.ndarray:
        """Residual standard deviation on the natural scale, in the unit of the response."""
        mean = np.asarray(mean)
        scale = self.variance.scale(self.sigma, self.exponent, mean, data)
        return mean * np.sqrt(np.expm1(scale**2)) if self.variance.logged else scale

    def observed(self, mean: Any, data: Any, normal: Any, of_medians: bool = False) -> np.ndarray:
        """Individuals with given means (or medians), from standard normal numbers."""
        scale = self.variance.scale(self.sigma, self.exponent, mean, data)
        return self.variance.observed(scale, mean, normal, of_medians)

    def standardised(self, observed: Any, predicted: Any, data: Any, correction: float = 1.0) -> np.ndarray:
        """Residuals over their standard deviation; those of lognormal ones are of the logarithms.

        ``correction`` is the factor that made means of medians.
        """
        observed, predicted = np.asarray(observed, float), np.asarray(predicted, float)
        if self.variance.logged:
            return np.asarray(np.log(observed / predicted * correction) / self.sigma)
        return np.asarray((observed - predicted) / self.sd(predicted, data))

    @property
    def text(self) -> str:
        """The standard deviation as a formula."""
        if self.variance.logged:
            return f"sd(ln {self.response}) = {self.sigma:.6g}"
        if self.variance.even:
            return f"sd = {self.sigma:.6g}"
        x = self.response if self.variance.by_mean else self.by
        g = self.variance.form.text.format(x=x, d=f"{self.exponent:.6g}")
        return f"sd = {self.sigma:.6g} * {g}"

    def latex(self, symbol: str, by: str) -> str:
        """The standard deviation in LaTeX, from the symbols of the response and of what it depends on."""
        if self.variance.logged:
            return rf"{symbol}\sqrt{{\exp(\sigma^{{2}}) - 1}}"
        return r"\sigma" if self.variance.even else self.variance.form.latex.format(x=by)

    @property
    def spec(self) -> str:
        """The variance function as the option ``variance`` takes it."""
        if self.variance.even:
            return {"constant": "none"}.get(self.kind, self.kind)
        return f"{self.kind}:{self.by}" + (f"={self.exponent:.12g}" if self.fixed else "")

    def to_json(self) -> dict[str, Any]:
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
