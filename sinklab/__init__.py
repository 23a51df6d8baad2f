"""sinklab: the workbench in which regional carbon-sink parameters are made.

A model is text (:class:`System`), a fit is a :class:`FitResult`, a published result is a
:class:`Table`. Names are loaded when first used, so that the command line starts quickly.

What stands in ``__all__`` is the public interface: it is typed, kept stable and tested. Chapters
(``sinklab.systems.karst``, ``sinklab.plots``, …) hold more, for notebooks of one subject.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sinklab.assess.comparison import average as average
    from sinklab.assess.comparison import compare as compare
    from sinklab.assess.plan import plot_plan as plot_plan
    from sinklab.assess.plan import tree_plan as tree_plan
    from sinklab.assess.validation import influence as influence
    from sinklab.assess.validation import transfer_test as transfer_test
    from sinklab.assess.validation import validate as validate
    from sinklab.data.catalogue import list_studies as list_studies
    from sinklab.data.checks import check_study as check_study
    from sinklab.data.files import read_csv as read_csv
    from sinklab.data.files import write_csv as write_csv
    from sinklab.data.open_data import load as load
    from sinklab.data.regions import Region as Region
    from sinklab.data.studies import read_study as read_study
    from sinklab.data.vocabulary import convert as convert
    from sinklab.data.vocabulary import species as species
    from sinklab.data.vocabulary import variable as variable
    from sinklab.drafts.linting import lint as lint
    from sinklab.drafts.rendering import render as render
    from sinklab.equations.system import System as System
    from sinklab.evidence.distributions import Distribution as Distribution
    from sinklab.evidence.distributions import from_moments as from_moments
    from sinklab.evidence.equations import look_up as look_up
    from sinklab.evidence.equations import published as published
    from sinklab.evidence.pool_equations import default_equation as default_equation
    from sinklab.evidence.pooling import Hierarchy as Hierarchy
    from sinklab.evidence.pooling import summarise as summarise
    from sinklab.fitting import fit as fit
    from sinklab.fitting import fit_by as fit_by
    from sinklab.fitting.bayes.priors import Prior as Prior
    from sinklab.fitting.resample import bootstrap as bootstrap
    from sinklab.language import SinklabError as SinklabError
    from sinklab.language import tr as tr
    from sinklab.propagate.deductions import deduct as deduct
    from sinklab.propagate.inventory import Inventory as Inventory
    from sinklab.propagate.inventory import difference as difference
    from sinklab.propagate.model import Factor as Factor
    from sinklab.propagate.model import Model as Model
    from sinklab.propagate.model import Noise as Noise
    from sinklab.propagate.stocks import stock as stock
    from sinklab.results.fit_result import FitResult as FitResult
    from sinklab.results.prediction import calibrated as calibrated
    from sinklab.results.variance import Variance as Variance
    from sinklab.review.desk import Desk as Desk
    from sinklab.review.verification import verify as verify
    from sinklab.runs.magic import load_ipython_extension as load_ipython_extension
    from sinklab.tables.export import export_table as export_table
    from sinklab.tables.release import release_table as release_table
    from sinklab.tables.table import Table as Table
    from sinklab.tables.table import list_tables as list_tables

#: Chapter of each public name. None bears the name of a room: ``sinklab.review`` is always the room.
_HOMES = {
    "assess.comparison": "average compare",
    "assess.plan": "plot_plan tree_plan",
    "assess.validation": "influence transfer_test validate",
    "data.catalogue": "list_studies",
    "data.checks": "check_study",
    "data.files": "read_csv write_csv",
    "data.open_data": "load",
    "data.regions": "Region",
    "data.studies": "read_study",
    "data.vocabulary": "convert species variable",
    "drafts.linting": "lint",
    "drafts.rendering": "render",
    "equations.system": "System",
    "evidence.distributions": "Distribution from_moments",
    "evidence.equations": "look_up published",
    "evidence.pool_equations": "default_equation",
    "evidence.pooling": "Hierarchy summarise",
    "fitting": "fit fit_by",
    "fitting.bayes.priors": "Prior",
    "fitting.resample": "bootstrap",
    "language": "SinklabError tr",
    "propagate.deductions": "deduct",
    "propagate.inventory": "Inventory difference",
    "propagate.model": "Factor Model Noise",
    "propagate.stocks": "stock",
    "results.fit_result": "FitResult",
    "results.prediction": "calibrated",
    "results.variance": "Variance",
    "review.desk": "Desk",
    "review.verification": "verify",
    "runs.magic": "load_ipython_extension",  # %load_ext sinklab
    "tables.export": "export_table",
    "tables.release": "release_table",
    "tables.table": "Table list_tables",
}
_CHAPTER = {name: chapter for chapter, names in _HOMES.items() for name in names.split()}

__all__ = ["__version__", *sorted(_CHAPTER)]


def __getattr__(name: str) -> Any:
    """Import a public name from the chapter where it lives."""
    if name in _CHAPTER:
        value = getattr(import_module(f"sinklab.{_CHAPTER[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'sinklab' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
