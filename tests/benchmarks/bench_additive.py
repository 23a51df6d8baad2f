"""The four-component system, covariances of clusters and mixed systems: ``python tests/benchmarks/bench_additive.py``.

With ``OPENBLAS_NUM_THREADS=1``: threads that wait for each other over small matrices are no work of a fit.
Needs ``SINKLAB_DATA`` beside the bench data, and ``Rscript`` with nlme and systemfit for the peers.
"""

import os
import shutil
import subprocess
import sys
import tempfile
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


MIXED = "\n".join(
    f"{p} = a{j}[site] * dbh**b{j} * height**c{j}" for j, p in enumerate(("stem", "branch", "foliage"), 1)
)
#: One equation of it by nlme, and the whole as one equation of a long table. A factor that varies does so as a logarithm.
NLME = """suppressPackageStartupMessages(library(nlme)); trees <- read.csv(commandArgs(TRUE)[1])
told <- function(code) { seconds <- system.time(m <- eval(code))[[3]]; cat(seconds, as.numeric(logLik(m)), "\\n") }
control <- nlmeControl(maxIter = 200, msMaxIter = 500, pnlsTol = 0.01)
told(quote(nlme(stem ~ exp(a) * dbh^b * height^c, trees, fixed = a + b + c ~ 1, random = a ~ 1 | site,
  start = c(a = log(0.05), b = 2, c = 0.7), weights = varPower(form = ~ fitted(.)), method = "ML", control = control)))
parts <- c("stem", "branch", "foliage"); trees$tree <- seq_len(nrow(trees))
start <- unlist(lapply(1:3, function(k) sapply(parts, function(p) coef(lm(log(trees[[p]]) ~ log(dbh) + log(height), trees))[[k]])))
long <- do.call(rbind, lapply(seq_along(parts), function(j) data.frame(site = trees$site, tree = trees$tree, j = j,
  part = factor(parts[j], levels = parts), dbh = trees$dbh, height = trees$height, y = trees[[parts[j]]])))
long <- long[order(long$site, long$tree, long$j), ]
told(quote(nlme(y ~ exp(a) * dbh^b * height^c, long, fixed = a + b + c ~ part - 1,
  random = list(site = pdSymm(a ~ part - 1)), start = unname(start), method = "ML", control = control,
  weights = varComb(varIdent(form = ~ 1 | part), varPower(form = ~ fitted(.) | part)), correlation = corSymm(form = ~ j | site/tree))))"""


def of_clusters(rounds=25):
    """What the covariance of clusters adds to a fit: pairs of fits in turn, seconds of the processor."""
    rng = np.random.default_rng(3)
    site, dbh = np.repeat([f"s{i}" for i in range(24)], 24), rng.uniform(4, 50, 576)
    frame = pd.DataFrame({"site": site, "D": dbh, "H": 2 + 0.9 * dbh**0.8 * np.exp(rng.normal(0, 0.1, 576))})
    factor = np.exp(np.repeat(rng.normal(0, 0.2, 24), 24))
    for j, part in enumerate(PARTS):
        frame[part] = 0.05 * (j + 1) * dbh**2.2 * factor * np.exp(rng.normal(0, 0.2, 576))
    for method in ("ols-log", "wls", "nsur"):
        spans = {cluster: [] for cluster in ("none", "site")}
        for i in range(2 * rounds):
            for cluster in sorted(spans, reverse=bool(i % 2)):
                begin = time.process_time()
                sl.fit(frame, SYSTEM, method=method, cluster=cluster)
                spans[cluster].append(time.process_time() - begin)
        alone, robust = (np.array(spans[c][2:]) for c in ("none", "site"))
        print(
            f"sinklab {method}, 576 trees of 24 sites: covariance of clusters adds {100 * (np.median(robust / alone) - 1):.0f} % "
            f"(median of {len(alone)} pairs; of sums {100 * (robust.sum() / alone.sum() - 1):.0f} %), aim: under 20"
        )


def larches():
    """The mixed system of the open larches, and one equation of it by nlme."""
    trees = sl.load("open:eurasia_trees", {"genus": "Larix"})
    parts = ["stem", "branch", "foliage"]
    trees = trees[(trees["dbh"] >= 4) & trees[["height", *parts]].notna().all(axis=1)]
    trees = trees[["site", "dbh", "height", *parts]].reset_index(drop=True)
    fit = sl.fit(trees, MIXED, method="mixed")
    ours = best(lambda: sl.fit(trees, MIXED, method="mixed"), 2)
    print(
        f"sinklab mixed system of {len(trees)} larches, {trees['site'].nunique()} sites: {ours:.2f} s, "
        f"converged {fit.converged}, ln L {fit.loglik:.3f}"
    )
    if shutil.which("Rscript"):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "larches.csv"
            trees.to_csv(file, index=False)
            told = subprocess.run(["Rscript", "-e", NLME, file], capture_output=True, text=True)
        if told.returncode:
            print(f"R nlme: {told.stderr.strip().splitlines()[-1]}")
            return
        one = sl.fit(trees, MIXED.splitlines()[0], method="mixed")
        alone = best(lambda: sl.fit(trees, MIXED.splitlines()[0], method="mixed"), 2)
        peers = zip(
            told.stdout.splitlines(),
            ("one equation of it", "the system"),
            (alone, ours),
            (one, fit),
            strict=True,
        )
        for line, what, seconds, own in peers:
            of_r, loglik = map(float, line.split())
            print(
                f"R nlme, {what}: {of_r:.2f} s, ln L {loglik:.3f}; sinklab {seconds:.2f} s, ln L {own.loglik:.3f}: "
                f"{of_r / seconds:.1f} times (aim for the system: 20)"
            )


def main():
    """Print every figure as a row."""
    of_clusters()
    larches()
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
