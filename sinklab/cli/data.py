"""``sinklab data``: what data there are, what is wrong with them, and how to get open data sets.

``sinklab new``: scaffolds of a study.
"""

import re
import shutil
import sys
from pathlib import Path

from sinklab.language import DataError, listing, reader_language, tr

# --- Field files, as every command opens them.


def pairs(texts: list[str], option: str) -> dict[str, str]:
    """Options of the form ``NAME=VALUE``.

    Raises
    ------
    DataError
        All that are not of that form.
    """
    bad = [text for text in texts if "=" not in text]
    if bad:
        raise DataError(
            tr(f"{option}: expected NAME=VALUE, found\n", f"{option}：应为 名称=值，而不是\n") + listing(bad)
        )
    return dict(text.split("=", 1) for text in texts)


def reading_options(arguments) -> dict:
    """What the options of a command say of reading its file."""
    return {
        "columns": pairs(arguments.column, "--column"),
        "units": pairs(arguments.unit, "--unit"),
        "missing": arguments.missing,
        "sheet": arguments.sheet or getattr(arguments, "layer", None) or "",
        "encoding": arguments.encoding,
        "crs": getattr(arguments, "crs", None),
    }


def field_data(arguments, source: str, needed=(), text=(), kept=(), tell: str = "stdout"):
    """Open a field file with the options of a command, and tell its account.

    Parameters
    ----------
    arguments : Namespace
        With ``column, unit, missing, sheet, encoding``.
    source : str
        File, study id or ``open:NAME``.
    needed, text : collections of str
        See :func:`sinklab.data.reading.read`.
    kept : collection of str
        Names by which the command calls columns; each becomes a column with the cells as they are written.
    tell : str
        Where the account is printed: ``stdout``, ``stderr``, or nowhere.

    Returns
    -------
    frame : DataFrame
    """
    from sinklab.data.reading import read

    frame = read(source, needed=needed, text=text, **reading_options(arguments))
    account = frame.attrs["account"]
    for name in kept:
        column = account.find(name)
        if name not in frame or column in text:
            frame[name] = account.as_written(column)
    if tell:
        print(account, file=getattr(sys, tell))
    return frame


# --- ``sinklab data``: what data there are, what is wrong with them, and how to get open data sets.

#: Problems of one kind that are printed for people.
MOST_ALIKE = 50


def _print_json(content) -> None:
    import json

    print(json.dumps(content, ensure_ascii=False, indent=2))


def run_list(arguments) -> int:
    """Print the studies and the open data sets."""
    from sinklab.language import table

    found = {"studies": _studies(), "open": _open()}
    if arguments.json:
        _print_json(found)
        return 0
    header = [
        tr("name", "名称"),
        tr("origin", "来源"),
        tr("records", "记录数"),
        tr("licence", "许可"),
        tr("title", "标题"),
    ]
    origins = {"measured": tr("measured", "实测"), "simulated": tr("simulated", "模拟")}
    title = "title_zh" if reader_language() == "zh" else "title"
    rows = [
        [row["name"], origins.get(row["origin"], row["origin"]), row["records"], row["licence"], row[title]]
        for row in found["studies"]
    ]
    print(tr("Studies (data/studies)", "研究（data/studies）"))
    print(table(header, rows))
    header = [
        tr("name", "名称"),
        tr("at hand", "本机"),
        tr("records", "记录数"),
        tr("licence", "许可"),
        "DOI",
        tr("title", "标题"),
    ]
    states = {True: tr("present", "有"), False: tr("absent", "无")}
    rows = [
        [row["name"], states[row["present"]], row["records"], row["licence"], row["doi"], row[title]]
        for row in found["open"]
    ]
    print()
    print(tr("Open data sets (data/open.yml)", "公开数据集（data/open.yml）"))
    print(table(header, rows))
    return 0


def _short(licence) -> str:
    """Licence without the remarks on it."""
    return str(licence).split(" (")[0]


def _studies() -> list[dict]:
    from sinklab.data.catalogue import list_studies, study_folder
    from sinklab.data.files import read_rows, read_yaml
    from sinklab.language import DataError

    rows = []
    for study_id in list_studies():
        folder = study_folder(study_id)
        # A study that cannot be read is listed too; `data check` says what is wrong with it.
        try:
            info = read_yaml(folder / "study.yml") or {}
        except DataError:
            info = {}
        try:
            count = len(read_rows(folder / "data.csv")[1])
        except DataError:
            count = None
        titles = info.get("title") if isinstance(info.get("title"), dict) else {"en": info.get("title") or ""}
        english = titles.get("en") or study_id
        rows.append(
            {
                "name": study_id,
                "origin": str(info.get("origin", "")),
                "records": count,
                "licence": _short(info.get("licence", "")),
                "title": english,
                "title_zh": titles.get("zh") or english,
            }
        )
    return rows


def _open() -> list[dict]:
    from sinklab.data import catalogue
    from sinklab.data.files import read_cells

    rows = []
    for name, entry in catalogue.entries().items():
        present = catalogue.present(name)
        count = None
        if present:
            count = len(read_cells(catalogue.entry_files(name)[0])) - 1
        rows.append(
            {
                "name": name,
                "present": present,
                "records": count,
                "licence": _short(entry["licence"]),
                "doi": entry["doi"],
                "title": entry["title"]["en"],
                "title_zh": entry["title"]["zh"],
                "files": [item["path"] for item in entry["files"]],
            }
        )
    return rows


def run_check(arguments) -> int:
    """Print every problem; 1 when there is any."""
    from dataclasses import asdict

    from sinklab.data.catalogue import list_studies
    from sinklab.data.checks import look

    options = reading_options(arguments)
    found = {name: look(name, **options) for name in arguments.names or list_studies()}
    if arguments.json:
        _print_json({name: [asdict(p) for p in one.problems] for name, one in found.items()})
        return 1 if any(one.problems for one in found.values()) else 0
    for name, one in found.items():
        count = len(one.problems)
        several = tr(f"{count} problems", f"{count} 个问题") if count > 1 else tr("1 problem", "1 个问题")
        print(f"{name}: {several if count else tr('no problem', '没有问题')} ({one.summary})", flush=True)
        if one.reading:
            print(one.reading, file=sys.stderr)
        for line in one.account():
            print(f"  [{line}]", file=sys.stderr)
        _print_problems(one.problems)
    if not found:
        print(tr("no studies in data/studies", "data/studies 中没有研究"))
    return 1 if any(one.problems for one in found.values()) else 0


def _print_problems(problems) -> None:
    """Print the problems in their order; of many alike the first, with the count of the others."""
    from collections import Counter

    alike, shown = Counter(p.rule for p in problems), Counter()
    for problem in problems:
        shown[problem.rule] += 1
        if shown[problem.rule] <= MOST_ALIKE:
            print(f"  {problem}")
        elif shown[problem.rule] == alike[problem.rule]:
            more = alike[problem.rule] - MOST_ALIKE
            print(
                "  "
                + tr(
                    f"… and {more} more alike; --json lists all", f"……另有 {more} 处同类问题；--json 列出全部"
                )
            )


def run_get(arguments) -> int:
    """Make the files of an open data set available and say where they are."""
    from sinklab.data.catalogue import get

    how = {
        "present": tr("already here", "已在本机"),
        "mirror": tr("copied from the mirror", "已从镜像复制"),
        "download": tr("downloaded", "已下载"),
    }
    for path, way in get(arguments.name, arguments.mirror):
        print(f"{path}: {how[way]}")
    return 0


# --- ``sinklab new``: scaffolds of a study.

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


def run_study(arguments) -> int:
    """Create the folder of a study and say what is still to be filled in."""
    from sinklab import paths
    from sinklab.data import vocabulary as data_vocabulary
    from sinklab.data.files import read_rows

    if not re.fullmatch(r"[a-z][a-z0-9_]*", arguments.id):
        raise DataError(
            f"study id {arguments.id!r}: expected small letters, digits and _, such as chinese_fir_guangxi",
            f"研究编号 {arguments.id!r}：应为小写字母、数字与 _，例如 chinese_fir_guangxi",
        )
    folder = paths.data("studies", arguments.id)
    if folder.exists():
        raise DataError(
            f"{paths.relative(folder)} exists already; nothing was changed",
            f"{paths.relative(folder)} 已存在；未作改动",
        )
    species = data_vocabulary.species(arguments.species).species_id if arguments.species else ""
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
    """Variable and unit of each raw column, as every command understands it; a component is never guessed."""
    from sinklab.data.columns import meaning
    from sinklab.data.vocabulary import is_variable

    taken, rows = set(), []
    for column in filter(None, header):
        found = meaning((column,))
        name = found.name if is_variable(found.name) and found.name not in taken else ""
        taken.add(name)
        rows.append((column, name, found.unit if name else "", "", ""))
    return rows
