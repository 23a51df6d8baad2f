"""The frames of a table package back to fitted models."""

import numpy as np
import pandas as pd

from sinklab.equations import System
from sinklab.errors import EquationError, TableError, listing
from sinklab.language import tr
from sinklab.results import FitResult, RandomEffects, ResidualModel

_PARAMETERS = ["name", "group", "value", "se", "lower", "upper"]


def unpack(frames, provenance) -> tuple[FitResult, ...]:
    """Rebuild the fitted models of a package.

    Parameters
    ----------
    frames : dict of DataFrame
        As :func:`sinklab.tables.pack.pack` makes them, ``draws`` included.
    provenance : dict
        The content of ``provenance.json``.

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
    models, problems = [], []
    for row in frames["models"].to_dict("records"):
        part = {name: _of_model(frame, row["model_id"]) for name, frame in frames.items()}
        try:
            models.append(_model(row, part, provenance["models"][row["model_id"]]))
        except (EquationError, TableError) as error:
            problems.append(f"{row['model_id']}: {error}")
        except KeyError as error:
            problems.append(
                tr(
                    f"{row['model_id']}: {error} is missing in the package",
                    f"{row['model_id']}：参数表中缺少 {error}",
                )
            )
    if problems:
        raise TableError(listing(problems))
    return tuple(models)


def _of_model(frame, model_id) -> pd.DataFrame:
    if "model_id" not in frame:
        return frame
    return frame[frame["model_id"] == model_id].reset_index(drop=True)


def _model(row, part, origin) -> FitResult:
    equations = part["equations"].sort_values("equation_order")
    system = parse(equations["equation"], part["ranges"]["predictor"])
    parameters = part["coefficients"][_PARAMETERS].copy()
    labels = [f"{n}[{g}]" if g else n for n, g in zip(parameters["name"], parameters["group"], strict=True)]
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
        residual={r["response"]: _residual(r) for r in free},
        correlation=square(part["residual_correlation"], responses),
        loglik=row["loglik"],
        n={r: int(n) for r, n in zip(measured["response"], measured["n"], strict=True)},
        ranges={r["predictor"]: (r["minimum"], r["maximum"]) for r in part["ranges"].to_dict("records")},
        correction=dict(zip(corrected["response"], corrected["correction_factor"], strict=True)),
        correction_kind=row["correction_kind"],
        index_table=_index_table(part["indices"]),
        converged=True,
        certificate=origin["certificate"],
        warnings=tuple(origin["warnings"]),
        versions=origin["versions"],
        source=origin["source"],
        label=row["label"],
        level=row["level"],
        seed=int(row["seed"]),
        stored_draws=part["draws"][labels] if "draws" in part else None,
        random=_random(part.get("random_effects")),
    )


def parse(lines, predictors) -> System:
    """Read the equations of one model; predictors are the columns named in ``ranges.csv``."""
    system = System.parse("\n".join(lines))
    return system.bind([*predictors, *system.groups.values()], responses_required=False)


def _check_names(system, names) -> None:
    absent = [p for p in system.parameters if p not in names]
    surplus = sorted(names - set(system.parameters))
    if absent or surplus:
        raise TableError(
            tr(
                f"coefficients and equations differ; without a value: {', '.join(absent) or '–'}; "
                f"not in any equation: {', '.join(surplus) or '–'}",
                f"系数与方程不一致；缺少取值：{'、'.join(absent) or '无'}；方程中没有：{'、'.join(surplus) or '无'}",
            )
        )


def _random(frame) -> RandomEffects | None:
    if frame is None or frame.empty:
        return None
    names = list(dict.fromkeys(frame["row"]))
    multiplies = tuple(n for n in names if n in set(frame["multiplies"].fillna("")))
    return RandomEffects(str(frame["group_column"].iloc[0]), square(frame, names), multiplies)


def _residual(row) -> ResidualModel:
    return ResidualModel(
        response=row["response"],
        kind=row["variance_kind"],
        sigma=row["sigma"],
        by=row["variance_by"],
        exponent=row["variance_exponent"],
        fixed=bool(row["exponent_fixed"]),
        freedom=row["residual_df"],
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
    problems = []
    for row, column, value in zip(triangle["row"], triangle["column"], triangle["value"], strict=True):
        if row not in at or column not in at:
            problems.append(
                tr(f"{row}, {column}: not among the coefficients", f"{row}, {column}：不在系数表中")
            )
            continue
        i, j = at[row], at[column]
        if not np.isnan(matrix[i, j]):
            problems.append(tr(f"{row}, {column}: given twice", f"{row}, {column}：重复"))
        matrix[i, j] = matrix[j, i] = value
    for i, j in zip(*np.nonzero(np.isnan(np.tril(matrix))), strict=True):
        problems.append(tr(f"{labels[i]}, {labels[j]}: missing", f"{labels[i]}, {labels[j]}：缺失"))
    if problems:
        raise TableError(listing(problems))
    return pd.DataFrame(matrix, index=labels, columns=labels)


def _index_table(indices) -> pd.DataFrame:
    whole = indices[indices["class_column"] == ""]
    table = whole.drop(columns=["model_id", "class_column", "class_label"]).set_index("response")
    return table.astype({"n": int}) if table["n"].notna().all() else table
