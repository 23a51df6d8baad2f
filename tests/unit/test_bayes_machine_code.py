"""Machine code of models that is kept: found again, never believed, done without when it is broken."""

import numpy as np
import pandas as pd
import pytest

from sinklab.fitting.bayes import sample, writer
from sinklab.fitting.bayes.engine import fit_bayes
from sinklab.fitting.data import prepare

OPTIONS = {"draws": 60, "tune": 60, "chains": 2, "seed": 5}


def fitted(text):
    rng = np.random.default_rng(1)
    dbh = rng.uniform(5, 40, 40)
    trees = pd.DataFrame({"dbh": dbh, "agb": 0.1 * dbh**2.4 * np.exp(0.2 * rng.standard_normal(40))})
    return fit_bayes(prepare(trees, text), "lognormal", **OPTIONS).stored_draws


@pytest.fixture
def compilations(tmp_path, monkeypatch):
    """Count callbacks that numba compiles, each fit being that of a new process with one file of machine code."""
    from numba.core.ccallback import CFunc

    counted, compile_ = [], CFunc._compile_uncached
    monkeypatch.setattr(CFunc, "_compile_uncached", lambda f: counted.append(f) or compile_(f))
    monkeypatch.setattr(writer, "path_of", lambda structure: tmp_path / "kept" / "code.pickle")
    return counted


def new_process(monkeypatch):
    monkeypatch.setattr(sample, "_compiled", {})


@pytest.mark.timeout(600)
def test_code_is_kept_and_what_is_wrong_or_broken_is_replaced(compilations, tmp_path, monkeypatch):
    new_process(monkeypatch)
    first = fitted("agb = a * dbh**b")
    assert len(compilations) == 2
    new_process(monkeypatch)
    assert fitted("agb = a * dbh**b").equals(first), "the same draws, bit for bit"
    assert len(compilations) == 2, "nothing was compiled"
    # The file holds the code of another model with as many parameters, of another shape.
    new_process(monkeypatch)
    other = fitted("agb = a * dbh**2 + b * dbh**3")
    assert len(compilations) == 4 and not np.allclose(other["b"].mean(), first["b"].mean())
    file = tmp_path / "kept" / "code.pickle"
    file.write_bytes(file.read_bytes()[:1000])
    new_process(monkeypatch)
    assert fitted("agb = a * dbh**2 + b * dbh**3").equals(other) and len(compilations) == 6
    assert [p.name for p in file.parent.iterdir()] == ["code.pickle"]


def test_the_key_is_the_structure_and_the_versions(monkeypatch):
    one = writer.path_of("a")
    assert one == writer.path_of("a") != writer.path_of("b")
    monkeypatch.setattr(writer, "version", lambda part: "0")
    assert writer.path_of("a") != one


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    writer.store(tmp_path / "file" / "x.pickle", {"codes": []})
    assert writer.load(tmp_path / "file" / "x.pickle") is None
