import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit"))


@pytest.fixture(scope="session")
def slurm_here(tmp_path_factory):
    """The SLURM that answers here, else one of a single node for these tests."""
    from single_node import SingleNode, missing

    packages = [name for name in ("dask_jobqueue", "cryptography") if find_spec(name) is None]
    if packages:
        pytest.skip(f"not installed: {', '.join(packages)} (the extra 'cluster')")
    if shutil.which("sinfo") and not subprocess.run(["sinfo"], capture_output=True, check=False).returncode:
        yield None
        return
    if missing():
        pytest.skip(f"not installed: {', '.join(missing())}")
    with SingleNode(tmp_path_factory.mktemp("slurm")) as node:
        yield node
