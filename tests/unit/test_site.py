"""The offline site and the start page; pages about files name every field that their reader knows."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from sinklab import paths
from sinklab.drafts import description
from sinklab.language import RunError, speaking
from sinklab.runs import ledger, pages, reading

REPOSITORY = Path(__file__).resolve().parents[2]
GUIDE = REPOSITORY / "notebooks" / "guide"


def fields(page, chapter=""):
    """Names in the first column of the tables of a page, or of one chapter of it."""
    text = (GUIDE / page).read_text(encoding="utf-8")
    parts = [part for part in re.split(r"^## ", text, flags=re.M) if chapter in part.splitlines()[0]]
    return [name for part in parts for name in re.findall(r"^\| `([\w…-]+)` \|", part, flags=re.M)]


def example(page):
    return re.search(r"```yaml\n(.*?)```", (GUIDE / page).read_text(encoding="utf-8"), re.S).group(1)


def test_every_field_of_a_batch_file_is_told():
    assert fields("batch_file.md", "The batch") == [*reading._BATCH_KEYS, "x-…"]
    assert fields("batch_file.md", "A job") == [*reading._JOB_KEYS, "matrix", "except", "override", "when"]
    assert fields("batch_file.md", "A draft") == [*reading._DRAFT_KEYS]
    declared = ledger.NotebookFile(REPOSITORY / "notebooks" / "fit_allometry.ipynb").parameters
    assert fields("batch_file.md", "Parameters") == [*declared]


def test_the_batch_of_the_page_can_start(tmp_path):
    file = tmp_path / "example.yml"
    file.write_text(example("batch_file.md"), encoding="utf-8")
    batch = reading.read_batch(str(file))
    assert [job.id for job in batch.jobs] == ["agb_forest_example"] and len(batch.drafts) == 1


def test_every_field_of_a_draft_is_told():
    used = {"use", "like"}
    for name in description.names():
        used |= set(description.content(name))
    templates = paths.reports("templates").rglob("*.md")
    named = re.compile(r"\bdraft\.([a-z_]+)")
    used |= {one for path in templates for one in named.findall(path.read_text(encoding="utf-8"))} - {"get"}
    code = "".join(
        path.read_text(encoding="utf-8") for path in Path(description.__file__).parent.glob("*.py")
    )
    used |= set(re.findall(r"""\bdata(?:\.get\(|\[)"([a-z_]+)\"""", code))
    told = fields("draft_file.md")
    assert len(told) == len(set(told)) and set(told) == used


def test_the_description_of_the_page_is_one(monkeypatch, tmp_path):
    for room in ("data", "params", "reports/templates"):
        (tmp_path / room).parent.mkdir(exist_ok=True)
        (tmp_path / room).symlink_to(REPOSITORY / room)
    monkeypatch.setenv("SINKLAB_ROOT", str(tmp_path))
    (tmp_path / "reports" / "drafts").mkdir()
    (tmp_path / "reports" / "drafts" / "mine.yml").write_text(example("draft_file.md"), encoding="utf-8")
    found = description.read("mine")
    assert (found.template, found.preview) == ("species_standard", True)


class Links(HTMLParser):
    """What a page refers to; what would be fetched without a click; and its text by language."""

    def __init__(self, text):
        super().__init__()
        self.links, self.fetched = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "href" and tag == "a":
                self.links.append(value)
            elif name in ("src", "href", "srcset") and value and not value.startswith(("data:", "#")):
                self.fetched.append(value)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("site") / "工作台"
    for room in ("data", "notebooks", "reports/systems"):
        (root / room).parent.mkdir(parents=True, exist_ok=True)
        (root / room).symlink_to(REPOSITORY / room)
    for page in (REPOSITORY / "reports").glob("*.md"):
        (root / "reports" / page.name).symlink_to(page)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SINKLAB_ROOT", str(root))
        yield pages.write_site(execute=False).parent


@pytest.mark.slow
def test_every_link_of_the_site_leads_somewhere_and_nothing_is_fetched(built):
    pages = sorted(built.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        found = Links(page.read_text(encoding="utf-8"))
        assert [f for f in found.fetched if "://" in f or f.startswith("//")] == [], page
        for link in found.links:
            if not link.startswith(("http", "#", "mailto")):
                target = (page.parent / unquote(link.partition("#")[0])).resolve()
                assert target.is_file() or link in ("..", "../"), (page, link)


@pytest.mark.slow
def test_the_start_page_leads_to_nine_tasks_in_each_language(built):
    text = (built / "index.html").read_text(encoding="utf-8")
    for code in ("zh", "en"):
        part = text.split(f'<div class="{code}">')[1].split("</div>")[0]
        tasks = re.findall(r'href="guide/(0\d_\w+)\.html"', part)
        assert tasks == sorted(path.stem for path in GUIDE.glob("*.ipynb")) and len(tasks) == 9
        assert bool(re.search("[\u3400-\u9fff]", part)) == (code == "zh")
        assert set(re.findall(r'href="systems/(\w+)\.html"', part)) == {
            path.stem for path in (REPOSITORY / "reports" / "systems").glob("*.md")
        }


def test_both_languages_of_a_page_are_told_apart():
    html = "<h1>草地 · Grass</h1>\n<p>样方：</p>\n<p>Plots:</p>\n<table><td>碳 <code>a · b</code> · carbon</td></table>"
    assert pages._both(html) == (
        '<h1><span class="zh">草地</span><span class="en">Grass</span></h1>\n<p class="zh">样方：</p>\n'
        '<p class="en">Plots:</p>\n<table><td><span class="zh">碳 <code>a · b</code></span>'
        '<span class="en">carbon</span></td></table>'
    )
    told = "<p>见 <code>a.<wbr>b</code> · see <code>a.<wbr>b</code></p>"
    assert '<span class="en">see' in pages._both(told), "a place to break a line is no tag that has to close"
    alone = "<p>甲 · 乙</p><p>仅中文</p>"
    assert pages._both(alone) == alone


@pytest.mark.slow
def test_no_sentence_of_the_site_holds_both_languages(built):
    prose = re.compile(r"<(p|li|td|th|h[1-4])(?: [^>]*)?>((?:(?!<\1[ >]).)*?)</\1>", re.S)
    mixed = []
    for page in [*built.glob("*.html"), *built.glob("[!r]*/*.html"), *built.glob("reports/*.html")]:
        for _, inner in prose.findall(page.read_text(encoding="utf-8")):
            said = re.sub(r"<(code|pre|span)\b.*?</\1>|<[^>]+>", "", inner, flags=re.S)
            if " · " in said and re.search("[\u3400-\u9fff]", said) and re.search("[a-z]{3} [a-z]{2}", said):
                mixed.append((page.name, said[:60]))
    assert mixed == []


@pytest.mark.slow
def test_the_reference_names_every_public_name(built):
    import sinklab as sl

    text = (built / pages.REFERENCE).read_text(encoding="utf-8")
    assert [name for name in sl.__all__ if name != "__version__" and f'id="{name}"' not in text] == []


@pytest.mark.slow
def test_the_reference_shows_formulae_and_short_signatures(built):
    texts = {page.name: page.read_text(encoding="utf-8") for page in (built / "reference").rglob("*.html")}
    assert [name for name, text in texts.items() if pages._FORMULA.search(text)] == []
    assert [name for name, text in texts.items() if "_SupportsArray" in text] == []
    assert texts["soil.html"].count("<math") > 9 and "ArrayLike" in texts["soil.html"]
    long = re.compile(r"<code>[a-z]+(?:\.[a-z_]+){3,}</code>")
    systems = [page.read_text(encoding="utf-8") for page in (built / "systems").glob("*.html")]
    assert [found for text in systems for found in long.findall(text)] == []
    assert any("karst.<wbr>probe_<wbr>thickness" in text for text in systems)


def test_formulae_become_mathml_that_needs_no_script():
    told = pages.formulae(r"<p>With \( a &lt; b \) follows</p><p>$$y = x^2$$</p><p>5 $</p>")
    assert told.count("<math") == 2 and "$$" not in told and told.endswith("<p>5 $</p>")
    assert 'display="block"' in told and r"\(" not in told


@pytest.mark.slow
def test_a_page_that_does_not_run_leaves_the_earlier_site(monkeypatch, tmp_path):
    for room in ("data", "reports/systems", "reports/drafts", "reports/templates"):
        (tmp_path / room).parent.mkdir(exist_ok=True)
        (tmp_path / room).symlink_to(REPOSITORY / room)
    guide = tmp_path / "notebooks" / "guide"
    guide.mkdir(parents=True)
    cell = {"cell_type": "code", "metadata": {}, "source": "1 / 0", "outputs": [], "execution_count": None}
    content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    (guide / "01_bad.ipynb").write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setenv("SINKLAB_ROOT", str(tmp_path))
    before = tmp_path / "reports" / "site" / "index.html"
    before.parent.mkdir()
    before.write_text("earlier", encoding="utf-8")
    with pytest.raises(RunError, match="01_bad.*ZeroDivisionError"):
        pages.write_site()
    assert before.read_text(encoding="utf-8") == "earlier"
    assert [path.name for path in before.parent.parent.iterdir() if ".part" in path.name] == []


def test_a_link_that_leads_nowhere_is_refused(tmp_path):
    source = tmp_path / "a.md"
    with pytest.raises(RunError, match=r"nothing\.md"):
        pages._moved(source, "nothing.md", {source: "a.html"})
    assert pages._moved(source, "a.md#x", {source: "guide/a.html"}) == "a.html#x"


def test_both_wordings_name_the_table_they_speak_of():
    told = pages._both("<li><code>soil_karst_houzhai</code>：可签。均值一致。 · sign: the means agree.</li>")
    assert '<span class="en"><code>soil_karst_houzhai</code>: sign: the means agree.</span>' in told


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_of_a_run_begins_in_the_language_of_the_reader(lang, tmp_path):
    cell = {"cell_type": "markdown", "metadata": {}, "source": "# 草地 · Grass\n\n每公顷。\n\nBy hectare."}
    content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    notebook = tmp_path / "it.ipynb"
    notebook.write_text(json.dumps(content), encoding="utf-8")
    with speaking(lang):
        html = pages.write(notebook, {"zh": "草", "en": "Grass"}).read_text(encoding="utf-8")
    assert f'<body class="{lang}">' in html and 'onclick="speak(' in html
    assert '<p class="zh">每公顷。</p>' in html and '<span class="en">Grass</span></h1>' in html
