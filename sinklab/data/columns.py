"""What the columns of a field file mean: names in Chinese, English and other languages, with their units.

:func:`meaning` understands the header of a column: a name, label or symbol of the vocabulary, a word of
``data/vocabulary/header_words.csv`` (also an organ with a quantity: 树干生物量, 枝鲜重, leaf dry weight), and its unit in any
bracket or after a slash; where no list has a name, its words say it (:mod:`sinklab.data.headers`). Cells are read in
:mod:`sinklab.data.headers`, what follows from columns (dry masses, crowns, values per area) is worked out in
:mod:`sinklab.data.derived`. Nothing is guessed: what could mean two things is left for a person to decide.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from sinklab.data import headers, vocabulary
from sinklab.data.files import MISSING, PROSE, letters, numeric, plain, records
from sinklab.data.headers import POWERS, is_unit, of_what, unit_of
from sinklab.language import DataError, Notes, UnitError, tr

# Names.


@dataclass(frozen=True)
class Meaning:
    """What a header says.

    Attributes
    ----------
    name : str
        Variable of the vocabulary, or a name made of one (``stem_fresh``, ``crown_1``, ``layer``); "" when unknown.
    kind : str
        ``name, girth, class, crown, axis, layer, organ, sub, segment, repeat, quantity, component, remark, sum`` or "".
    unit : str
        Unit that is written, "" where none is.
    rank : int
        0 for the name of the vocabulary, 1 for a label or known word, 2 for one with additions.
    problem : str
        Why a name that is known was not taken: ``unit``, ``two``, or ``other`` for another quantity (a maximum, an increment).
    """

    name: str = ""
    kind: str = ""
    unit: str = ""
    rank: int = 9
    problem: str = ""


#: Masses of a tree, and what they are called per area.
PER_AREA = {
    "stem": "stem_biomass_density",
    "bark": "bark_density",
    "branch": "branch_density",
    "foliage": "foliage_density",
    "agb": "agb_density",
    "bgb": "bgb_density",
    "root": "bgb_density",
    "total": "total_density",
    "litter": "litter_density",
    "understory": "understory_density",
}
#: Sizes that are measured twice, crosswise, and what tells the two apart.
REPEATED = ("dbh", "basal_diameter", "height")
TWICE = re.compile(
    r"[12]|[ab]|东西|南北|东西向|南北向|e ?[-—–]? ?w|n ?[-—–]? ?s|s ?[-—–]? ?n|长|短|最大|最小|纵|横|第?一次?|第?二次?|①|②"
)
#: Parts of a stem or crown that are weighed one by one.
SEGMENT = re.compile(
    r"\d+(?:\.\d+)?\s*m?\s*[-~–—至]\s*\d+(?:\.\d+)?\s*m?|[>≥]\s*\d+(?:\.\d+)?\s*m|\d+(?:\.\d+)?\s*m以上|梢头?|顶?梢|梢段|第?[一二三四五六七八九十\d]+段|[上中下](?:部|层|段)?|基部|伐桩"
)
#: Sorts of roots and branches by their width: >20mm, 2-5 mm, <2.
OF_WIDTH = re.compile(
    r"(?:(?:[<>≤≥]=?|[ΦφDd]\s*[<>≤≥])\s*\d+(?:\.\d+)?|\d+(?:\.\d+)?\s*[-~–—至]\s*\d+(?:\.\d+)?)\s*(?:mm|cm)"
)
_LAYER = r"\d+ ?(?:[-~–—至]| ) ?\d+ ?(?:cm|m)?(?: ?层)?"
#: What a mean of replicates is called.
MEANS = ("平均", "均值", "平均值", "mean", "average")
#: What a tree gained, below the size that it is of.
INCREMENT = re.compile("(?:连年|平均|定期|年均)生长量?|生长率|increment|[cmp]ai", re.IGNORECASE)
#: Masses of carbon: kg C, Mg C ha-1, tCO2e.
OF_CARBON = re.compile(r"(?<![A-Za-z])(?:[kM]?g|t)\s*[-·.]?\s*(C(?:O2)?e?(?:q)?)(?![A-Za-z])")
#: What is measured in organs besides their mass.
NUTRIENTS = re.compile(
    r"[氮磷钾钙镁硫]|养分|灰分|热值|含量|浓度|nitrogen|phosph|potass|calori|(?<![a-z])ash(?![a-z])|concentration|nutrient|(?<![a-z])[NPK](?![a-z])",
)
#: Kinds of headers that name an organ: the whole of it, or one of several sorts (粗根, 细根).
ORGANS = ("organ", "sub")
#: Symbols that mean one thing in every form; those of masses need kg beside them.
CLEAR_SYMBOLS = {"D", "H", "DBH", "D_0", "D0"}
MASSES = {
    "S": "stem",
    "W": "wood",
    "K": "bark",
    "B": "branch",
    "L": "foliage",
    "A": "agb",
    "R": "root",
    "T": "total",
}


@lru_cache(maxsize=1)
def _words() -> dict[str, tuple[str, str]]:
    rows = records("vocabulary", "header_words.csv")
    return {fold(row["word"]): (row["means"], row["kind"]) for row in rows if row["kind"] != "symbol"}


@lru_cache(maxsize=1)
def _symbols() -> dict[str, str]:
    """Letters that mean a variable where their unit is one of it."""
    rows = records("vocabulary", "header_words.csv")
    return {fold(row["word"]): row["means"] for row in rows if row["kind"] == "symbol"}


def fold(text: str) -> str:
    """A name without case, blanks and punctuation between its words."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain(text))
    text = re.sub(r"[_\-.:：\s]+", " ", text).strip().casefold()
    # Blanks between Chinese letters only spread them: 胸 径.
    return re.sub(r"(?<=[\u4e00-\u9fff]) | (?=[\u4e00-\u9fff])", "", text)


@lru_cache(maxsize=1)
def _names() -> dict[str, tuple[str, int]]:
    """Names and labels of the vocabulary, folded, with their rank."""
    found = {}
    for variable in vocabulary.variables().values():
        for label in (variable.label_zh, variable.label_en):
            found.setdefault(fold(label), (variable.name, 1))
    for variable in vocabulary.variables().values():
        found[fold(variable.name)] = (variable.name, 0)
    return found


@lru_cache(maxsize=4096)
def meaning(parts: tuple[str, ...], unit: str = "") -> Meaning:
    """Understand a header.

    Parameters
    ----------
    parts : tuple of str
        Cells of the header from the top: ``("生物量（g，烘干）", "干")``.
    unit : str
        What stands below the header in a row of units.
    """
    bases, units, words = [], [], []
    if not parts or max(map(len, parts)) > PROSE:
        return Meaning()
    if unit and not unit_of(unit):
        # A unit that says of what, below the name: 体积%.
        of, inner = of_what(unit)
        return meaning((*parts[:-1], f"{parts[-1]}({of})"), inner) if of else meaning(parts, inner)
    if len(parts) > 1 and is_unit(parts[-1]) and not knows(parts[-1]):
        # A row of units that belongs to the header.
        return meaning(parts[:-1], unit or parts[-1])
    for part in parts:
        base, written, qualifiers = taken_apart(part)
        bases.append(base)
        words += qualifiers
        units.append(written)
    written = next((u for u in [unit_of(unit), *reversed(units)] if u), "")
    found = _understood(bases, words)
    symbol = re.fullmatch(r"W_?\{?([A-Za-z])\}?", plain(bases[-1]))
    if symbol and not found.name and written in ("kg", "g"):
        found = Meaning(MASSES.get(symbol[1].upper(), ""), "organ", rank=2)
    known = _symbols().get(fold(bases[-1]), "")
    if known and written and (one := with_unit(Meaning(known, "name", written, 2))).name:
        # N(株/hm2), dg_cm: a letter means what its unit allows.
        return one
    if found.name == "moisture" or found.name.endswith("_moisture"):
        said = " ".join(parts)
        wet = re.search("湿基|鲜基|鲜重|相对|wet|fresh basis", said, re.IGNORECASE)
        dry = re.search("干基|干重|绝对|dry basis", said, re.IGNORECASE)
        found = replace(found, name=found.name + ("_wet" if wet else "_dry" if dry else ""))
    settled = with_unit(replace(found, unit=written))
    if (
        settled.problem == "unit"
        and settled.unit
        and len(parts) > 1
        and ((over := meaning(parts[:-1], written)).name or over.kind == "stand")
    ):
        # 冠幅 above Crown/m: the name in one of two languages that the unit fits.
        return over
    return settled if found.name or found.kind else replace(found, unit=written)


#: What a crown is written along: 冠幅(m) 东西×南北.
_AXES = re.compile(
    r"(?:东西|南北|长|宽|EW|NS|E-W|N-S)向?\s*[×xX*✕]\s*(?:东西|南北|长|宽|EW|NS|E-W|N-S)向?", re.IGNORECASE
)


def taken_apart(part: str) -> tuple[str, str, list[str]]:
    """A part of a header without its unit, the unit, and other words in brackets."""
    text = re.sub(_AXES, "", plain(part.translate(POWERS)))
    text = re.sub(r"^(?:其中|内)[:]\s*(?=\S)", "", text)
    # 粗根(>20mm) compares, <kg> is a bracket.
    text = re.sub(r"<([^<>()]*)>", r"(\1)", text)
    unit, words = "", []
    for inside in re.findall(
        r"[(\[【〔「{]([^()\[\]【】〔〕「」{}]*(?:\([^()]*\)[^()]*)?)[)\]】〕」}]", text
    ):
        if of_carbon := OF_CARBON.search(inside):
            # kg C, t CO2/ha are no masses of wood.
            words.append("carbon")
            inside = (inside[: of_carbon.start(1)] + inside[of_carbon.end(1) :]).strip()
        whole = unit_of(inside)
        for token in [inside] if whole else re.split(r"[,，、;；\s]+", inside):
            # What the share is of may stand before its unit: 体积%.
            split = re.fullmatch(r"([\u4e00-\u9fff]+)(\W.*|[a-z].*)", token) or ("", "", token)
            known = unit_of(token) or unit_of(split[2])
            if known and not unit:
                unit = known
                words += [split[1]] if split[1] and not unit_of(token) else []
            elif token:
                words.append(token)
    base = re.sub(r"[(\[【〔「{].*?[)\]】〕」}]+", " ", text).strip(" /")
    if not unit:
        base, unit = _unit_at_end(base)
    elif (below := re.fullmatch(r"(.*\S)\s*/\s*(ha|hm2)", base)) and (whole := unit_of(f"{unit}/ha")):
        # G/ha [m²]
        base, unit = below[1], whole
    return base, unit, words


def said_of(parts: tuple[str, ...]) -> list[str]:
    """Folded words of a header: its parts without units, and what stands in brackets."""
    return [fold(t) for part in parts for base, _, inside in [taken_apart(part)] for t in (base, *inside)]


def not_understood(parts: tuple[str, ...]) -> str:
    """A short word in brackets that is neither a unit nor known: it may be a unit that nobody told the vocabulary."""
    return next(
        (w for part in parts for w in taken_apart(part)[2] if re.fullmatch(r"[\u4e00-\u9fff/]{1,4}|[A-Za-z]{1,4}\d?(?:/\w{1,4})?", w)
         and not _single(w).kind and not headers.words(fold(w)) and not TWICE.fullmatch(fold(w))),
        "",
    )  # fmt: skip


def _unit_at_end(base: str) -> tuple[str, str]:
    """``胸径/cm``, ``DBH_mm``, ``枝 kg``, ``height, m``, ``stem kg/tree``."""
    glued = re.fullmatch(r"([\u4e00-\u9fff]+)([A-Za-z%][A-Za-z0-9/%\-·]*)", base)
    if glued and unit_of(glued[2]):
        return glued[1], unit_of(glued[2])
    for cut in (found.start() for found in re.finditer(r"[/,，:_ .]", base)):
        name, rest = base[:cut].strip(), base[cut + 1 :].strip(" :,，")
        if name and rest and unit_of(rest) and not (rest.isdigit() or _lone(name, rest)):
            return name, unit_of(rest)
        if name and "_" in rest and unit_of(rest.replace("_", "/")):
            # oc_g_kg
            return name, unit_of(rest.replace("_", "/"))
    return base, ""


def _lone(name, rest) -> bool:
    """Whether the rest is a word that also names what is counted: ``no of trees``, ``plot no``."""
    return unit_of(rest) == "1" or (
        rest in ("a", "t", "g", "m")
        and not re.search(r"[\u4e00-\u9fff]|[A-Za-z]{2}", name)
        and name not in CLEAR_SYMBOLS
        and (name, rest) != ("h", "m")
    )


def _understood(bases, words) -> Meaning:
    """Meaning of a header by its last part, with what stands above it and in brackets."""
    own, above = bases[-1], bases[:-1]
    whole = _single(own)
    if whole.kind in ORGANS and any(NUTRIENTS.search(b) and not _single(b).kind for b in [*above, *words]):
        return Meaning(problem="other")
    if whole.kind in ("name", "organ", "girth", "crown", "stand") and _is_another(whole, [*above, *words]):
        return Meaning(problem="other")
    if above and (not whole.kind or fold(own) in MEANS or INCREMENT.fullmatch(fold(own))):
        over = _understood(above, words)
        end = _words().get(fold(own), ("", ""))
        if over.kind == "layer" and end[1] == "end":
            return Meaning(end[0], "name", rank=2)
        if TWICE.fullmatch(fold(own)) and (over.name in REPEATED or over.kind == "crown"):
            return _one_of_two(over, fold(own))
        if over.kind == "name" and (how := headers.how_measured(fold(own))):
            # 树高 above 目测 and 测高仪.
            return replace(
                over, kind="estimate" if how == "guess" else over.kind, rank=3 if how == "guess" else 2
            )
        if fold(own) in MEANS:
            # Of replicates beside each other their mean is read.
            return replace(over, rank=2) if over.kind else whole
        if (
            INCREMENT.fullmatch(fold(own))
            and vocabulary.is_variable(over.name)
            and over.name != "growing_stock"
        ):
            return Meaning()
        if SEGMENT.fullmatch(plain(own)) and (over.kind in ORGANS or over.kind == "part"):
            return replace(over, kind="segment", rank=2)
        if OF_WIDTH.fullmatch(plain(own)) and over.name in ("root", "bgb", "branch"):
            return replace(over, kind="sub", rank=2)
    mark = next((fold(w) for w in words if TWICE.fullmatch(fold(w))), "")
    if mark and not above and (whole.kind == "crown" or whole.name in REPEATED):
        return _one_of_two(whole, mark)
    # What stands above an organ may be a quantity, and the other way round.
    if above or words:
        around = [_single(b) for b in [*above, *words]]
        organ = whole if whole.kind in ORGANS else next((m for m in around if m.kind in ORGANS), None)
        several = [m for m in (whole, *around) if m.kind == "quantity"]
        amount = next((m for m in several if m.name != "dry"), several[0] if several else None)
        if organ and amount and whole.kind in (*ORGANS, "quantity"):
            return _of_organ(organ, amount)
        if not whole.kind:
            joined = _single("".join([*above, own])) if above else Meaning()
            if joined.kind:
                return joined
            named = next(
                (m for m in around[: len(above)] if m.kind and m.kind not in ("remark", "sum")), None
            )
            if named and len(bases) > 1 and not numeric(own) and _is_filler(own):
                return replace(named, rank=2)
    return whole


def _is_another(found, beside) -> bool:
    """Whether words in brackets or above a size make another quantity of it: 胸径(去皮), 优势木 above 平均高."""
    numeric = vocabulary.is_variable(found.name) and vocabulary.variable(found.name).numeric
    if found.kind not in ORGANS and not numeric:
        return False
    return any(
        headers.other_quantity(fold(w)) and not _single(w).kind and not TWICE.fullmatch(fold(w))
        for w in beside
    )


def _one_of_two(found, mark) -> Meaning:
    """A size that is measured twice; of a crown the two are its axes."""
    if found.kind == "crown":
        first = re.search("1|a|东西|e.{0,3}w|长|最大|纵|一|①", mark)
        return replace(found, name="crown_1" if first else "crown_2", kind="axis", rank=2)
    return replace(found, kind="repeat", rank=2)


def _is_filler(text) -> bool:
    return _words().get(fold(text), ("", ""))[1] == "filler" or not text


@lru_cache(maxsize=4096)
def _single(text: str) -> Meaning:
    """Meaning of one name."""
    text = plain(text)
    if (symbol := text.strip("_ ").replace("_", "")) in CLEAR_SYMBOLS:
        return Meaning(
            {"D": "dbh", "DBH": "dbh", "H": "height"}.get(symbol, "basal_diameter"), "name", rank=1
        )
    key = fold(text)
    if not key:
        return Meaning()
    known = _names().get(key)
    word = _words().get(key)
    if known and (known[1] == 0 or not word or word[1] == "filler"):
        return Meaning(known[0], "organ" if known[0] in PER_AREA else "name", rank=known[1])
    if word and word[1] not in ("filler", "end"):
        return Meaning(word[0], word[1], rank=1)
    cut = re.fullmatch(rf"([\u4e00-\u9fff]+) ?({_LAYER})", key)
    if cut and (part := _single(cut[1])).kind in ORGANS:
        # Roots by layers beside each other: 根0-10cm.
        return replace(part, kind="segment", rank=2)
    twice = re.fullmatch(rf"(.{{2,}}?) ?({TWICE.pattern})", key)
    base = _single(twice[1]) if twice else Meaning()
    if base.kind == "crown" or (base.name in REPEATED and base.kind == "name"):
        return _one_of_two(base, twice[2])
    found = _with_additions(key)
    if found.kind or found.problem:
        return found
    if two := re.fullmatch(r"([\u4e00-\u9fff][^a-z]*?) ?([a-z][a-z ]+)", key):
        # 去皮干 Wood, 枝 Branches: a name in two languages.
        both = [_single(half) for half in two.groups()]
        known = [m for m in both if m.kind]
        if known and (len(known) < 2 or known[0].name == known[1].name) and not any(m.problem for m in both):
            return replace(known[0], rank=2)
    told = headers.said(key)
    if told.other:
        return Meaning(problem="other")
    return Meaning(told.name, told.kind, rank=3 if told.kind == "estimate" else 2) if told.name else found


def _with_additions(key) -> Meaning:
    """A name with words before or after it that say nothing else, or an organ with a quantity."""
    words, names = _words(), _names()
    found = []
    for cut in range(1, len(key)):
        left, right = key[:cut].strip(), key[cut:].strip()
        split_word = key[cut] != " " and key[cut - 1] != " " and left[-1:].isascii() and right[:1].isascii()
        if split_word or (left == "枝干" and right[:1] in "重质"):
            # 枝干重 is the dry mass of branches, as 叶干重 is that of leaves.
            continue
        first, second = words.get(left, ("", "")), words.get(right, ("", ""))
        if first[1] == "filler":
            rest = _single(right)
            if rest.kind:
                kind = first[0] if first[0] and rest.kind in ("stand", "hectare") else rest.kind
                if first[0] and rest.kind in ("organ", "quantity"):
                    kind = "organ_" + first[0]
                found.append(replace(rest, kind=kind, rank=2))
        elif first[1] in ORGANS and second[1] == "quantity":
            found.append(_of_organ(Meaning(*first), Meaning(*second)))
        elif second[1] in ORGANS and first[1] == "quantity":
            found.append(_of_organ(Meaning(*second), Meaning(*first)))
        elif second[1] == "filler" and (names.get(left) or first[1]):
            found.append(replace(_single(left), rank=2))
    if not found:
        # A Chinese name with its symbol: 胸径D, 树高 H.
        symbol = re.fullmatch(r"([\u4e00-\u9fff]{2,})([a-z]{1,3}[\d ]{0,3})", key)
        return replace(_single(symbol[1]), rank=2) if symbol and _single(symbol[1]).kind else Meaning()
    distinct = {(m.name, m.kind) for m in found}
    if len(distinct) > 1:
        organs = [m for m in found if m.kind.startswith("organ")]
        if len({m.name for m in organs}) == 1:
            return organs[0]
        return Meaning(problem="two")
    return found[0]


def _of_organ(organ, amount) -> Meaning:
    """Mass of an organ; masses of samples have names of their own."""
    if amount.name == "dry":
        return replace(organ, rank=max(organ.rank, amount.rank, 1) if organ.rank < 9 else 2)
    if amount.name == "fresh" and organ.name == "total":
        return Meaning("fresh_mass", "name", rank=2)
    return Meaning(f"{organ.name}_{amount.name}", "part", rank=2)


def with_unit(found: Meaning) -> Meaning:
    """Settle what the unit decides: mass or mass per area, count or count per area, and units that cannot be."""
    name, kind, unit = found.name, found.kind, found.unit
    if kind in ("hectare", "mu", "organ_hectare", "organ_mu"):
        below = "ha" if kind.endswith("hectare") else "mu"
        unit = unit or {"growing_stock": "m3", "basal_area": "m2", "stem_density": "1"}.get(name, "t")
        unit = unit if "/" in unit else f"{unit}/{below}"
        name = PER_AREA.get(name, name) if kind.startswith("organ") else name
        kind = "organ" if kind.startswith("organ") else "name"
    if kind in ORGANS and dimension(unit) == "mass per area":
        name = PER_AREA.get(name, name)
    if kind in ("quantity", "part") and dimension(unit) == "mass per area":
        # 干重(g/m2) of a quadrat is of what stands on it.
        organ, _, amount = name.rpartition("_") if kind == "part" else ("agb", "", name)
        if organ in PER_AREA and amount in ("fresh", "dry"):
            name = PER_AREA[organ] + ("_fresh" if amount == "fresh" else "")
            kind = "name" if amount == "dry" else "part"
    if name == "age_class" and unit == "year":
        name = "age"
    if name in ("count", "stem_density") and unit == "ha":
        # Stems/ha, 株数/hm2.
        unit = "1/ha"
    if name == "count" and dimension(unit) == "count per area":
        name = "stem_density"
    if name == "volume" and dimension(unit) == dimension("m3/ha"):
        name = "growing_stock"
    if kind == "unit" and dimension(unit) == "density":
        name, kind = "wood_density", "name"
    if kind in ("stand", "unit") and not unit:
        # 蓄积 without a unit is of a stand or of a hectare, 密度 of trees or of wood.
        return replace(found, name="", problem="unit", kind=kind)
    if (
        kind == "name"
        and unit not in ("", "1")
        and vocabulary.is_variable(name)
        and not vocabulary.variable(name).numeric
    ):
        # 小班(m³) below 蓄积 is no number of a stand.
        return Meaning(unit=unit, problem="unit")
    if vocabulary.is_variable(name) and unit:
        wanted = vocabulary.variable(name).unit
        if wanted and not fits(unit, wanted, name):
            return replace(found, name="", unit=unit, problem="unit", kind=kind)
    if (
        kind in (*ORGANS, "segment")
        and unit
        and dimension(unit) in ("length", "area", "volume", "time", "angle")
    ):
        # Thickness of litter, length of roots.
        return Meaning(unit=unit, problem="unit")
    weighed = name.endswith(("fresh", "dry")) and "moisture" not in name
    if kind in ("quantity", "part") and unit and weighed and "mass" not in dimension(unit):
        # Of masses: dry matter in %, diameters in cm are something else.
        return Meaning(unit=unit, problem="unit")
    return replace(found, name=name, unit=unit, kind="name" if kind in ("stand", "unit") else kind)


def dimension(unit: str) -> str:
    """What a unit of the vocabulary measures: ``mass per area``; "" for none."""
    return (
        next((row["dimension"] for row in records("vocabulary", "units.csv") if row["unit"] == unit), "")
        if unit
        else ""
    )


def fits(unit: str, wanted: str, name: str = "") -> bool:
    """Whether a unit measures what another one does; a plot may be written by its sides."""
    try:
        vocabulary.convert(1.0, unit, wanted)
    except UnitError:
        # A length may stand for a volume or area only where the cells say so: 20 m × 30 m.
        return name == "plot_area" and unit in ("m", "cm")
    return True


def knows(text: str) -> bool:
    """Whether a text is a name that a column of a form may bear."""
    found = meaning((text,))
    return bool(found.name or found.kind or found.problem in ("two", "other"))


def inner_unit(name: str, unit: str) -> str:
    """Unit in which a quantity outside the vocabulary is kept."""
    if name == "area_se":
        return "ha"
    if name.endswith(("moisture", "_ratio", "moisture_dry", "moisture_wet")):
        return "1"
    if name.endswith("_density_fresh"):
        return "t/ha"
    if name.endswith(("fresh", "dry")):
        return "kg"
    if name in ("crown_1", "crown_2", "disc_height"):
        return "m"
    return "kg" if unit and fits(unit, "kg") else unit


# Equations with Chinese names.


def vocabulary_names(text: str) -> str:
    """Equations with the names of the vocabulary for Chinese ones: ``干 = a*胸径^b`` becomes ``stem = a*dbh^b``."""
    lines = []
    for line in text.split("\n"):
        code, mark, comment = line.partition("#")
        lines.append(re.sub(r"[\u4e00-\u9fff][\u4e00-\u9fff\w.]*", _in_vocabulary, code) + mark + comment)
    return "\n".join(lines)


def _in_vocabulary(match) -> str:
    found = meaning((match[0],))
    return (
        found.name
        if vocabulary.is_variable(found.name) and found.kind in ("name", "organ", "girth", "crown")
        else match[0]
    )


@lru_cache(maxsize=4096)
def species_name(label: str) -> str:
    """Latin name of a species where the vocabulary knows it."""
    known = vocabulary.find_species(label)
    return known.name_latin if known else label


# The account of a reading.


@dataclass
class Column:
    """A column of a file: how it is written, and what it was understood as."""

    header: str
    at: int
    name: str = ""
    unit_in: str = ""
    unit: str = ""
    how: str = ""

    def __str__(self):
        """Tell it as ``C 胸径(mm) → dbh [mm → cm]``."""
        letter = f"{letters(self.at)} " if self.at >= 0 else ""
        change = f"{self.unit_in} → {self.unit}" if self.unit_in and self.unit_in != self.unit else ""
        about = "; ".join(filter(None, (change, self.how)))
        name = f" → {self.name}" if self.name != self.header else ""
        return f"{letter}{self.header}{name}" + (f" [{about}]" if about else "")


@dataclass
class Account:
    """What was read of a file, and what was not.

    Attributes
    ----------
    file, sheet : str
    form : str
        Kind of file, or the encoding and delimiter of a text.
    header : str
        Rows of the header as people count them.
    n : int
        Records.
    rows : list of int
        Row of each record in the file, counted from 1.
    columns : list of Column
        Those that were understood.
    unknown : list of Column
        Those that were not; they are handed on as they are written.
    skipped : list of (list of int, str)
        Rows that are no records, counted from 1, and what they are.
    told, asked : Notes
        What was changed or assumed; what a person has to decide.
    left : list of (str, str)
        Sheets of tables that were not read, and what is told of them.
    missing, limits : list of (str, str)
        Places of cells without a value and of values below a limit, with what is written there.
    doubtful : list of tuple
        Record, variable, text, place of cells that were not understood.
    written : DataFrame of str
        The records as they are written, under their own headers.
    """

    file: str
    sheet: str = ""
    form: str = ""
    header: str = ""
    n: int = 0
    rows: list[int] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    unknown: list[Column] = field(default_factory=list)
    skipped: list[tuple[list[int], str]] = field(default_factory=list)
    told: Notes = field(default_factory=Notes)
    asked: Notes = field(default_factory=Notes)
    left: list[tuple[str, str]] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    limits: list[tuple[str, str]] = field(default_factory=list)
    doubtful: list[tuple[int, str, str, str]] = field(default_factory=list)
    written: Any = None

    def skip(self, rows: list[int], why: str) -> None:
        """Note rows that are no records; those of one kind stand together."""
        same = next((known for known, reason in self.skipped if reason == why), None)
        if same is None:
            self.skipped.append((rows, why))
        else:
            same += rows

    def tell_heads(self, heads: Mapping[tuple[str, str], list[tuple[str, str]]]) -> None:
        """Tell what the heads of forms say of all their records: values and places by label and variable; of many cards once."""
        for (label, name), said in heads.items():
            value, where = said[0]
            if len(said) == 1:
                self.told.add(
                    f"{where}: {label} {value} → {name} of all records",
                    f"{where}：{label} {value} → 全部记录的 {name}",
                )
                continue
            values = listing_in_line(list(dict.fromkeys(v for v, _ in said)), 3)
            self.told.add(
                f"{where} …: {label} → {name} of all records of each of {len(said)} tables ({values})",
                f"{where} 等：{label} → {len(said)} 张表各自全部记录的 {name}（{values}）",
            )

    def __str__(self):
        """Tell it to a person."""
        where = [
            self.file,
            self.form,
            tr(f"sheet {self.sheet}", f"工作表 {self.sheet}") if self.sheet else "",
        ]
        where += [tr(f"header in row {self.header}", f"表头第 {self.header} 行") if self.header else ""]
        where += [tr(f"{self.n} records", f"{self.n} 条记录")]
        if self.rows:
            where[-1] += tr(f" (rows {spans(self.rows)})", f"（第 {spans(self.rows)} 行）")
        lines = [" · ".join(filter(None, where))]
        if self.columns:
            lines.append("  " + "; ".join(map(str, self.columns)))
        for rows, why in self.skipped:
            lines.append(
                "  " + tr(f"not read: row {spans(rows)}: {why}", f"未读：第 {spans(rows)} 行：{why}")
            )
        if self.unknown:
            names = ", ".join(
                f"{letters(c.at)} {c.header}" + (f" ({c.how})" if c.how else "") for c in self.unknown
            )
            lines.append(
                "  " + tr(f"not recognised, kept as written: {names}", f"未识别，按原样保留：{names}")
            )
        if self.missing:
            lines.append("  " + tr("no value: ", "无数值：") + _cells(self.missing))
        if self.limits:
            lines.append(
                "  "
                + tr("limits, kept beside the value (…_limit): ", "检出限（另存为 …_limit 列）：")
                + _cells(self.limits)
            )
        lines += [f"  {note}" for note in (*self.told, *dict.fromkeys(note for _, note in self.left))]
        lines += [
            "  " + tr(f"please decide: {note}", f"请确认：{note}") for note in dict.fromkeys(self.asked)
        ]
        if self.doubtful:
            lines.append(
                "  "
                + tr("not understood, left blank: ", "无法理解，留空：")
                + _cells([(d[3], d[2]) for d in self.doubtful])
            )
        return "\n".join(lines)

    def as_written(self, name: str) -> Any:
        """Cells of a column of the frame as the file writes them; None where they are blank."""
        import pandas as pd

        column = next(c for c in [*self.columns, *self.unknown] if name in (c.name, c.header))
        cells = self.written[column.header] if column.header in self.written else self.written[name]
        if not all(isinstance(c, str) for c in cells):
            return cells
        return pd.array([None if plain(c) in MISSING else plain(c) for c in cells], dtype="str")

    def find(self, name: str) -> str:
        """Column of the frame that a person means by a variable, a header, or a letter.

        Raises
        ------
        DataError
            With the columns that there are.
        """
        every = [*self.columns, *self.unknown]
        for column in every:
            if name in (column.name, column.header):
                return column.name or column.header
        for column in every:
            if name in (
                taken_apart(column.header.split("/")[-1])[0],
                letters(column.at) if column.at >= 0 else "",
            ):
                return column.name or column.header
        known = ", ".join(c.header for c in every)
        raise DataError(f"no column {name!r}; found {known}", f"没有列 {name!r}；现有 {known}")


def spans(rows: Iterable[int]) -> str:
    """Row numbers as people write them: ``4–18, 20``."""
    found: list[list[int]] = []
    for row in sorted(set(rows)):
        if found and row == found[-1][1] + 1:
            found[-1][1] = row
        else:
            found.append([row, row])
    return ", ".join(f"{a}–{b}" if b > a else f"{a}" for a, b in found)


def _cells(items) -> str:
    return listing_in_line([f"{where} {text!r}" if text else where for where, text in items])


def listing_in_line(items: list[str], limit: int = 12) -> str:
    """Items with commas between, those beyond ``limit`` counted."""
    rest = len(items) - limit
    return ", ".join(items[:limit]) + (tr(f" and {rest} more", f" 等 {len(items)} 处") if rest > 0 else "")
