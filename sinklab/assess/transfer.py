"""May a published equation be used here? A test on local trees, with a verdict.

The claimed equation predicts trees it was not fitted on. It is judged by the total relative error, the
average systematic error, the ellipse test of bias and the equivalence test, against the thresholds of
``data/rules/transfer.csv``, each of which says where it comes from and whether it was read in print.
"""

import csv
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sinklab import indices, paths
from sinklab.assess.diagnostics import bias_test, equivalence_test
from sinklab.equations import System
from sinklab.errors import DataError
from sinklab.language import tr


@dataclass(frozen=True)
class Transfer:
    """Verdict ``accept``, ``calibrate`` or ``reject`` with the checks it rests on.

    ``ratio`` is the sum of the observations over that of the predictions: what a calibrated equation
    would be multiplied by. ``outside`` counts trees beyond the range the equation claims.
    """

    verdict: str
    checks: pd.DataFrame
    ratio: float
    n: int
    outside: int

    @property
    def text(self) -> str:
        """The verdict in words."""
        words = {
            "accept": tr("may be used here", "可在本区域使用"),
            "calibrate": tr(
                f"biased by a constant share; usable when multiplied by {self.ratio:.4g}",
                f"存在固定比例偏差；乘以 {self.ratio:.4g} 后可用",
            ),
            "reject": tr("must not be used here without refitting", "不宜在本区域直接使用，应重新拟合"),
        }
        return words[self.verdict]


def thresholds() -> dict[str, dict[str, str]]:
    """Rows of ``data/rules/transfer.csv`` by check."""
    with open(paths.data("rules", "transfer.csv"), encoding="utf-8-sig", newline="") as stream:
        return {row["check"]: row for row in csv.DictReader(stream)}


def transfer_test(data, equation: str, values, response: str, ranges=None) -> Transfer:
    """Test an equation with given coefficients on measured trees.

    Parameters
    ----------
    data : DataFrame
        Predictors and the measured response.
    equation : str
        Such as ``"agb = a * dbh**b"``.
    values : mapping of str to float
        Its coefficients.
    response : str
    ranges : mapping of str to (low, high), optional
        Range that the equation claims for its predictors.

    Returns
    -------
    transfer : Transfer
        ``calibrate`` when the equation passes once multiplied by one constant.

    Raises
    ------
    DataError
        Fewer trees than the rule asks for.
    """
    system = System.parse(equation).bind(data.columns)
    used = data[[*system.predictors, response]].dropna()
    rules = thresholds()
    least = int(float(rules["n"]["threshold"]))
    if len(used) < least:
        raise DataError(
            tr(
                f"transfer test: {len(used)} trees with {response}; the rule asks for {least}",
                f"移植检验：有 {response} 的样木 {len(used)} 株；规则要求 {least} 株",
            )
        )
    observed = used[response].to_numpy(float)
    predicted = system.mean(values, used)[response]
    checks = _checks(observed, predicted, rules)
    ratio = float(observed.sum() / predicted.sum())
    verdict = "accept"
    if not checks["passed"].all():
        verdict = "calibrate" if _checks(observed, predicted * ratio, rules)["passed"].all() else "reject"
    outside = np.zeros(len(used), bool)
    for name, (low, high) in (ranges or {}).items():
        outside |= ~used[name].between(low, high).to_numpy()
    return Transfer(verdict, checks, ratio, len(used), int(outside.sum()))


def _checks(observed, predicted, rules) -> pd.DataFrame:
    bias = bias_test(observed, predicted, weights=1 / predicted**2)
    margin = float(rules["equivalence"]["margin"])
    equal = equivalence_test(observed, predicted, margin)
    found = {
        "TRE": (abs(indices.total_relative_error(observed, predicted)), "<="),
        "ASE": (abs(indices.average_systematic_error(observed, predicted)), "<="),
        "ellipse": (bias["p_ellipse"], ">="),
        "equivalence": (equal["p"], "<="),
    }
    rows = []
    for check, (value, comparison) in found.items():
        limit = float(rules[check]["threshold"])
        passed = value <= limit if comparison == "<=" else value >= limit
        rows.append(
            (check, value, comparison, limit, bool(passed), rules[check]["status"], rules[check]["source"])
        )
    return pd.DataFrame(
        rows, columns=["check", "value", "comparison", "threshold", "passed", "status", "source"]
    )
