"""Stands made fit for accounting, and which model each takes.

Geometry is mended, overlaps are settled, areas measured. What is done about a problem is a policy with a
name, and every case becomes a row of the list of problems; nothing is dropped or mended in silence.

=================== ====================================================================
problem             action
=================== ====================================================================
invalid geometry    mended; the area after mending counts
no area             not used (blank geometry, point or line, and no area column)
overlap             ``first``: the ground belongs to the stand that comes first in the file;
                    ``keep``: counted twice and listed; ``error``: refused
area differs        kept as measured; the area column differs by more than 5 %
=================== ====================================================================

A stand takes its model by an order that is given, by the groups of a table, or by the name of a table.
Tree lists become plots that stocks can take (:func:`plots_of_trees`); the files of an inventory become its trees, plots and
strata (:func:`read_inventory`).
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sinklab.data import vocabulary
from sinklab.data.files import records
from sinklab.data.plausibility import is_dead
from sinklab.data.reading import read
from sinklab.data.regions import hectares
from sinklab.language import DataError, Notes, TableError, listing, require_choice, require_known, tr
from sinklab.propagate.model import Model
from sinklab.results.calibration import calibrated, widened
from sinklab.results.fit_result import FitResult
from sinklab.tables.schema import system_of

OVERLAPS = ("first", "keep", "error")
#: Overlaps of neighbours up to this are slivers of digitising; they are cut, counted, and not listed one by one.
SLIVER = 0.001
AREA_TOLERANCE = 0.05
COLUMNS = ("record", "stand", "problem", "detail", "action", "area_ha")


def in_words(text: str) -> str:
    """A problem or an action in the reader's language; ``no dbh`` becomes 缺 dbh."""
    # The tables keep the English words, which programs may look for.
    known = {row["text_en"]: row["text_zh"] for row in records("vocabulary", "stand_problems.csv")}
    missing = text.removeprefix("no ").removeprefix("column ")
    return tr(text, known.get(text, f"缺 {missing}" if text.startswith("no ") else text))


@dataclass(eq=False)
class Stands:
    """Stands with ``area_ha``, and what was found wrong with them.

    Attributes
    ----------
    frame : DataFrame or GeoDataFrame
        As read, with ``stand_id`` and ``area_ha`` (NaN where there is none).
    problems : DataFrame
        ``record`` (1 is the first of the file), ``stand, problem, detail, action, area_ha``.
    """

    frame: pd.DataFrame
    rows: list = field(default_factory=list)

    def report(self, positions, problem: str, details, action: str, areas=None) -> None:
        """Add one problem for each position (0-based row)."""
        ids = self.frame["stand_id"].to_numpy()
        areas = self.frame["area_ha"].to_numpy()[positions] if areas is None else areas
        details = [details] * len(positions) if isinstance(details, str) else details
        for i, detail, area in zip(positions, details, areas, strict=True):
            self.rows.append((int(i) + 1, str(ids[i]), problem, detail, action, float(area)))

    @property
    def problems(self) -> pd.DataFrame:
        """All problems, in the order of the records."""
        frame = pd.DataFrame(self.rows, columns=list(COLUMNS))
        # What was mended before it was measured has its area now.
        area = self.frame["area_ha"].to_numpy()[frame["record"].to_numpy(int) - 1]
        frame["area_ha"] = frame["area_ha"].where(frame["area_ha"].notna(), area)
        return frame.sort_values("record", kind="stable").reset_index(drop=True)


def prepare(frame, stand_id: str = "", area: str = "", overlap: str = "first") -> Stands:
    """Measure stands and settle what is wrong with their geometry.

    Parameters
    ----------
    frame : GeoDataFrame or DataFrame
        As :func:`sinklab.regions.read_layer` returns it.
    stand_id : str
        Column of identifiers; record numbers when left out.
    area : str
        Column of areas [ha]. Used where there is no polygon; otherwise compared with the polygon.
    overlap : "first", "keep" or "error"

    Returns
    -------
    stands : Stands

    Raises
    ------
    DataError
        No areas at all, identifiers or area columns that are missing, or overlaps that are refused.
    """
    require_choice("overlap", overlap, OVERLAPS)
    require_known(filter(None, (stand_id, area)), frame)
    mapped = hasattr(frame, "geometry") and hasattr(frame, "crs")
    if not mapped and not area:
        raise DataError(
            "the stands have no geometry; name the column that holds their area in hectares (area)",
            "小班没有几何图形；请指明面积列（area，单位：公顷）",
        )
    frame = frame.reset_index(drop=True)
    ids = frame[stand_id].astype("str") if stand_id else pd.Series(np.arange(1, len(frame) + 1).astype(str))
    written = pd.to_numeric(frame[area], errors="coerce") if area else pd.Series(np.nan, index=frame.index)
    found = Stands(frame.assign(stand_id=ids.to_numpy(), area_ha=written.to_numpy()))
    if mapped:
        _mend(found)
        _measure(found, written)
        _overlaps(found, overlap)
    bad = np.flatnonzero(~(found.frame["area_ha"] > 0))
    found.report(
        bad, "no area", tr("no polygon and no positive area", "没有面状图形，也没有正的面积"), "not used"
    )
    repeated = np.flatnonzero(found.frame["stand_id"].duplicated(keep=False))
    if stand_id and len(repeated):
        found.report(repeated, "identifier used twice", stand_id, "kept")
    return found


def _mend(found) -> None:
    import shapely

    shapes = found.frame.geometry.to_numpy()
    there = ~(found.frame.geometry.isna() | found.frame.geometry.is_empty).to_numpy()
    broken = np.flatnonzero(there & ~shapely.is_valid(shapes))
    if len(broken):
        reasons = shapely.is_valid_reason(shapes[broken])
        found.report(broken, "invalid geometry", list(reasons), "mended")
        mended = shapes.copy()
        mended[broken] = shapely.make_valid(shapes[broken])
        found.frame = found.frame.set_geometry(type(found.frame.geometry)(mended, crs=found.frame.crs))


def _measure(found, written) -> None:
    measured = hectares(found.frame).to_numpy()
    measured = np.where(measured > 0, measured, np.nan)
    differs = np.flatnonzero(np.abs(written - measured) > AREA_TOLERANCE * measured)
    details = [
        f"{w:.4g} ha ≠ {m:.4g} ha" for w, m in zip(written.iloc[differs], measured[differs], strict=True)
    ]
    found.report(differs, "area differs", details, "area of the polygon used", measured[differs])
    only = np.flatnonzero(np.isnan(measured) & (written > 0).to_numpy())
    found.report(only, "no polygon", "", "area column used", written.to_numpy()[only])
    found.frame["area_ha"] = np.where(np.isnan(measured), written, measured)


def _overlaps(found, policy) -> None:
    pairs, areas = overlapping(found.frame)
    if not len(pairs):
        return
    ids = found.frame["stand_id"].to_numpy()
    whole = found.frame["area_ha"].to_numpy()
    large = areas > SLIVER * np.minimum(whole[pairs[:, 0]], whole[pairs[:, 1]])
    if policy == "error" and large.any():
        lines = [
            f"{ids[a]} × {ids[b]}: {s:.4g} ha" for (a, b), s in zip(pairs[large], areas[large], strict=True)
        ]
        raise DataError(tr("stands overlap:\n", "小班重叠：\n") + listing(lines))
    action = {"first": "cut from this stand", "keep": "counted twice", "error": "cut from this stand"}[policy]
    later, earlier = pairs[large, 1], pairs[large, 0]
    found.report(
        later, "overlap", [tr(f"with {ids[a]}", f"与 {ids[a]}") for a in earlier], action, areas[large]
    )
    if (~large).any():
        first, total = pairs[~large][0, 1], areas[~large].sum()
        text = tr(f"{(~large).sum()} slivers in all", f"共 {(~large).sum()} 处细碎重叠")
        found.report([first], "sliver overlaps", text, action, [total])
    if policy != "keep":
        _cut(found, pairs)


def overlapping(frame) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of rows whose polygons share ground, the earlier first, and the shared area [ha]."""
    import geopandas as gpd
    import shapely

    there = frame.geometry.notna() & ~frame.geometry.is_empty
    rows, shapes = np.flatnonzero(there), frame.geometry[there].to_numpy()
    tree = shapely.STRtree(shapes)
    found = np.hstack([tree.query(shapes, predicate=p) for p in ("overlaps", "covers", "covered_by")]).T
    pairs = np.unique(found[found[:, 0] < found[:, 1]], axis=0)
    if not len(pairs):
        return pairs, np.zeros(0)
    shared = gpd.GeoSeries(shapely.intersection(shapes[pairs[:, 0]], shapes[pairs[:, 1]]), crs=frame.crs)
    areas = hectares(shared).to_numpy()
    keep = areas > 1e-6
    return rows[pairs[keep]], areas[keep]


def _cut(found, pairs) -> None:
    """Leave shared ground with the earlier stand; stands are settled in the order of the file."""
    import shapely

    shapes = found.frame.geometry.to_numpy().copy()
    earlier = pd.Series(pairs[:, 0]).groupby(pairs[:, 1]).apply(list)
    for row, before in earlier.items():
        shapes[row] = shapely.difference(shapes[row], shapely.union_all(shapes[before]))
    found.frame = found.frame.set_geometry(type(found.frame.geometry)(shapes, crs=found.frame.crs))
    rows = earlier.index.to_numpy()
    left = hectares(found.frame.iloc[rows]).to_numpy()
    found.frame.loc[rows, "area_ha"] = np.where(left > 1e-6, left, 0.0)


# Which model a stand takes

#: Pools that a stand's model may give per area, the most complete first.
POOLS = (("total_density",), ("agb_density", "bgb_density"), ("agb_density",), ("soc_stock",))
#: The same for models of trees.
TREE_POOLS = (("total",), ("agb", "bgb"), ("agb", "root"), ("agb",))
#: Key of a mapping for all species that have none.
OTHERS = "*"


def pool_of(fit, wanted=(), pools=POOLS) -> tuple[str, ...]:
    """Responses of a model that make the pool; those asked for, or the most complete that it has."""
    choices = [tuple(wanted)] if wanted else pools
    for choice in choices:
        if set(choice) <= set(fit.system.responses):
            return choice
    return ()


def species_key(label) -> str:
    """Key of a species by any of its names; the label itself where the vocabulary does not know it."""
    known = vocabulary.find_species(str(label))
    return known.species_id if known else str(label).strip()


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
    options = _options(tables)
    problems, models, rows = Notes(), {}, []
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
                problems.add(
                    f"{name}: no response per area (has {known}); expected {_pools(responses)}",
                    f"{name}：没有单位面积的因变量（现有 {known}）；应为 {_pools(responses)}",
                )
        table, _, model = name.partition("/")
        rows.append((str(label), key, table, model, "+".join(pool), how))
    soil = {m.name for m in models.values() if m.responses == ("soc_stock",)}
    if soil and len(soil) < len({m.name for m in models.values()}):
        problems.add(
            f"soil carbon and biomass in one stock: {', '.join(sorted(soil))}",
            f"土壤碳与生物量不能合计：{'、'.join(sorted(soil))}",
        )
    if problems:
        raise DataError(listing(dict.fromkeys(problems)))
    chosen = pd.DataFrame(rows, columns=["species", "species_id", "table", "model", "pool", "how"])
    return models, chosen


def moved_to(
    tables: Sequence[Any],
    plots: pd.DataFrame,
    species: str = "species",
    mapping: Mapping[str, str] | None = None,
) -> list[str]:
    """Move the models of tables to the place of measured plots or trees, each by those of the species it stands for.

    Records without a column of species are those of the only model. The models of the tables are replaced. What may lie between
    the place and the population of a table is in the prior (:func:`sinklab.results.calibration.widened`).

    Returns
    -------
    told : list of str
        How many plots moved which model, and how many belong to none.

    Raises
    ------
    DataError
        No plot belongs to a model, or several models and no species; see :func:`sinklab.results.calibration.calibrated`.
    """
    options, problems, told = _options(tables), Notes(), Notes()
    orders, automatic = _orders(mapping or {}, tables, options, problems), _automatic(tables)
    if species in plots:
        chosen = plots[species].map(
            lambda label: _choose(species_key(label), str(label), orders, automatic)[0]
        )
    else:
        chosen = pd.Series(next(iter(options)) if len(options) == 1 else "", plots.index)
    if problems or not chosen.ne("").any():
        problems.add(
            f"no record of the calibration belongs to a model of {', '.join(options)}; give a column of the species",
            f"校准记录均不对应 {'、'.join(options)} 中的模型；请给出树种列",
        )
        raise DataError(listing(problems))
    for table in tables:
        models = list(table.models)
        for name, (owner, i, fit) in options.items():
            if owner is table and (n := int((chosen == name).sum())):
                models[i] = calibrated(widened(fit), plots[chosen == name])
                told.add(f"{name} calibrated with {n} records", f"{name} 已用 {n} 条记录校准")
        # A table builds its models once, from its numbers, and keeps them.
        vars(table)["models"] = tuple(models)
    if left := int((chosen == "").sum()):
        told.add(f"{left} records of the calibration belong to no model", f"{left} 条校准记录没有对应的模型")
    return list(told)


def _pools(responses) -> str:
    return "+".join(responses) or " | ".join("+".join(p) for p in POOLS)


def _options(tables) -> dict[str, tuple[Any, int, FitResult]]:
    """Table, place and result of every model, by the name that chooses it."""
    return {f"{t.ref}/{_model_id(t, i)}": (t, i, fit) for t in tables for i, fit in enumerate(t.models)}


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
        problems.add(
            f"{label} = {target}: {len(hits)} models fit; there are: {known}",
            f"{label} = {target}：对应 {len(hits)} 个模型；现有：{known}",
        )
    return found


def _automatic(tables) -> dict[str, list[str]]:
    """Models by the species, genus or group that their table names."""
    found: dict[str, list[str]] = {}
    for table in tables:
        if not table.models:
            raise TableError(f"{table.ref}: no model, only values", f"{table.ref}：没有模型，只有标量参数")
        frame = table.frames["models"]
        for i, row in enumerate(frame.to_dict("records")):
            if row["group_column"]:
                keys = {species_key(row["group_level"]), row["group_level"]}
            else:
                _, _, group = table.table_id.partition(f"_{system_of(table.table_id)}_")
                keys = {group, _taxon(group)} - {""} if len(frame) == 1 else set()
            for key in keys:
                found.setdefault(key, []).append(f"{table.ref}/{_model_id(table, i)}")
    return found


def _taxon(group: str) -> str:
    """Species or genus that the group of an id begins with: ``pinus_massoniana_stand`` speaks of Pinus massoniana."""
    listed = vocabulary.species_list()
    known = {s.species_id for s in listed} | {s.genus.lower() for s in listed}
    words = group.split("_")
    begun = ("_".join(words[:n]) for n in range(len(words), 0, -1))
    return next((name for name in begun if name in known), "")


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


# The files of an inventory, and a simulated one for trying things out


#: Names of the files of an inventory in one folder, without their endings.
FILES = {
    "trees": ("trees", "样木", "每木", "每木检尺", "每木检尺表", "每木调查表", "单木", "检尺"),
    "plots": ("plots", "样地", "样地表", "样地调查表", "标准地"),
    "strata": ("strata", "层", "分层", "抽样层"),
}
#: What is said of plots and of strata: elsewhere a column of that name is another one.
OF_PLOTS, OF_STRATA = ("plot_id", "plot_area", "stratum"), ("stratum", "area", "area_se")


def read_inventory(
    source: str | Path,
    needed: Collection[str] = (),
    tell: Callable[[Any], None] | None = None,
    **options: Any,
) -> dict[str, pd.DataFrame]:
    """Read the files of an inventory, as every command reads its data (:func:`sinklab.data.reading.read`).

    Parameters
    ----------
    source : path
        A folder with ``trees`` (``plot_id`` and predictors, ``tree_id`` where trees are measured again), ``plots``
        (``plot_id, plot_area, stratum``) and, for several strata, ``strata`` (``stratum, area, area_se``), each a workbook
        or text file (:data:`FILES`); or one workbook with these tables; or one list of trees that says the area of their plots.
    needed : collection of str
        Predictors of the trees.
    tell : callable, optional
        Is given the account of each table that is read.
    **options
        Of the reading: ``columns, units, missing, sheet`` (of the trees), ``encoding``.

    Returns
    -------
    frames : dict
        ``trees``, ``plots``, ``strata`` (None where nothing says them): arguments of
        :class:`~sinklab.propagate.inventory.Inventory`.

    Raises
    ------
    DataError
        A file or one of its columns is missing; a plot or stratum with two areas.

    >>> _ = [f.to_csv(folder / f'{n}.csv') for n, f in sl.simulated_inventory(trees[['dbh']]).items()]
    >>> sorted(sl.read_inventory(folder))
    ['plots', 'strata', 'trees']
    """
    found, accounts = _inventory_files(Path(source)), []

    def table(kind, wanted, names):
        if kind not in found:
            return None
        given = {k: v for k, v in options.get("columns", {}).items() if k in names}
        own = options | {"columns": given} | ({} if kind == "trees" else {"sheet": ""})
        frame = read(found[kind], needed=wanted, **own)
        # Frames that are put together must not carry tables in their attributes.
        accounts.append(frame.attrs.pop("account"))
        return frame

    whole = len(set(found.values())) == 1
    of_trees = set(options.get("columns", {})) - (set() if whole else {*OF_PLOTS[1:], *OF_STRATA})
    trees = table("trees", {"plot_id", *needed}, of_trees)
    plots = table("plots", {"plot_id", "plot_area"}, OF_PLOTS)
    strata = table("strata", {"stratum", "area"}, OF_STRATA)
    plots = trees if plots is None else plots
    lost = [c for c in ("plot_id", "plot_area") if c not in plots]
    if lost and "plots" not in found:
        raise DataError(
            f"{source}: no plots.csv, and the trees do not say {', '.join(lost)}",
            f"{source}：缺少 plots.csv，样木表中也没有 {'、'.join(lost)}",
        )
    require_known(lost, plots, place=accounts[-1].file if whole else found["plots"].name)
    if strata is not None and not {"stratum", "area"} <= set(strata):
        strata = None
    read_sheets = {(a.file, a.sheet) for a in accounts}
    for i, account in enumerate(accounts):
        account.left = [
            (sheet, note) for sheet, note in account.left if (account.file, sheet) not in read_sheets
        ]
        first = [(a.file, a.sheet, a.header) for a in accounts].index(
            (account.file, account.sheet, account.header)
        )
        if tell and first == i:
            tell(account)
    plots = _one_each(plots, "plot_id", OF_PLOTS, source)
    strata = None if strata is None else _one_each(strata, "stratum", OF_STRATA, source)
    return {"trees": trees, "plots": plots, "strata": strata}


def _inventory_files(source) -> dict[str, Path]:
    """File of each table of an inventory; one file is asked for all of them."""
    if not source.is_dir():
        return dict.fromkeys(FILES, source)
    found = {}
    for kind, names in FILES.items():
        here = sorted(p for p in source.iterdir() if p.stem.casefold() in names)
        if len(here) > 1:
            told = ", ".join(p.name for p in here)
            raise DataError(
                f"{source}: which is the file of {kind}: {told}?", f"{source}：{told} 中哪一个是 {kind}？"
            )
        if here:
            found[kind] = here[0]
    if "trees" not in found:
        raise DataError(
            f"{source}: no trees.csv (.xlsx, .xls, .txt)", f"{source}：缺少 trees.csv（.xlsx、.xls、.txt）"
        )
    return found


def _one_each(frame, key, columns, source) -> pd.DataFrame:
    """One row for each plot or stratum, of a table that may say it beside every tree."""
    frame = frame[[c for c in columns if c in frame]].dropna(subset=[key])
    groups = frame.groupby(key, sort=False)
    two = groups.nunique().gt(1).any(axis=1)
    if two.any():
        told = ", ".join(two.index[two][:20])
        raise DataError(
            f"{source}: two values of {', '.join(c for c in columns if c in frame and c != key)} for {told}",
            f"{source}：{told} 的 {'、'.join(c for c in columns if c in frame and c != key)} 有两个值",
        )
    return groups.first().reset_index()


def plots_of_one_size(trees: pd.DataFrame, plot_area: float) -> dict[str, pd.DataFrame | None]:
    """Make an inventory of a sample of trees whose plots have the same area.

    Parameters
    ----------
    trees : DataFrame
        ``plot_id`` and predictors; every plot has trees.
    plot_area : float
        Area of a plot [ha].

    Returns
    -------
    frames : dict
        As :func:`read_inventory`, in one stratum.

    Raises
    ------
    DataError
        No ``plot_id``, trees without one, or an area that is not above nought.

    >>> len(sl.plots_of_one_size(trees.assign(plot_id=trees['site']), 0.06)['plots'])
    5
    """
    lost = len(trees) if "plot_id" not in trees else int(trees["plot_id"].isna().sum())
    if lost or not plot_area > 0:
        raise DataError(
            f"{lost} of {len(trees)} trees have no plot_id, plot_area is {plot_area} ha; "
            "every tree needs its plot, and the plots an area above 0",
            f"{len(trees)} 株中有 {lost} 株没有 plot_id，plot_area 为 {plot_area} ha；每株须有样地号，样地面积须大于 0",
        )
    plots = pd.DataFrame({"plot_id": sorted(trees["plot_id"].unique()), "plot_area": float(plot_area)})
    return {"trees": trees, "plots": plots, "strata": None}


def simulated_inventory(
    sizes: pd.DataFrame, n_plot: Sequence[int] = (12, 8), trees_per_plot: int = 40, seed: int = 1
) -> dict[str, pd.DataFrame]:
    """Make up an inventory: trees drawn from a sample, on plots that differ.

    Parameters
    ----------
    sizes : DataFrame
        Predictors of trees, such as the sample that a model was fitted to.
    n_plot : sequence of int
        Plots of each stratum.
    trees_per_plot : int
        Expected number; it varies as a Poisson variable, and by a quarter between plots.
    seed : int

    Returns
    -------
    frames : dict
        As :func:`read_inventory`. Nobody measured it: numbers from it are demonstrations.

    >>> {name: len(frame) for name, frame in sl.simulated_inventory(trees[['dbh']]).items()}
    {'trees': 737, 'plots': 20, 'strata': 2}
    """
    rng = np.random.default_rng(seed)
    trees, plots, strata = [], [], []
    for h, count in enumerate(n_plot, start=1):
        name = f"stratum {h}"
        strata.append({"stratum": name, "area": 1000.0 / h, "area_se": 20.0 / h})
        for p in range(1, count + 1):
            plot = f"{h}-{p:02d}"
            n = rng.poisson(trees_per_plot * rng.lognormal(-0.03, 0.25))
            rows = sizes.iloc[rng.integers(0, len(sizes), n)].reset_index(drop=True)
            trees.append(rows.assign(plot_id=plot))
            plots.append({"plot_id": plot, "plot_area": 0.06, "stratum": name})
    return {
        "trees": pd.concat(trees, ignore_index=True),
        "plots": pd.DataFrame(plots),
        "strata": pd.DataFrame(strata),
    }


# Tree lists: from trees to plots.

#: Quantity per hectare of what a tree has, by response in kg.
PER_HECTARE = {
    "stem": "stem_biomass_density",
    "bark": "bark_density",
    "branch": "branch_density",
    "foliage": "foliage_density",
    "agb": "agb_density",
    "root": "bgb_density",
    "total": "total_density",
}


def plots_of_trees(
    trees: pd.DataFrame,
    tables: Sequence[Any],
    by: str,
    area: str | float,
    heights: FitResult | None = None,
    level: float = 0.95,
    status: str = "",
) -> pd.DataFrame:
    """Biomass of plots from their trees, in t/ha, ready for stocks.

    Totals are those of :func:`sinklab.results.prediction.total`, a plot being a site that was not sampled. Heights that
    are blank are predicted; what a height is off by itself is drawn for each tree, what the curve is off for all trees of
    a plot alike, both carried on by the slope of the totals.

    Parameters
    ----------
    trees : DataFrame
        One row a tree: predictors, ``by``, and ``species`` where several models are at hand.
    tables : sequence of Table
        One with a single model, or several whose ids name species or genera.
    by : str
        Column of the plots.
    area : str or float
        Column of the plot area [ha], or the area of every plot.
    heights : FitResult, optional
        A height curve, for trees without a height.
    level : float
    status : str
        Column that says which trees are dead or cut (one of :data:`sinklab.data.plausibility.STATUS` when left out); such trees are counted in
        ``n_dead`` and weigh nothing here.

    Returns
    -------
    plots : DataFrame
        Index ``by``: ``plot_area, stem_density, n_tree, n_dead, n_height`` (heights that were predicted), and for each
        response ``r_density`` with ``_se``, ``_lower``, ``_upper`` [t/ha].

    Raises
    ------
    DataError
        Columns that are not there, areas that differ within a plot, trees without a predictor or a model; all of a kind.
    """
    wanted = [by, *([area] if isinstance(area, str) else []), *([status] if status else [])]
    require_known(wanted, list(trees.columns))
    dead = is_dead(trees, status)
    alive = trees[~dead].copy()
    areas = _areas(trees, by, area)
    guessed, spread = _fill_heights(alive, heights)
    model = _model_of_each(alive, tables)
    parts = [
        _totals(fit, alive[model == key], by, level, spread)
        for key, (_, _, fit) in _options(tables).items()
        if (model == key).any()
    ]
    out = pd.DataFrame({"plot_area": areas})
    count = alive[by].value_counts().reindex(areas.index, fill_value=0)
    out["stem_density"] = count / areas
    out["n_tree"] = count
    out["n_dead"] = trees.loc[dead, by].value_counts().reindex(areas.index, fill_value=0)
    out["n_height"] = alive.loc[guessed, by].value_counts().reindex(areas.index, fill_value=0)
    for response, name in PER_HECTARE.items():
        if any(response in part for part in parts):
            told = _together(parts, response, areas.index).div(1000 * areas, axis=0)
            out = out.join(told.add_prefix(name))
    return out


def _together(parts, response, plots) -> pd.DataFrame:
    """Sum over the models of a plot, whose errors are independent; blank where one of them lacks the response."""
    ends = ("_se", "_lower", "_upper")
    summed = pd.DataFrame(0.0, index=plots, columns=["", *ends])
    for part in parts:
        if response not in part:
            summed.loc[part.index] = np.nan
            continue
        value = part[response]
        away = {"_se": part[f"{response}_se"]} | {e: part[f"{response}{e}"] - value for e in ends[1:]}
        summed[""] += value.reindex(plots, fill_value=0.0)
        for end in ends:
            summed[end] += away[end].reindex(plots, fill_value=0.0) ** 2
    summed[list(ends)] **= 0.5
    summed["_lower"] = (summed[""] - summed["_lower"]).clip(lower=0)
    summed["_upper"] += summed[""]
    return summed


def _areas(trees, by, area) -> pd.Series:
    """Area of every plot [ha]; one a plot, above 0."""
    if not isinstance(area, str):
        return pd.Series(float(area), index=pd.Index(sorted(trees[by].unique()), name=by))
    found = trees.groupby(by)[area].agg(["min", "max"]).astype(float)
    wrong = found[~((found["min"] > 0) & (found["min"] == found["max"]))]
    if len(wrong):
        names = ", ".join(map(str, wrong.index[:20]))
        raise DataError(
            f"{area}: plots without one area above 0: {names}", f"{area}：以下样地没有唯一的正面积：{names}"
        )
    return found["min"].rename("plot_area")


def _fill_heights(trees, heights) -> tuple[pd.Series, pd.DataFrame]:
    """Predict blank heights in place; which they are, and the errors of each, its own and that of the curve."""
    spread = pd.DataFrame(0.0, index=trees.index, columns=["own", "shared"])
    if heights is None:
        return pd.Series(False, trees.index), spread
    if "height" not in trees:
        trees["height"] = np.nan
    blank = trees["height"].isna()
    if blank.any():
        rows = trees[blank]
        mean, single = (heights.predict(rows, kind=kind, of="new") for kind in ("mean", "individual"))
        width = {
            name: told["height_upper"] - told["height_lower"] for name, told in (("m", mean), ("s", single))
        }
        shared = mean["height_se"]
        own = shared * ((width["s"] / width["m"]) ** 2 - 1).clip(lower=0) ** 0.5
        trees.loc[blank, "height"] = mean["height"]
        spread.loc[blank, "own"], spread.loc[blank, "shared"] = own, shared
    return blank, spread


def _model_of_each(trees, tables) -> pd.Series:
    """Key of the model of each tree."""
    known = _options(tables)
    if len(known) == 1:
        return pd.Series(next(iter(known)), trees.index)
    require_known(["species"], list(trees.columns))
    labels = trees["species"].astype("str").fillna("")
    automatic = _automatic(tables)
    found = {label: _choose(species_key(label), label, {}, automatic)[0] for label in labels.unique()}
    without = {label: int((labels == label).sum()) for label, key in found.items() if not key}
    if without:
        names = ", ".join(f"{label or '–'} ({n})" for label, n in without.items())
        raise DataError(f"no table for the trees of: {names}", f"以下树种没有参数表：{names}")
    return labels.map(found)


def _totals(fit, trees, by, level, spread) -> pd.DataFrame:
    """Totals of plots by one model, wider by what predicted heights are off."""
    found = fit.total(trees, by=by, level=level)
    errors = spread.loc[trees.index]
    if "height" not in fit.system.predictors or not errors.to_numpy().any():
        return found
    step = 0.01 * trees["height"]
    frames = (trees.assign(height=trees["height"] + sign * step) for sign in (1, -1))
    up, down = (fit.predict(frame, of="average") for frame in frames)
    for response in fit.system.responses:
        slope = (up[response] - down[response]) / (2 * step)
        own = ((slope * errors["own"]) ** 2).groupby(trees[by]).sum()
        shared = (slope * errors["shared"]).groupby(trees[by]).sum() ** 2
        se = found[f"{response}_se"]
        wider = ((se**2 + (own + shared).reindex(found.index)) / se**2) ** 0.5
        for end in ("lower", "upper"):
            found[f"{response}_{end}"] = (
                found[response] + (found[f"{response}_{end}"] - found[response]) * wider
            )
        found[f"{response}_se"] = se * wider
    return found
