"""Does an equation hold what is claimed for it? Tested on trees it was not fitted to.

Bias (ellipse test, mean relative error), equivalence (TOST), the verdict of
:mod:`sinklab.assess.transfer`, bias by class of size, the range that is claimed, and *coverage*: the share
of trees inside the intervals that the claim implies, with its exact (Clopper-Pearson) interval.

Source
------
Clopper C.J., Pearson E.S. (1934) The use of confidence or fiducial limits illustrated in the case of
the binomial. Biometrika 26:404-413.
"""

from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from sinklab.assess.validation import Transfer, bias_test, equivalence_test, thresholds, transfer_test
from sinklab.equations.system import System
from sinklab.language import DataError, tr
from sinklab.results import indices
from sinklab.review.scrutiny import bias_by_class

#: What a claimed deviation is of, and its unit: a share of the prediction, or the standard deviation of logarithms
#: (natural, or to base 10) around an equation that gives medians.
SCALES = {"relative": 1.0, "log": 1.0, "log10": float(np.log(10))}
#: How far a printed correction factor may lie from the one that its deviation gives, as a share of what it corrects.
ROUNDED = 0.1
#: Trees below which a line through observations and predictions leaves nothing to judge it by.
FEWEST = 4


@dataclass(frozen=True)
class Coverage:
    """Share of trees inside claimed intervals; ``lower`` and ``upper`` are its exact 95 % interval."""

    level: float
    n: int
    inside: int
    lower: float
    upper: float

    @property
    def share(self) -> float:
        """Share of the trees inside."""
        return self.inside / self.n

    @property
    def holds(self) -> bool:
        """Whether the claimed level is compatible with what was found."""
        return self.lower <= self.level <= self.upper


@dataclass(frozen=True)
class Claim:
    """What the trees say of a claimed equation.

    ``n_left_out`` counts records without response or predictors, ``outside`` trees beyond the claimed
    range; ``coverage`` is None when the claim says nothing of the scatter of trees.
    """

    equation: str
    response: str
    n: int
    n_left_out: int
    outside: int
    indices: dict[str, float]
    bias: dict[str, float]
    equivalence: dict[str, float]
    transfer: Transfer
    classes: pd.DataFrame
    coverage: Coverage | None

    @property
    def holds(self) -> bool:
        """Whether the equation may be used here as it is, and its intervals hold."""
        return self.transfer.verdict == "accept" and (self.coverage is None or self.coverage.holds)

    def to_json(self) -> dict:
        """Plain types."""
        told, covered = asdict(self), self.coverage
        del told["transfer"]
        return told | {
            "verdict": self.transfer.verdict,
            "ratio": self.transfer.ratio,
            "checks": self.transfer.checks.to_dict("records"),
            "classes": self.classes.to_dict("records"),
            "coverage": covered and told["coverage"] | {"share": covered.share, "holds": covered.holds},
            "holds": self.holds,
        }


def test_claim(
    data,
    equation: str,
    values=None,
    response: str | None = None,
    ranges=None,
    deviation: float | None = None,
    scale: str = "relative",
    level: float = 0.95,
    correction: float | None = None,
) -> Claim:
    """Test a claimed equation on measured trees.

    Parameters
    ----------
    data : DataFrame
        Predictors and the measured response.
    equation : str
        With its numbers in it (``agb = 0.0881 * dbh**2.4651``) or with names for them.
    values : mapping of str to float, optional
        Numbers for the names.
    response : str, optional
        The last left side when left out.
    ranges : mapping of str to (low, high), optional
        Range that the claim gives for its predictors; None leaves a side open.
    deviation : float, optional
        Residual standard deviation that is claimed: a share of the prediction, or of logarithms.
    scale : {"relative", "log", "log10"}
        What ``deviation`` is of.
    level : float
        Level of the intervals whose coverage is tested.
    correction : float, optional
        Printed factor from the medians of a logarithmic equation to its means, ``exp(s² / 2)`` with the deviation
        ``s`` of natural logarithms.

    Returns
    -------
    claim : Claim

    Raises
    ------
    DataError
        Numbers are missing, the data lack what the equation needs, predictions are not positive; a correction
        without the base of its logarithms, or one that its deviation contradicts.
    """
    system = System.parse(equation).bind(data.columns)
    response = response or system.responses[-1]
    values = dict(values or {})
    _check(system, response, values, data, deviation, scale, level)
    ranges = {
        k: (-np.inf if a is None else a, np.inf if b is None else b) for k, (a, b) in (ranges or {}).items()
    }
    used = data.dropna(subset=[*system.predictors, response])
    predicted = pd.Series(system.mean(values, used)[response], index=used.index)
    _positive(predicted, used, response)
    coverage = None
    if deviation is not None:
        half = stats.norm.ppf(0.5 + level / 2) * deviation * SCALES[scale]
        low, high = (1 - half, 1 + half) if scale == "relative" else (np.exp(-half), np.exp(half))
        coverage = covered(used[response], predicted * low, predicted * high, level)
    if correction is not None:
        _check_correction(correction, deviation, scale)
        predicted = predicted * correction
        # The judges of transfer see the means, not the medians of the equation.
        equation = f"{response} = {correction!r} * medians"
        transfer = transfer_test(
            used.assign(medians=predicted / correction), equation, {}, response, fewest=FEWEST
        )
        transfer = replace(transfer, outside=_beyond(used, ranges))
    else:
        transfer = transfer_test(used, equation, values, response, ranges, FEWEST)
    return _claim(data, used, str(system), response, predicted, system.predictors[0], transfer, coverage)


def test_table(
    data, table, response: str | None = None, model: str | None = None, level: float = 0.95
) -> Claim:
    """Test a parameter table on measured trees it was not made from.

    Parameters
    ----------
    data : DataFrame
    table : Table
    response, model : str, optional
        Response (the last of the model when left out), and id or label of one model.
    level : float
        Level of the intervals of single trees whose coverage is tested.

    Returns
    -------
    claim : Claim
        Coverage is that of the table's own intervals, parameters and residuals together.
    """
    fit = table.model(model)
    response = response or fit.system.responses[-1]
    _check(fit.system, response, fit.system.parameters, data, level=level)
    used = data.dropna(subset=[*fit.system.predictors, response])
    told = fit.predict(used, level=level, kind="individual")
    predicted = told[response]
    _positive(predicted, used, response)
    coverage = covered(used[response], told[f"{response}_lower"], told[f"{response}_upper"], level)
    # The table's predictions stand as the equation y = x, so that the rules of transfer judge them.
    stand_in = pd.DataFrame({"observed": used[response], "predicted": predicted})
    transfer = transfer_test(stand_in, "observed = 1 * predicted", {}, "observed", fewest=FEWEST)
    transfer = replace(transfer, outside=_beyond(used, fit.ranges))
    first = fit.system.predictors[0]
    return _claim(data, used, table.ref, response, predicted, first, transfer, coverage)


# pytest must not take the two for tests.
test_claim.__test__ = test_table.__test__ = False


def covered(observed, lower, upper, level: float) -> Coverage:
    """Share of observations inside intervals, with its exact 95 % interval."""
    n, inside = len(observed), int(((observed >= lower) & (observed <= upper)).sum())
    low = stats.beta.ppf(0.025, inside, n - inside + 1) if inside else 0.0
    high = stats.beta.ppf(0.975, inside + 1, n - inside) if inside < n else 1.0
    return Coverage(float(level), n, inside, float(low), float(high))


def _claim(data, used, equation, response, predicted, first, transfer, coverage) -> Claim:
    observed = used[response].astype(float)
    margin = float(thresholds()["equivalence"]["margin"])
    return Claim(
        equation,
        response,
        len(used),
        len(data) - len(used),
        transfer.outside,
        # None of its numbers was estimated from these trees.
        indices.evaluate(observed, predicted, p=0),
        bias_test(observed, predicted, weights=1 / predicted.to_numpy(float) ** 2),
        equivalence_test(observed, predicted, margin),
        transfer,
        bias_by_class(observed, predicted, used[first].astype(float)),
        coverage,
    )


def _check(system, response, values, data, deviation=None, scale="relative", level=0.95):
    problems = []
    missing = ", ".join(p for p in system.parameters if p not in values)
    if missing:
        problems.append(
            tr(
                f"no number for {missing}; give them with --values",
                f"缺少参数值：{missing}；请用 --values 给出",
            )
        )
    if response not in system.responses:
        known = ", ".join(system.responses)
        problems.append(tr(f"{response} is not a left side: {known}", f"方程左边没有 {response}"))
    needed = [c for c in (*system.predictors, response) if c not in data]
    if needed:
        problems.append(tr(f"the data lack {', '.join(needed)}", f"数据缺少列：{'、'.join(needed)}"))
    if deviation is not None and not 0 < deviation < 10:
        en, zh = "expected a share such as 0.25", "应为比例，如 0.25"
        problems.append(tr(f"deviation {deviation}; {en}", f"标准差 {deviation}；{zh}"))
    if scale not in SCALES or not 0 < level < 1:
        problems.append(tr(f"scale {scale!r}, level {level}", f"尺度 {scale!r}、水平 {level} 无效"))
    if problems:
        raise DataError(tr("claim: ", "方程检验：") + "; ".join(problems))


def _beyond(used, ranges) -> int:
    """Number of trees outside a range of some predictor."""
    beyond = np.zeros(len(used), bool)
    for name, (low, high) in ranges.items():
        beyond |= ~used[name].between(low, high).to_numpy()
    return int(beyond.sum())


def _check_correction(correction, deviation, scale) -> None:
    """Refuse a correction factor of which the base is not told, or that belongs to another base."""
    if scale == "relative":
        raise DataError(
            f"correction factor {correction:g}: logarithms to which base? give --log e or --log 10",
            f"校正系数 {correction:g}：对数以何为底？请给出 --log e 或 --log 10",
        )
    if deviation is None:
        return
    due = {
        name: float(np.exp((deviation * unit) ** 2 / 2))
        for name, unit in SCALES.items()
        if name != "relative"
    }
    if abs(correction - due[scale]) > max(ROUNDED * (due[scale] - 1), 0.005):
        told = ", ".join(f"{name}: {value:.4g}" for name, value in due.items())
        raise DataError(
            f"correction factor {correction:g} does not follow from a deviation of {deviation:g} ({told}); "
            "compare base, deviation and factor with the source",
            f"校正系数 {correction:g} 与标准差 {deviation:g} 不符（{told}）；请与原文核对底数、标准差和系数",
        )


def _positive(predicted, used, response):
    bad = predicted.index[~(predicted > 0)]
    if len(bad):
        rows = ", ".join(str(i + 1) if isinstance(i, int) else str(i) for i in bad[:20])
        raise DataError(
            f"claim: {response} is not positive in records {rows} ({len(bad)} of {len(used)}); leave out what "
            "lies beyond the range of the equation",
            f"方程检验：第 {rows} 条记录的 {response} 预测值不为正（共 {len(bad)}/{len(used)} 条）；请剔除超出适用范围的记录",
        )
