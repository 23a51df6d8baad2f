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


def test_every_system_has_a_page():
    assert {page.stem for page in PAGES} == {
        p for system in vocabulary.ecosystems().values() for p in system.pages
    }


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
    """Tables of the jobs of a batch, axes multiplied out, and jobs that leave results alone."""
    batch, found = yaml.safe_load(path.read_text(encoding="utf-8")), set()
    for job in batch.get("jobs", ()):
        name, axes = job.get("parameters", {}).get("table_id") or job["id"], job.get("matrix", {})
        levels = [batch["axes"][axis] if chosen == "all" else chosen for axis, chosen in axes.items()]
        for values in itertools.product(*levels):
            found.add(name.format(**dict(zip(axes, values, strict=True))))
    return found


READING = ROOT / "reports" / "reading.md"
VERDICTS = ("可签", "有改动可签", "拒签", "见系统页")


def verdicts(text):
    """Verdict and reason of every table in the rows of a page of readings."""
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| `")]
    return {t: (v.strip(), why.strip()) for names, v, why in rows for t in re.findall(r"`(\w+)`", names)}


@pytest.mark.parametrize(
    "batch",
    "default systems systems_open knowledge open_data plots_and_cores species_by_country inventory inventory_open".split(),
)
def test_every_table_of_every_batch_has_a_verdict(batch):
    # A table named among the quantities of a page alone has no verdict.
    read = verdicts(READING.read_text(encoding="utf-8"))
    pages = "".join(re.split(r"^## 逐表.*$", p.read_text("utf-8"), flags=re.M)[-1] for p in PAGES)
    for table in tables_of(ROOT / "notebooks" / "batches" / f"{batch}.yml"):
        verdict, why = read.get(table, ("见系统页", "·"))
        assert verdict.startswith(VERDICTS) and why, f"{table}: {verdict}"
        if verdict.startswith("见系统页"):
            assert f"`{table}`" in pages, f"{table}: no verdict"


def test_a_table_that_was_not_read_has_no_verdict():
    text = (
        READING.read_text(encoding="utf-8")
        + "\n| `made_up`、`other` | 未读 · not read | 本次未运行 · not run |\n"
    )
    found = verdicts(text)
    assert {t for t, (verdict, _) in found.items() if not verdict.startswith(VERDICTS)} == {
        "made_up",
        "other",
    }


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
