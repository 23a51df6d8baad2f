"""Hierarchical pooling of scalar parameters: species within genus within family, by organ."""

from sinklab.hierarchy.model import LEVELS, Hierarchy, fit, with_taxonomy
from sinklab.hierarchy.scale import Scale
from sinklab.hierarchy.values import values

__all__ = ["LEVELS", "Hierarchy", "Scale", "fit", "values", "with_taxonomy"]
