"""Drafts of standards: every number fetched from a parameter table, rendered to Word, HTML and PDF."""

from sinklab.drafts.description import names
from sinklab.drafts.render import render

__all__ = ["names", "render"]
