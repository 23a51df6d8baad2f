"""Help: examples that the parser itself takes, in the reader's language, named as the reader types them."""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sinklab as sl
from sinklab import cli, language
from sinklab.cli import main
from sinklab.language import width
from sinklab.propagate.deductions import rules
from sinklab.results import variance
from sinklab.tables.export import TARGETS

REPOSITORY = Path(__file__).resolve().parents[2]
COMMANDS = [row["command"] for row in cli.rows("commands")]


@pytest.fixture(params=language.LANGUAGES)
def reader(request):
    with language.speaking(request.param):
        yield request.param


def parsers(parser, name=""):
    """Every parser below one, by what is typed."""
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, own in action.choices.items():
                yield from parsers(own, f"{name} {word}".strip())


def test_every_help_shows_examples_and_the_parser_takes_them(reader):
    with cli.phrases():
        parser = cli.build_parser()
        found = dict(parsers(parser))
        assert sorted(found) == sorted(["", *COMMANDS])
        for name, own in found.items():
            lines = cli.examples(name)
            told = own.format_help()
            assert lines and all(f"  sinklab {line}\n      {does}" in told for line, does in lines), name
            for line, _ in lines:
                given = parser.parse_args(shlex.split(line))
                typed = " ".join(filter(None, (given.command, getattr(given, "action", ""))))
                assert not name or typed.startswith(name), line
                for row in getattr(given, "numbers", ()):
                    word = row["name"] or row["option"].split()[-1].lstrip("-").replace("-", "_")
                    if getattr(given, word) is not None:
                        cli._number(row, str(getattr(given, word)))
                if getattr(given, "rule", None):
                    assert given.rule in rules()


@pytest.mark.slow
def test_the_lines_of_fit_and_predict_run_as_they_stand(reader, tmp_path, monkeypatch, capsys):
    (tmp_path / "reports").mkdir()
    for room in ("data", "reports/templates"):
        (tmp_path / room).symlink_to(REPOSITORY / room)
    monkeypatch.setenv("SINKLAB_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    trees = sl.read_study("chinese_fir_simulated")[["tree_id", "site", "dbh", "height", "stem", "branch"]]
    trees["agb"] = trees["stem"] + trees["branch"]
    headers = dict(
        zip(trees, ["树号", "样点", "胸径(cm)", "树高(m)", "干(kg)", "枝(kg)", "地上(kg)"], strict=True)
    )
    trees = trees.rename(columns=headers) if reader == "zh" else trees
    lines = [line for command in ("fit", "predict") for line, _ in cli.examples(command)]
    for name in {word for line in lines for word in shlex.split(line) if word.endswith((".csv", ".xlsx"))}:
        (trees.to_csv if name.endswith("csv") else trees.to_excel)(tmp_path / name, index=False)
    for line in lines:
        if "--method mixed" not in line:
            assert cli.main(shlex.split(line)) == 0, (line, capsys.readouterr().err)
    assert next(tmp_path.glob("params/agb_forest_mytree/0.1.0/coefficients.csv"))
    assert sorted(tmp_path.glob("*.docx"))


def test_help_is_in_the_readers_language(reader):
    with cli.phrases():
        texts = {name: parser.format_help() for name, parser in parsers(cli.build_parser())}
    for row in cli.rows("options"):
        assert row["help_en"] and row["help_zh"] and row["help_en"] != row["help_zh"], row["option"]
    for row in cli.rows("examples"):
        assert all(row.values()) or not row["command"], row
    chinese = re.compile("[\u3400-\u9fff]")
    if reader == "en":
        told = "".join(texts.values()).replace("dbh=胸径", "")  # a header of the reader's own file
        assert not chinese.search(told)
    else:
        for text in texts.values():
            assert not re.search(r"usage|positional|optional|show this|and exit|examples", text), text
            # Words of English prose come in rows; names of options, methods and files stand alone.
            told = re.sub(r"^  sinklab .*$", "", text, flags=re.M)
            assert not re.findall(r"(?<![\w.:/|-])[a-z]+ [a-z]+ [a-z]+ [a-z]+(?![\w|])", told)


def test_help_fits_a_terminal_and_breaks_no_word(reader, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    helps = {row[f"help_{reader}"] for row in cli.rows("options")}
    words = {
        word for text in helps for word in re.findall(r"[\w@./:=*-]*[A-Za-z0-9][\w@./:=*-]*", text, re.A)
    }
    with cli.phrases():
        for name, parser in parsers(cli.build_parser()):
            lines = [line for line in parser.format_help().splitlines() if not line.startswith("  sinklab ")]
            assert [line for line in lines if width(line) > 80] == [], name
            assert [line for line in lines if re.match(r"\s*[，。；：、）」]", line)] == [], name
            told = set(re.findall(r"[\w@./:=*-]*[A-Za-z0-9][\w@./:=*-]*", "\n".join(lines), re.A))
            own = [a.help for a in parser._actions if a.help in helps]
            assert {w for text in own for w in words if w in text.split()} <= told, name


def test_a_line_ends_after_a_chinese_letter_but_within_no_word():
    assert language.wrap('选项：--sbatch="--partition=short"，传给 sbatch', 24) == [
        "选项：",
        '--sbatch="--partition=short"，',
        "传给 sbatch",
    ]
    assert language.wrap("（含这些文件的文件夹），不含", 22) == ["（含这些文件的文件", "夹），不含"]
    assert language.wrap("one two three", 7) == ["one two", "three"]


def test_commands_are_named_as_the_reader_types_them(monkeypatch, capsys):
    monkeypatch.setenv("SINKLAB_COMMAND", "python run.py")
    with pytest.raises(SystemExit):
        cli.main(["table", "verify", "--help"])
    told = capsys.readouterr().out
    assert "python run.py table verify agb_forest_mytree" in told and "sinklab" not in told
    assert cli.main(["fit", "a.csv"]) == 2
    assert "python run.py fit --help" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "--help"]])
def test_help_needs_no_environment(tmp_path, arguments):
    for name in ("run.py", "requirements.lock"):
        shutil.copy(REPOSITORY / name, tmp_path)
    shutil.copytree(
        REPOSITORY / "sinklab", tmp_path / "sinklab", ignore=shutil.ignore_patterns("__pycache__")
    )
    bare = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "SINKLAB_COMMAND")}
    base = getattr(sys, "_base_executable", sys.executable)
    # -S -I: without site-packages, as where nothing has been installed yet.
    done = subprocess.run(
        [base, "-S", "run.py", *arguments],
        cwd=tmp_path,
        env=bare | {"SINKLAB_LANG": "zh"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert "用法：" in done.stdout and "run.py fit 样木.xlsx" in done.stdout
    assert not (tmp_path / ".venv").exists() and not done.stderr


def test_help_in_chinese_stands_in_one_column(capsys, monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", "zh")
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    lines = [line for line in capsys.readouterr().out.splitlines() if re.match(r"  (-\S|批次)", line)]
    starts = {
        width(re.match(r"  \S.*?\s{2,}(?=\S)", line).group())
        for line in lines
        if re.search(r"\S\s{2,}\S", line)
    }
    assert len(lines) > 12 and starts == {24}


def test_a_page_of_functions_names_no_place_of_a_machine():
    pytest.importorskip("pdoc")
    from pdoc import doc, render

    from sinklab.runs.pages import placeless

    raw = render.html_module(doc.Module(variance), {})
    made = placeless(raw)
    assert "site-packages" in raw and "site-packages" not in made and "numpy" in made
    plain = re.sub(r"<[^>]+>", "", made)
    assert re.search(r"library:\s*Any\s*=\s*numpy", plain)


def test_every_export_can_be_asked_for():
    (row,) = [r for r in cli.rows("options") if r["commands"] == "table export" and r["option"] == "--to"]
    assert row["choices"].split("|") == list(TARGETS)


def test_a_truth_is_told_in_the_reader_s_language(reader):
    told = language.table(["check", "passed"], [["TRE", True], ["ASE", np.bool_(False)]])
    assert [line.split()[-1] for line in told.splitlines()[2:]] == {"en": ["yes", "no"], "zh": ["是", "否"]}[
        reader
    ]
