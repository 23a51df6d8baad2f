"""What a header says by its words, in any order: of what, which size, where, fresh or dry.

Nobody lists all ways to write "oven-dry weight of the branch sample". :func:`said` cuts a name into words of
``data/vocabulary/header_parts.csv`` and organs, and puts together what they say where every word is understood. Words that
make another quantity of it (dominant, maximum, increment, under bark) are told as such, so that it is taken for none.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from sinklab.data.files import records
from sinklab.language import tr


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
