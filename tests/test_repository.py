"""The repository as a whole: what it must not hold, and who may import whom."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import yaml

import sinklab

ROOT = Path(__file__).resolve().parent.parent
TEXT = {
    ".py",
    ".md",
    ".yml",
    ".yaml",
    ".toml",
    ".csv",
    ".json",
    ".ipynb",
    ".lock",
    ".cff",
    ".txt",
    ".lua",
    ".j2",
    "",
}
#: The five layers of the design: a module imports from layers above its own, or from rooms of its own layer.
LAYERS = (
    {"language", "paths"},
    {"data"},
    {"equations", "results"},
    {"fitting", "evidence", "assess", "plots", "tables"},
    {"systems", "propagate", "account", "drafts", "review", "runs", "cli"},
)


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [
        ROOT / name for name in listed.stdout.decode("utf-8").split("\0") if name and (ROOT / name).is_file()
    ]


def texts():
    for file in tracked():
        if file.suffix in TEXT and file != Path(__file__):
            yield file, file.read_text(encoding="utf-8", errors="replace")


def lines_that_match(pattern):
    """File and line of every match, as a reader would look it up."""
    return [
        f"{file.relative_to(ROOT).as_posix()}:{number}"
        for file, text in texts()
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_package_registry():
    hosts = (
        "python" + "hosted",
        "pypi" + ".org",
        "registry" + ".npmjs",
        "deb" + ".debian",
        "anaconda" + ".org",
    )
    index = "https?://[^ ]*/" + "simple"
    assert lines_that_match(re.compile("|".join([*map(re.escape, hosts), index]))) == []
    assert not (ROOT / "uv.lock").exists()


def test_no_file_carries_a_path_of_a_machine():
    own = re.compile(r"(?<![\w.])/(root|work)/|/home/[a-z]|(?<![\w.])/tmp/[A-Za-z]|[A-Z]:\\\\?Users")
    assert lines_that_match(own) == []


def test_the_lock_holds_every_dependency_with_hashes():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.match(r"[A-Za-z0-9._-]+", line).group().lower().replace("_", "-") for line in wanted}
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    blocks = re.findall(r"^(\S+?)==\S+.*?(?=^\S|\Z)", lock, flags=re.M | re.S)
    assert names <= set(blocks)
    pins = re.split(r"^(?=\S)", lock, flags=re.M)
    assert all("--hash=sha256:" in pin for pin in pins if "==" in pin)


def test_the_conda_environment_lists_nothing_twice():
    content = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert content["dependencies"] == [
        "python=3.12",
        "pip",
        {"pip": ["-r requirements.lock"]},
    ]


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebooks_are_clean_and_have_one_parameters_cell(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = [c for c in cells if c["cell_type"] == "code"]
    assert all(not c["outputs"] and c["execution_count"] is None for c in code)
    assert sum("parameters" in c["metadata"].get("tags", []) for c in cells) == 1


def modules():
    """Every module of the package by its dotted name, and its syntax tree."""
    for file in sorted((ROOT / "sinklab").rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, ast.parse(file.read_text(encoding="utf-8"))


MODULES = dict(modules())


def imported(nodes):
    """Modules of the package that import statements among the nodes name."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sinklab":
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in full)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)


def room(module):
    """Room of a module; the package itself and ``__main__`` stand in none."""
    name = module.split(".")[1] if "." in module else ""
    return "" if name == "__main__" else name


def circle(graph):
    """One circle of a graph, or None."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def test_rooms_import_only_from_layers_above_or_their_own():
    layer = {name: i for i, names in enumerate(LAYERS) for name in names}
    rooms = {module: room(module) for module in MODULES if room(module)}
    assert set(rooms.values()) - set(layer) == set(), "rooms that stand in no layer"
    wrong = [
        f"{module} imports {other}"
        for module in rooms
        for other in imported(ast.walk(MODULES[module]))
        if room(other) and layer.get(room(other), len(LAYERS)) > layer[room(module)]
    ]
    assert wrong == []


def test_rooms_of_one_layer_do_not_import_in_circles():
    graph = {}
    for module, tree in MODULES.items():
        if room(module):
            others = {room(other) for other in imported(ast.walk(tree))} - {"", room(module)}
            graph.setdefault(room(module), set()).update(others)
    assert circle(graph) is None


def test_modules_do_not_load_each_other_in_circles():
    assert (
        circle({name: set(imported(tree.body)) - {name, "sinklab"} for name, tree in MODULES.items()}) is None
    )


def test_importing_sinklab_loads_nothing_heavy():
    code = "import sys, sinklab; print(' '.join(m for m in sys.modules if '.' not in m))"
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert not {"numpy", "pandas", "scipy", "sympy", "matplotlib", "pymc"} & set(out.split())


def test_the_bootstrap_can_be_read_by_an_old_python():
    source = (ROOT / "run.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 8))


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert project["version"] == str(citation["version"]) == sinklab.__version__
    assert project["license"] == citation["license"] == "Apache-2.0"
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_a_clone_made_on_windows_has_the_same_bytes(tmp_path):
    """Tables name the SHA-256 of their inputs; Git for Windows writes CR LF unless the repository says no."""
    tracked()
    clone = tmp_path / "clone"
    subprocess.run(
        ["git", "clone", "--quiet", "--config", "core.autocrlf=true", f"file://{ROOT}", clone], check=True
    )
    listed = subprocess.run(
        [
            "git",
            "ls-files",
            "--eol",
            "data",
            "sinklab",
            "notebooks",
            "params",
            "reports",
            "requirements.lock",
        ],
        cwd=clone,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    ).stdout
    assert len(listed.splitlines()) > 100
    assert not [line for line in listed.splitlines() if "w/crlf" in line or "w/mixed" in line]


#: Chapters of which a notebook may import more than the public names: ecosystems, figures, and the subject of one notebook.
CHAPTERS = {
    "sinklab.plots",
    "sinklab.data.vocabulary",
    "sinklab.evidence.distributions",
    "sinklab.evidence.equations",
    "sinklab.evidence.knowledge",
    "sinklab.evidence.national",
    "sinklab.evidence.pool_equations",
    "sinklab.evidence.pooling",
    "sinklab.review.desk_view",
}


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").rglob("*.ipynb")), ids=lambda p: p.stem)
def test_notebooks_are_thin_and_import_public_names(notebook):
    cells = [
        "".join(cell["source"]).strip()
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
    lines = [len(cell.splitlines()) for cell in cells]
    assert sum(lines) <= 90 and max(lines) <= 25
    tree = ast.parse("\n".join(line for cell in cells for line in cell.splitlines() if line[:1] not in "%!"))
    chapters = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = {alias.name for alias in node.names if alias.name.split(".")[0] == "sinklab"}
            assert names <= {"sinklab"}
        elif isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "sinklab":
            chapters |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for chapter in chapters.values():
        assert chapter in CHAPTERS or chapter.startswith("sinklab.systems.") and chapter in MODULES
    public = {(home, name) for name, home in sinklab._HOMES.items()}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            continue
        if node.value.id == "sl":
            assert node.attr in sinklab.__all__
        elif node.value.id in chapters:
            # What the library offers under its own name is not taken from a chapter.
            assert not node.attr.startswith("_") and (chapters[node.value.id], node.attr) not in public
