r"""What is known of a species: one answer for every quantity, at the narrowest level that has evidence, or a refusal.

The order is the one in which evidence loses its hold: own measurements and prints of the species, its genus, its family, its
forest type, and last the class values of the IPCC with edition and class. Nothing is answered outside the range that
the evidence spans, and a name that no level knows is refused. Where nothing is left, the answer is a sample: how many
places and trees give the mean within ten per cent, from the spread that comparable taxa show.

Every answer names its level, what it rests on, its range, and whom its interval speaks for: a new place of the taxon.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from sinklab.data import vocabulary
from sinklab.data.files import records
from sinklab.data.open_data import forest_type, forest_types, load
from sinklab.evidence import equations, national, pool_equations
from sinklab.language import DataError, SinklabError, heads, table, tr
from sinklab.results.calibration import REFERENCE, between_populations
from sinklab.results.summary import values_sentence

#: Masses of a single plant that are asked of the published equations.
OF_TREES = ("agb", "root", "stem", "branch", "foliage")
#: Half width of the mean that a sampling plan is made for, and trees felled at a place.
PLAN_ERROR, PLAN_TREES = 0.10, 5
#: Plants that have no diameter in common with trees: their equations are told one by one.
APART = ("bamboo", "shrub", "mangrove", "herb")
LEVELS = ("species", "genus", "family", "forest_type", "group", "any", "class")


@dataclass(frozen=True)
class Taxon:
    """A name as the vocabulary understands it; ``species`` is blank for a genus or a family."""

    name: str
    species_id: str
    species: str
    genus: str
    family: str
    group: str
    forest_type: str
    regions: tuple[str, ...] = ()

    @property
    def levels(self) -> dict[str, str]:
        """Names by level, for :func:`sinklab.evidence.national.best`."""
        told = {
            "forest_type": self.forest_type,
            "family": self.family,
            "genus": self.genus,
            "species": self.species,
        }
        return {k: v for k, v in told.items() if v}


def find(name: str) -> Taxon:
    """Understand the name of a species, genus or family: Latin, Chinese, English, id or synonym.

    Raises
    ------
    DataError
        No level knows the name; with the nearest species.
    """
    known = vocabulary.species_list()
    with suppress(DataError):
        own = vocabulary.species(name)
        species = own.name_latin if " " in own.name_latin else ""
        return Taxon(name, own.species_id, species, own.genus, own.family, own.group, _type(own), own.regions)
    words = {
        **{g: ("genus", g) for g in {s.genus for s in known}},
        **{f: ("family", f) for f in {s.family for s in known}},
    }
    for (column, value), labels in vocabulary.group_words().items():
        if column in ("genus", "family"):
            words |= dict.fromkeys((*labels, value), (column, value))
    level, key = next((v for k, v in words.items() if k.casefold() == name.strip().casefold()), ("", ""))
    if not level:
        vocabulary.species(name)
    members = [s for s in known if getattr(s, level) == key]
    if not members:
        raise DataError(
            f"{name}: no species of the vocabulary belongs to it", f"{name}：词表中没有其所含树种"
        )
    kinds = {_type(s) for s in members}
    genus = key if level == "genus" else ""
    groups = pd.Series([s.group for s in members]).mode()
    return Taxon(
        name, "", "", genus, members[0].family, groups.iloc[0], kinds.pop() if len(kinds) == 1 else ""
    )


def _type(species) -> str:
    """Forest type of the plots of a species, of its genus, or by the leaf habit of the genus."""
    rows = national.known()
    for level, name in (("species", species.name_latin), ("genus", species.genus)):
        hit = rows[(rows["rank"] == level) & (rows["taxon"] == name)]
        if len(hit):
            return str(hit.sort_values("n")["forest_type"].iloc[-1])
    return forest_type(species.name_latin)


@dataclass(frozen=True)
class Answers:
    """Answers (one row a quantity), what was refused and why, and a sampling plan where it is wanted."""

    taxon: Taxon
    answers: pd.DataFrame
    refused: dict[str, str] = field(default_factory=dict)
    plan: dict[str, Any] | None = None


def ask(name: str, region: str | None = None, level: float = 0.95, **sizes: float) -> Answers:
    """Answer for a species what its trees and stands hold, with interval, level, range and source.

    Parameters
    ----------
    name : str
        Species, genus or family, by any name of the vocabulary.
    region : str, optional
        Province or part of the country: its equations come first.
    level : float
        Level of the intervals, which hold for a new place.
    **sizes : float
        ``dbh`` [cm], ``height`` [m], ``stem_density`` [1/ha], ``growing_stock`` [m3/ha], ``basal_area`` [m2/ha], ``age``
        [year], ``agb_density`` [t/ha]; the middle of what was measured where left out.

    Raises
    ------
    DataError
        The name is not known, or nothing at any level supports a single answer for the sizes asked.
    """
    taxon, rows, refused, of_trees = find(name), [], {}, dict(sizes)
    for response in OF_TREES:
        try:
            told, of_trees["dbh"] = _of_trees(taxon, response, region, level, of_trees)
            rows.append(told)
        except SinklabError as error:
            refused[response] = str(error)
    rows = _adding_up(rows)
    for model_id, model in national.models().items():
        try:
            rows.append(_of_stands(taxon, model_id, model, level, sizes))
        except SinklabError as error:
            refused[model_id] = str(error)
    rows += [*_single_equations(taxon), *_scalars(taxon), *_printed(taxon)]
    idle = [size for size in sizes if not any(f"{size} " in r["at"] for r in rows)]
    if idle:
        told = "\n".join(t for t in dict.fromkeys(refused.values()) if any(size in t for size in idle))
        raise DataError(
            f"{name}: nothing supports an answer for {', '.join(idle)}\n{told}",
            f"{name}：没有依据可按 {'、'.join(idle)} 回答\n{told}",
        )
    order = [
        "quantity",
        "kind",
        "at",
        "value",
        "lower",
        "upper",
        "unit",
        "level",
        "rests_on",
        "range",
        "source",
        "note",
    ]
    found = pd.DataFrame(rows, columns=order).fillna({"note": ""})
    own = {"species", "genus"} & set(
        found.loc[found["kind"] != "class", "level"].map(lambda s: s.removeprefix("zone ").split(" ")[0])
    )
    return Answers(taxon, found, refused, None if own else _plan(taxon))


# Single plants, from published equations.


@lru_cache(maxsize=16)
def _seen(response) -> dict[str, set]:
    """Ids, names, genera and families that have an equation of a response."""
    rows = equations.published(provinces=True)
    rows = rows[rows["response"] == response]
    return {c: set(rows[c]) for c in ("species_id", "taxon", "genus", "family")}


def _nearest(taxon, response, region):
    """The pooled equation of a taxon; taxa without equations of their own share that of the level that has some."""
    seen = _seen(response)
    own = taxon.species_id in seen["species_id"] or taxon.species in seen["taxon"]
    genus, family = (k if k in seen[c] else "" for c, k in (("genus", taxon.genus), ("family", taxon.family)))
    species = (taxon.species_id or taxon.species) if own else ""
    return _pooled(response, species, *("", "") if own else (genus, family), taxon.group, region)


@lru_cache(maxsize=256)
def _pooled(response, species, genus, family, group, region):
    """Equations of the narrowest level; where the part of the country of a region has enough of them, those alone."""
    keys = {} if species else {"genus": genus or None, "family": family or None, "group": group}
    if region:
        rows = equations.look_up(response, species or None, region=region, provinces=True, **keys)
        near = rows[rows["near"].isin(["region", "zone"]) & (rows["predictors"] == "dbh")]
        if len(near) >= equations.rules()["least_pooled"]:
            return pool_equations.pool(near.assign(level="zone " + near["level"]))
    return pool_equations.default_equation(response, species or None, region=region, provinces=True, **keys)


#: Parts that make up the mass above ground.
PARTS = ("stem", "branch", "foliage")


def _adding_up(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parts as shares of the mass above ground, and the total with the root: what is told of a tree adds up.

    Equations of parts come from other trees than those of the whole: what they say is how the whole is divided. The
    ends of a total are those of its two parts together, as if both were off the same way.
    """
    told = {row["quantity"]: row for row in rows}
    if "agb" in told and set(PARTS) <= set(told):
        whole = sum(told[part]["value"] for part in PARTS)
        scale = told["agb"]["value"] / whole
        shares = tr(
            f"; shares of aboveground mass, the parts alone sum to {100 / scale:.0f} % of it",
            f"；按地上部分的份额计，各部分单独之和为其 {100 / scale:.0f} %",
        )
        for part in PARTS:
            row = told[part]
            row |= {k: row[k] * scale for k in ("value", "lower", "upper")}
            row["rests_on"] += shares
    if {"agb", "root"} <= set(told):
        both = [told["agb"], told["root"]]
        total = {k: sum(row[k] for row in both) for k in ("value", "lower", "upper")}
        rests = {k: "; ".join(dict.fromkeys(row[k] for row in both)) for k in ("range", "source")}
        widest = max((row["level"] for row in both), key=_width)
        rests |= {"level": widest, "rests_on": tr("aboveground mass and root", "地上部分与根之和")}
        rows = [both[0], both[1], both[0] | {"quantity": "total"} | total | rests, *rows[2:]]
    return rows


def _width(level: str) -> int:
    return LEVELS.index(level.removeprefix("zone ").split(" ")[0])


def _of_trees(taxon, response, region, level, sizes) -> tuple[dict[str, Any], float]:
    if taxon.group in APART:
        raise DataError(
            f"{vocabulary.label(response)}: no pooled equation of single plants for {taxon.group}",
            f"{vocabulary.label(response)}：此类植物（{taxon.group}）没有合并的单株方程",
        )
    pooled = _nearest(taxon, response, region)
    low, high = pooled.ranges["dbh"]
    dbh = sizes.get("dbh") or float(np.sqrt(low * high))
    _inside("dbh", dbh, low, high, response)
    told, widest = pooled.predict({"dbh": [dbh]}, level, "individual").iloc[0], list(pooled.rows["level"])[-1]
    row = {
        "quantity": response,
        "kind": "tree",
        "at": f"dbh {dbh:.3g} cm",
        "value": float(told[response]),
        "lower": told[f"{response}_lower"],
        "upper": told[f"{response}_upper"],
        "unit": "kg",
        "level": _level(taxon, widest),
        "rests_on": _counted(pooled.rows["n"]),
        "range": f"dbh {low:g}-{high:g} cm",
        "source": "; ".join(pooled.sources),
    }
    return row, dbh


def _counted(trees) -> str:
    """Number of equations and of their trees, where that is printed."""
    told, silent = int(trees.sum()), int((~(trees > 0)).sum())
    counted = tr(f", {told} trees", f"，{told} 株") if told else ""
    without = tr(f" ({silent} without a number of trees)", f"（{silent} 个未印株数）") if silent else ""
    return tr(f"{len(trees)} equations{counted}{without}", f"{len(trees)} 个方程{counted}{without}")


def _level(taxon, level) -> str:
    """Level with its name: ``genus Quercus``; a type of plants is told by its group, a part of the country before it."""
    if level.startswith("zone "):
        return f"zone {_level(taxon, level.removeprefix('zone '))}"
    name = {"group": taxon.group, "any": ""}.get(level, getattr(taxon, level, ""))
    return f"{level} {name}".strip()


def _inside(name, value, low, high, what) -> None:
    if not low <= value <= high:
        unit = vocabulary.variable(name).unit
        raise DataError(
            f"{what}: {name} {value:g} {unit} lies outside the evidence, {low:g} to {high:g}; measure such ones first",
            f"{what}：{name} {value:g} {unit} 超出依据范围 {low:g}～{high:g}；请先测定",
        )


def _single_equations(taxon) -> list[dict[str, Any]]:
    """Printed equations of plants that are no trees: each as it stands, for it has no interval of a new place."""
    if taxon.group not in APART:
        return []
    rows = equations.published()
    level = next(
        (k for k in ("species_id", "genus") if getattr(taxon, k) and (rows[k] == getattr(taxon, k)).any()), ""
    )
    found = []
    for name, row in rows[rows[level] == getattr(taxon, level)].iterrows() if level else ():
        span = f"{row['predictor']} {row['minimum']:g}-{row['maximum']:g}" if row["maximum"] > 0 else ""
        told = {
            "quantity": row["response"],
            "kind": "equation",
            "at": row["text"],
            "value": np.nan,
            "lower": np.nan,
        }
        told |= {"upper": np.nan, "unit": row["unit"], "level": f"{level.removesuffix('_id')} {row['taxon']}"}
        found.append(told | {"rests_on": str(name), "range": span, "source": row["source_id"]})
    return found


# Stands, from plots.


def _of_stands(taxon, model_id, model, level, sizes) -> dict[str, Any]:
    row = national.best(model_id, taxon.levels)
    if row is None:
        raise DataError(
            f"{model['label_en']}: no plot at any level of {taxon.name}",
            f"{model['label_zh']}：{taxon.name} 各级均无样地",
        )
    kind = str(row["forest_type"])
    if national.refused_elsewhere(model_id, kind):
        raise DataError(
            f"{model['label_en']}: not given for this type of forest: {national.off_elsewhere(model_id, kind)}",
            f"{model['label_zh']}：该森林类型不予给出：{national.off_elsewhere(model_id, kind)}",
        )
    predictors, x = model["predictors"], [1.0]
    at = []
    if "dbh" in sizes and {"dbh", "height"} <= set(predictors) - {k for k in sizes if k == "height"}:
        # The middle of all heights is none of stands of that diameter.
        raise DataError(
            f"{model['label_en']}: give the mean height that goes with the diameter",
            f"{model['label_zh']}：请给出与胸径对应的平均高",
        )
    for j, name in enumerate(predictors, 1):
        low, high, centre = (float(row[f"{k}_{j}"]) for k in ("low", "high", "centre"))
        value = sizes.get(name) or float(np.clip(centre, low, high))
        _inside(name, value, low, high, model["response"])
        x.append(np.log(value / centre))
        at.append(f"{name} {value:.4g} {vocabulary.variable(name).unit}")
    line, covariance = national.line_of(row, predictors)
    log, variance = float(np.array(x) @ line), float(np.array(x) @ covariance @ np.array(x))
    selection, _ = between_populations(predictors, model["response"], REFERENCE)
    spread = variance + row["between"] + row["within"] + selection
    half = stats.t.ppf(0.5 + level / 2, row["spread_freedom"]) * np.sqrt(spread)
    ends = [f"{n} {row[f'low_{j}']:.4g}-{row[f'high_{j}']:.4g}" for j, n in enumerate(predictors, 1)]
    off = national.off_elsewhere(model_id, kind)
    return {
        "quantity": model["response"],
        "kind": "stand",
        "at": ", ".join(at),
        "value": float(np.exp(log + (row["between"] + row["within"]) / 2)),
        "lower": float(np.exp(log - half)),
        "upper": float(np.exp(log + half)),
        "unit": vocabulary.variable(model["response"]).unit,
        "level": f"{row['rank']} {row['taxon']}",
        "rests_on": tr(
            f"{row['n']:.0f} plots of {row['n_study']:.0f} studies; wider levels as far as these are few",
            f"{row['n_study']:.0f} 项研究 {row['n']:.0f} 块样地；样地少时兼取上级",
        ),
        "note": off,
        "range": ", ".join(ends),
        "source": "; ".join(national.SOURCES),
    }


# Values that are no function of size.


def _scalars(taxon) -> list[dict[str, Any]]:
    """Class values of ``data/rules/defaults.csv``: the narrowest taxon of each variable and edition."""
    kinds = {taxon.species: "species", taxon.genus: "genus", **dict.fromkeys(_classes(taxon), "class")}
    found = []
    for row in records("rules", "defaults.csv", numbers=("value", "class_low", "class_high")):
        if row["taxon"] and row["taxon"] in kinds and row["domain"] in ("any", *_domains(taxon)):
            found.append(row | {"level": kinds[row["taxon"]]})
    kept = {}
    for row in sorted(found, key=lambda r: LEVELS.index(r["level"])):
        # One level a variable: a genus is not asked where the species is told, an IPCC class not where either is.
        kept.setdefault(row["variable"], row["level"])
    return [_of_default(r) for r in found if kept[r["variable"]] == r["level"]]


def _of_default(row) -> dict[str, Any]:
    low, high = row["class_low"], row["class_high"]
    span = f"> {low:g}" if high != high else f"{low:g}-{high:g}"
    bounds = f"{row['class_variable']} {span}" if row["class_variable"] else ""
    where = " ".join(filter(None, ("" if row["domain"] == "any" else row["domain"], row["taxon"])))
    told = {"quantity": row["variable"], "kind": "class", "at": bounds, "value": row["value"]}
    told |= {"lower": np.nan, "upper": np.nan, "unit": row["unit"], "level": f"{row['level']} {where}"}
    rests = tr("printed class value, no interval printed with it", "印刷分类值，未附区间")
    return told | {"rests_on": rests, "range": bounds, "source": f"{row['edition']}, {row['locator']}"}


def _classes(taxon) -> tuple[str, ...]:
    """Names of the IPCC's classes that hold a taxon."""
    if taxon.group == "conifer":
        own = "pines" if taxon.genus == "Pinus" else "larch" if taxon.genus == "Larix" else "other_conifers"
        own = (
            "firs_and_spruces"
            if taxon.genus in ("Abies", "Picea") and "chifeng" not in taxon.regions
            else own
        )
        return (own, "conifers", "other_conifers", "all")
    return ("hardwoods", "other_broadleaf", "all") if taxon.group in ("broadleaf", "economic", "tree") else ()


def _domains(taxon) -> tuple[str, ...]:
    """Climatic domains of the programmes that plant a taxon: temperate Chifeng, humid subtropics elsewhere."""
    south = {"guangxi", "sichuan", "lishui"} & set(taxon.regions)
    north = "chifeng" in taxon.regions or not taxon.regions
    return (*(("subtropical_humid",) if south else ()), *(("temperate",) if north else ()))


#: Printed values that are asked for, and the file they stand in.
PRINTED = {
    "carbon_fraction": "carbon_fraction",
    "total_density": "economic_plants",
    "mass": "bamboo_culms",
    "bgb_density": "bamboo_stands",
}


@lru_cache(maxsize=8)
def _rows_of(file) -> pd.DataFrame:
    """Printed values of a file, read once."""
    return load(f"literature:{file}")


def _whom(variable: str) -> str:
    """Whom the printed values of a variable speak for."""
    rows = _rows_of(PRINTED[variable])
    return values_sentence(pd.DataFrame({"variable": [variable]}), [rows.attrs["source"]])


def _printed(taxon) -> list[dict[str, Any]]:
    """Printed values of the species itself: mean over sources with the range of all rows."""
    found = []
    for variable, file in PRINTED.items():
        with suppress(DataError):
            rows = _rows_of(file)
            rows = rows[(rows["species_id"] == (taxon.species_id or None)) & rows[variable].notna()]
            for component, part in rows.groupby(
                rows.get("component", pd.Series("", index=rows.index)).fillna("")
            ):
                by_source = part.groupby("source_id")[variable].mean()
                found.append(
                    {
                        "quantity": f"{variable} {component}".strip(),
                        "kind": "printed",
                        "at": "",
                        "value": float(by_source.mean()),
                        "lower": float(part[variable].min()),
                        "upper": float(part[variable].max()),
                        "unit": vocabulary.variable(variable).unit,
                        "level": f"species {taxon.species or taxon.genus}",
                        "rests_on": tr(
                            f"{len(part)} values of {len(by_source)} sources",
                            f"{len(by_source)} 个来源 {len(part)} 个值",
                        ),
                        "range": tr("smallest and largest value", "最小值与最大值"),
                        "source": "; ".join(by_source.index),
                    }
                )
    return found


# Nothing of its own: what a sample would take.


def _plan(taxon) -> dict[str, Any]:
    """Places and plants that give the mean of a new taxon within ten per cent, from the spread of equations of all trees."""
    spread = _spread_of_trees()
    variance = spread["place"] + spread["plant"] / PLAN_TREES
    places = int(np.ceil((stats.norm.ppf(0.975) / PLAN_ERROR) ** 2 * variance))
    return {"places": places, "plants": places * PLAN_TREES, "error": PLAN_ERROR, **spread}


@lru_cache(maxsize=1)
def _spread_of_trees() -> dict[str, float]:
    pooled = pool_equations.default_equation("agb", group="broadleaf")
    return {"place": float(pooled.between[0, 0]), "plant": float(pooled.residual**2)}


#: Words of the levels, and headings of the kinds of answers.
LEVEL_WORDS = {
    "species": ("species", "种"),
    "genus": ("genus", "属"),
    "family": ("family", "科"),
    "forest_type": ("forest type", "森林类型"),
    "group": ("all of a group", "类"),
    "any": ("all trees", "全部树种"),
    "class": ("class", "分类"),
    "component": ("component", "组分"),
    "study": ("study", "研究"),
    "stand": ("stand", "林分"),
}
KINDS = {
    "tree": ("Single trees, at a new place", "单株（新地点的一株）"),
    "equation": ("Printed equations", "印刷方程"),
    "stand": ("Stands, one plot at a new place", "林分（新地点的一块样地）"),
    "class": ("Class values, printed without an interval", "分类值（原文未附区间）"),
    "printed": (
        "Printed values: mean over sources, smallest and largest",
        "印刷值：各来源均值、最小值与最大值",
    ),
}


def _in_words(text: str, of: str = r"[a-z]\w+") -> str:
    """Names of the vocabulary in a text, as labels; only those that a pattern finds, since ``year`` is a unit as well."""

    def word(found):
        name = found[0]
        if name in vocabulary.components():
            return vocabulary.group_label(f"component={name}")
        kind = forest_types().get(name)
        return tr(kind["name_en"], kind["name_zh"]) if kind else vocabulary.label(name)

    return re.sub(of, word, text)


def _level_in_words(level: str) -> str:
    kind, _, name = level.partition(" ")
    if kind == "zone":
        return tr(f"{_level_in_words(name)}, this part of the country", f"{_level_in_words(name)}（本大区）")
    named = _in_words(name) if kind in ("forest_type", "group") else name.replace("_", " ")
    return f"{tr(*LEVEL_WORDS[kind])} {named}".strip()


def _tables(answers: pd.DataFrame) -> list[str]:
    """The answers of each kind as a table under its heading, and the sources by number."""
    sources = {s: i for i, s in enumerate(dict.fromkeys(answers["source"]), 1)}
    names = ("quantity", "value", "lower", "upper", "unit", "at", "level", "rests_on", "range")
    head = heads(
        "quantity|value|lower|upper|unit|at|level|rests on|range", "量|值|下限|上限|单位|条件|层级|依据|范围"
    )
    columns = dict(zip(names, head, strict=True))
    told = answers.assign(
        unit=answers["unit"].map(vocabulary.units_symbol),
        level=answers["level"].map(_level_in_words),
        quantity=answers["quantity"].map(_in_words),
        **{c: answers[c].map(partial(_in_words, of=r"[a-z]\w+(?= [\d>])")) for c in ("at", "range")},
        **{c: [f"{v:.4g}" if pd.notna(v) else "" for v in answers[c]] for c in ("value", "lower", "upper")},
    )
    told.loc[told["kind"].isin(["class", "printed"]), "range"] = ""
    told.loc[told["kind"] == "class", "rests_on"] = ""
    blocks = []
    for kind, part in told.groupby("kind", sort=False):
        shown = [c for c in columns if part[c].astype(bool).any()]
        rows = [
            [*row, f"[{sources[s]}]"] for row, s in zip(part[shown].to_numpy(), part["source"], strict=True)
        ]
        blocks += [tr(*KINDS[kind]), table([*(columns[c] for c in shown), tr("source", "来源")], rows), ""]
    return [*blocks, *(f"[{i}] {source}" for source, i in sources.items()), ""]


def report(found: Answers, level: float = 0.95) -> str:
    """The answers as text: tables, what was refused, and whom the numbers speak for."""
    taxon = found.taxon
    kind = _in_words(taxon.forest_type)
    head = tr(
        f"{taxon.name}: {taxon.species or taxon.genus or taxon.family}, {taxon.family}; forest type {kind or 'unknown'}",
        f"{taxon.name}：{taxon.species or taxon.genus or taxon.family}（{taxon.family}）；森林类型：{kind or '未知'}",
    )
    lines = [head, "", *_tables(found.answers)]
    if found.answers["kind"].isin(["tree", "stand"]).any():
        lines.append(
            tr(
                f"Intervals hold, at {100 * level:g} %, for one tree or one plot of a place that was not sampled.",
                f"区间（{100 * level:g} %）针对未抽样地点的一株树或一块样地。",
            )
        )
    for row in found.answers[found.answers["note"] != ""].to_dict("records"):
        by = _in_words(row["range"], r"[a-z]\w+(?= [\d>])")
        lines.append(f"{_in_words(row['quantity'])} ({by}): {row['note']}")
    printed = found.answers[found.answers["kind"] == "printed"]
    for quantity in dict.fromkeys(printed["quantity"]):
        variable = quantity.split(" ")[0]
        lines.append(f"{_in_words(variable)}: {_whom(variable)}")
    if found.plan:
        p = found.plan
        lines.append(
            tr(
                f"Nothing measured of the species or its genus. {p['places']} places with {PLAN_TREES} plants each ({p['plants']} plants) give the "
                f"mean within {100 * p['error']:g} % at 95 %, with the spread that broadleaved trees show.",
                f"该种及其属无实测依据。{p['places']} 个地点、每点 {PLAN_TREES} 株（共 {p['plants']} 株）可使均值误差在 "
                f"{100 * p['error']:g} % 内（95 %），按阔叶树的变异估算。",
            )
        )
    refused = [f"- {line}" for line in dict.fromkeys(found.refused.values())]
    return "\n".join([*lines, *([tr("Refused:", "不予回答："), *refused] if refused else [])])
