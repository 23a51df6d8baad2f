# ruff: noqa: F811  (a fixture that is imported bears the name of an argument)
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from runs_workbench import REPOSITORY, workbench  # noqa: F401

from sinklab.runs import kernels, preloaded

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot fork here")


def notebook(path, *sources):
    cells = [
        {
            "cell_type": "code",
            "id": f"cell{n}",
            "metadata": {"tags": ["parameters"]} if n == 0 else {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for n, source in enumerate(("factor = 1", *sources))
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": cells}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def outputs(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell["outputs"] for cell in cells if cell["cell_type"] == "code"]


def said(path):
    return "".join("".join(o.get("text", "")) for found in outputs(path) for o in found)


def ready(environment):
    until = time.monotonic() + 60
    while not os.path.exists(environment[kernels.SOCKET]):
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture
def home(workbench, monkeypatch):
    os.environ.update(kernels.kernels_environment(workbench))
    os.environ.pop(kernels.SOCKET, None)
    return workbench


@forks
def test_a_forked_kernel_finds_what_an_ordinary_one_finds(home):
    source = notebook(
        home / "n.ipynb",
        "import os, sys, random\n"
        "from pathlib import Path\n"
        "import matplotlib.pyplot as plt\n"
        "leave = {'JPY_PARENT_PID', 'IPYTHONDIR', 'SINKLAB_KERNELS', 'PWD', 'OLDPWD', '_', 'SHLVL'}\n"
        "print(Path.cwd(), sys.path, sys.flags, sys.argv[1:2], os.getsid(0) == os.getpid())\n"
        "print(sorted((n, v) for n, v in os.environ.items() if n not in leave))\n"
        "print(hash('sinklab'), os.read(0, 1), factor)",
        "plt.plot([1, 2], [3, factor]);",
        "import numpy as np\nnp.random.default_rng(7).normal(size=3).tobytes().hex()",
    )
    task = {"kind": "notebook", "notebook": str(source), "parameters": {}}
    kernels.execute(source, home / "ordinary.ipynb", {"factor": 3}, 60)
    with kernels.Preloaded([task]) as environment:
        os.environ.update(environment)
        ready(environment)
        kernels.execute(source, home / "forked.ipynb", {"factor": 3}, 60)
    assert outputs(home / "forked.ipynb") == outputs(home / "ordinary.ipynb")
    assert "image/png" in str(outputs(home / "forked.ipynb"))


@forks
def test_kernels_of_one_parent_share_nothing(home, monkeypatch):
    forked = []
    original = kernels.ForkedProcess.__init__

    def noted(self, *arguments):
        original(self, *arguments)
        forked.append(self.pid)

    monkeypatch.setattr(kernels.ForkedProcess, "__init__", noted)
    source = notebook(
        home / "n.ipynb",
        "import builtins, os, random\n"
        "import numpy as np\n"
        "print(os.getppid(), getattr(builtins, 'left', 'nothing'), random.random(), np.random.rand())\n"
        "builtins.left = 'something'",
    )
    task = {"kind": "notebook", "notebook": str(source), "parameters": {}}
    preloaded = kernels.Preloaded([task])
    with preloaded as environment:
        os.environ.update(environment)
        ready(environment)
        for number in (1, 2):
            kernels.execute(source, home / f"{number}.ipynb", {}, 60)
        first, second = (said(home / f"{number}.ipynb").split() for number in (1, 2))
        assert len(forked) == 2
        assert first[0] == second[0] == str(preloaded.process.pid)
        assert first[1] == second[1] == "nothing"
        assert first[2] != second[2] and first[3] != second[3], "each draws its own unseeded numbers"

        preloaded.process.kill()
        preloaded.process.wait()
        kernels.execute(source, home / "3.ipynb", {}, 60)
        assert len(forked) == 2 and said(home / "3.ipynb").split()[0] == str(os.getpid())


@forks
def test_a_kernel_ends_with_the_connection_of_its_worker(home):
    with kernels.Preloaded([]) as environment:
        ready(environment)
        # Not a connection file at all: the kernel ends by itself, and its exit code arrives.
        failing = kernels.ForkedProcess(
            environment[kernels.SOCKET], ["--no-such-option=1", "-f", "/"], os.environ, home
        )
        assert failing.wait(30) != 0
        kernel = kernels.ForkedProcess(
            environment[kernels.SOCKET], ["-f", str(home / "connection.json")], os.environ, home
        )
        assert kernel.poll() is None
        kernel.connection.close()
        gone(kernel.pid)
        other = kernels.ForkedProcess(
            environment[kernels.SOCKET], ["-f", str(home / "other.json")], os.environ, home
        )
        other.kill()
        assert other.wait(10) == -signal.SIGKILL and other.poll() == -signal.SIGKILL


def gone(process):
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("the process is still there")


@forks
def test_a_parent_with_threads_does_not_fork(home, monkeypatch, tmp_path):
    (tmp_path / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
    source = notebook(home / "n.ipynb", "import threaded, os\nprint(os.getppid())")
    task = {"kind": "notebook", "notebook": str(source), "parameters": {}}
    with kernels.Preloaded([task]) as environment:
        os.environ.update(environment)
        kernels.execute(source, home / "done.ipynb", {}, 60)
        assert Path(f"{environment[kernels.SOCKET]}.refused").exists()
    assert said(home / "done.ipynb").split() == [str(os.getpid())]


def test_what_is_imported_before_the_fork(tmp_path):
    source = notebook(
        tmp_path / "n.ipynb", "import os.path\nfrom sinklab import plots", "%time x = 1", "from . import y"
    )
    task = {"kind": "notebook", "notebook": str(source), "parameters": {"method": "nsur"}}
    assert kernels.modules([task, {"kind": "draft"}]) == ["os.path", "sinklab.plots"]
    task["parameters"]["method"] = "bayes"
    assert "pymc" in kernels.modules([task])
    notebook(source, "import sinklab as sl")
    assert {"pandas", "scipy.optimize", "sinklab"} <= set(kernels.modules([task]))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits what a process writes to")
def test_a_memory_limit_ends_the_notebook_and_not_the_worker(home):
    source = notebook(home / "n.ipynb", "big = bytearray(900 * 1024**2)", "print(len(big))")
    with pytest.raises(kernels.NotebookFailure) as caught:
        kernels.execute(source, home / "done.ipynb", {}, 60, memory=600 * 1024**2)
    assert (caught.value.reason, caught.value.line) == ("memory", "memory limit of 600 MB exceeded")
    assert caught.value.place == "In [2]" and (home / "done.failed.ipynb").is_file()
    kernels.execute(source, home / "done.ipynb", {}, 60, memory=2 * 1024**3)
    assert said(home / "done.ipynb") == f"{900 * 1024**2}\n"


@pytest.mark.parametrize(("begun", "tries"), [(0, 2), (1, 1)])
def test_only_a_kernel_that_died_before_its_first_cell_is_started_again(home, monkeypatch, begun, tries):
    from nbclient.exceptions import DeadKernelError

    ways = []

    def die(source, part, parameters, deadline):
        from jupyter_client.provisioning.factory import KernelProvisionerFactory

        ways.append(KernelProvisionerFactory.instance().default_provisioner_name)
        cell = {"cell_type": "code", "source": "", "outputs": [], "metadata": {}}
        if begun:
            cell["metadata"]["papermill"] = {"start_time": "2024-01-01"}
        part.write_text(json.dumps({"cells": [cell]}), encoding="utf-8")
        raise DeadKernelError("Kernel died")

    monkeypatch.setattr(kernels, "_papermill", die)
    with pytest.raises(kernels.NotebookFailure) as caught:
        kernels.execute(home / "n.ipynb", home / "done.ipynb", {}, 60)
    assert caught.value.reason == "died"
    assert ways == ["sinklab-forked", "sinklab-ordinary"][:tries]


def test_no_limit_where_none_is_asked_for(monkeypatch):
    monkeypatch.delenv(kernels.MEMORY, raising=False)
    kernels.limit_memory(-1)


BAYES = {
    "source": "study:chinese_fir_simulated",
    "equations": "stem = a1 * dbh**b1",
    "method": "bayes",
    "variance": "lognormal",
}


def test_models_that_several_jobs_sample_are_named_once():
    tasks = [
        {"kind": "notebook", "notebook": "fit.ipynb", "parameters": BAYES | {"where": {"dbh": {"min": n}}}}
        for n in range(3)
    ]
    single = {
        "kind": "notebook",
        "notebook": "fit.ipynb",
        "parameters": BAYES | {"equations": "agb = a * dbh"},
    }
    other = {"kind": "notebook", "notebook": "fit.ipynb", "parameters": BAYES | {"method": "nsur"}}
    grouped = {"kind": "notebook", "notebook": "fit.ipynb", "parameters": BAYES | {"by": "species"}}
    found = preloaded.models([*tasks, single, other, other, grouped, grouped, {"kind": "draft"}])
    assert found == [BAYES | {"where": {"dbh": {"min": 0}}, "notebook": "fit.ipynb"}]


@forks
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_kernel_finds_the_model_compiled(home):
    shutil.copytree(REPOSITORY / "data" / "studies", home / "data" / "studies")
    source = notebook(
        home / "n.ipynb",
        "import sinklab as sl\n"
        "from sinklab import datasets\n"
        "from sinklab.fit.bayes import sample\n"
        "print(len(sample._compiled))",
        "trees = datasets.load('study:chinese_fir_simulated', {'dbh': {'min': factor}})\n"
        "fit = sl.fit(trees, 'stem = a1 * dbh**b1', method='bayes', variance='lognormal', seed=1, draws=50, tune=50)\n"
        "print(len(sample._compiled), fit.values.tobytes().hex())",
    )
    tasks = [{"kind": "notebook", "notebook": str(source), "parameters": BAYES}] * 2
    with kernels.Preloaded(tasks) as environment:
        os.environ.update(environment)
        kernels.execute(source, home / "forked.ipynb", {"factor": 3}, 600)
        assert Path(environment[kernels.SOCKET]).exists()
    os.environ.pop(kernels.SOCKET)
    kernels.execute(source, home / "ordinary.ipynb", {"factor": 3}, 600)
    before, after, values = said(home / "forked.ipynb").split()
    assert (before, after) == ("1", "1"), "compiled before the fork, by other data"
    assert said(home / "ordinary.ipynb").split() == ["0", "1", values], "the same draws, bit for bit"
