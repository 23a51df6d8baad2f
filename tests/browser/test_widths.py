# ruff: noqa: F811  (a fixture that is imported bears the name of an argument)
"""Pages in windows of 1366 and 1920 pixels: nothing to scroll sideways, no word broken after two letters."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import sinklab as sl
from sinklab.drafts.rendering import write_page
from sinklab.language import speaking
from sinklab.runs import ledger
from sinklab.runs.batch import write_index
from sinklab.runs.ledger import Record

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "unit")]
import chromium  # noqa: E402
from published_tables import make_trees, system_table  # noqa: E402
from runs_workbench import workbench  # noqa: E402, F401

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(chromium.executable() is None, reason="no Chromium on this machine"),
]


def index_page(folder, lang, request):
    """An index with long names, a table, pictures, and a failure with a long path."""
    root, table = request.getfixturevalue("workbench"), system_table()
    written = table.write()
    name = "params/" + written.relative_to(root / "params").as_posix()
    long = "agb_and_components_of_planted_forest_by_province_and_origin_cunninghamia_lanceolata"
    good = Record(
        f"inventory_open/{long}",
        batch="inventory_open",
        id=long,
        title={
            "zh": "杉木人工林地上生物量与各组分生物量相容性方程组，按省与起源分组",
            "en": "Compatible equations",
        },
        folder=f"reports/runs/inventory_open/{long}",
        seconds=1234.5,
        started="2024-06-11T00:00:00+00:00",
        finished=1.0,
        why=[["new", ""]],
        tables=[name],
    )
    fault = f"DataError: reports/runs/inventory_open/{long}/trees_of_every_province.csv: no column `dbh`"
    ledger.append(good)
    ledger.append(replace(good, job=f"inventory_open/{long}_2", id=f"{long}_2", status="failed", line=fault))
    with speaking(lang):
        return write_index(root / "reports" / "runs" / "index.html")


def table_page(folder, lang, request):
    return write_page(system_table(), folder / "table.html", lang, files="table")


def fit_page(folder, lang, request):
    fit = sl.fit(make_trees(), "stem = a * dbh**b * height**c", cluster="site", name="trees.csv")
    return write_page([fit], folder / "fit.html", lang)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = chromium.Page(tmp_path_factory.mktemp("browser") / "profile")
    yield opened
    opened.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("make", [index_page, table_page, fit_page])
def test_a_page_fits_the_windows_of_offices(make, lang, request, tmp_path, browser):
    browser.send("Page.navigate", url=make(tmp_path, lang, request).as_uri())
    chromium.wait(
        lambda: browser.js("document.readyState === 'complete' && document.body.innerText.length"), 60
    )
    # Files folded away belong to the page too.
    browser.js("document.querySelectorAll('details').forEach(d => d.open = true)")
    pictures = os.environ.get("SINKLAB_PICTURES")
    for width in (1366, 1920):
        browser.resize(width, 900)
        if pictures:
            browser.picture(Path(pictures) / f"{make.__name__}_{lang}_{width}.png")
        assert browser.js("document.documentElement.scrollWidth") <= width
        assert browser.js(chromium.BROKEN_WORDS) == []


def test_a_word_that_is_broken_is_seen(tmp_path, browser):
    page = tmp_path / "narrow.html"
    page.write_text('<p style="width:1.3em;overflow-wrap:anywhere">cunninghamia', encoding="utf-8")
    browser.send("Page.navigate", url=page.as_uri())
    chromium.wait(lambda: browser.js("!!document.querySelector('p')"), 60)
    assert browser.js(chromium.BROKEN_WORDS)
