"""What a header says by its words, in any order: of what, which size, where, fresh or dry; units and numbers as people write them.

Nobody lists all ways to write "oven-dry weight of the branch sample". :func:`said` cuts a name into words of
``data/vocabulary/header_parts.csv`` and organs, and puts together what they say where every word is understood. Words that
make another quantity of it (dominant, maximum, increment, under bark) are told as such, so that it is taken for none.

:func:`unit_of` reads ``g·cm⁻³``, ``t hm-2``, ``株/亩``; :func:`quantity` a cell: full-width digits, thousands, limits of
detection, values with an error, ranges, products; :func:`counted` tallies and classes.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from sinklab.data import vocabulary
from sinklab.data.files import PROSE, plain, records
from sinklab.language import tr

# Units as people write them.

#: Superscripts, and what they stand for.
POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


@lru_cache(maxsize=1)
def _unit_words() -> dict[str, str]:
    words = {row["word"]: row["unit"] for row in records("vocabulary", "unit_words.csv")}
    symbols = {}
    for unit in vocabulary.units():
        for lang in ("en", "zh"):
            symbol = plain(vocabulary.units_symbol(unit, lang))
            if symbol and symbol not in words:
                symbols[symbol] = unit
    return symbols | words | {unit: unit for unit in vocabulary.units()}


#: Of what masses are that are weighed for a whole plot: kg/样地.
PLOTS = ("样地", "样方", "标准地", "小区", "plot", "quadrat", "seedling")


@lru_cache(maxsize=4096)
def unit_of(text: str) -> str:
    """Unit of the vocabulary that a text names, or "": ``g·cm⁻³``, ``t hm-2``, ``株/亩``, ``厘米``.

    Examples
    --------
    >>> unit_of("Mg ha-1"), unit_of("m³/hm²"), unit_of("kg/株"), unit_of("tree")
    ('Mg/ha', 'm3/ha', 'kg', '1')
    """
    if len(text) > PROSE:
        return ""
    text = plain(text.translate(POWERS)).replace("^", "").strip("()[]【】 ")
    words = _unit_words()
    if not text:
        return ""
    if (times := re.fullmatch(r"(0\.0*1|10+)\s*[×x*]?\s*([A-Za-z\u4e00-\u9fff].*)", text)) and (
        one := unit_of(times[2])
    ):
        return _multiple(float(times[1]), one)
    twice = re.fullmatch(r"([a-zA-Z\u4e00-\u9fff]+)\s*[×xX*]\s*\1", text)
    text = twice[1] if twice else text
    if text in words:
        return words[text]
    above, below = [], []
    # What follows a slash stands below it, as does what has a negative power.
    for i, part in enumerate(text.split("/")):
        for factor in re.findall(r"[^\s·.*×()]+", part):
            split = re.fullmatch(r"(\D+?)(-?\d)?", factor)
            if not split:
                return ""
            name, power = split[1], int(split[2] or 1)
            name, square = (name[:-1], name[-1]) if name[-1] in "23" else (name, "")
            size = abs(power) if not square else int(square)
            known = words.get(name if size == 1 else f"{name}{size}")
            if i and not known and name in PLOTS:
                known = "1"
            if name in ("hm", "公顷") and size in (1, 2):
                known = "ha"
            if not known:
                return ""
            (below if i or power < 0 else above).append(known)
    above = [u for u in above if u != "1"] or ["1"]
    below = [u for u in below if u != "1"]
    candidate = "/".join([*above[:1], *below]) if len(above) == 1 else ""
    return candidate if candidate in vocabulary.units() else ""


def _multiple(factor, unit) -> str:
    """Unit of the vocabulary that is a tenth or ten times another: 0.1cm is mm, 0.1m is dm; "" for none."""
    rows = {row["unit"]: row for row in records("vocabulary", "units.csv")}
    wanted, own = factor * float(rows[unit]["factor"]), rows[unit]["dimension"]
    return next(
        (
            u
            for u, row in rows.items()
            if row["dimension"] == own and abs(float(row["factor"]) / wanted - 1) < 1e-9
        ),
        "",
    )


def is_unit(text: str) -> bool:
    """Whether a text names a unit, and of what it is, and nothing else."""
    return bool(unit_of(text) or unit_of(of_what(text)[1]))


def of_what(text: str) -> tuple[str, str]:
    """What a unit is of, and the unit: ``体积%`` and ``%(体积)``; both "" where it says neither."""
    inside = re.sub(r"^[(\[（【]|(?<!体积)(?<!质量)(?<!重量)[)\]）】]$", "", plain(text))
    inside = re.sub(r"^([%‰])\s*\(?((?:体积|质量|重量)(?:比|分数)?)\)?$", r"\2\1", inside)
    of = OF_WHAT.fullmatch(inside)
    return (of[1] or "", of[2] or of[3]) if of else ("", "")


#: A unit that says of what: 体积%, kg d.m.
OF_WHAT = re.compile(
    r"(体积|质量|重量)(?:比|分数|百分比)?\s*([%‰])|(.+?)\s*(?:d\.? ?m\.?|d\.? ?w\.?|o\.? ?d\.? ?w\.?|dry)",
    re.IGNORECASE,
)


# Numbers as people write them.

#: Cells of a column of numbers that say that there is no value.
BLANKS = {
    "", "na", "n/a", "n.a.", "n.d.", "nd", "null", "none", "nil", "-", "--", "---", "—", "——", "–", "/", "\\", ".", "*", "…", "...", "......", "……",
    "×", "x", "?", "？", "未测", "未测定", "未测量", "未称", "未量", "缺", "缺测", "缺失", "缺值", "缺株", "无", "无数据", "未采", "未采集",
    "未取", "未取样", "丢失", "遗失", "损坏", "破损", "未挖", "未检", "not measured", "missing", "lost", "no data", "#n/a", "未调查", "空",
}  # fmt: skip
#: What a spreadsheet shows for a formula that has no value.
FAULTS = re.compile(r"#(?:DIV/0!|VALUE!|REF!|NAME\?|NUM!|NULL!|N/A|ZAHL!|####*)", re.IGNORECASE)
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
#: Groups of three digits with points between them, where the comma is the decimal mark.
_POINT_THOUSANDS = re.compile(r"-?[1-9]\d{0,2}(?:\.\d{3})+")
_DASH = r"\s*(?:-{1,2}|~|–|—{1,2}|至|到|to)\s*"


@dataclass(frozen=True)
class Quantity:
    """What a cell says: a value, a limit it is below or above, its spread, the ends of a range, sides of a product, a unit."""

    value: float | None = None
    limit: float | None = None
    sign: str = ""
    spread: float | None = None
    ends: tuple[float, float] | None = None
    sides: tuple[float, ...] = ()
    unit: str = ""
    how: str = ""


#: Degrees, minutes and seconds: 110°30′15″E.
_ANGLE = re.compile(
    r"[东西南北]?[经纬]?\s*(\d{1,3})\s*[°度]\s*(\d{1,2}(?:\.\d+)?)\s*['′´’分](?:\s*(\d{1,2}(?:\.\d+)?)\s*(?:[\"″”秒]|''|′′))?\s*([NSEWnsew])?"
)


@lru_cache(maxsize=65536)
def quantity(text: str, comma: str = "") -> Quantity | None:
    """Read a cell; None when it says nothing that can be understood.

    Parameters
    ----------
    text : str
    comma : str
        What a comma is: ``decimal``, ``thousands``, or "" where nothing is known of the file; then groups of three
        digits are thousands, and anything else is not understood.
    """
    if len(text) > PROSE:
        return None
    clean = plain(text.replace("。", "."))
    # What a person types so that Excel keeps a text.
    clean = re.sub(r"^['`’‘]\s*(?=[\d.<>+-])", "", clean)
    bare = re.sub(
        r"^(?:约|大约|ca\.?\s*|≈|~)\s*|\s*(?:左右|上下)$|\s*\((?:估|估测|估计|目测|约)\)$", "", clean
    )
    about, clean = bare != clean, bare
    angle = _ANGLE.fullmatch(clean)
    if angle:
        parts = [float(angle[k] or 0) for k in (1, 2, 3)]
        south = -1 if (angle[4] or "").upper() in ("S", "W") else 1
        return Quantity(south * (parts[0] + parts[1] / 60 + parts[2] / 3600), unit="degree")
    how = (
        "about"
        if about
        else "point"
        if "。" in text
        else "width"
        if clean != text.strip().replace("\u2212", "-")
        else ""
    )
    if "," in clean:
        if comma == "decimal":
            clean = clean.replace(".", "").replace(",", ".")
        elif re.search(r"\d,\d", clean) and not re.search(r"\d,(?!\d{3}(?!\d))", clean):
            clean, how = re.sub(r"(?<=\d),(?=\d{3})", "", clean), "thousands"
        else:
            return None
    elif comma == "decimal" and _POINT_THOUSANDS.fullmatch(clean):
        clean, how = clean.replace(".", ""), "thousands"
    elif re.fullmatch(r"\d{1,3}(?: \d{3})+(?:\.\d+)?", clean):
        clean, how = clean.replace(" ", ""), "thousands"
    if re.fullmatch(rf"{_NUMBER}\s*[*※†#①②③]+", clean):
        clean, how = clean.rstrip("*※†#①②③ "), "mark"
    if "±" in clean:
        # Letters of significance: 5.2±0.3ab.
        clean = re.sub(r"(?<=\d)\s*[a-zA-Z]{1,3}$", "", clean)
    bare, unit = _cut_unit(clean)
    return _quantity(bare, unit, how)


def _cut_unit(clean) -> tuple[str, str]:
    if re.fullmatch(_NUMBER, clean):
        return clean, ""
    found = re.fullmatch(r"(.*?\d\.?)\s*([A-Za-z%‰°\u4e00-\u9fff][^\d]*[23]?(?:/\w+)?)", clean)
    if found and unit_of(found[2]):
        return found[1].strip(), unit_of(found[2])
    return clean, ""


def _quantity(text, unit, how) -> Quantity | None:
    if re.fullmatch(_NUMBER, text):
        return Quantity(float(text), unit=unit, how=how) if np.isfinite(float(text)) else None
    below = re.fullmatch(rf"([<>≤≥]|小于|大于|不足|低于)=?\s*({_NUMBER})", text)
    if below:
        sign = {"小于": "<", "不足": "<", "低于": "<", "大于": ">", "≤": "<", "≥": ">"}.get(
            below[1], below[1]
        )
        return Quantity(limit=float(below[2]), sign=sign, unit=unit, how=how)
    spread = re.fullmatch(rf"({_NUMBER})\s*(?:±|\+/?-)\s*({_NUMBER})", text)
    if spread:
        return Quantity(float(spread[1]), spread=float(spread[2]), unit=unit, how=how)
    sides = re.fullmatch(rf"({_NUMBER})\s*\w{{0,2}}?\s*[×xX*✕]\s*({_NUMBER})", text) or re.fullmatch(
        rf"({_NUMBER})\s*(?:m|cm|米)\s*[×xX*✕]\s*({_NUMBER})", text
    )
    if sides:
        return Quantity(sides=(float(sides[1]), float(sides[2])), unit=unit, how=how)
    ends = re.fullmatch(rf"(\d+(?:\.\d+)?)\s*(?:cm|m)?{_DASH}(\d+(?:\.\d+)?)", text)
    if ends:
        return Quantity(ends=(float(ends[1]), float(ends[2])), unit=unit, how=how)
    return None


#: Strokes of a tally, five to a character.
STROKES = {
    "正": 5,
    "止": 4,
    "𤴓": 4,
    "下": 3,
    "上": 3,
    "丅": 2,
    "T": 2,
    "丄": 2,
    "⊥": 2,
    "一": 1,
    "-": 1,
    "丨": 1,
}
_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九十")} | {"〇": 0, "两": 2}
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")


def counted(text: str, tally: bool) -> float | None:
    """A tally (正正下: 13), or a class in Chinese or Roman numerals (三度, Ⅲ: 3); None for anything else."""
    text = re.sub(r"[度级龄年生]+$", "", plain(text).replace(" ", ""))
    if tally:
        return float(sum(STROKES[c] for c in text)) if text and set(text) <= set(STROKES) else None
    if text.casefold() in _ROMAN:
        return float(_ROMAN.index(text.casefold()) + 1)
    tens = re.fullmatch(r"([二三四五六七八九])?十([一二三四五六七八九])?", text)
    if tens:
        return 10.0 * _DIGITS.get(tens[1] or "一", 1) + _DIGITS.get(tens[2] or "零", 0)
    return float(_DIGITS[text]) if text in _DIGITS else None


def is_blank(text: str, missing: Collection[str] = frozenset()) -> bool:
    """Whether a cell of a column of numbers says that there is no value."""
    clean = plain(text)
    return clean.casefold() in BLANKS or clean in missing


#: Points of a transect that are soil, and rock.
SOIL = {"土", "土壤", "植被", "S", "s", "soil", "Soil", "V", "v"}
ROCK = {"石", "岩", "岩石", "裸岩", "石头", "R", "r", "rock", "Rock"}


def comma_of(forms: Any) -> str:
    """What a comma is in numbers of a text file that separates its cells otherwise."""
    sheet = forms[0].sheet
    cells = [plain(c) for form in forms for row in form.cells for c in row if "," in c]
    numbers = [c for c in cells if re.fullmatch(r"[<>]?-?\d+(?:,\d+)+(?:\.\d+)?(?:\s*±.*)?", c)]
    if not numbers:
        return ""
    odd = [c for c in numbers if not re.fullmatch(r"[<>]?-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", c)]
    points = [c for form in forms for row in form.cells for c in row if re.fullmatch(r"-?\d+\.\d+", plain(c))]
    # 1.240 beside 15,6 is 1240: the point parts thousands, if all are such.
    if points and not (sheet.delimiter == ";" and odd and all(map(_POINT_THOUSANDS.fullmatch, points))):
        return ""
    if sheet.delimiter and sheet.delimiter != ",":
        return "decimal" if odd or sheet.delimiter == ";" else ""
    return "decimal" if len(odd) * 2 > len(numbers) and len(odd) > 2 else ""


def is_sentinel(cell: str, known: Any) -> bool:
    """Whether a cell is a -9999, which programs write for no value, of a variable that cannot be as low."""
    return (
        cell.startswith("-9")
        and re.fullmatch(r"-9{2,5}(?:[.,][09]+)?", plain(cell)) is not None
        and known.minimum is not None
        and known.minimum > -99
    )


def are_percent(cells: Any) -> bool:
    """Whether shares are written as per cent without the sign."""
    values = [q.value for q in map(quantity, cells) if q and q.value is not None and not q.unit]
    return bool(values) and float(np.median(values)) > 2


class Said(NamedTuple):
    """What the words of a header say: a name and kind as in ``header_words.csv``, or what makes another quantity of it."""

    name: str = ""
    kind: str = ""
    other: str = ""


@lru_cache(maxsize=1)
def _parts() -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for row in records("vocabulary", "header_words.csv"):
        if row["kind"] in ("organ", "sub") and row["word"] not in ("干", "总", "total"):
            found[row["word"].casefold()] = ("organ", row["means"])
    for row in records("vocabulary", "header_parts.csv"):
        found[row["part"]] = (row["role"], row["value"])
    return found


@lru_cache(maxsize=1)
def _labels() -> dict[str, str]:
    return {
        row["part"]: tr(row["value"], row["value_zh"])
        for row in records("vocabulary", "header_parts.csv")
        if row["role"] == "other"
    }


@lru_cache(maxsize=1)
def _longest() -> int:
    return max(map(len, _parts()))


@lru_cache(maxsize=4096)
def words(key: str) -> tuple[str, ...]:
    """Words of a folded name, the fewest that it can be cut into; none where a part of it is no word.

    Examples
    --------
    >>> words("oven dry weight of branch sample")
    ('oven dry', 'weight', 'of', 'branch', 'sample')
    """
    best: list[tuple[str, ...] | None] = [(), *[None] * len(key)]
    for end in range(1, len(key) + 1):
        for start in range(max(0, end - _longest()), end):
            before, part = best[start], key[start:end].strip()
            if before is None or not (part == "" or part in _parts()) or _within_word(key, start, end):
                continue
            cut = (*before, part) if part else before
            if best[end] is None or len(cut) < len(best[end] or ()):
                best[end] = cut
    return best[-1] or ()


def _within_word(key, start, end) -> bool:
    """Whether a cut would part the letters of one Latin word."""
    return any(
        0 < k < len(key) and re.fullmatch("[a-z][a-z]", key[k - 1 : k + 1]) is not None for k in (start, end)
    )


def other_quantity(key: str) -> str:
    """What makes another quantity of a name, "" for none: ``dominant height``, ``去皮``."""
    return next((_labels()[word] for word in words(key) if _parts()[word][0] == "other"), "")


def how_measured(key: str) -> str:
    """``guess`` of a word for what was estimated by eye, ``skip`` of one for what was measured; "" for anything else."""
    role = _parts().get(key, ("", ""))[0]
    return role if role in ("guess", "skip") else ""


@lru_cache(maxsize=4096)
def said(key: str) -> Said:
    """Put together what the words of a folded name say; nothing where one of them is unknown or they do not go together.

    Examples
    --------
    >>> said("oven dry weight of branch sample")[:2]
    ('branch_sample_dry', 'part')
    >>> said("diameter of tree at breast height").name, said("mean dominant height").name
    ('dbh', '')
    """
    cut = words(key)
    if not cut:
        return Said()
    if set(cut) & {"under bark", "inside bark", "ub", "ib", "u b", "去皮"} and set(cut) & {
        "stem",
        "bole",
        "trunk",
        "树干",
        "干",
    }:
        amounts = {_parts()[word][1] for word in cut if _parts()[word][0] in ("size", "state")} - {"mass"}
        return (
            Said("wood", "organ")
            if amounts <= {"dry"}
            else Said("wood_fresh", "part")
            if amounts == {"fresh"}
            else Said()
        )
    if (other := other_quantity(key)) and any(
        _parts()[word][0] not in ("other", "skip", "stat") for word in cut
    ):
        return Said(other=other)
    by: dict[str, list[str]] = {}
    for word in cut:
        role, value = _parts()[word]
        by.setdefault(role, []).append(value or word)
    states = by.get("state", [])
    if cut[0] == "干" and len(states) > 1 and "organ" not in by:
        # 干样干重: the first 干 is the stem.
        states.remove("dry")
        by["organ"] = ["stem"]
    sizes = set(by.get("size", []))
    found = Said()
    if "number" in by and not sizes:
        names = {"tree": "tree_id", "plot": "plot_id", "core": "core_id"}
        of = set(by.get("of", []))
        of -= {"plot"} if "tree" in of else set()
        found = Said(names.get(of.pop(), ""), "name") if len(of) == 1 and len(by) == 2 else found
    elif not sizes and set(by) == {"organ", "whole"} and len(by["organ"]) == 1:
        found = Said(by["organ"][0], "organ")
    elif len(sizes) == 1 and "number" not in by:
        size = sizes.pop()
        make = {
            "diameter": _across,
            "girth": _across,
            "width": _across,
            "height": _height,
            "area": _area,
        }.get(size, _amount)
        found = make(size, by)
    return Said(found.name, "estimate") if found.name and "guess" in by else found


def _across(size, by) -> Said:
    """Diameters and girths: where, or of the crown."""
    at, of, organs = set(by.get("at", [])), set(by.get("of", [])), set(by.get("organ", []))
    if "state" in by or not organs <= {"stem", "culm"} or of - {"tree", "stand", "crown"}:
        return Said()
    if of & {"crown"}:
        return Said("crown_diameter", "crown") if size != "girth" and not at and not organs else Said()
    if size == "width":
        return Said()
    name = {"breast": "dbh", "base": "basal_diameter"}.get("".join(at), "")
    return Said(name, "girth" if size == "girth" else "name") if name else Said()


def _height(size, by) -> Said:
    at, of, organs = set(by.get("at", [])), set(by.get("of", [])), set(by.get("organ", []))
    if "state" in by or not organs <= {"stem", "culm"} or of - {"tree", "stand", "crown"}:
        return Said()
    if "crown" in of:
        return Said("crown_base_height", "name") if at == {"base"} else Said()
    return Said("height", "name") if not at else Said()


def _area(size, by) -> Said:
    if set(by) - {"of", "size", "skip", "organ"}:
        return Said()
    of = set(by.get("of", [])) | set(by.get("organ", []))
    return {("plot",): Said("plot_area", "name"), ("crown",): Said("crown_area", "name")}.get(
        tuple(of), Said()
    )


def _amount(size, by) -> Said:
    """Masses, moisture and ratios: of an organ, a sample, a whole tree."""
    of, states, organs = set(by.get("of", [])), set(by.get("state", [])), set(by.get("organ", []))
    if size == "biomass":
        size, states = "mass", states or {"dry"}
    if of & {"crown"}:
        organs |= {"crown"}
    if "at" in by or of - {"tree", "sample", "crown"} or len(states) > 1 or len(organs) > 1 or not states:
        # Without fresh or dry nobody knows which of the two was weighed; biomass is dry.
        return Said()
    organ = organs.pop() if organs else ""
    state = states.pop()
    if size != "mass":
        return Said()
    if "sample" in of:
        amount = f"sample_{state}"
        return Said(f"{organ}_{amount}", "part") if organ else Said(amount, "quantity")
    if not organ and "whole" in by:
        organ = "total"
    if not organ:
        return Said(state, "quantity")
    if state == "dry":
        return Said(organ, "organ")
    return Said("fresh_mass", "name") if organ == "total" else Said(f"{organ}_fresh", "part")
