"""Kill -9 at random moments, two at once: whatever is cut off, nothing is lost, and the next command puts it right.

Each trial is one process of the command line that is killed: half of them at any moment, half a moment after the first
file appears. What lies there afterwards is held against what an undisturbed process writes, by SHA-256.
"""

import contextlib
import hashlib
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from desk_workbench import copied, write_carbon_fractions, write_fir
from published_tables import make_trees
from test_drafts import EQUATIONS as SYSTEM
from test_drafts import NAME as DRAFT

from sinklab import paths
from sinklab.cli import main
from sinklab.data.files import write_csv
from sinklab.tables.checks import validate
from sinklab.tables.table import Table

REPOSITORY = Path(__file__).resolve().parents[2]
KILLS = 40
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(os.name == "nt", reason="signals of POSIX systems"),
]


def start(root, *arguments, **variables):
    """Start a command in a session of its own, its temporary files in a folder of the test."""
    given = {"PYTHONPATH": str(REPOSITORY), "SINKLAB_LANG": "en", "SINKLAB_ROOT": str(root)}
    environment = {n: v for n, v in os.environ.items() if n != "SINKLAB_DATA"} | given | variables
    return subprocess.Popen(
        [sys.executable, "-m", "sinklab", *map(str, arguments)],
        env=environment | {"TMPDIR": str(root.parent / "temporary")},
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    )


def finish(process, code=0):
    told, _ = process.communicate(timeout=300)
    assert process.returncode == code, told
    return told


def tree(*folders):
    """SHA-256 of every file by its path, part files and locks included."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                found[path.relative_to(folder.parent).as_posix()] = hashlib.sha256(
                    path.read_bytes()
                ).hexdigest()
    return found


def kill(process, luck, place, seconds, group=False):
    """Kill a process at some moment, or soon after files come, go or change below a place; whether it still ran."""
    before, until = {*place.rglob("*")}, time.monotonic() + 1.2 * seconds
    if luck.random() < 0.5:
        time.sleep(luck.uniform(0, seconds))
    else:
        while {*place.rglob("*")} == before and time.monotonic() < until and process.poll() is None:
            time.sleep(0.0005)
        time.sleep(luck.choice([0, luck.uniform(0, 0.003), luck.uniform(0, 0.03)]))
    running = process.poll() is None
    with suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    return running


class Trials:
    """Numbers of trials until so many commands were killed at work: some end before, more so as a machine gets idle."""

    def __init__(self, wanted):
        self.wanted, self.killed = wanted, 0

    def __iter__(self):
        for trial in range(3 * self.wanted):
            if self.killed >= self.wanted:
                return
            yield trial
        raise AssertionError(f"only {self.killed} of {self.wanted} were killed at work")


def ask(*arguments, code=0):
    """What a command tells that nobody kills; in this process, which need not start another."""
    with io.StringIO() as told, contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        assert main([*map(str, arguments)]) == code, told.getvalue()
        return told.getvalue()


def settle():
    """What was left behind a moment ago might still be at work: so wait that moment, and look again."""
    time.sleep(2.1)
    ask("table", "list")


def parts(*folders):
    return [path for folder in folders for path in folder.rglob("*") if ".part" in path.name]


def left(folder):
    """What lies in a folder of temporary files, without the word with which Python tries whether it may write there."""
    return [path for path in folder.iterdir() if not (path.is_file() and path.read_bytes() in (b"", b"blat"))]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    root = tmp_path / "工作台"
    for room in ("vocabulary", "rules"):
        shutil.copytree(REPOSITORY / "data" / room, root / "data" / room)
    (root / "params").mkdir()
    (root / "notebooks" / "batches").mkdir(parents=True)
    shutil.copy(REPOSITORY / "tests" / "notebooks" / "behave.ipynb", root / "notebooks")
    for name, seed in (("one", 1), ("two", 2)):
        write_csv(make_trees(80, seed), root / f"{name}.csv")
    monkeypatch.setenv("SINKLAB_ROOT", str(root))
    monkeypatch.delenv("SINKLAB_DATA", raising=False)
    monkeypatch.chdir(root)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return root


EQUATION = [
    "--equations",
    "stem = a*dbh^b",
    "--method",
    "wls",
    "--cluster",
    "none",
    "--save",
    "stem_forest_x",
]


def test_save(bench):
    """From empty, over a version that is there, and two at once."""
    luck, params, trials = random.Random(1), bench / "params", Trials(KILLS)

    def reset():
        shutil.rmtree(params)
        params.mkdir()

    begun = time.monotonic()
    finish(start(bench, "fit", "one.csv", *EQUATION))
    seconds, one = time.monotonic() - begun, tree(params)
    finish(start(bench, "fit", "two.csv", *EQUATION, "--overwrite"))
    two = tree(params)
    assert one.keys() == two.keys() and one != two
    for trial in trials:
        reset()
        over = bool(trial % 2)
        if over:
            ask("fit", "one.csv", *EQUATION)
        given = ["fit", "two.csv", *EQUATION, *(["--overwrite"] if over else [])]
        trials.killed += kill(start(bench, *given), luck, params, seconds)
        ask("table", "list")
        here = {name: digest for name, digest in tree(params).items() if ".part" not in name}
        assert here in ([one, two] if over else [{}, two]), trial
        ask(*given)
        settle()
        assert tree(params) == two, trial
    for _ in range(10):
        reset()
        both = [start(bench, "fit", f"{name}.csv", *EQUATION) for name in ("one", "two")]
        for process in both:
            finish(process)
        made = [Table.read(params / "stem_forest_x" / v) for v in ("0.1.0", "0.1.1")]
        inputs = {tuple(m.provenance.data[0]["files"].values()) for m in made}
        assert inputs == {(paths.file_sha256(bench / f"{name}.csv"),) for name in ("one", "two")}
        assert not parts(params)


def release(name):
    return (
        *("table", "release", f"stem_forest_{name}@1.0.0", "--reason", "first", "--reviewer", "王五"),
        *("--date", "2026-03-01", "--data", f"{name}.csv"),
        *(part for check in REASONS[name] for part in ("--accept", f"{check}=small sample of a test")),
    )


REASONS = {}


def test_release(bench):
    """A draft, the draft's successor, and two tables at once, whose entries stand in one change log."""
    luck, params, trials = random.Random(2), bench / "params", Trials(KILLS)
    for name in ("one", "two"):
        write_csv(make_trees(80, len(name)), bench / f"{name}.csv")
        ask("fit", f"{name}.csv", *EQUATION[:-1], f"stem_forest_{name}", "--version", "1.0.0")
        checks = Table.read(params / f"stem_forest_{name}" / "1.0.0").checks
        failed = checks[~checks["passed"].astype(bool)]
        REASONS[name] = [f"{c}:{r}" for c, r in zip(failed["check_id"], failed["response"], strict=True)]
    shutil.copy(REPOSITORY / "params" / ".gitignore", params)
    drafts = bench.parent / "drafts"
    shutil.copytree(params, drafts)
    begun = time.monotonic()
    finish(start(bench, *release("one")))
    seconds, one = time.monotonic() - begun, tree(params)
    for trial in trials:
        shutil.rmtree(params)
        shutil.copytree(drafts, params)
        trials.killed += kill(start(bench, *release("one")), luck, params, seconds)
        ask("table", "list")
        folder = params / "stem_forest_one" / "1.0.0"
        assert validate(folder) == [], trial
        status = Table.read(folder).status
        told = ask(*release("one"), code=2 if status == "reviewed" else 0)
        assert status == "draft" or "already reviewed" in told
        settle()
        assert tree(params) == one, trial
    for trial in range(10):
        shutil.rmtree(params)
        shutil.copytree(drafts, params)
        both = [start(bench, *release(name)) for name in ("one", "two")]
        if trial % 2:
            kill(both[0], luck, params, seconds)
            finish(both[1])
            if Table.read(params / "stem_forest_one" / "1.0.0").status == "draft":
                ask(*release("one"))
        else:
            for process in both:
                finish(process)
        log = (params / "CHANGELOG.md").read_text(encoding="utf-8")
        assert len(re.findall("^## stem_forest_", log, re.M)) == 2
        assert len((params / ".gitignore").read_text(encoding="utf-8").split("!/stem")) == 3
        assert [validate(params / f"stem_forest_{name}" / "1.0.0") for name in ("one", "two")] == [[], []]


def test_data_get(bench):
    """Files that are copied from a mirror are whole or absent, never a part."""
    luck, target = random.Random(3), bench / "data" / "open"
    mirror = bench.parent / "mirror"
    mirror.mkdir()
    known = yaml.safe_load((REPOSITORY / "data" / "open.yml").read_text(encoding="utf-8"))
    entry = next(iter(known.values()))
    content = {f"part{i}.bin": random.Random(i).randbytes(30_000_000) for i in range(3)}
    for name, data in content.items():
        (mirror / name).write_bytes(data)
    wanted = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    entry["files"] = [{"path": f"large/{name}", "sha256": digest} for name, digest in wanted.items()]
    (bench / "data" / "open.yml").write_text(yaml.safe_dump({"large": entry}), encoding="utf-8")
    given = ["data", "get", "large", "--mirror", mirror]
    begun = time.monotonic()
    finish(start(bench, *given))
    seconds, whole, trials = time.monotonic() - begun, tree(target), Trials(KILLS)
    assert {name.rpartition("/")[2]: digest for name, digest in whole.items()} == wanted
    for trial in trials:
        shutil.rmtree(target)
        target.mkdir()
        both = [start(bench, *given) for _ in range(1 + trial % 2)]
        trials.killed += kill(both[0], luck, target, seconds)
        here = {name: digest for name, digest in tree(target).items() if ".part" not in name}
        assert here.items() <= whole.items(), trial
        for process in both[1:]:
            finish(process)
        time.sleep(2.1)
        ask(*given)
        assert tree(target) == whole, trial


def test_draft(tmp_path_factory):
    """A document over another one: each file is one of both, and the next command makes what is missing."""
    folder = tmp_path_factory.mktemp("desk")
    luck, trials = random.Random(6), Trials(KILLS)
    with copied(folder, f"{DRAFT}.yml") as root:
        write_fir(SYSTEM, "agb_forest_cunninghamia")
        write_carbon_fractions({"species_id": "cunninghamia_lanceolata"})
        (folder / "temporary").mkdir()
        place = root / "reports" / "drafts" / DRAFT
        given = ["draft", DRAFT, "--lang", "en", "--to", "docx,html", "--preview"]
        begun = time.monotonic()
        finish(start(root, *given))
        seconds, first = time.monotonic() - begun, tree(place)
        for trial in trials:
            shutil.rmtree(place, ignore_errors=True)  # a kill may have come before there was one
            trials.killed += kill(start(root, *given), luck, place.parent, seconds)
            here = {path: digest for path, digest in tree(place).items() if ".part" not in path}
            assert here.items() <= first.items(), trial
            if trial % 10 == 9:
                time.sleep(2.1)
                both = [start(root, *given) for _ in range(2)]
                for process in both:
                    finish(process)
                assert tree(place) == first and left(folder / "temporary") == [], trial


BATCH = """\
notebook: behave.ipynb
defaults: {seed: 7}
jobs:
  - {id: a, parameters: {name: a}, outputs: [params/a/0.1.0]}
  - {id: b, parameters: {name: b, factor: 2}, outputs: [params/b/0.1.0]}
  - {id: c, parameters: {name: c, factor: 3}, outputs: [params/c/0.1.0]}
"""


def processes_of(root):
    """Processes that work for a workbench."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("SINKLAB_ROOT") == str(root):
                found.append(process)
        except psutil.Error:
            continue
    return [p for p in found if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def alone(root, seconds=30):
    """Wait until nothing works for a workbench any more."""
    until = time.monotonic() + seconds
    while left := processes_of(root):
        assert time.monotonic() < until, [p.cmdline() for p in left]
        time.sleep(0.05)


@pytest.mark.parametrize("half", [0, 1])
def test_run(bench, half):
    """From empty, one and two at once, the process alone and its whole group."""
    luck, trials = random.Random(4 + half), Trials(KILLS // 2)
    (bench / "notebooks" / "batches" / "trial.yml").write_text(BATCH, encoding="utf-8")

    def begin():
        return start(bench, "run", "trial", "--workers", 2)

    begun = time.monotonic()
    finish(begin())
    seconds, whole = time.monotonic() - begun, tree(bench / "params")
    assert len(whole) == 3
    for trial in trials:
        shutil.rmtree(bench / "params")
        shutil.rmtree(bench / "reports")
        (bench / "params").mkdir()
        both = [begin() for _ in range(1 + half)]
        trials.killed += kill(both[0], luck, bench, seconds, group=bool(trial % 2))
        if half:
            finish(both[1])
        alone(bench)
        late = trial % 4 > 1  # when a moment has passed, what was left behind is cleared too
        time.sleep(2.1 if late else 0)
        assert "0 failed" in finish(begin())
        assert tree(bench / "params") == whole, trial
        assert not late or not (parts(bench) or left(bench.parent / "temporary")), trial


def test_whoever_ends_a_run_or_the_laboratory_ends_its_children(bench):
    import psutil

    (bench / "notebooks" / "batches" / "trial.yml").write_text(
        BATCH.replace("name: a}", "name: a, behaviour: hang}"), encoding="utf-8"
    )
    for engine in ("local", "dask"):
        for number in (signal.SIGTERM, signal.SIGKILL):
            process = start(bench, "run", "trial", "--workers", 2, "--engine", engine)
            part = bench / "reports/runs/trial/a/behave.part.ipynb"
            until = time.monotonic() + 90
            while not part.is_file() and time.monotonic() < until:
                time.sleep(0.05)
            time.sleep(1)
            children = psutil.Process(process.pid).children(recursive=True)
            assert len(children) >= 3, children
            process.send_signal(number)
            process.communicate(timeout=60)
            psutil.wait_procs(children, timeout=30)
            assert [c for c in children if c.is_running()] == []
            alone(bench)
            shutil.rmtree(bench / "reports")
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = start(bench, "lab", "--no-browser", "--port", 18765)
        until = time.monotonic() + 90
        while not re.search("127.0.0.1:18765", process.stdout.readline()) and time.monotonic() < until:
            pass
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        process.communicate(timeout=60)
        psutil.wait_procs(children, timeout=30)
        alone(bench)
