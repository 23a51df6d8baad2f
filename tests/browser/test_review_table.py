"""The reviewer's notebook in JupyterLab, driven by mouse and keyboard in a Chromium without a network."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import sinklab as sl
from sinklab.data import open_data
from sinklab.review.desk import read_verdicts
from sinklab.tables.table import Table

sys.path.insert(0, str(Path(__file__).parent))
import chromium  # noqa: E402

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(chromium.executable() is None, reason="no Chromium on this machine"),
]
REPOSITORY = Path(__file__).resolve().parents[2]
EQUATIONS = "foliage = a2 * dbh**b2\nstem = a1 * dbh**b1 * height**c1\nagb = stem + foliage"
ROW = 72
#: The first figure, and the points of its first trace.
FIGURE = "document.querySelector('.js-plotly-plot')"
DOTS = f"[...({FIGURE}?.querySelector('.scatterlayer .trace')?.querySelectorAll('path.point') ?? [])]"


@pytest.fixture
def lab(tmp_path, monkeypatch, request):
    root = tmp_path / "工作台"
    shutil.copytree(REPOSITORY / "data", root / "data", ignore=shutil.ignore_patterns("open"))
    (root / "notebooks").mkdir()
    shutil.copy(REPOSITORY / "notebooks" / "review_table.ipynb", root / "notebooks")
    monkeypatch.setenv("SINKLAB_ROOT", str(root))
    fit = sl.fit(open_data.load("study:chinese_fir_simulated"), EQUATIONS)
    Table.from_fits([fit], "agb_forest_cunninghamia", "0.1.0").write()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "PYTHONPATH": str(REPOSITORY),
        "SINKLAB_LANG": getattr(request, "param", "en"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--ip=127.0.0.1",
    ]
    command += [
        "--IdentityProvider.token=t",
        "--expose-app-in-browser",
        f"--ServerApp.root_dir={root}",
        "--LabApp.news_url=",
    ]
    with open(tmp_path / "lab.log", "w", encoding="utf-8") as log:
        server = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log)
        try:
            chromium.wait(
                lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=t", timeout=5), 90
            )
            yield root, f"http://127.0.0.1:{port}/lab/tree/notebooks/review_table.ipynb?token=t"
        finally:
            # Its kernels end with it.
            server.kill()
            server.wait(60)


@pytest.fixture
def page(tmp_path):
    opened = chromium.Page(tmp_path / "profile")
    yield opened
    # The last that was seen, for whoever looks for what went wrong.
    opened.picture(Path(os.environ.get("SINKLAB_PICTURES") or tmp_path) / "last.png")
    opened.close()


def element(kind, text):
    """Expression for the first element whose text, placeholder or label begins with something."""
    return (
        f"[...document.querySelectorAll('.widget-vbox {kind}')].find(e => "
        f"(e.placeholder?.replace('\u200b', '') || e.textContent || e.closest('.widget-inline-hbox')?.textContent || '').trim().startsWith('{text}'))"
    )


def shows(page, text):
    return chromium.wait(lambda: page.js(f"document.body.textContent.includes({text!r})"), 120)


def run_all(page):
    """Run the notebook; a page without a past first asks for its kernel, and the notebook's own is offered."""
    accept = "document.querySelector('.jp-Dialog .jp-mod-accept')"
    begun = "[...document.querySelectorAll('.jp-InputPrompt')].some(e => /\\[[*0-9]+\\]/.test(e.textContent))"

    def attempt():
        if page.js(f"!!{accept}"):
            page.click(accept)
            time.sleep(3)
        page.js("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
        time.sleep(3)
        return page.js(begun)

    chromium.wait(attempt, 120)


def open_desk(page, address):
    """Open the notebook, run it, and wait for the points of the first figure."""
    page.send("Page.navigate", url=address)
    chromium.wait(
        lambda: page.js("!!document.querySelector('.jp-Notebook-ExecutionIndicator[data-status=idle]')"), 120
    )
    run_all(page)

    def drawn():
        # Where the run ends before the figures are drawn, the notebook has moved on, and draws what is in sight alone.
        page.js(
            "(document.querySelector('.jp-OutputArea-output .widget-vbox') ?? document.querySelector('.jp-Cell'))"
            "?.scrollIntoView()"
        )
        return page.js(f"{DOTS}.length") == 150

    chromium.wait(drawn, 120)


@pytest.mark.parametrize("lab", ["zh", "en"], indirect=True)
def test_the_desk_fits_the_windows_of_offices(lab, page, tmp_path, request):
    """Beside the list of files, as JupyterLab opens."""
    open_desk(page, lab[1])
    desk = "document.querySelector('.jp-OutputArea-output .widget-vbox')"
    pictures = Path(os.environ.get("SINKLAB_PICTURES") or tmp_path)
    page.click(f"{DOTS}[{ROW}]")
    shows(page, "DFBETAS")
    assert page.js(f"{FIGURE}.querySelector('.main-svg').getBoundingClientRect().width") < 600
    for width in (1366, 1920):
        page.resize(width, 1000)
        page.js(f"{desk}.scrollIntoView()")
        time.sleep(3)
        page.picture(pictures / f"desk_{request.node.callspec.id}_{width}.png")
        right = page.js(f"{desk}.closest('.jp-WindowedPanel-outer').getBoundingClientRect().right")
        parts = f"[{desk}, ...{desk}.querySelectorAll('*')].filter(e => e.offsetParent && !e.closest('svg'))"
        assert page.js(f"Math.max(...{parts}.map(e => e.getBoundingClientRect().right))") <= right <= width
        assert page.js("document.documentElement.scrollWidth") <= width
        assert page.js(chromium.BROKEN_WORDS) == []


def test_a_reviewer_clicks_a_tree_sets_it_aside_and_signs(lab, page, tmp_path):
    root, address = lab
    open_desk(page, address)
    page.click(f"{DOTS}[{ROW}]")
    shows(page, "CL073")
    shows(page, "DFBETAS")
    page.type(element("input", "reason"), "wrong leaf bag")
    page.click(element("button", "Exclude"))
    shows(page, "Set aside (1): CL073")
    pictures = Path(os.environ.get("SINKLAB_PICTURES") or tmp_path)
    page.js(f"{FIGURE}.scrollIntoView()")
    time.sleep(1)
    page.picture(pictures / "review_desk.png")
    page.type(element("input", "Reviewer"), "Zhang San")
    page.type(element("textarea", "Remark"), "weigh it again")
    page.click(element("button", "Save"))
    shows(page, "Saved: reports/verdicts/agb_forest_cunninghamia/0.1.0.yml")
    told = read_verdicts(root / "reports" / "verdicts" / "agb_forest_cunninghamia" / "0.1.0.yml")
    assert [(v.reviewer, v.tree, v.decision, v.reason) for v in told] == [
        ("Zhang San", "", "change", "weigh it again"),
        ("Zhang San", "CL073", "exclude", "wrong leaf bag"),
    ]
