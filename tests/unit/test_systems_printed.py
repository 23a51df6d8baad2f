"""Every function of a system that makes a number reproduces two printed results or more, by tests that cite the table.

A test says so with ``@pytest.mark.printed("module.function", source="who, which table", results=n)``.
"""

import ast
import importlib
import inspect
import pkgutil
from collections import Counter
from pathlib import Path

import pytest

from sinklab import systems

FEWEST = 2
#: Functions whose result no source can print, and why.
NOT_PRINTED = {
    "manure.factor": "reads what is printed",
    "manure.per_head": "products of printed factors; its test works some out by hand and holds the others against emissions",
    "manure.emissions": "products of printed factors; no source at hand prints a worked herd, its test works two out by hand",
    "bamboo.stand_values": "stand_mass of draw_mean_mass, whose printed results stand with them",
    "bamboo.require_age_class": "refuses input",
    "grassland.require_season": "refuses input",
    "soil.of_fine_earth": "asks what a bulk density is, and divides by the share that is earth",
    "forest.require_one_kind": "refuses input",
    "forest.growth_text": "writes an equation",
    "forest.describe_rotation": "words for a rotation",
    "forest.growth_starts": "where a fit starts",
    "forest.height_starts": "where a fit starts",
    "forest.height_text": "writes an equation",
    "grassland.ratio_by_study": "means of the studies of a reader's own choice; its test works them out by hand",
    "grassland.fits_without_error": "fits to what without_error gives",
    "grassland.root_shapes": "root_beta of every site, its printed results stand with it",
    "grassland.ratio_values": "pooling.summarise or soil.summarise of what ratio_by_study gives",
    "shrub.printed_equations": "reads what is printed",
    "shrub.printed_parts": "sets printed equations of one paper beside each other",
    "shrub.printed_curves": "evaluates what is printed",
    "grassland.without_error": "the arithmetic of corrected_line, whose printed results stand with it",
    "karst.beside_print": "sets the printed changes beside its own, which differ as its test says",
    "karst.contradiction": "judges printed tables",
    "karst.accounts": "totals of soil_stock and of draws, set beside each other",
    "karst.place_values": "quantiles of draws",
    "karst.printed_means": "reads what is printed",
    "karst.printed_order": "reads what is printed",
    "karst.ranked": "ranks of sizes",
    "wetland.read_cores": "reads, and leaves blank what soil_layers.set_aside does",
    "wetland.fit_conversions": "fits to the reader's own layers",
    "wetland.plot_values": "soil.summarise of plot_density, with the mean over the sites",
    "wetland.stock_values": "soil.summarise of soil.stocks, whose printed results stand with them",
    "wetland.shrubby_mangrove": "its source, read as an abstract, prints the coefficient and no mass",
    "soil.depth_design": "columns of a regression",
    "soil.matter_design": "columns of a regression",
    "forest.other_heights": "reads heights, and leaves out those that a fit has seen",
    "forest.fit_sites": "words for fit_growth and site_dummies by site",
    "forest.beside_lines": "sets printed lines beside measured stands",
    "forest.ratio_of_studies": "quantiles of ratios of means",
    "forest.mass_by_age": "one prediction put into another",
    "forest.ranking": "judges fits of the reader's own trees",
    "forest.calibration_gain": "judges fits of the reader's own trees",
}


def functions() -> set[str]:
    found = set()
    for module in pkgutil.iter_modules(systems.__path__):
        if module.name == "figures":  # draws what the others work out
            continue
        inside = importlib.import_module(f"sinklab.systems.{module.name}")
        for name, thing in inspect.getmembers(inside, inspect.isfunction):
            if thing.__module__ == inside.__name__ and not name.startswith("_"):
                found.add(f"{module.name}.{name}")
    return found


def claims() -> list[tuple[str, str, int]]:
    """Marks of all tests of systems: function, source, results."""
    found = []
    for path in sorted(Path(__file__).parent.glob("test_systems_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.printed":
                told = {k.arg: ast.literal_eval(k.value) for k in node.keywords}
                found.append((ast.literal_eval(node.args[0]), told["source"], told["results"]))
    return found


def test_every_function_reproduces_printed_results():
    counts = Counter()
    for function, _, results in claims():
        counts[function] += results
    known = functions()
    assert set(counts) <= known, "marks name functions that do not exist"
    assert set(NOT_PRINTED) <= known and not set(NOT_PRINTED) & set(counts)
    few = {name: counts[name] for name in sorted(known - set(NOT_PRINTED)) if counts[name] < FEWEST}
    assert not few, f"fewer than {FEWEST} printed results: {few}"


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: f"{claim[0]}, {claim[1]}")
def test_a_claim_cites_a_place(claim):
    _, source, results = claim
    # Who and when, and where in it.
    assert results > 0 and any(c.isdigit() for c in source) and "," in source, source
