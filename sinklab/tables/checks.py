"""Whether a table is good, and whether its package is what it claims to be.

Checks are written beside the numbers, in ``checks.csv``, and are of two kinds: *definitions* (a
covariance must be one), and *thresholds* from ``data/rules/acceptance.csv``. A threshold that was recalled and
not read in its source is marked so, and no threshold makes a table invalid: it is recorded for those
who review; where there is nothing to check, there is no check. What does not pass the gate (``data/rules/gate.csv``)
is refused: a row of values keeps its place but has no value, a curve stays out of the table, and both leave the
reason and what would settle it. :func:`validate` asks an independent tool about the files, and compares the numbers with
each other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sinklab.data import vocabulary
from sinklab.data.files import rule_row
from sinklab.language import EquationError, Notes, TableError, listing, tr
from sinklab.results.fit_result import FitResult
from sinklab.results.indices import rules
from sinklab.results.prediction import curve_data
from sinklab.results.summary import gross_errors
from sinklab.tables import package
from sinklab.tables.pack import (
    EIGENVALUE_FLOOR,
    labels_of,
    of_model,
    smallest_eigenvalue,
    square,
    table_status,
    unpack,
)
from sinklab.tables.schema import (
    DESCRIPTOR,
    FILES,
    FROZEN,
    REFUSED,
    RELEASE_FILES,
    check_table_id,
    check_version,
    columns_of,
    system_of,
)

#: Rows that tell the sign of an exponent, and single rows that are left out in turn.
FEW_ROWS, MOST_ROWS = 5, 300
#: Condition of cross-products of sizes above which they are all alike.
ALIKE = 1e10
#: What is several times as large in one month as in another where plants die back.
SEASONAL = ("agb_density", "bgb_density", "total_density", "root_shoot_ratio")
#: Numbers of a row of values that the quantity must be able to have.
LIMITED = ("mean", "mean_lower", "mean_upper", "q025", "q975")
#: Predictors along which a stand grows.
SIZES = ("age", "growing_stock", "agb_density", "total_density")
#: Units of what a stand accumulates, whose mean annual increment culminates.
PER_AREA = ("m3/ha", "t/ha")


def run_checks(frames, table_id: str) -> pd.DataFrame:
    """Check the frames of a package.

    Parameters
    ----------
    frames : dict of DataFrame
        See :func:`sinklab.tables.pack.pack_table`.
    table_id : str
        Tells which ecosystem's rules apply.

    Returns
    -------
    checks : DataFrame
        Columns of ``checks.csv``, one row per check.
    """
    rows = []
    if "models" in frames:
        for model in frames["models"]["model_id"]:
            rows += _definitions(frames, model)
        if "between" in frames:
            rows += _sampled(frames["between"])
        rows += _thresholds(frames, system_of(table_id))
    if "values" in frames:
        rows += [_value_check(row) for row in frames["values"].to_dict("records") if row["status"] != REFUSED]
    return pd.DataFrame(rows, columns=columns_of("checks"))


def _definitions(frames, model) -> list[dict]:
    labels = labels_of(of_model(frames["coefficients"], model))
    covariance = square(of_model(frames["covariance"], model), labels)
    eigenvalue, about = smallest_eigenvalue(covariance), {"model_id": model, "rule_status": "definition"}
    return [
        about
        | {
            "check_id": "converged",
            # A fit that did not converge is refused before it comes here.
            "passed": True,
            "message_en": "the fit met its convergence criterion",
            "message_zh": "拟合满足收敛条件",
        },
        about
        | {
            "check_id": "covariance_positive",
            "passed": bool(eigenvalue >= EIGENVALUE_FLOOR),
            "value": eigenvalue,
            "comparison": ">=",
            "threshold": EIGENVALUE_FLOOR,
            "message_en": "covariance of the coefficients is positive semi-definite (smallest scaled eigenvalue)",
            "message_zh": "系数协方差矩阵半正定（最小标度特征值）",
        },
    ]


def _sampled(between) -> list[dict]:
    """Whether the unit that was sampled is known: without it trees of one place count as independent."""
    units = between[between["kind"] == "unit"].to_dict("records")
    known = {
        "check_id": "sampling_unit",
        "rule_status": "house rule",
        "rule_source": "sinklab",
        "message_en": "the unit that was sampled (site, plot) is known, and uncertainty is that of such units",
        "message_zh": "抽样单元（样点、样地）已知，不确定性按单元计算",
    }
    return [known | {"model_id": u["model_id"], "passed": bool(u["row"]), "value": u["value"]} for u in units]


def _thresholds(frames, system) -> list[dict]:
    indices, rows = frames["indices"], []
    judged = set(zip(indices["model_id"], indices["response"], strict=True))
    # A model without any index (pooled equations, models of other plots) leaves nothing to check, of its sums neither.
    some = set(indices.loc[indices["TRE"].notna() | indices["R2"].notna(), "model_id"])
    for row in frames["equations"][["model_id", "response"]].to_dict("records"):
        if row["model_id"] in some and (row["model_id"], row["response"]) not in judged:
            # What could not be evaluated was not met.
            rows += [
                rule.row(float("nan")) | row for rule in rules() if rule.applies(row["response"], system)
            ]
    for row in indices[indices["class_column"] == ""].to_dict("records"):
        for rule in rules():
            # An index that does not exist (a pooled equation has no trees) leaves nothing to check.
            if rule.applies(row["response"], system) and not pd.isna(row[rule.quantity]):
                rows.append(rule.row(row[rule.quantity]) | {k: row[k] for k in ("model_id", "response")})
    return rows


def _value_check(row) -> dict:
    ordered = all(
        pd.isna(row[low]) or pd.isna(row[high]) or row[low] <= row["mean"] <= row[high]
        for low, high in (("q025", "q975"), ("mean_lower", "mean_upper"))
    )
    return {
        "check_id": "quantiles_in_order",
        "response": _named(row),
        "passed": bool(ordered),
        "value": row["mean"],
        "rule_status": "definition",
        "message_en": "the mean lies between its limits, and between the 2.5 % and 97.5 % quantiles",
        "message_zh": "均值位于其置信限之间，并位于 2.5% 与 97.5% 分位数之间",
    }


def _named(row) -> str:
    return f"{row['name']} [{row['group']}]" if row["group"] else row["name"]


# The gate


@dataclass(frozen=True)
class Refusal:
    """Why a value or a curve is refused: the rule, what was found and the limit that it does not keep."""

    rule: dict
    where: str
    value: float
    comparison: str
    threshold: float

    @property
    def wordings(self) -> tuple[str, str]:
        """What was found and what would settle it, in English and Chinese."""
        measured = f" {self.value:.4g} ({self.comparison} {self.threshold:.4g})"
        found = self.where + (measured if np.isfinite(self.threshold) else "")
        rule = self.rule
        return (
            f"refused: {rule['label_en']}: {found}; settled by {rule['settle_en']}",
            f"不予采用：{rule['label_zh']}：{found}；解决办法：{rule['settle_zh']}",
        )

    def row(self, model_id: str, response: str) -> dict:
        """Row of ``checks.csv``."""
        found = {"check_id": REFUSED, "model_id": model_id, "response": response, "passed": False}
        found |= {"value": self.value, "comparison": self.comparison, "threshold": self.threshold}
        found |= {"rule_status": self.rule["status"], "rule_source": self.rule["source"]}
        return found | dict(zip(("message_en", "message_zh"), self.wordings, strict=True))


def _gate(name) -> dict:
    return rule_row("gate", name)


def refusal(rule_id: str, where: str, value: float, comparison: str = "<=") -> Refusal:
    """A refusal by a rule of ``data/rules/gate.csv``, for what its maker knows and the gate cannot see."""
    rule = _gate(rule_id)
    return Refusal(rule, where, float(value), comparison, rule["value"])


def refuse_values(
    values: pd.DataFrame, refused: Mapping[str, Refusal] | None = None
) -> tuple[pd.DataFrame, list[dict]]:
    """Take the numbers from rows of values whose mean or interval the quantity cannot have.

    Parameters
    ----------
    values : DataFrame
        Of :func:`sinklab.tables.pack.complete_values`.
    refused : mapping of str to Refusal, optional
        By name of the row: what else must not be used.

    Returns
    -------
    values : DataFrame
        Refused rows have no number, the status ``refused``, and the reason in ``note``.
    rows : list of dict
        Their rows of ``checks.csv``.
    """
    values, rows, given = values.copy(), [], refused or {}
    for i, row in values.iterrows():
        found = (
            None
            if row["status"] == REFUSED
            else given.get(row["name"]) or _unsaid(row) or _beyond_bounds(row) or _denser_than_soil(row)
        )
        if found is None:
            continue
        rows.append(found.row("", _named(row)))
        values.loc[i, "mean sd se mean_lower mean_upper tau p1 p2 q025 q975".split()] = np.nan
        values.loc[i, ["family", "status", "note"]] = "", REFUSED, found.wordings[0]
    return values, rows


def _unsaid(row) -> Refusal | None:
    """A mass of herbs, or its roots over its shoots, pooled from studies that do not all say the season."""
    told = "season=unstated" in str(row["definition"]).split(";") and row["variable"] in SEASONAL
    return Refusal(_gate("season"), "season", np.nan, "", np.nan) if told else None


def _beyond_bounds(row) -> Refusal | None:
    """The first of mean and limits that the quantity cannot have."""
    info = vocabulary.variables().get(row["variable"] or row["name"])
    if info is None or row["unit"] != info.unit:
        return None
    low = -np.inf if info.minimum is None else info.minimum
    high = np.inf if info.maximum is None else info.maximum
    for column in LIMITED:
        value = row[column]
        if not pd.isna(value) and not low <= value <= high:
            below = value < low
            limit = float(low if below else high)
            return Refusal(_gate("bounds"), column, float(value), ">=" if below else "<=", limit)
    return None


def _denser_than_soil(row) -> Refusal | None:
    """The first of mean and limits of a carbon stock that a soil of the stated depth cannot hold."""
    told = vocabulary.group_members(str(row["definition"]))
    if row["variable"] != "soc_stock" or row["unit"] != "t/ha" or not told.get("soil_depth"):
        return None
    rule = _gate("carbon_volume")
    for column in LIMITED:
        # A tonne per hectare is a tenth of a kilogram on a square metre.
        volume = row[column] / 10 / (float(told["soil_depth"]) / 100)
        if volume > rule["value"]:
            return Refusal(rule, column, float(volume), "<=", rule["value"])
    return None


def refusals(fit) -> list[Refusal]:
    """Why a curve must not become part of a table; an empty list for one that may."""
    return [
        *_undetermined(fit),
        *_no_better(fit),
        *_standing_still(fit),
        *_one_plot(fit),
        *_rising_ratio(fit),
        *_gross_errors(fit),
        *_more_than_matter(fit),
        *_another_species(fit),
        *_off_elsewhere(fit),
        *_any_place(fit),
    ]


def _undetermined(fit):
    rule = _gate("coefficient")
    cells = zip(fit.labels, fit.values, fit.parameters["se"], fit.log_coefficients(), strict=True)
    for label, value, se, factor in cells:
        size = abs(value) if factor else max(abs(value), 1.0)
        # A coefficient that was held has no error: nothing to check.
        if not np.isnan(se) and se > rule["value"] * size:
            yield Refusal(rule, label, float(se / size) if size else np.inf, "<=", rule["value"])


def _no_better(fit):
    constant, total = _gate("constant"), _gate("total_error")
    explained, systematic = _gate("explained"), _gate("systematic")
    # A part of a sum may be poor where the sum is good, and an effect of every group is no curve.
    alone = len(fit.system.free) == 1 and not fit.system.groups
    for response in fit.system.free:
        row = fit.index_table.loc[response] if response in fit.index_table.index else {}
        r2, tre, ase = (float(row[name]) if name in row else np.nan for name in ("R2", "TRE", "ASE"))
        if fit.system.predictors and r2 <= constant["value"]:
            yield Refusal(constant, response, r2, ">=", constant["value"])
        elif (
            alone
            and tuple(fit.system.predictors) in (("age",), ("growing_stock",))
            and r2 < explained["value"]
        ):
            yield Refusal(explained, response, r2, ">=", explained["value"])
        if abs(tre) > total["value"]:
            yield Refusal(total, response, tre, "abs<=", total["value"])
        # With Student's t a few records may lie far off, each of them named: their mean says nothing of the curve.
        if alone and fit.residual[response].variance.family != "t" and abs(ase) > systematic["value"]:
            yield Refusal(systematic, response, ase, "abs<=", systematic["value"])
    rule, told = _gate("precision"), fit.index_table
    if "agb" in told.index and told.at["agb", "MPE"] > rule["value"]:
        yield Refusal(rule, "agb", float(told.at["agb", "MPE"]), "<=", rule["value"])


def _standing_still(fit):
    """Curves of a stand by age: they grow, in the middle of the ages they still do, and a stock culminates inside them."""
    known = vocabulary.variables()
    if tuple(fit.system.predictors) != ("age",) or fit.system.groups or "age" not in fit.ranges:
        return
    falling, growth, culmination = _gate("falling"), _gate("growth"), _gate("culmination")
    low, high = fit.ranges["age"]
    ages = np.linspace(low, high, 101)
    told = fit.predict(pd.DataFrame({"age": ages}))
    for response in fit.system.free:
        if response not in known or known[response].role not in ("stand", "response"):
            continue
        curve = told[response].to_numpy(float)
        fall = float(np.max(np.maximum.accumulate(curve) - curve) / curve.max())
        if fall > falling["value"] + 1e-9:
            yield Refusal(falling, response, fall, "<=", falling["value"])
        current = (curve[51] - curve[49]) / (ages[51] - ages[49])
        share = float(current * ages[50] / curve[50])
        if share < growth["value"]:
            yield Refusal(growth, response, share, ">=", growth["value"])
            continue
        best = int(np.argmax(curve / ages))
        if known[response].unit in PER_AREA and best in (0, len(ages) - 1):
            away = min(ages[best] - low, high - ages[best])
            yield Refusal(
                culmination, f"{response}: {ages[best]:.4g}", float(away), ">", culmination["value"]
            )


#: Condition of the correlation of predictors from which on they are one: 100 is a correlation of 0.98.
TIED = 100


def _one_plot(fit):
    """Exponents of an equation, alone or in a system, whose sign rests on one plot or one study.

    Of further predictors (heights beside diameters) those that the fit tells from nought: one that it does not has no sign to
    lose, and its verdict says so.
    """
    data, rule = fit.data, _gate("sign")
    if data is None or not fit.system.predictors or fit.system.groups:
        return
    for response in fit.system.free:
        predictors = _powers_of(fit.system, response) if response in data else []
        used = data[(data[[*predictors, response]] > 0).all(axis=1)] if predictors else data[:0]
        if len(used) < FEW_ROWS + len(predictors) - 1 or used[predictors[0]].nunique() < 3:
            continue
        logs = np.log(used[[*predictors, response]].to_numpy(float))
        if predictors[1:] and np.linalg.cond(np.corrcoef(logs[:, :-1].T)) > TIED:
            continue  # heights that follow from diameters: only the exponents together have a meaning
        whole, *others = _exponents(logs, _left_out(fit, used))
        for i, x in enumerate(predictors):
            turned = sum(np.sign(exponent[i]) != np.sign(whole[i]) for exponent in others)
            if turned >= rule["value"] and (i == 0 or _told_from_nought(fit, response, x, whole[i])):
                yield Refusal(rule, f"{response}: {x}", float(turned), "<", rule["value"])


def _told_from_nought(fit, response, predictor, exponent) -> bool:
    """Whether the interval of an exponent, of that sign, leaves out nought."""
    form = fit.typical.system.power_product(response)
    name = form.exponents.get(predictor) if form is not None else None
    row = fit.parameters[(fit.parameters["name"] == name) & (fit.parameters["group"] == "")]
    return len(row) == 1 and bool((np.sign(exponent) * row[["lower", "upper"]] > 0).all(axis=None))


def _left_out(fit, used) -> list[np.ndarray]:
    """Codes (n,) of what is left out in turn: studies, sampled units, and single records."""
    columns = {"study_id", (fit.certificate.cluster or {}).get("column")} & {*used}
    return [pd.factorize(used[column])[0] for column in sorted(columns)] + [np.arange(len(used))]


def _rising_ratio(fit):
    """Roots over shoots fall as a stand grows: a ratio that rises was drawn by where roots were dug."""
    x = tuple(fit.system.predictors)
    if "root_shoot_ratio" not in fit.system.responses or fit.system.groups or x[1:] or not set(x) <= {*SIZES}:
        return
    rule, ends = _gate("direction"), pd.DataFrame({x[0]: list(fit.ranges[x[0]])})
    low, high = fit.predict(ends, intervals=False)["root_shoot_ratio"]
    if high / low > rule["value"]:
        yield Refusal(rule, f"root_shoot_ratio: {x[0]}", float(high / low), "<=", rule["value"])


def _gross_errors(fit):
    """Records far off what their size says, where the fit lets them pull."""
    rule = _gate("gross_errors")
    for response, part in gross_errors(fit).groupby("response", sort=False):
        share = float(part["share"].iloc[0])
        if share > rule["value"] and fit.residual[response].variance.family != "t":
            records = ", ".join(str(i + 1) for i in part.index[:20]) + (", …" if len(part) > 20 else "")
            yield Refusal(rule, f"{response}: {records}", share, "<=", rule["value"])


def _more_than_matter(fit):
    """Conversions of organic matter that give more carbon than it can hold."""
    if tuple(fit.system.predictors) != ("organic_matter",) or "soc" not in fit.system.free:
        return
    rule, (low, high) = _gate("matter"), fit.ranges["organic_matter"]
    matter = np.linspace(max(low, 1e-3), high, 101)
    carbon = fit.predict(pd.DataFrame({"organic_matter": matter}))["soc"].to_numpy(float)
    share = carbon / (1000 * matter)
    worst = int(np.argmax(share))
    if share[worst] > rule["value"]:
        yield Refusal(
            rule, f"soc: organic_matter {matter[worst]:.2g}", float(share[worst]), "<=", rule["value"]
        )


def _another_species(fit):
    """Evidence of a family or a type of forest that is mostly that of one species of another genus."""
    rule = _gate("another_species")
    for told in fit.certificate.other.get("speaks_for", ()):
        genus = str(told["most"]).partition(" ")[0]
        wide = (
            told["rank"] in ("family", "forest_type", "group", "any")
            and genus != told["asked"].partition(" ")[0]
        )
        if wide and told["most_share"] > rule["value"]:
            where = f"{told['taxon']}: {told['most']}"
            yield Refusal(rule, where, float(told["most_share"]), "<=", rule["value"])


def _off_elsewhere(fit):
    """Stand models whose total is off in parts of the country that were left out, as they say of themselves."""
    rule = _gate("elsewhere")
    for told in fit.certificate.other.get("elsewhere", ()):
        where = f"{told['model']}: {told['forest_type']}"
        yield Refusal(rule, where, float(told["bias"]), "abs<=", rule["value"])


def _any_place(fit):
    """Curves of published equations or plots, for a place that has none: what they say of it at the size known best."""
    if fit.method != "pooled":
        return
    rule, whole = _gate("new_place"), fit.system.responses[-1]
    told = fit.predict(curve_data(fit))
    factor = np.sqrt(told[f"{whole}_upper"] / told[f"{whole}_lower"]).min()
    if factor > rule["value"]:
        yield Refusal(rule, whole, float(factor), "<=", rule["value"])


def _exponents(logs, left_out) -> list[np.ndarray]:
    """Exponents (p,) from logarithms (n, p + 1): of all records, then without each group of the codes."""
    rows = np.column_stack([np.ones(len(logs)), logs - logs.mean(axis=0)])
    squares, found = rows[:, :, None] * rows[:, None, :], []
    whole = squares.sum(axis=0)
    for code in left_out:
        parts = np.zeros((max(code.max() + 1, 1), *whole.shape))
        np.add.at(parts, np.maximum(code, 0), squares * (code >= 0)[:, None, None])
        found += [whole - part for part in parts[:MOST_ROWS]]
    # Records beyond those of the coefficients, which the sizes that are left must tell apart.
    enough = [m for m in found if m[0, 0] > logs.shape[1] and np.linalg.cond(m[:-1, :-1]) < ALIKE]
    return [np.linalg.solve(m[:-1, :-1], m[:-1, -1])[1:] for m in [whole, *enough]]


def _powers_of(system, response) -> list[str]:
    """Predictors of a response that is a factor times powers of all of them, a straight line in logarithms; none of another."""
    found = []
    for predictor in system.predictors:
        frame = pd.DataFrame({x: [1.0, 2.0, 4.0] if x == predictor else [2.0] * 3 for x in system.predictors})
        with np.errstate(all="ignore"):
            mean = system.mean(dict.fromkeys(system.parameters, 0.7), frame)[response]
            line = np.log(np.asarray(mean, float))
        if line.shape != (3,) or not np.isclose(line[2] - line[1], line[1] - line[0]):
            return []
        found += [predictor] if line[0] != line[1] else []
    return found


def pass_gate(fits) -> tuple[list, list[dict]]:
    """Fits that may become a table, and the rows of ``checks.csv`` of those that are refused.

    Raises
    ------
    TableError
        None of them may, with the reasons.
    """
    passed, rows, said = [], [], Notes()
    for fit in fits:
        found = refusals(fit)
        if not found:
            passed.append(fit)
        name = fit.label or fit.system.responses[0]
        for refusal in found:
            rows.append(refusal.row(name, refusal.where.partition(":")[0]))
            said.add(*(f"{name}: {words}" for words in refusal.wordings))
    if not passed:
        raise TableError(listing(said))
    return passed, rows


def definitions_failed(frames) -> list[str]:
    """Name the checks of a package that no number may fail, and that failed."""
    found = frames["checks"]
    failed = found[found["rule_status"].eq("definition") & ~found["passed"].astype(bool)]
    return [
        f"{row['model_id'] or row['response']}: {row['check_id']} = {row['value']:g}; "
        + tr(row["message_en"], row["message_zh"])
        for row in failed.to_dict("records")
    ]


# Validation of a package

# Draws are samples: mean and spread may be off by this many of their own standard errors.
_DRAW_Z = 6.0


def validate(path) -> list[str]:
    """Every problem of a table package; an empty list for a sound one.

    Frictionless checks the files against ``datapackage.json`` (types, limits, keys, hashes); then
    the numbers are checked against each other: equations can be read and have all their coefficients,
    covariances are positive semi-definite and agree with the standard errors, draws agree with the
    estimates, statuses agree between files, and folder, id and version agree.

    Parameters
    ----------
    path : path
        Folder of one version of a table.

    Returns
    -------
    problems : list of str

    Raises
    ------
    TableError
        The folder holds no table.
    """
    folder = Path(path)
    descriptor = package.read_descriptor(folder)
    problems = _by_frictionless(folder, descriptor) + _place(folder, descriptor)
    frames, faults = package.read_files(folder, descriptor)
    problems += [fault for fault in faults if fault not in problems]
    if not faults:
        problems += _statuses(frames, descriptor)
        problems += definitions_failed(frames) + number_faults(
            frames, lambda: unpack(frames, frames["provenance"])
        )
    return list(dict.fromkeys(problems))


#: Files whose numbers are computed with; a blank cell is none of them.
_COMPUTED_WITH = "equations coefficients covariance residual_correlation residual_terms random_effects ranges values".split()


def number_faults(frames, models: Callable[[], Sequence[FitResult]]) -> list[str]:
    """Everything that keeps the numbers of a package from being used; whoever reads a table asks this.

    Numbers are finite and inside the limits of their columns; the mean of a value lies between its quantiles; a
    covariance is positive semi-definite and agrees with the standard errors; draws agree with the estimates.

    Parameters
    ----------
    frames : dict of DataFrame
    models : callable
        Gives the models that the frames hold.

    Returns
    -------
    faults : list of str
    """
    faults = [text for name in _COMPUTED_WITH if name in frames for text in _beyond(name, frames[name])]
    if "models" in frames and not len(frames["models"]):
        return [*faults, tr("models.csv: no model", "models.csv：没有模型")]
    values = frames["values"].to_dict("records") if "values" in frames else ()
    if values:
        faults += definitions_failed({"checks": pd.DataFrame([_value_check(row) for row in values])})
    if "models" not in frames:
        return faults
    try:
        made = models()
    except (TableError, EquationError, ValueError) as error:
        return [*faults, str(error)]
    for key, model in zip(frames["models"]["model_id"], made, strict=True):
        faults += [f"{key}: {text}" for text in _uncertainty(model)]
    return faults


def _beyond(name: str, frame) -> list[str]:
    """Cells of a file that hold an infinite number, or one beyond the limits of its column."""
    faults = []
    for field in FILES[name]:
        if field.type not in ("number", "integer"):
            continue
        cells = pd.to_numeric(frame[field.name], errors="coerce").to_numpy(float)
        wrong = np.isinf(cells)
        wrong |= cells < (-np.inf if field.minimum is None else field.minimum)
        wrong |= cells > (np.inf if field.maximum is None else field.maximum)
        if field.required:
            wrong |= np.isnan(cells)
        for record in np.flatnonzero(wrong):
            said = f"{name}.csv, record {record + 1}: {field.name} = {cells[record]:g}"
            faults.append(
                tr(f"{said} is not a number inside its limits", f"{said}：不是有限值或超出该列的范围")
            )
    return faults


def _by_frictionless(folder, descriptor) -> list[str]:
    import frictionless

    # Text whose line ends a clone has changed is the same text; its bytes are counted by others only.
    same = not package.changed_files(folder, descriptor)
    report = frictionless.validate(
        str(folder / DESCRIPTOR), skip_errors=["hash-count", "byte-count"] if same else []
    )
    problems = [error.message for error in report.errors]
    return problems + [f"{task.place}: {error.message}" for task in report.tasks for error in task.errors]


def _place(folder, descriptor) -> list[str]:
    problems = Notes()
    try:
        table_id, version = check_table_id(descriptor.get("name")), check_version(descriptor.get("version"))
    except TableError as error:
        return [str(error)]
    place = "/".join(folder.resolve().parts[-2:])
    if place != f"{table_id}/{version}":
        problems.add(
            f"the folder is {place}; {DESCRIPTOR} says {table_id}/{version}",
            f"文件夹为 {place}；{DESCRIPTOR} 中为 {table_id}/{version}",
        )
    listed = {resource["path"] for resource in descriptor["resources"]} | {DESCRIPTOR}
    if descriptor["sinklab"].get("status") in FROZEN:
        listed |= set(RELEASE_FILES)
        problems += package.seal_problems(folder, table_id, version)
    for extra in sorted(p.name for p in folder.iterdir() if p.name not in listed):
        problems.add(f"{extra}: not listed in {DESCRIPTOR}", f"{extra}：未列入 {DESCRIPTOR}")
    return problems


def _statuses(frames, descriptor) -> list[str]:
    problems = Notes()
    claimed = descriptor["sinklab"].get("status")
    try:
        found = table_status(frames)
    except TableError:
        return problems  # An unknown status is already named by its enum.
    if claimed != found:
        problems.add(
            f"{DESCRIPTOR} says {claimed}; the weakest row is {found}",
            f"{DESCRIPTOR} 中的状态为 {claimed}；最低一行的状态为 {found}",
        )
    if "models" in frames:
        of_model = dict(zip(frames["models"]["model_id"], frames["models"]["status"], strict=True))
        columns = frames["equations"][["model_id", "response", "status"]]
        for key, response, status in columns.itertuples(index=False):
            if status != (wanted := of_model.get(key, status)):
                problems.add(
                    f"equations.csv: {key}, {response} is {status}; its model is {wanted}",
                    f"equations.csv：{key} 的 {response} 状态为 {status}；模型状态为 {wanted}",
                )
    return problems


def _uncertainty(model) -> list[str]:
    """Disagreements between estimates, standard errors, covariance and draws of one model."""
    problems = Notes()
    eigenvalue = smallest_eigenvalue(model.covariance)
    if not eigenvalue >= EIGENVALUE_FLOOR:
        problems.add(
            f"covariance.csv is not positive semi-definite (smallest scaled eigenvalue {eigenvalue:.3g})",
            f"covariance.csv 不是半正定矩阵（最小标度特征值 {eigenvalue:.3g}）",
        )
    spread = np.sqrt(np.clip(np.diag(model.covariance), 0, None))
    for label, se, root in zip(model.labels, model.parameters["se"], spread, strict=True):
        if not np.isclose(root, se, rtol=1e-6, atol=0):
            problems.add(
                f"{label}: se {se:g}; covariance.csv gives {root:g}",
                f"{label}：标准误 {se:g}；由 covariance.csv 得 {root:g}",
            )
    return problems + _draws(model)


def _draws(model) -> list[str]:
    """Coefficients whose draws have another centre or spread than estimate and standard error."""
    problems = Notes()
    se = model.parameters["se"].to_numpy(float)
    rows = zip(model.labels, model.values, se, model.log_coefficients(), strict=True)
    for label, estimate, width, on_log in rows:
        drawn = model.stored_draws.get(label, pd.Series(dtype=float)).to_numpy(float)
        if len(drawn) < 2 or not np.isfinite(drawn).all():
            problems.append(
                tr(f"{label}: expected two draws or more, all finite", f"{label}：应有两个以上的有限抽样值")
            )
            continue
        if on_log and drawn.min() <= 0:
            problems.add(
                f"{label}: the smallest draw is {drawn.min():g}; draws of this factor are positive",
                f"{label}：最小抽样值为 {drawn.min():g}；该系数的抽样应为正数",
            )
            continue
        if on_log and model.method != "bayes":
            # Drawn as a logarithm: the estimate is the median of the draws; of a posterior it is their mean.
            drawn, centre, width = np.log(drawn), np.log(estimate), width / estimate
        else:
            centre = estimate
        n = len(drawn)
        far = abs(drawn.mean() - centre) > _DRAW_Z * width / np.sqrt(n) + 1e-12 * abs(centre)
        odd = width > 0 and abs(drawn.std(ddof=1) / width - 1) > _DRAW_Z / np.sqrt(2 * (n - 1))
        if far or odd:
            problems.add(
                f"{label}: {centre:g} with se {width:g}; the draws have mean {drawn.mean():g} and "
                f"standard deviation {drawn.std(ddof=1):g}",
                f"{label}：{centre:g}，标准误 {width:g}；抽样均值为 {drawn.mean():g}，"
                f"标准差为 {drawn.std(ddof=1):g}",
            )
    return problems
