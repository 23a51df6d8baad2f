"""The one result that every engine returns, and its parts."""

from sinklab.results.fit_result import FitResult
from sinklab.results.random import RandomEffects
from sinklab.results.residual import ResidualModel

__all__ = ["FitResult", "RandomEffects", "ResidualModel"]
