"""Is a fit good enough: validation, influence, bias, equivalence, comparison, shape."""
