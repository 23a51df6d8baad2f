# ruff: noqa: F811  (a fixture that is imported bears the name of an argument)
import json

import pytest
from runs_workbench import workbench, write_batch  # noqa: F401

from sinklab.language import RunError
from sinklab.runs.ledger import NotebookFile, accepts
from sinklab.runs.reading import read_batch


def problems(root, text):
    path = write_batch(root, text)
    with pytest.raises(RunError) as caught:
        read_batch("trial")
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()[1:]]


def test_a_valid_batch_becomes_jobs(workbench):
    write_batch(
        workbench,
        """\
        title: {zh: 试验, en: Trial}
        notebook: behave.ipynb
        timeout: 120
        defaults: {seed: 7}
        x-common: &common {factor: 2, where: {country: [CHN, "NO"]}}
        jobs:
          - id: first
            title: {zh: 第一, en: First}
            parameters: {<<: *common, name: a}
            outputs: [params/a/0.1.0/]
          - id: second
            timeout: 5
            parameters: {<<: *common, factor: 3.5, seed: 8}
        """,
    )
    batch = read_batch("trial")
    first, second = batch.jobs
    assert batch.title == {"zh": "试验", "en": "Trial"}
    assert first.parameters == {
        "seed": 7,
        "factor": 2.0,
        "where": {"country": ["CHN", "NO"]},
        "name": "a",
        "title_zh": "第一",
        "title_en": "First",
        "out_dir": "reports/runs/trial/first",
    }
    assert type(first.parameters["factor"]) is float
    assert (first.timeout, second.timeout) == (120.0, 5.0)
    assert (first.outputs, second.outputs) == (("params/a/0.1.0",), ())
    assert (second.parameters["factor"], second.parameters["seed"]) == (3.5, 8)
    assert second.title == {"zh": "second", "en": "second"}


def test_every_problem_is_named_with_its_line(workbench):
    found = problems(
        workbench,
        """\
        title: {zh: 坏}
        notebok: behave.ipynb
        timeout: -3
        defaults: {seed: 1, sed: 2}
        jobs:
          - id: one
            notebook: behave.ipynb
            parameters: {name: 3, wher: {a: b}, factor: 1e-3}
            outputs: [params/x/1.0.0]
          - id: One
            notebook: behave.ipynb
            parameters:
              where:
                country: NO
                day: 2024-01-01
              name: q
              name: r
            outputs: [params/X, ../../elsewhere]
          - id: "a b"
          - {id: two, notebook: nothing.ipynb}
          - {id: three}
          - text
        drafts:
          - {name: nodraft, lang: [fr], to: docx}
        """,
    )
    expected = [
        ("1:", "title"),
        ("2:", "'notebok'"),
        ("3:", "-3"),
        ("4:", "'sed'"),
        ("8:", "'factor' = '1e-3' is str; expected float; YAML wants a decimal point"),
        ("8:", "'name' = 3 is int; expected str"),
        ("8:", "'wher' is not known to behave.ipynb; did you mean 'where'?"),
        ("10:", "'One' is used twice (first in line 6)"),
        ("10:", "both write params/x/1.0.0"),
        ("14:", "NO is read as false"),
        ("15:", "where.day"),
        ("17:", "'name' is given twice (first in line 16)"),
        ("18:", "../../elsewhere"),
        ("19:", "'a b'"),
        ("20:", "no such notebook"),
        ("21:", "names no notebook"),
        ("22:", "expected a mapping"),
        ("24:", "'fr'"),
        ("24:", "no such draft"),
        ("24:", "to: expected a list"),
    ]
    assert len(found) == len(expected)
    for line, (start, part) in zip(found, expected, strict=True):
        assert line.startswith(start) and part in line


def test_a_required_parameter_is_missed(workbench):
    found = problems(workbench, "jobs:\n  - {id: one, notebook: behave.ipynb, parameters: {name: a}}\n")
    assert found == ["2: one: parameter 'seed' of behave.ipynb is missing"]


def test_a_source_that_is_not_there_is_a_problem_of_its_line(workbench):
    notebook = json.loads((workbench / "notebooks" / "behave.ipynb").read_text(encoding="utf-8"))
    notebook["cells"][1]["source"] += '\nsource = ""'
    (workbench / "notebooks" / "reader.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    found = problems(
        workbench,
        """\
        jobs:
          - id: one
            notebook: reader.ipynb
            inputs: [data/rules, data/none.csv]
            parameters:
              seed: 1
              source: study:nowhere
        """,
    )
    assert [line.split(":")[0] for line in found] == ["4", "7"]
    assert "data/none.csv" in found[0] and "nowhere" in found[1]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("jobs: [a\n b: {", "trial.yml:2:"),
        ("", "expected a mapping"),
        ("- 3", "expected a mapping"),
        ("jobs: []", "no job"),
        ("jobs: !!python/object/apply:os.getcwd []", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_batch(workbench, text, part):
    write_batch(workbench, text)
    with pytest.raises(RunError, match=part):
        read_batch("trial")


def test_an_unknown_batch_lists_those_that_exist(workbench):
    write_batch(workbench, "jobs: []")
    with pytest.raises(RunError, match="batches here: trial"):
        read_batch("tril")


@pytest.mark.parametrize(
    ("kinds", "value", "fits"),
    [
        (("float",), 3, True),
        (("int",), 3.0, False),
        (("int",), True, False),
        (("float",), True, False),
        (("bool",), True, True),
        (("str", "None"), None, True),
        (("str",), None, False),
        ((), {"anything": 1}, True),
    ],
)
def test_types(kinds, value, fits):
    assert accepts(kinds, value) is fits


def test_types_are_read_off_the_parameters_cell(tmp_path):
    source = (
        "a = 1\nb: float | None = None\nc = {}\nd: list[dict[str, int]] = []\n"
        "e = ...\nf: str\ng = compute()\nh = -0.5\ni = None\nj: Path = None\n"
    )
    cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": source}
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps({"cells": [cell]}), encoding="utf-8")
    found = {p.name: (p.kinds, p.required) for p in NotebookFile(path).parameters.values()}
    assert found == {
        "a": (("int",), False),
        "b": (("float", "None"), False),
        "c": (("dict",), False),
        "d": (("list",), False),
        "e": ((), True),
        "f": (("str",), True),
        "g": ((), False),
        "h": (("float",), False),
        "i": ((), False),
        "j": ((), False),
    }


@pytest.mark.parametrize("text", ["{", "[]", '{"cells": 3}', '{"cells": [{"cell_type": "code"}]}'])
def test_a_file_that_is_no_notebook(tmp_path, text):
    path = tmp_path / "n.ipynb"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match="not a Jupyter notebook"):
        NotebookFile(path)


def test_a_kernel_that_is_not_here_is_a_problem_of_its_line(workbench, monkeypatch):
    source = json.loads((workbench / "notebooks" / "behave.ipynb").read_text(encoding="utf-8"))
    source["metadata"]["kernelspec"] = {"name": "ir", "display_name": "R", "language": "R"}
    (workbench / "notebooks" / "other.ipynb").write_text(json.dumps(source), encoding="utf-8")
    source["metadata"]["kernelspec"] = {"name": "forest-env", "display_name": "x", "language": "python"}
    (workbench / "notebooks" / "named.ipynb").write_text(json.dumps(source), encoding="utf-8")
    text = "defaults: {seed: 7}\njobs:\n  - {id: one, notebook: named.ipynb, parameters: {name: one}}\n"
    write_batch(workbench, text)
    assert [job.id for job in read_batch("trial").jobs] == ["one"], (
        "an environment of another name is no fault"
    )
    write_batch(workbench, text + "  - {id: two, notebook: other.ipynb, parameters: {name: two}}\n")
    with pytest.raises(RunError, match=r"trial.yml:4: .*other.ipynb: written for the kernel 'ir' \(R\)"):
        read_batch("trial")
    write_batch(workbench, text)
    monkeypatch.setattr("sinklab.runs.ledger.find_spec", lambda name: None)
    with pytest.raises(RunError, match="trial.yml:3: .*no Python kernel is installed"):
        read_batch("trial")


def test_only_the_jobs_that_are_chosen_need_their_files(workbench):
    text = "notebook: behave.ipynb\ndefaults: {seed: 7}\njobs:\n"
    text += "  - {id: here, parameters: {name: a}}\n  - {id: far, parameters: {name: b}, inputs: [data/absent.csv]}\n"
    write_batch(workbench, text)
    assert [job.id for job in read_batch("trial", "here").jobs] == ["here", "far"]
    for chosen in (None, "far", "*"):
        with pytest.raises(RunError, match=r"trial.yml:5: .*absent.csv: no such file"):
            read_batch("trial", chosen)
