"""Inputs nobody would think of: equations, field files, batch files and packages of tables that chance has altered.

Whatever comes in is understood, or refused in one message of this library; nothing else may be raised. An input that
is not is added to ``tests/data/corpus`` and tried again by the quick tests from then on.
"""

import hashlib
import json
import os
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from published_tables import system_table

from sinklab.data.reading import read
from sinklab.equations.system import System
from sinklab.language import SinklabError
from sinklab.runs.reading import read_batch
from sinklab.tables.checks import validate
from sinklab.tables.package import to_json
from sinklab.tables.table import Table

CORPUS = Path(__file__).resolve().parents[1] / "data" / "corpus"
#: Seconds of each kind; and of one input, of this process, beyond which it is a fault as well.
BUDGET = float(os.environ.get("SINKLAB_FUZZ_SECONDS", "120"))
LONGEST = 20.0
KINDS = ("equations", "files", "batches", "tables")


def seeds(kind):
    return [path.read_bytes() for path in sorted((CORPUS / kind).iterdir())]


# What each door is asked to do with bytes.


def equations(content, folder):
    text = content.decode("utf-8", "replace")
    system = System.parse(text)
    again = System.parse(system.text)
    assert again.text == system.text and set(again.parameters) == set(system.parameters)


def files(content, folder):
    path = folder / "field.csv"
    path.write_bytes(content)
    frame = read(path)
    assert len(frame) == frame.attrs["account"].n and str(frame.attrs["account"])
    numbers = frame.select_dtypes("number").to_numpy(float)
    assert not np.isinf(numbers).any()


def batches(content, folder):
    place = folder / "notebooks" / "batches"
    place.mkdir(parents=True, exist_ok=True)
    (place / "trial.yml").write_bytes(content)
    for job in read_batch("trial").jobs:
        # Whatever its name, what it writes stays below the folder of runs.
        assert Path(os.path.abspath(folder / job.folder)).is_relative_to(folder / "reports" / "runs")


def tables(content, folder):
    """Content: lines ``file: old -> new`` that alter a good package, whose hashes are then settled."""
    place = folder / "agb_forest_test" / "1.0.0"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder / "good", place)
    head = json.loads((place / "datapackage.json").read_text(encoding="utf-8"))
    for line in content.decode("utf-8", "replace").splitlines():
        found = re.fullmatch(r"(\w+\.(?:csv|json)): (.+?) -> (.*)", line)
        if not found or not (place / found[1]).is_file():
            continue
        name, old, new = found.groups()
        text = (place / name).read_text(encoding="utf-8-sig").replace(old, new, 1)
        raw = text.encode("utf-8-sig" if name.endswith("csv") else "utf-8")
        (place / name).write_bytes(raw)
        for resource in head["resources"]:
            if resource["path"] == name:
                resource |= {"bytes": len(raw), "hash": "sha256:" + hashlib.sha256(raw).hexdigest()}
    if b"datapackage.json:" not in content:
        (place / "datapackage.json").write_bytes(to_json(head))
    told = validate(place)
    table = Table.read(place)
    trees = pd.DataFrame({"dbh": [8.0, 20.0], "height": [9.0, 14.0]})
    predicted = table.predict(trees).select_dtypes("number").to_numpy(float)
    assert np.isfinite(predicted).all() or told


DOORS = {"equations": equations, "files": files, "batches": batches, "tables": tables}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    from test_bad_input import REPOSITORY

    root = tmp_path_factory.mktemp("fuzz")
    for room in ("vocabulary", "rules"):
        shutil.copytree(REPOSITORY / "data" / room, root / "data" / room)
    (root / "notebooks").mkdir()
    shutil.copy(REPOSITORY / "tests" / "notebooks" / "behave.ipynb", root / "notebooks")
    shutil.copytree(system_table().write(root / "made"), root / "good")
    return root


def carry_out(kind, content, folder):
    """Hand an input to its door; whatever is not one of our messages is a fault, and kept."""
    begun = time.process_time()
    try:
        DOORS[kind](content, folder)
    except SinklabError as error:
        assert str(error).strip()
    except Exception:
        keep(kind, content)
        raise
    if time.process_time() - begun > LONGEST:
        keep(kind, content)
        raise AssertionError(f"{time.process_time() - begun:.0f} s for {content[:200]!r}")


def keep(kind, content):
    name = hashlib.sha256(content).hexdigest()[:12]
    (CORPUS / kind / name).write_bytes(content)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_found_once(kind, place, monkeypatch):
    monkeypatch.setenv("SINKLAB_ROOT", str(place))
    assert len(seeds(kind)) >= 10
    for content in seeds(kind):
        carry_out(kind, content, place)


# Inputs by chance: pieces of the corpus and of what the formats are made of, put together and altered.

PIECES = {
    "equations": "a b1 dbh height agb stem where ( ) [ ] = == + - * ** / ^ , ; \n . 1e308 0 -1 1e-320 exp log sqrt min "
    "max sin < <= > >= and or not if else for lambda import # ' \" \\ { } @ ~ 胸径 干 树高 a[site] site D H ² × · \u3000 "
    "\x00 \u202e 999999999999999999999 __class__ None True".split(" "),
    "files": [
        ",",
        ";",
        "\t",
        "\r",
        "\n",
        "\r\n",
        '"',
        "胸径",
        "树高(m)",
        "dbh",
        "agb",
        "1,5",
        "1.5",
        "10-20",
        "3±0.1",
        "007",
    ]
    + [
        "合计",
        "单位：kg",
        "NA",
        "#DIV/0!",
        "1e999",
        "-",
        "2024-10-20",
        "sep=;",
        "\ufeff",
        "\x00",
        "=1+1",
        "样地号：3",
        " ",
    ],
    "batches": [
        "jobs:",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ": ",
        "\n",
        "  ",
        "id: a",
        "notebook: behave.ipynb",
        "matrix:",
        "&a ",
        "*a",
    ]
    + [
        "include:",
        "parameters:",
        "outputs:",
        "!!python/object:os.system ",
        "? ",
        "| ",
        "> ",
        "'",
        '"',
        "2024-01-01",
        ".nan",
    ]
    + [
        "{k}",
        "../",
        "con",
        "\t",
        "#",
        "---\n",
        "...",
        "~",
        "0x1F",
        "1_000",
        "defaults:",
        "drafts:",
        "timeout: 1",
        "null",
    ],
    "tables": [
        f"{f}: " for f in ("coefficients.csv", "covariance.csv", "equations.csv", "models.csv", "ranges.csv")
    ]
    + [
        f"{f}: "
        for f in (
            "provenance.json",
            "datapackage.json",
            "checks.csv",
            "indices.csv",
            "residual_correlation.csv",
        )
    ]
    + [
        " -> ",
        "\n",
        "a1",
        "stem",
        "0.",
        "1",
        "INF",
        "-INF",
        "nan",
        "-1",
        "1e308",
        "dbh",
        ",",
        '"',
        "{",
        "[",
        "null",
        "true",
    ]
    + ["draft", "published", "wls", "agb = ", "**", "9" * 400, "model"],
}


def inputs(kind):
    known = seeds(kind)
    piece = st.one_of(st.sampled_from(PIECES[kind]).map(lambda p: p.encode("utf-8")), st.binary(max_size=4))
    made = st.lists(piece, max_size=30).map(b" ".join if kind == "equations" else b"".join)

    @st.composite
    def altered(draw):
        content = bytearray(draw(st.sampled_from(known)))
        for _ in range(draw(st.integers(1, 6))):
            at = draw(st.integers(0, len(content)))
            match draw(st.integers(0, 3)):
                case 0:
                    content[at:at] = draw(piece)
                case 1:
                    del content[at : at + draw(st.integers(1, 20))]
                case 2:
                    content[at:at] = content[at : at + draw(st.integers(1, 200))] * draw(st.integers(1, 3))
                case _:
                    other = draw(st.sampled_from(known))
                    content[at:] = other[draw(st.integers(0, len(other))) :]
        return bytes(content[:200_000])

    return st.one_of(altered(), altered(), made)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", KINDS)
def test_what_chance_makes(kind, place, monkeypatch):
    monkeypatch.setenv("SINKLAB_ROOT", str(place))
    until, tried, number = time.monotonic() + BUDGET, set(), 0

    def every(content):
        tried.add(content)
        carry_out(kind, content, place)

    limits = settings(
        max_examples=100,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    while time.monotonic() < until or len(tried) <= 100:
        seed(number := number + 1)(limits(given(inputs(kind))(every)))()
    assert len(tried) > 100
    print(f"{kind}: {len(tried)} distinct inputs")
