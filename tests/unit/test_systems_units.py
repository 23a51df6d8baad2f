"""Units: what the docstring of a function of an ecosystem says of a name is what the vocabulary says of it."""

import importlib
import inspect
import pkgutil
import re

import numpy as np
import pytest
from numpy.typing import ArrayLike

import sinklab.systems
from sinklab.data import vocabulary

FUNCTIONS = {
    f"{chapter.name}.{name}": function
    for chapter in pkgutil.iter_modules(sinklab.systems.__path__)
    for module in [importlib.import_module(f"sinklab.systems.{chapter.name}")]
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if not name.startswith("_") and function.__module__ == module.__name__
}
#: What a number or an array of numbers is annotated with.
NUMBERS = {str(a) for kind in (ArrayLike, float, np.ndarray) for a in (kind, kind | None)}


def described(doc: str, heading: str) -> list[tuple[str, list[str]]]:
    """Names of a section of a docstring, each with the units in brackets that follow it."""
    section = re.search(rf"^{heading}\n-+\n(.*?)(?=^\w[^\n]*\n-+$|\Z)", doc, re.S | re.M)
    items = re.findall(r"^(\w[\w, ]*?) : [^\n]*(?:\n(?:    [^\n]*)?)*", section[1], re.M) if section else []
    blocks = re.split(r"^\w[\w, ]*? : ", section[1], flags=re.M)[1:] if section else []
    return [
        (name, re.findall(r"\[([^\]\s]+)\]", block))
        for names, block in zip(items, blocks, strict=True)
        for name in names.split(", ")
    ]


def faults(function) -> list[str]:
    """Quantities of the vocabulary that a function takes or gives in another unit, or without saying in which."""
    doc, known, found = inspect.getdoc(function) or "", vocabulary.variables(), []
    told = dict(described(doc, "Parameters"))
    whole = re.findall(r"\[([^\]\s]+)\]", doc)
    for name, parameter in inspect.signature(function).parameters.items():
        number = str(parameter.annotation) in NUMBERS
        if number and name in known and (unit := known[name].unit):
            said = told.get(name, whole)
            if unit not in said:
                found.append(f"{name}: {unit} in the vocabulary, {', '.join(said) or 'no unit'} here")
    for name, said in described(doc, "Returns"):
        if name in known and known[name].unit and said and known[name].unit not in said:
            found.append(f"returns {name}: {known[name].unit} in the vocabulary, {', '.join(said)} here")
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_units_are_those_of_the_vocabulary(name):
    assert faults(FUNCTIONS[name]) == []


def test_a_planted_unit_is_found():
    def planted(stem_density: float, height: float) -> float:
        """Mass.

        Parameters
        ----------
        stem_density : float
            Living stems. [1/m2]
        height : float
            [m]

        Returns
        -------
        agb_density : float
            [kg/m2]
        """
        return stem_density * height

    assert faults(planted) == [
        "stem_density: 1/ha in the vocabulary, 1/m2 here",
        "returns agb_density: t/ha in the vocabulary, kg/m2 here",
    ]
