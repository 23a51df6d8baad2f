# ruff: noqa: F811  (a fixture that is imported bears the name of an argument)
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from runs_workbench import REPOSITORY, workbench, write_batch  # noqa: F401

from sinklab.runs import batch, ledger
from sinklab.runs.reading import read_batch

BATCH = """\
notebook: behave.ipynb
defaults: {seed: 7}
jobs: [{id: one, parameters: {name: one, factor: 2}, inputs: [data/extra.csv]}]
"""


def test_what_is_watched(workbench):
    (workbench / "data" / "extra.csv").write_text("x\n", encoding="utf-8")
    path = write_batch(workbench, BATCH)
    files = batch.watched(read_batch("trial"))
    expected = {path, workbench / "notebooks" / "behave.ipynb", workbench / "data" / "extra.csv"}
    assert expected <= set(files)
    assert {
        workbench / "data" / "vocabulary" / "variables.csv",
        REPOSITORY / "sinklab" / "language.py",
    } <= set(files)


def test_a_change_is_told_when_it_has_ended(tmp_path, monkeypatch):
    file, other = tmp_path / "a.csv", tmp_path / "b.csv"
    file.write_text("1", encoding="utf-8")
    before = batch.snapshot([file, other])
    edits, waits = iter(("1", "12", "123", "1234")), []

    def edit_meanwhile(seconds):
        waits.append(seconds)
        if text := next(edits, None):
            file.write_text(text, encoding="utf-8")
            os.utime(file, (len(waits), len(waits)))

    monkeypatch.setattr(batch, "time", SimpleNamespace(sleep=edit_meanwhile))
    assert batch.wait_for_change([file, other], before) == [file]
    assert file.read_text(encoding="utf-8") == "1234"
    assert waits == [batch.PAUSE, *[batch.QUIET] * 4], "until nobody has written for a while"


@pytest.mark.skipif(os.name == "nt", reason="sends an interrupt")
def test_an_edited_batch_is_run_again_until_ctrl_c(workbench, interrupts):
    (workbench / "data" / "extra.csv").write_text("x\n", encoding="utf-8")
    write_batch(workbench, BATCH)
    process = subprocess.Popen(
        [sys.executable, "-m", "sinklab", "run", "trial", "--watch", "--workers", "1"],
        env=dict(os.environ, PYTHONPATH=str(REPOSITORY), SINKLAB_LANG="en"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    try:
        follow(process, "watching")
        write_batch(workbench, BATCH.replace("factor", "facter"))
        assert "did you mean 'factor'" in follow(process, "did you mean")
        write_batch(workbench, BATCH.replace("factor: 2", "factor: 5"))
        text = follow(process, "watching")
        assert "1 ok, 0 failed" in text
        assert ledger.read()["trial/one"].why == [["parameters", "factor: 2.0 → 5.0"]]
        assert interrupted(process) == 130
    finally:
        process.kill()
        process.stdout.close()


def interrupted(process) -> int:
    """Exit code after Ctrl-C; pressed again once, for Python drops an interrupt that falls into a finaliser."""
    process.send_signal(signal.SIGINT)
    try:
        return process.wait(60)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        return process.wait(60)


def follow(process, word):
    """Lines up to the one with a word."""
    text = ""
    for line in process.stdout:
        text += line
        if word in line:
            return text
    raise AssertionError(text)
