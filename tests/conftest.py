"""What all tests share: the reader's language, a silent plotting backend, few threads."""

import os
from pathlib import Path

import pytest

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ["MPLBACKEND"] = "Agg"
os.environ["SINKLAB_LANG"] = "en"
os.environ.pop("SINKLAB_ROOT", None)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the repository."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture
def open_data() -> Path:
    """Folder of the open data sets; the test is skipped when there is none."""
    folder = os.environ.get("SINKLAB_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("SINKLAB_DATA does not point to the open data sets")
    return Path(folder)
