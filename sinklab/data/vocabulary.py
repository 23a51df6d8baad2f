"""What every name means: units, variables with their ranges, species, weighed components, ecosystems.

Each is a row of a file in ``data/vocabulary``; a new one is a new row.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from sinklab.data.files import records
from sinklab.language import DataError, UnitError, listing, reader_language, tr

if TYPE_CHECKING:
    import pandas as pd

P = ParamSpec("P")
R = TypeVar("R")

# Units: conversion between those that field books use and the one that each variable has.


@lru_cache(maxsize=1)
def _units() -> dict[str, dict]:
    return {row["unit"]: row for row in records("vocabulary", "units.csv", numbers=("factor",))}


def units_symbol(unit: str, lang: str | None = None) -> str:
    """Unit as people print it, ``t/ha`` or ``t/hm²``; empty for a ratio, the text itself when unknown."""
    row = _units().get(unit)
    return unit if row is None else row[f"symbol_{lang or reader_language()}"]


def units() -> tuple[str, ...]:
    """Names of all known units."""
    return tuple(_units())


def check(unit: str) -> str:
    """Return ``unit`` when it is known.

    Raises
    ------
    UnitError
        Listing the known units.
    """
    if unit not in _units():
        known = ", ".join(_units())
        raise UnitError(
            f"unit {unit!r} is not known; known units (data/vocabulary/units.csv): {known}",
            f"未知单位 {unit!r}；已知单位（data/vocabulary/units.csv）：{known}",
        )
    return unit


def convert(values: ArrayLike, unit_from: str, unit_to: str) -> Any:
    """Convert numbers from one unit to another of the same dimension.

    Parameters
    ----------
    values : float or array
    unit_from, unit_to : str
        Names in ``data/vocabulary/units.csv``.

    Returns
    -------
    converted : float or array, same shape

    Raises
    ------
    UnitError
        A unit is unknown, or the two measure different things.

    Examples
    --------
    >>> float(convert(250.0, "g/m2", "t/ha"))
    2.5
    """
    (dimension_from, factor_from), (dimension_to, factor_to) = (
        (_units()[check(unit)]["dimension"], _units()[unit]["factor"]) for unit in (unit_from, unit_to)
    )
    if dimension_from != dimension_to:
        raise UnitError(
            f"cannot convert {unit_from} ({dimension_from}) to {unit_to} ({dimension_to})",
            f"无法将 {unit_from}（{dimension_from}）换算为 {unit_to}（{dimension_to}）",
        )
    if unit_from == unit_to:
        return values
    # Ratios of whole numbers stay exact (cm to m divides by 100 instead of multiplying by 0.01).
    if factor_from >= factor_to:
        return np.multiply(values, factor_from / factor_to)[()]
    return np.divide(values, factor_to / factor_from)[()]


# Variables, and their labels for people.


@dataclass(frozen=True)
class Variable:
    """One row of ``data/vocabulary/variables.csv``; limits are plausible values, in ``unit``."""

    name: str
    symbol: str
    latex: str
    unit: str
    minimum: float | None
    maximum: float | None
    role: str
    label_en: str
    label_zh: str
    meaning_en: str
    meaning_zh: str

    @property
    def numeric(self) -> bool:
        """Whether the variable holds numbers."""
        return self.role != "identifier"

    def outside(self, values: Any) -> Any:
        """Which values (number or array) lie outside the limits; missing ones do not."""
        low = -np.inf if self.minimum is None else self.minimum
        high = np.inf if self.maximum is None else self.maximum
        return (values < low) | (values > high)


@lru_cache(maxsize=1)
def variables() -> dict[str, Variable]:
    """All variables by name."""
    limits = ("minimum", "maximum")
    found = {}
    for row in records("vocabulary", "variables.csv"):
        bounds = {k: float(row[k]) if row[k] else None for k in limits}
        found[row["name"]] = Variable(**(row | bounds))
    return found


def is_variable(name: str) -> bool:
    """Whether the vocabulary knows ``name`` as a variable."""
    return name in variables()


def is_number(name: str) -> bool:
    """Whether a name is a variable whose values are numbers."""
    return is_variable(name) and variable(name).numeric


def variable(name: str) -> Variable:
    """Return the variable called ``name``.

    Raises
    ------
    DataError
        With the nearest known names.

    Examples
    --------
    >>> sl.variable('dbh').unit
    'cm'
    """
    known = variables()
    if name not in known:
        near = get_close_matches(name, known, n=3)
        raise DataError(
            f"variable {name!r} is not in data/vocabulary/variables.csv; nearest: {', '.join(near) or '–'}",
            f"data/vocabulary/variables.csv 中没有变量 {name!r}；相近的名称：{'、'.join(near) or '无'}",
        )
    return _worded(known[name], "variable", name)


def label(name: str, lang: str | None = None, unit: bool = False, told: str = "") -> str:
    """Label of a variable for people; names outside the vocabulary stand for themselves.

    Parameters
    ----------
    name : str
    lang : "zh" or "en", optional
        The reader's language when left out.
    unit : bool
        Add the unit, as in ``dbh (cm)`` or ``胸径/cm``.
    told : str
        What of the variable is meant, before the unit: ``dbh, lower (cm)``, ``胸径下限/cm``.
    """
    if not is_variable(name):
        return name
    found = variable(name)
    chinese = (lang or reader_language()) == "zh"
    text = f"{found.label_zh}{told}" if chinese else f"{found.label_en}{told and ', '}{told}"
    symbol = units_symbol(found.unit, lang) if unit else ""
    if not symbol:
        return text
    if chinese:
        return f"{text}/{symbol}" if "/" not in symbol else f"{text}/({symbol})"
    return f"{text} ({symbol})"


# Words of an ecosystem: a culm of bamboo has a height and leaves of its own.

#: Ecosystem whose words are used, "" for those of trees and all others.
_spoken: ContextVar[str] = ContextVar("spoken", default="")


@contextmanager
def words_of(system: str) -> Iterator[None]:
    """Name variables, components and columns as an ecosystem does, by ``data/vocabulary/wordings.csv``, for a while."""
    before = _spoken.set(system or _spoken.get())
    try:
        yield
    finally:
        _spoken.reset(before)


def in_its_words(show: Callable[P, R]) -> Callable[P, R]:
    """Let a function that shows a fit or a table, its first argument, name things as the ``ecosystem`` of that does."""

    @wraps(show)
    def inside(*arguments: P.args, **options: P.kwargs) -> R:
        # A frame may have a column of that name.
        system = getattr(arguments[0], "ecosystem", "") if arguments else ""
        with words_of(system if isinstance(system, str) else ""):
            return show(*arguments, **options)

    return inside


def ecosystem_of(names: Iterable[str]) -> str:
    """Ecosystem that alone has one of these variables, as bamboo has culms; "" where none tells.

    Examples
    --------
    >>> ecosystem_of(['dbh', 'culm']), ecosystem_of(['dbh', 'stem'])
    ('bamboo', '')
    """
    own = {*names}
    return next((e.system_id for e in ecosystems().values() if own & {*e.variables}), "")


@lru_cache(maxsize=1)
def _wordings() -> dict[tuple[str, str, str], dict[str, str]]:
    rows = records("vocabulary", "wordings.csv")
    return {(r["system"], r["kind"], r["name"]): {k: r[k] for k in ("label_en", "label_zh")} for r in rows}


def wording(kind: str, name: str) -> dict[str, str]:
    """``label_en`` and ``label_zh`` of a variable, component or header in the words that are spoken; empty where they are the common ones."""
    return _wordings().get((_spoken.get(), kind, name), {})


def _worded(row: Any, kind: str, name: str) -> Any:
    own = wording(kind, name)
    return replace(row, **own) if own else row


# Values outside their limits, and the units that would bring them back.

#: Units in which the numbers of a field form are easily written by mistake.
CONFUSED = {
    "cm": ("mm", "m"),
    "m": ("cm", "dm"),
    "kg": ("g", "t"),
    "m3": ("dm3",),
    "g/cm3": ("kg/m3",),
    "1": ("%", "g/kg"),
}


def candidates(unit: str) -> list[tuple[str, float]]:
    """Units in which a number may have been written, and the factor by which it is then too large.

    Those that are confused in the field where that is known, else every other unit of the same kind.
    """
    found = []
    for other in CONFUSED.get(unit, units()):
        try:
            factor = float(convert(1.0, unit, other))
        except UnitError:
            continue
        if factor != 1 and factor not in (known for _, known in found):
            found.append((other, factor))
    return found


def explaining(value: float, known: Variable) -> list[str]:
    """Units in which a number would lie inside the limits of a variable, the most common mistake first."""
    return [unit for unit, factor in candidates(known.unit) if not known.outside(value / factor)]


def suspect(values: "pd.Series", name: str) -> list[str]:
    """Values of one variable outside its limits, with the units that would bring them back.

    Parameters
    ----------
    values : Series
        In the unit of the vocabulary.
    name : str
        A variable of the vocabulary.

    Returns
    -------
    lines : list of str
        ``record 41: carbon_fraction = 47; expected 0.2-0.7; likely unit: % (47 % = 0.47)``.
    """
    known = variable(name)
    values = values.dropna().astype(float)
    wrong = values[known.outside(values)]
    lines = []
    for i, value in wrong.items():
        explained = ", ".join(
            f"{unit} ({value:g} {unit} = {convert(value, unit, known.unit):g} {known.unit})".replace(
                " 1)", ")"
            )
            for unit in explaining(value, known)[:2]
        )
        explained = explained and tr("likely unit: ", "可能的单位：") + explained
        lines.append(
            tr(
                f"record {number(i)}: {name} = {value:g}; "
                f"expected {known.minimum:g}-{known.maximum:g} {units_symbol(known.unit, 'en')}; ",
                f"第 {number(i)} 条记录：{name} = {value:g}；"
                f"应为 {known.minimum:g}～{known.maximum:g} {units_symbol(known.unit, 'zh')}；",
            )
            + (explained or tr("no unit explains it: check the field book", "单位无法解释：请查野外记录"))
        )
    return lines


def refuse_doubtful(**columns: Any) -> None:
    """Refuse values of variables, named as the vocabulary does, outside their limits; each with its record.

    Raises
    ------
    DataError
        All of them at once, with the likely unit.
    """
    import pandas as pd

    lines = []
    for name, values in columns.items():
        lines += suspect(pd.Series(np.atleast_1d(np.asarray(values, float))), name)
    if lines:
        raise DataError(listing(lines))


def number(index: Any) -> Any:
    """Number of a record, counted from one; other labels stand for themselves."""
    return index + 1 if isinstance(index, (int, np.integer)) else index


# Species, by any of their names.


@dataclass(frozen=True)
class Species:
    """One row of ``data/vocabulary/species.csv``: a species, or a genus where trees are named by genus.

    ``name_en`` is the Latin name where no English one is in use. ``regions`` and ``systems`` say which of the
    programmes plants, manages or counts it, and where. ``read`` is "seen" where the pair of names was seen in a
    checklist (Checklist of Plant Species in China 2023 and others), "recalled" where not, "" in the oldest rows.
    """

    species_id: str
    name_latin: str
    name_zh: str
    name_en: str
    genus: str
    family: str
    group: str
    group_zh: str
    synonyms: tuple[str, ...]
    also_zh: tuple[str, ...]
    regions: tuple[str, ...]
    systems: tuple[str, ...]
    read: str


@lru_cache(maxsize=1)
def _species() -> dict[str, Species]:
    found = {}
    several = ("synonyms", "also_zh", "regions", "systems")
    for row in records("vocabulary", "species.csv", several=several):
        row |= {"name_en": row["name_en"] or row["name_latin"]}
        found[row["species_id"]] = Species(**row)
    return found


def species_list() -> tuple[Species, ...]:
    """All species of the vocabulary."""
    return tuple(_species().values())


@lru_cache(maxsize=1)
def _species_keys() -> dict[str, Species]:
    keys = {}
    for item in _species().values():
        names = (item.name_en, item.name_zh, item.name_latin, item.species_id, *item.synonyms, *item.also_zh)
        keys |= {key.casefold(): item for key in names}
    return keys


def find_species(key: str) -> Species | None:
    """Species of any of its names, without looking for the nearest one where there is none."""
    return _species_keys().get(key.strip().casefold())


def species_within(text: str) -> Species | None:
    """Species named by some words of an id in a row, ``cunninghamia_published``; a genus of one species names that one.

    Examples
    --------
    >>> species_within('agb_forest_cunninghamia_published').name_zh
    '杉木'
    """
    words = text.split("_")
    for length in range(len(words), 0, -1):
        for start in range(len(words) - length + 1):
            part = "_".join(words[start : start + length])
            members = [s for s in species_list() if s.genus.casefold() == part.casefold()]
            if found := find_species(part) or (members[0] if len(members) == 1 else None):
                return found
    return None


def species(key: str) -> Species:
    """Find a species by its id, Latin, Chinese or English name, or a synonym.

    Raises
    ------
    DataError
        With the nearest known names.

    Examples
    --------
    >>> sl.species('杉木').name_latin
    'Cunninghamia lanceolata'
    """
    found = find_species(key)
    if found is None:
        near = get_close_matches(key.casefold(), _species_keys(), n=3)
        raise DataError(
            f"species {key!r} is not in data/vocabulary/species.csv; nearest: {', '.join(near) or '–'}; "
            "add a row there",
            f"data/vocabulary/species.csv 中没有树种 {key!r}；相近的名称：{'、'.join(near) or '无'}；请在其中加一行",
        )
    return found


# Components: what exactly was weighed.


@dataclass(frozen=True)
class Component:
    """One row of ``data/vocabulary/components.csv``: what exactly was weighed."""

    component_id: str
    variable: str
    includes: tuple[str, ...]
    excludes: tuple[str, ...]
    label_en: str
    label_zh: str


@lru_cache(maxsize=1)
def components() -> dict[str, Component]:
    """All component definitions by id."""
    rows = records("vocabulary", "components.csv", several=("includes", "excludes"))
    return {row["component_id"]: Component(**row) for row in rows}


def component(name: str) -> Component:
    """One component definition in the words that are spoken."""
    return _worded(components()[name], "component", name)


# Ecosystems.


@dataclass(frozen=True)
class Ecosystem:
    """One row of ``data/vocabulary/systems.csv``: an ecosystem that a table id may name.

    ``groups`` are the groups of species whose equations are its own, ``variables`` those that no other has; ``notebooks``, a ``batch`` and ``pages``
    of ``reports/systems`` are where the work on it begins.
    """

    system_id: str
    label_en: str
    label_zh: str
    groups: tuple[str, ...]
    variables: tuple[str, ...]
    notebooks: tuple[str, ...]
    batch: str
    pages: tuple[str, ...]


@lru_cache(maxsize=1)
def ecosystems() -> Mapping[str, Ecosystem]:
    """All ecosystems by id."""
    rows = records("vocabulary", "systems.csv", several=("groups", "variables", "notebooks", "pages"))
    return {row["system_id"]: Ecosystem(**row) for row in rows}


def ecosystem(name: str) -> Ecosystem:
    """Return the ecosystem of an id.

    Raises
    ------
    DataError
        With the ids that exist.
    """
    known = ecosystems()
    if name not in known:
        raise DataError(
            f"ecosystem {name!r} is not in data/vocabulary/systems.csv; known: {', '.join(known)}",
            f"data/vocabulary/systems.csv 中没有生态系统 {name!r}；已有：{'、'.join(known)}",
        )
    return known[name]


# Groups of a table: species, components and classes in words.


def group_members(group: str) -> dict[str, str]:
    """Columns of a group, or of a definition, with the level of each.

    Examples
    --------
    >>> group_members("species_id=pinus_massoniana;component=stem_bark")
    {'species_id': 'pinus_massoniana', 'component': 'stem_bark'}
    """
    return dict(part.partition("=")[::2] for part in group.split(";") if part)


def group_label(group: str, lang: str | None = None) -> str:
    """A group such as ``species_id=pinus_massoniana;component=stem_bark`` in words."""
    chinese = (lang or reader_language()) == "zh"
    words, pairs = [], list(group_members(group).items())
    kinds = {_species()[v].group for c, v in pairs if c == "species_id" and v in _species()}
    with words_of(next((e.system_id for e in ecosystems().values() if kinds & {*e.groups}), "")):
        told = {v: component(v) for c, v in pairs if c == "component" and v in components()}
    for column, value in pairs:
        if column == "species_id" and value in _species():
            found = _species()[value]
            value = found.name_zh if chinese else found.name_latin
        elif column == "component" and value in told:
            value = told[value].label_zh if chinese else told[value].label_en
        elif (column, value) in group_words():
            value = group_words()[column, value][chinese]
        elif column == "dbh_threshold":
            value = f"起测胸径 {value} cm" if chinese else f"trees from {value} cm dbh"
        elif is_variable(column) and variable(column).numeric:
            value = f"{value.removesuffix('.0')} {units_symbol(variable(column).unit, lang)}".strip()
            # Stocks and roots are counted from the surface down.
            value = f"0–{value}" if column == "soil_depth" else value
        words.append(value)
    return " ".join(words) if chinese else ", ".join(words)


def level_label(value: str, lang: str | None = None) -> str:
    """One level of a group whose column is not told, in words where only one column knows it.

    Examples
    --------
    >>> level_label("salt_marsh", "en"), level_label("plot 3", "en")
    ('salt marsh', 'plot 3')
    """
    known = {column for column, level in group_words() if level == value}
    known |= {"component"} if value in components() else set()
    known |= {"species_id"} if value in _species() else set()
    return group_label(f"{known.pop()}={value}", lang) if len(known) == 1 else value


def estimand(row: Mapping, lang: str | None = None) -> str:
    """What the mean of a row of ``values.csv`` is taken over, of which definition, and whom its range speaks for."""
    chinese, known = (lang or reader_language()) == "zh", group_words()

    def word(column):
        return known[column, row[column]][chinese] if row.get(column) else ""

    said = set(str(row.get("group", "")).split(";"))
    defined = [p for p in str(row.get("definition", "")).split(";") if p and p not in said]
    definition = ("，" if chinese else ", ").join(group_label(part, lang) for part in defined)
    whom = word("of_whom")
    parts = [word("mean_of"), word("ratio_of"), definition]
    parts += [whom and (f"区间为{whom}" if chinese else f"range of {whom}")]
    return ("；" if chinese else "; ").join(filter(None, parts))


@lru_cache(maxsize=1)
def group_words() -> dict[tuple[str, str], tuple[str, str]]:
    """English and Chinese words of the groups of a column: habitats, soil types, grades, grassland types."""
    rows = records("vocabulary", "groups.csv")
    return {(row["column"], row["value"]): (row["label_en"], row["label_zh"]) for row in rows}


#: Columns whose cells are groups with labels of their own.
GROUPED = ("habitat", "desertification_grade", "grassland_type", "age_group")


def group_value(column: str, label: str) -> str:
    """Value of a group that a cell names by its value, a label, or the beginning of one label; "" for none.

    Examples
    --------
    >>> group_value("desertification_grade", "轻度"), group_value("habitat", "红树林"), group_value("habitat", "池塘")
    ('light', 'mangrove', '')
    """
    said = label.strip().casefold()
    known = {value: (value, *words) for (of, value), words in group_words().items() if of == column}
    same = [value for value, words in known.items() if said in map(str.casefold, words)]
    begun = [
        value
        for value, words in known.items()
        if len(said) > 1
        and any(w.casefold().startswith(said) or said.startswith(w.casefold()) for w in words)
    ]
    return same[0] if same else begun[0] if len(begun) == 1 else ""
