"""A small workbench in a temporary folder: vocabulary, rules, one notebook that behaves as it is told."""

import os
import shutil
from pathlib import Path
from textwrap import dedent

import pytest

from sinklab import language

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def workbench(tmp_path, monkeypatch):
    root = tmp_path / "工作台"
    for room in ("vocabulary", "rules"):
        shutil.copytree(REPOSITORY / "data" / room, root / "data" / room)
    (root / "notebooks" / "batches").mkdir(parents=True)
    shutil.copy(REPOSITORY / "tests" / "notebooks" / "behave.ipynb", root / "notebooks")
    monkeypatch.setenv("SINKLAB_ROOT", str(root))
    monkeypatch.delenv("SINKLAB_DATA", raising=False)
    monkeypatch.chdir(root)
    before = dict(os.environ)
    language.set_language("en")
    yield root.resolve()
    language.set_language(None)
    os.environ.clear()
    os.environ.update(before)


def write_batch(root: Path, text: str, name: str = "trial") -> Path:
    path = root / "notebooks" / "batches" / f"{name}.yml"
    path.write_text(dedent(text), encoding="utf-8")
    return path
