"""sinklab: the workbench in which regional carbon-sink parameters are made.

A model is text (:class:`System`), a fit is a :class:`FitResult`, a published result is a
:class:`Table`. Names are loaded when first used, so that the command line starts quickly.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "System": "sinklab.equations.system",
    "fit": "sinklab.fitting",
    "FitResult": "sinklab.results.fit_result",
    "Table": "sinklab.tables.table",
    "read_study": "sinklab.data.studies",
    "list_studies": "sinklab.data.studies",
    "read_csv": "sinklab.data.files",
    "load": "sinklab.data.open_data",
    "convert": "sinklab.data.vocabulary",
    "SinklabError": "sinklab.language",
    "load_ipython_extension": "sinklab.runs.magic",  # %load_ext sinklab
}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name):
    """Import a public name from the room where it lives."""
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'sinklab' has no attribute {name!r}")


def __dir__():
    """List the public names, loaded or not."""
    return sorted(__all__)
