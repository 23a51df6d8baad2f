"""Many small jobs: ``sinklab run`` beside a shell loop over the papermill command, and what planning costs.

Same notebooks, same machine, same run; written to a temporary workbench. The tables of both ways are
compared byte by byte. Each row gives seconds on the clock and seconds of processor: on a machine that does
other work as well, the second is the steadier of the two. Usage::

    python tests/benchmarks/bench_runs.py [--jobs 40] [--workers 2] [--loop 40] [--bayes | --planning]
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
NSUR = {"method": "nsur", "equations": "stem = a1 * dbh**b1\nbranch = a2 * dbh**b2\nagb = stem + branch\n"}
BAYES = {"method": "bayes", "equations": "stem = a1 * dbh**b1\n", "variance": "lognormal"}


def template(folder: Path) -> Path:
    """Copy the workbench once, the library too: an edit during the comparison would change what is compared."""
    for room in ("data", "notebooks", "sinklab"):
        shutil.copytree(REPOSITORY / room, folder / room)
    shutil.copy(REPOSITORY / "requirements.lock", folder)
    return folder


def workbench(folder: Path, jobs: int, bayes: bool, copied: Path) -> list[dict]:
    """Write a batch of jobs on one simulated study, which differ in their smallest diameter."""
    shutil.copytree(copied, folder)
    chosen = BAYES if bayes else NSUR
    entries = []
    for number in range(jobs):
        name = f"agb_forest_trial_{number}"
        where = {"dbh": {"min": round(2 + 0.05 * number, 2)}}
        parameters = {
            "table_id": name,
            "version": "0.1.0",
            "source": "study:chinese_fir_simulated",
            "where": where,
        }
        entries.append({"id": name, "parameters": parameters | chosen | {"seed": 20240611}})
    batch = {"notebook": "fit_allometry.ipynb", "timeout": 600, "jobs": entries}
    path = folder / "notebooks" / "batches" / "bench.yml"
    path.write_text(json.dumps(batch), encoding="utf-8")
    return entries


def tables(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of the tables."""
    files = sorted(path for path in (folder / "params").rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def loop(folder: Path, entries, environment) -> float:
    """Seconds of a shell loop over the papermill command."""
    out = folder / "out"
    out.mkdir()
    started = time.perf_counter()
    for entry in entries:
        file = out / f"{entry['id']}.yml"
        own = {
            "out_dir": f"reports/runs/bench/{entry['id']}",
            "title_zh": entry["id"],
            "title_en": entry["id"],
        }
        file.write_text(json.dumps(entry["parameters"] | own), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "papermill",
            "notebooks/fit_allometry.ipynb",
            f"{out / entry['id']}.ipynb",
        ]
        command += ["-f", str(file), "--no-progress-bar", "-k", "python3"]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return time.perf_counter() - started


def sinklab(folder: Path, workers: int, environment, told: str = "") -> float:
    """Seconds of a run of the batch, whose output must hold ``told``."""
    command = [sys.executable, "-m", "sinklab", "run", "bench", "--workers", str(workers)]
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode or told not in done.stdout:
        sys.exit(done.stdout + done.stderr)
    return time.perf_counter() - started


def processor() -> float:
    """Seconds of processor that the ended children of this process have used."""
    used = os.times()
    return used.children_user + used.children_system


def environment_of(folder: Path) -> dict[str, str]:
    """Settings that both ways are given."""
    environment = dict(os.environ) | dict.fromkeys(THREADS, "1") | {"PYTENSOR_FLAGS": "cxx=,mode=NUMBA"}
    return environment | {"PYTHONPATH": str(folder), "SINKLAB_ROOT": str(folder), "PYTHONHASHSEED": "0"}


def compare(place: Path, chosen) -> None:
    """Print the loop and the run beside each other."""
    ways, found = {}, {}
    copied = template(place / "copy")
    number = chosen.loop or chosen.jobs
    for way in ("loop", "sinklab", "ahead"):
        folder = place / way
        entries = workbench(folder, chosen.jobs, chosen.bayes, copied)
        environment, before = environment_of(folder), processor()
        if way == "loop":
            clock = loop(folder, entries[:number], environment)
            scale = chosen.jobs / number
        else:
            # Without forks, as on Windows: workers keep the kernel of their next job ready.
            own = environment | {"SINKLAB_FORK": "0"} if way == "ahead" else environment
            clock, scale = sinklab(folder, chosen.workers, own), 1
        ways[way] = clock * scale, (processor() - before) * scale
        found[way] = tables(folder)
    again = sinklab(place / "sinklab", chosen.workers, environment, f"{chosen.jobs} unchanged")
    what = "posterior" if chosen.bayes else "least squares"
    print(f"{chosen.jobs} jobs, {chosen.workers} workers, {what}; loop over {number} of them")
    print("                                    clock/s  processor/s   times less")
    names = {"loop": "papermill in a loop", "sinklab": "sinklab run", "ahead": "sinklab run, without forks"}
    for way, name in names.items():
        clock, used = ways[way]
        faster, less = ways["loop"][0] / clock, ways["loop"][1] / used
        print(f"{name:32s}{clock:11.1f}{used:13.1f}{faster:8.1f}, {less:.1f}")
    print(f"{'run again, no-op':32s}{again:11.2f}")
    different = []
    for way in ("sinklab", "ahead"):
        common = found["loop"].keys() & found[way].keys()
        different += sorted(f"{way}: {name}" for name in common if found["loop"][name] != found[way][name])
        print(f"{len(common)} files of tables compared ({names[way]})")
    print(f"{len(different)} differ {', '.join(different[:5])}")
    if different:
        sys.exit(1)


def planning(place: Path, chosen) -> None:
    """Print what it costs to find that 500 jobs need not be executed, and to plan 10,000 jobs."""
    folder = place / "planning"
    workbench(folder, 500, False, template(place / "copy"))
    shutil.copy(REPOSITORY / "tests" / "notebooks" / "behave.ipynb", folder / "notebooks")
    text = """notebook: behave.ipynb
defaults: {seed: 7}
jobs:
  - id: "job_{a}_{b}"
    matrix: {a: [%s], b: [%s]}
    parameters: {name: "job_{a}_{b}", where: {a: "{a}", b: "{b}"}}
    outputs: ["params/job_{a}_{b}/0.1.0"]
"""
    path = folder / "notebooks" / "batches" / "many.yml"
    os.environ.update(environment_of(folder))
    _pretend("bench")
    done = min(sinklab(folder, chosen.workers, os.environ, "500 unchanged") for _ in range(3))
    print(f"no-op run of 500 jobs            {done:6.2f} s")
    for jobs in (1000, 10000):
        numbers = [", ".join(map(str, range(count))) for count in (jobs // 100, 100)]
        path.write_text(text % tuple(numbers), encoding="utf-8")
        command = [sys.executable, "-c", PLAN]
        told = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=True).stdout
        if f"{jobs} would run" not in told:
            sys.exit(told)
        seconds, megabytes = map(float, told.split()[-2:])
        print(f"{jobs:6d} jobs planned              {seconds:6.2f} s, at most {megabytes:.0f} MB in memory")


def _pretend(name: str) -> None:
    """Write the ledger as if every job of a batch had been executed; the real results would take an hour."""
    from sinklab import paths
    from sinklab.runs import batch, ledger
    from sinklab.runs.ledger import Record
    from sinklab.runs.reading import read_batch

    lines = []
    for task in batch.plan_jobs(read_batch(name).jobs, ledger.Workbench(), {}):
        folder = paths.root() / task.job.outputs[0]
        folder.mkdir(parents=True)
        written = [folder / f"{part}.csv" for part in ("coefficients", "covariance", "checks", "equations")]
        for file in written:
            file.write_text(f"{file.name} of {task.name}\n" * 50, encoding="utf-8")
        record = Record(task.name, batch=name, id=task.job.id, parts=task.parts, outputs=ledger.seal(written))
        lines.append(json.dumps(record.to_dict()))
    ledger.ledger_path().parent.mkdir(parents=True)
    ledger.ledger_path().write_text("\n".join(lines) + "\n", encoding="utf-8")


#: Plans a batch as ``run --dry-run`` does; tells the seconds and the highest memory of its process.
PLAN = """
import resource, sys, time
started = time.perf_counter()
from sinklab.cli import main
code = main(["run", "many", "--dry-run"])
assert code == 0, code
size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
print(time.perf_counter() - started, size)
"""


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--bayes", action="store_true", help="each job samples a posterior")
    parser.add_argument("--loop", type=int, help="jobs of the loop, if fewer; its time is scaled")
    parser.add_argument("--planning", action="store_true", help="what planning costs, nothing else")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder).resolve()
        (planning if chosen.planning else compare)(place, chosen)


if __name__ == "__main__":
    main()
