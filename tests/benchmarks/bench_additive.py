"""The four-component system against R, in one run: ``python tests/benchmarks/bench_additive.py``.

Needs ``SINKLAB_DATA`` beside the bench data, and ``Rscript`` with nlme and systemfit for the peers.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import pandas as pd

import sinklab as sl
from sinklab.fitting.data import prepare, start_values
from sinklab.fitting.resample import bootstrap
from sinklab.fitting.system import SystemFit
from sinklab.results.variance import parse_variance

DATA = Path(os.environ["SINKLAB_DATA"]) / ".." / "bench" / "data" / "additive4_300.csv"
PARTS = ("stem", "bark", "branch", "foliage")
SYSTEM = "\n".join(f"{p} = a{j} * D**b{j} * H**h{j}" for j, p in enumerate(PARTS, 1))


def best(function, times=5):
    """Shortest of several runs, in seconds."""
    spans = []
    for _ in range(times):
        begin = time.perf_counter()
        function()
        spans.append(time.perf_counter() - begin)
    return min(spans)


def maximum(trees, variance):
    """One maximisation from automatic starts, without the certificate's second opinion."""
    prepared = prepare(trees, SYSTEM)
    functions = parse_variance(variance, prepared.system.free, prepared.system.predictors)
    engine = SystemFit(prepared.system, prepared.frame, functions, correlated=True)
    return engine.maximise(start_values(prepared.system, prepared.frame))[0]


def large(n):
    """A sample of ``n`` trees with five components, roots on a third of them."""
    rng = np.random.default_rng(1)
    dbh = rng.uniform(4, 50, n)
    frame = pd.DataFrame({"D": dbh, "H": 2 + 0.9 * dbh**0.8})
    for j, part in enumerate((*PARTS, "root")):
        frame[part] = 0.05 * (j + 1) * dbh**2.2 * np.exp(rng.normal(0, 0.2, n))
    frame.loc[rng.random(n) > 1 / 3, "root"] = np.nan
    return frame


def main():
    """Print every figure as a row."""
    trees = sl.read_csv(DATA)
    ours = best(lambda: maximum(trees, "power:mean"))
    certified = best(lambda: sl.fit(trees, SYSTEM))
    weighted = best(lambda: maximum(trees, "power:D=1.9"))
    print(f"sinklab full likelihood {ours:.4f} s, ln L {maximum(trees, 'power:mean').loglik:.3f}")
    print(f"sinklab with certificate, covariance and indices {certified:.4f} s")
    print(f"sinklab plain weighted system {weighted:.4f} s")
    five = large(10_000)
    system = SYSTEM + "\nroot = r0 * D**r1"
    print(f"sinklab 10,000 trees x 5 components {best(lambda: sl.fit(five, system), 2):.3f} s")
    fit = sl.fit(trees, SYSTEM)
    print(
        f"sinklab 2,000 bootstrap refits, 2 processes {best(lambda: bootstrap(fit, 2000, workers=2), 1):.2f} s"
    )
    if shutil.which("Rscript"):
        script = Path(__file__).with_name("additive.R")
        out = subprocess.run(["Rscript", script, DATA], capture_output=True, text=True, check=True).stdout
        for line in out.splitlines():
            name, seconds, loglik = line.split()
            print(
                f"R {name} {seconds} s, ln L {loglik}; ratio to the full likelihood {float(seconds) / ours:.0f}"
            )


if __name__ == "__main__":
    main()
