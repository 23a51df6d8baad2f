"""PyMC and PyTensor as this room uses them: loaded and set in one place.

The models here run as machine code made by numba; PyTensor's own C compiler and BLAS take no part. What it says of
lacking them would alarm without cause, so that these two remarks, and no others, are kept from the user.
"""

import logging
import warnings
from contextlib import contextmanager


class _WithoutCompiler(logging.Filter):
    """Lets everything pass but the remark that there is no C compiler."""

    def filter(self, record) -> bool:
        """Whether to show a record."""
        return not record.getMessage().startswith("g++ not")


def load() -> None:
    """Import PyTensor without its remarks on C compilers and BLAS."""
    logger, quiet = logging.getLogger("pytensor.configdefaults"), _WithoutCompiler()
    logger.addFilter(quiet)
    try:
        import pytensor
    finally:
        logger.removeFilter(quiet)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PyTensor could not link to a BLAS", UserWarning)
        # Looked up once in a process; here, so that the remark falls where it is not heard.
        _ = pytensor.config.blas__ldflags


@contextmanager
def settings():
    """PyTensor's flags while a model is built and compiled; others in the process keep theirs.

    fast-math is off: with it code that is loaded differs from code just compiled, and so do the draws. PyTensor's
    own cache is off too: it compiles every operation apart, which takes longer than the whole at once, and version
    2.38 was seen to take a wrong function from it.
    """
    load()
    import pytensor

    with pytensor.config.change_flags(numba__fastmath=False, numba__cache=False):
        yield
