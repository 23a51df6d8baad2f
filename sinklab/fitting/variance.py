"""Variance functions: how the spread of the residuals grows, as text and as numbers."""

from dataclasses import dataclass

import numpy as np

from sinklab.language import DataError, listing, tr

FORMS = "none, power:mean, power:<column>, power:<column>=<exponent>, exp:<column>, lognormal"
#: Kinds without a function of anything: constant spread, of the response or of its logarithm.
EVEN = ("constant", "lognormal")


@dataclass(frozen=True)
class VarianceFunction:
    """Relative standard deviation of one equation, ``sd = sigma * g``.

    ``kind`` is ``constant`` (g = 1), ``lognormal`` (g = 1 on the scale of logarithms), ``power``
    (g = x^exponent) or ``exp`` (g = exp(exponent · x));
    ``by`` names the predictor, or ``mean`` for the prediction; ``exponent`` is None when it is estimated.
    """

    kind: str
    by: str = ""
    exponent: float | None = None

    @property
    def estimated(self) -> bool:
        """Whether the exponent is a free parameter."""
        return self.kind not in EVEN and self.exponent is None

    @property
    def start(self) -> float:
        """Exponent to start from: spread proportional to size for powers, none for exponentials."""
        if self.exponent is not None:
            return self.exponent
        return 1.0 if self.kind == "power" else 0.0


def _parse_one(text: str) -> VarianceFunction:
    spec = text.strip()
    if spec in ("none", "constant"):
        return VarianceFunction("constant")
    if spec == "lognormal":
        return VarianceFunction("lognormal")
    kind, _, rest = spec.partition(":")
    by, equals, number = (part.strip() for part in rest.partition("="))
    if kind not in ("power", "exp") or not by.isidentifier() or (equals and not number):
        raise ValueError(spec)
    if kind == "exp" and by == "mean":
        raise ValueError(spec)
    return VarianceFunction(kind, by, float(number) if equals else None)


def parse_variance(spec, free, predictors) -> dict[str, VarianceFunction]:
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
        One :class:`VarianceFunction` for each free response.

    Raises
    ------
    DataError
        All faults at once: unknown form, response or column.
    """
    if isinstance(spec, str):
        spec = _split(spec, free)
    problems = []
    unknown = [r for r in spec if r not in free]
    if unknown:
        problems.append(
            tr(
                f"no equation with a residual called {', '.join(unknown)}; there are {', '.join(free)}",
                f"没有名为 {'、'.join(unknown)} 的含残差方程；现有 {'、'.join(free)}",
            )
        )
    functions = {}
    for response in free:
        text = spec.get(response, "power:mean")
        try:
            functions[response] = _parse_one(text)
        except ValueError:
            problems.append(tr(f"{text!r} is none of: {FORMS}", f"{text!r} 不是以下形式之一：{FORMS}"))
            continue
        by = functions[response].by
        if by and by != "mean" and by not in predictors:
            problems.append(
                tr(
                    f"{text!r}: {by!r} is not a predictor of the system ({', '.join(predictors)})",
                    f"{text!r}：{by!r} 不是方程组的自变量（{'、'.join(predictors)}）",
                )
            )
    if problems:
        raise DataError(tr(f"variance: {listing(problems)}", f"方差函数：{listing(problems)}"))
    return functions


def _split(spec: str, free) -> dict[str, str]:
    """Split ``a=power:x=2,b=none`` at the equations; a text without one holds for all."""
    parts = {}
    for part in spec.split(","):
        name, equals, function = (p.strip() for p in part.partition("="))
        if equals and ":" not in name and name not in ("none", *EVEN):
            parts[name] = function
        else:
            return dict.fromkeys(free, spec)
    return parts


class Scale:
    """The functions of a system evaluated on its trees, with their derivatives.

    A predictor is divided by its geometric mean (power) or centred (exp), so that the exponent and
    sigma are nearly independent; :meth:`natural_sigma` undoes it.
    """

    def __init__(self, functions, columns):
        self.functions = list(functions.values())
        self.free = np.array([f.estimated for f in self.functions])
        self.start = np.array([f.start for f in self.functions])
        self.base, self.shift = [], []
        for function in self.functions:
            x = columns.get(function.by)
            if function.kind == "power" and x is not None:
                centre = np.mean(np.log(x))
                self.base.append(np.log(x) - centre)
            elif function.kind == "exp":
                centre = np.mean(x)
                self.base.append(x - centre)
            else:
                centre, values = 0.0, None
                self.base.append(values)
            self.shift.append(centre)

    def hold(self, mean) -> None:
        """Treat the present means as known where a variance follows the prediction."""
        for j, function in enumerate(self.functions):
            if function.by == "mean":
                self.base[j] = np.log(mean[:, j])

    def log_g(self, exponents, mean):
        """Logarithm of g. Arrays (n, m)."""
        out = np.zeros_like(mean)
        for j, function in enumerate(self.functions):
            if function.kind in EVEN:
                continue
            base = np.log(mean[:, j]) if self.base[j] is None else self.base[j]
            out[:, j] = exponents[j] * base
        return out

    def derivatives(self, exponents, mean, jacobian):
        """Derivatives of ln g by coefficients (n, m, k) or None, and by its own exponent (n, m)."""
        by_exponent = np.zeros_like(mean)
        by_coefficient = None
        for j, function in enumerate(self.functions):
            if function.kind in EVEN:
                continue
            if self.base[j] is not None:
                by_exponent[:, j] = self.base[j]
                continue
            by_exponent[:, j] = np.log(mean[:, j])
            if by_coefficient is None:
                by_coefficient = np.zeros_like(jacobian)
            by_coefficient[:, j] = exponents[j] * jacobian[:, j] / mean[:, j, None]
        return by_coefficient, by_exponent

    def pulled_back(self, exponents, mean, by_log_g):
        """Derivatives by ln g (n, m) carried to the means (n, m) and to the exponents (m,)."""
        by_mean, by_exponent = np.zeros_like(mean), np.zeros(len(self.functions))
        for j, function in enumerate(self.functions):
            if function.kind in EVEN:
                continue
            weight, base = by_log_g[:, j], self.base[j]
            if base is None:
                seen = weight != 0
                base = np.log(mean[:, j], out=np.zeros(len(mean)), where=seen)
                np.divide(exponents[j] * weight, mean[:, j], out=by_mean[:, j], where=seen)
            by_exponent[j] = weight @ base
        return by_mean, by_exponent

    def natural_sigma(self, sigma, exponents):
        """Sigma for predictors in their own unit instead of divided by their centre."""
        return sigma * np.exp(-np.asarray(exponents) * np.array(self.shift))
