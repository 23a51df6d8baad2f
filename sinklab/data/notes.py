"""What titles, notes and sheets of codes say of the columns of a table: units, fresh or dry, girth, codes, texts for no value.

Crews write once what holds for the whole table: 注：胸径cm，生物量g; 重量均为鲜重; 缺测=-9999; a sheet with the codes of species, or with
name, meaning and unit of every column. Each that is used is told.
"""

import re
from dataclasses import replace
from typing import Any

from sinklab.data import vocabulary
from sinklab.data.columns import ORGANS, Meaning, fold, meaning, species_name, taken_apart, with_unit
from sinklab.data.files import plain
from sinklab.data.layout import Field
from sinklab.data.written import is_unit, unit_of

#: Masses are weighed fresh.
FRESH = re.compile(
    r"(?:重量?|质量|生物量|数据|以上|数值|表中)[^。;；,，]{0,8}[为是系指][^。;；,，]{0,8}[鲜湿]|[鲜湿](?:重|质量)(?!.*[干烘])[^。;；,，]{0,8}$"
    r"|(?:weights?|mass(?:es)?|biomass) (?:is|are|was|were|=) (?:fresh|green|wet)|(?:all|as) (?:fresh|green|wet) (?:weight|mass)"
    r"|(?:fresh|green|wet) (?:weights?|mass(?:es)?)\W*$",
    re.IGNORECASE,
)
DRY = re.compile("干重|干质量|烘|绝干|dry|dried", re.IGNORECASE)
CARBON = re.compile(r"碳[储贮]量|碳密度|固碳|碳库|carbon (?:stocks?|storage|density|pools?)", re.IGNORECASE)
#: What is written as a diameter is a girth.
GIRTH = re.compile(
    r"(?:胸径|直径|径|围尺|dbh|diameters?)[^。;；]{0,12}?(?:周长|围长|围径|胸围|干围|girth|circumference)"
    r"(?![^。;；]{0,8}(?:(?<!未)(?<!没有)(?:换算|折算)|÷|/|π|(?<!not )convert))",
    re.IGNORECASE,
)
#: Texts that stand for no value: 缺测=-9999, missing values: -99.
NO_VALUE = re.compile(
    r"(?:缺测|缺失|缺值|无数据|空值|未测|missing(?: values?| data)?|no data|not measured|NA)(?:值)?\s*(?:记作|记为|用|以|为|[=:：]|is|are|as|coded as|-->?)+\s*"
    r"(-?\d+(?:\.\d+)?|[A-Za-z./#*]{1,6})",
    re.IGNORECASE,
)
#: Words of sentences for quantities that are of one kind.
MASS = re.compile(
    "^(?:各?(?:器官|组分|部分))?(?:鲜|干|烘干)?(?:重量?|质量|生物量)$|^(?:(?:all|dry|fresh) )*(?:weights?|mass(?:es)?|biomass)$",
    re.IGNORECASE,
)
ACROSS = re.compile("^(?:直径|各?径)$|^(?:all )?diameters?$", re.IGNORECASE)
UP = re.compile("^(?:高度?)$|^(?:all )?heights?$", re.IGNORECASE)


def units_said(text: str) -> dict[str, str]:
    """Units that sentences give to names: ``胸径cm，树高为m，生物量单位g``, ``diameters in mm``.

    Returns
    -------
    units : dict of str to str
        By name of the vocabulary, or ``mass``, ``across``, ``up`` for all quantities of that kind.

    Examples
    --------
    >>> units_said("注：胸径单位mm，树高m，生物量以g计")
    {'dbh': 'mm', 'height': 'm', 'mass': 'g'}
    """
    found: dict[str, str] = {}
    label = r"(?:(?<=^)|(?<=[\s；;。]))(?:附?注|说明|备注|(?:计量)?单位|\bnotes?|\bunits?)\s*\d*\s*[:：]\s*"
    text = re.sub(label, "；", text, flags=re.IGNORECASE)
    for clause in re.split(r"[，,；;、。\n]|\.(?:\s|$)|\band\b|\s{2,}", text):
        bare = re.sub(r"[(（]([^()（）]*)[)）]", lambda m: m[0] if is_unit(m[1]) else "", clause)
        name, unit = _unit_at_end(plain(bare).strip(" .)）"))
        if not name or unit == "1":
            continue
        kind = next((k for k, p in (("mass", MASS), ("across", ACROSS), ("up", UP)) if p.match(name)), "")
        one = meaning((name,))
        kind = kind or (one.name if one.name and not one.unit else "")
        if kind or one.kind in ("stand", "unit"):
            found.setdefault(kind or fold(name), unit)
    return found


def _unit_at_end(clause) -> tuple[str, str]:
    """The name and the unit of a clause that gives one: ``胸径的单位为mm``, ``all masses are in g``."""
    clause = re.sub(r"(?:计|表示|为单位)$", "", clause)
    for start in range(1, len(clause)):
        inside_word = re.fullmatch("[A-Za-z][A-Za-z]", clause[start - 1 : start + 1])
        if (
            inside_word
            or not (unit := unit_of(clause[start:].strip(" (（")))
            or clause[start] in "0123456789"
        ):
            continue
        name = clause[:start].strip(" (（:：=/")
        name = re.sub(
            r"(?:的?单位)?(?:均|都)?[为是以用]?$|\b(?:is|are|in|given|measured|expressed| )+$",
            "",
            name.strip(),
        )
        return re.sub(r"(?:的?单位)?(?:均|都)?$|^(?:其中|所有|单位|各)", "", name).strip(), unit
    return "", ""


def no_values(text: str) -> set[str]:
    """Texts that notes declare to stand for no value."""
    return {m[1] for m in NO_VALUE.finditer(plain(text))}


def units_by_notes(reading: Any, found: list[Meaning]) -> list[Meaning]:
    """Give columns the unit that titles and notes say of them, where their headers do not."""
    form = reading.forms[0]
    units = units_said(form.remarks) if not form.units else {}
    out = []
    for m, f in zip(found, reading.fields, strict=True):
        weighed = m.kind in ORGANS or m.kind in ("quantity", "part")
        base = fold(taken_apart(f.parts[-1])[0]) if f.parts else ""
        if not m.unit and f.at >= 0 and m.problem == "unit" and (unit := units.get(base, "")):
            m = meaning((*f.parts[:-1], f"{f.parts[-1]}({unit})"))
            reading.account.told.add(
                f"{f.header}: {unit}, as a note says", f"{f.header}：据附注，单位 {unit}"
            )
        elif not m.unit and f.at >= 0 and (unit := _unit_said(m, units, weighed)):
            m = with_unit(replace(m, unit=unit))
            reading.account.told.add(
                f"{f.header}: {unit}, as a note says", f"{f.header}：据附注，单位 {unit}"
            )
        out.append(m)
    return out


def as_notes_say(reading: Any, found: list[Meaning]) -> list[Meaning]:
    """Give columns the state or kind that titles and notes say of them, where their headers do not."""
    form = reading.forms[0]
    said, title = form.remarks, f"{form.title} {form.sheet.name}"
    clauses = [c for c in re.split("[。;；\n]", f"{form.title} {said}") if c]
    bare = [re.sub(r"[(（][^()（）]*[)）]?", "", plain(c)).rstrip(" 表.") for c in clauses]
    fresh = next(filter(None, map(FRESH.search, bare)), None) if not DRY.search(said) else None
    carbon = CARBON.search(title) if not re.search("生物量|biomass|含碳", title, re.IGNORECASE) else None
    girth = GIRTH.search(said)
    out = []
    for m, f in zip(found, reading.fields, strict=True):
        unsaid = not re.search("干[重质物生]|烘|绝干|生物量|dry|biomass", f.header, re.IGNORECASE)
        if m.kind in ORGANS and carbon and unsaid:
            m = Meaning(unit=m.unit, problem="carbon")
        elif m.kind in ORGANS and fresh and unsaid and not m.name.endswith("_density"):
            m = replace(m, name="fresh_mass" if m.name == "total" else f"{m.name}_fresh", kind="part")
            reading.account.told.add(f"masses are fresh: {fresh[0]}", f"质量为鲜重：{fresh[0]}")
        elif m.kind == "quantity" and m.name == "dry" and fresh and unsaid:
            m = replace(m, name="fresh")
        elif m.name == "dbh" and m.kind == "name" and girth and f.at >= 0:
            m = replace(m, kind="girth")
            reading.account.told.add(f"{f.header} is a girth: {girth[0]}", f"{f.header} 为围径：{girth[0]}")
        out.append(m)
    return out


def _unit_said(m, units, weighed) -> str:
    """Unit that a note gives to a column, where it can be one of it."""
    if weighed:
        own = units.get(m.name, "") or units.get("mass", "")
        return own if own in ("g", "kg", "t", "mg", "jin", "lb") or "/" in own else ""
    if not vocabulary.is_variable(m.name):
        return ""
    own = units.get(m.name, "")
    if not own and m.name in ("dbh", "basal_diameter"):
        own = units.get("across", "")
    if not own and m.name in ("height", "crown_base_height"):
        own = units.get("up", "")
    return own if own and with_unit(replace(m, unit=own)).name else ""


# Sheets of codes.

#: Rows of a sheet of codes, at most.
LONGEST = 500


def by_dictionary(reading: Any) -> None:
    """Take name, meaning and unit of columns, and what codes stand for, from other sheets of the file that list them."""
    own = {form.sheet.name for form in reading.forms}
    for page in reading.pages:
        if page.name in own or not 1 < len(page.rows) <= LONGEST:
            continue
        rows = [[plain(c) for c in row] for row in page.rows]
        if _describes_columns(reading, page.name, rows) or _lists_codes(reading, page.name, rows):
            reading.rest = [form for form in reading.rest if form.sheet.name != page.name]


def _describes_columns(reading, where, rows) -> bool:
    """A table with the header of every column in one of its own, what it means and its unit beside."""
    headers = {plain(f.parts[-1]) for f in reading.fields if f.parts}
    columns = list(zip(*rows, strict=True))
    at = next(
        (k for k, cells in enumerate(columns) if len(headers & set(cells)) * 2 >= max(len(headers), 4)), None
    )
    if at is None or sum(c in headers for c in columns[at]) < len(headers & set(columns[at])):
        return False
    beside = {row[at]: [c for k, c in enumerate(row) if k != at and c] for row in rows if row[at] in headers}
    if sum(map(bool, beside.values())) * 2 < len(beside) or any(
        sum(c in headers for c in said) > 1 for said in beside.values()
    ):
        return False
    told = []
    for i, f in enumerate(reading.fields):
        said = beside.get(plain(f.parts[-1])) if f.parts else None
        if not said:
            continue
        unit = next((c for c in said if is_unit(c) and c != "1"), "")
        means = next((c for c in said if c != unit and meaning((c,)).name), "")
        own = meaning(f.parts, f.unit)
        if not own.name and not own.kind and means:
            reading.fields[i] = Field((*f.parts, means), f.at, f.unit or unit)
        elif unit and not own.unit:
            reading.fields[i] = replace(f, unit=unit)
        else:
            continue
        told.append(f"{f.header}: {' '.join(filter(None, (means, unit)))}")
    if told:
        listed = "; ".join(told)
        reading.account.told.add(f"as sheet {where} says: {listed}", f"据工作表 {where}：{listed}")
    return bool(told)


def _lists_codes(reading, where, rows) -> bool:
    """A short table of codes and the species that they stand for, half of which the vocabulary knows."""
    width = len(rows[0])
    for k in range(width):
        for v in range(width):
            names = {
                row[k]: row[v] for row in rows if row[k] and row[v] and meaning((row[v],)).name != "species"
            }
            known = sum(map(_is_species, names.values()))
            if k == v or known < 2 or known * 2 < len(names) or any(map(_is_species, names)):
                continue
            heads = {row[k] for row in rows if row[k] and meaning((row[v],)).name == "species"}
            if _decoded(reading, where, names, heads):
                return True
    return False


def _decoded(reading, where, names, heads) -> bool:
    """Put the species for their codes, in the column that holds codes alone."""
    for i, f in enumerate(reading.fields):
        cells = [plain(row[i]) for row in reading.cells]
        means = meaning(f.parts, f.unit).name if f.parts else ""
        if not any(cells) or not {c for c in cells if c} <= set(names):
            continue
        of_species = f.header in (*heads, where) or re.search("树种|species", f.header, re.IGNORECASE)
        if means != "species" and (means or not of_species):
            continue
        for row, c in zip(reading.cells, cells, strict=True):
            row[i] = names.get(c, c)
        reading.fields[i] = Field(f.parts if means == "species" else (*f.parts, "树种"), f.at)
        told = ", ".join(f"{c} {name}" for c, name in list(names.items())[:6])
        reading.account.told.add(
            f"{f.header}: codes of sheet {where}: {told}", f"{f.header}：按工作表 {where} 的代码：{told}"
        )
        return True
    return False


def _is_species(text) -> bool:
    return species_name(text) != text or bool(re.fullmatch(r"[A-Z][a-z]+ (?:× ?)?[a-z\-]+(?: .*)?", text))
