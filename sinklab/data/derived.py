"""What belongs together in a field file: its tables, the organs of a tree, fresh and dry mass, sizes and areas.

Crews keep plots and inventories on sheets of their own, write the organs of a tree below each other, weigh stems in
segments, dry samples and note their ratios on another sheet. :func:`chosen` and :func:`align` take the tables that say the
same of other records, :func:`organs_together` makes one record of an individual, :func:`join` takes what another table says of
the same individuals, plots or organs, :func:`derive` works out dry masses, crowns and values per hectare. Each tells it.
"""

import re
from typing import Any

import numpy as np

from sinklab.data import layout, vocabulary
from sinklab.data.columns import ORGANS, PER_AREA, Account, Column, Meaning, meaning
from sinklab.data.heads import labelled
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
