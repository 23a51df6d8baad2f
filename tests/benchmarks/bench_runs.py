"""Many small jobs: ``sinklab run`` beside a shell loop over the papermill command, and what a no-op costs.

Same notebooks, same machine, same run; written to a temporary workbench. The tables of both ways are
compared byte by byte. Usage::

    python tests/benchmarks/bench_runs.py [--jobs 40] [--workers 2] [--bayes]
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
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
NSUR = {"method": "nsur", "equations": "stem = a1 * dbh**b1\nbranch = a2 * dbh**b2\nagb = stem + branch\n"}
BAYES = {"method": "bayes", "equations": "stem = a1 * dbh**b1\n", "variance": "lognormal"}


def workbench(folder: Path, jobs: int, bayes: bool) -> list[dict]:
    """Write a batch of jobs on one simulated study, which differ in their smallest diameter."""
    # The library too: an edit during the comparison would change what is compared.
    for room in ("data", "notebooks", "sinklab"):
        shutil.copytree(REPOSITORY / room, folder / room)
    shutil.copy(REPOSITORY / "requirements.lock", folder)
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


def sinklab(folder: Path, workers: int, environment) -> float:
    """Seconds of a run of the batch."""
    command = [sys.executable, "-m", "sinklab", "run", "bench", "--workers", str(workers)]
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return time.perf_counter() - started


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--bayes", action="store_true")
    parser.add_argument("--loop", type=int, help="jobs of the loop, if fewer; its time is scaled")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        ways, found = {}, {}
        for way in ("loop", "sinklab"):
            folder = Path(place).resolve() / way
            folder.mkdir()
            entries = workbench(folder, chosen.jobs, chosen.bayes)
            environment = dict(os.environ) | dict.fromkeys(THREADS, "1")
            environment |= {"PYTHONPATH": str(folder), "SINKLAB_ROOT": str(folder), "PYTHONHASHSEED": "0"}
            environment |= {"PYTENSOR_FLAGS": "cxx=,mode=NUMBA"}
            if way == "loop":
                number = chosen.loop or chosen.jobs
                ways[way] = loop(folder, entries[:number], environment) * chosen.jobs / number
            else:
                ways[way] = sinklab(folder, chosen.workers, environment)
                again = sinklab(folder, chosen.workers, environment)
            found[way] = tables(folder)
        common = found["loop"].keys() & found["sinklab"].keys()
        different = sorted(name for name in common if found["loop"][name] != found["sinklab"][name])
        print(
            f"{chosen.jobs} jobs, {chosen.workers} workers, {'posterior' if chosen.bayes else 'least squares'}"
        )
        print(f"papermill in a loop {ways['loop']:8.1f} s")
        print(
            f"sinklab run         {ways['sinklab']:8.1f} s   {ways['loop'] / ways['sinklab']:.1f} times faster"
        )
        print(f"run again, no-op    {again:8.2f} s")
        print(f"{len(common)} files of tables compared, {len(different)} differ {', '.join(different[:5])}")
        if different:
            sys.exit(1)


if __name__ == "__main__":
    main()
