"""Propagation against R BIOMASS, and stocks of millions of stands: ``python tests/benchmarks/bench_propagate.py``.

Needs ``SINKLAB_DATA`` beside the bench data. Every case runs in a process of its own, so that its
peak of memory is its own. Where R or BIOMASS is not at hand, the figures recorded for it are used,
and the output says so.
"""

import csv
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

BENCH = Path(os.environ["SINKLAB_DATA"]) / ".." / "bench"
#: Best of three calls, and peak of memory, recorded for BIOMASS 3.0 on 5,000 trees and 1,000 draws.
RECORDED = 1.87, 685
SPECIES, COUNTIES = 40, 111


def peak() -> float:
    """Largest resident memory of this process [MB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def best(function, times=3) -> float:
    """Shortest of several runs [s]."""
    spans = []
    for _ in range(times):
        begin = time.perf_counter()
        function()
        spans.append(time.perf_counter() - begin)
    return min(spans)


def trees(n_draw, workers):
    """The case of BIOMASS: errors of diameter, height, wood density, parameters and residual."""
    import numpy as np

    from sinklab.equations.system import System
    from sinklab.propagate.model import Model, Noise, arrange
    from sinklab.propagate.monte_carlo import draw_totals

    with open(BENCH / "data" / "mc_5000.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = {"dbh": "D", "height": "H", "wood_density": "WD", "sd_wd": "sdWD"}
    data = {k: np.array([float(r[c]) for r in rows]) for k, c in names.items()}
    data["sd_dbh"] = 0.0062 * data["dbh"] + 0.0904
    covariance = np.array([[3.5e-3, -3.6e-4], [-3.6e-4, 4.0e-5]])
    centre = np.array([-2.762, 0.976])
    pool = np.random.default_rng(0).multivariate_normal(centre, covariance, 1001)
    system = System.parse("agb = exp(a + b*log(wood_density*dbh**2*height))")
    correction = {"agb": float(np.exp(0.357**2 / 2))}
    model = Model("chave", system, ("agb",), centre, covariance, pool, sigma=0.357, correction=correction)
    noises = [
        Noise("dbh", "sd_dbh", "dbh", low=0.1, high=500, gross_share=0.05, gross_sd=4.64),
        Noise("wood density", "sd_wd", "wood_density", low=0.08, high=1.39),
        Noise("height", 2.5, "height", low=1.3, high=float(data["height"].max()) + 15),
    ]
    rest = peak()
    units = arrange(data, model, weight=np.full(len(rows), 1e-3), noises=noises)
    seconds = best(lambda: draw_totals(units, n_draw, 1, workers))
    drawn = draw_totals(units, n_draw, 1, workers)[0]
    low, high = np.quantile(drawn, [0.025, 0.975])
    print(
        f"{seconds:.3f} {peak():.0f} {rest:.0f} {drawn.mean():.1f} {drawn.std(ddof=1):.1f} {low:.1f} {high:.1f}"
    )


def stands(n, workers):
    """Stocks of n stands with 1,000 draws: 40 species, a residual of each stand, 111 counties."""
    import numpy as np
    import pandas as pd

    from sinklab.fitting import fit_by
    from sinklab.propagate.stands import prepare
    from sinklab.propagate.stocks import stock
    from sinklab.tables.table import Table

    rng = np.random.default_rng(1)
    kinds = np.array([f"kind {i:02d}" for i in range(SPECIES)])
    volume = rng.uniform(10, 350, 60 * SPECIES)
    mass = 1.1 * volume**0.88 * rng.lognormal(0, 0.2, len(volume))
    sample = pd.DataFrame({"growing_stock": volume, "agb_density": mass, "kind": np.repeat(kinds, 60)})
    fits = fit_by(sample, "agb_density = a * growing_stock**b", "kind", seed=1)
    source = {"name": "benchmark", "origin": "simulated"}
    table = Table.from_fits(fits, "agb_density_forest_kinds", "1.0.0", source=source)
    frame = pd.DataFrame(
        {
            "species": kinds[rng.integers(0, SPECIES, n)],
            "growing_stock": rng.uniform(10, 300, n),
            "area": rng.uniform(1, 20, n),
            "county": [f"county {i}" for i in rng.integers(0, COUNTIES, n)],
        }
    )
    begin, rest = time.perf_counter(), peak()
    found = stock(prepare(frame, area="area"), [table], by=["county"], workers=workers)
    rows = found.summary()
    total = rows.iloc[-1]
    relative = total["se_t"] / total["carbon_t"]
    print(f"{time.perf_counter() - begin:.1f} {peak():.0f} {rest:.0f} {len(rows) - 1} {relative:.5f}")


def apart(case, *arguments) -> list[str]:
    """Words that a case prints, run in a process of its own."""
    command = [sys.executable, __file__, case, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def biomass() -> tuple[float, float, str]:
    """Best of three calls and peak of memory of BIOMASS, measured here or as recorded."""
    script = BENCH / "r_biomass_mc.R"
    command = ["/usr/bin/time", "-v", "Rscript", str(script), "H5000"]
    if shutil.which("Rscript") and Path(command[0]).exists():
        done = subprocess.run(command, capture_output=True, text=True)
        runs = re.search(r"runs_s=(\S+)", done.stdout)
        memory = re.search(r"Maximum resident set size \(kbytes\): (\d+)", done.stderr)
        if runs and memory:
            return min(map(float, runs.group(1).split(","))), int(memory.group(1)) / 1024, "measured here"
    return (*RECORDED, "recorded on another day; not installed here")


def main():
    """Print every figure as a row."""
    seconds_r, memory_r, how = biomass()
    print(f"BIOMASS 5,000 trees x 1,000 draws: {seconds_r:.2f} s, {memory_r:.0f} MB ({how})")
    for workers in (1, 2):
        seconds, memory, rest, mean, sd, low, high = apart("trees", 1000, workers)
        print(
            f"sinklab the same, {workers} threads: {seconds} s, {memory} MB ({rest} at rest); "
            f"{seconds_r / float(seconds):.1f} times as fast, {float(memory) / memory_r:.2f} of the memory; "
            f"mean {mean} Mg, sd {sd}, 95 % [{low}, {high}]"
        )
    reference = subprocess.run(
        [sys.executable, str(BENCH / "py_mc_ref.py")], capture_output=True, text=True, check=True
    )
    print(f"plain {reference.stdout.strip()}")
    seconds, memory, *_ = apart("trees", 20_000, 2)
    print(f"sinklab 5,000 trees x 20,000 draws, 2 threads: {seconds} s, {memory} MB")
    for n in (1_000_000, 5_000_000):
        seconds, memory, rest, counties, relative = apart("stands", n, 2)
        print(
            f"sinklab {n:,} stands x 1,000 draws, {SPECIES} species, {counties} counties, 2 threads: {seconds} s, "
            f"{memory} MB ({rest} at rest); relative standard error of the total {relative}"
        )


if __name__ == "__main__":
    cases = {"trees": trees, "stands": stands}
    if len(sys.argv) > 1:
        cases[sys.argv[1]](*map(int, sys.argv[2:]))
    else:
        main()
