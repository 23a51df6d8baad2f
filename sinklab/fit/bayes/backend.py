"""PyTensor as this room uses it: loaded in one place.

The models here run as machine code that numba makes of a text of our own (:mod:`.source`); PyTensor's C compiler
and BLAS take no part. What it says of lacking them would alarm without cause, so that these two remarks, and no
others, are kept from the user.
"""

import logging
import warnings


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
