"""Simulated studies: trees drawn from printed equations on the design of a standard, written as a field form.

The generator stands in ``study.yml``; ``python data/studies/simulate.py [ID …]`` rewrites ``data.csv`` of the named
studies, or of all simulated ones: the library itself never draws them. A simulated study demonstrates the method where no open measurement of the species
exists; nothing made from it is more than a demonstration.

The trees follow a sampling design (``data/rules/sampling_design.csv``). The height of a tree is the
H-D curve times a lognormal scatter; a mass is its printed equation times a lognormal residual with
mean one, correlated between the masses of a tree, times the effect of its site.
"""

import csv
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from sinklab import paths
from sinklab.assess.plan import design_classes
from sinklab.data import files, vocabulary
from sinklab.data.catalogue import list_studies, study_folder
from sinklab.equations.system import System


def simulate_study(generator: dict[str, Any]) -> pd.DataFrame:
    """Draw the trees of a study in vocabulary names and units.

    Parameters
    ----------
    generator : dict
        The block ``generator`` of ``study.yml``.

    Returns
    -------
    trees : DataFrame
        Masses that were not dug are blank.
    """
    # RandomState is the one stream that numpy promises to keep for ever.
    random = np.random.RandomState(generator["seed"])
    classes = design_classes(generator["design"])
    count = classes["n_tree"].astype(int)
    n = int(count.sum())
    trees = pd.DataFrame({"tree_id": [f"{generator['prefix']}{i + 1:03d}" for i in range(n)]})
    sites = list(generator["sites"])
    trees["site"] = [sites[i % len(sites)] for i in range(n)]
    for name, levels in generator.get("levels", {}).items():
        # Levels that a design asks for in every class, such as the age classes of culms.
        trees[name] = [float(levels[i % len(levels)]) for i in range(n)]
    low, high = (np.repeat(classes[c].to_numpy(), count) for c in ("dbh_min", "dbh_max"))
    trees["dbh"] = np.round(low + (high - low) * random.uniform(size=n), 1)
    curve = System.parse(generator["height"]["equation"]).mean({}, trees)["height"]
    trees["height"] = np.round(curve * np.exp(generator["height"]["sd_log"] * random.standard_normal(n)), 1)
    # Only a tree taller than breast height has a diameter there.
    trees["height"] = trees["height"].clip(lower=1.5)
    means = System.parse(generator["equations"]).mean({}, trees)
    names = list(generator["sd_log"])
    sd = np.array([generator["sd_log"][name] for name in names])
    lower = np.linalg.cholesky(np.array(generator["correlation"], dtype=float))
    residual = (random.standard_normal((n, len(names))) @ lower.T) * sd - sd**2 / 2
    effect = dict(zip(sites, generator["site_sd_log"] * random.standard_normal(len(sites)), strict=True))
    shift = trees["site"].map(effect).to_numpy()
    for j, name in enumerate(names):
        trees[name] = means[name] * np.exp(residual[:, j] + (0 if name == "volume" else shift))
    return _share_of_roots(trees, classes, random)


def _share_of_roots(trees, classes, random) -> pd.DataFrame:
    """Leave the root mass only on the trees of each class whose roots were dug."""
    start, below = 0, "root" if "root" in trees else "bgb"
    for n_tree, n_root in classes[["n_tree", "n_root"]].astype(int).to_numpy():
        dug = random.choice(n_tree, n_root, replace=False)
        blank = np.setdiff1d(np.arange(n_tree), dug) + start
        trees.loc[blank, below] = np.nan
        start += n_tree
    return trees


def as_form(trees: pd.DataFrame, generator: dict[str, Any], columns: list[dict[str, str]]) -> str:
    """Write the trees as a field form: raw names, raw units, digits as weighed, slips of the pen."""
    cells = {}
    for row in columns:
        name, raw = row["variable"], row["column"]
        if not name:
            cells[raw] = [""] * len(trees)
        elif not vocabulary.variable(name).numeric:
            cells[raw] = list(trees[name])
        else:
            values = vocabulary.convert(
                trees[name].to_numpy(), vocabulary.variable(name).unit, row["unit_in"]
            )
            digits = generator["digits"][name]
            cells[raw] = ["" if np.isnan(v) else _number(v, digits) for v in values]
    for slip in generator.get("slips", []):
        cells[slip["column"]][list(trees["tree_id"]).index(slip["record"])] = str(slip["written"])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(cells)
    writer.writerows(zip(*cells.values(), strict=True))
    return text.getvalue()


def _number(value, digits) -> str:
    """A reading: fixed decimals for lengths; for masses three figures below what those decimals resolve."""
    if digits < 2 or value >= 10.0 ** (2 - digits):
        return f"{value:.{digits}f}"
    decimals = digits
    while value < 10.0 ** (2 - decimals):
        decimals += 1
    return f"{value:.{decimals}f}"


def generate(study_id: str) -> str:
    """Text of ``data.csv`` of a simulated study."""
    folder = study_folder(study_id)
    generator = yaml.safe_load((folder / "study.yml").read_text(encoding="utf-8"))["generator"]
    header, rows = files.read_rows(folder / "columns.csv")
    columns = [dict(zip(header, row, strict=True)) for row in rows]
    return as_form(simulate_study(generator), generator, columns)


def encoding(study_id: str) -> str:
    """Encoding of ``data.csv``: what the office program of the base writes."""
    text = (study_folder(study_id) / "study.yml").read_text(encoding="utf-8")
    return yaml.safe_load(text).get("generator", {}).get("encoding", "utf-8-sig")


def main(arguments: list[str]) -> int:
    """Rewrite the tables of the named studies, or of all simulated ones."""
    for study_id in arguments or list_studies():
        folder = Path(study_folder(study_id))
        if "generator" not in yaml.safe_load((folder / "study.yml").read_text(encoding="utf-8")):
            continue
        with paths.atomic_write(folder / "data.csv", "wb") as stream:
            stream.write(generate(study_id).encode(encoding(study_id)))
        print(paths.relative(folder / "data.csv"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
