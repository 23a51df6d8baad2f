"""Drafts of standards: every number fetched from a parameter table, rendered to Word, HTML and PDF."""
