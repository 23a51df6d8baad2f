r"""Carbon of stands, and of the counties, cities, provinces and zones that they make up.

The stock of a stand is :math:`A \cdot f(x, \theta) \cdot CF`. All stands of a model share its
parameters, all stands of a species its carbon fraction; the residual, the error of the predictors and
of the area are each stand's own. Totals are drawn together once, for the smallest units asked for,
and added up draw by draw, so that a province is as uncertain as its parts together make it.
"""

import numpy as np
import pandas as pd

from sinklab.equations import System
from sinklab.errors import DataError, listing
from sinklab.language import tr
from sinklab.propagate import choose
from sinklab.propagate.approach1 import row_variances
from sinklab.propagate.carbon import MEASURED, carbon_factor, pool_notes, standing_notes
from sinklab.propagate.model import Model, notes_of
from sinklab.propagate.monte_carlo import draw_totals
from sinklab.propagate.stand_errors import columns, effects_of, noises, text_of
from sinklab.propagate.stands import Stands
from sinklab.propagate.totals import Stock, co2_per_carbon
from sinklab.propagate.units import arrange

MISSING = ("list", "error")
EVERYTHING = (-np.inf, np.inf)


def stock(
    stands: Stands,
    tables,
    species: str = "species",
    by=(),
    mapping=None,
    responses=(),
    carbon_fraction=None,
    measured: str = "",
    missing: str = "list",
    predictor_sd=None,
    area_sd: float = 0.0,
    effects=None,
    residual: bool = True,
    level: float = 0.95,
    n_draw: int = 1000,
    seed: int = 1,
    workers=1,
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
        See :func:`sinklab.propagate.choose.models_for`.
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
    """
    # What is found here is added to the problems of these stocks, not of the stands.
    stands = Stands(stands.frame.copy(), list(stands.rows))
    frame = stands.frame
    absent = [c for c in dict.fromkeys((measured or species, *by, *(effects or ()))) if c not in frame]
    if absent:
        raise DataError(_no_column(absent, frame))
    if missing not in MISSING:
        raise DataError(tr(f"missing must be one of {MISSING}", f"missing 应为 {MISSING} 之一"))
    if measured:
        labels = pd.Series(measured, index=frame.index)
        models, chosen = _as_measured(measured)
    else:
        labels = text_of(frame[species])
        models, chosen = choose.models_for(sorted(set(labels) - {""}), tables, mapping, responses)
    reason, out = _usable(frame, labels, models)
    _report(stands, reason, out, missing)
    used = reason == ""
    if not used.any():
        known = ", ".join(map(str, frame.columns))
        raise DataError(
            tr(f"no stand can be computed (columns: {known}):\n", f"没有可计算的小班（现有列：{known}）：\n")
            + listing(dict.fromkeys(reason))
        )
    keys, group = _keys(frame, by)
    factor, notes = carbon_factor(carbon_fraction, models)
    data = columns(frame, used, labels, models, group, predictor_sd)
    units = arrange(
        data,
        models,
        model="_species",
        group="_group",
        weight=frame["area_ha"].to_numpy(float)[used],
        noises=(
            *noises(data, frame, used, measured, predictor_sd, area_sd),
            *effects_of(data, frame, used, effects or {}),
        ),
        factors=factor,
        residual=residual,
        groups=[str(i) for i in range(len(keys))],
    )
    per_stand = _per_stand(frame, units, used, reason, out, labels, models)
    table = chosen.merge(choose.counts(labels, frame["area_ha"]), on="species", how="left")
    return Stock(
        stands=per_stand,
        keys=keys,
        draws=draw_totals(units, n_draw, seed, workers),
        estimate=units.totals(),
        units=units,
        chosen=table,
        problems=stands.problems,
        notes=(*standing_notes(tables, chosen), *notes, *pool_notes(chosen), *notes_of(models.values())),
        level=level,
        seed=seed,
    )


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
            low, high = model.fit.ranges.get(x, EVERYTHING) if model.fit else EVERYTHING
            with np.errstate(invalid="ignore"):
                out[rows] |= (values < low) | (values > high)
                bad = ~np.isfinite(values) | (values < 0)
            reason[rows[bad & (reason[rows] == "")]] = f"no {x}"
    return reason, out


def _report(stands, reason, out, missing) -> None:
    gone = np.flatnonzero((reason != "") & (reason != "no area"))
    if missing == "error" and len(gone):
        ids = stands.frame["stand_id"].to_numpy()
        raise DataError(
            tr("stands that cannot be computed:\n", "无法计算的小班：\n")
            + listing(f"{ids[i]}: {reason[i]}" for i in gone)
        )
    for kind in dict.fromkeys(reason[gone]):
        stands.report(gone[reason[gone] == kind], kind, "", "not used; area listed")
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
    row = {
        "species": column,
        "species_id": "",
        "table": "",
        "model": MEASURED,
        "pool": column,
        "how": MEASURED,
    }
    return {column: model}, pd.DataFrame([row])


def _no_column(absent, frame) -> str:
    known = ", ".join(map(str, frame.columns))
    return tr(f"no column {', '.join(absent)}; found {known}", f"没有列 {'、'.join(absent)}；现有 {known}")


def _per_stand(frame, units, used, reason, out, labels, models) -> pd.DataFrame:
    carbon, se = np.full(len(frame), np.nan), np.full(len(frame), np.nan)
    rows = np.flatnonzero(used)[units.order]
    carbon[rows] = units.weight * units.centre
    se[rows] = np.sqrt(row_variances(units))
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
