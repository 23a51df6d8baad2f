"""What a project is credited with: the chain of its methodology, from plots to net removals."""
