"""What a column is by what stands beside it: the other columns of the table, its title, notes, sheets of codes, its numbers.

A number of what, a height of grass or of trees, 干重 beside 枝重, a sum of what: :func:`by_context` settles names that a
header alone leaves open. Crews write once what holds for the whole table: 注：胸径cm，生物量g; 重量均为鲜重; 缺测=-9999; a sheet with
the codes of species, or with name, meaning and unit of every column. Each that is used is told.
"""

import re
from dataclasses import dataclass, replace
from typing import Any

from sinklab.data import vocabulary
from sinklab.data.columns import (
    ORGANS,
    PER_AREA,
    SEGMENT,
    Meaning,
    dimension,
    fits,
    fold,
    meaning,
    not_understood,
    species_name,
    taken_apart,
    with_unit,
)
from sinklab.data.files import letters, plain
from sinklab.data.headers import counted, is_blank, is_unit, quantity, unit_of
from sinklab.data.layout import Field
from sinklab.language import tr

#: Masses are weighed fresh: sentences, and titles that end so.
FRESH = re.compile(
    r"(?:重量?|质量|生物量|数据|以上|数值|表中)[^。;；,，]{0,8}[为是系指][^。;；,，]{0,8}[鲜湿]"
    r"|(?:weights?|mass(?:es)?|biomass) (?:is|are|was|were|=) (?:fresh|green|wet)|(?:all|as) (?:fresh|green|wet) (?:weight|mass)",
    re.IGNORECASE,
)
FRESH_TITLE = re.compile(
    r"[鲜湿](?:重|质量)(?!.*[干烘])[^。;；,，]{0,8}$|(?:fresh|green|wet) (?:weights?|mass(?:es)?)\W*$",
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
        unit = ""
        if not m.unit and f.at >= 0 and m.problem == "unit" and (unit := units.get(base, "")):
            m = meaning((*f.parts[:-1], f"{f.parts[-1]}({unit})"))
        elif not m.unit and f.at >= 0 and (unit := _unit_said(m, units, weighed)):
            m = with_unit(replace(m, unit=unit))
        if unit:
            reading.account.told.add(
                f"{f.header}: {unit}, as a note says", f"{f.header}：据附注，单位 {unit}"
            )
        out.append(m)
    return out


def as_notes_say(reading: Any, found: list[Meaning]) -> list[Meaning]:
    """Give columns the state or kind that titles and notes say of them, where their headers do not."""
    form = reading.forms[0]
    said, title = form.remarks, f"{form.title} {form.sheet.name}"
    fresh = None
    if not DRY.search(said):
        clauses = [plain(c) for c in re.split("[。;；\n]", said)]
        bare = re.sub(r"[(（][^()（）]*[)）]?", "", plain(form.title)).rstrip(" 表.")
        fresh = next(filter(None, map(FRESH.search, clauses)), None) or FRESH_TITLE.search(bare)
    both = re.search("[鲜湿]重|fresh|green|wet weight", form.title, re.IGNORECASE) and DRY.search(form.title)
    carbon = CARBON.search(title) if not re.search("生物量|biomass|含碳", title, re.IGNORECASE) else None
    girth = GIRTH.search(said)
    out, asked = [], []
    for m, f in zip(found, reading.fields, strict=True):
        unsaid = not re.search("干[重质物生]|烘|绝干|生物量|dry|biomass", f.header, re.IGNORECASE)
        if m.kind in ORGANS and carbon and unsaid:
            m = Meaning(unit=m.unit, problem="carbon")
        elif m.kind in ORGANS and both and unsaid:
            m = Meaning(unit=m.unit, problem="two")
            asked.append(f.header)
        elif m.kind in ORGANS and fresh and unsaid and not m.name.endswith("_density"):
            m = replace(m, name="fresh_mass" if m.name == "total" else f"{m.name}_fresh", kind="part")
        elif m.kind == "quantity" and m.name == "dry" and fresh and unsaid:
            m = replace(m, name="fresh")
        elif m.name == "dbh" and m.kind == "name" and girth and f.at >= 0:
            m = replace(m, kind="girth")
            reading.account.told.add(f"{f.header} is a girth: {girth[0]}", f"{f.header} 为围径：{girth[0]}")
        out.append(m)
    if fresh and any(m.name.endswith("fresh") for m in out):
        reading.account.told.add(f"masses are fresh: {fresh[0]}", f"质量为鲜重：{fresh[0]}")
    if asked:
        told = ", ".join(asked)
        reading.account.asked.add(
            f"{told}: fresh or dry mass? --column stem=COL …", f"{told}：鲜重还是干重？--column stem=列 等"
        )
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


@dataclass(frozen=True)
class _Beside:
    """What stands beside the columns of a table."""

    reading: Any
    kinds: set[str]
    taken: set[str]
    #: Units of a line above the table.
    units: list[str]
    #: Whether headers speak of traps, of plots in plots, of trees that have numbers of their own.
    traps: bool
    nested: bool
    numbered: bool

    @property
    def organs(self) -> set[str]:
        return self.taken & (set(PER_AREA) | {"wood", "culm", "crown"})

    @property
    def trees(self) -> set[str]:
        return self.taken & {"dbh", "basal_diameter", "culm"} or self.organs & {"stem", "foliage"}

    @property
    def plots(self) -> bool:
        return bool(self.taken & {"plot_id", "tree_id", "core_id"}) and "stand" not in self.taken


def by_context(reading: Any, found: list[Meaning]) -> list[Meaning]:
    """Settle names that other columns of the table, its title or its numbers explain."""
    found = units_by_notes(reading, found)
    headers = [(m.name, f.header) for m, f in zip(found, reading.fields, strict=True)]
    beside = _Beside(
        reading,
        {m.kind for m in found},
        {m.name for m in found},
        [unit_of(u) for u in re.split(r"[、,，;；\s]+", reading.forms[0].units) if u],
        traps=any(re.search("收集[框器网]|trap", header, re.IGNORECASE) for _, header in headers),
        nested=len({header for name, header in headers if name == "plot_id"}) > 1,
        numbered=any(name == "tree_id" and "丛" not in header for name, header in headers),
    )
    steps = (_counted, _of_plots, _dry_of_what, _with_roots, _by_unit_line, _of_soil, _of_known_unit)
    out = []
    for m, f in zip(found, reading.fields, strict=True):
        for step in steps:
            m = step(m, f, beside)
        out.append(m)
    out = _masses_of_stands(reading, out)
    out = _layers_with_bounds(reading, _bare_bounds(reading, out))
    out = _of_dead_wood(reading, _of_litter_traps(reading, out))
    out = _one_species(reading, _understory(reading, out))
    out = as_notes_say(reading, out)
    return _checked_sums(reading, _carbon_of_organs(reading, out))


def _counted(m, f, beside) -> Meaning:
    """A number of what, a class of bamboo, a quantity whose unit stands in its cells."""
    if not m.kind and f.parts and not beside.taken & {"tree_id", "core_id"}:
        m = _bare_number(m, f, beside.trees, beside.taken)
    if not m.kind and is_du(f, beside.reading):
        m = Meaning("age_class", "name", "du", 2)
    bare = m.problem == "unit" and not m.unit and f.parts
    if bare and (unit := _unit_in_cells(beside.reading, f, beside.units)):
        # 2500株/hm² stands in the cells, or 立方米 above the table.
        m = meaning((*f.parts[:-1], f"{f.parts[-1]}({unit})"), f.unit)
    return m


def _of_plots(m, f, beside) -> Meaning:
    """Volumes, heights, areas and numbers of plots, quadrats and clumps."""
    taken = beside.taken
    if m.problem == "unit" and m.kind == "stand" and m.unit == "m3" and "area" in taken:
        m = m if "growing_stock" in taken else replace(m, name="stand_volume", kind="name", problem="")
    of_plot = beside.plots and "count" in taken and not taken & {"tree_id", "core_id"}
    if m.name == "volume" and of_plot and not _of_one_tree(f):
        # The volume of a plot, beside the number of its trees.
        m = replace(m, name="stand_volume", kind="name")
    if m.name == "height" and "cover_fraction" in taken and not beside.trees and "tree_id" not in taken:
        m = replace(m, name="canopy_height")
    if m.name == "area" and beside.plots and "plot_area" not in taken:
        m = replace(m, name="plot_area")
    if m.name == "tree_id" and beside.numbered and "丛" in f.header:
        # 丛号 beside 竹号: culms of a clump.
        m = replace(m, name="clump")
    around = beside.nested and beside.traps and not re.search("框|器|网|trap", f.header, re.IGNORECASE)
    if m.name == "plot_id" and around:
        m = replace(m, name="site")
    if beside.nested and m.name == "plot_id" and re.search("样方|quadrat", f.header, re.IGNORECASE):
        # 样方 within 样地.
        m = replace(m, name="quadrat")
    return m


def _dry_of_what(m, f, beside) -> Meaning:
    """A dry mass that is of the stem, beside other organs, or of the whole."""
    if m.kind != "quantity" or m.name != "dry" or "component" in beside.kinds:
        return m
    base = fold(taken_apart(f.parts[-1])[0])
    if (
        base in ("干重", "干质量", "干生物量", "干重量")
        and beside.organs
        and not beside.taken & {"stem", "fresh"}
    ):
        # Beside 枝重 and 叶重 the mass of the stem is written 干重.
        return with_unit(replace(m, name="stem", kind="organ"))
    if re.search("全株|单株|总|total|whole", f.header, re.IGNORECASE):
        return with_unit(replace(m, name="total", kind="organ"))
    return m


def _with_roots(m, f, beside) -> Meaning:
    """Biomass per area of no part: of stands it may be with the roots, and is asked for."""
    if m.name != "agb_density" or m.kind != "name" or not _is_bare_mass(f):
        return m
    account = beside.reading.account
    if beside.taken & STANDS and "agb_density" not in beside.organs:
        at = letters(f.at)
        account.asked.add(
            f"{f.header}: above ground, or with the roots? --column agb_density={at} or total_density={at}",
            f"{f.header}：地上部分，还是含根？--column agb_density={at} 或 total_density={at}",
        )
        return Meaning(unit=m.unit, problem="two")
    account.told.add(f"{f.header} is taken as aboveground", f"{f.header} 按地上部分计")
    return m


def _by_unit_line(m, f, beside) -> Meaning:
    """The unit that a line above the table gives it."""
    of_mass = m.kind in (*ORGANS, "part", "quantity")
    if m.unit or not beside.units or not (vocabulary.is_variable(m.name) or of_mass):
        return m
    known = vocabulary.variable(m.name).unit if vocabulary.is_variable(m.name) else ""
    fitting = {u for u in beside.units if known and fits(u, known, "")}
    if len(fitting) == 1 and m.name not in ("age", "count"):
        return replace(m, unit=fitting.pop())
    if of_mass and len(beside.units) == 1 and not m.name.endswith(SHARES):
        return with_unit(replace(m, unit=beside.units[0]))
    return m


def _of_soil(m, f, beside) -> Meaning:
    """Carbon per area beside layers of soil."""
    soils = beside.taken & {"soc", "bulk_density", "organic_matter"}
    if not f.parts or m.name or m.kind == "rival" or not soils or "mass per area" not in dimension(m.unit):
        return m
    of_carbon = _SOIL_CARBON.fullmatch(fold(taken_apart(f.parts[-1])[0]))
    return with_unit(Meaning("soc_stock", "name", m.unit, 2)) if of_carbon else m


def _of_known_unit(m, f, beside) -> Meaning:
    """A column whose unit nobody knows is asked for."""
    reading = beside.reading
    odd = not_understood(f.parts) if f.parts and not m.unit and m.name else ""
    if not re.search("[尺寸丈两担钱石斗升]$|/", odd) or is_unit(odd) or m.name in reading.units:
        return m
    reading.account.asked.add(
        f"{f.header}: the unit {odd} is not known: --unit {m.name}=…",
        f"{f.header}：单位“{odd}”未知：--unit {m.name}=…",
    )
    return Meaning(problem="unit")


def _masses_of_stands(reading, found) -> list[Meaning]:
    """Masses of organs without a unit, where stocking or volumes say that the records are stands."""
    taken = {m.name for m in found}
    bare = [i for i, m in enumerate(found) if m.kind in ORGANS and not m.unit and reading.fields[i].at >= 0]
    own = set(reading.units) | set(reading.given)
    stands = taken & {"stem_density", "growing_stock", "basal_area", "age_group", "canopy_closure"}
    if not bare or not stands or taken & {"tree_id", "plot_area"} or any(found[i].name in own for i in bare):
        return found
    told = ", ".join(reading.fields[i].header for i in bare)
    name, at = found[bare[0]].name, letters(reading.fields[bare[0]].at)
    reading.account.asked.add(
        f"{told}: kg of a tree, or t/ha? --unit {name}=kg, or --column {PER_AREA.get(name, name)}={at}",
        f"{told}：单株 kg，还是 t/hm²？--unit {name}=kg，或 --column {PER_AREA.get(name, name)}={at}",
    )
    return [Meaning(problem="two") if i in bare else m for i, m in enumerate(found)]


def _of_one_tree(f) -> bool:
    return bool(re.search("单株|单木|平均|mean|average|per tree|/株|/tree", f.header, re.IGNORECASE))


#: Ends of names that are shares and no masses.
SHARES = ("moisture", "ratio", "moisture_dry", "moisture_wet")


#: What is told of stands of trees, whose biomass may be with or without roots.
STANDS = {
    "age", "stem_density", "basal_area", "growing_stock", "dbh", "canopy_closure", "forest_type", "age_group"
}  # fmt: skip


def _is_bare_mass(f) -> bool:
    """Whether a header says biomass or dry mass, of no part."""
    kinds = [meaning((taken_apart(part)[0],)).kind for part in f.parts]
    return "quantity" in kinds and not set(kinds) & {*ORGANS, "component"}


#: Carbon of soil layers.
_SOIL_CARBON = re.compile(r"碳[储贮]量|碳密度|carbon stocks?|c stocks?|carbon storage", re.IGNORECASE)


def _unit_in_cells(reading, f, above) -> str:
    """The one unit that all cells of a column bear; of volumes the one that a line above the table names."""
    volumes = [u for u in above if u in ("m3", "m3/ha") and re.search("蓄积|volume", f.header, re.IGNORECASE)]
    at = reading.fields.index(f)
    said = [quantity(row[at], reading.comma) for row in reading.cells if row[at] and not is_blank(row[at])]
    units = {q.unit if q else "" for q in said}
    return volumes[0] if len(volumes) == 1 else units.pop() if len(units) == 1 else ""


def _bare_number(m, f, trees, taken) -> Meaning:
    """编号 of what the table is of: trees, cores or plots."""
    base = re.sub(r"(?<=[\u4e00-\u9fff]) ?[a-z]+$", "", fold(taken_apart(f.parts[-1])[0]))
    if base in ("标准木", "样木", "样树", "样株", "单株", "解析木", "平均木", "伐倒木"):
        return Meaning("tree_id", "name", rank=2)
    if base not in ("编号", "号", "no", "id", "代号", "number", "nr"):
        return m
    if trees:
        return Meaning("tree_id", "name", rank=2)
    if taken & {"soc", "bulk_density", "organic_matter"}:
        return Meaning("core_id", "name", rank=2)
    return Meaning("plot_id", "name", rank=2) if taken & set(PER_AREA.values()) - {"plot_id"} else m


def without_whole_profiles(reading: Any, found: list[Meaning]) -> None:
    """Leave out the rows 0-60 of profiles whose layers 0-20, 20-40 and 40-60 stand above them: their sum or mean."""
    at = [i for i, m in enumerate(found) if m.kind == "layer"]
    cores = [i for i, m in enumerate(found) if m.name in ("core_id", "plot_id", "site")]
    if len(at) != 1:
        return
    gone: list[int] = []
    run: list[tuple[float, float]] = []
    for i, row in enumerate(reading.cells):
        q = quantity(row[at[0]], reading.comma)
        ends = q.ends if q else None
        if i and any(row[k] and row[k] != reading.cells[i - 1][k] for k in cores):
            run = []
        joined = len(run) > 1 and all(a[1] == b[0] for a, b in zip(run, run[1:], strict=False))
        if ends and joined and ends == (run[0][0], run[-1][1]):
            gone.append(i)
            run = []
        elif ends:
            run = [*run, ends] if run and run[-1][1] <= ends[0] else [ends]
    if gone:
        rows = [reading.rows[i] + 1 for i in gone]
        reading.account.skipped.append(
            (rows, tr("whole profiles, of the layers above", "整个剖面的合计或平均行"))
        )
        for values in (reading.cells, reading.at, reading.rows, reading.sheets):
            values[:] = [value for i, value in enumerate(values) if i not in gone]
        reading.account.n, reading.account.rows = len(reading.rows), [row + 1 for row in reading.rows]


#: Forms of litterfall: what is weighed as leaves and twigs there is litter.
TRAPS = re.compile("收集[框器网]|凋落量|凋落物总量|litter ?(?:fall|trap)", re.IGNORECASE)


def _of_litter_traps(reading, found) -> list[Meaning]:
    """Leaves and twigs of litter are no organs of trees."""
    taken = {m.name for m in found}
    title = reading.forms[0].title
    heads = " ".join([title, *(f.header for f in reading.fields)])
    titled = re.search("凋落|枯落|litter", title, re.IGNORECASE)
    traps = "litter" in taken and TRAPS.search(heads)
    if taken & {"tree_id", "dbh", "stem", "culm", "agb"} or not (traps or titled):
        return found
    out = [
        replace(m, name=f"litter_{m.name}", kind="part")
        if m.kind in ORGANS
        and m.name in ("foliage", "branch", "bark", "reproductive", "fruit", "dead_branch")
        else Meaning(unit=m.unit)
        if m.kind in ORGANS and not m.name.startswith(("litter", "understory"))
        else m
        for m in found
    ]
    sums = [i for i, m in enumerate(out) if m.kind == "sum" or m.name == "litter_total"]
    if len(sums) == 1 and not any(m.name.startswith("litter") and m.kind == "organ" for m in out):
        unit = out[sums[0]].unit or unit_of(reading.forms[0].units)
        out[sums[0]] = with_unit(Meaning("litter", "organ", unit, rank=2))
    return out


#: Dead wood that is measured piece by piece.
DEAD = re.compile(
    "倒木|枯立木|枯木|枯倒|死木|粗木质残体|木质残体|dead ?wood|woody debris|\\bCWD\\b|\\bsnags?\\b|fallen (?:log|tree)",
    re.IGNORECASE,
)


def _of_dead_wood(reading, found) -> list[Meaning]:
    """Masses and volumes of fallen and standing dead wood are of no living tree, and of no plot."""
    heads = " ".join([reading.forms[0].title, *(f.header for f in reading.fields if f.parts)])
    at = [
        i
        for i, m in enumerate(found)
        if m.kind in ("quantity", "part") or m.name in ("volume", "agb", "total", "agb_density")
    ]
    living = {"dbh", "stem", "foliage", "tree_id", "litter", "litter_density"} & {m.name for m in found}
    if not DEAD.search(heads) or living or not at:
        return found
    told = ", ".join(reading.fields[i].header for i in at)
    reading.account.told.add(
        f"{told}: of dead wood, kept as written; it is no biomass of trees",
        f"{told}：为枯死木的量，按原样保留，不计入林木生物量",
    )
    return [Meaning(unit=m.unit) if i in at else m for i, m in enumerate(found)]


def _understory(reading, found) -> list[Meaning]:
    """Herbs and shrubs beside each other are two parts of the understory; alone they are what stands on the quadrat."""
    forms = {"shrub": re.compile("灌木|shrub", re.IGNORECASE), "herb": re.compile("草本|herb", re.IGNORECASE)}
    at = {}
    for i, (m, f) in enumerate(zip(found, reading.fields, strict=True)):
        if m.kind == "quantity" and m.name in ("fresh", "dry"):
            word = next((form for form, pattern in forms.items() if pattern.search(f.header)), "")
            at |= {i: word} if word else {}
    if len(set(at.values())) < 2:
        return found
    return [
        m if i not in at
        else replace(m, name="understory", kind="sub") if m.name == "dry"
        else replace(m, name=f"{at[i]}_fresh", kind="part")
        for i, m in enumerate(found)
    ]  # fmt: skip


def _bare_bounds(reading, found) -> list[Meaning]:
    """Top and Bottom, 起 and 止, in a table of soil are the bounds of its layers."""
    taken = {m.name for m in found}
    bounds = [
        meaning(("土层", *f.parts)).name if not m.kind and len(f.parts) == 1 else ""
        for m, f in zip(found, reading.fields, strict=True)
    ]
    both = sorted(filter(None, bounds)) == ["layer_bottom", "layer_top"]
    if not both or not taken & {"soc", "bulk_density", "organic_matter"} or "layer_top" in taken:
        return found
    return [Meaning(b, "name", m.unit, rank=2) if b else m for b, m in zip(bounds, found, strict=True)]


def _layers_with_bounds(reading, found) -> list[Meaning]:
    """Of 层次 (A, B) beside 深度 (0-15) the one with bounds tells the layers."""
    at = [i for i, m in enumerate(found) if m.kind == "layer"]
    own = [i for i in at if any((q := quantity(row[i], reading.comma)) and q.ends for row in reading.cells)]
    return [Meaning() if i in at and len(own) == 1 and i not in own else m for i, m in enumerate(found)]


def _one_species(reading, found) -> list[Meaning]:
    """Of names in two languages beside each other the Latin ones are read."""
    at = [i for i, m in enumerate(found) if m.name == "species"]
    latin = [
        i
        for i in at
        if re.search("拉丁|学名|latin|scientific|botanical", reading.fields[i].header, re.IGNORECASE)
    ]
    return [
        replace(m, name="", kind="") if i in at and len(latin) == 1 and i not in latin else m
        for i, m in enumerate(found)
    ]


def _carbon_of_organs(reading, found) -> list[Meaning]:
    """Carbon in per cent of organs or species that stand beside it, where no soil is described."""
    taken, kinds = {m.name for m in found}, {m.kind for m in found}
    organs = any(m.kind == "component" and holds_organs(reading, i) for i, m in enumerate(found))
    if "carbon_fraction" in taken or taken & {"soc", "bulk_density"} or "layer" in kinds or not organs:
        return found
    carbon = ("c", "tc", "碳", "全碳", "有机碳", "total carbon", "carbon")
    return [
        Meaning("carbon_fraction", "name", m.unit, rank=2)
        if f.parts and fold(taken_apart(f.parts[-1])[0]) in carbon and m.unit in ("%", "g/kg", "1")
        else m
        for m, f in zip(found, reading.fields, strict=True)
    ]


def _checked_sums(reading, found) -> list[Meaning]:
    """A sum beside organs is a whole where the numbers say of what: aboveground, or with the roots."""
    organs = {i: m for i, m in enumerate(found) if m.kind in ORGANS}
    names = {m.name for m in organs.values()}
    out = list(found)
    for i, (m, f) in enumerate(zip(found, reading.fields, strict=True)):
        if m.kind != "sum" or not names & {"stem", "wood", "culm", "stem_biomass_density"}:
            continue
        over = f.parts[:-1]
        above = [k for k in organs if reading.fields[k].parts[: len(over)] == over]
        rows = [[quantity(row[k], reading.comma) for k in (i, *above)] for row in reading.cells]
        known = [[q.value for q in row] for row in rows if all(q and q.value is not None for q in row)]
        agree = [abs(sum(rest) - whole) <= 0.005 * whole + 0.02 for whole, *rest in known]
        if len(above) < 3 or sum(agree) * 10 < 9 * len(agree) or not agree:
            continue
        summed = {organs[k].name for k in above}
        below = summed & {"root", "bgb", "bgb_density", "rhizome"}
        name = "bgb" if below == summed else "total" if below else "agb"
        unit = m.unit or next(organs[k].unit for k in above)
        settled = with_unit(Meaning(name, "organ", unit, rank=2))
        if settled.name and settled.name not in {one.name for one in out}:
            out[i] = settled
            reading.account.told.add(
                f"{f.header} is the sum of {', '.join(organs[k].name for k in above)}: {settled.name}",
                f"{f.header} 为 {'、'.join(organs[k].name for k in above)} 之和：{settled.name}",
            )
    return out


def organ_of(cell) -> Meaning:
    """Organ that a cell names, with or without the segment of it: 树干, 树干 0-2m, 干3."""
    text = plain(cell)
    found = meaning((text,))
    if text and found.kind not in ORGANS:
        cut = re.fullmatch(rf"(.+?)\s*[(-]?(?:{SEGMENT.pattern}|\d+)\)?", text)
        part = meaning((cut[1],)) if cut else found
        found = part if part.kind in ORGANS else found
    return found


def holds_organs(reading, position) -> bool:
    """Whether the cells of a column whose name says nothing are organs."""
    kinds = [organ_of(row[position]).kind for row in reading.cells if row[position]]
    return len(kinds) > 2 and sum(k in ORGANS for k in kinds) * 10 >= 7 * len(kinds)


def is_du(header: Any, table: Any) -> bool:
    """Whether 度 heads classes, Ⅰ or 2, of a table that speaks of bamboo; ``header`` is one of its ``fields``."""
    if not header.parts or fold(header.parts[-1]) not in ("度", "度别"):
        return False
    cells = [plain(row[table.fields.index(header)]) for row in table.cells]
    classes = [counted(c, False) or (float(c) if c in "123456789" else 0) for c in cells if c]
    said = [*(form.title for form in table.forms), *(f.header for f in table.fields), *sum(table.cells, [])]
    return bool(classes) and all(0 < k <= 12 for k in classes) and any("竹" in text for text in said)
