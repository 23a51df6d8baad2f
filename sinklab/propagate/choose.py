"""Which model a stand takes: by an order that is given, by the groups of a table, or by the name of a table."""

import re

import numpy as np
import pandas as pd

from sinklab import vocabulary
from sinklab.distributions import Distribution
from sinklab.errors import DataError, TableError, listing
from sinklab.language import tr
from sinklab.propagate.levels import Factor
from sinklab.propagate.model import Model
from sinklab.tables.naming import system_of

#: Pools that a stand's model may give per area, the most complete first.
POOLS = (("total_density",), ("agb_density", "bgb_density"), ("agb_density",), ("soc_stock",))
#: Key of a mapping for all species that have none.
OTHERS = "*"


def pool_of(fit, wanted=()) -> tuple[str, ...]:
    """Responses of a model that make the pool; those asked for, or the most complete that it has."""
    choices = [tuple(wanted)] if wanted else POOLS
    for choice in choices:
        if set(choice) <= set(fit.system.responses):
            return choice
    return ()


def species_key(label) -> str:
    """Key of a species by any of its names; the label itself where the vocabulary does not know it."""
    try:
        return vocabulary.species(str(label)).species_id
    except DataError:
        return str(label).strip()


def models_for(species, tables, mapping=None, responses=()) -> tuple[dict[str, Model], pd.DataFrame]:
    """Choose a model for every species of the stands.

    Parameters
    ----------
    species : sequence of str
        Distinct labels as the stands write them.
    tables : sequence of Table
    mapping : mapping of str to str, optional
        Species (any name, or ``*`` for all others) to ``table id`` or ``table id/model``.
    responses : sequence of str
        Responses to add up; the most complete pool of each model when left out.

    Returns
    -------
    models : dict of str to Model
        By label; labels without a model are absent.
    chosen : DataFrame
        One row per label: ``species, table, model, pool, how`` ("" where there is none).

    Raises
    ------
    DataError
        A mapping that names no table or model, tables without a response per area, or stocks of
        soil and of biomass together; all at once.
    """
    options = {f"{t.ref}/{_model_id(t, i)}": (t, i, fit) for t in tables for i, fit in enumerate(t.models)}
    problems, models, rows = [], {}, []
    orders = _orders(mapping or {}, tables, options, problems)
    automatic = _automatic(tables)
    for label in species:
        key = species_key(label)
        name, how = _choose(key, str(label), orders, automatic)
        pool = ()
        if name:
            table, _, fit = options[name]
            pool = pool_of(fit, responses)
            if pool:
                models[str(label)] = Model.of(fit, pool, name)
            else:
                known = ", ".join(fit.system.responses)
                problems.append(
                    tr(
                        f"{name}: no response per area (has {known}); expected {_pools(responses)}",
                        f"{name}：没有单位面积的因变量（现有 {known}）；应为 {_pools(responses)}",
                    )
                )
        table, _, model = name.partition("/")
        rows.append((str(label), key, table, model, "+".join(pool), how))
    soil = {m.name for m in models.values() if m.responses == ("soc_stock",)}
    if soil and len(soil) < len({m.name for m in models.values()}):
        problems.append(
            tr(
                f"soil carbon and biomass in one stock: {', '.join(sorted(soil))}",
                f"土壤碳与生物量不能合计：{'、'.join(sorted(soil))}",
            )
        )
    if problems:
        raise DataError(listing(dict.fromkeys(problems)))
    chosen = pd.DataFrame(rows, columns=["species", "species_id", "table", "model", "pool", "how"])
    return models, chosen


def _pools(responses) -> str:
    return "+".join(responses) or " | ".join("+".join(p) for p in POOLS)


def _model_id(table, i) -> str:
    return table.frames["models"]["model_id"].iloc[i]


def _orders(mapping, tables, options, problems) -> dict[str, str]:
    found = {}
    for label, target in mapping.items():
        ref, _, model = str(target).partition("/")
        hits = [
            name
            for name, (t, i, _) in options.items()
            if ref in (t.ref, t.table_id) and (not model or model == _model_id(t, i))
        ]
        if len(hits) == 1:
            found[OTHERS if label == OTHERS else species_key(label)] = hits[0]
            continue
        known = ", ".join(options)
        problems.append(
            tr(
                f"{label} = {target}: {len(hits)} models fit; there are: {known}",
                f"{label} = {target}：对应 {len(hits)} 个模型；现有：{known}",
            )
        )
    return found


def _automatic(tables) -> dict[str, list[str]]:
    """Models by the species, genus or group that their table names."""
    found: dict[str, list[str]] = {}
    for table in tables:
        if not table.models:
            raise TableError(
                tr(f"{table.ref}: no model, only values", f"{table.ref}：没有模型，只有标量参数")
            )
        frame = table.frames["models"]
        for i, row in enumerate(frame.to_dict("records")):
            if row["group_column"]:
                keys = {species_key(row["group_level"]), row["group_level"]}
            else:
                _, _, group = table.table_id.partition(f"_{system_of(table.table_id)}_")
                keys = {group} if len(frame) == 1 and group else set()
            for key in keys:
                found.setdefault(key, []).append(f"{table.ref}/{_model_id(table, i)}")
    return found


def _choose(key, label, orders, automatic) -> tuple[str, str]:
    """Model of a species and how it was found; several automatic candidates are none."""
    if key in orders:
        return orders[key], "mapping"
    known = {s.species_id: s for s in vocabulary.species_list()}.get(key)
    # Table ids spell a Latin name the vocabulary need not know: Abies alba, abies_alba, abies.
    latin = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")
    tries = [(key, "species"), (label, "species"), (latin, "species")]
    genus = known.genus.lower() if known else latin.partition("_")[0]
    tries.append((genus, "genus"))
    genera = {s.genus.lower() for s in vocabulary.species_list() if s.group_zh == label}
    if len(genera) == 1:
        tries.append((genera.pop(), "group"))
    for name, how in tries:
        candidates = dict.fromkeys(automatic.get(name, ()))
        if len(candidates) == 1:
            return next(iter(candidates)), how
    if OTHERS in orders:
        return orders[OTHERS], "mapping of all others"
    return "", ""


def carbon_fractions(table, species_ids, default: float, component: str = "whole_plant"):
    """Carbon fraction of each species from a table of values.

    Parameters
    ----------
    table : Table
        With values of ``carbon_fraction`` for groups ``species_id=…;component=…``.
    species_ids : sequence of str
    default : float
        Without uncertainty, for species that the table does not have.
    component : str
        Component id whose value counts.

    Returns
    -------
    factor : Factor
        By ``species_id``; the distribution is the one for a new place.
    notes : list of str
        Species that took the default, and values without a distribution.
    """
    found: dict = {"": default}
    without = []
    for row in table.values.to_dict("records"):
        parts = dict(p.split("=", 1) for p in str(row["group"]).split(";") if "=" in p)
        key = parts.get("species_id", "")
        if row["variable"] != "carbon_fraction" or parts.get("component", component) != component:
            continue
        if key not in species_ids:
            continue
        found[key] = Distribution(row["family"], row["p1"], row["p2"]) if row["family"] else row["mean"]
        if not row["family"]:
            without.append(key)
    absent = [s for s in species_ids if s not in found]
    notes = []
    if absent:
        names = ", ".join(absent)
        notes.append(
            tr(
                f"carbon fraction {default:g} without uncertainty for species that {table.ref} lacks: {names}",
                f"{table.ref} 中没有下列树种，含碳系数取 {default:g} 且未计不确定性：{names}",
            )
        )
    if without:
        names = ", ".join(without)
        notes.append(tr(f"carbon fraction without uncertainty: {names}", f"含碳系数未计不确定性：{names}"))
    return Factor("carbon_fraction", found, "species_id"), notes


def counts(labels, area) -> pd.DataFrame:
    """Number of stands and area of every label."""
    frame = pd.DataFrame({"species": labels, "area_ha": np.nan_to_num(area)})
    return frame.groupby("species")["area_ha"].agg(n_stand="size", area_ha="sum").reset_index()
