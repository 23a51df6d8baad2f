"""Machine code of models: kept in a private folder only, never that of another text, and nutpie's where ours ends."""

import os

import numpy as np
import pandas as pd
import pytest

from sinklab.fitting.bayes import sample
from sinklab.fitting.bayes.engine import fit_bayes
from sinklab.fitting.data import prepare

TEXT = "def density(point, slope, whole, number):\n    return point[0] * {}\n"


def value(text, folder):
    """What a text gives at 3, how often numba found machine code of it, and whether it looked for any."""
    function = sample.compile_text(text, folder)
    found = function(np.full(1, 3.0), np.zeros(1), np.zeros(1, dtype=np.int64), np.zeros(1))
    return found, sum(function.stats.cache_hits.values()), function.stats.cache_path


def test_code_is_kept_by_its_text(tmp_path):
    folder = tmp_path / "kept"
    assert value(TEXT.format(2.0), folder)[:2] == (6.0, 0)
    assert value(TEXT.format(2.0), folder)[:2] == (6.0, 1), "found again"
    assert value(TEXT.format(4.0), folder)[:2] == (12.0, 0), "another text has other code"
    assert len(list(folder.glob("*.py"))) == 2 and not list(folder.glob("*.part"))


def test_code_of_a_library_whose_chapters_had_other_names_is_not_loaded(tmp_path, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(sample, "__name__", "sinklab.fitting.bayes.earlier")
        value(TEXT.format(2.0), tmp_path / "kept")
    assert value(TEXT.format(2.0), tmp_path / "kept")[:2] == (6.0, 0)


def test_what_lies_in_the_folder_is_never_run(tmp_path):
    folder = tmp_path / "kept"
    value(TEXT.format(2.0), folder)
    (file,) = folder.glob("*.py")
    file.write_text("raise SystemExit\n", encoding="utf-8")
    assert value(TEXT.format(2.0), folder)[0] == 6.0
    assert file.read_text(encoding="utf-8") == TEXT.format(2.0)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="profiles are private")
def test_a_folder_that_others_may_write_to_is_not_used(tmp_path):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    found, _, path = value(TEXT.format(2.0), folder)
    assert found == 6.0 and path is None and not list(folder.iterdir())
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert value(TEXT.format(2.0), link)[2] is None


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert value(TEXT.format(2.0), tmp_path / "file" / "below")[0] == 6.0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_what_cannot_be_written_is_compiled_by_nutpie(monkeypatch):
    rng = np.random.default_rng(1)
    dbh = rng.uniform(5, 40, 40)
    trees = pd.DataFrame({"dbh": dbh, "agb": 0.1 * dbh**2.4 * np.exp(0.2 * rng.standard_normal(40))})
    monkeypatch.setattr(sample, "_compiled", {})
    ours = fit_bayes(prepare(trees, "agb = a * dbh**b"), "lognormal", seed=1)

    def refused(*_):
        raise sample.Unknown("Cumsum")

    monkeypatch.setattr(sample, "_compiled", {})
    monkeypatch.setattr(sample, "density", refused)
    with pytest.warns(UserWarning, match="Cumsum; nutpie compiles it"):
        theirs = fit_bayes(prepare(trees, "agb = a * dbh**b"), "lognormal", seed=1)
    assert theirs.converged
    assert np.allclose(theirs.values, ours.values, atol=0.1 * ours.parameters["se"].max())
    assert np.allclose(theirs.parameters["se"], ours.parameters["se"], rtol=0.1)
    assert len(sample._compiled) == 1
    # The same code serves other data.
    more = pd.concat([trees, trees.assign(agb=trees["agb"] * 1.2)], ignore_index=True)
    other = fit_bayes(prepare(more, "agb = a * dbh**b"), "lognormal", seed=1)
    assert len(sample._compiled) == 1 and other.n["agb"] == 80 and other.converged
