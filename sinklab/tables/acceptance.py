"""Checks that a table passes or fails, written beside its numbers.

Checks of two kinds: *definitions* (a covariance must be one), and *thresholds* from
``data/rules/acceptance.csv``. A threshold that was recalled and not read in its source is marked so,
and no threshold makes a table invalid: it is recorded for those who review.
"""

import csv
from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from sinklab import paths
from sinklab.language import tr
from sinklab.tables.naming import system_of
from sinklab.tables.pack import EIGENVALUE_FLOOR, smallest_eigenvalue
from sinklab.tables.schema import FILES
from sinklab.tables.unpack import square

_COMPARE = {
    "<=": lambda value, limit: value <= limit,
    ">=": lambda value, limit: value >= limit,
    "abs<=": lambda value, limit: abs(value) <= limit,
}


@dataclass(frozen=True)
class Rule:
    """One row of ``data/rules/acceptance.csv``."""

    rule_id: str
    quantity: str
    responses: tuple[str, ...]
    systems: tuple[str, ...]
    comparison: str
    threshold: float
    unit: str
    source: str
    status: str
    label_en: str
    label_zh: str
    note: str

    def applies(self, response: str, system: str) -> bool:
        """Whether the rule speaks of this response in this ecosystem."""
        return (not self.responses or response in self.responses) and (
            not self.systems or system in self.systems
        )

    def met(self, value: float) -> bool:
        """Whether a value keeps the threshold; NaN does not."""
        return bool(_COMPARE[self.comparison](value, self.threshold))


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """All acceptance rules of the workbench."""
    found = []
    with open(paths.data("rules", "acceptance.csv"), encoding="utf-8-sig", newline="") as stream:
        for row in csv.DictReader(stream):
            parts = {k: tuple(p for p in row[k].split(";") if p) for k in ("responses", "systems")}
            found.append(Rule(**(row | parts | {"threshold": float(row["threshold"])})))
    return tuple(found)


def checks(frames, table_id: str) -> pd.DataFrame:
    """Check the frames of a package.

    Parameters
    ----------
    frames : dict of DataFrame
        See :func:`sinklab.tables.pack.pack`.
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
        rows += _thresholds(frames["indices"], system_of(table_id))
    if "values" in frames:
        rows += [_value_check(row) for row in frames["values"].to_dict("records")]
    return pd.DataFrame(rows, columns=[f.name for f in FILES["checks"]])


def _definitions(frames, model) -> list[dict]:
    def of_model(name):
        return frames[name][frames[name]["model_id"] == model]

    coefficients = of_model("coefficients")
    labels = [
        f"{n}[{g}]" if g else n for n, g in zip(coefficients["name"], coefficients["group"], strict=True)
    ]
    covariance = square(of_model("covariance"), labels)
    eigenvalue = smallest_eigenvalue(covariance)
    common = {"model_id": model, "rule_status": "definition"}
    return [
        common
        | {
            "check_id": "converged",
            # A fit that did not converge is refused before it comes here.
            "passed": True,
            "message_en": "the fit met its convergence criterion",
            "message_zh": "拟合满足收敛条件",
        },
        common
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


def _thresholds(indices, system) -> list[dict]:
    rows = []
    for row in indices[indices["class_column"] == ""].to_dict("records"):
        for rule in rules():
            if not rule.applies(row["response"], system):
                continue
            value = row[rule.quantity]
            rows.append(
                {
                    "check_id": rule.rule_id,
                    "model_id": row["model_id"],
                    "response": row["response"],
                    "passed": rule.met(value),
                    "value": value,
                    "comparison": rule.comparison,
                    "threshold": rule.threshold,
                    "rule_status": rule.status,
                    "rule_source": rule.source,
                    "message_en": rule.label_en,
                    "message_zh": rule.label_zh,
                }
            )
    return rows


def _value_check(row) -> dict:
    low, high = row["q025"], row["q975"]
    ordered = pd.isna(low) or pd.isna(high) or low <= row["mean"] <= high
    name = f"{row['name']} [{row['group']}]" if row["group"] else row["name"]
    return {
        "check_id": "quantiles_in_order",
        "response": name,
        "passed": bool(ordered),
        "value": row["mean"],
        "rule_status": "definition",
        "message_en": "the mean lies between the 2.5 % and 97.5 % quantiles",
        "message_zh": "均值位于 2.5% 与 97.5% 分位数之间",
    }


def definitions_failed(frames) -> list[str]:
    """Name the checks of a package that no number may fail, and that failed."""
    found = frames["checks"]
    failed = found[(found["rule_status"] == "definition") & ~found["passed"].astype(bool)]
    return [
        f"{row['model_id'] or row['response']}: {row['check_id']} = {row['value']:g}; "
        + tr(row["message_en"], row["message_zh"])
        for row in failed.to_dict("records")
    ]
