"""A SLURM of one node in a folder, from the programs of slurmctld, slurmd and munge; gone when it is closed."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")
PLACES = "/usr/local/sbin:/usr/sbin:/sbin"

CONF = """\
ClusterName=trial
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
KillWait=2
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> list[str]:
    """Programs that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=_search()) is None]


def _search() -> str:
    return f"{os.environ['PATH']}:{PLACES}"


def _ports(number: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    found = [place.getsockname()[1] for place in held]
    for place in held:
        place.close()
    return found


class SingleNode:
    """Starts the three daemons in the foreground, and ends them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.daemons: list[subprocess.Popen] = []

    def __enter__(self):
        folder = self.folder
        for name in ("state", "spool"):
            (folder / name).mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        host = socket.gethostname().partition(".")[0]
        text = CONF.format(host=host, user=getpass.getuser(), folder=folder, ports=_ports(2))
        (folder / "slurm.conf").write_text(text, encoding="utf-8")
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        self._start("munged", "--foreground", "--force", f"--key-file={key}", *self._of_munge())
        self._until(lambda: (folder / "munge.socket").exists(), "munged")
        self._start("slurmctld", "-D")
        self._start("slurmd", "-D", "-N", host)
        self._until(self._idle, "the node")
        return self

    def __exit__(self, kind, error, trace):
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        os.environ.pop("SLURM_CONF", None)

    def _of_munge(self):
        for name in ("socket", "pid-file", "log-file", "seed-file"):
            yield f"--{name}={self.folder / name.replace('socket', 'munge.socket')}"

    def _start(self, name: str, *arguments: str) -> None:
        with open(self.folder / f"{name}.out", "wb") as log:
            program = shutil.which(name, path=_search())
            self.daemons.append(subprocess.Popen([program, *arguments], stdout=log, stderr=log))

    def _idle(self) -> bool:
        command = ["sinfo", "--noheader", "--format=%T"]
        return subprocess.run(command, capture_output=True, check=False).stdout.strip() == b"idle"

    def _until(self, ready, what: str) -> None:
        until = time.monotonic() + 60
        while not ready():
            fallen = [d.args for d in self.daemons if d.poll() is not None]
            if fallen or time.monotonic() > until:
                logs = "\n".join(p.read_text(errors="replace")[-1500:] for p in self.folder.glob("*.out"))
                raise RuntimeError(f"{what} did not come up; ended: {fallen}\n{logs}")
            time.sleep(0.2)
