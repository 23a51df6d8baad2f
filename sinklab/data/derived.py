"""What belongs together in a field file: its tables, the organs of a tree, fresh and dry mass, sizes and areas.

Crews keep plots and inventories on sheets of their own, write the organs of a tree below each other, weigh stems in
segments, dry samples and note their ratios on another sheet. :func:`chosen` and :func:`align` take the tables that say the
same of other records, :func:`organs_together` makes one record of an individual, :func:`join` takes what another table says of
the same individuals, plots or organs, :func:`derive` works out dry masses, crowns and values per hectare. :func:`melt` makes records of tables
that are wider than what they say, with species, surveys or layers as columns. Each tells it.
"""

import re
from dataclasses import replace
from typing import Any

import numpy as np

from sinklab.data import layout, vocabulary
from sinklab.data.columns import (
    MEANS,
    ORGANS,
    PER_AREA,
    TWICE,
    Account,
    Column,
    Meaning,
    fold,
    knows,
    meaning,
    species_name,
    taken_apart,
)
from sinklab.data.files import plain
from sinklab.data.headers import is_blank, is_unit, quantity
from sinklab.data.heads import SURVEY, labelled
from sinklab.data.layout import Field, Form
from sinklab.data.neighbours import holds_organs, organ_of
from sinklab.language import DataError, tr

#: Names that make an individual known.
KEYS = (
    "site", "study_id", "source_id", "compartment", "stand", "plot_id", "quadrat", "core_id", "species", "tree_id", "year", "disc",
)  # fmt: skip

# Tables of one file that belong together.


def known_names(form) -> set[str]:
    """Names that the headers of a table are known by, without remarks; the area beside a plot is its own."""
    every = (meaning(f.parts, f.unit) for f in form.fields if f.parts)
    found = {m.name for m in every if m.name and m.kind != "remark"}
    plots = found & {"plot_id", "tree_id", "core_id"} and not found & {"stand", "plot_area"}
    return found - {"area"} | {"plot_area"} if "area" in found and plots else found


def chosen(forms, sheet, needed, source) -> tuple[list[layout.Form], list[layout.Form]]:
    """The tables that are read: of the sheet that is named, that has what is needed, or that says most; and the others.

    Tables with the same columns belong together.
    """
    names = list(dict.fromkeys(form.sheet.name for form in forms))
    if sheet:
        wanted = (
            sheet
            if sheet in names
            else names[int(sheet) - 1]
            if sheet.isdigit() and 0 < int(sheet) <= len(names)
            else ""
        )
        if not wanted:
            told = ", ".join(names)
            raise DataError(
                f"{source}: no table in sheet {sheet}; sheets: {told}",
                f"{source}：工作表 {sheet} 中没有表格；工作表：{told}",
            )
        forms = [form for form in forms if form.sheet.name == wanted]
    forms = [form for form in forms if form.rows]
    scores = [
        len(known_names(form)) * min(len(form.rows), 30) + len(known_names(form) & set(needed)) * 10000
        for form in forms
    ]
    order = sorted(range(len(forms)), key=lambda i: (-scores[i], i))
    best = forms[order[0]]
    alike = [form for form in forms if _alike(form, best)]
    rest = [form for form in forms if form not in alike]
    return alike, rest


def _alike(form, best) -> bool:
    """Whether two tables say the same of other records: the same headers, or the same numbers in the same units."""
    if [f.parts for f in form.fields] == [f.parts for f in best.fields]:
        return True
    one, other = _numbers_of(form), _numbers_of(best)
    return len(one) > 0 and one == other and bool(labelled([form.sheet.name, best.sheet.name])[0])


def _numbers_of(form) -> set[tuple[str, str, str]]:
    """What the columns of numbers of a table are, and their units."""
    found = {meaning(f.parts, f.unit) for f in form.fields if f.parts}
    return {
        (m.name, m.unit, m.kind)
        for m in found
        if vocabulary.is_variable(m.name) and vocabulary.variable(m.name).numeric
    }


def align(forms) -> None:
    """Give the tables of a file the same columns in the same order; what one of them does not say is blank there."""
    if len(forms) == 1:
        return
    every = [{_same(form, f): i for i, f in enumerate(form.fields)} for form in forms]
    keys = list(dict.fromkeys(key for one in every for key in one))
    fields = [
        next(form.fields[one[key]] for form, one in zip(forms, every, strict=True) if key in one)
        for key in keys
    ]
    for form, where in zip(forms, every, strict=True):
        order = [where.get(key) for key in keys]
        form.cells = [["" if i is None else row[i] for i in order] for row in form.cells]
        form.at = [[-1 if i is None else row[i] for i in order] for row in form.at]
        form.fields = list(fields)


def _same(form, f) -> Any:
    """What is the same of columns of several tables: their meaning, where no other column of the table has it."""
    if not f.parts:
        return f.at
    own = meaning(f.parts, f.unit)
    twice = sum(meaning(g.parts, g.unit).name == own.name for g in form.fields if g.parts) > 1
    return f.parts if twice or not own.name else (own.name, own.kind, own.unit)


# Organs below each other.


def organs_together(reading: Any, found: list[Meaning]) -> list[Meaning]:
    """Make one record of an individual whose organs stand in records of their own; masses of an organ add up."""
    amounts = {m.name: i for i, m in enumerate(found) if m.kind == "quantity"}
    at = [i for i, m in enumerate(found) if m.kind == "component"]
    at = at or [
        i
        for i, m in enumerate(found)
        if (m.kind in ("", "layer") or m.name == "component") and amounts and holds_organs(reading, i)
    ]
    if len(at) != 1 or not amounts:
        return found
    keys = [i for i, m in enumerate(found) if m.name in KEYS and i != at[0]]
    _down(reading, keys)
    organs = _organs(reading, at[0], keys)
    if sum(m.kind in ORGANS for m in organs) * 10 < 7 * len(organs):
        return found
    groups: dict[tuple, list[int]] = {}
    begun, names = 0, [m.name for m in organs]
    for i, row in enumerate(reading.cells):
        if not keys and i and names[i] != names[i - 1] and names[i] in names[begun:i]:
            # Nothing says which individual it is: the next one begins where an organ returns.
            begun = i
        groups.setdefault(tuple(row[k] for k in keys) or (begun,), []).append(i)
    amount = {name: _amount(reading, found[i], i) for name, i in amounts.items()}
    amount = dry_amounts(amount, reading.account)
    _spread(reading, groups, organs, amount)
    keep = [i for i in range(len(found)) if i != at[0] and i not in amounts.values()]
    first = [rows[0] for rows in groups.values()]
    for i in keep:
        for rows in groups.values():
            # What is written once for an individual may stand beside any of its organs.
            reading.cells[rows[0]][i] = next((reading.cells[r][i] for r in rows if reading.cells[r][i]), "")
    reading.fields = [reading.fields[i] for i in keep]
    reading.cells = [[reading.cells[r][i] for i in keep] for r in first]
    reading.at = [[reading.at[r][i] for i in keep] for r in first]
    reading.rows, reading.sheets = [reading.rows[r] for r in first], [reading.sheets[r] for r in first]
    reading.account.told.add(
        f"{reading.account.n} rows of organs put together to {len(first)} individuals",
        f"{reading.account.n} 行器官记录合并为 {len(first)} 株",
    )
    reading.account.n = len(first)
    reading._written()
    return [found[i] for i in keep]


def _organs(reading, position, keys) -> list[Meaning]:
    """Organ of each record; a blank cell goes on with the organ above of the same individual."""
    found: list[Meaning] = []
    for i, row in enumerate(reading.cells):
        same = i > 0 and all(row[k] == reading.cells[i - 1][k] for k in keys)
        found.append(found[-1] if not row[position] and same else organ_of(row[position]))
    return found


def _down(reading, keys) -> None:
    """Take identifiers of the record above where they are written once for the records below."""
    for i in range(1, len(reading.cells)):
        if not any(reading.cells[i][k] for k in keys):
            for k in keys:
                reading.cells[i][k] = reading.cells[i - 1][k]


def _amount(reading, m, position) -> np.ndarray:
    """Numbers of a column of masses or shares, in kg or 1."""
    kept, reading.columns = reading.columns, {}
    reading._numbers(reading.fields[position], m, [row[position] for row in reading.cells], position)
    values, reading.columns = reading.columns[m.name], kept
    return values


def _spread(reading, groups, organs, amount) -> None:
    """Columns for the organs of each individual."""
    several = []
    for kind, values in amount.items():
        for organ in dict.fromkeys(m.name for m in organs if m.kind in ORGANS):
            name = organ if kind == "dry" else f"{organ}_{kind}"
            column = np.full(len(groups), np.nan)
            for g, rows in enumerate(groups.values()):
                own = [values[r] for r in rows if organs[r].name == organ]
                if own:
                    column[g] = np.sum(own)
                    if len(own) > 1 and kind == "dry":
                        several.append(organ)
            if np.isfinite(column).any():
                reading.columns[name] = column
                if kind == "dry":
                    reading.account.columns.append(Column(organ, -1, name, "kg", "kg"))
    if several:
        told = ", ".join(dict.fromkeys(several))
        reading.account.told.add(
            f"several rows of one organ added up: {told}", f"同一器官的多行已相加：{told}"
        )


# Further tables of the file.

#: What a table of plots says of each of their trees; other numbers of it are of the plot alone.
OF_PLOTS = {
    "plot_area", "slope_angle", "latitude", "longitude", "elevation", "site", "age", "species", "region", "city", "county", "town",
    "village", "year", "canopy_closure", "forest_type", "origin", "habitat", "grassland_type", "desertification_grade",
}  # fmt: skip
#: Samples and what they give, of one organ or of all.
SAMPLES = re.compile(
    r"(?:\w+_)?(?:sample_fresh|sample_dry|dry_ratio|fresh_ratio|moisture|moisture_wet|moisture_dry)"
)


def join(columns: dict, other: dict, account: Account, sheet: str, keys: list[str]) -> bool:
    """Take what another table says of the same individuals, plots, species or organs.

    Parameters
    ----------
    columns, other : dict of str to array
        Columns by name, of the records and of the other table.
    account : Account
    sheet : str
        Name of the other table.
    keys : list of str
        Names that may make a record known.

    Returns
    -------
    joined : bool
        Whether anything was taken: the keys stand once each in the other table and four fifths of them are those of records.
    """
    n, size = (len(next(iter(c.values()), ())) for c in (columns, other))
    shared = [k for k in keys if k in columns and k in other]
    fresh = any(name.endswith("fresh") and "sample" not in name for name in columns)
    new = [
        name for name in other
        if name not in columns
        and ((vocabulary.is_variable(name) and name not in keys) or (SAMPLES.fullmatch(name) and fresh) or name in OF_PLOTS)
    ]  # fmt: skip
    if not set(shared) & {"tree_id", "core_id"}:
        new = [name for name in new if SAMPLES.fullmatch(name) or (shared and name in OF_PLOTS)]
    if not new or not n:
        return False
    if size == 1 and not shared:
        at = np.zeros(n, dtype=int)
    else:
        records = list(zip(*(map(str, columns[k]) for k in shared), strict=True))
        theirs = list(zip(*(map(str, other[k]) for k in shared), strict=True))
        where = {key: i for i, key in enumerate(theirs)}
        own = set(records)
        if not shared or len(where) < size or sum(key in own for key in where) < 0.8 * size:
            return False
        at = np.array([where.get(key, -1) for key in records])
    for name in new:
        values = other[name]
        columns[name] = (
            np.where(at < 0, np.nan, np.asarray(values, float)[at])
            if np.asarray(values).dtype.kind == "f"
            else _texts([values[i] if i >= 0 else None for i in at])
        )
        account.columns.append(Column(name, -1, name, how=tr(f"sheet {sheet}", f"工作表 {sheet}")))
    by, found = " + ".join(shared), int((at >= 0).sum())
    told = ", ".join(new)
    account.told.add(
        f"{sheet} joined" + (f" by {by} ({found} of {n} records)" if by else "") + f": {told}",
        f"已并入 {sheet}" + (f"（按 {by}，{n} 条记录中 {found} 条）" if by else "") + f"：{told}",
    )
    return True


def _texts(values) -> Any:
    import pandas as pd

    return pd.array(values, dtype="str")


# Dry masses, crowns, values per area.


def dry_amounts(amount: dict, account: Account) -> dict:
    """Dry mass from fresh mass and a sample that was dried, a ratio, or the moisture where its basis is stated."""
    fresh = amount.get("fresh")
    if fresh is None or ("dry" in amount and np.isfinite(amount["dry"]).any()):
        return amount
    ratio = None
    if "sample_fresh" in amount and "sample_dry" in amount:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = amount["sample_dry"] / amount["sample_fresh"]
        how = tr("fresh mass × dry / fresh mass of the sample", "鲜质量 × 样品干质量 ÷ 样品鲜质量")
    elif "fresh_ratio" in amount:
        ratio, how = 1 / amount["fresh_ratio"], tr("fresh mass / (fresh : dry)", "鲜质量 ÷ 鲜干比")
    elif "dry_ratio" in amount:
        ratio, how = amount["dry_ratio"], tr("fresh mass × dry ratio", "鲜质量 × 干鲜比")
    elif "moisture" in amount and np.nanmax(amount["moisture"]) > 1:
        amount = amount | {"moisture_dry": amount["moisture"]}
    elif "moisture" in amount:
        account.asked.add(
            "is the moisture of fresh or of dry mass? --column moisture_wet=COL or moisture_dry=COL",
            "含水率以鲜质量还是干质量为基？--column moisture_wet=列 或 moisture_dry=列",
        )
    if "moisture_wet" in amount:
        ratio, how = (
            1 - amount["moisture_wet"],
            tr("fresh mass × (1 − moisture, of fresh mass)", "鲜质量 ×（1 − 含水率，湿基）"),
        )
    elif "moisture_dry" in amount:
        ratio, how = (
            1 / (1 + amount["moisture_dry"]),
            tr("fresh mass / (1 + moisture, of dry mass)", "鲜质量 ÷（1 + 含水率，干基）"),
        )
    if ratio is None:
        return amount
    account.told.add(f"dry mass = {how}", f"干质量 = {how}")
    return {"dry": fresh * ratio}


def derive(columns: dict, account: Account) -> None:
    """Add what follows from the columns that were read: dry masses, crowns, values per hectare."""
    parts = (
        "fresh", "sample_fresh", "sample_dry", "dry_ratio", "fresh_ratio", "moisture", "moisture_wet", "moisture_dry",
    )  # fmt: skip
    shared = {p: columns[p] for p in parts[1:] if p in columns}
    for organ in [*PER_AREA, "wood", "culm", "rhizome", "crown", "shrub", "herb"]:
        own = shared | {p: columns[f"{organ}_{p}"] for p in parts if f"{organ}_{p}" in columns}
        for name, unit in ((organ, "kg"), (PER_AREA.get(organ, ""), "t/ha")):
            fresh = columns.get(f"{name}_fresh")
            if fresh is None or name in columns:
                continue
            made = dry_amounts(own | {"fresh": fresh}, account).get("dry")
            if made is not None:
                columns[name] = made
                account.columns.append(Column(name, -1, name, unit, unit))
    if {"shrub", "herb"} <= set(columns) and "understory" not in columns:
        columns["understory"] = columns.pop("shrub") + columns.pop("herb")
        account.told.add("understory = shrubs + herbs", "林下植被 = 灌木 + 草本")
    if "stand_volume" in columns and "plot_area" in columns and "growing_stock" not in columns:
        columns["growing_stock"] = columns["stand_volume"] / columns["plot_area"]
        account.told.add(
            "growing_stock = volume of the plot / plot_area", "growing_stock = 样地材积 ÷ 样地面积"
        )
    elif "stand_volume" in columns and "area" in columns:
        columns["growing_stock"] = columns["stand_volume"] / columns["area"]
        account.told.add("growing_stock = stand_volume / area", "growing_stock = 小班蓄积 ÷ 面积")
    own = shared | {p: columns[p] for p in ("fresh", "dry") if p in columns}
    if own and "dry" not in own and "fresh" in own:
        made = dry_amounts(own, account).get("dry")
        if made is not None:
            columns["dry"] = made
    if "crown_1" in columns and "crown_2" in columns and "crown_diameter" not in columns:
        one, other = columns["crown_1"], columns["crown_2"]
        columns["crown_diameter"], columns["crown_area"] = (one + other) / 2, np.pi / 4 * one * other
        account.told.add(
            "crown_diameter is the mean of two axes, crown_area π/4·a·b",
            "crown_diameter 为两个方向的均值，crown_area 为 π/4·a·b",
        )
    if (
        "dry" in columns
        and {"plot_area", "plot_id"} <= set(columns)
        and not {"tree_id", "agb", "dbh"} & set(columns)
    ):
        columns["agb"] = columns.pop("dry")
        account.told.add("the dry mass of a quadrat is taken as aboveground", "样方的干质量按地上部分计")
    elif "dry" in columns:
        account.asked.add(
            "dry mass of what? --column agb=COL, stem=COL …", "干质量是哪一部分？--column agb=列、stem=列 等"
        )
    _per_area(columns, account)


def _per_area(columns, account) -> None:
    """Masses and counts of plots per hectare."""
    area = columns.get("plot_area")
    if area is None or "tree_id" in columns:
        return
    if "count" in columns and "stem_density" not in columns:
        columns["stem_density"] = columns["count"] / area
        account.told.add("stem_density = count / plot_area", "stem_density = 株数 ÷ 样地面积")
    for organ, name in PER_AREA.items():
        if organ in columns and name not in columns and not {"dbh", "basal_diameter"} & set(columns):
            columns[name] = columns.pop(organ) / 1000 / area
            account.told.add(
                f"{name} [t/ha] = {organ} of the plot / plot_area",
                f"{name}（t/hm²）= 样方 {organ} ÷ 样方面积",
            )
    if "slope_angle" in columns and np.nanmax(columns["slope_angle"]) > 5:
        account.asked.add(
            f"slope {np.nanmax(columns['slope_angle']):g}°: is the plot area horizontal, or along the slope (then × cos slope)?",
            f"坡度 {np.nanmax(columns['slope_angle']):g}°：样地面积是水平面积，还是斜面积（应 × cos 坡度）？",
        )


def tell_keys(columns: dict, account: Account) -> None:
    """Tell which identifiers make a record known together, and land that bears no stand."""
    for inner, outer in (("stand", "compartment"), ("tree_id", "plot_id")):
        if inner in columns and outer in columns:
            own, both = list(columns[inner]), list(zip(columns[outer], columns[inner], strict=True))
            if len(set(own)) < len(own) and len(set(both)) == len(both):
                account.told.add(
                    f"{inner} begins anew in every {outer}: the key is {outer} + {inner}",
                    f"{inner} 在每个 {outer} 内重新编号：以 {outer} + {inner} 为键",
                )
    stem = next((c for c in account.columns if c.name == "stem" and c.header != "stem"), None)
    if stem and "皮" not in stem.header and "bark" not in stem.header.casefold() and "wood" not in columns:
        account.told.add(
            f"{stem.header}: with or without bark is not stated", f"{stem.header}：未说明带皮或去皮"
        )
    if "land_class" in columns and "species" in columns:
        bare = [i for i, s in enumerate(columns["species"]) if s is None or s != s]
        kinds = dict.fromkeys(columns["land_class"][i] for i in bare)
        if bare and "area" in columns:
            size = float(np.nansum(columns["area"][bare]))
            told = ", ".join(str(k) for k in kinds)
            account.told.add(
                f"{len(bare)} rows without a species ({told}): {size:.6g} ha without stand",
                f"{len(bare)} 行没有树种（{told}）：{size:.6g} hm² 无林分",
            )


# Tables that are wider than what they say: species, surveys, layers, ages, points or samples stand as columns


def melt(form: Form) -> None:
    """Give each record one species, survey, age or point where columns repeat for several."""
    _areas_in_units(form)
    _samples(form)
    groups: dict[str, list[int]] = {}
    for i, f in enumerate(form.fields):
        if len(f.parts) > 1 and not knows(f.parts[0]) and not is_unit(f.parts[1]):
            groups.setdefault(f.parts[0], []).append(i)
    below = {tuple(form.fields[i].parts[1:] for i in at) for at in groups.values()}
    twice = all(TWICE.fullmatch(fold(p[0])) for one in below for p in one)
    if len(groups) > 1 and not twice and len(below) == 1:
        name, said = labelled(list(groups))
        if not name and any(taken_apart(g)[1] for g in groups):
            # 氮含量/(g·kg-1) over organs is a quantity, no group of records.
            return
        if not name:
            name = "species" if any(species_name(g) != g for g in groups) else tr("group", "组")
        labels = [said.get(label, label) for label in groups]
        _gather(
            form,
            name,
            labels,
            list(groups.values()),
            [
                Field(form.fields[i].parts[1:], form.fields[i].at, form.fields[i].unit)
                for i in next(iter(groups.values()))
            ],
        )
        return
    _by_layer(form)
    _by_label(form)
    _by_survey(form)
    _by_number(form)
    _by_species(form)


#: Masses of an area that is none of one unit: g/0.25m², kg/(2m×2m), g per 0.5 m2.
_SIZE = r"\d+(?:\.\d+)?\s*(?:m2|m²|㎡|cm2|cm²|m\^2)|\d+(?:\.\d+)?\s*c?m\s*[×x*]\s*\d+(?:\.\d+)?\s*c?m"
AREA = re.compile(rf"\s*(?:/|per)\s*(?:\(\s*({_SIZE})\s*\)|({_SIZE}))", re.IGNORECASE)


def _areas_in_units(form) -> None:
    """Take the area of quadrats out of units of masses, where they agree on one."""
    areas = {
        re.sub(r"\s", "", m[1] or m[2])
        for f in form.fields
        for part in (*f.parts, f.unit)
        if (m := AREA.search(part))
    }
    areas = {a for a in areas if not re.match(r"1(?:\.0+)?(?:m|㎡)(?!.*[×x*])", a)}
    if len(areas) != 1 or any(meaning(f.parts, f.unit).name == "plot_area" for f in form.fields if f.parts):
        return
    area = areas.pop()
    for i, f in enumerate(form.fields):
        form.fields[i] = replace(
            f, parts=tuple(AREA.sub("", part) for part in f.parts), unit=AREA.sub("", f.unit)
        )
    form.add("样方面积", [area] * len(form.rows))
    form.notes.add(f"masses are of {area}: plot_area", f"质量为 {area} 上的量：plot_area")


#: 100 g of a sample that were dried: the mass stands in the header.
FIXED = re.compile(r"(\d+(?:\.\d+)?)\s*(g|克|kg)\s*(?:鲜重?的?)?(?=.*样|.*sample)", re.IGNORECASE)
#: Numbers of samples: 样1鲜重, 2号样干重, sample 2 dry.
REPLICATE = re.compile(r"(样品?|sample\s*)\s*[1-5①②③一二三](?=\D)|[1-5一二三]号(?=样)", re.IGNORECASE)


def _samples(form) -> None:
    """Give samples of one mass a column of it, and put those that were taken several times together."""
    for i, f in enumerate(list(form.fields)):
        cut = FIXED.match(f.parts[-1]) if f.parts else None
        rest = f.parts[-1][cut.end() :] if cut else ""
        if cut and (m := meaning((*f.parts[:-1], rest), f.unit)).name.endswith("sample_dry"):
            form.fields[i] = Field((*f.parts[:-1], rest), f.at, f.unit)
            fresh = (
                re.sub("[烘绝]?干", "鲜", rest[::-1], count=1)[::-1]
                if "干" in rest
                else re.sub("dry", "fresh", rest)
            )
            if meaning((*f.parts[:-1], fresh)).name == m.name.replace("_dry", "_fresh"):
                form.add(
                    fresh, [cut[1] if row[i] else "" for row in form.cells], plain(cut[2]).replace("克", "g")
                )
    groups: dict[tuple, list[int]] = {}
    for i, f in enumerate(form.fields):
        bare = tuple(REPLICATE.sub(lambda m: m[1] or "", p) for p in f.parts)
        name = meaning(bare, f.unit).name
        if bare != f.parts and ("sample" in name or name.endswith(("moisture", "ratio"))):
            groups.setdefault(bare, []).append(i)
    gone = []
    for bare, at in groups.items():
        f = form.fields[at[0]]
        form.fields[at[0]] = Field(bare, f.at, f.unit)
        for row in form.cells:
            own = [q.value if (q := quantity(row[i])) else None for i in at]
            known = [v for v in own if v is not None]
            whole = len(known) if not meaning(bare).name.endswith(("fresh", "dry")) else 1
            # Masses of samples add up, where all are there; shares are averaged.
            row[at[0]] = (
                f"{sum(known) / whole:.10g}" if known and (len(known) == len(at) or whole > 1) else ""
            )
        gone += at[1:]
        form.notes.add(
            f"{'/'.join(bare)}: {len(at)} samples of each put together",
            f"{'/'.join(bare)}：每株 {len(at)} 份样品已合并",
        )
    for row in [form.fields, *form.cells, *form.at] if gone else ():
        row[:] = [value for k, value in enumerate(row) if k not in gone]


def _by_layer(form) -> None:
    """Layers as columns below each quantity: 有机碳 0-20, 20-40; or below the title alone."""
    found: dict[str, dict[tuple, int]] = {}
    for i, f in enumerate(form.fields):
        said = quantity(f.parts[-1]) if f.parts else None
        if said and said.ends and meaning(f.parts).kind != "segment":
            found.setdefault(plain(f.parts[-1]), {})[f.parts[:-1] or (_in_title(form.title),)] = i
    same = {tuple(one) for one in found.values()}
    if len(found) > 1 and len(same) == 1:
        first = next(iter(found.values()))
        fields = [Field(base, form.fields[i].at, form.fields[i].unit) for base, i in first.items()]
        _gather(form, "土层", list(found), [list(one.values()) for one in found.values()], fields)


def _by_label(form) -> None:
    """Plots, trees or months as columns, below a quantity or of what the title names: 土层, 样地1, 样地2."""
    groups: dict[tuple, list[int]] = {}
    for i, f in enumerate(form.fields):
        if f.parts and labelled([f.parts[-1], f.parts[-1]])[0] in ("plot_id", "tree_id", "season", "line"):
            groups.setdefault(f.parts[:-1], []).append(i)
    for above, at in groups.items():
        name, said = labelled([form.fields[i].parts[-1] for i in at])
        value = above or (_in_title(form.title),)
        if len(at) > 1 and name and meaning(value).name:
            labels = [said.get(form.fields[i].parts[-1], form.fields[i].parts[-1]) for i in at]
            _gather(
                form,
                name,
                labels,
                [[i] for i in at],
                [Field(value, form.fields[at[0]].at, form.fields[at[0]].unit)],
            )
            return


def _by_survey(form) -> None:
    """Columns such as 胸径2015, 胸径2020."""
    found: dict[str, dict[str, int]] = {}
    for i, f in enumerate(form.fields):
        mark = SURVEY.search(f.header)
        rest = re.sub(r"[(（][)）]", "", SURVEY.sub("", f.header)).strip(" _-/") if mark else ""
        rest = re.sub(r"[_\- ]+(?=[(（\[])", " ", rest)
        if mark and meaning((rest,)).name and "(" not in rest[:1]:
            found.setdefault(mark[0].rstrip("年"), {})[rest] = i
    bases = list(dict.fromkeys(base for one in found.values() for base in one))
    if len(found) < 2 or not any(sum(base in one for one in found.values()) > 1 for base in bases):
        return
    for one in found.values():
        if list(one) != list(next(iter(found.values()))):
            return
    name = "year" if all(k[:2].isdigit() for k in found) else "survey"
    _gather(
        form,
        name,
        list(found),
        [list(one.values()) for one in found.values()],
        [Field((b,), form.fields[next(iter(found.values()))[b]].at) for b in bases],
    )


def _by_number(form) -> None:
    """Columns that are numbers: ages of a stem analysis, points of a line."""
    groups: dict[tuple, list[int]] = {}
    for i, f in enumerate(form.fields):
        if f.parts and re.fullmatch(
            r"(?:测点|样点|点|point ?)?\d+(?:\.\d+)?\s*(?:a|年|年生|龄|m|cm|号)?",
            plain(f.parts[-1]),
            re.IGNORECASE,
        ):
            groups.setdefault(f.parts[:-1], []).append(i)
    means = {f.parts[:-1] for f in form.fields if len(f.parts) > 1 and fold(f.parts[-1]) in MEANS}
    inside = {i for at in groups.values() for i in at}
    sizes = {meaning(f.parts, f.unit).name for i, f in enumerate(form.fields) if i not in inside and f.parts}
    for above, at in groups.items():
        # Replicates beside their mean are not records of their own.
        if len(at) < 3 or above in means:
            continue
        label = "/".join(above) or form.title
        old = re.search("龄|年|age", label, re.IGNORECASE)
        if len(sizes & {"dbh", "height", "tree_id"}) > 1:
            # Values of one tree at several heights stand beside its diameter and height.
            told = ", ".join(form.fields[i].header for i in at)
            form.notes.add(
                f"{told}: several values of one tree, kept as written",
                f"{told}：同一株的多个数值，按原样保留",
            )
            continue
        marks = [re.search(r"[\d.]+", plain(form.fields[i].parts[-1]))[0] for i in at]
        titled, size = _in_title(form.title), meaning(above) if above else Meaning()
        told = meaning((titled,)).name
        if (
            size.name in ("height", "dbh")
            and vocabulary.is_variable(told)
            and vocabulary.variable(told).role == "response"
        ):
            # A matrix of volumes: a class of heights over each column.
            _gather(form, label, marks, [[i] for i in at], [Field((titled,), form.fields[at[0]].at)])
            return
        if size.kind == "class":
            # A pivot of counts.
            _gather(form, label, marks, [[i] for i in at], [Field(("株数",), form.fields[at[0]].at)])
            return
        value = Field(above or (titled,), form.fields[at[0]].at)
        if old and not meaning(value.parts).name:
            # The size that the head gives a tree is not the one that it had at these ages.
            sizes = {"dbh", "height", "volume", "age"}
            form.constants = [c for c in form.constants if meaning((c[0],)).name not in sizes]
        _gather(form, "age" if old else tr("point", "测点"), marks, [[i] for i in at], [value])
        return


def _by_species(form) -> None:
    """Columns that are species, of counts beside a class of diameters."""
    if not any(meaning(f.parts).kind == "class" for f in form.fields if f.parts):
        return
    at = [
        i for i, f in enumerate(form.fields) if len(f.parts) == 1 and species_name(f.parts[0]) != f.parts[0]
    ]
    if at and not any(meaning(f.parts).name == "count" for f in form.fields if f.parts):
        labels = [form.fields[i].parts[0] for i in at]
        _gather(form, "species", labels, [[i] for i in at], [Field(("株数",), form.fields[at[0]].at)])


def _in_title(title) -> str:
    """The one variable, with its unit, that stands in a title; "value" where it names several."""
    found: dict[str, str] = {}
    for word in re.findall(r"[\u4e00-\u9fff]+(?:[(（][^()（）]+[)）])?|[A-Za-z ]+", title):
        start = 0
        while start < len(word):
            for stop in range(len(word), start + 1, -1):
                one = meaning((word[start:stop],))
                if (
                    vocabulary.is_variable(one.name)
                    and vocabulary.variable(one.name).numeric
                    and one.kind == "name"
                ):
                    found.setdefault(one.name, word[start:stop])
                    start = stop - 1
                    break
            start += 1
    return (
        next(iter(found.values()))
        if len(found) == 1
        else tr("value", "数值")
        if found or not title
        else title
    )


def _gather(form, name, labels, groups, fields) -> None:
    """Records for each group of columns below each other, with a column that says which; blank ones are left out."""
    moved = {i for at in groups for i in at}
    rest = [i for i in range(len(form.fields)) if i not in moved]
    remarks = {k for k, f in enumerate(fields) if meaning(f.parts).kind == "remark"}
    cells, rows, at = [], [], []
    for values, row, places in zip(form.cells, form.rows, form.at, strict=True):
        for label, group in zip(labels, groups, strict=True):
            own = [values[i] for i in group]
            if any(v and not is_blank(v) for k, v in enumerate(own) if k not in remarks):
                cells.append([*(values[i] for i in rest), label, *own])
                at.append([*(places[i] for i in rest), -1, *(places[i] for i in group)])
                rows.append(row)
    form.fields = [*(form.fields[i] for i in rest), Field((name,), -1), *fields]
    form.cells, form.rows, form.at = cells, rows, at
    told = ", ".join(labels[:6]) + (" …" if len(labels) > 6 else "")
    form.notes.add(
        f"columns of {told} made records with a column {name}; blank ones left out",
        f"{told} 各列已转为记录（{name} 列），空白者略去",
    )
