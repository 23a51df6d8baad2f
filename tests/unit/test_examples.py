"""Every public name has a short example in its docstring, and it gives what it says, in a copy of the workbench."""

import doctest

import numpy as np
import pandas as pd
import pytest
from desk_workbench import copied

import sinklab as sl

NAMES = [name for name in sl.__all__ if name != "__version__"]


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """What the examples stand on, as the docstring of the package says."""
    with copied(tmp_path_factory.mktemp("examples"), "methodology_grassland.yml"):
        trees = sl.load("study:chinese_fir_simulated")
        rows = sl.load("literature:stand_biomass", {"species_id": "cunninghamia_lanceolata"})
        rows = rows.dropna(subset=["age", "total_density"])
        fit = sl.fit(trees, "stem = a * dbh**b")
        curve = sl.fit(rows, "total_density = exp(a - exp(b) / age)", method="wls")
        about = "total_density_forest_cunninghamia", "0.1.0"
        yield {
            "sl": sl,
            "np": np,
            "pd": pd,
            "trees": trees,
            "fit": fit,
            "table": sl.Table.from_fits([fit], "stem_forest_cunninghamia", "0.1.0"),
            "stand_table": sl.Table.from_fits([curve], *about, source=rows.attrs["source"]),
        }


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_a_public_name_runs(name, names, tmp_path):
    thing = getattr(sl, name)
    told = names | {name: thing, "folder": tmp_path}
    found = [
        test for test in doctest.DocTestFinder(recurse=False).find(thing, name, globs=told) if test.examples
    ]
    assert len(found) == 1, "an example of one to six lines"
    assert 1 <= len(found[0].examples) <= 6
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    assert runner.run(found[0], out=said.append).failed == 0, "".join(said)
