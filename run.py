#!/usr/bin/env python3
"""Build the environment of sinklab when that is needed, then do what was asked.

    python run.py                  the main job: notebooks, parameter tables, drafts, index page
    python run.py test [...]       the quick tests; what follows goes to pytest
    python run.py setup            the environment only
    python run.py COMMAND [...]    any command of sinklab; python run.py --help lists them

The environment lies in .venv and holds exactly what requirements.lock lists. uv installs it in
seconds; without uv, or with SINKLAB_NO_UV=1, pip does the same in minutes. Both fetch packages
from where pip is configured to look. This script needs the standard library alone, and it can be
read by Python 3.8, so that an old Python gets an explanation instead of a syntax error.
"""

import ast
import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent
LOCK = ROOT / "requirements.lock"
ENVIRONMENT = ROOT / ".venv"
STAMP = ENVIRONMENT / ".sinklab-stamp"
TOOLS = ROOT / ".boot"
WINDOWS = os.name == "nt"
#: uv does not read pip's configuration; these are its own names for what pip may have been told.
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "SINKLAB_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "proxy": "ALL_PROXY",
    "cert": "SSL_CERT_FILE",
}


def say(english, chinese):
    """Tell the reader in both languages; the library that knows which one is not installed yet."""
    if hasattr(sys.stderr, "reconfigure"):
        sys.stderr.reconfigure(errors="replace")  # a console in another code page
    print(f"{english}\n{chinese}", file=sys.stderr, flush=True)


def give_up(english, chinese):
    """Explain why there is no environment, and end."""
    say(f"run.py: {english}", f"run.py：{chinese}")
    sys.exit(1)


def python_of(environment):
    """Interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if WINDOWS else "bin/python")


def base_python():
    """Interpreter outside every virtual environment, because .venv may be about to be rebuilt."""
    return getattr(sys, "_base_executable", None) or sys.executable


def run(*command, **options):
    """Run a command, and raise if it fails."""
    subprocess.run([str(part) for part in command], check=True, **options)


def works(*command):
    """Whether a command can be run and succeeds; what it prints is dropped."""
    try:
        run(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def find_pip():
    """Command that runs pip, from this Python or from a helper environment; None without either."""
    helper = TOOLS / "pip"
    for python in (base_python(), python_of(helper)):
        if works(python, "-m", "pip", "--version"):
            return [python, "-m", "pip", "--disable-pip-version-check"]
    if works(base_python(), "-m", "venv", "--clear", helper):
        return [python_of(helper), "-m", "pip", "--disable-pip-version-check"]
    return None


def find_uv(pip):
    """Path of uv: fetched earlier, on the PATH, or fetched now; None where it cannot be had."""
    fetched = [TOOLS / "uv" / folder / ("uv.exe" if WINDOWS else "uv") for folder in ("bin", "Scripts")]
    for candidate in (*fetched, shutil.which("uv")):
        if candidate and works(candidate, "--version"):
            return candidate
    # A system Python may refuse packages of its own; a folder of ours is allowed.
    if pip and works(*pip, "install", "--upgrade", "--target", TOOLS / "uv", "uv"):
        return next((path for path in fetched if works(path, "--version")), None)
    return None


def where_packages_come_from(pip):
    """Settings of pip (mirror, proxy, certificates) as variables for uv; uv's own variables win."""
    found = {}
    if pip:
        listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True)
        pairs = [line.partition("=") for line in listed.stdout.splitlines()]
        for scope in ("global", "install", ":env:"):  # the later, the stronger, as in pip
            for key, _, value in pairs:
                section, _, name = key.rpartition(".")
                if section == scope and name in UV_NAMES:
                    words = ast.literal_eval(value).split()
                    found[UV_NAMES[name]] = ("," if name == "find-links" else " ").join(words)
    if "UV_INDEX" in found:
        # pip looks through all its indexes; doing so is safe because every file must have a locked hash.
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {**found, **os.environ, "UV_PYTHON_DOWNLOADS": "never"}


def install_with_uv(uv, pip, quiet):
    """Build .venv with uv; True if it worked."""
    settings = where_packages_come_from(pip)
    try:
        run(uv, "venv", "--quiet", "--python", base_python(), ENVIRONMENT, env=settings)
        options = ["--require-hashes", "--python", python_of(ENVIRONMENT), *quiet]
        if settings.get("SINKLAB_NO_INDEX", "0") not in ("0", "false", "no"):
            options.append("--no-index")  # the one setting that uv takes from no variable
        run(uv, "pip", "sync", *options, LOCK, env=settings)
    except (OSError, subprocess.CalledProcessError):
        say("uv did not succeed; trying pip, which is slower.", "uv 未成功，改用较慢的 pip。")
        return False
    return True


def install_with_pip(pip, quiet):
    """Build .venv with venv and pip; True if it worked."""
    try:
        run(base_python(), "-m", "venv", "--without-pip", "--clear", ENVIRONMENT)
        target = ("--python", python_of(ENVIRONMENT))
        run(*pip, *target, "install", *quiet, "--require-hashes", "-r", LOCK)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def wanted_stamp():
    """What the stamp says when the environment fits the lock and this Python."""
    lock = LOCK.read_bytes().replace(b"\r\n", b"\n")
    return "{} {}.{}".format(hashlib.sha256(lock).hexdigest(), *sys.version_info)


def is_ready():
    """Whether .venv was completed for the present lock and Python."""
    with contextlib.suppress(OSError):
        return STAMP.read_text(encoding="utf-8") == wanted_stamp() and python_of(ENVIRONMENT).exists()
    return False


def build():
    """Build .venv from nothing; the stamp comes last, so what was interrupted is begun anew."""
    say(
        "Setting up .venv for Python {}.{}: once, about 450 MB to fetch ...".format(*sys.version_info),
        "正在为 Python {}.{} 建立 .venv 环境：只需一次，约下载 450 MB……".format(*sys.version_info),
    )
    begun = time.monotonic()
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    pip = find_pip()
    uv = None if os.environ.get("SINKLAB_NO_UV") else find_uv(pip)
    if not (pip or uv):
        give_up(
            "this Python has neither pip nor venv. On Debian: apt install python3-venv; or install uv.",
            "此 Python 既无 pip 也无 venv。Debian 上请执行 apt install python3-venv，或安装 uv。",
        )
    try:
        if ENVIRONMENT.exists():
            STAMP.unlink(missing_ok=True)
            shutil.rmtree(ENVIRONMENT)
    except OSError as error:
        give_up(
            f".venv cannot be replaced ({error}). Close the programs that use it and try again.",
            f"无法替换 .venv（{error}）。请关闭正在使用它的程序后重试。",
        )
    if not (uv and install_with_uv(uv, pip, quiet)) and not (pip and install_with_pip(pip, quiet)):
        give_up(
            "the packages could not be installed; the reason stands above. Check the network, or pip's"
            " mirror (python -m pip config list), and run the same command again.",
            "软件包安装失败，原因见上。请检查网络或 pip 镜像设置（python -m pip config list），然后重新执行。",
        )
    STAMP.write_text(wanted_stamp(), encoding="utf-8")
    seconds = time.monotonic() - begun
    say(f"The environment is ready ({seconds:.0f} s).", f"环境已就绪（{seconds:.0f} 秒）。")


@contextlib.contextmanager
def alone():
    """Let one process at a time build the environment; the system frees the lock of a dead one."""
    TOOLS.mkdir(exist_ok=True)
    with open(TOOLS / "lock", "a", encoding="utf-8") as handle:
        told = False
        while not locked(handle):
            if not told:
                say("Waiting for another set-up to end ...", "正在等待另一个安装过程结束……")
            told = True
            time.sleep(0.5)
        yield


def locked(handle):
    """Try to lock an open file; a file system without locks lets everybody pass."""
    try:
        if WINDOWS:
            import msvcrt

            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


def as_typed():
    """How this script was called, for help and messages that say what to type next."""
    if WINDOWS:
        return "py -3 run.py" if shutil.which("py") else "python run.py"
    return " ".join([os.path.basename(sys.orig_argv[0]), sys.argv[0]])


def explain(arguments):
    """Print a help text with the library's own parser, which needs no package; ends the program."""
    sys.path.insert(0, str(ROOT))
    sys.dont_write_bytecode = True
    os.environ["SINKLAB_COMMAND"] = as_typed()
    from sinklab.cli import main as answer

    sys.exit(answer(arguments))


def launch(arguments):
    """Hand over to sinklab, or to pytest, inside the environment; does not return."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    variables.pop("PYTHONHOME", None)
    if variables.get("SINKLAB_DATA"):
        # Tests and kernels work in other folders, where a relative path would lead astray.
        variables["SINKLAB_DATA"] = os.path.abspath(os.path.expanduser(variables["SINKLAB_DATA"]))
    if arguments[:1] == ["test"]:
        os.chdir(ROOT)
        module = ["pytest", *arguments[1:]]
    else:
        module = ["sinklab", *(arguments or ["run"])]
        variables["SINKLAB_COMMAND"] = as_typed()
    command = [str(python_of(ENVIRONMENT)), "-m", *module]
    if not WINDOWS:
        os.execve(command[0], command, variables)
    # Windows cannot replace a process. Ctrl-C reaches the child as well, which decides what it means.
    signal.signal(signal.SIGINT, lambda *_: None)
    sys.exit(subprocess.run(command, env=variables).returncode)


def main():
    """Check the Python, see to the environment, do the task."""
    if sys.version_info < OLDEST:
        give_up(
            "sinklab needs Python 3.11 or newer, and this is {}.{}. Install one and call it by its name,"
            " for example: python3.12 run.py, or on Windows: py -3.12 run.py".format(*sys.version_info),
            "sinklab 需要 Python 3.11 或更新版本，当前为 {}.{}。请安装后指明版本运行，"
            "例如 python3.12 run.py；Windows：py -3.12 run.py".format(*sys.version_info),
        )
    if not is_ready() and sys.argv[1:2] != ["test"] and {"-h", "--help", "--version"} & set(sys.argv[1:]):
        explain(sys.argv[1:])
    if not is_ready():
        with alone():
            if not is_ready():
                build()
    if sys.argv[1:] != ["setup"]:
        launch(sys.argv[1:])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        say("\nrun.py: interrupted.", "run.py：已中断。")
        sys.exit(130)
