# ruff: noqa: F811  (a fixture that is imported bears the name of an argument)
import json
import time

import pytest
from runs_workbench import workbench, write_batch  # noqa: F401

from sinklab.language import RunError
from sinklab.runs import ledger
from sinklab.runs.batch import plan_jobs
from sinklab.runs.reading import batch_path, names, read_batch

MATRIX = """\
notebook: behave.ipynb
memory: 2 GB
defaults: {seed: 7}
axes:
  species:
    larix: {zh: 落叶松, en: Larch, level: [1, 2], parameters: {where: {genus: Larix}}}
    betula: {zh: 桦木, en: Birch, level: [3], parameters: {where: {genus: Betula}}, timeout: 50}
jobs:
  - id: "agb_{species}_{region}"
    title: {zh: "{species.zh}（{region}）", en: "{species.en}, {region}"}
    matrix: {species: all, region: {china: {codes: [CHN]}, japan: {codes: [JPN, KOR]}}}
    parameters: {name: "{species}_{{x}}", where: {dbh: {min: 2}, country: "{region.codes}"}}
    outputs: ["params/agb_{species}_{region}/0.1.0"]
    except: [{species: betula, region: [japan]}]
    override: [{when: {species: larix, region: japan}, memory: 500 MB, parameters: {seed: 9, where: {dbh: {max: 60}}}}]
"""


def problems(root, text, **others):
    path = write_batch(root, text)
    for name, other in others.items():
        write_batch(root, other, name)
    with pytest.raises(RunError) as caught:
        read_batch("trial")
    return [line.removeprefix(f"{path.parent}/") for line in str(caught.value).splitlines()[1:]]


def test_every_combination_becomes_a_job(workbench):
    write_batch(workbench, MATRIX)
    batch = read_batch("trial")
    assert [job.id for job in batch.jobs] == ["agb_larix_china", "agb_larix_japan", "agb_betula_china"]
    china, japan, birch = batch.jobs
    assert china.parameters["where"] == {"dbh": {"min": 2}, "country": ["CHN"], "genus": "Larix"}
    assert china.parameters["name"] == "larix_{x}"
    assert japan.parameters["where"] == {
        "dbh": {"min": 2, "max": 60},
        "country": ["JPN", "KOR"],
        "genus": "Larix",
    }
    assert [job.parameters["seed"] for job in batch.jobs] == [7, 9, 7]
    assert (china.title, birch.title["en"]) == (
        {"zh": "落叶松（china）", "en": "Larch, china"},
        "Birch, china",
    )
    assert [job.timeout for job in batch.jobs] == [900.0, 900.0, 50.0]
    assert [job.memory for job in batch.jobs] == [2 * 1024**3, 500 * 1024**2, 2 * 1024**3]
    assert japan.outputs == ("params/agb_larix_japan/0.1.0",)
    assert names(batch_path("trial")) == [f"trial/{job.id}" for job in batch.jobs]


def test_what_is_wrong_with_a_matrix_is_told_with_its_line(workbench):
    found = problems(
        workbench,
        """\
        notebook: behave.ipynb
        defaults: {seed: 7}
        axes:
          species: {larix: {parameters: {where: {genus: Larix}}}, betula: {}}
          empty: []
        jobs:
          - id: "one_{species}"
            matrix: {species: all, region: [a, b]}
          - id: "two_{specis}_{region}"
            matrix: {species: [larix, betul], region: all}
          - id: "three_{species}_{region}"
            matrix:
              species: all
              region: {a: {parameters: {where: {genus: Abies}}}}
            parameters: {nam: x}
            except: [{region: c}, {species: larix, stand: 3}]
            override:
              - {when: {region: a}, parametres: {}}
              - when: {}
          - id: "four_{specis}"
            matrix: {species: [betula]}
            except: [{species: larix}]
          - {id: five, matrix: 3}
          - {id: "six_{a}", matrix: {a: [1, 2]}, except: [{a: 1}], override: [{when: {a: 1}, timeout: 3}]}
        """,
    )
    expected = [
        (5, "axis 'empty'"),
        (
            7,
            "'one_betula' is used twice (first in line 7, species=betula, region=a): species=betula, region=b",
        ),
        (7, "'one_larix' is used twice (first in line 7, species=larix, region=a): species=larix, region=b"),
        (10, "no axis 'region' among 'axes'"),
        (10, "unknown 'betul'; did you mean 'betula'?"),
        (12, "axes 'species' and 'region' both set parameters.where.genus"),
        (15, "three_larix_a (and 1 more): parameter 'nam' is not known"),
        (16, "except: region: unknown 'c'"),
        (16, "except: unknown 'stand'"),
        (18, "override: unknown 'parametres'; did you mean 'parameters'?"),
        (19, "override: expected axes"),
        (20, "unknown 'specis'; did you mean 'species'?"),
        (20, "id = 'four_{specis}'"),
        (22, "except: species: unknown 'larix'"),
        (23, "matrix: expected axes"),
        (24, "override: no combination is like this"),
    ]
    for line, part in expected:
        hits = [text for text in found if text.startswith(f"trial.yml:{line}:") and part in text]
        assert len(hits) == 1, (line, part, found)
    assert len(found) == len(expected)


def test_a_file_includes_others_and_wins(workbench):
    write_batch(
        workbench,
        """\
        notebook: behave.ipynb
        timeout: 30
        defaults: {seed: 1, factor: 3}
        axes: {species: [larix, betula], region: [a]}
        jobs: [{id: common, parameters: {name: c}}]
        """,
        "shared",
    )
    write_batch(
        workbench,
        """\
        include: [shared.yml]
        defaults: {seed: 2}
        axes: {region: [b, c]}
        jobs: [{id: "{species}_{region}", matrix: {species: [betula], region: all}}]
        """,
    )
    batch = read_batch("trial")
    assert [job.id for job in batch.jobs] == ["betula_b", "betula_c", "common"]
    assert [(job.parameters["seed"], job.parameters["factor"]) for job in batch.jobs] == [(2, 3.0)] * 3
    assert {job.timeout for job in batch.jobs} == {30.0}
    assert [path.name for path in batch.files] == ["trial.yml", "shared.yml"]
    assert {job.folder for job in batch.jobs} >= {"reports/runs/trial/common"}


def test_clashes_between_files_name_both(workbench):
    found = problems(
        workbench,
        """\
        include: [shared.yml, none.yml, trial.yml]
        notebook: behave.ipynb
        defaults: {seed: 1}
        jobs: [{id: one, outputs: [params/x]}]
        """,
        shared="jobs:\n  - {id: ONE}\n  - {id: two, outputs: [params/x/1], memory: lots}\n",
    )
    assert found[0] == "trial.yml:1: include: none.yml: no such file"
    assert "shared.yml:2: 'ONE' is used twice (first in" in found[1] and "trial.yml:4" in found[1]
    assert found[2].startswith("shared.yml:3: jobs 'one' and 'two' both write params/x/1")
    assert found[3].startswith("shared.yml:3: memory: expected a size such as 2 GB or 800 MB, found 'lots'")
    assert len(found) == 4


def test_ten_thousand_jobs_are_planned_quickly(workbench):
    axes = {"species": [f"s{n}" for n in range(100)], "region": [f"r{n}" for n in range(100)]}
    job = {
        "id": "{species}_{region}",
        "matrix": {"species": "all", "region": "all"},
        "outputs": ["params/{species}_{region}"],
    }
    batch = {"notebook": "behave.ipynb", "defaults": {"seed": 1}, "axes": axes, "jobs": [job]}
    write_batch(workbench, json.dumps(batch))
    started = time.process_time()
    steps = plan_jobs(read_batch("trial").jobs, ledger.Workbench(), {}, False)
    assert len({step.key for step in steps}) == 10_000
    assert time.process_time() - started < 10
