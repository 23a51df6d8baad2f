"""Published equations as knowledge: look them up, doubt them, pool them into a default equation or a prior."""

from sinklab.knowledge.catalogue import equations, evaluate, heights
from sinklab.knowledge.lookup import look_up
from sinklab.knowledge.plausibility import check

__all__ = ["check", "equations", "evaluate", "heights", "look_up"]
