"""Fitted models and scalar values to the frames of a table package, and back to fitted models."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from sinklab.data import literature, vocabulary
from sinklab.equations.compile import factors
from sinklab.equations.parse import names
from sinklab.equations.system import System
from sinklab.language import EquationError, Notes, TableError, listing, tr
from sinklab.results.fit_result import Between, Certificate, Domain, FitResult, Population, RandomEffects
from sinklab.results.prediction import known_group
from sinklab.results.variance import ResidualModel
from sinklab.tables.package import Provenance, name_of, status_for
from sinklab.tables.schema import (
    FILES,
    MODEL_FILES,
    OPTIONAL_FILES,
    REFUSED,
    check_status,
    columns_of,
    weakest,
)

#: Joint draws that a table stores for each model.
N_DRAW = 1000
#: Smallest eigenvalue, on the scale of correlations, that still counts as zero.
EIGENVALUE_FLOOR = -1e-8
_PARAMETERS = ["name", "group", "value", "se", "lower", "upper"]


def smallest_eigenvalue(covariance) -> float:
    """Smallest eigenvalue of a covariance after scaling it to correlations.

    Parameters
    ----------
    covariance : array, shape (k, k)
        Rows of coefficients without variance are left out.

    Returns
    -------
    eigenvalue : float
        Negative when no set of numbers can vary like that; NaN when an entry is not finite.
    """
    matrix = np.asarray(covariance, float)
    if not np.isfinite(matrix).all():
        return float("nan")
    variance = np.diag(matrix)
    if (variance < 0).any():
        return float(variance.min())
    varies = variance > 0
    if not varies.any():
        return 0.0
    scale = np.sqrt(variance[varies])
    return float(np.linalg.eigvalsh(matrix[np.ix_(varies, varies)] / np.outer(scale, scale))[0])


def check_fits(fits) -> None:
    """Refuse fits that must not become a table.

    Raises
    ------
    TableError
        No fit, responses that were computed from others, fits that did not converge, numbers that are not finite, covariances that are not
        positive semi-definite, or labels used twice; all at once.
    """
    problems = Notes()
    if not fits:
        problems.add("no fit to write", "没有可写入的拟合结果")
    labels = [fit.label for fit in fits]
    for label in sorted({x for x in labels if labels.count(x) > 1}):
        problems.add(
            f"{labels.count(label)} fits are labelled {label!r}; give each its own label",
            f"有 {labels.count(label)} 个拟合结果同名为 {label!r}；请使用不同的名称",
        )
    for fit in fits:
        where = fit.label or fit.system.responses[0]
        for line in (line for lines in fit.source.get("computed", {}).values() for line in lines):
            problems.append(
                tr(
                    f"{where}: {line}; a table of it would give the formula back: leave these records out",
                    f"{where}：{line}；据此编制的参数表只会还原该公式：请剔除这些记录",
                )
            )
        if not fit.converged:
            problems.add(
                f"{where}: the fit did not converge; mend it (start values, simpler equations) before it "
                "becomes a table",
                f"{where}：拟合未收敛；请调整初值或简化方程后再生成参数表",
            )
            continue
        if not np.isfinite(fit.values).all():
            problems.add(f"{where}: estimates are not finite", f"{where}：估计值含非有限数")
        eigenvalue = smallest_eigenvalue(fit.covariance)
        if not eigenvalue >= EIGENVALUE_FLOOR:
            problems.add(
                f"{where}: the covariance of the coefficients is not positive semi-definite "
                f"(smallest scaled eigenvalue {eigenvalue:.3g}); the equations have parameters the data "
                "cannot tell apart",
                f"{where}：系数协方差矩阵不是半正定的（最小标度特征值 {eigenvalue:.3g}）；"
                "数据无法区分方程中的某些参数",
            )
    if problems:
        raise TableError(listing(problems))


def group_column(fits) -> str:
    """Column the fits were grouped by, as they say themselves; "" for a single model."""
    columns = {fit.source.get("by") or "" for fit in fits}
    return columns.pop() if len(columns) == 1 else ""


def model_ids(fits) -> list[str]:
    """Return keys for models, made of their labels: ``larix_gmelinii``, or ``model`` without a label."""
    found: list[str] = []
    for i, fit in enumerate(fits, start=1):
        key = re.sub(r"[^a-z0-9]+", "_", fit.label.lower()).strip("_")
        key = key or ("model" if len(fits) == 1 else f"model_{i}")
        found.append(f"{key}_{i}" if key in found else key)
    return found


def pack_table(
    fits, statuses, sources, group_column="", components=None, by_class=None, system=""
) -> dict[str, pd.DataFrame]:
    """Lay fitted models out as the frames of a package.

    Parameters
    ----------
    fits : sequence of FitResult
    statuses, sources : sequence of str
        Status and data source of each fit.
    group_column : str
        Data column whose value is the label of the model that applies; "" when there is none.
    components : dict, optional
        What was weighed: component id of ``data/vocabulary/components.csv`` by response.
    by_class : str, optional
        Column of the data of the fits; indices are added for each of its values.
    system : str
        Ecosystem of the table; stands of a forest count trees from some diameter on.

    Returns
    -------
    frames : dict of DataFrame
        By name of the file, columns as in :data:`sinklab.tables.schema.FILES`, and ``draws``.
    """
    components = _known_components(components or {})
    rows: dict[str, list[dict]] = {name: [] for name in FILES if name not in ("values", "checks")}
    draws = []
    for key, fit, status, source in zip(model_ids(fits), fits, statuses, sources, strict=True):
        drawn = fit.draws(N_DRAW if fit.stored_draws is None else len(fit.stored_draws))
        drawn = drawn.reset_index(drop=True)
        if fit.population is not None:
            # What a group that was not sampled is drawn from stands beside the coefficients.
            drawn = pd.concat([drawn, fit.population.draws.reset_index(drop=True)], axis=1)
        drawn.insert(0, "draw", np.arange(len(drawn), dtype=np.int32))
        drawn.insert(0, "model_id", key)
        draws.append(drawn)
        rows["models"].append(_model_row(key, fit, status, source, group_column, len(drawn)))
        with vocabulary.words_of(system or fit.ecosystem):
            rows["equations"] += _equation_rows(key, fit, status, components, system)
        rows["coefficients"] += _coefficient_rows(key, fit)
        rows["covariance"] += _triangle(key, fit.covariance, fit.labels)
        # A perfect correlation may come out beyond one by a bit.
        rows["residual_correlation"] += _triangle(key, fit.correlation.clip(-1.0, 1.0), list(fit.residual))
        rows["residual_terms"] += _term_rows(key, fit)
        rows["random_effects"] += _random_rows(key, fit)
        rows["group_effects"] += _group_rows(key, fit)
        rows["between"] += _between_rows(key, fit)
        rows["ranges"] += [
            {"model_id": key, "predictor": x, "unit": _unit(x), "minimum": low, "maximum": high}
            for x, (low, high) in fit.ranges.items()
        ]
        rows["domains"] += _domain_rows(key, fit)
        rows["indices"] += _index_rows(key, fit, by_class)
    frames = {
        name: pd.DataFrame(found, columns=columns_of(name))
        for name, found in rows.items()
        if found or name not in OPTIONAL_FILES
    }
    frames["draws"] = pd.concat(draws, ignore_index=True)
    return frames


def _known_components(components: dict[str, str]) -> dict[str, str]:
    unknown = [f"{r}: {c}" for r, c in components.items() if c not in vocabulary.components()]
    if unknown:
        raise TableError(
            f"components not in data/vocabulary/components.csv: {', '.join(unknown)}",
            f"data/vocabulary/components.csv 中没有的组分：{'、'.join(unknown)}",
        )
    return components


def _model_row(key, fit, status, source, group_column, n_draw) -> dict:
    known = vocabulary.find_species(fit.label)
    label_zh = known.name_zh if known else fit.label
    return {
        "model_id": key,
        "label": fit.label,
        "label_zh": label_zh,
        "group_column": group_column,
        "group_level": fit.label if group_column else "",
        "method": fit.method,
        "loglik": fit.loglik,
        "level": fit.level,
        "correction_kind": fit.correction_kind,
        "n_draw": n_draw,
        "seed": fit.seed,
        "status": status,
        "source": source,
    }


def _equation_rows(key, fit, status, components, system_name) -> list[dict]:
    rows = []
    # A parameter that varies at random is written as it was fitted, with its group: in the equation, or beside the mean over groups.
    apart = fit.random is not None and fit.random.typical is not None
    fitted = fit.typical.system.grouped(fit.random.column, fit.random.names) if fit.random else fit.system
    system = fit.system if apart else fitted
    for order, equation in enumerate(system.equations, start=1):
        response, used = equation.response, {n.name for n in names(equation.right)}
        row = {
            "model_id": key,
            "equation_order": order,
            "response": response,
            "label_en": vocabulary.label(response, "en"),
            "label_zh": vocabulary.label(response, "zh"),
            "component": components.get(response, ""),
            "unit": _unit(response),
            "equation": str(equation),
            "definition": _definition(fit, response, components, system_name),
            "typical": str(fitted.equations[order - 1]) if apart else "",
            "role": "identity" if response in fit.system.identities else "free",
            "predictors": ";".join(x for x in fit.system.predictors if x in used),
            "n": fit.n.get(response),
            "correction_factor": fit.correction.get(response),
            "status": status,
        }
        model = fit.residual.get(response)
        if model is not None:
            row |= {
                "variance_kind": model.kind,
                "variance_by": model.by,
                "variance_exponent": model.exponent,
                "exponent_fixed": model.fixed,
                "sigma": model.sigma,
                "residual_df": model.freedom,
            }
        rows.append(row)
    return rows


def _unsaid(variable) -> str:
    """What to say of the mass (or volume) of plants of which nothing tells the part: stump, bark or dead branches not stated.

    Blank of any other quantity.
    """
    # The density of wood is no mass of an area.
    per_area = _unit(variable) == "t/ha"
    part = str(variable).removesuffix("_density").replace("stem_biomass", "stem") if per_area else variable
    known = [c for c in vocabulary.components().values() if c.variable == part]
    loose = [c.component_id for c in known if c.component_id.endswith(("_unspecified", "whole_plant"))]
    return "" if not known else loose[0] if loose else "unstated"


def _definition(fit, response, components, system) -> str:
    """What a response includes: the part that was weighed, and of stands the diameter from which on trees were counted."""
    told = components.get(response) or (fit.source.get("components") or {}).get(response)
    if told is None and (loose := _unsaid(response)):
        told = "sum" if response in fit.system.identities else loose
    said = [f"component={told}"] if told else []
    rows = fit.data if fit.data is not None else pd.DataFrame()
    if "dbh_threshold" in rows and response in literature.OF_STANDS:
        said.append(literature.definition_of(rows[["dbh_threshold"]], response))
    # A ratio of the parts of single trees has no threshold: its parts are no stand's.
    of_stand = any(
        r in literature.OF_STANDS and _unit(r) != "1" for r in (*fit.system.responses, *fit.ranges)
    )
    return literature.with_threshold(";".join(said), response, system if of_stand else "")


def _coefficient_rows(key, fit) -> list[dict]:
    kind = "credible" if fit.method == "bayes" else "confidence"
    fixed = {"model_id": key, "level": fit.level, "interval_kind": kind}
    return [fixed | row for row in fit.parameters[_PARAMETERS].to_dict("records")]


def _triangle(key, matrix, labels) -> list[dict]:
    values = np.asarray(matrix.loc[labels, labels], float)
    return [
        {"model_id": key, "row": labels[i], "column": labels[j], "value": values[i, j]}
        for i in range(len(labels))
        for j in range(i + 1)
    ]


def _term_rows(key, fit) -> list[dict]:
    """Degrees of freedom of Student's t, and the factors of sigma by group."""
    rows = []
    for response, model in fit.residual.items():
        about = {"model_id": key, "response": response}
        if np.isfinite(model.tail):
            told = {"term": "tail", "group_column": "", "group_level": "", "value": model.tail}
            rows.append(about | told | {"fixed": model.tail_fixed})
        for level, ratio in model.ratios.items():
            told = {"term": "ident", "group_column": model.ident, "group_level": level, "value": ratio}
            rows.append(about | told | {"fixed": False})
    return rows


def _random_rows(key, fit) -> list[dict]:
    if fit.random is None:
        return []
    return [
        row
        | {"group_column": level.column, "multiplies": row["row"] if row["row"] in level.multiplies else ""}
        for level in fit.random.levels
        for row in _triangle(key, level.covariance, level.names)
    ]


def _group_rows(key, fit) -> list[dict]:
    """Deviations of the groups seen, and the covariance of the coefficients of each."""
    if fit.random is None or fit.random.effects is None:
        return []
    rows = []
    for name, effects in fit.random.effects.iterrows():
        rows += [
            {"model_id": key, "row": p, "column": "", "value": v, "group": name} for p, v in effects.items()
        ]
        rows += [r | {"group": name} for r in _triangle(key, known_group(fit, name).covariance, fit.labels)]
    return rows


def _between_rows(key, fit) -> list[dict]:
    told, found = fit.certificate.cluster, fit.between
    if told is None:
        return []
    rows = [{"kind": "unit", "row": told["column"] or "", "column": "", "value": told["n"]}]
    if found is not None:
        spread, within = (_triangle(key, matrix, found.names) for matrix in (found.spread, found.within))
        rows += [{"kind": "spread"} | row for row in spread] + [{"kind": "within"} | row for row in within]
        for row in rows:
            if row["kind"] == "spread" and row["row"] == row["column"]:
                row["se"] = found.se[row["row"]]
        if found.population is not None:
            shared = _triangle(key, found.population, found.names)
            rows += [{"kind": "population"} | row for row in shared]
        for kind in ("centre", "share"):
            rows += [
                {"kind": kind, "row": r, "column": "", "value": v} for r, v in getattr(found, kind).items()
            ]
        effects = [] if found.effects is None else found.effects.to_dict("records")
        for row in effects:
            rows.append(
                {"kind": "effect", "row": row["response"], "column": row["level"], "value": row["value"]}
            )
            rows[-1]["se"] = row["se"]
    return [{"model_id": key} | row for row in rows]


def _domain_rows(key, fit) -> list[dict]:
    """Range of each response where it says more than that of the model."""
    rows = []
    for response, found in fit.domains.items():
        about = {"response": response, "row": "", "column": ""}
        if not found.adds_to(fit.ranges):
            continue
        for kind, end in (("minimum", 0), ("maximum", 1)):
            rows += [about | {"kind": kind, "row": x, "value": s[end]} for x, s in found.ranges.items()]
        if not np.isnan(found.reach):
            rows += [about | {"kind": "centre", "row": x, "value": v} for x, v in found.centre.items()]
            joint = list(found.centre.index)
            rows += [about | {"kind": "spread"} | row for row in _triangle(key, found.spread, joint)]
            rows.append(about | {"kind": "reach", "value": found.reach})
    return [row | {"model_id": key} for row in rows]


def _domains(frame) -> dict[str, Domain]:
    """Ranges by response of one model; none of an older table."""
    found = {}
    for response, part in frame.groupby("response", sort=False) if frame is not None else ():
        kinds = {kind: rows.set_index("row")["value"] for kind, rows in part.groupby("kind")}
        low, high = kinds["minimum"], kinds["maximum"]
        ranges = {x: (float(low[x]), float(high[x])) for x in low.index}
        centre, spread, reach = pd.Series(dtype=float), pd.DataFrame(dtype=float), np.nan
        if "reach" in kinds:
            centre, reach = kinds["centre"], float(kinds["reach"].iloc[0])
            spread = square(part[part["kind"] == "spread"], list(centre.index))
        found[response] = Domain(ranges, centre, spread, reach)
    return found


def _index_rows(key, fit, by_class) -> list[dict]:
    names = columns_of("indices")
    whole = fit.indices().rename_axis("response").reset_index()
    parts = [whole.assign(class_column="", class_label="")]
    if by_class is not None:
        classes = fit.indices(by=by_class).reset_index()
        parts.append(classes.rename(columns={by_class: "class_label"}).assign(class_column=by_class))
    return [
        {"model_id": key} | {c: v for c, v in row.items() if c in names}
        for part in parts
        for row in part.to_dict("records")
    ]


def _unit(name: str) -> str:
    known = vocabulary.variables().get(name)
    return known.unit if known else ""


def labels_of(coefficients) -> list[str]:
    """Labels of coefficients (or of values) as they are cited: ``a``, or ``a[site]``."""
    rows = zip(coefficients["name"], coefficients["group"], strict=True)
    return [f"{name}[{group}]" if group else name for name, group in rows]


def table_status(frames) -> str:
    """Status of a package: that of its weakest row."""
    return weakest(s for name in ("models", "values") if name in frames for s in frames[name]["status"])


def complete_values(values: pd.DataFrame, wanted: str, source: dict, system: str = "") -> pd.DataFrame:
    """Scalar distributions with every column of ``values.csv``, their status settled; ``system`` is that of the table.

    Raises
    ------
    TableError
        Columns that the schema does not know, no row, or rows without name, mean, unit or source.
    """
    names = columns_of("values")
    unknown = [c for c in values.columns if c not in names]
    problems = Notes()
    if unknown:
        problems.add(
            f"columns {', '.join(map(str, unknown))} are not part of values.csv ({', '.join(names)})",
            f"列 {'、'.join(map(str, unknown))} 不属于 values.csv（{'、'.join(names)}）",
        )
    if not len(values):
        problems.add("there is no row", "没有任何行")
    # A row that was refused has no mean.
    due = values[values["status"] != REFUSED] if "status" in values else values
    for needed in ("name", "mean"):
        if needed not in values or due[needed].isna().any():
            problems.add(f"every row needs {needed}", f"每一行都需要 {needed}")
    if problems:
        raise TableError(tr("values: ", "values：") + "; ".join(problems))
    frame = values.reset_index(drop=True).reindex(columns=names)
    blank = "group variable definition of_whom mean_of ratio_of sd_of family spread_read note"
    defaults = dict.fromkeys(blank.split(), "")
    for column, default in (defaults | {"interval_kind": "distribution"}).items():
        frame[column] = _filled(frame[column], default)
    frame["definition"] = _filled(frame["definition"], frame["variable"].map(_weighed(source)).fillna(""))
    told = zip(frame["definition"], frame["group"], frame["variable"], strict=True)
    frame["definition"] = [_defined(*row, system) for row in told]
    units = [_unit(v) or _unit(n) for v, n in zip(frame["variable"], frame["name"], strict=True)]
    frame["unit"] = _filled(frame["unit"], pd.Series(units, index=frame.index))
    frame["sources"] = _filled(frame["sources"], name_of(source))
    asked = [s if s == REFUSED else check_status(s) for s in _filled(frame["status"], wanted)]
    frame["status"] = [
        own if own == REFUSED else weakest((wanted, own, status_for(source, own))) for own in asked
    ]
    for column in ("unit", "sources"):
        rows = frame.index[frame[column] == ""] + 1
        if len(rows):
            where = ", ".join(map(str, rows))
            raise TableError(f"values: rows {where} have no {column}", f"values：第 {where} 行缺少 {column}")
    return frame


def _defined(definition, group, variable, system) -> str:
    """A definition that names the part of a plant and the threshold of a stand too, as unstated where nothing says them."""
    loose = "" if "component=" in definition + group else _unsaid(variable)
    said = ";".join(filter(None, (loose and f"component={loose}", definition)))
    return literature.with_threshold(said, variable, system)


def _weighed(source) -> dict[str, str]:
    """What was weighed for each variable and each ratio of two of them, where the data set says it."""
    parts = {v: (c,) for v, c in (source.get("components") or {}).items()}
    above, below = parts.get("agb_density", ()), parts.get("bgb_density", ())
    parts |= {"bef": above, "bcef": above, "root_shoot_ratio": above + below}
    return {v: ";".join(f"component={c}" for c in cs) for v, cs in parts.items()}


def _filled(column, default):
    """Replace missing and empty cells, as text."""
    text_column = column.astype(object)
    return text_column.where(text_column.notna() & (text_column != ""), default)


# Back to fitted models


def unpack(frames, provenance: Provenance) -> tuple[FitResult, ...]:
    """Rebuild the fitted models of a package.

    Parameters
    ----------
    frames : dict of DataFrame
        As :func:`pack_table` makes them, ``draws`` included.
    provenance : Provenance

    Returns
    -------
    models : tuple of FitResult
        In the order of ``models.csv``; ``data`` is None.

    Raises
    ------
    TableError
        Equations that cannot be read, or coefficients, covariance and equations that do not belong
        together; of all models at once.
    """
    models, problems = [], Notes()
    for row in frames["models"].to_dict("records"):
        key = row["model_id"]
        part = {
            n: of_model(f, key) for n, f in frames.items() if n in (*MODEL_FILES, *OPTIONAL_FILES, "draws")
        }
        try:
            models.append(_model(row, part, provenance.models[key]))
        except (EquationError, TableError) as error:
            problems.append(f"{key}: {error}")
        except KeyError as error:
            problems.add(f"{key}: {error} is missing in the package", f"{key}：参数表中缺少 {error}")
    if problems:
        raise TableError(listing(problems))
    return tuple(models)


def of_model(frame, model_id) -> pd.DataFrame:
    """Rows of one model."""
    return frame[frame["model_id"] == model_id].reset_index(drop=True)


def _model(row, part, record) -> FitResult:
    equations = part["equations"].sort_values("equation_order")
    system = parse(equations["equation"], part["ranges"]["predictor"])
    random = _random(part.get("random_effects"), part.get("group_effects"))
    if random is not None:
        # The parameters of such a model are those of the typical group, and so were the equations of older tables.
        system = system.ungrouped()
        apart = "typical" in equations and equations["typical"].fillna("").ne("").all()
        typical = parse(equations["typical"], part["ranges"]["predictor"]).ungrouped() if apart else None
        random = replace(random, typical=typical)
    parameters = part["coefficients"][_PARAMETERS].copy()
    labels = labels_of(parameters)
    _check_names(system, set(parameters["name"]))
    # Blank cells are empty text once read from a file, and missing in a table just made.
    free = equations[equations["variance_kind"].fillna("") != ""].to_dict("records")
    responses = [r["response"] for r in free]
    measured = equations[equations["n"].notna()]
    corrected = equations[equations["correction_factor"].notna()]
    return FitResult(
        system=system,
        method=row["method"],
        parameters=parameters,
        covariance=square(part["covariance"], labels),
        residual={r["response"]: _residual(r, part.get("residual_terms")) for r in free},
        correlation=square(part["residual_correlation"], responses),
        loglik=row["loglik"],
        n={r: int(n) for r, n in zip(measured["response"], measured["n"], strict=True)},
        ranges={r["predictor"]: (r["minimum"], r["maximum"]) for r in part["ranges"].to_dict("records")},
        correction=dict(zip(corrected["response"], corrected["correction_factor"], strict=True)),
        correction_kind=row["correction_kind"],
        index_table=_index_table(part["indices"]),
        converged=True,
        certificate=Certificate.from_dict(record.certificate),
        warnings=tuple(record.warnings),
        versions=record.versions,
        source=record.source | _definitions(equations),
        label=row["label"],
        level=row["level"],
        seed=int(row["seed"]),
        stored_draws=part["draws"][labels] if "draws" in part else None,
        random=random,
        between=_between(part.get("between")),
        domains=_domains(part.get("domains")),
        population=_population(part.get("draws"), system),
    )


def _definitions(equations) -> dict[str, dict[str, str]]:
    """What each response includes, where the table says it."""
    if "definition" not in equations:
        return {}
    told = dict(zip(equations["response"], equations["definition"].fillna(""), strict=True))
    return {"definitions": {r: d for r, d in told.items() if d}} if any(told.values()) else {}


def _population(draws, system) -> Population | None:
    """The distribution over groups of a posterior, from the columns that tell of it."""
    if draws is None:
        return None
    told = draws.filter(regex=r"^(mean|spread|correlation)\(").dropna(axis="columns")
    return None if told.empty else Population(told, factors(system.equations, system.parameters))


def parse(lines, predictors) -> System:
    """Read the equations of one model; predictors are the columns named in ``ranges.csv``."""
    system = System.parse("\n".join(lines))
    return system.bind([*predictors, *system.groups.values()], responses_required=False)


def _check_names(system, names) -> None:
    absent = [p for p in system.parameters if p not in names]
    surplus = sorted(names - set(system.parameters))
    if absent or surplus:
        raise TableError(
            f"coefficients and equations differ; without a value: {', '.join(absent) or '–'}; "
            f"not in any equation: {', '.join(surplus) or '–'}",
            f"系数与方程不一致；缺少取值：{'、'.join(absent) or '无'}；方程中没有：{'、'.join(surplus) or '无'}",
        )


def _random(frame, groups) -> RandomEffects | None:
    if frame is None or frame.empty:
        return None
    random = None
    # Groups that hold others first: each level keeps the one outside of it.
    for column, rows in sorted(frame.groupby("group_column"), key=lambda level: str(level[0]).count("/")):
        names = list(dict.fromkeys(rows["row"]))
        multiplies = tuple(n for n in names if n in set(rows["multiplies"].fillna("")))
        random = RandomEffects(str(column), square(rows, names), multiplies, outer=random)
    if random is None or groups is None or groups.empty:
        return random
    own = groups["column"].fillna("") == ""
    effects = groups[own].pivot(index="group", columns="row", values="value")[random.names]
    spread = {
        str(name): square(rows, list(dict.fromkeys(rows["row"])))
        for name, rows in groups[~own].groupby("group")
    }
    return replace(random, effects=effects.rename_axis(random.column), spread=spread)


def _between(frame) -> Between | None:
    """Spread between sites of one model.

    Raises
    ------
    TableError
        A covariance that is not one.
    """
    if frame is None or "spread" not in set(frame["kind"]):
        return None
    kinds = dict(iter(frame.groupby("kind")))
    unit, names = kinds["unit"].iloc[0], list(dict.fromkeys(kinds["spread"]["row"]))
    matrices = {k: square(kinds[k], names) for k in ("spread", "within", "population") if k in kinds}
    for kind, matrix in matrices.items():
        eigenvalue = smallest_eigenvalue(matrix)
        if not eigenvalue >= EIGENVALUE_FLOOR:
            raise TableError(
                f"between.csv: {kind} is not positive semi-definite (smallest scaled eigenvalue {eigenvalue:.3g})",
                f"between.csv：{kind} 不是半正定矩阵（最小标度特征值 {eigenvalue:.3g}）",
            )
    centre, share = (kinds[k].set_index("row")["value"].reindex(names) for k in ("centre", "share"))
    effects = None
    if "effect" in kinds:
        effects = kinds["effect"].rename(columns={"column": "level", "row": "response"})
        effects = effects[["level", "response", "value", "se"]].reset_index(drop=True)
    return Between(
        str(unit["row"]), **matrices, centre=centre, share=share, n=int(unit["value"]), effects=effects
    )


def _residual(row, terms) -> ResidualModel:
    more: dict = {}
    for term in () if terms is None else terms[terms["response"] == row["response"]].to_dict("records"):
        if term["term"] == "tail":
            more |= {"tail": float(term["value"]), "tail_fixed": bool(term["fixed"])}
        else:
            level = "" if pd.isna(term["group_level"]) else str(term["group_level"])
            more["ident"] = term["group_column"]
            more["ratios"] = more.get("ratios", {}) | {level: float(term["value"])}
    return ResidualModel(
        response=row["response"],
        kind=row["variance_kind"],
        sigma=row["sigma"],
        by=row["variance_by"],
        exponent=row["variance_exponent"],
        fixed=bool(row["exponent_fixed"]),
        freedom=row["residual_df"],
        **more,
    )


def square(triangle, labels) -> pd.DataFrame:
    """Symmetric matrix from its lower triangle in long form.

    Parameters
    ----------
    triangle : DataFrame
        Columns ``row, column, value``.
    labels : sequence of str
        Names of rows and columns of the matrix, in order.

    Raises
    ------
    TableError
        Entries that are missing, given twice, or of unknown names.
    """
    at = {label: i for i, label in enumerate(labels)}
    matrix = np.full((len(labels), len(labels)), np.nan)
    problems = Notes()
    for row, column, value in zip(triangle["row"], triangle["column"], triangle["value"], strict=True):
        if row not in at or column not in at:
            problems.add(f"{row}, {column}: not among the coefficients", f"{row}, {column}：不在系数表中")
            continue
        i, j = at[row], at[column]
        if not np.isnan(matrix[i, j]):
            problems.add(f"{row}, {column}: given twice", f"{row}, {column}：重复")
        matrix[i, j] = matrix[j, i] = value
    for i, j in zip(*np.nonzero(np.isnan(np.tril(matrix))), strict=True):
        problems.add(f"{labels[i]}, {labels[j]}: missing", f"{labels[i]}, {labels[j]}：缺失")
    if problems:
        raise TableError(listing(problems))
    return pd.DataFrame(matrix, index=labels, columns=labels)


def _index_table(indices) -> pd.DataFrame:
    whole = indices[indices["class_column"] == ""]
    table = whole.drop(columns=["model_id", "class_column", "class_label"]).set_index("response")
    return table.astype({"n": int}) if table["n"].notna().all() else table
