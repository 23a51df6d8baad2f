# ruff: noqa: F811  (a fixture that is imported bears the name of an argument)
import json
import os
import shutil
import signal
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from runs_workbench import REPOSITORY, workbench  # noqa: F401

from sinklab.runs import execute, kernels
from sinklab.runs.ledger import Draft, Job, NotebookFile, Task

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


def task(path, **parameters):
    job = Job("trial", "one", {}, NotebookFile(path), parameters, (), (), 60)
    return Task(job, "", {}, [])


DRAFT = Task(Draft("trial", "standard", {}, ("zh",), ("html",), 60), "", {}, [])


def outputs(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell["outputs"] for cell in cells if cell["cell_type"] == "code"]


def said(path):
    return "".join("".join(o.get("text", "")) for found in outputs(path) for o in found)


def ready(environment):
    until = time.monotonic() + 240
    while not os.path.exists(environment[kernels.SOCKET]):
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture
def home(workbench, monkeypatch):
    os.environ.update(kernels.environment(workbench))
    os.environ.pop(kernels.SOCKET, None)
    return workbench


#: Cells that tell everything a kernel was started with.
ENVIRONMENT = (
    "import os, sys, random\n"
    "from pathlib import Path\n"
    "import matplotlib.pyplot as plt\n"
    "leave = {'JPY_PARENT_PID', 'IPYTHONDIR', 'SINKLAB_KERNELS', 'SINKLAB_AHEAD', 'PWD', 'OLDPWD', '_', 'SHLVL'}\n"
    "print(Path.cwd(), sys.path, sys.flags, sys.argv[1:2], os.getsid(0) == os.getpid())\n"
    "print(sorted((n, v) for n, v in os.environ.items() if n not in leave))\n"
    "print(hash('sinklab'), os.read(0, 1), factor)",
    "plt.plot([1, 2], [3, factor]);",
    "import numpy as np\nnp.random.default_rng(7).normal(size=3).tobytes().hex()",
)


@forks
def test_a_forked_kernel_finds_what_an_ordinary_one_finds(home):
    source = notebook(home / "n.ipynb", *ENVIRONMENT)
    execute.execute_notebook(source, home / "ordinary.ipynb", {"factor": 3}, 240)
    with kernels.Preloaded([task(source)]) as environment:
        os.environ.update(environment)
        ready(environment)
        execute.execute_notebook(source, home / "forked.ipynb", {"factor": 3}, 240)
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
    preloaded = kernels.Preloaded([task(source)])
    with preloaded as environment:
        os.environ.update(environment)
        ready(environment)
        for number in (1, 2):
            execute.execute_notebook(source, home / f"{number}.ipynb", {}, 240)
        first, second = (said(home / f"{number}.ipynb").split() for number in (1, 2))
        assert len(forked) == 2
        assert first[0] == second[0] == str(preloaded.process.pid)
        assert first[1] == second[1] == "nothing"
        assert first[2] != second[2] and first[3] != second[3], "each draws its own unseeded numbers"

        preloaded.process.kill()
        preloaded.process.wait()
        execute.execute_notebook(source, home / "3.ipynb", {}, 240)
        assert len(forked) == 2 and said(home / "3.ipynb").split()[0] == str(os.getpid())


@forks
def test_a_kernel_ends_with_the_connection_of_its_worker(home):
    with kernels.Preloaded([]) as environment:
        ready(environment)
        # Not a connection file at all: the kernel ends by itself, and its exit code arrives.
        failing = kernels.ForkedProcess(
            environment[kernels.SOCKET], ["--no-such-option=1", "-f", "/"], os.environ, home
        )
        assert failing.wait(60) != 0
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
        assert other.wait(60) == -signal.SIGKILL and other.poll() == -signal.SIGKILL


def gone(process):
    until = time.monotonic() + 60
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
    with kernels.Preloaded([task(source)]) as environment:
        os.environ.update(environment)
        execute.execute_notebook(source, home / "done.ipynb", {}, 240)
        assert Path(f"{environment[kernels.SOCKET]}.refused").exists()
    assert said(home / "done.ipynb").split() == [str(os.getpid())]


def test_what_is_imported_before_the_fork(tmp_path):
    source = notebook(
        tmp_path / "n.ipynb", "import os.path\nfrom sinklab import plots", "%time x = 1", "from . import y"
    )
    assert kernels.modules([task(source, method="nsur"), DRAFT]) == ["os.path", "sinklab.plots"]
    assert "pymc" in kernels.modules([task(source, method="bayes")])
    notebook(source, "import sinklab as sl")
    assert {"pandas", "scipy.optimize", "sinklab"} <= set(kernels.modules([task(source)]))


def test_what_is_imported_beforehand_exists_and_is_used():
    usual = kernels.modules([])
    assert [name for name in usual if find_spec(name) is None] == []
    assert "sympy" not in usual


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits what a process writes to")
def test_a_memory_limit_ends_the_notebook_and_not_the_worker(home):
    source = notebook(home / "n.ipynb", "big = bytearray(900 * 1024**2)", "print(len(big))")
    with pytest.raises(execute.NotebookFailure) as caught:
        execute.execute_notebook(source, home / "done.ipynb", {}, 240, memory=600 * 1024**2)
    assert (caught.value.reason, caught.value.line) == ("memory", "memory limit of 600 MB exceeded")
    assert caught.value.place == "In [2]" and (home / "done.failed.ipynb").is_file()
    execute.execute_notebook(source, home / "done.ipynb", {}, 240, memory=2 * 1024**3)
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

    monkeypatch.setattr(execute, "_papermill", die)
    with pytest.raises(execute.NotebookFailure) as caught:
        execute.execute_notebook(home / "n.ipynb", home / "done.ipynb", {}, 240)
    assert caught.value.reason == "died"
    assert ways == ["sinklab-preloaded", "sinklab-ordinary"][:tries]


@pytest.mark.parametrize(
    ("starts", "reason"), [([2.0], "timeout"), ([0.2, 1.5], "timeout"), ([0.1, 0.1], "died")]
)
def test_a_kernel_that_does_not_start_within_the_limit_is_late_and_not_dead(
    home, monkeypatch, starts, reason
):
    """On a busy machine the second start too may run out of what the first has left of the time."""
    left = iter(starts)

    def no_answer(source, part, parameters, deadline):
        time.sleep(next(left))
        raise RuntimeError("Kernel didn't respond in 1 seconds")

    monkeypatch.setattr(execute, "_papermill", no_answer)
    with pytest.raises(execute.NotebookFailure) as caught:
        execute.execute_notebook(home / "n.ipynb", home / "done.ipynb", {}, 1)
    assert caught.value.reason == reason and next(left, None) is None
    assert ("time limit of 1 s exceeded" in caught.value.line) == (reason == "timeout")


def test_no_limit_where_none_is_asked_for(monkeypatch):
    monkeypatch.delenv(kernels.MEMORY, raising=False)
    kernels.limit_memory(-1)


BAYES = {
    "source": "study:chinese_fir_simulated",
    "equations": "stem = a1 * dbh**b1",
    "method": "bayes",
    "variance": "lognormal",
}


def test_models_that_several_jobs_sample_are_named_once(tmp_path):
    source = notebook(tmp_path / "fit.ipynb")
    tasks = [task(source, **BAYES, where={"dbh": {"min": n}}) for n in range(3)]
    single = task(source, **BAYES | {"equations": "agb = a * dbh"})
    other = task(source, **BAYES | {"method": "nsur"})
    grouped = task(source, **BAYES, by="species")
    found = kernels.models([*tasks, single, other, other, grouped, grouped, DRAFT])
    assert found == [BAYES | {"where": {"dbh": {"min": 0}}, "notebook": str(source)}]


def test_without_forks_the_next_kernel_is_ready_ahead(home, monkeypatch):
    monkeypatch.setenv(kernels.FORK, "0")
    source = notebook(
        home / "n.ipynb", "import os, sys\nprint(os.getpid(), 'wave' in sys.modules)\nimport wave"
    )
    ahead = []
    with kernels.Preloaded([task(source)]) as environment:
        assert environment.keys() == {kernels.AHEAD}
        os.environ.update(environment)
        for number in (1, 2, 3):
            ahead.append(kernels._next and kernels._next.pid)
            execute.execute_notebook(source, home / f"{number}.ipynb", {}, 240, more=number < 3)
    processes, imported = zip(*(said(home / f"{n}.ipynb").split() for n in (1, 2, 3)), strict=True)
    assert ahead == [None, int(processes[1]), int(processes[2])]
    assert imported == ("False", "True", "True")
    assert kernels._next is None, "nothing follows the last job"


def test_a_kernel_kept_ready_finds_what_an_ordinary_one_finds(home, monkeypatch):
    monkeypatch.setenv(kernels.FORK, "0")
    source = notebook(home / "n.ipynb", *ENVIRONMENT)
    execute.execute_notebook(source, home / "ordinary.ipynb", {"factor": 3}, 240)
    with kernels.Preloaded([task(source)]) as environment:
        os.environ.update(environment)
        execute.execute_notebook(source, home / "first.ipynb", {"factor": 3}, 240, more=True)
        execute.execute_notebook(source, home / "second.ipynb", {"factor": 3}, 240)
    assert outputs(home / "first.ipynb") == outputs(home / "second.ipynb") == outputs(home / "ordinary.ipynb")


def test_a_kernel_that_was_ready_and_died_is_started_anew(home, monkeypatch):
    monkeypatch.setenv(kernels.FORK, "0")
    source = notebook(home / "n.ipynb", "print(factor)")
    with kernels.Preloaded([task(source)]) as environment:
        os.environ.update(environment)
        execute.execute_notebook(source, home / "1.ipynb", {"factor": 1}, 240, more=True)
        kernels._next.kill()
        kernels._next.wait()
        execute.execute_notebook(source, home / "2.ipynb", {"factor": 2}, 240)
    assert said(home / "2.ipynb") == "2\n"


@forks
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_kernel_finds_the_model_compiled(home):
    shutil.copytree(REPOSITORY / "data" / "studies", home / "data" / "studies")
    source = notebook(
        home / "n.ipynb",
        "import sinklab as sl\n"
        "from sinklab.data import open_data\n"
        "from sinklab.fitting.bayes import sample\n"
        "print(len(sample._compiled))",
        "trees = open_data.load('study:chinese_fir_simulated', {'dbh': {'min': factor}})\n"
        "fit = sl.fit(trees, 'stem = a1 * dbh**b1', method='bayes', variance='lognormal', seed=1, draws=50, tune=50)\n"
        "print(len(sample._compiled), fit.values.tobytes().hex())",
    )
    tasks = [task(source, **BAYES)] * 2
    with kernels.Preloaded(tasks) as environment:
        os.environ.update(environment)
        execute.execute_notebook(source, home / "forked.ipynb", {"factor": 3}, 2400)
        assert Path(environment[kernels.SOCKET]).exists()
    os.environ.pop(kernels.SOCKET)
    execute.execute_notebook(source, home / "ordinary.ipynb", {"factor": 3}, 2400)
    before, after, values = said(home / "forked.ipynb").split()
    assert (before, after) == ("1", "1"), "compiled before the fork, by other data"
    assert said(home / "ordinary.ipynb").split() == ["0", "1", values], "the same draws, bit for bit"
