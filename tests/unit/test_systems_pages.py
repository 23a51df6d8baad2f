"""The page of every system: in both languages, and every function, variable, notebook and table it names exists."""

import importlib
import itertools
import re
from pathlib import Path

import pytest
import yaml

from sinklab.data import vocabulary

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "reports" / "systems").glob("*.md"))
SYSTEMS = {"forest", "economic_forest", "bamboo", "shrub", "grassland", "karst", "wetland"}


def test_every_system_has_a_page():
    assert {page.stem for page in PAGES} == SYSTEMS


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_page_names_what_exists(page):
    text = page.read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")][1:]
    assert rows, "no table of quantities"
    tables, notebooks = set(), set()
    for path in (ROOT / "notebooks" / "batches").glob("*.yml"):
        for job in yaml.safe_load(path.read_text(encoding="utf-8")).get("jobs", ()):
            tables.add(job.get("parameters", {}).get("table_id"))
    notebooks = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    for quantity, variables, _, functions, notebook, made in rows:
        assert " · " in quantity, quantity
        assert all(vocabulary.is_variable(name) for name in re.findall(r"`(\w+)`", variables)), variables
        for name in re.findall(r"`([\w.]+)`", functions):
            module, _, function = name.rpartition(".")
            assert callable(getattr(importlib.import_module(module), function)), name
        assert set(re.findall(r"`([\w.]+)`", notebook)) <= notebooks, notebook
        assert set(re.findall(r"`(\w+)`", made)) <= tables, made


def tables_of(path):
    """Tables of the jobs of a batch, axes multiplied out; those of simulated studies and of other purposes have none to sign."""
    batch, found = yaml.safe_load(path.read_text(encoding="utf-8")), set()
    for job in batch.get("jobs", ()):
        name, axes = job.get("parameters", {}).get("table_id", ""), job.get("matrix", {})
        levels = [batch["axes"][axis] if chosen == "all" else chosen for axis, chosen in axes.items()]
        for values in itertools.product(*levels):
            found.add(name.format(**dict(zip(axes, values, strict=True))))
    return found - {""}


@pytest.mark.parametrize(
    "batch",
    "default systems systems_open knowledge open_data plots_and_cores species_by_country".split(),
)
def test_every_table_of_every_batch_has_a_verdict(batch):
    text = "".join(p.read_text(encoding="utf-8") for p in (*PAGES, ROOT / "reports" / "reading.md"))
    read = set(re.findall(r"`(\w+)`", text))
    assert tables_of(ROOT / "notebooks" / "batches" / f"{batch}.yml") - read == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_page_speaks_both_languages(page):
    text = page.read_text(encoding="utf-8")
    for heading in (
        "估计什么 · What is estimated",
        "怎样判断 · How it is judged",
        "不能回答什么 · What it cannot answer",
    ):
        assert f"## {heading}" in text
    for part in text.split("\n## ")[2:]:
        zh, _, en = part.partition("\n")[2].strip().partition(" · ")
        assert re.search(r"[一-鿿]", zh) and len(re.findall(r"[A-Za-z]{3,}", en)) >= 4
