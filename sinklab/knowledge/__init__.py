"""Published equations as knowledge: look them up, doubt them, pool them into a default equation or a prior."""

from sinklab.knowledge.catalogue import equations, evaluate, heights
from sinklab.knowledge.lookup import look_up
from sinklab.knowledge.plausibility import check
from sinklab.knowledge.pool import default_equation, pool
from sinklab.knowledge.pooled import PooledEquation
from sinklab.knowledge.result import as_result

__all__ = [
    "PooledEquation",
    "as_result",
    "check",
    "default_equation",
    "equations",
    "evaluate",
    "heights",
    "look_up",
    "pool",
]
