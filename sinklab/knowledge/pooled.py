"""A default equation pooled from published ones: its text, predictions with intervals, and priors."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from sinklab.errors import DataError
from sinklab.knowledge.pseudo import Lines
from sinklab.language import tr

KINDS = ("mean", "place", "individual")
LETTERS = "abc"


@dataclass(frozen=True, eq=False)
class PooledEquation:
    """A default equation with all that is uncertain about it.

    ``mean`` (p,) holds the level (logarithm of the response at ``centre``) and the exponents of
    ``predictors``; ``covariance`` (p, p) their sampling covariance; ``between`` (p, p) the covariance between
    places; ``residual`` the SD of single trees, in logarithms; ``freedom`` the degrees of freedom.
    ``borrowed`` says that ``between`` came from the wider group. ``rows`` are the equations used.
    """

    response: str
    predictors: tuple[str, ...]
    centre: dict[str, float]
    mean: np.ndarray
    covariance: np.ndarray
    between: np.ndarray
    residual: float
    freedom: float
    borrowed: bool
    ranges: dict[str, tuple[float, float]]
    n_tree: int
    lines: Lines = field(repr=False)
    rows: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Coefficients of the equation: the factor, then the exponents."""
        return tuple(LETTERS[: len(self.mean)])

    def equation(self, at: dict[str, float] | None = None) -> str:
        """The equation as text, such as ``agb = a * dbh**b``; see :meth:`values` for ``at``."""
        terms = [f"({x} / {at[x]:g})" if at else x for x in self.predictors]
        powers = " * ".join(f"{t}**{b}" for t, b in zip(terms, self.names[1:], strict=True))
        return f"{self.response} = a * {powers}"

    def values(self, at: dict[str, float] | None = None) -> dict[str, float]:
        """Coefficients; ``a`` is the response at a size of 1, or at the sizes ``at``."""
        value = self._move(at) @ self.mean
        return dict(zip(self.names, [float(np.exp(value[0])), *map(float, value[1:])], strict=True))

    def log_covariance(self, at=None, kind: str = "place") -> np.ndarray:
        """Covariance of ``ln a`` and the exponents: of the pooled line (``mean``) or of a new place."""
        move = self._move(at)
        return move @ (self.covariance + (self.between if kind != "mean" else 0)) @ move.T

    def _move(self, at) -> np.ndarray:
        """Matrix that moves the level from the centre to sizes ``at`` (1 of everything when left out)."""
        move = np.eye(len(self.mean))
        for j, x in enumerate(self.predictors, start=1):
            move[0, j] = np.log((at[x] if at else 1.0) / self.centre[x])
        return move

    def predict(self, data, level: float = 0.95, kind: str = "place") -> pd.DataFrame:
        """Predict with an interval.

        Parameters
        ----------
        data : DataFrame or mapping of str to array, shape (n,)
            The predictors: ``dbh`` [cm], and ``height`` [m] if the equation has it.
        level : float
        kind : "mean", "place" or "individual"
            Interval of the median place, of the curve of a new place, of one of its trees.

        Returns
        -------
        prediction : DataFrame
            For the response r: ``r`` (median place), ``r_lower``, ``r_upper`` in its unit, ``r_sd_log`` (SD of
            the logarithm) and ``out_of_range``.
        """
        if kind not in KINDS or not 0 < level < 1:
            raise DataError(
                tr(
                    f"kind {kind!r}, level {level}; expected one of {KINDS} and a level between 0 and 1",
                    f"kind {kind!r}、置信水平 {level}；应为 {KINDS} 之一，水平在 0 与 1 之间",
                )
            )
        columns = {x: np.asarray(data[x], float) for x in self.predictors}
        x = np.column_stack(
            [np.ones(len(columns[self.predictors[0]]))]
            + [np.log(columns[name] / self.centre[name]) for name in self.predictors]
        )
        spread = self.covariance + (self.between if kind != "mean" else 0)
        variance = np.einsum("ij,jk,ik->i", x, spread, x) + (self.residual**2 if kind == "individual" else 0)
        line, half = x @ self.mean, stats.t.ppf(0.5 + level / 2, self.freedom) * np.sqrt(variance)
        outside = np.zeros(len(x), bool)
        for name, (low, high) in self.ranges.items():
            outside |= (columns[name] < low) | (columns[name] > high)
        r = self.response
        return pd.DataFrame(
            {
                r: np.exp(line),
                f"{r}_lower": np.exp(line - half),
                f"{r}_upper": np.exp(line + half),
                f"{r}_sd_log": np.sqrt(variance),
                "out_of_range": outside,
            },
            index=data.index if isinstance(data, pd.DataFrame) else None,
        )

    def priors(self, at: dict[str, float] | None = None) -> pd.DataFrame:
        """What the literature says of the coefficients in a new place, as stated priors.

        Each is as wide as the distribution of a new place with its degrees of freedom. The factor at a
        size of 1 is strongly tied to the exponents, which stated priors cannot say: they are wider
        together than the literature is. With ``at`` in the middle of the trees they are nearly free of
        each other; the model must then be written as :meth:`equation` writes it.

        Returns
        -------
        priors : DataFrame
            ``name, prior, source``; the first two are what the Bayesian engine takes as ``priors``.
        """
        # As wide at 95 % as Student's t.
        widen = stats.t.ppf(0.975, self.freedom) / stats.norm.ppf(0.975)
        sd = widen * np.sqrt(np.diag(self.log_covariance(at)))
        texts = []
        for (name, value), s in zip(self.values(at).items(), sd, strict=True):
            family = "lognormal" if name == "a" else "normal"
            texts.append((name, f"{family}({value:.6g}, {s:.6g})"))
        frame = pd.DataFrame(texts, columns=["name", "prior"])
        return frame.assign(source=f"{len(self.rows)} published equations: {', '.join(self.sources)}")

    @property
    def sources(self) -> list[str]:
        """Sources of the equations used."""
        return sorted(self.rows["source_id"].unique())
