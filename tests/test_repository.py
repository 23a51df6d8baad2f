"""The repository as a whole: what it must not hold, and who may import whom."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

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
#: Rows of the design: a module imports only from rows above its own, or from its own room.
ROWS = (
    {"language", "errors", "paths", "units", "vocabulary", "tabular"},
    {"equations", "distributions", "provenance"},
    {"studies", "literature", "datasets", "checks", "regions", "pooling"},
    {"indices", "results", "prediction", "tables"},
    {"fit"},
    {"assess", "propagate"},
    {"systems"},
    {"plots", "fonts", "drafts", "review"},
    {"runs", "cli"},
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


def test_no_file_names_a_package_registry():
    hosts = re.compile(
        "|".join(["python" + "hosted", "pypi" + r"\.org", "registry" + r"\.npmjs", "anaconda" + r"\.org"])
    )
    assert [str(f) for f, text in texts() if hosts.search(text)] == []
    assert not (ROOT / "uv.lock").exists()


def test_no_file_carries_a_path_of_a_machine():
    own = re.compile(r"(?<![\w.])/(root|work)/|/home/[a-z]|[A-Z]:\\\\?Users")
    assert [str(f) for f, text in texts() if own.search(text)] == []


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
    assert [d if isinstance(d, str) else d for d in content["dependencies"]] == [
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


def imports():
    """Room of every module, and the rooms that it imports."""
    for file in sorted((ROOT / "sinklab").rglob("*.py")):
        relative = file.relative_to(ROOT / "sinklab").with_suffix("").parts
        room = relative[0]
        found = set()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("sinklab"):
                parts = node.module.split(".")
                found |= {parts[1]} if len(parts) > 1 else {a.name for a in node.names}
            elif isinstance(node, ast.Import):
                found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("sinklab.")}
        yield file, room, found - {room, "__version__"}


def test_rooms_import_only_from_rows_above():
    row = {room: i for i, rooms in enumerate(ROWS) for room in rooms}
    wrong = []
    for file, room, found in imports():
        if room in ("__init__", "__main__"):
            continue
        assert room in row, f"{room} stands in no row"
        wrong += [
            f"{file.name} ({room}) imports {other}" for other in found if row.get(other, -1) > row[room]
        ]
    assert wrong == []


def test_rooms_of_one_row_do_not_import_in_circles():
    graph = {}
    for _, room, found in imports():
        graph.setdefault(room, set()).update(found)
    graph.pop("__init__")
    graph.pop("__main__")

    def reaches(start, goal, seen):
        for nxt in graph.get(start, set()) - seen:
            seen.add(nxt)
            if nxt == goal or reaches(nxt, goal, seen):
                return True
        return False

    assert [room for room in graph if reaches(room, room, set())] == []


def test_importing_sinklab_loads_nothing_heavy():
    code = "import sys, sinklab; print(' '.join(m for m in sys.modules if '.' not in m))"
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert not {"numpy", "pandas", "scipy", "sympy", "matplotlib", "pymc"} & set(out.split())


def test_the_bootstrap_can_be_read_by_an_old_python():
    source = (ROOT / "run.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 8))
