"""How parameters vary between groups."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sinklab.results.plain import plain


@dataclass(frozen=True)
class RandomEffects:
    """How parameters vary between groups: normal deviations with mean zero.

    ``column`` is the data column of the groups; ``covariance`` (q, q) is labelled by the parameters
    that vary; ``multiplies`` names those whose deviation ``u`` multiplies by ``exp(u)`` instead of being
    added; ``effects`` holds the deviations of the groups seen, one row each, or None when the result
    was read from a table.
    """

    column: str
    covariance: pd.DataFrame
    multiplies: tuple[str, ...] = ()
    effects: pd.DataFrame | None = None

    @property
    def names(self) -> list[str]:
        """Parameters that vary."""
        return list(self.covariance.index)

    def drawn(self, values, labels, rng) -> np.ndarray:
        """Parameters (k,) of a group drawn at random."""
        roots, vectors = np.linalg.eigh(self.covariance.to_numpy())
        deviation = vectors @ (np.sqrt(np.clip(roots, 0, None)) * rng.standard_normal(len(roots)))
        moved = np.array(values, float)
        for name, u in zip(self.names, deviation, strict=True):
            place = labels.index(name)
            moved[place] = moved[place] * np.exp(u) if name in self.multiplies else moved[place] + u
        return moved

    def slopes(self, gradient, labels, values) -> np.ndarray:
        """Derivatives by the deviations (n, q), from those by the parameters (n, k), at no deviation."""
        places = [labels.index(name) for name in self.names]
        factor = [values[i] if n in self.multiplies else 1.0 for i, n in zip(places, self.names, strict=True)]
        return gradient[:, places] * np.array(factor)

    def to_json(self) -> dict:
        """Plain types; what does not exist is null."""
        return {
            "column": self.column,
            "names": self.names,
            "covariance": plain(self.covariance.to_numpy().tolist()),
            "multiplies": list(self.multiplies),
            "effects": None if self.effects is None else plain(self.effects.to_dict("index")),
        }
