"""Review: recompute what a table says from what it says of its origin."""

from sinklab.review.verify import Verification, verify

__all__ = ["Verification", "verify"]
