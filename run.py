#!/usr/bin/env python3
"""Build the environment once, then run sinklab in it.

    python run.py                 the main job on what the repository carries
    python run.py test [ARGS]     the tests (arguments go to pytest)
    python run.py setup           only build the environment
    python run.py COMMAND [ARGS]  any command of sinklab

Only the standard library is used here. The environment lies in ``.venv`` and is rebuilt when
``requirements.lock`` or the Python that calls this file changes. A package mirror that pip is
configured with is handed on to uv, which does not read pip's configuration; without uv, or with
``SINKLAB_NO_UV=1``, pip itself installs, more slowly.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BOOT = ROOT / ".boot"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / ".sinklab-stamp"
WINDOWS = os.name == "nt"
PYTHON = VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")
NEEDED = (3, 11)


def call(*command, **options):
    """Run a command; stop with its exit code when it fails."""
    subprocess.run([str(part) for part in command], check=True, **options)


def wanted_stamp():
    """What the environment must have been built from: the lock and this Python."""
    lock = LOCK.read_bytes().replace(b"\r\n", b"\n")
    return "%s %d.%d" % (hashlib.sha256(lock).hexdigest(), sys.version_info[0], sys.version_info[1])


def find_uv():
    """Path of uv: an installed one, else fetched into ``.boot``; None when it cannot be had."""
    if os.environ.get("SINKLAB_NO_UV"):
        return None
    name = "uv.exe" if WINDOWS else "uv"
    found = shutil.which("uv") or next((str(p) for p in BOOT.rglob(name) if p.is_file()), None)
    if found:
        return found
    try:
        # A folder of its own may be filled even where the system's Python is externally managed.
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        call(*pip, "--target", BOOT, "uv")
        return str(next(p for p in BOOT.rglob(name) if p.is_file()))
    except (OSError, subprocess.CalledProcessError, StopIteration):
        print("uv 不可用，改用 pip（较慢） · uv is not available, using pip (slower)", flush=True)
        return None


def pip_setting(name):
    """One value of pip's configuration, or an empty string."""
    from_environment = os.environ.get("PIP_" + name.upper().replace("-", "_"))
    if from_environment:
        return from_environment
    command = [sys.executable, "-m", "pip", "config", "get", "global." + name]
    try:
        answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return ""
    return answer.stdout.decode("utf-8", "replace").strip() if answer.returncode == 0 else ""


def uv_environment():
    """Environment for uv, with the mirror and certificate that pip uses."""
    environment = dict(os.environ)
    for setting, variable in (("index-url", "UV_DEFAULT_INDEX"), ("cert", "SSL_CERT_FILE")):
        value = pip_setting(setting)
        if value:
            environment.setdefault(variable, value)
    # Falling back to copies is normal on network drives and needs no warning.
    environment.setdefault("UV_LINK_MODE", "copy" if WINDOWS else "hardlink")
    return environment


def build():
    """Make ``.venv`` hold exactly what the lock says."""
    print("正在准备运行环境（首次需数分钟） · preparing the environment (minutes, once)", flush=True)
    STAMP.unlink() if STAMP.exists() else None
    uv = find_uv()
    if uv:
        environment = uv_environment()
        call(uv, "venv", "--quiet", "--clear", "--python", sys.executable, VENV, env=environment)
        call(uv, "pip", "sync", "--quiet", "--require-hashes", "--python", PYTHON, LOCK, env=environment)
    else:
        call(sys.executable, "-m", "venv", "--clear", VENV)
        pip = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        call(*pip, "--require-hashes", "-r", LOCK)


def ensure():
    """Build the environment unless it is the wanted one already."""
    if sys.version_info < NEEDED:
        found = "%d.%d" % sys.version_info[:2]
        sys.exit(
            "需要 Python 3.11 或更高版本，当前为 %s · needs Python 3.11 or newer, found %s" % (found, found)
        )
    stamp = wanted_stamp()
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text(encoding="ascii") == stamp:
        return
    try:
        build()
    except subprocess.CalledProcessError as error:
        sys.exit(
            "环境安装失败，请检查网络或 pip 镜像后重试 · the environment could not be built; "
            "check the network or the pip mirror and try again (%s)" % error
        )
    # The stamp is written last, so an interrupted build is repaired by the next call.
    STAMP.write_text(stamp, encoding="ascii")


def main(arguments):
    """Prepare the environment and pass the arguments on."""
    ensure()
    if arguments[:1] == ["setup"]:
        return 0
    if arguments[:1] == ["test"]:
        command = ["-m", "pytest", *arguments[1:]]
    else:
        command = ["-m", "sinklab", *(arguments or ["run"])]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = dict(os.environ, PYTHONUTF8="1", PYTHONPATH=path)
    try:
        return subprocess.call([str(PYTHON), *command], env=environment)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
