"""Everything that is wrong with data, in one list: each problem with place, value, expectation and advice.

The limits are the vocabulary's, the thresholds those of ``data/rules/data_checks.csv``. A check only
reports; what is changed is written into ``corrections.csv`` by a person.
"""

from pathlib import Path

from sinklab import paths, vocabulary
from sinklab.checks import culms, layers, likely_units, outliers, values
from sinklab.checks.finder import Finder
from sinklab.errors import DataError
from sinklab.language import tr
from sinklab.studies import list_studies, study_folder
from sinklab.studies.problem import Problem

MASS_UNITS = ("kg", "t/ha")
#: Masses of no single component.
WITHOUT_COMPONENT = ("fresh_mass", "understory_density", "litter_density")


def check(target) -> list[Problem]:
    """Find every problem of a study, an open data set or a CSV file.

    Parameters
    ----------
    target : str or path
        ``study:<id>`` or an id, the folder of a study, ``open:<name>`` or a name in
        ``data/open.yml``, or a CSV file whose columns have vocabulary names and units.

    Returns
    -------
    problems : list of Problem

    Raises
    ------
    DataError
        Nothing of that name exists, or a CSV file cannot be read at all.
    """
    from sinklab.datasets import catalog, load

    text = str(target)
    kind, name = text.split(":", 1) if text.startswith(("study:", "open:")) else ("", text)
    if kind == "study" or (not kind and (name in list_studies() or (Path(name) / "study.yml").is_file())):
        return check_study(name)
    if kind == "open" or (not kind and name in catalog.entries()):
        frame = load(f"open:{name}")
        return check_frame(frame, catalog.entry(name)["files"][0]["path"])
    if Path(name).is_file():
        from sinklab.tabular import read_csv

        return check_frame(read_csv(name), paths.relative(name))
    known = ", ".join([*list_studies(), *catalog.entries()])
    raise DataError(
        tr(
            f"{text}: no study, open data set or file of that name; known: {known}",
            f"{text}：没有该名称的研究、公开数据集或文件；已有：{known}",
        )
    )


def check_study(study_id) -> list[Problem]:
    """Find every problem of a study: its four files, then its values."""
    from sinklab.studies.inspection import inspect

    found = inspect(study_folder(study_id))
    problems = list(found.problems) + _components(found)
    if found.frame is None:
        return problems
    labels = {row["variable"]: row["column"] for row in found.columns if row["variable"]}
    return problems + check_frame(found.frame, found.name("data.csv"), labels)


def check_frame(frame, file: str, labels=None) -> list[Problem]:
    """Check the values of a frame in vocabulary names and units.

    Parameters
    ----------
    frame : DataFrame
        Row ``i`` is record ``i + 1``.
    file : str
        Name for the messages.
    labels : mapping, optional
        Raw column name of each variable, for the messages.

    Returns
    -------
    problems : list of Problem
        Ordered by kind: identifiers, limits, parts and wholes, fresh and dry, layers, carbon, age classes, outliers.
    """
    found = Finder(frame, file, labels or {})
    values.identifiers(found)
    values.limits(found)
    values.sums(found)
    values.parts(found)
    values.fresh(found)
    layers.joins(found)
    likely_units.carbon(found)
    culms.age_classes(found)
    outliers.outliers(found)
    return found.problems


def _components(found) -> list[Problem]:
    """Masses of which ``columns.csv`` does not say what was weighed."""
    problems, file = [], found.name("columns.csv")
    for row in found.columns:
        name = row["variable"]
        if not vocabulary.is_variable(name) or name in WITHOUT_COMPONENT:
            continue
        if vocabulary.variable(name).unit not in MASS_UNITS:
            continue
        fitting = _fitting(name)
        # A component that does not exist is already a fault of columns.csv.
        if row["component"] in fitting or (
            row["component"] and row["component"] not in vocabulary.components()
        ):
            continue
        expected = tr(f"what was weighed: {', '.join(fitting)}", f"称量的对象：{'、'.join(fitting)}")
        advice = tr(
            "fill in component (data/vocabulary/components.csv)",
            "请填写 component（data/vocabulary/components.csv）",
        )
        column = f"{row['column']} ({name}): component"
        problems.append(
            Problem(file, row["column"], column, row["component"] or "–", expected, advice, "component")
        )
    return problems


def _fitting(name) -> list[str]:
    """Components that a variable may hold; a mass per area holds what the mass of a tree does."""
    base = {"stem_biomass_density": "stem"}.get(name, name.removesuffix("_density"))
    wanted = {"root", "bgb"} if base in ("root", "bgb") else {base}
    return [key for key, item in vocabulary.components().items() if item.variable in wanted]
