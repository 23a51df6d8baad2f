"""``sinklab new``: scaffolds of a study."""

import re
import shutil
from pathlib import Path

from sinklab.errors import DataError
from sinklab.language import tr

STUDY = """\
title:
  en:
  zh:
species: {species}
region:
method:
origin: measured
licence:
contacts: []
citation:
"""
FORM = ("树号", "样点", "胸径/cm", "树高/m", "树干/kg", "树枝/kg", "树叶/kg", "树根/kg", "备注")


def add_parser(subparsers) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("new", help=tr("scaffold of a study", "新建研究"))
    actions = parser.add_subparsers(dest="action", metavar=tr("ACTION", "操作"), required=True)
    study = actions.add_parser("study", help=tr("the four files of a study", "研究的四个文件"))
    study.add_argument("id", metavar="ID", help=tr("small letters, digits and _", "小写字母、数字与 _"))
    study.add_argument(
        "--data", metavar="FILE", help=tr("raw CSV to copy, kept as it is", "原始 CSV，原样复制")
    )
    study.add_argument(
        "--species", default="", help=tr("Latin, Chinese or English name", "拉丁、中文或英文名")
    )
    study.set_defaults(func=run_study)


def run_study(arguments) -> int:
    """Create the folder of a study and say what is still to be filled in."""
    from sinklab import paths, vocabulary
    from sinklab.tabular import read_rows

    if not re.fullmatch(r"[a-z][a-z0-9_]*", arguments.id):
        raise DataError(
            tr(
                f"study id {arguments.id!r}: expected small letters, digits and _, such as chinese_fir_guangxi",
                f"研究编号 {arguments.id!r}：应为小写字母、数字与 _，例如 chinese_fir_guangxi",
            )
        )
    folder = paths.data("studies", arguments.id)
    if folder.exists():
        raise DataError(
            tr(
                f"{paths.relative(folder)} exists already; nothing was changed",
                f"{paths.relative(folder)} 已存在；未作改动",
            )
        )
    species = vocabulary.species(arguments.species).species_id if arguments.species else ""
    header = read_rows(arguments.data)[0] if arguments.data else list(FORM)
    with paths.atomic_folder(folder) as work:
        if arguments.data:
            shutil.copyfile(arguments.data, work / "data.csv")
        else:
            _write_rows(work / "data.csv", [header])
        _write_rows(
            work / "columns.csv", [("column", "variable", "unit_in", "component", "note"), *_columns(header)]
        )
        _write_rows(work / "corrections.csv", [("record", "column", "old", "new", "reason", "who")])
        (work / "study.yml").write_text(STUDY.format(species=species), encoding="utf-8", newline="\n")
    print(paths.relative(folder))
    print(
        tr(
            f"fill in study.yml and columns.csv (variable, unit_in, component), then: sinklab data check {arguments.id}",
            f"请填写 study.yml 与 columns.csv（variable、unit_in、component），然后运行：sinklab data check {arguments.id}",
        )
    )
    return 0


def _write_rows(path: Path, rows) -> None:
    import csv

    with open(path, "w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


def _columns(header) -> list[tuple]:
    """Guess variable and unit of each raw column; a component is never guessed."""
    taken, rows = set(), []
    for column in filter(None, header):
        name = _variable(column)
        name = "" if name in taken else name
        taken.add(name)
        rows.append((column, name, _unit(column, name), "", ""))
    return rows


def _variable(column) -> str:
    from sinklab import vocabulary

    if vocabulary.is_variable(column):
        return column
    bare = re.split(r"[/(（\[]", column)[0].strip()
    for variable in vocabulary.variables().values():
        if bare in (variable.label_zh, variable.label_en):
            return variable.name
    return next((name for word, name in _words() if word in column), "")


def _words() -> list[tuple[str, str]]:
    """Words of field forms beside the labels of the vocabulary, in the order they are tried."""
    from sinklab import paths
    from sinklab.tabular import read_rows

    return [tuple(row) for row in read_rows(paths.data("vocabulary", "header_words.csv"))[1]]


def _unit(column, name) -> str:
    """Unit written in a header such as ``树干/kg`` or ``H(m)``, if it measures what the variable does."""
    from sinklab import units, vocabulary
    from sinklab.errors import UnitError

    if not name or not vocabulary.variable(name).numeric:
        return ""
    written = re.findall(r"[/(（\[\s]\s*([A-Za-z³0-9/%]+)\s*[)）\]]?\s*$", column)
    if not written:
        return ""
    unit = written[0].replace("³", "3").replace("²", "2")
    try:
        units.convert(1.0, unit, vocabulary.variable(name).unit)
    except UnitError:
        return ""
    return unit
