"""Priors: stated by the user, or weak ones built by a stated rule; their densities and their draws.

A stated prior is text such as ``"normal(2.4, 0.5)"``, under the name of what it is for:

=================== ============================================================ =========================
name                what                                                         families
=================== ============================================================ =========================
``a``, ``b``        a coefficient; for ``b[species]`` the mean over the groups   normal; lognormal if it multiplies a mean
``spread(b)``       SD between groups of b, or of log b if b multiplies a mean   halfnormal, lognormal
``sigma(agb)``      residual SD (lognormal: of the logarithm), at the centre of  halfnormal, lognormal
                    the variance function if its exponent is estimated
``exponent(agb)``   exponent of the variance function                            normal
``correlation``     residual correlation of the components                       lkj
``correlation(site)`` correlation of the coefficients over the levels of site    lkj
=================== ============================================================ =========================

``normal(mean, sd)``, ``lognormal(median, sd of the logarithm)``, ``halfnormal(scale)``, ``lkj(shape)``.
What is not stated takes the rule of ``data/rules/bayes_priors.csv``.
"""

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from sinklab.data.files import records
from sinklab.language import DataError, listing, require_known, tr

FAMILIES = {"normal": 2, "lognormal": 2, "halfnormal": 1, "lkj": 1}
_TEXT = re.compile(r"\s*(\w+)\s*\(([^()]*)\)\s*")


@dataclass(frozen=True)
class Prior:
    """Distribution of one quantity; ``centre`` is 0 for the families that have none.

    Examples
    --------
    >>> sl.Prior('b', 'normal', 2.4, 0.5, 'stated').text
    'normal(2.4, 0.5)'
    """

    name: str
    family: str
    centre: float
    scale: float
    origin: str

    @property
    def text(self) -> str:
        """As it can be stated."""
        if FAMILIES[self.family] == 1:
            return f"{self.family}({self.scale:.6g})"
        return f"{self.family}({self.centre:.6g}, {self.scale:.6g})"

    def gaussian(self, log: bool) -> tuple[float, float]:
        """Mean and SD of the nearest normal, of the quantity or of its logarithm."""
        if self.family == "lognormal":
            return (np.log(self.centre), self.scale) if log else (self.centre, self.centre * self.scale)
        if log:
            # A wide normal about 0 says little of the logarithm.
            size = max(abs(self.centre), self.scale)
            return float(np.log(size)), min(self.scale / size, 2.0)
        return self.centre, self.scale

    def log_density(self, value: ArrayLike) -> np.ndarray:
        """Log-density of positive values but for a constant."""
        if self.family == "lognormal":
            return -0.5 * (np.log(value / self.centre) / self.scale) ** 2 - np.log(value * self.scale)
        return -0.5 * ((value - self.centre) / self.scale) ** 2 - np.log(self.scale)

    def density(self, value: ArrayLike, positive: bool = False) -> np.ndarray:
        """Density; of what must be positive, that of the part above 0."""
        above = 1.0
        if self.family == "halfnormal" or (positive and self.family == "normal"):
            above = stats.norm.sf(0, self.centre, self.scale)
        return np.exp(self.log_density(value)) / np.sqrt(2 * np.pi) / above

    def draw(self, rng: np.random.Generator, size: Any, positive: bool = False) -> np.ndarray:
        """Random values; all of them positive if they must be."""
        normal = rng.standard_normal(size)
        if self.family == "lognormal":
            return self.centre * np.exp(self.scale * normal)
        values = (
            np.abs(self.scale * normal) if self.family == "halfnormal" else self.centre + self.scale * normal
        )
        while positive and (wrong := values <= 0).any():
            values[wrong] = self.draw(rng, int(wrong.sum()))
        return values


def parse(name: str, stated) -> Prior:
    """Read ``"normal(2.4, 0.5)"`` or a sequence ``("normal", 2.4, 0.5)``.

    Raises
    ------
    ValueError
        With what is wrong with it.
    """
    if isinstance(stated, str):
        found = _TEXT.fullmatch(stated)
        if not found:
            raise ValueError(stated)
        family, numbers = found[1].lower(), [float(part) for part in found[2].split(",")]
    else:
        family, numbers = str(stated[0]).lower(), [float(part) for part in stated[1:]]
    if family not in FAMILIES or len(numbers) != FAMILIES[family] or not np.isfinite(numbers).all():
        raise ValueError(stated)
    if numbers[-1] <= 0 or (family == "lognormal" and numbers[0] <= 0):
        raise ValueError(stated)
    centre = numbers[0] if len(numbers) == 2 else 0.0
    return Prior(name, family, centre, numbers[-1], "stated")


def _stated(stated) -> tuple[dict, dict]:
    """Stated priors by name, however they are held, and where they come from, if a column ``source`` tells."""
    if not isinstance(stated, pd.DataFrame):
        return dict(stated or {}), {}
    require_known(("name", "prior"), stated, place="priors")
    known = stated.assign(name=stated["name"].astype(str)).set_index("name")
    return known["prior"].to_dict(), known["source"].dropna().astype(
        str
    ).to_dict() if "source" in known else {}


@dataclass(frozen=True)
class Wanted:
    """What a prior is needed for: a row of the rule, the families it may have, and its own size.

    ``centre`` is the start value, None where the rule gives the centre; the scale of the rule is
    multiplied by ``unit``.
    """

    role: str
    families: tuple[str, ...]
    centre: float | None = None
    unit: float = 1.0


def complete(stated, wanted: dict[str, Wanted]) -> dict[str, Prior]:
    """Prior of every quantity: the stated ones, and the rule for the rest.

    Parameters
    ----------
    stated : mapping of str to str, or DataFrame with columns ``name, prior`` and perhaps ``source``, or None
        Such as the table that :meth:`sinklab.knowledge.PooledEquation.priors` makes of published equations.
    wanted : dict of Wanted
        By name of the quantity.

    Raises
    ------
    DataError
        Unknown names, texts that cannot be read, families that do not suit; all at once.
    """
    (stated, origins), found, problems = _stated(stated), {}, []
    for name in stated:
        if name not in wanted:
            problems.append(
                tr(
                    f"nothing is called {name!r}; there are {', '.join(wanted)}",
                    f"没有名为 {name!r} 的量；现有 {'、'.join(wanted)}",
                )
            )
    rules = {row["role"]: row for row in records("rules", "bayes_priors.csv", numbers=("scale",))}
    for name, need in wanted.items():
        if name not in stated:
            found[name] = _by_rule(name, need, rules[need.role])
            continue
        try:
            found[name] = replace(parse(name, stated[name]), origin=origins.get(name, "stated"))
            if found[name].family not in need.families:
                raise ValueError(stated[name])
        except (ValueError, TypeError, IndexError):
            shape = " | ".join(_shape(family) for family in need.families)
            problems.append(
                tr(
                    f"{name} = {stated[name]!r}; expected {shape} with a positive scale",
                    f"{name} = {stated[name]!r}；应为 {shape}，尺度须为正",
                )
            )
    if problems:
        raise DataError(f"priors: {listing(problems)}", f"先验：{listing(problems)}")
    return found


def _shape(family) -> str:
    return f"{family}(scale)" if FAMILIES[family] == 1 else f"{family}(centre, scale)"


def _by_rule(name, need, rule) -> Prior:
    centre = need.centre
    if centre is None:
        centre = float(rule["centre"]) if rule["family"] == "normal" else 0.0
    return Prior(name, rule["family"], centre, rule["scale"] * need.unit, "automatic")


def table(priors) -> pd.DataFrame:
    """Priors as rows ``name, prior, origin``."""
    return pd.DataFrame([{"name": p.name, "prior": p.text, "origin": p.origin} for p in priors.values()])
