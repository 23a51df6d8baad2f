"""Fitted models to the frames of a table package."""

import re

import numpy as np
import pandas as pd

from sinklab import vocabulary
from sinklab.equations.tree import names
from sinklab.errors import DataError, TableError, listing
from sinklab.language import tr
from sinklab.tables.naming import weakest
from sinklab.tables.schema import FILES

#: Joint draws that a table stores for each model.
N_DRAW = 1000
#: Smallest eigenvalue, on the scale of correlations, that still counts as zero.
EIGENVALUE_FLOOR = -1e-8


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
        No fit, fits that did not converge, numbers that are not finite, covariances that are not
        positive semi-definite, or labels used twice; all at once.
    """
    problems = [] if fits else [tr("no fit to write", "没有可写入的拟合结果")]
    labels = [fit.label for fit in fits]
    for label in sorted({x for x in labels if labels.count(x) > 1}):
        problems.append(
            tr(
                f"{labels.count(label)} fits are labelled {label!r}; give each its own label",
                f"有 {labels.count(label)} 个拟合结果同名为 {label!r}；请使用不同的名称",
            )
        )
    for fit in fits:
        where = fit.label or fit.system.responses[0]
        if not fit.converged:
            problems.append(
                tr(
                    f"{where}: the fit did not converge; mend it (start values, simpler equations) before it "
                    "becomes a table",
                    f"{where}：拟合未收敛；请调整初值或简化方程后再生成参数表",
                )
            )
            continue
        if not np.isfinite(fit.values).all():
            problems.append(tr(f"{where}: estimates are not finite", f"{where}：估计值含非有限数"))
        eigenvalue = smallest_eigenvalue(fit.covariance)
        if not eigenvalue >= EIGENVALUE_FLOOR:
            problems.append(
                tr(
                    f"{where}: the covariance of the coefficients is not positive semi-definite "
                    f"(smallest scaled eigenvalue {eigenvalue:.3g}); the equations have parameters the data "
                    "cannot tell apart",
                    f"{where}：系数协方差矩阵不是半正定的（最小标度特征值 {eigenvalue:.3g}）；"
                    "数据无法区分方程中的某些参数",
                )
            )
    if problems:
        raise TableError(listing(problems))


def model_ids(fits) -> list[str]:
    """Return keys for models, made of their labels: ``larix_gmelinii``, or ``model`` without a label."""
    found: list[str] = []
    for i, fit in enumerate(fits, start=1):
        key = re.sub(r"[^a-z0-9]+", "_", fit.label.lower()).strip("_")
        key = key or ("model" if len(fits) == 1 else f"model_{i}")
        found.append(f"{key}_{i}" if key in found else key)
    return found


def pack(fits, statuses, sources, group_column="", components=None, by_class=None) -> dict[str, pd.DataFrame]:
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
        drawn.insert(0, "draw", np.arange(len(drawn), dtype=np.int32))
        drawn.insert(0, "model_id", key)
        draws.append(drawn)
        rows["models"].append(_model_row(key, fit, status, source, group_column, len(drawn)))
        rows["equations"] += _equation_rows(key, fit, status, components)
        rows["coefficients"] += _coefficient_rows(key, fit)
        rows["covariance"] += _triangle(key, fit.covariance, fit.labels)
        # A perfect correlation may come out beyond one by a bit.
        rows["residual_correlation"] += _triangle(key, fit.correlation.clip(-1.0, 1.0), list(fit.residual))
        rows["random_effects"] += _random_rows(key, fit)
        rows["ranges"] += [
            {"model_id": key, "predictor": x, "unit": _unit(x), "minimum": low, "maximum": high}
            for x, (low, high) in fit.ranges.items()
        ]
        rows["indices"] += _index_rows(key, fit, by_class)
    frames = {
        name: pd.DataFrame(found, columns=[f.name for f in FILES[name]])
        for name, found in rows.items()
        if found or name != "random_effects"
    }
    frames["draws"] = pd.concat(draws, ignore_index=True)
    return frames


def _known_components(components: dict[str, str]) -> dict[str, str]:
    unknown = [f"{r}: {c}" for r, c in components.items() if c not in vocabulary.components()]
    if unknown:
        raise TableError(
            tr(
                f"components not in data/vocabulary/components.csv: {', '.join(unknown)}",
                f"data/vocabulary/components.csv 中没有的组分：{'、'.join(unknown)}",
            )
        )
    return components


def _model_row(key, fit, status, source, group_column, n_draw) -> dict:
    try:
        label_zh = vocabulary.species(fit.label).name_zh
    except DataError:
        label_zh = fit.label
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


def _equation_rows(key, fit, status, components) -> list[dict]:
    rows = []
    for order, equation in enumerate(fit.system.equations, start=1):
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


def _coefficient_rows(key, fit) -> list[dict]:
    kind = "credible" if fit.method == "bayes" else "confidence"
    fixed = {"model_id": key, "level": fit.level, "interval_kind": kind}
    columns = ["name", "group", "value", "se", "lower", "upper"]
    return [fixed | row for row in fit.parameters[columns].to_dict("records")]


def _triangle(key, matrix, labels) -> list[dict]:
    values = np.asarray(matrix.loc[labels, labels], float)
    return [
        {"model_id": key, "row": labels[i], "column": labels[j], "value": values[i, j]}
        for i in range(len(labels))
        for j in range(i + 1)
    ]


def _random_rows(key, fit) -> list[dict]:
    if fit.random is None:
        return []
    rows = _triangle(key, fit.random.covariance, fit.random.names)
    for row in rows:
        row["group_column"] = fit.random.column
        row["multiplies"] = row["row"] if row["row"] in fit.random.multiplies else ""
    return rows


def _index_rows(key, fit, by_class) -> list[dict]:
    names = {f.name for f in FILES["indices"]}
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


def row_statuses(frames) -> list[str]:
    """Statuses of all models and values of a package."""
    return [s for name in ("models", "values") if name in frames for s in frames[name]["status"]]


def table_status(frames) -> str:
    """Status of a package: that of its weakest row."""
    return weakest(row_statuses(frames))
