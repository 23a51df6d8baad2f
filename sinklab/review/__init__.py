"""Review: recompute what a table says from what it says of its origin."""
