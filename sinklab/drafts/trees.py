"""The observations behind a table, for the figures of a draft."""

from sinklab import datasets
from sinklab.errors import SinklabError


def of_fit(fit):
    """Observations that a model was fitted to, if they are at hand and still the same files.

    Parameters
    ----------
    fit : FitResult
        Read from a table; ``source`` says where its data are and what they hashed to.

    Returns
    -------
    data : DataFrame or None
        None without them: a base without the open data can render every draft.
    """
    if fit.data is not None:
        return fit.data
    spec = fit.source.get("spec")
    if not spec:
        return None
    try:
        data = datasets.load(spec, fit.source.get("where") or {})
    except SinklabError:
        return None
    same = data.attrs["source"].get("files") == fit.source.get("files")
    return data if same else None
