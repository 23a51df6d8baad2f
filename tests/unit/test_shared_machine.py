"""A machine that others use as well: a real second user reads nothing private, writes nothing, has nothing executed.

The tests run as root, who can make such a user; the first user is then root, whose files are no more private than others'.
"""

import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from sinklab import paths

psutil = pytest.importorskip("psutil")
REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        getattr(os, "geteuid", lambda: 1)() != 0 or not shutil.which("useradd"),
        reason="only root can make a second user",
    ),
]
BATCH = """\
notebook: behave.ipynb
defaults: {seed: 7}
jobs:
  - {id: a, parameters: {name: a, behaviour: hang}, outputs: [params/a/0.1.0]}
  - {id: b, parameters: {name: b, behaviour: hang}, outputs: [params/b/0.1.0]}
  - {id: c, parameters: {name: c, behaviour: hang}, outputs: [params/c/0.1.0]}
"""


@pytest.fixture(scope="module")
def other():
    """Run a program as another user; returns its output."""
    name = f"sinklab{os.getpid()}"[:30]
    subprocess.run(
        ["useradd", "--no-create-home", "--shell", "/bin/sh", name], check=True, capture_output=True
    )
    known = pwd.getpwnam(name)

    def carry_out(*command, **variables):
        return subprocess.run(
            [*map(str, command)],
            user=known.pw_uid,
            group=known.pw_gid,
            extra_groups=[],
            cwd="/",
            env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"} | variables,
            capture_output=True,
            encoding="utf-8",
            timeout=900,
            check=False,
        )

    carry_out.uid = known.pw_uid
    # A Python of the system reads the packages of this one where another user cannot reach this one itself.
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/python{own}", f"/usr/local/bin/python{own}"):
        found = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))}
        with suppress(OSError):
            if carry_out(python, "-c", "import zmq, distributed, cryptography", **found).returncode == 0:
                carry_out.attack = partial(carry_out, python, "-c", ATTACK, **found)
                break
    else:
        subprocess.run(["userdel", name], check=False, capture_output=True)
        pytest.skip("this Python lies where another user cannot reach it")
    yield carry_out
    subprocess.run(["userdel", name], check=False, capture_output=True)


@pytest.fixture
def shared():
    """A workbench that all can look at, and a folder for temporary files that all can write to."""
    place = Path(tempfile.mkdtemp(prefix="shared-", dir="/tmp"))
    place.chmod(0o755)
    root = place / "workbench"
    for room in ("vocabulary", "rules"):
        shutil.copytree(REPOSITORY / "data" / room, root / "data" / room)
    (root / "notebooks" / "batches").mkdir(parents=True)
    shutil.copy(REPOSITORY / "tests" / "notebooks" / "behave.ipynb", root / "notebooks")
    (root / "notebooks" / "batches" / "trial.yml").write_text(BATCH, encoding="utf-8")
    (place / "temporary").mkdir()
    (place / "temporary").chmod(0o1777)
    yield root
    shutil.rmtree(place)


#: What the second user tries: paths, ports, then what was read, written, reached or executed.
ATTACK = r"""
import json, os, socket, stat, sys, threading, time, uuid
from datetime import datetime, timezone
place, ports, dask = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3] == "dask"
trap = os.path.join(place, "temporary", "trap")
code = f"open({trap!r}, 'w').write('executed')"
found = {"read": [], "wrote": [], "reached": [], "heard": []}
for folder, names, files in os.walk(place):
    for name in files:
        path = os.path.join(folder, name)
        mode = os.lstat(path).st_mode
        try:
            if stat.S_ISSOCK(mode):
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(path)
                    found["reached"].append(path)
            elif stat.S_ISREG(mode):
                with open(path, errors="replace") as f:
                    text = f.read()
                if "signature_scheme" in text or "PRIVATE KEY" in text or "sinklab.kernel" in path:
                    found["read"].append(path)
        except OSError:
            pass
        try:
            os.close(os.open(path, os.O_WRONLY))
            found["wrote"].append(path)
        except OSError:
            pass
    if folder != os.path.join(place, "temporary"):
        try:
            open(os.path.join(folder, "planted"), "w").close()
            found["wrote"].append(folder)
        except OSError:
            pass
import zmq
context = zmq.Context()
for port in ports:
    listener = context.socket(zmq.SUB)
    listener.setsockopt(zmq.SUBSCRIBE, b"")
    listener.connect(f"tcp://127.0.0.1:{port}")
    sender = context.socket(zmq.DEALER)
    sender.connect(f"tcp://127.0.0.1:{port}")
    header = {"msg_id": uuid.uuid4().hex, "username": "", "session": "x", "msg_type": "execute_request",
              "version": "5.3", "date": datetime.now(timezone.utc).isoformat()}
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
    parts = [json.dumps(p).encode() for p in (header, {}, {}, content)]
    sender.send_multipart([b"<IDS|MSG>", b"", *parts])
    time.sleep(0.3)
    if listener.poll(500):
        found["heard"].append(port)
    listener.close(0); sender.close(0)
from distributed import Client
from distributed.security import Security
own = Security.temporary() if dask else None
def strike(address, security):
    try:
        with Client(address, timeout=5, security=security, set_as_default=False) as client:
            client.run_on_scheduler(exec, code)  # not behind the jobs that keep the workers busy
            client.run(exec, code)
            found["reached"].append(address)
    except BaseException:
        pass
# All at once, and none for ever: whoever does not speak the protocol lets a client wait far beyond its time.
strikes = [threading.Thread(target=strike, args=kind, daemon=True) for port in ports if dask
           for kind in ((f"tcp://127.0.0.1:{port}", None), (f"tls://127.0.0.1:{port}", own))]
for one in strikes:
    one.start()
until = time.monotonic() + 60
for one in strikes:
    one.join(max(0, until - time.monotonic()))
time.sleep(1)
found["executed"] = os.path.exists(trap)
print(json.dumps(found), flush=True)
os._exit(0)  # sockets that nobody answers keep nobody waiting
"""


@contextmanager
def at_work(shared, *start, fork=True, path=()):
    """A batch whose jobs hang: its process with all its children, and the ports that they listen at."""
    variables = {
        "SINKLAB_ROOT": str(shared),
        "PYTHONPATH": os.pathsep.join(map(str, [*path, REPOSITORY])),
        "TMPDIR": str(shared.parent / "temporary"),
        "SINKLAB_FORK": "1" if fork else "0",
    }
    run = subprocess.Popen(
        [sys.executable, *start],
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        begun = [shared / "reports/runs/trial" / job / "behave.part.ipynb" for job in "ab"]
        until, ports = time.monotonic() + 300, set()
        while len(ports) < 5 or not all(path.is_file() for path in begun):
            assert time.monotonic() < until and run.poll() is None
            time.sleep(0.5)
            with suppress(psutil.Error):  # of a process that has just ended
                family = [psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)]
                # The groups of kernels lead sessions of their own, yet stay in the family.
                heard = [c for p in family for c in p.net_connections("inet") if c.status == "LISTEN"]
                ports = {c.laddr.port for c in heard}
        time.sleep(3)
        yield family, json.dumps(sorted(ports))
    finally:
        run.send_signal(signal.SIGTERM)
        run.wait(60)


RUN = "run", "trial", "--workers", "2", "--engine"


@pytest.mark.parametrize("engine", ["local", "local without fork", "dask"])
def test_a_second_user_gets_nothing_from_a_run(other, shared, engine):
    name, _, without = engine.partition(" ")
    with at_work(shared, "-m", "sinklab", *RUN, name, fork=not without) as (family, ports):
        private = [*(shared.parent / "temporary").glob(".sinklab.*"), *shared.rglob(".sinklab.*")]
        # Jupyter adds the sticky bit to the folder of a connection file.
        assert private and all(path.stat().st_mode & 0o777 == 0o700 for path in private)
        files = [path for folder in private for path in folder.rglob("kernel*.json")]
        assert files and all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
        done = other.attack(shared.parent, ports, name)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {
            "read": [],
            "wrote": [],
            "reached": [],
            "heard": [],
            "executed": False,
        }
        assert all(p.is_running() for p in family[:2]), "what was tried did no harm"


#: Leaks that are planted in a run: how, and what the same attack then finds.
LEAKS = {
    "open folders": (
        "local",
        "import tempfile, os\nmade = tempfile.mkdtemp\n"
        "def mkdtemp(*given, **named):\n    os.chmod(folder := made(*given, **named), 0o755)\n    return folder\n"
        "tempfile.mkdtemp = mkdtemp\n",
        "read",
    ),
    "no certificate": (
        "dask",
        "import distributed\nmade = distributed.LocalCluster\n"
        "distributed.LocalCluster = lambda **named: made(**named | {'protocol': 'tcp://', 'security': None})\n"
        "distributed.security.Security.temporary = staticmethod(lambda **named: None)\n",
        "executed",
    ),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_of_a_run_would_be_noticed(other, shared, leak, tmp_path):
    engine, code, wanted = LEAKS[leak]
    if engine == "local":
        (tmp_path / "sitecustomize.py").write_text(code, encoding="utf-8")
        start = "-m", "sinklab"
    else:
        start = "-c", f"import sys\n{code}from sinklab.cli import main\nsys.exit(main(sys.argv[1:]))"
    with at_work(shared, *start, *RUN, engine, path=[tmp_path]) as (_, ports):
        done = other.attack(shared.parent, ports, engine)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)[wanted], done.stdout


def test_the_attack_would_be_noticed(other, shared):
    """The same trial on a kernel and a scheduler that are open to all."""
    from distributed import LocalCluster
    from jupyter_client import KernelManager

    variables = {"SINKLAB_ROOT": str(shared), "PYTHONPATH": str(REPOSITORY)}
    manager = KernelManager(connection_file=str(shared / "kernel.json"))
    manager.session.key = b""
    manager.start_kernel(env={**os.environ, **variables})
    try:
        (shared / "kernel.json").chmod(0o644)
        time.sleep(5)
        with LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            dashboard_address=None,
            host="127.0.0.1",
            protocol="tcp://",
        ) as cluster:
            ports = [manager.shell_port, int(cluster.scheduler.address.rpartition(":")[2])]
            done = other.attack(shared.parent, json.dumps(ports), "dask")
        found = json.loads(done.stdout)
        assert found["executed"] and found["read"] and found["reached"]
    finally:
        manager.shutdown_kernel(now=True)


def test_what_a_stranger_planted_is_neither_used_nor_cleared(other, shared, monkeypatch, tmp_path):
    temporary = shared.parent / "temporary"
    assert other("mkdir", temporary / ".sinklab.kernel.planted1").returncode == 0
    other("ln", "-s", shared, temporary / ".sinklab.kernel.planted2")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(paths, "STALE", -1)
    with paths.private("kernel") as folder:
        assert os.stat(folder).st_uid == 0 and stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        assert other("ls", folder).returncode != 0
    assert sorted(p.name for p in temporary.iterdir()) == [
        ".sinklab.kernel.planted1",
        ".sinklab.kernel.planted2",
    ]
    assert (shared / "data").is_dir()


def test_code_that_is_kept_is_the_users_alone(other, shared):
    folder = shared / "kept"
    assert paths.own(folder) and stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert other("touch", folder / "x.py").returncode != 0 and other("ls", folder).returncode != 0
    (folder / "theirs.nbi").touch()
    os.chown(folder / "theirs.nbi", other.uid, -1)
    assert not paths.own(folder), "something in it belongs to another"
    temporary = shared.parent / "temporary"
    assert paths.own(temporary / "ours"), "who may write there may not rename what is ours"
    temporary.chmod(0o777)
    assert not paths.own(temporary / "ours")
    assert other("mv", temporary / "ours", temporary / "moved").returncode == 0, "as this shows"
    os.chown(temporary / "moved", other.uid, -1)
    assert not paths.own(temporary / "moved")


def test_results_have_the_permissions_that_the_user_asks_for(shared):
    """``umask 077`` keeps them private; a file that is replaced keeps its own."""
    code = (
        "from sinklab import paths\n"
        "for name in ('new.csv', 'old.csv'):\n"
        "    with paths.atomic_write(name) as stream: stream.write('x')\n"
        "with paths.atomic_folder('folder') as folder: pass\n"
    )
    (shared / "old.csv").touch()
    (shared / "old.csv").chmod(0o640)
    for mask, wanted in ((0o077, (0o600, 0o640, 0o700)), (0o022, (0o644, 0o640, 0o755))):
        subprocess.run(
            [sys.executable, "-c", f"import os; os.umask({mask}); os.chdir({str(shared)!r})\n{code}"],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            check=True,
        )
        assert (
            tuple(stat.S_IMODE((shared / n).stat().st_mode) for n in ("new.csv", "old.csv", "folder"))
            == wanted
        )
        (shared / "new.csv").unlink()
        (shared / "folder").rmdir()
