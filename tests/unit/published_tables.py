"""Small tables for the tests of diff, verify, export and release."""

import numpy as np
import pandas as pd

from sinklab.fitting import fit, fit_by
from sinklab.results.prediction import WIDE
from sinklab.tables.table import Table

EQUATIONS = """stem = a1 * dbh**b1 * height**c1
branch = a2 * dbh**b2
agb = stem + branch
root = agb * r0 * dbh**r1"""
SOURCE = {"spec": "file:trees.csv", "origin": "measured", "title": "Test trees", "licence": "CC0-1.0"}


def make_trees(n=60, seed=1):
    rng = np.random.default_rng(seed)
    dbh = rng.uniform(5, 40, n)
    height = 1.3 + 20 * (1 - np.exp(-0.06 * dbh)) * rng.lognormal(0, 0.08, n)
    stem = 0.03 * dbh**1.9 * height**0.9 * rng.lognormal(0, 0.1, n)
    branch = 0.02 * dbh**2.1 * rng.lognormal(0, 0.2, n)
    root = (stem + branch) * 0.3 * dbh**-0.05 * rng.lognormal(0, 0.15, n)
    root[n // 3 :] = np.nan
    species = np.where(np.arange(n) % 2, "pinus_massoniana", "cunninghamia_lanceolata")
    sites = np.array(["north", "south", "east", "west", "O'Hara", "贵州"])
    site = sites[np.arange(n) % len(sites)]
    columns = {"dbh": dbh, "height": height, "stem": stem, "branch": branch, "root": root}
    return pd.DataFrame(columns | {"species": species, "site": site})


def system_table(trees=None, version="1.0.0", **options):
    trees = make_trees() if trees is None else trees
    result = fit(trees, EQUATIONS, method="nsur", **({"seed": 3} | options))
    return Table.from_fits(result, "agb_forest_test", version, source=SOURCE)


def log_table():
    fits = fit_by(make_trees(), "stem = a * dbh**b * height**c", "species", method="ols-log")
    return Table.from_fits(fits, "stem_forest_two", "1.0.0", source=SOURCE)


def site_table():
    fits = fit(make_trees(), "stem = a[site] * dbh**b", method="wls", variance="power:dbh")
    return Table.from_fits(fits, "stem_forest_sites", "1.0.0", source=SOURCE)


def values_table(mean=0.5, version="1.0.0"):
    frame = pd.DataFrame(
        {
            "name": ["carbon_fraction[stem]", "wood_density"],
            "group": ["component=stem", ""],
            "variable": ["carbon_fraction", "wood_density"],
            "mean": [mean, 0.35],
            "se": [0.004, 0.01],
            "level": [0.95, 0.95],
            "family": ["beta", "lognormal"],
            "p1": [600.0, -1.05],
            "p2": [600.0, 0.1],
            "q025": [0.4717, 0.2877],
            "q975": [0.5283, 0.4257],
            "sources": ["a paper", "a book"],
        }
    )
    return Table.from_values(frame, "carbon_forest_test", version)


def mixed_table(variance="lognormal"):
    trees = make_trees()
    trees["stem"] *= trees["site"].map({"north": 0.7, "south": 0.9, "east": 1.0, "west": 1.1}).fillna(1.3)
    result = fit(trees, "stem = a[site] * dbh**b", method="mixed", variance=variance)
    return Table.from_fits(result, "stem_forest_mixed", "1.0.0", source=SOURCE)


def wide_table(method="nsur"):
    """Sites that differ by a wide factor, and residuals that are normal."""
    trees, factor = make_trees(), {"north": 0.5, "south": 0.8, "east": 1.0, "west": 1.2}
    trees[["stem", "branch"]] = trees[["stem", "branch"]].mul(trees["site"].map(factor).fillna(1.6), axis=0)
    vary = "[site]" if method == "mixed" else ""
    equations = f"stem = a1{vary} * dbh**b1\nbranch = a2{vary} * dbh**b2\nagb = stem + branch"
    result = fit(trees, equations, method=method, variance="power:mean", cluster="site")
    assert np.sqrt(np.diag(result.between.spread)).min() > WIDE
    return Table.from_fits(result, "agb_forest_wide", "1.0.0", source=SOURCE)


def gamma_table():
    equations = "stem = a1 * dbh**b1\nbranch = a2 * dbh**b2\nagb = stem + branch"
    result = fit(make_trees(), equations, method="nsur", variance="gamma")
    return Table.from_fits(result, "agb_forest_gamma", "1.0.0", source=SOURCE)


def tail_table():
    """Student's t with a sigma for each site; the root's equation by itself has neither."""
    equations = "stem = a1 * dbh**b1\nbranch = a2 * dbh**b2\nagb = stem + branch\nroot = a3 * dbh**b3"
    options = {"method": "wls", "variance": "stem=power:mean*ident:site*t=4,branch=power:dbh*t,root=none"}
    result = fit(make_trees(), equations, cluster="none", **options)
    return Table.from_fits(result, "agb_forest_tail", "1.0.0", source=SOURCE)


def lognormal_table():
    equations = "stem = a1 * dbh**b1\nbranch = a2 * dbh**b2\nagb = stem + branch"
    result = fit(make_trees(), equations, method="nsur", variance="lognormal")
    return Table.from_fits(result, "agb_forest_lognormal", "1.0.0", source=SOURCE)
