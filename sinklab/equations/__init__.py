"""One equation text: read safely, held as a tree, turned into numbers, derivatives and print."""

from sinklab.equations.compile import Compiled, Evaluator
from sinklab.equations.system import System

__all__ = ["Compiled", "Evaluator", "System"]
