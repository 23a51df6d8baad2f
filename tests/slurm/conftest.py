import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit"))


@pytest.fixture(scope="session")
def slurm_here(tmp_path_factory):
    """The SLURM that answers here, else one of a single node for these tests."""
    from single_node import SingleNode, missing

    if shutil.which("sinfo") and not subprocess.run(["sinfo"], capture_output=True, check=False).returncode:
        yield None
        return
    if missing():
        pytest.skip(f"not installed: {', '.join(missing())}")
    with SingleNode(tmp_path_factory.mktemp("slurm")) as node:
        yield node
