r"""Carbon of stands, and of the counties, cities, provinces and zones that they make up.

The stock of a stand is :math:`A \cdot f(x, \theta) \cdot CF`. All stands of a model share its
parameters, all stands of a species its carbon fraction; the residual, the error of the predictors and
of the area are each stand's own. Totals are drawn together once, for the smallest units asked for,
and added up draw by draw, so that a province is as uncertain as its parts together make it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sinklab import plots
from sinklab.data import vocabulary
from sinklab.data.files import records, rule_values
from sinklab.equations.system import System
from sinklab.evidence.distributions import Distribution, from_moments
from sinklab.language import DataError, Notes, joined, listing, require_choice, require_known, tr, width
from sinklab.propagate.deductions import deduct
from sinklab.propagate.model import Factor, Model, Noise, Units, among_sites, arrange, notes_of, text_of
from sinklab.propagate.monte_carlo import draw_totals, row_variances, variances
from sinklab.propagate.stands import Stands, models_for, species_key
from sinklab.tables.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What may be done about stands that cannot be computed.
MISSING = ("list", "error")
#: Level of the sum over everything.
TOTAL = "total"
#: Name of the model of stands whose carbon was measured.
MEASURED = "measured"


def defaults() -> dict[str, float]:
    """Numbers of ``data/rules/stock_defaults.csv`` by name."""
    return rule_values("stock_defaults")


def co2_per_carbon() -> float:
    """Mass of carbon dioxide for each mass of carbon."""
    return defaults()["co2_numerator"] / defaults()["co2_denominator"]


#: Organs of a plant, by the variable of the component that was analysed; the first that is there counts.
ORGANS = {"stem": ("stem", "wood"), "branch": ("branch",), "foliage": ("foliage",), "root": ("root",)}


def carbon_fractions(
    table, species_ids, default: float, component: str = "whole_plant", organs: Sequence[str] = tuple(ORGANS)
):
    """Carbon fraction of each species from a table of values.

    A species that has values of organs only takes their mean, each by its share of the mass
    (``data/rules/organ_shares.csv``: of the species, else of its genus or type); organs of a place are taken to be rich
    or poor together, so their deviations add.

    Parameters
    ----------
    table : Table
        With values of ``carbon_fraction`` for groups ``species_id=…;component=…``.
    species_ids : sequence of str
    default : float
        Without uncertainty, for species that the table does not have.
    component : str
        Component id whose value counts.
    organs : sequence of str
        Organs that are counted where there is no value of the component: without ``root`` for mass above ground.

    Returns
    -------
    factor : Factor
        By ``species_id``; the distribution is the one for a new place.
    notes : list of str
        Species that took their organs or the default, and values without a distribution.
    """
    found: dict = {"": default}
    notes, measured = Notes(), _fractions_of(table, component)
    for key in species_ids:
        values = measured.get(key, {})
        if component in values:
            found[key] = values[component]
        elif (made := _of_organs(values, key, organs)) is not None:
            found[key], told = made
            notes.append(told)
    if absent := ", ".join(s for s in species_ids if s not in found):
        notes.add(
            f"carbon fraction {default:g} without uncertainty for species that {table.ref} lacks: {absent}",
            f"{table.ref} 中没有下列树种，含碳系数取 {default:g} 且未计不确定性：{absent}",
        )
    if without := ", ".join(k for k, v in found.items() if k and not hasattr(v, "draw")):
        notes.add(f"carbon fraction without uncertainty: {without}", f"含碳系数未计不确定性：{without}")
    return Factor("carbon_fraction", found, "species_id"), notes


def _fractions_of(table, component) -> dict[str, dict[str, Distribution | float]]:
    """Carbon fractions of a table by species and component; a row without one is of ``component``."""
    found: dict[str, dict] = {}
    for row in table.values.to_dict("records"):
        parts = dict(p.split("=", 1) for p in str(row["group"]).split(";") if "=" in p)
        if row["variable"] == "carbon_fraction" and np.isfinite(row["mean"]):
            value = Distribution(row["family"], row["p1"], row["p2"]) if row["family"] else row["mean"]
            found.setdefault(parts.get("species_id", ""), {})[parts.get("component", component)] = value
    return found


def _of_organs(values, key, organs) -> tuple[Distribution | float, str] | None:
    """Carbon fraction of a species from those of its organs, and what is to be said of it; None when too few are known."""
    shares = {row["rule_id"]: row for row in records("rules", "organ_shares.csv", numbers=tuple(ORGANS))}
    species = next((s for s in vocabulary.species_list() if s.species_id == key), None)
    near = [key, *((species.genus.lower(), species.group) if species else ())]
    row = next((shares[name] for name in near if name in shares), None)
    known = vocabulary.components()
    by_variable: dict[str, list] = {}
    for component, value in values.items():
        if component in known:
            by_variable.setdefault(known[component].variable, []).append(value)
    told = {o: next((by_variable[v] for v in ORGANS[o] if v in by_variable), []) for o in organs}
    told = {organ: found for organ, found in told.items() if found}
    if row is None or sum(row[o] for o in told) < defaults()["organ_share_least"] * sum(
        row[o] for o in organs
    ):
        return None
    weight = {organ: row[organ] / sum(row[o] for o in told) for organ in told}
    mean = sum(w * np.mean([getattr(v, "mean", v) for v in told[o]]) for o, w in weight.items())
    sd = sum(w * np.mean([getattr(v, "sd", 0.0) for v in told[o]]) for o, w in weight.items())
    listed = ", ".join(f"{organ} {share:.0%}" for organ, share in weight.items())
    note = tr(
        f"carbon fraction of {key}: {mean:.3f} from {listed} of the mass (shares of {row['rule_id']})",
        f"{key} 的含碳系数：{mean:.3f}，按质量比例由 {listed} 合成（比例取自 {row['rule_id']}）",
    )
    return (from_moments(mean, sd, "beta") if sd > 0 else float(mean)), note


@dataclass(frozen=True, eq=False)
class Stock:
    """Carbon stocks with their draws.

    Attributes
    ----------
    stands : DataFrame or GeoDataFrame
        The stands with ``carbon_t, carbon_se_t, co2e_t, used, reason, model, out_of_range``.
    keys : DataFrame
        Names of the smallest units, one column per level asked for, coarsest first. A unit is known by
        its whole path: counties of one name in two cities are two.
    draws : array, shape (n_unit, n_draw)
        Carbon of each [t].
    estimate : array, shape (n_unit,)
    units : Units
        The stands that were used, in the order of work; their groups are the rows of ``keys``.
    chosen : DataFrame
        Model of each species, with the stands and the area it stands for.
    problems : DataFrame
    level : float
    """

    stands: pd.DataFrame
    keys: pd.DataFrame
    draws: np.ndarray
    estimate: np.ndarray
    units: Units
    chosen: pd.DataFrame
    problems: pd.DataFrame
    notes: tuple[str, ...]
    level: float
    seed: int

    @property
    def levels(self) -> list[str]:
        """Levels that can be summed up, and ``total``."""
        return [*self.keys.columns, TOTAL]

    def path(self, level: str) -> list[str]:
        """Columns that name a unit of a level: itself and the levels before it."""
        columns = list(self.keys.columns)
        return [] if level == TOTAL else columns[: columns.index(level) + 1]

    def members(self, level: str) -> tuple[pd.DataFrame, np.ndarray]:
        """Units of a level by the columns of their path, and the matrix that sums the smallest ones up."""
        path = self.path(level)
        if not path:
            return pd.DataFrame(index=range(1)), np.ones((1, len(self.keys)))
        index = self.keys.groupby(path, sort=True).ngroup().to_numpy()
        units = self.keys[path].drop_duplicates().sort_values(path).reset_index(drop=True)
        matrix = np.zeros((len(units), len(self.keys)))
        matrix[index, np.arange(len(self.keys))] = 1
        return units, matrix

    def summary(self, rule: str | None = None) -> pd.DataFrame:
        """Stocks of all levels in one long table.

        Parameters
        ----------
        rule : str, optional
            Deduction rule, applied to every row.

        Returns
        -------
        summary : DataFrame
            ``level``, one column per level, ``n_stand, n_used, area_ha, area_used_ha, area_out_of_range_ha, carbon_t, mean_t,
            se_t, se_approach1_t, lower_t, upper_t, interval_level, relative, carbon_t_ha, co2e_t,
            co2e_lower_t, co2e_upper_t``, and with a rule ``rule, uncertainty_percent, deduction_t,
            carbon_after_deduction_t, rule_status``. Errors and intervals are NaN where nothing uncertain was given.
        """
        parts = [self._level(level, rule) for level in self.levels]
        return pd.concat(parts, ignore_index=True)

    def _level(self, level, rule) -> pd.DataFrame:
        units, matrix = self.members(level)
        draws, estimate = matrix @ self.draws, matrix @ self.estimate
        first = np.sqrt(sum(variances(self.units, matrix).values()))
        # Where nothing uncertain was given there is no interval: a half-width of 0 would be a claim.
        told = np.ptp(draws, axis=1) > 1e-12 * np.abs(estimate)
        ends = np.quantile(draws, [0.5 - self.level / 2, 0.5 + self.level / 2], axis=1)
        lower, upper, se = np.where(told, [*ends, draws.std(axis=1, ddof=1)], np.nan)
        covered = self._areas(level)
        factor = co2_per_carbon()
        names = {c: units[c] if c in units else "" for c in self.keys}
        frame = pd.DataFrame(
            {
                "level": level,
                **names,
                **{c: covered[c].to_numpy() for c in covered},
                "carbon_t": estimate,
                "mean_t": draws.mean(axis=1),
                "se_t": se,
                "se_approach1_t": np.where(told, first, np.nan),
                "lower_t": lower,
                "upper_t": upper,
                "interval_level": self.level,
                "relative": _ratio((upper - lower) / 2, np.abs(estimate)),
                "carbon_t_ha": _ratio(estimate, covered["area_used_ha"].to_numpy()),
                "co2e_t": factor * estimate,
                "co2e_lower_t": factor * lower,
                "co2e_upper_t": factor * upper,
            }
        )
        if rule:
            found = [
                deduct(rule, e, draws=d, of="stock") if e > 0 and t else None
                for e, d, t in zip(estimate, draws, told, strict=True)
            ]
            frame["rule"] = rule
            for column, name in (
                ("uncertainty_percent", "uncertainty"),
                ("deduction_t", "deduction"),
                ("carbon_after_deduction_t", "result"),
            ):
                frame[column] = [getattr(d, name) if d else np.nan for d in found]
            frame["rule_status"] = [d.status if d else "" for d in found]
        return frame

    def _areas(self, level) -> pd.DataFrame:
        area, used = self.stands["area_ha"].fillna(0), self.stands["used"]
        frame = pd.DataFrame(
            {
                "n_stand": 1,
                "n_used": used.astype(int),
                "area_ha": area,
                "area_used_ha": area * used,
                "area_out_of_range_ha": area * (used & self.stands["out_of_range"]),
            }
        )
        path = self.path(level)
        return frame.groupby([self.stands[c] for c in path] or np.zeros(len(frame), int), sort=True).sum()


def _ratio(a, b):
    return np.divide(a, b, out=np.full(len(a), np.nan), where=np.asarray(b) > 0)


def stock(
    stands: Stands,
    tables: Sequence[Table],
    species: str = "species",
    by: Sequence[str] = (),
    mapping: Mapping[str, str] | None = None,
    responses: Sequence[str] = (),
    carbon_fraction: Factor | Distribution | float | None = None,
    measured: str = "",
    missing: str = "list",
    predictor_sd: Mapping[str, float] | None = None,
    area_sd: float = 0.0,
    effects: Mapping[str, float] | None = None,
    residual: bool = True,
    level: float = 0.95,
    n_draw: int = 1000,
    seed: int = 1,
    workers: int | None = 1,
) -> Stock:
    """Carbon stocks of stands and of what they add up to.

    Parameters
    ----------
    stands : Stands
        From :func:`sinklab.propagate.stands.prepare`.
    tables : sequence of Table
        With models whose response is per area (t/ha).
    species : str
        Column of the species or type.
    by : sequence of str
        Columns of the units wanted, the coarsest first, such as ``province, city, county``.
    mapping, responses
        See :func:`sinklab.propagate.stands.models_for`.
    carbon_fraction : Factor, Distribution or float, optional
        Carbon over dry mass; by species as a Factor. The default of ``data/rules/stock_defaults.csv`` (no
        uncertainty) when left out.
    measured : str
        Column of carbon densities measured in each stand or core [t/ha], in place of models; its
        standard errors are read from ``<measured>_se`` where that column is there.
    missing : "list" or "error"
        What to do about stands that cannot be computed: list them with their area, or refuse.
    predictor_sd : mapping of str to float, optional
        Relative standard deviation of predictors as measured in each stand.
    area_sd : float
        Relative standard deviation of each stand's area.
    effects : mapping of str to float, optional
        Relative standard deviation of what the stands of a level share beyond the model, by column:
        ``{"county": 0.05}``. A fit to plots of few places does not know it, and totals need it.
    residual : bool
        Whether stands scatter about the equation.
    level : float
        Level of the intervals (percentiles of the draws).
    n_draw, seed, workers
        See :func:`sinklab.propagate.monte_carlo.draw_totals`.

    Returns
    -------
    stock : Stock

    Raises
    ------
    DataError
        Columns that are missing, no stand that can be used, or ``missing="error"`` and some that cannot.

    Examples
    --------
    >>> from sinklab.propagate.stands import prepare
    >>> rows = pd.DataFrame({'id': ['a', 'b'], 'species': '杉木', 'age': [12.0, 25.0], 'area': [3.0, 5.0]})
    >>> len(sl.stock(prepare(rows, 'id', 'area'), [stand_table], n_draw=200).summary())
    1
    """
    # What is found here is added to the problems of these stocks, not of the stands.
    stands = Stands(stands.frame.copy(), list(stands.rows))
    frame = stands.frame
    require_known((measured or species, *by, *(effects or ())), frame)
    require_choice("missing", missing, MISSING)
    if measured:
        if not re.fullmatch(r"[A-Za-z_]\w*", measured, re.ASCII):
            # The name of a column may be one that no equation can hold.
            own = {
                f"carbon_density{end}": frame[f"{measured}{end}"]
                for end in ("", "_se")
                if f"{measured}{end}" in frame
            }
            frame = stands.frame = frame.assign(**own)
            measured = "carbon_density"
        labels = pd.Series(measured, index=frame.index)
        models, chosen = _as_measured(measured)
    else:
        labels = text_of(frame[species])
        models, chosen = models_for(sorted(set(labels) - {""}), tables, mapping, responses)
    reason, out = _usable(frame, labels, models)
    detail = _without_value(frame, labels, models, reason)
    _report(stands, reason, out, missing, detail)
    used = reason == ""
    if not used.any():
        known = ", ".join(map(str, frame.columns))
        raise DataError(
            tr(f"no stand can be computed (columns: {known}):\n", f"没有可计算的小班（现有列：{known}）：\n")
            + listing(_counted(reason, labels))
        )
    keys, group = _keys(frame, by)
    factor, notes = _carbon_factor(carbon_fraction, models)
    if measured and f"{measured}_se" not in frame:
        notes.append(
            tr(
                f"no column {measured}_se: the uncertainty of what was measured is not counted",
                f"没有列 {measured}_se：未计实测值的不确定性",
            )
        )
    data = _columns(frame, used, labels, models, group, predictor_sd)
    noises = _noises(data, frame, used, measured, predictor_sd, area_sd, effects or {})
    told, models, of_sites = among_sites(pd.DataFrame(data), models, "_species", "")
    units = arrange(
        told,
        models,
        model="_species",
        group="_group",
        weight=frame["area_ha"].to_numpy(float)[used],
        noises=[*noises, *of_sites],
        factors=factor,
        residual=residual,
        groups=[str(i) for i in range(len(keys))],
    )
    per_stand = _per_stand(frame, units, used, reason, out, labels, models)
    stood = pd.DataFrame({"species": labels, "area_ha": np.nan_to_num(frame["area_ha"])})
    stood = stood.groupby("species")["area_ha"].agg(n_stand="size", area_ha="sum").reset_index()
    return Stock(
        stands=per_stand,
        keys=keys,
        draws=draw_totals(units, n_draw, seed, workers),
        estimate=units.totals(),
        units=units,
        chosen=chosen.merge(stood, on="species", how="left"),
        problems=stands.problems,
        notes=(*_notes(tables, chosen), *notes, *notes_of(models.values())),
        level=level,
        seed=seed,
    )


def _counted(reason, labels) -> list[str]:
    """Each reason with the number of its stands, and the species that have no parameter."""
    lines = []
    for why, number in pd.Series(reason).value_counts(sort=False).items():
        en = zh = ""
        if why == "no parameter":
            names = list(dict.fromkeys(labels[reason == why]))
            en = f" ({joined(names, 'en')}); say --map SPECIES=TABLE"
            zh = f"（{joined(names, 'zh')}）；请用 --map 树种=参数表 指明"
        lines.append(tr(f"{number} stands: {why}{en}", f"{number} 个小班：{why}{zh}"))
    return lines


def _usable(frame, labels, models) -> tuple[np.ndarray, np.ndarray]:
    """Why each stand cannot be computed ("" when it can), and whether it lies outside a fitted range."""
    reason = np.where(frame["area_ha"].to_numpy(float) > 0, "", "no area").astype(object)
    out = np.zeros(len(frame), bool)
    known = labels.isin(list(models)).to_numpy()
    reason[(reason == "") & (labels == "").to_numpy()] = "no species"
    reason[(reason == "") & ~known] = "no parameter"
    for label, model in models.items():
        rows = np.flatnonzero((labels == label).to_numpy())
        for x in model.predictors:
            if x not in frame:
                reason[rows[reason[rows] == ""]] = f"no column {x}"
                continue
            values = pd.to_numeric(frame[x].iloc[rows], errors="coerce").to_numpy(float)
            with np.errstate(invalid="ignore"):
                bad = ~np.isfinite(values) | (values < 0)
            reason[rows[bad & (reason[rows] == "")]] = f"no {x}"
        if model.fit is not None and set(model.predictors) <= set(frame) and len(rows):
            at = frame.iloc[rows][list(model.predictors)].apply(pd.to_numeric, errors="coerce")
            # Outside the records of the pool that is counted; what was dug on few plots has their range.
            out[rows] |= model.fit.range_note(at, model.responses) != ""
    return reason, out


def _without_value(frame, labels, models, reason) -> dict[int, str]:
    """Mark stands where the equation, or a derivative of it, has no value, such as a power of age at age 0.

    One such stand would leave every total that it belongs to without an interval. Returns what its predictors are.
    """
    detail = {}
    for label, model in models.items():
        rows = np.flatnonzero((labels == label).to_numpy() & (reason == ""))
        if not len(rows):
            continue
        part = frame.iloc[rows]
        data = {x: pd.to_numeric(part[x], errors="coerce").to_numpy(float) for x in model.predictors}
        data |= {g: part[g].to_numpy() for g in model.system.groups.values()}
        with np.errstate(all="ignore"):
            value = model.centre(data, model.places(data, len(rows)), len(rows))
            known = np.isfinite(value) & np.isfinite(model.slopes(data, len(rows))).all(axis=1)
        for i in np.flatnonzero(~known):
            reason[rows[i]] = "no value"
            detail[rows[i]] = ", ".join(f"{x} = {data[x][i]:g}" for x in model.predictors)
    return detail


def _report(stands, reason, out, missing, detail) -> None:
    gone = np.flatnonzero((reason != "") & (reason != "no area"))
    if missing == "error" and len(gone):
        ids = stands.frame["stand_id"].to_numpy()
        raise DataError(
            tr("stands that cannot be computed:\n", "无法计算的小班：\n")
            + listing(f"{ids[i]}: {reason[i]}" for i in gone)
        )
    for kind in dict.fromkeys(reason[gone]):
        here = gone[reason[gone] == kind]
        stands.report(here, kind, [detail.get(i, "") for i in here], "not used; area listed")
    outside = np.flatnonzero(out & (reason == ""))
    stands.report(outside, "outside the fitted range", "", "used and counted")


def _keys(frame, by) -> tuple[pd.DataFrame, np.ndarray]:
    """Distinct combinations of the levels, and the position of each stand's; blanks become ``–``."""
    by = list(by)
    if not by:
        return pd.DataFrame(index=range(1)), np.zeros(len(frame), int)
    cells = pd.DataFrame({c: text_of(frame[c]).replace("", "–") for c in by})
    for column in by:
        frame[column] = cells[column]
    group = cells.groupby(by, sort=True).ngroup().to_numpy()
    keys = cells.drop_duplicates().sort_values(by).reset_index(drop=True)
    return keys, group


def _as_measured(column) -> tuple[dict[str, Model], pd.DataFrame]:
    """A model that says what was measured, with nothing uncertain of its own."""
    system = System.parse(f"measured_carbon = one * {column}").bind([column], responses_required=False)
    model = Model(MEASURED, system, ("measured_carbon",), np.ones(1), np.zeros((1, 1)))
    row = {"species": column, "species_id": "", "table": "", "model": MEASURED, "pool": column}
    return {column: model}, pd.DataFrame([row | {"how": MEASURED}])


def _per_stand(frame, units, used, reason, out, labels, models) -> pd.DataFrame:
    carbon, se = np.full(len(frame), np.nan), np.full(len(frame), np.nan)
    rows = np.flatnonzero(used)[units.order]
    carbon[rows] = units.weight * units.centre
    variance = row_variances(units)
    se[rows] = np.sqrt(np.where(variance > 0, variance, np.nan))
    names = labels.map({label: model.name for label, model in models.items()}).fillna("")
    return frame.assign(
        carbon_t=carbon,
        carbon_se_t=se,
        co2e_t=carbon * co2_per_carbon(),
        model=names,
        used=used,
        reason=reason,
        out_of_range=out,
    )


def _carbon_factor(given, models) -> tuple[tuple[Factor, ...], list[str]]:
    """Carbon fraction of all stands as a factor, and what is to be said of it; none where carbon was measured."""
    if all(m.responses == ("soc_stock",) or m.name == MEASURED for m in models.values()):
        return (), []
    if isinstance(given, Factor):
        return (given,), []
    notes, by_default = Notes(), given is None
    value = defaults()["carbon_fraction"] if by_default else given
    if not hasattr(value, "draw"):
        why = tr(" (default of stock_defaults.csv)", "（stock_defaults.csv 的缺省值）") if by_default else ""
        notes.add(
            f"carbon fraction {value:g} for all stands, without an uncertainty{why}",
            f"含碳系数统一取 {value:g}，未计其不确定性{why}",
        )
    return (Factor("carbon_fraction", {"": value}),), notes


def _notes(tables, chosen) -> list[str]:
    """What has to be said of tables of simulated data, and of species that differ in the pool counted."""
    notes = Notes()
    shown = ", ".join(t.ref for t in tables if t.status == "demonstration" and t.ref in set(chosen["table"]))
    if shown:
        notes.add(
            f"DEMONSTRATION: {shown} made from simulated data; the stocks must not be used",
            f"演示：{shown} 由模拟数据得出，所得储量不得用于实际计量",
        )
    pools = sorted(set(chosen["pool"]) - {""})
    if len(pools) > 1:
        text = ", ".join(pools)
        notes.add(f"species differ in the pool that is counted: {text}", f"各树种计入的碳库不同：{text}")
    return notes


def _columns(frame, used, labels, models, group, predictor_sd) -> dict:
    """Columns (used stands) that the models, the totals and the errors need.

    Raises
    ------
    DataError
        An error is told of a predictor that no model has.
    """
    needed = {x for model in models.values() for x in model.predictors}
    data = {"_species": labels[used].to_numpy(), "_group": group[used].astype(str)}
    data["species_id"] = labels[used].map({s: species_key(s) for s in models}).to_numpy()
    for x in needed:
        values = pd.to_numeric(frame[x], errors="coerce") if x in frame else pd.Series(np.nan, frame.index)
        data[x] = values.to_numpy(float)[used]
    for g in {g for m in models.values() for g in m.system.groups.values()}:
        data[g] = frame[g].to_numpy()[used]
    for g in {m.with_sites().populations for m in models.values()} & {*frame}:
        data[g] = frame[g].to_numpy()[used]
    require_known(sorted(predictor_sd or {}), sorted(needed), "predictor", "自变量")
    return data


def _noises(data, frame, used, measured, predictor_sd, area_sd, effects) -> list[Noise]:
    """Errors of predictors, of what was measured, of the area, and those that the stands of a level share.

    The columns they need are added to ``data``.
    """
    noises = [Noise(x, sd, x, relative=True, low=0.0) for x, sd in (predictor_sd or {}).items() if sd]
    if measured and f"{measured}_se" in frame:
        data["_se"] = pd.to_numeric(frame[f"{measured}_se"], errors="coerce").to_numpy(float)[used]
        noises.append(Noise(f"{measured}_se", "_se", measured))
    if area_sd:
        noises.append(Noise("area", area_sd))
    for column, sd in effects.items():
        data[column] = text_of(frame[column]).replace("", "–").to_numpy()[used]
        if sd:
            noises.append(Noise(f"effect of {column}", sd, by=column))
    return noises


# Maps of stocks: what there is, and how uncertain it is, side by side on a layer that the user brings.


@plots.styled
def stock_map(
    layer: Any, value: str, uncertainty: str, label: str | None = None, lang: str | None = None
) -> "Figure":
    """Choropleths of one layer: a value, and its relative uncertainty, with boundaries, names, scale bar and north arrow.

    The layer is drawn in an equal-area projection about its middle; a map without a single number is left out, and wide
    layers stand one above the other.

    Parameters
    ----------
    layer : GeoDataFrame
        Polygons with the two columns; rows without a number are hatched, and the legend counts them.
    value : str
        Column of the stock per hectare of carbon [t/ha].
    uncertainty : str
        Column of its relative half-width [-].
    label : str, optional
        Column whose text is written on the polygons, with the number below it, while there are few of them.
    """
    frame = _about_its_middle(layer.assign(_value=layer[value], _spread=100 * layer[uncertainty]))
    carbon = plots.words(lang, "单位面积碳储量/(t/hm²)", "carbon per area (t/ha)")
    spread = plots.words(
        lang, "相对不确定性（半宽/估计值）/%", "relative uncertainty (half-width / estimate, %)"
    )
    told = [("_value", carbon, "YlGn"), ("_spread", spread, "OrRd")]
    told = [t for t in told if np.isfinite(frame[t[0]].to_numpy(float)).any()] or told[:1]
    west, south, east, north = frame.total_bounds
    shape = float(np.clip((north - south) / max(east - west, 1e-9), 0.35, 1.8))
    stacked = shape < 0.6 and len(told) > 1
    size = (6.4, 6.0 * shape + 1.1) if stacked or len(told) == 1 else (4.6, 4.4 * shape + 1.1)
    rows, columns = (len(told), 1) if stacked else (1, len(told))
    figure, axes = plots.figure_of(size[0] * columns, size[1] * rows, rows, columns)
    names = None if label is None or len(frame) > plots.MAX_VALUES else frame[label].astype(str)
    for axis, (column, title, colours) in zip(axes.flat, told, strict=True):
        _choropleth(axis, frame, column, title, colours, names)
        _scale_and_north(axis, frame, lang)
    missing = int((~np.isfinite(frame[told[0][0]].to_numpy(float))).sum())
    if missing:
        from matplotlib.patches import Patch

        note = plots.words(
            lang, f"未统计（{missing} 个单元）", f"not counted ({missing} unit{'s'[: missing > 1]})"
        )
        figure.legend(handles=[Patch(label=note, **NOT_COUNTED)], loc="outside lower left", fontsize="small")
    return figure


#: Look of units without a number.
NOT_COUNTED = {"facecolor": "#f4f4f4", "edgecolor": "#555555", "linewidth": 0.5, "hatch": "////"}


def _about_its_middle(layer: Any) -> Any:
    """The layer in metres, equal in area, about its middle; as it is where it does not say its coordinates."""
    if layer.crs is None or layer.empty:
        return layer
    west, south, east, north = layer.to_crs("EPSG:4326").total_bounds
    third = (north - south) / 6
    about = f"+lat_0={(south + north) / 2:.4f} +lon_0={(west + east) / 2:.4f}"
    return layer.to_crs(
        f"+proj=aea +lat_1={south + third:.4f} +lat_2={north - third:.4f} {about} +datum=WGS84 +units=m"
    )


def _choropleth(axis: Any, frame: Any, column: str, title: str, colours: str, names: Any) -> None:
    from matplotlib.patheffects import withStroke

    known = np.isfinite(frame[column].to_numpy(float))
    if (~known).any():
        frame[~known].plot(ax=axis, **NOT_COUNTED)
    if known.any():
        bar = {"orientation": "horizontal", "shrink": 0.7, "pad": 0.02, "label": title}
        line = {"edgecolor": "#333333", "linewidth": 0.5 if len(frame) <= 200 else 0.15}
        frame[known].plot(ax=axis, column=column, cmap=colours, legend=True, legend_kwds=bar, **line)
    axis.set_axis_off()
    axis.set_aspect("equal")
    if names is None:
        return
    west, _, east, _ = frame.total_bounds
    largest = 7.5 if len(frame) <= 20 else 6 if len(frame) <= 40 else 5
    # Narrow units have small names, and no number below: the map is about 300 points wide.
    bounds = frame.geometry.bounds
    room = 300 * (bounds["maxx"] - bounds["minx"]) / max(east - west, 1e-9)
    middle = frame.geometry.representative_point()
    for name, point, number, wide in zip(names, middle, frame[column], room, strict=True):
        size = float(np.clip(1.6 * wide / max(width(name), 1), 3.5, largest))
        numbered = np.isfinite(number) and size > 0.7 * largest
        text = f"{name}\n{number:.3g}" if numbered else name
        halo = [withStroke(linewidth=1.6, foreground="white")]
        where = {"ha": "center", "va": "center", "fontsize": size, "linespacing": 1.1}
        axis.annotate(text, (point.x, point.y), path_effects=halo, **where)


def _scale_and_north(axis: Any, frame: Any, lang: str | None) -> None:
    """A bar of a round length below the map, and an arrow to the north above it; nothing without coordinates."""
    if frame.crs is None or frame.empty:
        return
    west, south, east, north = frame.total_bounds
    across, height = east - west, max(north - south, 0.35 * (east - west))
    step = 10.0 ** np.floor(np.log10(across / 4))
    length = max(k * step for k in (1, 2, 5) if k * step <= across / 4)
    foot = south - 0.06 * height
    axis.plot(
        [west, west, west + length, west + length], foot + height * np.array([0.012, 0, 0, 0.012]), "k", lw=1
    )
    said = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    axis.annotate(
        said,
        (west + length / 2, foot),
        (0, -2),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=7,
    )
    arrow = {"arrowstyle": "-|>", "color": "black", "lw": 1}
    top = (east, north + 0.06 * height)
    axis.annotate("", top, (east, north - 0.06 * height), arrowprops=arrow)
    axis.annotate(
        plots.words(lang, "北", "N"),
        top,
        (0, 1),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=8,
    )
    axis.set_ylim(south - 0.14 * height, north + 0.13 * height)
