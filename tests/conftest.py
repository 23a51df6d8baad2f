"""What all tests share: the reader's language, a silent plotting backend, few threads, open data."""

import os
import signal
from pathlib import Path

import pytest

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ["MPLBACKEND"] = "Agg"
os.environ["SINKLAB_LANG"] = "en"
os.environ["SINKLAB_QUIET"] = "1"  # on a busy machine anything may take two seconds
os.environ.pop("SINKLAB_ROOT", None)
if os.environ.get("SINKLAB_DATA"):
    # Tests and notebook kernels work in other folders, where a relative path would lead astray.
    os.environ["SINKLAB_DATA"] = str(Path(os.environ["SINKLAB_DATA"]).expanduser().resolve())


@pytest.fixture(autouse=True)
def _language():
    """A test that changes the reader's language leaves it as it was: English."""
    from sinklab.language import set_language

    yield
    set_language(None)


@pytest.fixture
def interrupts():
    """Whatever the test starts hears Ctrl-C, even if the tests themselves were started with it ignored (``&``)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the repository."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def open_data() -> Path:
    """Folder of the open data sets; the test is skipped when there is none."""
    folder = os.environ.get("SINKLAB_DATA")
    if not (folder and Path(folder).is_dir()):
        pytest.skip("SINKLAB_DATA does not point to the open data sets")
    return Path(folder)


@pytest.fixture(scope="session")
def cases(open_data) -> Path:
    """Folder of small failing inputs beside the open data sets; the test is skipped when there is none."""
    folder = open_data.parent / "cases"
    if not folder.is_dir():
        pytest.skip("no folder of cases beside the open data sets")
    return folder


@pytest.fixture(autouse=True)
def _open_data_for_marked_tests(request):
    """Whatever is marked ``open_data`` is skipped with that reason, fixture or not."""
    if request.node.get_closest_marker("open_data"):
        request.getfixturevalue("open_data")
