"""sinklab: the workbench in which regional carbon-sink parameters are made.

A model is text (:class:`System`), a fit is a :class:`FitResult`, a published result is a
:class:`Table`. Names are loaded when first used, so that the command line starts quickly.

What stands in ``__all__`` is the public interface: it is typed, kept stable and tested. Chapters
(``sinklab.systems.karst``, ``sinklab.plots``, …) hold more, for notebooks of one subject.

In the examples of docstrings ``trees`` is ``sl.load("study:chinese_fir_simulated")``, ``fit`` is
``sl.fit(trees, "stem = a * dbh**b")``, ``table`` a :class:`Table` of it, ``stand_table`` one of stand biomass by age,
and ``folder`` an empty folder.
"""

import sys
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

#: Chapter of each public name (``__init__.pyi`` tells type checkers the same). None bears the name of a room.
_HOMES = {
    "average": "sinklab.assess.comparison",
    "beside": "sinklab.assess.comparison",
    "beside_fit": "sinklab.assess.comparison",
    "bootstrap": "sinklab.fitting.resample",
    "calibrated": "sinklab.results.calibration",
    "check_study": "sinklab.data.checks",
    "compare": "sinklab.assess.comparison",
    "convert": "sinklab.data.vocabulary",
    "deduct": "sinklab.propagate.deductions",
    "default_equation": "sinklab.evidence.pool_equations",
    "Desk": "sinklab.review.desk",
    "difference": "sinklab.propagate.inventory",
    "Distribution": "sinklab.evidence.distributions",
    "export_table": "sinklab.tables.export",
    "evaluate": "sinklab.evidence.equations",
    "Factor": "sinklab.propagate.model",
    "fit": "sinklab.fitting",
    "fit_by": "sinklab.fitting",
    "FitResult": "sinklab.results.fit_result",
    "from_moments": "sinklab.evidence.distributions",
    "Hierarchy": "sinklab.evidence.pooling",
    "influence": "sinklab.assess.validation",
    "Inventory": "sinklab.propagate.inventory",
    "lint": "sinklab.drafts.linting",
    "list_studies": "sinklab.data.catalogue",
    "list_tables": "sinklab.tables.table",
    "load": "sinklab.data.open_data",
    "load_ipython_extension": "sinklab.runs.magic",
    "set_table": "sinklab.runs.magic",
    "look_up": "sinklab.evidence.equations",
    "Model": "sinklab.propagate.model",
    "Noise": "sinklab.propagate.model",
    "plots_of_one_size": "sinklab.propagate.stands",
    "plot_plan": "sinklab.assess.plan",
    "Prior": "sinklab.fitting.bayes.priors",
    "publish": "sinklab.tables.table",
    "published": "sinklab.evidence.equations",
    "read": "sinklab.data.reading",
    "read_inventory": "sinklab.propagate.stands",
    "read_csv": "sinklab.data.files",
    "read_study": "sinklab.data.studies",
    "Region": "sinklab.data.regions",
    "release_table": "sinklab.tables.release",
    "render": "sinklab.drafts.rendering",
    "root": "sinklab.paths",
    "say": "sinklab.language",
    "SinklabError": "sinklab.language",
    "simulated_inventory": "sinklab.propagate.stands",
    "species": "sinklab.data.vocabulary",
    "stock": "sinklab.propagate.stocks",
    "summarise": "sinklab.evidence.pooling",
    "System": "sinklab.equations.system",
    "Table": "sinklab.tables.table",
    "tr": "sinklab.language",
    "transfer_test": "sinklab.assess.validation",
    "tree_plan": "sinklab.assess.plan",
    "validate": "sinklab.assess.validation",
    "variable": "sinklab.data.vocabulary",
    "Variance": "sinklab.results.variance",
    "verify": "sinklab.review.verification",
    "write_csv": "sinklab.data.files",
}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    """Import a public name from the chapter where it lives."""
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'sinklab' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)


def _in_notebook() -> None:
    """Have data frames shown as set tables where the library is imported in IPython or Jupyter."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None:
        import_module("sinklab.runs.magic").show_frames(shell)


_in_notebook()
