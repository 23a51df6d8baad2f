"""The public interface: every name is there in whatever order rooms are imported, and bears a room's name never."""

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import sinklab

ROOT = Path(__file__).resolve().parent.parent
NAMES = [name for name in sinklab.__all__ if name != "__version__"]
#: Imports every module, asks for every public name, and says which are not what they were.
LOOK = """
import importlib, inspect, pkgutil, sys
import sinklab
def modules():
    for found in pkgutil.walk_packages(sinklab.__path__, "sinklab."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
def names():
    return {name: getattr(sinklab, name) for name in sinklab.__all__ if name != "__version__"}
"""


def look(*lines: str) -> str:
    code = "\n".join([LOOK, *lines])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("order", ["modules(); found = names()", "found = names(); modules()"])
def test_names_are_functions_and_classes_whatever_was_imported_first(order):
    check = "print([n for n, v in names().items() if inspect.ismodule(v) or not callable(v) or v is not found[n]])"
    assert look(order, check) == "[]"


def test_no_function_or_class_of_a_module_bears_its_name():
    wrong = []
    for file in sorted((ROOT / "sinklab").rglob("*.py")):
        own = file.parent.name if file.stem == "__init__" else file.stem
        tree = ast.parse(file.read_text(encoding="utf-8"))
        kinds = (ast.FunctionDef, ast.ClassDef)
        wrong += [str(file) for node in tree.body if isinstance(node, kinds) and node.name == own]
    rooms = {path.stem for path in (ROOT / "sinklab").iterdir()}
    assert wrong == [] and rooms.isdisjoint(NAMES)


def test_the_names_a_type_checker_sees_are_the_names_there_are():
    tree = ast.parse((ROOT / "sinklab" / "__init__.pyi").read_text(encoding="utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert {alias.name: node.module for node in found for alias in node.names} == sinklab._HOMES


@pytest.mark.parametrize("name", NAMES)
def test_every_public_function_is_typed_and_says_what_it_does(name):
    thing = getattr(sinklab, name)
    assert inspect.getdoc(thing)
    members = [thing] if inspect.isfunction(thing) else list(vars(thing).values())
    for member in members:
        member = inspect.unwrap(getattr(member, "__func__", getattr(member, "fget", member)))
        if not inspect.isfunction(member) or member.__name__.startswith("_"):
            continue
        if member.__module__.split(".")[0] != "sinklab":
            continue
        parameters = list(inspect.signature(member).parameters.values())
        given = parameters[1:] if parameters and parameters[0].name in ("self", "cls") else parameters
        bare = [p.name for p in given if p.annotation is p.empty]
        untyped = inspect.signature(member).return_annotation is inspect.Signature.empty
        assert bare == [] and not untyped, f"{name}.{member.__name__}: {json.dumps(bare)}"


def test_one_fit_is_followed_through_few_modules():
    """A newcomer who follows one fit opens at most 15 files."""
    code = (
        "import sys, numpy as np, pandas as pd",
        "trees = pd.DataFrame({'dbh': np.linspace(5, 30, 60), 'height': np.linspace(6, 20, 60) + np.cos(np.arange(60))})",
        "noise = 1 + 0.1 * np.sin(7 * np.arange(60))",
        "trees = trees.assign(stem=0.05 * trees.dbh**2 * trees.height**0.5 * noise, branch=0.02 * trees.dbh**2 / noise)",
        "text = 'stem = a1*dbh^b1*height^c1\\nbranch = a2*dbh^b2\\nagb = stem + branch'",
        "seen = set()",
        "def note(frame, event, _):",
        "    file = frame.f_code.co_filename",
        "    if event == 'call' and 'sinklab' in file: seen.add(file)",
        "sinklab.fit(trees, text)",  # what is loaded once is loaded
        "sys.setprofile(note); sinklab.fit(trees, text); sys.setprofile(None)",
        "print(len({file for file in seen if file.startswith(sinklab.__path__[0])}))",
    )
    assert 8 <= int(look(*code)) <= 15
