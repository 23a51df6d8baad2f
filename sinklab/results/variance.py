r"""The residual: how the spread of what an equation leaves unexplained grows, and which distribution it has.

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
gamma     ``gamma``                    sigma · prediction; the shape is 1/sigma²
========= ============================ ==================================================

``power:x=2`` holds the exponent at 2; without a number it is estimated. Two terms are joined to a form by ``*``:

* ``ident:site``: sigma is another one in every group of a column, sigma · ratio, the first group having ratio 1 (``varIdent``
  of R's nlme). Groups that a fit has not seen get the ratio of all its trees together.
* ``t``, ``t=4``: Student's t in the place of the normal distribution, its degrees of freedom estimated or held; sigma is then the
  scale and the standard deviation :math:`\sigma g \sqrt{\nu / (\nu - 2)}`.

Alone, ``ident:site`` is that of a constant spread and ``t`` that of ``power:mean``. Lognormal and gamma stand alone.

Source
------
Pinheiro J.C., Bates D.M. (2000) Mixed-Effects Models in S and S-PLUS, section 5.2 (varIdent, varComb). Springer.
Lange K.L., Little R.J.A., Taylor J.M.G. (1989) Robust statistical modeling using the t distribution. JASA 84:881-896.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import special, stats

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
    "gamma": Form(
        options=("gamma",),
        of_log=True,
        start=1.0,
        most=1.0,
        g=lambda x, d, library: library.abs(x),
        log_g=lambda base, d, library: base,
        by_exponent=lambda base, d: base,
        by_base=lambda base, d: 1.0,
        text="{x}",
        latex=r"\sigma\,{{{x}}}",
    ),
}
#: Kinds without a function of anything: constant spread, of the response or of its logarithm.
EVEN = ("constant", "lognormal")
_FORMS = ["none", *(option for form in FORMS.values() for option in form.options), "lognormal"]
OPTIONS = ", ".join([*_FORMS, "ident:<column>", "t", "t=<degrees of freedom>", "power:mean*ident:<column>*t"])
#: Degrees of freedom of Student's t that are looked for: below the first there is no variance, the last is nearly normal.
TAILS = (2.1, 200.0)


@dataclass(frozen=True)
class Variance:
    """Variance function and distribution of one equation.

    ``kind`` is one of :data:`EVEN` (g = 1, on the natural scale or on that of logarithms) or of :data:`FORMS`;
    ``by`` names the predictor, or ``mean`` for the prediction; ``exponent`` is None when it is estimated. ``ident`` names the
    column whose groups have a sigma of their own; ``tail`` holds the degrees of freedom of Student's t, infinite for others,
    None when they are estimated.

    Examples
    --------
    >>> sl.Variance.parse('power:dbh').by
    'dbh'
    """

    kind: str
    by: str = ""
    exponent: float | None = None
    ident: str = ""
    tail: float | None = np.inf

    @classmethod
    def parse(cls, text: str) -> "Variance":
        """Read one function, such as ``power:dbh=2`` or ``power:mean*ident:site*t``.

        Raises
        ------
        ValueError
            The text is none of :data:`OPTIONS`.
        """
        form, ident, tail = [], [], []
        for term in (part.strip() for part in text.split("*")):
            head = term.replace("=", ":").partition(":")[0].strip()
            {"ident": ident, "t": tail}.get(head, form).append(term)
        if max(map(len, (form, ident, tail))) > 1:
            raise ValueError(text)
        found = cls._form(form[0] if form else "power:mean" if tail and not ident else "none")
        column = ident[0].partition(":")[2].strip() if ident else ""
        degrees: float | None = np.inf
        if tail:
            equals, number = (part.strip() for part in tail[0].partition("=")[1:])
            degrees = float(number) if equals else None
        alone = found.kind in ("lognormal", "gamma") and (ident or tail)
        if alone or (ident and not column.isidentifier()) or not (degrees is None or degrees > TAILS[0]):
            raise ValueError(text)
        return cls(found.kind, found.by, found.exponent, column, degrees)

    @classmethod
    def _form(cls, spec) -> "Variance":
        if spec in ("none", *EVEN):
            return cls("constant" if spec == "none" else spec)
        kind, _, rest = spec.partition(":")
        if spec == "gamma":
            return cls("gamma", "mean", 1.0)
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
    def family(self) -> str:
        """Distribution: ``normal``, ``lognormal``, ``gamma`` or ``t``."""
        if self.kind in ("lognormal", "gamma"):
            return self.kind
        return "normal" if self.tail == np.inf else "t"

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

    def residual(
        self, response: str, sigma: Any, exponent: Any, freedom: Any, tail: float = np.inf, ratios: Any = None
    ) -> "ResidualModel":
        """What a fit found for this function."""
        told = (self.by, float(exponent), not self.estimated, float(freedom))
        more = (float(tail), self.tail is not None, self.ident, dict(ratios or {}))
        return ResidualModel(response, self.kind, float(sigma), *told, *more)

    def observed(self, scale: Any, mean: Any, normal: Any, of_medians: bool = False) -> np.ndarray:
        """Individuals from standard normal numbers, their :meth:`scale`, and means (or medians)."""
        if self.logged:
            return np.asarray(mean * np.exp(scale * normal - (0.0 if of_medians else scale**2 / 2)))
        if self.kind == "gamma":
            shape = (mean / scale) ** 2
            return np.asarray(mean * special.gammaincinv(shape, special.ndtr(normal)) / shape)
        if self.family == "t":
            # Beyond eight standard deviations the distribution function is one.
            normal = np.clip(normal, -8, 8)
            normal = -np.sign(normal) * special.stdtrit(self.tail, special.ndtr(-np.abs(normal)))
        return np.asarray(mean + scale * normal)


def parse_variance(
    spec: str | Mapping[str, str],
    free: Sequence[str],
    predictors: Collection[str],
    columns: Collection[str] | None = None,
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
    columns : collection of str, optional
        Columns whose groups may have constants of their own; not looked at when left out.

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
        known = functions[response]
        if known.ident and columns is not None and known.ident not in columns:
            problems.add(
                f"{text!r}: the data have no column {known.ident!r} of groups",
                f"{text!r}：数据中没有分组列 {known.ident!r}",
            )
        by = known.by
        if by and by != "mean" and by not in predictors:
            problems.add(
                f"{text!r}: {by!r} is not a predictor of the system ({', '.join(predictors)})",
                f"{text!r}：{by!r} 不是方程组的自变量（{'、'.join(predictors)}）",
            )
    if problems:
        raise DataError(f"variance: {listing(problems)}", f"方差函数：{listing(problems)}")
    return functions


def require_level(level: float) -> None:
    """Refuse a level of intervals that is no share."""
    if not 0 < level < 1:
        raise DataError(
            f"level must lie between 0 and 1, found {level}", f"置信水平应在 0 与 1 之间，而不是 {level}"
        )


def require_families(functions: Mapping[str, Variance], method: str, ident: bool) -> None:
    """Refuse what a method cannot fit: gamma and t, and groups with a sigma of their own unless ``ident``.

    Raises
    ------
    DataError
    """
    told = [f"{r} {f.family}" for r, f in functions.items() if f.family in ("gamma", "t")]
    told += [] if ident else [f"{r} ident:{f.ident}" for r, f in functions.items() if f.ident]
    if told:
        shown = ", ".join(told)
        raise DataError(
            f"method {method} does not take these residuals: {shown}; use wls or nsur, or power:mean",
            f"方法 {method} 不支持以下残差形式：{shown}；请改用 wls 或 nsur，或用 power:mean",
        )


def _split(spec: str, free: Sequence[str]) -> dict[str, str]:
    """Split ``a=power:x=2,b=none`` at the equations; a text without one holds for all."""
    parts = {}
    for part in spec.split(","):
        name, equals, function = (p.strip() for p in part.partition("="))
        if equals and name.isidentifier() and name not in ("none", "t", *EVEN):
            parts[name] = function
        else:
            return dict.fromkeys(free, spec)
    return parts


def widening(tail: float) -> float:
    """Standard deviation over scale for degrees of freedom of Student's t."""
    return 1.0 if np.isinf(tail) else float(np.sqrt(tail / (tail - 2)))


def gamma_shape(ratio: np.ndarray) -> float:
    """Most likely shape of a gamma distribution, from observations over their means (n,)."""
    half = float(np.mean(ratio - 1 - np.log(ratio)))
    log_shape = -np.log(2 * max(half, np.finfo(float).tiny))
    for _ in range(60):
        shape = np.exp(log_shape)
        away = log_shape - special.digamma(shape) - half
        step = away / (1 - shape * special.polygamma(1, shape))
        log_shape -= step
        if abs(step) < 1e-13:
            break
    return float(np.exp(log_shape))


#: Constants of groups that a formula shows.
SHOWN_RATIOS = 6


@dataclass(frozen=True)
class ResidualModel:
    r"""What one equation leaves unexplained: its variance function with the numbers of a fit.

    ``kind``, ``by`` and ``exponent`` are those of :class:`Variance`; ``fixed`` tells an exponent that was given
    from one that was estimated; ``freedom`` is n - p of the equation. ``tail`` holds the degrees of freedom of Student's t
    (infinite: normal), ``tail_fixed`` whether they were given; ``ratios`` the factor of sigma in each group of the column
    ``ident``, that of all trees together under "".
    """

    response: str
    kind: str
    sigma: float
    by: str = ""
    exponent: float = 0.0
    fixed: bool = True
    freedom: float = np.inf
    tail: float = np.inf
    tail_fixed: bool = True
    ident: str = ""
    ratios: dict[str, float] = field(default_factory=dict)

    @property
    def variance(self) -> Variance:
        """The variance function, its exponent free where it was estimated."""
        return Variance(self.kind, self.by, self.exponent if self.fixed else None, self.ident, self.tail)

    @property
    def n_estimated(self) -> int:
        """Numbers of it that were estimated, sigma left out."""
        return (not self.fixed) + (not self.tail_fixed) + max(len(self.ratios) - 2, 0)

    def scale(self, mean: Any, data: Any) -> np.ndarray:
        """Scale of the residuals, of the logarithm for lognormal ones; data without groups have that of all together."""
        found = self.variance.scale(self.sigma, self.exponent, mean, data)
        if not self.ident:
            return found
        if self.ident not in data:
            return np.asarray(found * self.ratios[""])
        levels = np.asarray(data[self.ident]).astype(str)
        return np.asarray(found * [self.ratios.get(level, self.ratios[""]) for level in levels])

    def sd(self, mean: Any, data: Any) -> np.ndarray:
        """Residual standard deviation on the natural scale, in the unit of the response."""
        mean = np.asarray(mean)
        scale = self.scale(mean, data)
        return mean * np.sqrt(np.expm1(scale**2)) if self.variance.logged else scale * widening(self.tail)

    def observed(self, mean: Any, data: Any, normal: Any, of_medians: bool = False) -> np.ndarray:
        """Individuals with given means (or medians), from standard normal numbers."""
        return self.variance.observed(self.scale(mean, data), mean, normal, of_medians)

    def scores(self, observed: Any, mean: Any, scale: Any) -> np.ndarray:
        """Standard normal numbers that stand as far out as observations with some means and scales, natural or gamma and t."""
        if self.variance.family == "normal":
            return np.asarray((observed - mean) / scale)
        law, x = self._law(observed, mean, scale)
        # Logarithms of both tails: far out the distribution function itself is one.
        above, below = law.logsf(x), law.logcdf(x)
        return np.asarray(np.where(above < below, -special.ndtri_exp(above), special.ndtri_exp(below)))

    def log_density(self, observed: Any, mean: Any, scale: Any) -> np.ndarray:
        """Logarithm of the density of observations; lognormal ones are given as logarithms with those of their medians."""
        law, x = self._law(observed, mean, scale)
        return np.asarray(law.logpdf(x) + np.log(np.abs(x / observed) if self.kind == "gamma" else 1 / scale))

    def _law(self, observed, mean, scale):
        """Standard distribution, and where observations stand in it."""
        if self.kind == "gamma":
            shape = (mean / scale) ** 2
            return stats.gamma(shape), observed / mean * shape
        law = stats.norm if np.isinf(self.tail) else stats.t(self.tail)
        return law, (observed - mean) / scale

    def standardised(self, observed: Any, predicted: Any, data: Any, correction: float = 1.0) -> np.ndarray:
        """Residuals over their standard deviation; of the logarithms where they are lognormal, normal scores of gamma and t.

        ``correction`` is the factor that made means of medians.
        """
        observed, predicted = np.asarray(observed, float), np.asarray(predicted, float)
        if self.variance.logged:
            return np.asarray(np.log(observed / predicted * correction) / self.sigma)
        return self.scores(observed, predicted, self.scale(predicted, data))

    @property
    def text(self) -> str:
        """The standard deviation as a formula."""
        if self.variance.logged:
            return f"sd(ln {self.response}) = {self.sigma:.6g}"
        text = f"sd = {self.sigma:.6g}"
        if not self.variance.even:
            x = self.response if self.variance.by_mean else self.by
            text += " * " + self.variance.form.text.format(x=x, d=f"{self.exponent:.6g}")
        if self.ident:
            shown = [f"{level} {ratio:.4g}" for level, ratio in self.ratios.items() if level]
            more = ", …" if len(shown) > SHOWN_RATIOS else ""
            text += f" * {self.ident}({', '.join(shown[:SHOWN_RATIOS])}{more})"
        if self.variance.family == "t":
            text = f"scale{text[2:]}, Student t {self.tail:.4g} (sd = {widening(self.tail):.4g} scale)"
        return f"{text}, gamma of shape {self.sigma**-2:.4g}" if self.kind == "gamma" else text

    def latex(self, symbol: str, by: str) -> str:
        """The standard deviation in LaTeX, from the symbols of the response and of what it depends on."""
        if self.variance.logged:
            return rf"{symbol}\sqrt{{\exp(\sigma^{{2}}) - 1}}"
        text = r"\sigma" if self.variance.even else self.variance.form.latex.format(x=by)
        # Groups have factors of their own, and a scale of Student's t is less than its deviation.
        text += r"\,\gamma_{g}" if self.ident else ""
        return text + (rf"\sqrt{{{self.tail:.4g} / {self.tail - 2:.4g}}}" if np.isfinite(self.tail) else "")

    @property
    def spec(self) -> str:
        """The variance function as the option ``variance`` takes it."""
        if self.variance.even or self.kind == "gamma":
            text = {"constant": "none"}.get(self.kind, self.kind)
        else:
            text = f"{self.kind}:{self.by}" + (f"={self.exponent:.12g}" if self.fixed else "")
        text += f"*ident:{self.ident}" if self.ident else ""
        tail = f"*t={self.tail:.12g}" if self.tail_fixed else "*t"
        return text + (tail if self.variance.family == "t" else "")

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
            "family": self.variance.family,
            "tail": None if np.isinf(self.tail) else plain(self.tail),
            "tail_fixed": bool(self.tail_fixed),
            "ident": {"column": self.ident, "ratios": plain(self.ratios)} if self.ident else None,
        }
