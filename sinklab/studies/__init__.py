"""Field studies: a folder with the raw table, what its columns mean, what was corrected and why.

``data/studies/<id>/`` holds four files. ``data.csv`` is kept as received. ``columns.csv`` gives each
raw column its vocabulary variable, the unit it was written in and, for masses, what exactly was
weighed. ``corrections.csv`` changes single cells, each with old value, new value, reason and name.
``study.yml`` says what the study is.
"""

from difflib import get_close_matches
from pathlib import Path

from sinklab import paths
from sinklab.errors import DataError, listing
from sinklab.language import tr

FILES = ("data.csv", "columns.csv", "corrections.csv", "study.yml")


def list_studies() -> tuple[str, ...]:
    """Ids of the studies under ``data/studies``, sorted."""
    return tuple(sorted(path.parent.name for path in paths.data("studies").glob("*/study.yml")))


def study_folder(study_id) -> Path:
    """Folder of a study, by its id or by the path of a folder.

    Raises
    ------
    DataError
        With the ids that exist.
    """
    folder = Path(study_id)
    if folder.is_dir() and (folder / "study.yml").is_file():
        return folder.resolve()
    folder = paths.data("studies", str(study_id))
    if str(study_id) and (folder / "study.yml").is_file():
        return folder
    known = list_studies()
    near = get_close_matches(str(study_id), known, n=3) or known
    raise DataError(
        tr(
            f"study {str(study_id)!r} does not exist in data/studies; known: {', '.join(near) or 'none'}",
            f"data/studies 中没有研究 {str(study_id)!r}；已有：{'、'.join(near) or '无'}",
        )
    )


def study_files(study_id) -> list[Path]:
    """Return the four files of a study."""
    folder = study_folder(study_id)
    return [folder / name for name in FILES]


def read_study(study_id):
    """Read a study in vocabulary names and units, with its corrections applied.

    Parameters
    ----------
    study_id : str or path
        Name of a folder in ``data/studies``, or a folder.

    Returns
    -------
    frame : DataFrame, one row per record
        Columns named and measured as in ``data/vocabulary/variables.csv``, with ``study_id`` and
        ``species`` added; row ``i`` is record ``i + 1`` of ``data.csv``. ``attrs["study"]`` holds
        ``study.yml`` and the component of each mass, ``attrs["source"]`` what a table keeps of it,
        ``attrs["notes"]`` what was changed or left out.

    Raises
    ------
    DataError
        Everything that is wrong with the four files, at once.
    """
    from sinklab.studies.inspection import inspect

    found = inspect(study_folder(study_id))
    if found.problems:
        raise DataError(listing(found.problems))
    return found.frame
