"""One family of errors: where, what was found, what was expected, what to do."""

from sinklab.language import tr


class SinklabError(Exception):
    """Base of all errors that a user can mend; the command line ends with exit code 2."""


class DataError(SinklabError):
    """A value, record, column or file is not what it should be."""


class UnitError(SinklabError):
    """A unit is unknown, or cannot be converted to the one that is needed."""


class EquationError(SinklabError):
    """An equation text cannot be read, or does not fit its data."""


class TableError(SinklabError):
    """A parameter table cannot be written, read or used."""


class ConvergenceError(SinklabError):
    """A fit did not reach an optimum that may be published."""


class RunError(SinklabError):
    """A batch file or a job in it is not valid."""


class DraftError(SinklabError):
    """A draft cannot be rendered, or cites a number that may not be cited."""


def listing(problems, limit: int = 20) -> str:
    """Join problems into one message, one per line, counting those beyond ``limit``.

    Parameters
    ----------
    problems : iterable of str
    limit : int
        Number of lines shown.

    Returns
    -------
    text : str
    """
    lines = [str(p) for p in problems]
    shown = lines[:limit]
    rest = len(lines) - len(shown)
    if rest:
        shown.append(tr(f"… and {rest} more", f"……另有 {rest} 处"))
    return "\n".join(shown)
