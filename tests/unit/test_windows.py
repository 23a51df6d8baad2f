"""Windows, as far as another system can try it: line ends, names, what its Python lacks, code pages, shells.

What only a Windows machine could show is listed in ``CONTRIBUTING.md``.
"""

# ruff: noqa: F811  (a fixture that is imported bears the name of an argument)
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from published_tables import make_trees
from runs_workbench import REPOSITORY, workbench, write_batch  # noqa: F401

from sinklab import language, paths
from sinklab.data.files import write_csv
from sinklab.language import RunError
from sinklab.runs import ledger
from sinklab.runs.reading import read_batch
from sinklab.tables.checks import validate
from sinklab.tables.table import Table


def sinklab(root, *arguments, code=0, **variables):
    given = {"PYTHONPATH": str(root), "SINKLAB_ROOT": str(root), "SINKLAB_LANG": "en"}
    done = subprocess.run(
        [sys.executable, "-m", "sinklab", *map(str, arguments)],
        env={n: v for n, v in os.environ.items() if n != "SINKLAB_DATA"} | given | variables,
        cwd=root,
        capture_output=True,
        check=False,
    )
    told = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == code, told
    return told


# Line ends.


@pytest.mark.parametrize(
    ("text", "raw"), [(b"a,b\n1,2\n\n", False), (b"\r\r\n\n\r", False), (b"x\x00\r\n", True), (b"", False)]
)
def test_text_has_one_hash_whatever_its_line_ends(tmp_path, text, raw):
    path = tmp_path / "file"
    path.write_bytes(text)
    unix = paths.file_sha256(path)
    path.write_bytes(text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    assert (paths.file_sha256(path) == unix) is not raw or text == path.read_bytes()
    large = b"12345\r\n" * 300_000 + b"\r"  # a pair of the two lies across the blocks that are read
    path.write_bytes(large)
    windows, raw_hash = paths.file_sha256(path), paths.file_sha256(path, raw=True)
    path.write_bytes(large.replace(b"\r\n", b"\n"))
    assert windows == paths.file_sha256(path) == paths.file_sha256(path, raw=True) != raw_hash


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_clone_with_line_ends_of_windows_verifies_drafts_and_releases(tmp_path):
    """As where a table came into a repository that does not settle its line ends."""
    clone, home = tmp_path / "clone", tmp_path / "home"
    git = ["git", "-c", "core.autocrlf=true", "-c", "core.eol=crlf"]
    made = subprocess.run(
        [*git, "clone", "--quiet", "--no-checkout", f"file://{REPOSITORY}", clone],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("this is no clone of the repository")
    (clone / ".git" / "info" / "attributes").write_text("* text=auto eol=crlf\n", encoding="utf-8")
    subprocess.run([*git, "checkout", "--quiet", "HEAD"], cwd=clone, check=True)
    assert b"\r\n" in (clone / "data" / "vocabulary" / "variables.csv").read_bytes()
    for name in ("sinklab", "data", "reports/templates"):
        # What is tried is this library, not the last commit of it.
        shutil.rmtree(clone / name)
        shutil.copytree(REPOSITORY / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    home.mkdir()
    write_csv(make_trees(80), home / "field.csv")
    given = [
        "--equations",
        "stem = a*dbh^b; branch = c*dbh^d; agb = stem + branch",
        "--method",
        "wls",
        "--save",
        "stem_forest_x",
        "--cluster",
        "none",
    ]
    sinklab(REPOSITORY, "fit", home / "field.csv", *given, SINKLAB_PARAMS=str(home / "params"))
    sinklab(
        REPOSITORY,
        *("fit", "study:chinese_fir_simulated", "--equations", "stem = a*dbh^b", "--method", "wls"),
        *("--save", "stem_forest_fir"),
        SINKLAB_PARAMS=str(home / "params"),
    )
    shutil.copytree(home / "params", clone / "params", dirs_exist_ok=True)
    shutil.copy(home / "field.csv", clone / "field.csv")
    for path in [p for p in clone.rglob("*") if p.is_file() and ".git" not in p.parts]:
        content = path.read_bytes()
        if b"\0" not in content[:8000] and path.suffix != ".py":
            path.write_bytes(content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    assert validate(clone / "params/stem_forest_x/0.1.0") == []
    told = sinklab(clone, "table", "verify", "stem_forest_x", "stem_forest_fir", "--data", "field.csv")
    assert "inputs: 1 of 1 files" in told and "inputs: 4 of 4 files" in told and "NOT" not in told
    sinklab(clone, "new", "draft", "stem_forest_x", "--name", "trial", "--species", "杉木")
    sinklab(clone, "draft", "trial", "--to", "html", "--preview")
    checks = Table.read(clone / "params/stem_forest_x/0.1.0").checks
    failed = checks[~checks["passed"].astype(bool)]
    accepted = [f"{c}:{r}=a test" for c, r in zip(failed["check_id"], failed["response"], strict=True)]
    sinklab(
        clone,
        *(
            "table",
            "release",
            "stem_forest_x@1.0.0",
            "--reason",
            "first",
            "--reviewer",
            "王五",
            "--data",
            "field.csv",
        ),
        *(part for one in accepted for part in ("--accept", one)),
    )
    released = clone / "params/stem_forest_x/1.0.0"
    for path in [clone / "params/CHANGELOG.md", *released.iterdir()]:
        content = path.read_bytes()
        if b"\0" not in content[:8000]:
            path.write_bytes(content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    assert validate(released) == [], "sealed, and cloned again"
    (released / "coefficients.csv").write_bytes(
        (released / "coefficients.csv").read_bytes().replace(b"1", b"2")
    )
    assert validate(released)


# Names and lengths of paths.

#: With the folders of a user above it a path may have 260 letters in all.
LONGEST = 200


def test_every_path_can_be_one_on_windows():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, encoding="utf-8", check=False
    )
    if listed.returncode:
        pytest.skip("this is no clone of the repository")
    files = [name for name in listed.stdout.split("\0") if name]
    assert len(files) > 200 and max(map(len, files)) <= LONGEST
    parts = {part for name in files for part in name.split("/")}
    assert [
        part for part in parts if not paths.portable(part) or re.search(r'[<>:"\\|?*\x00-\x1f]', part)
    ] == []
    folded = [name.casefold() for name in files]
    assert len(set(folded)) == len(folded), "names that differ in case alone"


def test_what_a_batch_writes_stays_within_the_length():
    longest = "x" * 80
    for path in (REPOSITORY / "notebooks" / "batches").glob("*.yml"):
        for notebook in (REPOSITORY / "notebooks").glob("*.ipynb"):
            written = f"reports/runs/{path.stem}/{longest}/{notebook.stem}.failed.ipynb"
            assert (
                len(written) <= LONGEST and len(f"{Path(written).parent}/figures/{'x' * 40}.png") <= LONGEST
            )


@pytest.mark.parametrize("name", ["con", "NUL", "aux.1", "Com7", "lpt1.txt", "a.", "x" * 81])
def test_names_that_windows_does_not_take_are_refused(workbench, name):
    write_batch(
        workbench, f"notebook: behave.ipynb\njobs: [{{id: {name}, parameters: {{name: a, seed: 1}}}}]\n"
    )
    with pytest.raises(RunError, match="on Windows too"):
        read_batch("trial")
    assert paths.portable("console") and paths.portable("nul_1") and paths.portable("a.b")


# What Python lacks on Windows.

HIDE = '''\
"""Names that Python has on POSIX systems alone are hidden from the library, as on Windows."""
import os, signal, socket, sys

LACKING = {
    "os": {"fork", "forkpty", "getuid", "geteuid", "getgid", "getegid", "getpgid", "setpgid", "killpg", "setsid", "getsid",
           "chown", "lchown", "chroot", "mkfifo", "mknod", "nice", "wait", "wait3", "wait4", "waitid", "WNOHANG", "uname",
           "sysconf", "getloadavg", "statvfs", "posix_spawn", "sched_getaffinity", "sched_setaffinity", "setuid", "setgid",
           "ttyname", "openpty", "pwrite", "preadv", "sendfile", "O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC", "confstr",
           "initgroups", "getgroups", "getpriority", "ctermid", "fchown", "fchdir", "sync", "pipe2", "memfd_create"},
    "signal": {"SIGKILL", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "SIGPIPE", "SIGCONT", "SIGSTOP",
               "SIGTSTP", "SIGWINCH", "SIGTTIN", "SIGTTOU", "pause", "alarm", "setitimer", "pthread_sigmask", "sigwait",
               "pthread_kill", "siginterrupt", "ITIMER_REAL"},
    "socket": {"AF_UNIX", "socketpair_unix", "send_fds", "recv_fds"},
}
ABSENT = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "posix"}


def ours(depth=2):
    return sys._getframe(depth).f_globals.get("__name__", "").startswith("sinklab")


def hide(module):
    lacking = LACKING[module.__name__]

    class Lacking(type(module)):
        def __getattribute__(self, name):
            if name in lacking and ours():
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r} on Windows")
            return super().__getattribute__(name)

    module.__class__ = Lacking


for module in (os, signal, socket):
    hide(module)


import builtins
there = builtins.__import__


def import_(name, globals=None, locals=None, fromlist=(), level=0):
    if name in ABSENT and (globals or {}).get("__name__", "").startswith("sinklab"):
        raise ModuleNotFoundError(f"No module named {name!r} on Windows", name=name)
    return there(name, globals, locals, fromlist, level)


builtins.__import__ = import_
'''


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_batch_runs_without_what_windows_lacks(workbench, tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(HIDE, encoding="utf-8")
    write_batch(
        workbench,
        """\
        notebook: behave.ipynb
        defaults: {seed: 7}
        jobs:
          - {id: a, parameters: {name: a}, outputs: [params/a/0.1.0]}
          - {id: b, parameters: {name: b, factor: 2}, outputs: [params/b/0.1.0]}
          - {id: c, parameters: {name: c, behaviour: fail}, outputs: [params/c/0.1.0]}
        """,
    )
    write_csv(make_trees(60), workbench / "field.csv")
    variables = {
        "PYTHONPATH": os.pathsep.join([str(hidden), str(REPOSITORY)]),
        "SINKLAB_ROOT": str(workbench),
        "SINKLAB_LANG": "en",
    }

    def command(*arguments, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "sinklab", *arguments],
            env=dict(os.environ) | variables,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    probe = "import sinklab.paths as p, os\nprint(p.fcntl)\nexec(compile('import os; os.fork', 'x', 'exec'), p.__dict__)"
    done = subprocess.run(
        [sys.executable, "-c", probe],
        env=dict(os.environ) | variables,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.stdout == "None\n" and "no attribute 'fork' on Windows" in done.stderr, (
        "they are hidden indeed"
    )
    command("run", "trial", "--workers", "1", code=1)
    found = {name: record.reason or record.status for name, record in ledger.read().items()}
    assert found == {"trial/a": "ok", "trial/b": "ok", "trial/c": "error"}
    command("run", "trial", "--workers", "2", "--force", code=1)
    command("fit", "field.csv", "--equations", "stem = a*dbh^b", "--method", "wls", "--save", "stem_forest_x")
    command("predict", "stem_forest_x", "field.csv", "-o", "out.csv")
    command("table", "export", "stem_forest_x", "--to", "xlsx", "-o", "out.xlsx")
    command("run", "trial", "--engine", "dask", "--workers", "1", "--force", code=1)
    assert not [p for p in workbench.rglob("*.part*") if ".ipynb" not in p.name]


# Code pages of consoles.


@pytest.mark.parametrize(
    ("page", "lang"),
    [
        pytest.param(page, lang, marks=() if (page, lang) == ("cp936", "zh") else pytest.mark.slow)
        for page in ("cp936", "cp65001", "cp437", "cp1252", "ascii", "utf-8")
        for lang in ("zh", "en")
    ],
)
def test_no_console_stops_a_message(tmp_path, page, lang):
    """936 is that of Chinese Windows, 65001 UTF-8; what a page does not have is shown as a question mark."""
    variables = {"PYTHONIOENCODING": page, "PYTHONUTF8": "0", "SINKLAB_LANG": lang}
    (tmp_path / "ŵ𠀀é—½.csv").write_text("dbh,agb\n5,x\n", encoding="utf-8")
    for arguments, code in (
        (["--help"], 0),
        (["fit", "--help"], 0),
        (["data", "list"], 0),
        (["table", "list"], 0),
        (["fit", tmp_path / "ŵ𠀀é—½.csv", "--equations", "agb = a*dbh^b"], 2),
        (["fit", b"\xff\xfe.csv", "--equations", "agb = a*dbh^b"], 2),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "sinklab", *arguments],
            env=dict(os.environ)
            | {"PYTHONPATH": str(REPOSITORY), "SINKLAB_ROOT": str(REPOSITORY)}
            | variables,
            capture_output=True,
            check=False,
        )
        told = (done.stdout + done.stderr).decode(page)
        assert done.returncode == code and "Traceback" not in told and "Error" not in told, told
        if page in ("cp936", "cp65001", "utf-8") and lang == "zh":
            assert re.search("[\u4e00-\u9fff]{2}", told)


def test_the_bootstrap_speaks_to_every_console():
    """It tells in both languages before the library is there."""
    code = "import runpy, sys; run = runpy.run_path('run.py'); run['say']('Setting up ŵ…', '正在建立环境……')"
    for page in ("cp936", "cp437", "cp1252", "ascii"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=dict(os.environ) | {"PYTHONIOENCODING": page, "PYTHONUTF8": "0"},
            cwd=REPOSITORY,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0 and b"Setting up" in done.stderr, done.stderr


# Shells.


def test_the_readme_speaks_to_every_shell():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for half in text.split("\n---\n", 1):
        for words in ("set SINKLAB_DATA=", "$env:SINKLAB_DATA", "export SINKLAB_DATA=", "py -3"):
            assert words in half, words
    lines = [
        line.split("   #")[0]
        for block in re.findall(r"```\n(.*?)```", text, re.S)
        for line in block.splitlines()
    ]
    commands = [line for line in lines if line.startswith("python run.py")]
    assert len(commands) > 15
    # A single quote is a letter for cmd, as is a caret outside double quotes; PowerShell fills in $ and cuts at ;.
    bare = [re.sub(r'"[^"]*"', '""', line) for line in commands]
    assert [line for line in bare if re.search(r"['^&|<>;$`%]", line)] == []
    assert [
        line for line in commands if any("$" in q or "%" in q for q in re.findall(r'"([^"]*)"', line))
    ] == []


def test_the_variable_of_open_data_is_shown_for_the_shell_at_hand(monkeypatch):
    assert language.set_variable("SINKLAB_DATA", "x") == "export SINKLAB_DATA=x"
    monkeypatch.setattr(language.os, "name", "nt")
    told = language.set_variable("SINKLAB_DATA", "D:\\data")
    monkeypatch.undo()
    assert 'set "SINKLAB_DATA=D:\\data"' in told and '$env:SINKLAB_DATA = "D:\\data"' in told
    known = yaml.safe_load((REPOSITORY / "data" / "open.yml").read_text(encoding="utf-8"))
    from sinklab.data.catalogue import where_to_get

    assert "export SINKLAB_DATA=FOLDER" in where_to_get(next(iter(known)))
