"""``sinklab data``: what data there are, what is wrong with them, and how to get open data sets.

``sinklab new``: scaffolds of a study.
"""

import re
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from sinklab.language import DataError, SinklabError, listing, reader_language, require_known, tr, typed

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
    needed, text, kept : collections of str
        See :func:`sinklab.data.reading.read`.
    tell : str
        Where the account is printed: ``stdout``, ``stderr``, or nowhere.

    Returns
    -------
    frame : DataFrame
    """
    from sinklab.data.reading import read

    frame = read(source, needed=needed, text=text, kept=kept, **reading_options(arguments))
    if tell:
        print(frame.attrs["account"], file=getattr(sys, tell))
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
    from sinklab.data.files import read_yaml
    from sinklab.data.studies import raw_table
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
            count = len(raw_table(folder / "data.csv").rows)
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
# How the places were chosen, and how well the data say where, when and how: levels of data/rules/pedigree.csv; measured
# is the share of the values that was measured and not computed.
population: {{selection: , place: , time: , method: , measured: }}
licence:
contacts: []
citation:
"""
FORM = ("树号", "样点", "胸径/cm", "树高/m", "树干/kg", "树枝/kg", "树叶/kg", "树根/kg", "备注")


def run_study(arguments) -> int:
    """Create the folder of a study: from a field file, ready to run; by an id, as a form to be filled in."""
    from sinklab import paths
    from sinklab.data import vocabulary

    given = "" if arguments.data or not Path(arguments.id).is_file() else arguments.id
    study_id = arguments.name or (_free_id(given, arguments.species) if given else arguments.id)
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,79}", study_id) or not paths.portable(study_id):
        raise DataError(
            f"study id {study_id!r}: expected small letters, digits and _, such as chinese_fir_guangxi",
            f"研究编号 {study_id!r}：应为小写字母、数字与 _，例如 chinese_fir_guangxi",
        )
    folder = paths.data("studies", study_id)
    if folder.exists():
        raise DataError(
            f"{paths.relative(folder)} exists already; nothing was changed",
            f"{paths.relative(folder)} 已存在；未作改动",
        )
    if given:
        _study_of_file(given, study_id, folder, arguments)
        return 0
    species = vocabulary.species(arguments.species).species_id if arguments.species else ""
    header = _raw_header(arguments.data) if arguments.data else list(FORM)
    with paths.atomic_folder(folder) as work:
        if arguments.data:
            shutil.copyfile(arguments.data, work / "data.csv")
        else:
            _write_rows(work / "data.csv", [header])
        _write_rows(work / "columns.csv", [COLUMNS, *_columns(header)])
        _write_rows(work / "corrections.csv", [CORRECTIONS])
        (work / "study.yml").write_text(STUDY.format(species=species), encoding="utf-8", newline="\n")
    print(paths.relative(folder))
    print(
        tr(
            f"fill in study.yml and columns.csv (variable, unit_in, component), then: {typed()} data check {study_id}",
            f"请填写 study.yml 与 columns.csv（variable、unit_in、component），然后运行：{typed()} data check {study_id}",
        )
    )
    return 0


COLUMNS = ("column", "variable", "unit_in", "component", "note")
CORRECTIONS = ("record", "column", "old", "new", "reason", "who")
NOT_STATED = "not stated · 未说明"


def _raw_header(path) -> list[str]:
    from sinklab.data.studies import raw_table

    return [f.header for f in raw_table(path).fields]


def _free_id(path, species) -> str:
    """Id of a study after its file, or after its species where the file has no Latin name; one that is not taken."""
    from sinklab import paths
    from sinklab.data.vocabulary import species as species_of

    base = re.sub(r"[^a-z0-9]+", "_", Path(path).stem.lower()).strip("_")
    base = base if re.match("[a-z]", base) else species_of(species).species_id if species else "study"
    names = [base, *(f"{base}_{k}" for k in range(2, 1000))]
    return next(name for name in names if not paths.data("studies", name).exists())


def _asked(given: str, option: str, en: str, zh: str) -> str:
    """What an option says, or a person who sits before the console."""
    if given:
        return given
    if sys.stdin is not None and sys.stdin.isatty():
        return input(tr(en, zh) + ": ").strip()
    raise DataError(f"{en}? give {option}", f"{zh}？请用 {option} 给出")


def _study_of_file(source, study_id, folder, arguments) -> None:
    """Make a study of a field file: the file as received, its records as understood, and what was understood."""
    import yaml

    from sinklab import paths
    from sinklab.data import vocabulary
    from sinklab.data.files import write_csv

    frame = field_data(arguments, source)
    account = frame.attrs["account"]
    names = frame["species"].dropna().unique() if "species" in frame else []
    species = arguments.species or (names[0] if len(names) == 1 else "")
    species = _asked(species, "--species", "species of the trees", "树种")
    known = vocabulary.species(species)
    region = _asked(arguments.region, "--region", "region, such as Guangxi", "地区（如 广西）")
    info = {
        "title": {
            "en": f"{known.name_latin}, {region}: {account.file}",
            "zh": f"{known.name_zh}（{region}）：{account.file}",
        },
        "species": known.species_id,
        "region": region,
        "method": NOT_STATED,
        "origin": "measured",
        "population": dict.fromkeys(("selection", "place", "time", "method", "measured"), ""),
        "licence": NOT_STATED,
        "contacts": [NOT_STATED],
        "citation": f"{account.file} (SHA-256 {paths.file_sha256(source, raw=True)})",
        "reading": str(account).splitlines(),
    }
    with paths.atomic_folder(folder) as work:
        shutil.copyfile(source, work / f"received{Path(source).suffix.lower()}")
        write_csv(frame, work / "data.csv")
        _write_rows(work / "columns.csv", [COLUMNS, *_understood(frame, account, arguments.weighed)])
        _write_rows(work / "corrections.csv", [CORRECTIONS])
        text = yaml.safe_dump(info, allow_unicode=True, sort_keys=False, width=110)
        (work / "study.yml").write_text(text, encoding="utf-8", newline="\n")
    print(paths.relative(folder))
    print(tr(f"next: {typed()} new batch {study_id}", f"下一步：{typed()} new batch {study_id}"))


def _understood(frame, account, weighed) -> list[tuple]:
    """Rows of ``columns.csv`` for records that stand in names and units of the vocabulary already."""
    from sinklab.data.checks import MASS_UNITS, fitting_components
    from sinklab.data.vocabulary import components, is_variable, variable

    chosen = {}
    for component in filter(None, (word.strip() for word in weighed.split(","))):
        require_known([component], components(), "component", "组分", "--weighed")
        chosen[components()[component].variable] = component
    written = {c.name: str(c) for c in account.columns}
    rows = []
    for column in frame.columns:
        name = column if is_variable(column) else ""
        unit = variable(name).unit if name and variable(name).numeric else ""
        component = chosen.get(name, "")
        if name and unit in MASS_UNITS and not component:
            fitting = fitting_components(name)
            unstated = [c for c in fitting if "unspecified" in c] or fitting
            component = unstated[0] if unstated else ""
        rows.append((column, name, unit, component, written.get(column, "" if name else "not used")))
    return rows


# --- ``sinklab new batch`` and ``new draft``: from studies to tables, from tables to a document.


def run_new_batch(arguments) -> int:
    """Write a batch that fits, for each study, the equations that what was measured allows."""
    import yaml

    from sinklab import paths
    from sinklab.data.studies import read_study

    jobs = []
    for study_id in arguments.studies:
        frame = read_study(study_id)
        info = frame.attrs["study"]
        response, system, equations = _candidate(frame.columns)
        table_id = f"{response}_{system}_{info['species']}"
        title = (
            info["title"] if isinstance(info["title"], dict) else {"zh": info["title"], "en": info["title"]}
        )
        parameters = {"table_id": table_id, "title_zh": title["zh"], "title_en": title["en"]}
        parameters |= {"source": f"study:{study_id}", "method": "nsur" if "\n" in equations else "wls"}
        jobs.append(
            {
                "id": f"{table_id}_{study_id}",
                "title": title,
                "parameters": parameters | {"equations": equations},
            }
        )
    name = arguments.name or arguments.studies[0]
    content = {
        "title": {"zh": f"批次 {name}", "en": f"Batch {name}"},
        "notebook": "fit_allometry.ipynb",
        "defaults": {"version": "0.1.0", "variance": "power:mean"},
        "jobs": jobs,
    }
    path = _new_file(paths.notebooks("batches"), name, content, yaml)
    print(path)
    for job in jobs:
        print(f"  {job['parameters']['table_id']}: {'; '.join(job['parameters']['equations'].splitlines())}")
    tables = " ".join(job["parameters"]["table_id"] for job in jobs)
    print(
        tr(
            f"next: {typed()} run {name}, {typed()} new draft {tables}",
            f"下一步：{typed()} run {name}；{typed()} new draft {tables}",
        )
    )
    return 0


#: Organs that make up what stands above the ground.
ABOVE = (
    ("stem", "branch", "foliage"),
    ("wood", "bark", "branch", "foliage"),
    ("stem", "crown"),
    ("culm", "branch", "foliage"),
)


def _candidate(columns) -> tuple[str, str, str]:
    """Response, ecosystem and equations for what was measured: additive where all organs were weighed."""
    have = set(columns)
    size = next((x for x in ("dbh", "basal_diameter", "crown_diameter", "crown_area") if x in have), "")
    system = "shrub" if size != "dbh" else "bamboo" if "culm" in have else "forest"
    tall = " * height**c{0}" if "height" in have else ""
    if not size:
        return _of_stands(have)
    organs = next((parts for parts in ABOVE if set(parts) <= have), None)
    lines = []
    if organs:
        lines = [f"{o} = a{i} * {size}**b{i}" + tall.format(i) for i, o in enumerate(organs, 1)]
        lines.append(f"agb = {' + '.join(organs)}")
        if "root" in have:
            lines.append(f"root = agb * r0 * {size}**r1")
        return "agb", system, "\n".join(lines)
    response = next(
        (
            r
            for r in ("agb", "total", "stem", "culm", "volume", "root", "bgb", "foliage", "branch")
            if r in have
        ),
        "",
    )
    if not response:
        raise DataError(
            f"no mass or volume among {', '.join(columns)}", f"{'、'.join(columns)} 中没有生物量或材积"
        )
    return response, system, f"{response} = a * {size}**b" + tall.format("")


def _of_stands(have) -> tuple[str, str, str]:
    """Equations of stands and quadrats: biomass per area from what describes them."""
    response = next(
        (r for r in ("total_density", "agb_density", "growing_stock", "soc_stock") if r in have), ""
    )
    size = next(
        (
            x
            for x in ("growing_stock", "age", "canopy_height", "cover_fraction")
            if x in have and x != response
        ),
        "",
    )
    if not response or not size:
        raise DataError(
            "no diameter, age, stock, height or cover to work masses out from",
            "没有可用于推算生物量的直径、年龄、蓄积、高度或盖度",
        )
    return (
        response,
        "grassland" if size in ("canopy_height", "cover_fraction") else "forest",
        f"{response} = a * {size}**b",
    )


def run_new_draft(arguments) -> int:
    """Write the description of a standard for the table of a species."""
    import yaml

    from sinklab import paths
    from sinklab.tables.schema import check_table_id, check_version, system_of

    for ref in arguments.tables:
        table_id, _, version = ref.partition("@")
        check_table_id(table_id)
        version = check_version(version or "0.1.0")
        group = table_id.partition(f"_{system_of(table_id)}_")[2]
        known = _species_of(ref, arguments.species)
        english = known.name_en or known.name_latin
        name = arguments.name or f"tree_biomass_{group}"
        region = arguments.region or _region_of(ref)
        title = {
            "zh": f"立木生物量模型及碳计量参数　{known.name_zh}",
            "en": f"Tree biomass models and carbon accounting parameters — {english}",
        }
        blank = {"zh": "（待定）", "en": "(to be decided)"}
        content = {
            "template": "species_standard",
            "preview": _is_preview(f"{table_id}@{version or '0.1.0'}"),
            "tables": {"main": f"{table_id}@{version}"},
            "species": known.species_id,
            "title": title,
            "title_english": title["en"],
            "kind": {"zh": "地方标准", "en": "Local standard"},
            "number": "DBXX/T XXXX—XXXX",
            "ics": "XX.XXX.XX",
            "ccs": "X XX",
            "stage": {"zh": "工作组讨论稿", "en": "working draft"},
            "issued": "XXXX-XX-XX",
            "in_force": "XXXX-XX-XX",
            "issuer": blank,
            "region": _in_both(region) if region else blank,
            "stands": {"zh": f"{known.name_zh}林", "en": f"stands of {english}"},
            "proposer": blank,
            "committee": blank,
            "organisations": [blank],
            "drafters": [blank],
        }
        print(_new_file(paths.reports("drafts"), name, content, yaml))
        if not _is_made(ref):
            print(
                tr(
                    f"table {ref} is not made yet: run its batch, or save a fit under this name, before you render",
                    f"参数表 {ref} 尚未得出：生成文稿前请先执行其批次，或以此名保存一次拟合",
                )
            )
        if content["preview"]:
            print(
                tr(
                    "its table is not reviewed: the document bears a watermark until `preview: false` is written there",
                    "所引参数表尚未评审：文稿带示范水印，评审后请在其中写 preview: false",
                )
            )
        print(tr(f"next: {typed()} draft {name}", f"下一步：{typed()} draft {name}"))
    return 0


def _species_of(ref, named):
    """Species of a table: the one that is named, that of its models, else the one in its id."""
    from sinklab.data import vocabulary
    from sinklab.tables.table import Table

    if named:
        return vocabulary.species(named)
    table_id, labels = ref.partition("@")[0], set()
    with suppress(SinklabError):
        labels = {model.label for model in Table.read(ref).models}
    found = vocabulary.find_species(labels.pop()) if len(labels) == 1 else None
    found = found or vocabulary.species_within(table_id)
    if found is None:
        raise DataError(
            f"neither the id nor the models of table {table_id} name one species; say --species NAME",
            f"参数表 {table_id} 的编号和模型都没有指明一个树种；请用 --species 树种 给出",
        )
    return found


def _is_made(ref) -> bool:
    """Whether a table can be read."""
    from sinklab.tables.table import Table

    try:
        return bool(Table.read(ref).ref)
    except SinklabError:
        return False


def _is_preview(ref) -> bool:
    """Whether a document of a table can only be a preview: the table is not made yet, or nobody reviewed it."""
    from sinklab.tables.schema import FROZEN
    from sinklab.tables.table import Table

    try:
        return Table.read(ref).status not in FROZEN
    except SinklabError:
        return True


def _region_of(ref) -> str:
    """Region that the studies of a table name, "" where the table is not made yet or they name none or several."""
    from sinklab.data.catalogue import study_folder
    from sinklab.data.files import read_yaml
    from sinklab.tables.table import Table

    try:
        specs = [data.get("spec", "") for data in Table.read(ref).provenance.data]
        studies = [study_folder(spec.removeprefix("study:")) for spec in specs if spec.startswith("study:")]
        found = {str(read_yaml(folder / "study.yml").get("region") or "") for folder in studies}
    except SinklabError:
        return ""
    return found.pop() if len(found) == 1 and NOT_STATED not in found else ""


def _in_both(region) -> dict[str, str]:
    """Name of a province in both languages, as it is written where it is none."""
    from sinklab.data import regions

    known = regions.find(region, "province")
    return {"zh": known.name_zh if known else region, "en": known.name_en if known else region}


def _new_file(folder, name, content, yaml) -> str:
    """Write a YAML file that is not there yet."""
    from sinklab import paths

    path = folder / f"{name}.yml"
    if not paths.plain(name):
        raise DataError(
            f"--name {name!r}: expected up to 80 Latin letters, digits, _ - or ., and no name such as con or nul",
            f"--name {name!r}：应由不超过 80 个拉丁字母、数字及 _ - . 组成，且非 con、nul 等名称",
        )
    if path.exists():
        raise DataError(
            f"{paths.relative(path)} exists already; --name NAME",
            f"{paths.relative(path)} 已存在；请用 --name 名称",
        )
    with paths.atomic_write(path) as stream:
        stream.write(yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=110))
    return paths.relative(path)


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


# --- ``sinklab knowledge``: what is known of a species.


def run_knowledge(arguments) -> int:
    """Answer for a species, print what it rests on, and refuse what nothing supports."""
    from sinklab.data.files import write_csv
    from sinklab.evidence import knowledge

    sizes = ("dbh", "height", "stem_density", "growing_stock", "basal_area", "age", "agb_density")
    asked = {name: getattr(arguments, name) for name in sizes if getattr(arguments, name) is not None}
    found = knowledge.ask(" ".join(arguments.species), arguments.region, arguments.level, **asked)
    print(knowledge.report(found, arguments.level))
    if arguments.output:
        write_csv(found.answers, arguments.output)
    return 0


# --- ``sinklab scorecard``: the national stand models, fitted again and tried on what was left out.


def run_scorecard(arguments) -> int:
    """Fit the national models to the open plots again; write their rows, their scores and the pages of the report."""
    from sinklab import paths
    from sinklab.assess import validation
    from sinklab.evidence import national

    require_known(arguments.models, national.models(), "model", "模型")
    root, stands = Path(arguments.output or paths.root()), national.stands()
    for note in stands.attrs["notes"]:
        print("-", note)
    for model_id in arguments.models or national.models():
        found = national.fit_model(stands, model_id)
        rows, card = national.estimates(found, model_id), validation.scorecard(found, model_id)
        validation.renew(root, model_id, rows, card)
        own = card[(card["left"] == "cell") & (card["by"] == "forest_type")]
        told = [national.is_held(row) for row in own.to_dict("records")]
        inside, near = (sum(words[i] != "no" for words in told) for i in (0, 1))
        print(
            tr(
                f"{model_id}: {len(found.frame)} stands; without their part of the country the intervals of {inside} and the "
                f"totals of {near} of {len(told)} types hold",
                f"{model_id}：{len(found.frame)} 块样地；留出所在地区时，{len(told)} 类中 {inside} 类区间、{near} 类合计成立",
            )
        )
    return 0
