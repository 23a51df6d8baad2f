# ruff: noqa: F811  (a fixture that is imported bears the name of an argument)
import argparse
import json

import pytest
from runs_workbench import REPOSITORY, workbench, write_batch  # noqa: F401

from sinklab.cli import main, run
from sinklab.data import vocabulary
from sinklab.language import reader_language, speaking
from sinklab.runs import magic


@pytest.mark.parametrize("system", ["", *vocabulary.ecosystems()])
def test_a_workspace_opens_files_that_exist(tmp_path, system):
    path = run.write_workspace(tmp_path, system)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["metadata"]["id"] == (system or f"start_{reader_language()}")
    dock = content["data"]["layout-restorer:data"]["main"]["dock"]["widgets"]
    files = [content["data"][widget]["data"]["path"] for widget in dock]
    assert files and all((REPOSITORY / file).is_file() for file in files)
    path.write_text("arranged by its user", encoding="utf-8")
    run.write_workspace(tmp_path, system)
    assert path.read_text(encoding="utf-8") == "arranged by its user"


def test_the_server_listens_to_this_machine_only(workbench):
    chosen = argparse.Namespace(system="karst", port=9000, no_browser=True)
    command = run.command(chosen, "places")
    assert f"--ServerApp.root_dir={workbench}" in command and "--ServerApp.ip=127.0.0.1" in command
    assert "--LabApp.default_url=/lab/workspaces/karst" in command and command[-1] == "--no-browser"
    chosen = argparse.Namespace(system=None, port=9000, no_browser=True)
    with speaking("zh"):
        assert "--LabApp.default_url=/lab/workspaces/start_zh" in run.command(chosen, "places")


def events(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_log_json_is_nothing_but_json_lines(workbench, capsys):
    write_batch(
        workbench,
        """\
        notebook: behave.ipynb
        defaults: {seed: 7}
        jobs:
          - {id: good, parameters: {name: good}, outputs: [params/good/0.1.0]}
          - {id: bad, parameters: {name: bad, behaviour: fail}}
        """,
    )
    assert main(["run", "trial", "--log-json", "--workers", "1"]) == 1
    told = events(capsys)
    assert [event["event"] for event in told] == ["plan", "started", "finished", "started", "finished", "end"]
    assert told[0]["total"] == 2 and told[1]["job"] == "trial/good"
    assert told[2]["left_seconds"] > 0 and told[2]["done"] == 1
    assert told[4]["status"] == "failed" and told[4]["line"].startswith("DataError: study_x")
    assert told[4]["kept"] == "reports/runs/trial/bad/behave.failed.ipynb"
    assert (told[5]["ok"], told[5]["failed"], told[5]["unchanged"]) == (1, 1, 0)
    assert main(["run", "trial", "--log-json", "--dry-run"]) == 0
    planned = {event["job"]: (event["due"], event["why"]) for event in events(capsys)}
    assert planned == {"trial/good": (False, []), "trial/bad": (True, [["failed", ""]])}


def test_the_magic_runs_a_job_from_a_cell(workbench, capsys, monkeypatch):
    from IPython.core.interactiveshell import InteractiveShell

    write_batch(
        workbench,
        """\
        notebook: behave.ipynb
        defaults: {seed: 7}
        jobs: [{id: one, parameters: {name: one}}, {id: two, parameters: {name: two, behaviour: fail}}]
        """,
    )
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "sinklab")
    shown = []

    class Handle:
        def update(self, html):
            shown.append(html.data)

    monkeypatch.setattr("IPython.display.display", lambda html, display_id: Handle())
    shell.run_line_magic("sinklab", "run trial --workers 1")
    assert any("<progress" in html and "trial/one" in html for html in shown)
    assert "trial: 1 ok, 1 failed, 0 unchanged, 0 not run" in shown[-1]
    assert "✗ <b>trial/two</b> DataError: study_x" in shown[-1] and "behave.failed.ipynb" in shown[-1]
    shell.run_line_magic("sinklab", "run trial --dry-run")
    assert "1 would run, 1 unchanged" in capsys.readouterr().out
    shell.run_line_magic("sinklab", "run nothing")
    assert "no such batch" in shown[-1]


def test_messages_are_escaped():
    progress = magic.Progress()
    progress.take('{"event": "plan", "total": 3}\n')
    progress.take(
        '{"event": "finished", "job": "a<b", "status": "failed", "line": "x < y", "done": 1, "failed": 1}\n'
    )
    progress.take("sinklab: <nothing>\n")
    html = progress.html()
    assert (
        "a&lt;b" in html and "x &lt; y" in html and "&lt;nothing&gt;" in html and 'value="1" max="3"' in html
    )
