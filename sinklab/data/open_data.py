"""All data behind one name: ``study:<id>``, ``open:<name>`` or ``literature:<file>``.

Whatever the source, :func:`load` returns vocabulary names and units, and a frame that says of itself where it comes from.
An open data set is read by what ``data/open.yml`` says of its columns: names of species are brought to binomials without
authors, what follows from the columns (differences, sums, ratios, exceptions of single studies) is computed, and every
value that is set to missing is counted.
"""

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from sinklab import paths
from sinklab.data import catalogue, files, literature, plausibility, studies, vocabulary
from sinklab.language import DataError, Notes, listing, require_known, tr, waiting


def load(spec: str, where: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Read a data source.

    Parameters
    ----------
    spec : str
        ``study:<folder of data/studies>``, ``open:<name in data/open.yml>`` or
        ``literature:<file of data/literature>``.
    where : mapping, optional
        Records to keep: ``{column: value, or list of values, or {min: …, max: …}}``. Printed rows whose ``check`` is not ok
        are there when it is named.

    Returns
    -------
    frame : DataFrame
        Vocabulary names and units; row ``i`` is record ``i + 1`` of the file. ``attrs["source"]``
        holds spec, where, title, citation, licence, origin and the SHA-256 of the files;
        ``attrs["notes"]`` every kind of value set to missing or record left out, counted.

    Raises
    ------
    DataError
        The source, a column or a value is not there, with those that exist.

    Examples
    --------
    >>> load("study:chinese_fir_simulated", {"dbh": {"min": 30}}).shape
    (25, 12)
    >>> load("open:eurasia_trees", {"genus": "Larix", "dbh": {"min": 1}})  # doctest: +SKIP
    """
    kind, name = catalogue.kind_and_name(spec)
    with waiting(f"loading {spec}", f"正在载入 {spec}"):
        if kind == "study":
            frame = studies.read_study(name)
        elif kind == "open":
            frame = read_open(name)
        else:
            catalogue.literature_files(name)
            frame = literature.load(name, every="check" in (where or {}))
    chosen = select(frame, where, spec)
    source = dict(frame.attrs.get("source") or {})
    if kind == "literature":
        # Only what is printed in the rows that are left.
        source |= literature.cited(chosen)
    chosen.attrs["source"] = source | {"spec": spec, "where": dict(where or {})}
    notes = Notes(frame.attrs.get("notes") or [])
    if where:
        notes.add(
            f"where: {len(chosen)} of {len(frame)} records kept",
            f"where：保留 {len(frame)} 条中的 {len(chosen)} 条",
        )
    chosen.attrs["notes"] = notes
    return chosen


# Records chosen by the values of their columns.

BOUNDS = ("min", "max")


def select(frame: pd.DataFrame, where: Mapping[str, Any] | None, name: str = "data") -> pd.DataFrame:
    """Return the records that fulfil all conditions, with the index and attributes of the frame.

    Parameters
    ----------
    frame : DataFrame
    where : mapping or None
        ``{column: value}``, ``{column: [value, …]}`` or, for numbers, ``{column: {min: …, max: …}}``
        with both ends included. A species may be named by its id, Latin, Chinese or English name, a forest type
        by its id, Chinese or English name; it holds the types below it.
    name : str
        What the data are called in messages.

    Raises
    ------
    DataError
        A column that is not there, a condition that cannot be read, or no record left, with the
        values that exist.
    """
    if not where:
        return frame
    unknown = [column for column in where if column not in frame]
    if unknown:
        columns = ", ".join(map(str, frame.columns))
        raise DataError(
            f"{name}: no column {', '.join(map(str, unknown))}; columns: {columns}",
            f"{name}：没有列 {'、'.join(map(str, unknown))}；已有列：{columns}",
        )
    kept = pd.Series(True, index=frame.index)
    lines = []
    for column, wanted in where.items():
        mask = _mask(frame[column], column, wanted, name)
        kept &= mask
        lines.append(_line(frame[column], column, wanted, mask))
    if not kept.any():
        raise DataError(
            f"{name}: no record fulfils all conditions of where:\n{listing(lines)}",
            f"{name}：没有记录满足 where 的全部条件：\n{listing(lines)}",
        )
    chosen = frame[kept]
    chosen.attrs = dict(frame.attrs)
    return chosen


def _mask(values, column, wanted, name) -> pd.Series:
    if isinstance(wanted, dict):
        strange = [key for key in wanted if key not in BOUNDS]
        if strange or not wanted or not pd.api.types.is_numeric_dtype(values):
            raise DataError(
                f"{name}: where {column} = {wanted}; a range holds min, max or both, on a column of numbers",
                f"{name}：where 中 {column} = {wanted}；范围只含 min、max，且该列应为数值",
            )
        mask = values.notna()
        if "min" in wanted:
            mask &= values >= float(wanted["min"])
        if "max" in wanted:
            mask &= values <= float(wanted["max"])
        return mask
    chosen = list(wanted) if isinstance(wanted, (list, tuple, set)) else [wanted]
    if pd.api.types.is_numeric_dtype(values):
        return values.isin(pd.to_numeric(pd.Series(chosen), errors="coerce").dropna())
    present = set(values.dropna())
    if column == "forest_type":
        return values.isin([key for item in chosen for key in types_within(str(item))])
    return values.isin([_name(str(item), column, present) for item in chosen])


def _name(item, column, present) -> str:
    """Return the Latin name for a species that was named otherwise."""
    if column == "species" and item not in present:
        known = vocabulary.find_species(item)
        return known.name_latin if known else item
    return item


def _line(values, column, wanted, mask) -> str:
    if pd.api.types.is_numeric_dtype(values):
        span = f"{values.min():g} – {values.max():g}"
    else:
        counts = values.value_counts()
        shown = [f"{value} ({count})" for value, count in counts.head(12).items()]
        span = ", ".join(shown + (["…"] if len(counts) > 12 else []))
    return tr(
        f"{column} = {wanted}: {int(mask.sum())} records; values that exist: {span}",
        f"{column} = {wanted}：{int(mask.sum())} 条；已有值：{span}",
    )


# An open data set.

#: Columns of which one says what a record is.
IDENTIFIERS = {"tree_id", "plot_id", "core_id"}


def read_open(name: str) -> pd.DataFrame:
    """Read an open data set in vocabulary names and units.

    Parameters
    ----------
    name : str
        A name in ``data/open.yml``.

    Returns
    -------
    frame : DataFrame
        One row per record of the file; ``attrs["source"]`` and ``attrs["notes"]``.

    Raises
    ------
    DataError
        The file is not at hand, or lacks a column.
    """
    entry = catalogue.entry(name)
    path, *others = catalogue.entry_files(name)
    notes = Notes()
    raw = _raw(path, notes)
    for item, other in zip(entry.get("joins", ()), others, strict=True):
        raw = _join(raw, _raw(other, notes), item["keys"], other)
    raw = raw.mask(raw.isin(entry.get("missing", ())), "")
    if "long" in entry:
        raw = _wide(raw, entry["long"], notes)
    named = entry.get("species", [])
    named = [named] if isinstance(named, str) else named
    require_known([item["column"] for item in entry["columns"].values()] + named, raw, place=str(path))
    labels = _labels(raw[named]) if named else None
    columns = {} if labels is None else _species(labels, notes)
    if entry.get("forest_type"):
        kinds = labels.map(forest_type)
        columns["forest_type"] = kinds.mask(kinds == "").astype("str")
    if not IDENTIFIERS & set(entry["columns"]):
        columns["tree_id"] = pd.Series([f"{name}_{i + 1:05d}" for i in range(len(raw))], index=raw.index)
    for variable, item in entry["columns"].items():
        columns[variable] = _column(raw[item["column"]], variable, item, notes)
    frame = pd.DataFrame(columns)
    _diameter_height(frame, raw, entry.get("diameter_height"), notes)
    derive(frame, entry, notes)
    if "copies" in entry:
        frame = frame.join(_copies(frame, entry["copies"], labels, notes))
        frame["forest_type"] = frame["forest_type"].fillna(frame.pop("found_type")).astype("str")
    components = {
        v: i["component"] for v, i in entry["columns"].items() if "component" in i and "as" not in i
    }
    components |= {d["variable"]: d["component"] for d in entry.get("differences", [])}
    digests = {
        item["path"]: paths.file_sha256(file, raw=True)
        for item, file in zip(entry["files"], [path, *others], strict=True)
    }
    changed = [item["path"] for item in entry["files"] if digests[item["path"]] != item["sha256"]]
    if changed:
        notes.add(
            f"{', '.join(changed)} differs from the file described in data/open.yml (SHA-256)",
            f"{'、'.join(changed)} 与 data/open.yml 所述文件不同（SHA-256）",
        )
    frame.attrs["notes"] = notes
    frame.attrs["source"] = {
        "spec": f"open:{name}",
        "where": {},
        "title": entry["title"]["en"],
        "title_zh": entry["title"]["zh"],
        "citation": entry["citation"],
        "licence": entry["licence"],
        "origin": entry["origin"],
        "sampled_by": entry.get("sampled_by"),
        "population": entry.get("population"),
        "components": components,
        "files": digests,
    }
    return frame


def _raw(path, notes) -> pd.DataFrame:
    """Text cells as in the file, under headers written in Latin letters only."""
    rows = files.read_cells(path)
    header = [latin(cell) for cell in rows[0]]
    for before, after in zip(rows[0], header, strict=True):
        if before.strip() != after:
            text = f"{before!r} → {after!r}"
            notes.add(f"header {text}: letters of another alphabet", f"表头 {text}：含其他字母表的字母")
    lengths = [f"{i + 1}: {len(row)}" for i, row in enumerate(rows) if len(row) != len(header)]
    if lengths:
        raise DataError(
            f"{path}: expected {len(header)} cells in every line, found\n{listing(lengths)}",
            f"{path}：每行应有 {len(header)} 个单元格，而\n{listing(lengths)}",
        )
    return pd.DataFrame(rows[1:], columns=header, dtype="object")


def _join(raw, other, keys, path) -> pd.DataFrame:
    """Add to every record the columns of a second file that it lacks, found by shared keys."""
    twice = other[other.duplicated(keys)]
    alone = raw[~pd.MultiIndex.from_frame(raw[keys]).isin(pd.MultiIndex.from_frame(other[keys]))]
    problems = [
        tr(f"keys used twice: {row}", f"键重复：{row}") for row in twice[keys].drop_duplicates().to_numpy()
    ]
    problems += [
        tr(f"no record for {row}", f"没有 {row} 的记录") for row in alone[keys].drop_duplicates().to_numpy()
    ]
    if problems:
        raise DataError(f"{path}: {listing(problems)}")
    fresh = [c for c in other.columns if c in keys or c not in raw]
    return raw.merge(other[fresh], on=keys, how="left", validate="many_to_one")


def _wide(raw, item, notes) -> pd.DataFrame:
    """One record for the measurements that share their keys: the first row of each, with a column for what was measured."""
    rows = raw[raw[item["name"]].isin(item["kept"])]
    twice = rows.duplicated([*item["keys"], item["name"]])
    for count, en, zh in (
        (len(raw) - len(rows), "rows measure something else, not read", "行为其他测量项，未读取"),
        (
            int(twice.sum()),
            "rows repeat a measurement of the same plot and age, left out",
            "行重复同一样地同一年龄的测量，已略去",
        ),
    ):
        if count:
            notes.add(f"{count} {en}", f"{count} {zh}")
    rows = rows[~twice]
    values = rows.pivot(index=item["keys"], columns=item["name"], values=item["value"])
    first = rows.drop_duplicates(item["keys"]).set_index(item["keys"])
    return first.join(values.reindex(columns=item["kept"])).reset_index().fillna("")


def _labels(cells) -> pd.Series:
    """Label of each record: of several columns the first that names plants or a type of forest, else the first that is filled."""
    found = cells.iloc[:, 0]
    for name in cells.columns[1:]:
        better = cells[name].map(forest_type).ne("") | found.str.strip().eq("")
        found = found.where(found.map(forest_type).ne("") | ~better, cells[name])
    return found


def _species(labels, notes) -> dict:
    """Columns species, genus and species_id from the labels of a data set."""
    cleaned = [clean(label) for label in labels]
    species = pd.Series([s or None for s, _, _ in cleaned], index=labels.index, dtype="str")
    genus = pd.Series([g or None for _, g, _ in cleaned], index=labels.index, dtype="str")
    keys = {s: species_id(s) or None for s in set(species.dropna())}
    foreign = sum(latin(label) != " ".join(label.split()) for label in labels)
    several = sum(n > 1 for _, _, n in cleaned)
    unnamed = sum(n < 2 and not s for s, _, n in cleaned)
    for count, en, zh in (
        (
            foreign,
            "species labels held letters of another alphabet, replaced",
            "个树种名含其他字母表的字母，已替换",
        ),
        (
            several,
            "records name several taxa: species blank, genus kept where they share it",
            "条记录含多个树种：树种留空，同属时保留属名",
        ),
        (unnamed, "records name a genus only, or nothing: species blank", "条记录只有属名或无名称：树种留空"),
    ):
        if count:
            notes.add(f"{count} {en}", f"{count} {zh}")
    return {"species": species, "genus": genus, "species_id": species.map(keys).astype("str")}


def _column(cells, variable, item, notes) -> pd.Series:
    blank_only = int(sum(bool(cell) and not cell.strip() for cell in cells))
    if blank_only:
        notes.add(
            f"{item['column']}: {blank_only} cells hold only a blank, read as missing",
            f"{item['column']}：{blank_only} 个单元格只有空格，按缺失处理",
        )
    cells = cells.str.strip()
    cells = cells.mask(cells.isin(files.MISSING))
    if "unit" not in item:
        if "values" in item:
            cells = cells.map(lambda cell: item["values"].get(cell, cell), na_action="ignore")
        return cells.map(latin, na_action="ignore").astype("str")
    values = pd.to_numeric(cells, errors="coerce").astype(float)
    text = cells[values.isna() & cells.notna()]
    if len(text):
        kinds = ", ".join(f"{cell} ({count})" for cell, count in Counter(text).most_common(8))
        notes.add(
            f"{item['column']}: {len(text)} cells hold text, set to missing: {kinds}",
            f"{item['column']}：{len(text)} 个单元格为文字，设为缺失：{kinds}",
        )
    known = vocabulary.variable(item.get("as", variable))
    values = vocabulary.convert(values.to_numpy() / item.get("over", 1.0), item["unit"], known.unit)
    values = pd.Series(values, index=cells.index)
    # A length or mass of zero or less was not measured; the limits of the vocabulary are left to `data check`.
    impossible = (values <= 0) if (known.minimum or 0) > 0 else (values < (known.minimum or 0))
    if known.role != "position" and impossible.any():
        count = int(impossible.sum())
        notes.add(
            f"{item['column']}: {count} values at or below zero set to missing",
            f"{item['column']}：{count} 个不大于零的值设为缺失",
        )
        values = values.mask(impossible)
    return values


def _diameter_height(frame, raw, rule, notes) -> None:
    """Set aside diameters that were not measured at breast height."""
    if not rule:
        return
    cells = raw[rule["column"]]
    if "rules" in rule:
        for item in rule["rules"]:
            away = frame["dbh"].notna() & cells.str.contains(item["contains"], regex=False)
            _set_aside(frame, away, item["move_to"], f"{rule['column']}: … {item['contains']}", notes)
    else:
        height = pd.to_numeric(cells, errors="coerce")
        away = frame["dbh"].notna() & ((height < rule["minimum"]) | (height > rule["maximum"]))
        _set_aside(frame, away, "", f"{rule['column']} < {rule['minimum']} m / > {rule['maximum']} m", notes)
        unknown = int((frame["dbh"].notna() & height.isna()).sum())
        if unknown:
            notes.add(
                f"{unknown} dbh values kept although {rule['column']} is blank",
                f"{unknown} 个胸径未注明量测高度（{rule['column']} 为空），予以保留",
            )
    # What remains on plants below breast height cannot be a diameter there.
    low = frame["dbh"].notna() & (frame["height"] < rule["breast_height"])
    _set_aside(frame, low, "", f"height < {rule['breast_height']} m", notes)


def _set_aside(frame, away, move_to, why, notes) -> None:
    if not away.any():
        return
    count = int(away.sum())
    if move_to:
        frame[move_to] = frame["dbh"].where(away)
        to_en, to_zh = f"diameters moved from dbh to {move_to}", f"个直径由胸径改记为 {move_to}"
    else:
        to_en, to_zh = "dbh values set to missing: not at breast height", "个胸径设为缺失：不在胸高处量测"
    notes.add(f"{count} {to_en} ({why})", f"{count} {to_zh}（{why}）")
    frame["dbh"] = frame["dbh"].mask(away)


# Scientific names as data sets write them.

#: Cyrillic letters that look like Latin ones; keyboards of the region mix them into names and headers.
LOOKALIKES = str.maketrans("АВЕКМНОРСТХІЈаеорсухіјѕ", "ABEKMHOPCTXIJaeopcyxijs")
_SPLIT = re.compile(r"[,;/&+]| -|- | and | и | et al\b")
_TWO_GENERA = re.compile(r"^([A-Z][a-z]+)-([A-Z][a-z]+)$")
_ABBREVIATED = re.compile(r"[A-Z][a-z]{0,2}\.")
_RANKS = ("var.", "subsp.", "ssp.", "f.")
_HYBRIDS = ("x", "×", "*")


@lru_cache(maxsize=65536)
def latin(text: str) -> str:
    """Text with look-alike Cyrillic letters replaced and blanks squeezed."""
    return " ".join(text.translate(LOOKALIKES).replace("\ufffd", " ").split())


@lru_cache(maxsize=1)
def _variants() -> dict[str, str]:
    return {row["found"]: row["use"] for row in files.records("vocabulary", "name_variants.csv")}


@lru_cache(maxsize=4096)
def clean(label: str) -> tuple[str, str, int]:
    """Species, genus and number of taxa in the label of a data set.

    Authors of names are dropped, variants of ``data/vocabulary/name_variants.csv`` replaced. A label
    of several taxa has no species, and a genus only when all share it.

    Parameters
    ----------
    label : str

    Returns
    -------
    species, genus : str
        "" when unknown.
    n_taxa : int

    Examples
    --------
    >>> clean("Pinus sylvestris L.")
    ('Pinus sylvestris', 'Pinus', 1)
    >>> clean("Betula pendula, B. pubescens")
    ('', 'Betula', 2)
    """
    text = re.sub(r"\([^)]*\)", " ", latin(label)).strip()
    hybrid = _hybrid(_TWO_GENERA.sub(r"\1, \2", text).split())
    if hybrid:
        return hybrid
    taxa = taxa_of(label)
    if len(taxa) == 1:
        # "(hybrid)" after a name says that the plants are not that species.
        species, genus = taxa[0]
        return ("" if re.search(r"\([hg]ybrid\)", label) else species), genus, 1
    genera = {genus for _, genus in taxa}
    return "", genera.pop() if len(genera) == 1 else "", len(taxa)


def taxa_of(label: str) -> list[tuple[str, str]]:
    """Species ("" when not told) and genus of every taxon in a label."""
    text = re.sub(r"\([^)]*\)", " ", latin(label))
    taxa, genus = [], ""
    for part in _SPLIT.split(_TWO_GENERA.sub(r"\1, \2", text.strip())):
        words = part.split()
        if (
            not words
            or not words[0][0].isupper()
            or words[0].casefold().startswith(("unknown", "unidentified"))
        ):
            continue
        if len(words) == 1 and words[0].endswith("."):
            continue  # the second of two authors
        if _ABBREVIATED.fullmatch(words[0]) and genus.startswith(words[0][:-1]):
            words[0] = genus
        species, genus = _binomial(words)
        taxa.append((species, genus))
    return taxa


def _binomial(words) -> tuple[str, str]:
    genus = _variants().get(words[0], words[0])
    epithet = words[1] if len(words) > 1 else ""
    # Some sources write an epithet that honours a person with a capital; authors end with a point.
    if not re.fullmatch(r"[A-Z]?[a-z]{2,}(-[A-Z]?[a-z]+)*", epithet) or epithet in ("sp", "cf", "spp"):
        return "", genus
    species = f"{genus} {epithet.lower()}"
    species = _variants().get(species, species)
    for rank, name in zip(words[2:], words[3:], strict=False):
        if rank in _RANKS and name[0].islower():
            species = f"{species} {rank} {name.rstrip('.')}"
            break
    return species, species.split()[0]


def _hybrid(words):
    """Return the name of a hybrid: ``Populus × euramericana``, ``Eucalyptus urophylla × E. grandis``."""
    marks = [i for i, word in enumerate(words) if word in _HYBRIDS]
    if len(marks) != 1 or not 0 < marks[0] < len(words) - 1:
        return None
    before, after = words[: marks[0]], words[marks[0] + 1 :]
    species, genus = _binomial(before)
    if not species:
        return f"{genus} × {after[0]}", genus, 1
    if len(after) < 2:
        return f"{species} × {after[0]}", genus, 1
    other = f"{genus[0]}." if after[0] in (genus, f"{genus[0]}.") else after[0]
    return f"{species} × {other} {after[1]}", genus, 1


def species_id(species: str) -> str:
    """Key of a species in the vocabulary, "" when it is not there."""
    known = vocabulary.find_species(species)
    return known.species_id if known else ""


# Types of forest.


@lru_cache(maxsize=1)
def forest_types() -> dict[str, dict[str, str]]:
    """Rows of ``data/vocabulary/forest_types.csv`` by their id."""
    return {row["type_id"]: row for row in files.records("vocabulary", "forest_types.csv")}


@lru_cache(maxsize=1)
def _types_of_taxa() -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Type by label, by taxon (species or genus), and leaf habit by genus."""
    labels = {
        latin(row["label"]): row["forest_type"] for row in files.records("vocabulary", "forest_labels.csv")
    }
    named = [(taxon.strip(), key) for key, row in forest_types().items() for taxon in row["taxa"].split(";")]
    taxa = {taxon: key for taxon, key in named if taxon}
    leaves = {row["genus"]: row["leaf"] for row in files.records("vocabulary", "forest_genera.csv")}
    return labels, taxa, leaves


@lru_cache(maxsize=4096)
def forest_type(label: str) -> str:
    """Forest type of a label: one that is known as it stands, else what its taxa share.

    Several taxa of one type are that type; else their leaf habits make a mixed one. "" where a genus is not known.

    Examples
    --------
    >>> forest_type("Pinus massoniana Lamb.")
    'masson_pine'
    >>> forest_type("Schima superba, Pinus massoniana")
    'mixed'
    """
    labels, types, leaves = _types_of_taxa()
    if latin(label) in labels:
        return labels[latin(label)]
    taxa = taxa_of(label)
    found = {types.get(" ".join(s.split()[:2])) or types.get(g) or leaves.get(g, "") for s, g in taxa}
    if len(found) == 1:
        return found.pop()
    habits = {leaves.get(genus, "") for _, genus in taxa}
    if "" in habits or not habits:
        return ""
    if len(habits) == 1:
        return habits.pop()
    kinds = {habit.split("_")[0] for habit in habits}
    return f"{kinds.pop()}_mixed" if len(kinds) == 1 else "mixed"


def types_within(name: str) -> list[str]:
    """Ids of a forest type, told by id, Chinese or English name, and of the types that it holds."""
    rows = forest_types()
    wanted = [key for key, row in rows.items() if name in (key, row["name_en"], row["name_zh"])]
    return wanted + [key for key, row in rows.items() if row["parent"] in wanted]


# What follows from the columns of a data set.


def derive(frame, entry, notes) -> None:
    """Add to a frame what its entry in ``data/open.yml`` says can be computed, and count it.

    Parameters
    ----------
    frame : DataFrame
        Changed in place.
    entry : dict
        ``constants`` hold for every record, ``limits`` names columns whose values outside the vocabulary are
        blanked, ``contradictions`` blank two columns where one cannot be such a share of the other,
        ``exceptions`` change a column on the records of one study, ``differences`` take a part from a
        whole, ``sums`` fill totals that are missing, ``ratios`` divide two columns, ``computed`` blanks what would come
        from values that were not measured.
    notes : list of str
        Lines are appended.
    """
    for column, value in entry.get("constants", {}).items():
        frame[column] = value
    steps = {
        "limits": _limit,
        "contradictions": _contradiction,
        "exceptions": _exception,
        "differences": _difference,
        "sums": _sum,
        "ratios": _ratio,
        "computed": _computed,
    }
    for kind, step in steps.items():
        for item in entry.get(kind, []):
            step(frame, item, notes)


def _ratio(frame, item, notes) -> None:
    over, under = item["of"]
    frame[item["variable"]] = frame[over] / frame[under]
    text = f"{item['variable']} = {over} / {under}"
    notes.add(f"{text}: computed", f"{text}：计算得出")


def _computed(frame, item, notes) -> None:
    """Blank what would come from values that were themselves computed from another column."""
    for found in plausibility.computed(frame, [item["variable"]]):
        if item["of"] in found.formula:
            frame.loc[list(found.rows), item["blank"]] = np.nan
            blank = ", ".join(item["blank"])
            notes.add(f"{found}; {blank} set to missing", f"{found}；{blank} 设为缺失")


# The same plots in two sets.

#: Sets agree in numbers of two or three digits up to this share, or this much.
ALIKE, ALIKE_T = 0.02, 0.2
#: Mean radius of the earth, km.
EARTH = 6371.0


def _copies(frame, item, labels, notes) -> pd.DataFrame:
    """Records that are in another set too, and the types of forest that those of them without a label have by it.

    ``item`` names the other set, the columns that are compared with how far they may differ (``alike``: by a share), how
    many must agree, and how far the nearest records may lie that lend their type to a record without a copy, of
    ``neighbours`` the most frequent.

    Returns
    -------
    found : DataFrame
        ``copy_of`` (plot of the other set), ``found_type`` and ``forest_type_by`` (copy, neighbours) of records without a type.
    """
    found = pd.DataFrame(index=frame.index, columns=["copy_of", "found_type", "forest_type_by"], dtype=object)
    try:
        other = load(f"open:{item['of']}", item.get("where"))
    except DataError as error:
        first = str(error).splitlines()[0]
        notes.add(f"copies in {item['of']} not looked for: {first}", f"未查找与 {item['of']} 的重复：{first}")
        return found
    best, count = _most_alike(frame, other, item["compared"])
    copy = count >= item["agree"]
    found.loc[copy, "copy_of"] = other["plot_id"].to_numpy()[best[copy]]
    blank = (labels.fillna("").astype(str).str.strip() == "").to_numpy()
    types = np.where(copy & blank, other["forest_type"].to_numpy(object)[best], None)
    own = np.array([isinstance(t, str) for t in types])
    found.loc[own, "found_type"], found.loc[own, "forest_type_by"] = types[own], "copy"
    lent = _of_neighbours(frame, types, own, blank & ~own, item["distance"], item["neighbours"])
    found.loc[list(lent), "found_type"] = list(lent.values())
    found.loc[list(lent), "forest_type_by"] = "neighbours"
    left = int(blank.sum()) - int(own.sum()) - len(lent)
    notes.add(
        f"{int(copy.sum())} of {len(frame)} records are also in {item['of']} (copy_of): {item['agree']} of "
        f"{len(item['compared'])} numbers agree",
        f"{len(frame)} 条记录中有 {int(copy.sum())} 条也见于 {item['of']}（copy_of）：{len(item['compared'])} 项数值中"
        f"至少 {item['agree']} 项一致",
    )
    notes.add(
        f"forest_type of records without a label: {int(own.sum())} from their copies, {len(lent)} from the nearest of those "
        f"(within {item['distance']} km), {left} stay blank",
        f"无标签记录的森林类型：{int(own.sum())} 条取自重复记录，{len(lent)} 条取自其邻近者（{item['distance']} km 内），"
        f"{left} 条仍为空",
    )
    return found


def _most_alike(frame, other, compared) -> tuple[np.ndarray, np.ndarray]:
    """For each record the one of another set with which most numbers agree, and how many do."""
    count = np.zeros((len(frame), len(other)), dtype=np.int8)
    for column, limit in compared.items():
        mine, theirs = frame[column].to_numpy(float)[:, None], other[column].to_numpy(float)
        several = [theirs]
        if column == "agb_density":
            # Aboveground mass holds the understory where it was not told apart.
            several.append(theirs + other["understory_density"].to_numpy(float))
        near = np.zeros(count.shape, dtype=bool)
        for values in several:
            with np.errstate(invalid="ignore"):
                most = np.maximum(ALIKE * np.abs(mine), ALIKE_T) if limit == "alike" else float(limit)
                near |= np.abs(mine - values) <= most
        count += near
    best = count.argmax(axis=1)
    return best, count[np.arange(len(frame)), best]


def _of_neighbours(frame, types, known, wanted, distance, neighbours) -> dict[int, str]:
    """Type that most of the nearest known records have, by record."""
    at = np.radians(frame[["latitude", "longitude"]].to_numpy(float))
    found = {}
    for i in np.flatnonzero(wanted & np.isfinite(at).all(axis=1)):
        there = np.flatnonzero(known)
        half = np.sin((at[there] - at[i]) / 2) ** 2
        far = (
            2 * EARTH * np.arcsin(np.sqrt(half[:, 0] + np.cos(at[i, 0]) * np.cos(at[there, 0]) * half[:, 1]))
        )
        nearest = far.argsort(kind="stable")[:neighbours]
        if len(nearest) and far[nearest[0]] <= distance:
            found[frame.index[i]] = Counter(types[there[nearest]]).most_common(1)[0][0]
    return found


def _records(rows) -> str:
    """Numbers of the first records of a mask, and how many there are."""
    found = [str(i + 1) for i in rows.index[rows]]
    return ", ".join(found[:10]) + (", …" if len(found) > 10 else "")


def _limit(frame, name, notes) -> None:
    known = vocabulary.variable(name)
    outside = known.outside(frame[name])
    if outside.any():
        frame[name] = frame[name].mask(outside)
        span = f"{known.minimum:g}-{known.maximum:g} {known.unit}"
        notes.add(
            f"{name}: {int(outside.sum())} values outside {span} set to missing (records {_records(outside)})",
            f"{name}：{int(outside.sum())} 个值超出 {span}，设为缺失（第 {_records(outside)} 条）",
        )


def _contradiction(frame, item, notes) -> None:
    over, under = item["of"]
    share = frame[over] / (frame[under] * item["scale"])
    beyond = (share > item["maximum"]) | (share < item["minimum"])
    if beyond.any():
        frame[[over, under]] = frame[[over, under]].mask(beyond)
        span = f"{item['minimum']:g}-{item['maximum']:g}"
        notes.add(
            f"{over} is not {span} of {under} on {int(beyond.sum())} records, both set to missing: "
            f"{item['reason']} (records {_records(beyond)})",
            f"{int(beyond.sum())} 条记录的 {over} 与 {under} 之比不在 {span} 内，两者均设为缺失："
            f"{item['reason']}（第 {_records(beyond)} 条）",
        )


def _exception(frame, item, notes) -> None:
    rows = pd.Series(True, index=frame.index)
    for column, value in item["where"].items():
        rows &= frame[column] == value
    name, added = item["variable"], item["add"]
    changed = rows & frame[name].notna()
    frame[name] = frame[name].mask(rows, frame[name] + frame[added])
    for column in item["blank"]:
        frame[column] = frame[column].mask(rows)
    who = ", ".join(str(value) for value in item["where"].values())
    blank = ", ".join(item["blank"])
    notes.add(
        f"{who}: {added} added to {name} and {blank} computed anew on {int(changed.sum())} records: {item['reason']}",
        f"{who}：{int(changed.sum())} 条记录的 {name} 加上 {added}，并重新计算 {blank}：{item['reason']}",
    )


def _difference(frame, item, notes) -> None:
    whole, part = frame[item["from"]], frame[item["minus"]]
    result = whole - part
    bad, alone = result <= 0, whole.notna() & part.isna()
    frame[item["variable"]] = result.mask(bad)
    formula = f"{item['variable']} = {item['from']} - {item['minus']}"
    good = int((result > 0).sum())
    notes.add(
        f"{formula}: {good} records; blank on {int(alone.sum())} without {item['minus']}",
        f"{formula}：{good} 条；{int(alone.sum())} 条缺 {item['minus']}，留空",
    )
    if bad.any():
        counts = frame.loc[bad, "study_id"].value_counts()
        kinds = ", ".join(f"{study} ({count})" for study, count in counts.items())
        notes.add(
            f"{formula}: not positive on {int(bad.sum())} records, {item['variable']} left blank: {kinds}",
            f"{formula}：{int(bad.sum())} 条不为正，{item['variable']} 留空：{kinds}",
        )


def _sum(frame, item, notes) -> None:
    total = frame[item["of"]].sum(axis=1, skipna=False)
    present = frame[item["variable"]] if item["variable"] in frame else pd.Series(np.nan, index=frame.index)
    fill = present.isna() & total.notna()
    frame[item["variable"]] = present.where(~fill, total)
    if fill.any():
        text = f"{item['variable']} = {' + '.join(item['of'])}"
        notes.add(
            f"{text}: computed on {int(fill.sum())} records that lack it",
            f"{text}：为 {int(fill.sum())} 条缺该值的记录计算",
        )
