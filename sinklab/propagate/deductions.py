r"""Deductions for uncertainty, as rows of ``data/rules/deductions.csv``.

The uncertainty :math:`U` is the half-width of the interval that the rule asks for, over the estimate.
Three forms take something off a project, or add it to a baseline:

==================== ====================================================================
form                 amount
==================== ====================================================================
share_of_half_width  a share of the half-width, by class of U
share_of_estimate    a share of the estimate, by class of U
excess               the part of U above what is free, times the estimate
==================== ====================================================================

A class holds its upper limit. A class without an amount asks for more data instead. A rule says what it is a rule
of: a stock, a change of stocks, or the net removal of a project; it is refused on anything else. Rules that are
only recalled say so in their result; documents must not rest on them.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sinklab.data.files import records
from sinklab.language import DataError, Notes, require_choice, require_known

ROLES = ("project", "baseline")
#: What a rule may be a rule of, in words.
BASES = {
    "stock": ("a stock", "储量"),
    "change": ("a change of stocks", "储量变化量"),
    "net": ("the net removal of a project", "项目净减排量"),
}


@dataclass(frozen=True)
class Step:
    """Class of U and what it costs; ``amount`` None asks for more data."""

    above: float
    up_to: float
    amount: float | None


@dataclass(frozen=True)
class Rule:
    """A deduction rule; ``mark`` is how it was read: V in its source, V2 at second hand, R recalled.

    ``base`` is what it may be applied to (:data:`BASES`), ``least_ex_ante`` the share that is deducted at least
    before a project has been measured.
    """

    rule_id: str
    form: str
    level: float
    tail: str
    steps: tuple[Step, ...]
    zero_above: float
    least_ex_ante: float
    min_draws: int
    base: tuple[str, ...]
    source: str
    status: str
    mark: str
    label_en: str
    label_zh: str
    note: str

    @property
    def probability(self) -> float:
        """Probability below the upper end of the interval: 0.95 for a two-sided 90 %."""
        return 0.5 + self.level / 2 if self.tail == "two-sided" else self.level

    def half_width(self, se: float, freedom: float = np.inf) -> float:
        """Half-width of the interval from a standard error, with Student's t."""
        from scipy import stats

        return float(stats.t.ppf(self.probability, freedom) * se)

    def half_width_of_draws(self, draws) -> float:
        """Half-width of the percentile interval of Monte Carlo draws."""
        low, high = np.quantile(draws, [1 - self.probability, self.probability])
        return float(high - low) / 2


@dataclass(frozen=True)
class Deduction:
    """What a rule makes of an estimate; ``deduction`` and ``result`` are NaN when more data are asked for.

    ``uncertainty`` and ``percent`` (of the estimate) are in per cent, the others in the unit of the
    estimate.
    """

    rule_id: str
    role: str
    estimate: float
    half_width: float
    level: float
    uncertainty: float
    deduction: float
    percent: float
    result: float
    status: str
    source: str
    notes: tuple[str, ...]


@lru_cache(maxsize=1)
def rules() -> dict[str, Rule]:
    """All deduction rules by id."""
    grouped: dict[str, list] = {}
    for row in records("rules", "deductions.csv"):
        grouped.setdefault(row["rule_id"], []).append(row)
    return {name: _rule(found) for name, found in grouped.items()}


def _rule(rows) -> Rule:
    steps = []
    for row in rows:
        amount = float(row["amount"]) / float(row["per"] or 1) if row["amount"] else None
        steps.append(Step(float(row["above"]), float(row["up_to"] or np.inf), amount))
    first = rows[0]
    same = ("rule_id", "form", "tail", "source", "status", "mark", "label_en", "label_zh")
    return Rule(
        steps=tuple(steps),
        level=float(first["level"]),
        zero_above=float(first["zero_above"] or np.inf),
        least_ex_ante=float(first["least_ex_ante"] or 0),
        min_draws=int(first["min_draws"] or 0),
        base=tuple(first["base"].split(";")),
        note=first["note"],
        **{k: first[k] for k in same},
    )


def rule(name: str) -> Rule:
    """Find a rule.

    Raises
    ------
    DataError
        With the names that exist.
    """
    require_known([name], rules(), "deduction rule", "扣减规则")
    return rules()[name]


def deduct(
    name: str,
    estimate: float,
    *,
    half_width: float | None = None,
    se: float | None = None,
    freedom: float = np.inf,
    draws: np.ndarray | None = None,
    role: str = "project",
    of: str = "",
    ex_ante: bool = False,
) -> Deduction:
    """Apply a rule to an estimate.

    Parameters
    ----------
    name : str
        Of the rule.
    estimate : float
        Removal, emission or stock; positive.
    half_width, se, draws
        One of them: the half-width at the level of the rule; a standard error, with ``freedom``
        degrees of freedom; or Monte Carlo draws.
    role : "project" or "baseline"
        Whether the amount is taken off or added.
    of : "stock", "change" or "net", optional
        What the estimate is; a rule of something else is refused.
    ex_ante : bool
        Before the project has been measured: the rule's least deduction holds.

    Returns
    -------
    deduction : Deduction

    Raises
    ------
    DataError
        Unknown rule or role, a rule of something else, an estimate that is not positive, no or several measures
        of uncertainty.

    Examples
    --------
    >>> deduct("ar_tool14", 60.0, half_width=9.0).result
    57.75
    """
    used = rule(name)
    if of:
        require_base(used, of)
    _check(estimate, (half_width, se, draws), role)
    notes = Notes()
    if draws is not None:
        half_width = used.half_width_of_draws(draws)
        if len(draws) < used.min_draws:
            notes.add(
                f"the rule asks for at least {used.min_draws} Monte Carlo runs, found {len(draws)}",
                f"该规则要求蒙特卡罗抽样至少 {used.min_draws} 次，实为 {len(draws)} 次",
            )
    elif se is not None:
        half_width = used.half_width(se, freedom)
    relative = half_width / estimate
    amount = _amount(used, estimate, half_width, relative)
    if amount is not None and ex_ante:
        amount = max(amount, used.least_ex_ante * estimate)
    if amount is None:
        notes.add("too uncertain for the rule: more plots are needed", "不确定性超出该规则：需增加样地")
        amount = np.nan
    if used.status == "recalled":
        notes.add("the numbers of this rule are recalled, not verified", "该规则的数值凭记忆，未核对")
    return Deduction(
        rule_id=name,
        role=role,
        estimate=float(estimate),
        half_width=float(half_width),
        level=used.level,
        uncertainty=float(100 * relative),
        deduction=float(amount),
        percent=float(100 * amount / estimate),
        result=float(estimate - amount if role == "project" else estimate + amount),
        status=used.status,
        source=used.source,
        notes=tuple(notes),
    )


def require_base(used: Rule, of: str) -> None:
    """Refuse a rule of something else than ``of``, one of :data:`BASES`.

    Raises
    ------
    DataError
        With the rules that are of it.
    """
    require_choice("of", of, tuple(BASES))
    if of in used.base:
        return
    fit = [name for name, other in rules().items() if of in other.base]
    en, zh = " or ".join(BASES[b][0] for b in used.base), "或".join(BASES[b][1] for b in used.base)
    raise DataError(
        f"{used.rule_id} ({used.source}) is a rule of {en}, not of {BASES[of][0]}; rules of that: {', '.join(fit)}",
        f"{used.rule_id}（{used.source}）用于{zh}，不用于{BASES[of][1]}；可用规则：{'、'.join(fit)}",
    )


def _check(estimate, given, role) -> None:
    require_choice("role", role, ROLES)
    if not (np.isfinite(estimate) and estimate > 0):
        raise DataError(
            f"a deduction needs a positive estimate, found {estimate}",
            f"扣减需要正的估计值，而不是 {estimate}",
        )
    if sum(x is not None for x in given) != 1:
        raise DataError(
            "give one of half_width, se and draws", "请在 half_width、se、draws 中给出且只给出一个"
        )
    values = np.asarray(next(x for x in given if x is not None), float)
    if not np.isfinite(values).all() or (given[2] is None and values < 0):
        raise DataError("the uncertainty must be finite and not negative", "不确定性应为有限的非负数")


def _amount(used, estimate, half_width, relative) -> float | None:
    if relative > used.zero_above:
        return estimate
    # A half-width that equals the limit but for rounding stays in the lower class.
    step = next(s for s in used.steps if relative <= s.up_to * (1 + 1e-12))
    if step.amount is None:
        return None
    match used.form:
        case "share_of_half_width":
            return step.amount * half_width
        case "share_of_estimate":
            return step.amount * estimate
        case "excess":
            return min(step.amount * max(relative - step.above, 0.0), 1.0) * estimate
    raise DataError(f"{used.rule_id}: unknown form {used.form!r}", f"{used.rule_id}：未知形式 {used.form!r}")
