r"""How many trees to fell, in which diameter classes, how many roots to dig, and how many plots in each stratum.

*Trees.* A pilot fit (own trees, another region, a pooled equation) says how masses vary. Samples of a design are drawn
from it, fitted again, and judged by the mean prediction error of the Chinese standards,

.. math:: MPE = 100\, t_{0.05}\, (SEE / \bar y) / \sqrt n ,

and by how far the refitted curve lies from the true one in each class. The plan is the smallest number of trees in
every class for which the wanted share of samples (``assurance``) meets the target. Classes of equal size are what the
standards ask for. The cheapest allocation of the same average precision over the classes (an I-optimal design, found by
multiplicative steps on the expected information) is printed beside it; some trees stay in every class, because an
optimal design trusts the form of the equation. A plan is made before the field season, and again after the first trees,
with them as pilot; its field sheet has a line for each tree to be felled.

*Plots.* With areas as shares :math:`W_h`, standard deviations :math:`s_h` and :math:`n_h` of the :math:`N_h` plots that
fit into a stratum, the half-width of the interval of the mean is

.. math:: t_\nu \sqrt{\sum W_h^2 \frac{s_h^2}{n_h} \left(1 - \frac{n_h}{N_h}\right)} ,

with the degrees of freedom of :func:`effective_freedom`, the rule by which every total of strata gets its interval. A
sample finds other :math:`s_h` and another mean than the pilot; ``assurance`` is the share of samples that keep the
half-width. Plots are divided among the strata in proportion to :math:`W_h s_h / \sqrt{c_h}` with costs :math:`c_h`
(Neyman's allocation when they are equal), and the total is the smallest that keeps it, found by bisection.

Source
------
Pukelsheim F. (2006) Optimal Design of Experiments. SIAM, chapter 9. Cochran W.G. (1977) Sampling Techniques, 3rd
edition, sections 5.5 and 5.9. Wiley. The class lists and their status are in ``data/rules/sampling_design.csv``.
"""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from sinklab.data import files
from sinklab.fitting.likelihood import mean_information
from sinklab.fitting.system import SystemFit
from sinklab.language import DataError, Notes, listing, require_known, tr
from sinklab.results import indices, prediction
from sinklab.results.fit_result import FitResult
from sinklab.results.variance import parse_variance

#: Trees of a class from which its expected information is worked out.
N_SAMPLE = 60
#: Scatter of the logarithm of height about its curve when the pilot has no trees.
HEIGHT_SCATTER = 0.1


def design_classes(design_id: str) -> pd.DataFrame:
    """Classes of a sampling design: limits, trees, trees with roots."""
    numbers = ("class_order", "dbh_min", "dbh_max", "n_tree", "n_root")
    frame = pd.DataFrame(files.records("rules", "sampling_design.csv", numbers=numbers))
    return frame[frame["design_id"] == design_id].sort_values("class_order")


class Sampler:
    """Draws samples of a design from a pilot fit and fits them again.

    Parameters
    ----------
    fit : FitResult
        Of ``nsur`` or ``wls``; with its trees, or read from a table.
    design : str
        Id in ``data/rules/sampling_design.csv``.
    dug : sequence of str
        Responses measured on some of the trees only.
    """

    def __init__(self, fit: FitResult, design: str = "ten_classes", dug: Sequence[str] = ("root", "bgb")):
        _check_pilot(fit)
        classes = design_classes(design)
        if classes.empty:
            raise DataError(
                f"no design {design!r} in data/rules/sampling_design.csv", f"抽样设计中没有 {design!r}"
            )
        low, high = fit.ranges["dbh"]
        inside = (classes["dbh_max"] > low) & (classes["dbh_min"] < high)
        self.classes = classes[inside].reset_index(drop=True)
        self.fit, self.dug = fit, [r for r in fit.system.free if r in dug]
        spec = {r: m.spec for r, m in fit.residual.items()}
        self.functions = parse_variance(spec, fit.system.free, fit.system.predictors)
        exponents = [m.exponent for m in fit.residual.values() if not m.fixed]
        self.theta = np.concatenate([fit.values, exponents])
        self.height = _height_curve(fit)

    @property
    def middles(self) -> pd.DataFrame:
        """Tree in the middle of each class."""
        dbh = self.classes[["dbh_min", "dbh_max"]].mean(axis=1).to_numpy()
        return self._predictors(dbh, np.zeros(len(dbh)))

    def _predictors(self, dbh, normal) -> pd.DataFrame:
        frame = pd.DataFrame({"dbh": dbh})
        if "height" in self.fit.system.predictors:
            slope, intercept, scatter = self.height
            frame["height"] = np.exp(intercept + slope * np.log(dbh) + scatter * normal)
        return frame

    def draw(self, counts, roots, rng) -> pd.DataFrame:
        """Sample with ``counts`` trees in each class, the dug components on ``roots`` of them."""
        rows = np.repeat(np.arange(len(counts)), counts)
        low, high = (self.classes[c].to_numpy()[rows] for c in ("dbh_min", "dbh_max"))
        frame = self._predictors(
            low + (high - low) * rng.uniform(size=len(rows)), rng.standard_normal(len(rows))
        )
        frame["class"] = rows
        names = list(self.fit.system.free)
        means = self.fit.layout.at(frame, tuple(names), len(frame)).mean(self.fit.values)
        normal = rng.multivariate_normal(
            np.zeros(len(names)), self.fit.correlation.loc[names, names], len(rows)
        )
        for j, name in enumerate(names):
            model, mean = self.fit.residual[name], means[:, j]
            frame[name] = model.observed(mean, frame, normal[:, j])
            if not model.variance.logged:
                # A mass is never negative; the rare draw below zero becomes a small one.
                frame[name] = np.maximum(frame[name], 0.01 * mean)
        within = frame.groupby("class").cumcount().to_numpy()
        frame.loc[within >= np.asarray(roots)[rows], self.dug] = np.nan
        return frame

    def _engine(self, frame):
        correlated = self.fit.method == "nsur"
        return SystemFit(self.fit.system, frame, self.functions, correlated)

    def refit(self, frame) -> np.ndarray | None:
        """Coefficients of a drawn sample; None where the refit fails."""
        engine = self._engine(frame)
        try:
            state = engine.resume(self.theta)
        except np.linalg.LinAlgError:
            return None
        return None if state is None else engine.estimates(state)[0]

    def judge(self, counts, roots, n_sim: int, seed: int):
        """Mean prediction errors (n_sim, m) and relative errors of the curve (n_sim, m, n_class), percent.

        Rows of samples that could not be fitted are NaN.
        """
        responses = list(self.fit.system.responses)
        truth = self._means(self.fit.values, self.middles)
        mpe = np.full((n_sim, len(responses)), np.nan)
        error = np.full((n_sim, len(responses), len(self.classes)), np.nan)
        for i in range(n_sim):
            # The same seed for every size of the sample: sizes are compared on like trees.
            frame = self.draw(counts, roots, np.random.default_rng([seed, i]))
            values = self.refit(frame)
            if values is None:
                continue
            found = self._means(values, self.middles)
            seen = self.fit.system.complete({r: frame[r].to_numpy() for r in self.fit.system.free}, frame)
            told = self._means(values, frame)
            for j, response in enumerate(responses):
                error[i, j] = 100 * (found[response] / truth[response] - 1)
                known = np.isfinite(seen[response])
                p = self.fit.layout.count(self.fit.system.parameters_of[response])
                mpe[i, j] = indices.evaluate(seen[response][known], told[response][known], p)["MPE"]
        return mpe, error

    def _means(self, values, frame) -> dict[str, np.ndarray]:
        names = tuple(self.fit.system.responses)
        mean = self.fit.layout.at(frame, names, len(frame)).mean(values)
        return dict(zip(names, mean.T, strict=True))

    def class_information(self, share: float) -> np.ndarray:
        """Expected information about the coefficients from one tree of each class, (n_class, k, k).

        ``share`` of the trees have their roots dug.
        """
        found = []
        for c in range(len(self.classes)):
            counts = np.zeros(len(self.classes), int)
            counts[c] = N_SAMPLE
            roots = np.full(len(self.classes), round(share * N_SAMPLE))
            frame = self.draw(counts, roots, np.random.default_rng([c, N_SAMPLE]))
            engine = self._engine(frame)
            names = list(self.fit.system.free)
            sigma = np.array([self.fit.residual[r].sigma for r in names])
            exponents = np.array([m.exponent for m in self.fit.residual.values()])
            size = sigma / engine.scale.natural_sigma(np.ones(len(names)), exponents)
            joint = self.fit.correlation.loc[names, names].to_numpy() * np.outer(size, size)
            state = engine.likelihood.state(self.theta, joint)
            found.append(mean_information(engine.likelihood, state, joint) / N_SAMPLE)
        return np.array(found)


def _check_pilot(fit) -> None:
    problems = []
    if fit.method not in ("nsur", "wls"):
        problems.append(
            tr(f"method {fit.method!r}; expected nsur or wls", f"方法 {fit.method!r}；应为 nsur 或 wls")
        )
    odd = [f"{r} {m.spec}" for r, m in fit.residual.items() if m.ident or m.variance.family == "t"]
    if odd:
        shown = ", ".join(odd)
        problems.append(
            tr(
                f"residuals {shown}; expected one normal, lognormal or gamma spread for all groups",
                f"残差形式 {shown}；应为全部样木统一的正态、对数正态或 gamma 残差",
            )
        )
    other = [x for x in fit.system.predictors if x not in ("dbh", "height")]
    if other or "dbh" not in fit.system.predictors:
        found = ", ".join(fit.system.predictors)
        problems.append(
            tr(
                f"predictors {found}; expected dbh, or dbh and height",
                f"自变量 {found}；应为 dbh，或 dbh 与 height",
            )
        )
    if fit.system.groups:
        problems.append(tr("parameters vary by group", "参数随组变化"))
    if problems:
        raise DataError(tr("pilot fit: ", "预备模型：") + listing(problems))


def _height_curve(fit):
    """Slope, intercept and scatter of ln(height) on ln(dbh), as in the trees or from the ends of the range."""
    if "height" not in fit.system.predictors:
        return None
    return fit.line_on("dbh", "height", fit.data) or (
        *prediction.from_end_to_end(fit, "dbh", "height"),
        HEIGHT_SCATTER,
    )


# The plan of a sample of trees.

#: Fewest trees that the optimal allocation leaves in a class.
FEWEST = 3
#: Sizes of a class that are tried at the most.
LARGEST = 200
N_STEP = 2000


@dataclass(frozen=True)
class Cost:
    """Cost of felling and measuring a tree: ``tree + per_cm · dbh``, and ``root`` more for its roots."""

    tree: float = 1.0
    per_cm: float = 0.0
    root: float = 0.0

    def of(self, dbh: ArrayLike) -> np.ndarray:
        """Cost of a tree of a diameter, without its roots."""
        return self.tree + self.per_cm * np.asarray(dbh, float)


@dataclass(frozen=True)
class TreePlan:
    """A plan: ``classes`` (limits, trees, roots, cost, optimal allocation), ``precision`` by response.

    ``precision`` holds for each response the mean prediction error of the planned sample (median and the
    quantile at the assurance), ``error`` the 95 % quantile of the relative error of the refitted curve by
    class; both in percent.
    """

    classes: pd.DataFrame
    precision: pd.DataFrame
    error: pd.DataFrame
    target: float
    assurance: float
    reached: bool

    @property
    def n_tree(self) -> int:
        """Trees to fell."""
        return int(self.classes["n_tree"].sum())

    @property
    def cost(self) -> float:
        """Cost of the plan with equal classes."""
        return float(self.classes["cost"].sum())


def tree_plan(
    fit: FitResult,
    target: float = 5.0,
    response: str | None = None,
    design: str = "ten_classes",
    assurance: float = 0.9,
    root_share: float = 1 / 3,
    root_target: float | None = None,
    cost: Cost = Cost(),
    n_sim: int = 100,
    seed: int = 0,
    tell: Callable[[str], None] | None = None,
) -> TreePlan:
    """Plan a sample of trees.

    Parameters
    ----------
    fit : FitResult
        Pilot, see :class:`Sampler`.
    target : float
        Mean prediction error of ``response`` to be met, percent.
    response : str, optional
        ``agb`` when the system has it, else the first response.
    design : str
        Classes, from ``data/rules/sampling_design.csv``; those outside the pilot's range are left out.
    assurance : float
        Share of samples that must meet the target.
    root_share : float
        Part of the trees of a class whose roots are dug, to begin with.
    root_target : float, optional
        Mean prediction error of the roots to be met as well; the share is raised until it is.
    cost : Cost
    n_sim : int
        Simulated samples for every size that is tried.
    seed : int
    tell : callable, optional
        Called with a line of progress for every size.

    Returns
    -------
    plan : TreePlan

    Raises
    ------
    DataError
        The pilot cannot be planned with, or options out of range.

    Examples
    --------
    >>> plan = sl.tree_plan(fit, target=5.0, n_sim=20)
    >>> plan.reached
    True
    """
    sampler = Sampler(fit, design)
    response = response or ("agb" if "agb" in fit.system.responses else fit.system.responses[0])
    _check(fit, response, target, assurance, root_share)
    search = _Search(sampler, assurance, n_sim, seed, tell or (lambda line: None))
    size = search.smallest(response, target, lambda n: (n, _dug(n, root_share)))
    roots = _dug(size, root_share)
    dug = sampler.dug[0] if sampler.dug else None
    if dug and root_target:
        roots = search.smallest(dug, root_target, lambda m: (max(size, m), m), start=roots)
        size = max(size, roots)
    mpe, error = search.judged(size, roots if dug else 0)
    classes = _classes(sampler, size, roots if dug else 0, cost, response)
    reached = search.met(response, target, size, roots if dug else 0)
    if dug and root_target:
        reached = reached and search.met(dug, root_target, size, roots)
    return TreePlan(classes, *_tables(sampler, mpe, error, assurance), target, assurance, reached)


def _check(fit, response, target, assurance, root_share) -> None:
    if response not in fit.system.responses:
        known = ", ".join(fit.system.responses)
        raise DataError(
            f"no response {response!r}; there are: {known}", f"没有因变量 {response!r}；现有：{known}"
        )
    if not (target > 0 and 0 < assurance < 1 and 0 < root_share <= 1):
        raise DataError(
            f"target {target:g} %, assurance {assurance:g}, share of roots {root_share:g}; expected a target above 0 "
            "and shares between 0 and 1",
            f"目标 {target:g} %、保证率 {assurance:g}、根系比例 {root_share:g}；目标应大于 0，比例应在 0 与 1 之间",
        )


def _dug(size, share) -> int:
    return max(1, round(share * size))


class _Search:
    """The smallest class size that meets a target; sizes are judged once."""

    def __init__(self, sampler, assurance, n_sim, seed, tell):
        self.sampler, self.assurance, self.n_sim, self.seed, self.tell = sampler, assurance, n_sim, seed, tell
        self._known = {}

    def judged(self, size, roots):
        if (size, roots) not in self._known:
            count = len(self.sampler.classes)
            self.tell(
                tr(
                    f"{self.n_sim} samples of {size} × {count} trees, roots of {roots} × {count} …",
                    f"模拟 {self.n_sim} 个样本：每径阶 {size} 株 × {count} 个径阶，挖根每径阶 {roots} 株…",
                )
            )
            arguments = np.full(count, size), np.full(count, roots)
            self._known[size, roots] = self.sampler.judge(*arguments, self.n_sim, self.seed)
        return self._known[size, roots]

    def met(self, response, target, size, roots) -> bool:
        mpe = self.judged(size, roots)[0][:, self.sampler.fit.system.responses.index(response)]
        # A sample that cannot be fitted does not meet any target.
        return bool(
            np.quantile(np.where(np.isnan(mpe), np.inf, mpe), self.assurance, method="higher") <= target
        )

    def smallest(self, response, target, sizes, start=None) -> int:
        """The smallest class size that meets the target, :data:`LARGEST` when none does."""
        parameters = len(self.sampler.fit.values)
        low = max(2, -(-2 * parameters // len(self.sampler.classes))) if start is None else start
        return _smallest(lambda n: self.met(response, target, *sizes(n)), low, LARGEST)


def _smallest(met, low: int, most: float) -> int:
    """Smallest whole number from ``low`` on that is met: doubled until it is, the bracket then halved."""
    if met(low):
        return low
    high = low
    while high < most:
        low, high = high, int(min(2 * high, most))
        if met(high):
            break
    else:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if met(middle) else (middle, high)
    return high


def _classes(sampler, size, roots, cost, response) -> pd.DataFrame:
    frame = sampler.classes[["class_label", "dbh_min", "dbh_max"]].assign(n_tree=size, n_root=roots)
    middle = sampler.middles
    each = cost.of(middle["dbh"]) + cost.root * roots / size
    optimal = optimal_allocation(sampler, np.full(len(frame), size), each, response, roots / size)
    frame["height"] = middle["height"].to_numpy() if "height" in middle else np.nan
    frame["cost"] = size * each
    frame["n_optimal"] = optimal
    frame["cost_optimal"] = optimal * each
    return frame


def optimal_allocation(sampler, counts, each, response, root_share) -> np.ndarray:
    """Cheapest class sizes with the average precision of given ones, at least :data:`FEWEST` each.

    Parameters
    ----------
    counts : array of int, shape (n_class,)
        Sizes whose precision is to be kept.
    each : array, shape (n_class,)
        Cost of a tree of each class.
    response : str
        What is to be precise: the average over the classes of its relative variance.
    root_share : float

    Returns
    -------
    sizes : array of int, shape (n_class,)
    """
    information = sampler.class_information(root_share)
    size = np.sqrt(np.diag(np.tensordot(counts, information, axes=1)))
    information = information / np.outer(size, size)
    middles, names = sampler.middles, (response,)
    layout, values = sampler.fit.layout, sampler.fit.values
    mean, slope = layout.at(middles, names, len(middles)).mean_and_jacobian(values)
    relative = slope[:, 0] / mean[:, :1] / size
    wanted = relative.T @ relative / len(middles)

    def spread(sizes):
        return float(np.trace(np.linalg.solve(np.tensordot(sizes, information, axes=1), wanted)))

    budget = (counts * each).sum()
    share = np.full(len(counts), 1 / len(counts))
    for _ in range(N_STEP):
        inverse = np.linalg.inv(np.tensordot(share * budget / each, information, axes=1))
        gain = np.einsum("ij,cji->c", inverse @ wanted @ inverse, information) / each
        share = share * np.sqrt(gain)
        share /= share.sum()
    sizes = share * budget / each
    # Precision grows in proportion to the sample: shrink it to that of the given sizes.
    sizes = np.maximum(np.ceil(sizes * spread(sizes) / spread(counts.astype(float))), FEWEST)
    return sizes.astype(int)


def _tables(sampler, mpe, error, assurance):
    responses = list(sampler.fit.system.responses)
    precision = pd.DataFrame(
        {"mpe_median": np.nanmedian(mpe, axis=0), "mpe_assured": np.nanquantile(mpe, assurance, axis=0)},
        index=pd.Index(responses, name="response"),
    )
    worst = np.nanquantile(np.abs(error), 0.95, axis=0)
    labels = sampler.classes["class_label"].astype(str)
    return precision, pd.DataFrame(worst, index=precision.index, columns=labels)


# The field sheet.

STYLE = """
@page { size: A4 landscape; margin: 12mm }
body { font-family: "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", sans-serif; font-size: 11px }
h1 { font-size: 16px; margin: 0 0 4px } p { margin: 0 0 8px }
table { border-collapse: collapse; width: 100% } thead { display: table-header-group }
th, td { border: 1px solid #444; padding: 3px 4px; text-align: center } td.blank { min-width: 46px; height: 18px }
tr { break-inside: avoid } tr.root td.mark { font-weight: bold }
"""


def tree_list(plan: TreePlan) -> pd.DataFrame:
    """One row for each tree of a plan: number, class, limits of dbh, height grade, whether roots are dug.

    Height grades are spread evenly over the trees of a class, and roots over the grades.
    """
    grades = (tr("low", "低"), tr("middle", "中"), tr("high", "高"))
    rows = []
    for _, row in plan.classes.iterrows():
        count, dug = int(row["n_tree"]), int(row["n_root"])
        for i in range(count):
            # The i-th tree has roots when the running share of dug trees passes a whole number.
            rooted = (i + 1) * dug // count > i * dug // count
            low_high = f"{row['dbh_min']:g}–{row['dbh_max']:g}"
            rows.append((row["class_label"], low_high, grades[i % 3], rooted))
    frame = pd.DataFrame(rows, columns=["class", "dbh_range", "height_grade", "root"])
    frame.insert(0, "number", range(1, len(frame) + 1))
    return frame


def field_sheet(plan: TreePlan, title: str, measured: Sequence[str]) -> str:
    """HTML page to print.

    Parameters
    ----------
    plan : TreePlan
    title : str
    measured : sequence of str
        Headers of the columns to fill in.
    """
    fixed = tr("no.|class|dbh/cm|height grade|roots", "编号|径阶|胸径范围/cm|树高级|挖根").split("|")
    blanks = tr("plot|dbh/cm|height/m", "样地|实测胸径/cm|树高/m").split("|")
    blanks += [*measured, tr("remarks", "备注")]
    head = "".join(f"<th>{html.escape(text)}</th>" for text in (*fixed, *blanks))
    empty, body = '<td class="blank"></td>' * len(blanks), []
    for *cells, root in tree_list(plan).itertuples(index=False):
        line = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells)
        line += f'<td class="mark">{"●" if root else ""}</td>{empty}'
        body.append(f"<tr{' class=root' if root else ''}>{line}</tr>")
    note = tr(
        f"{plan.n_tree} trees, roots of {int(plan.classes['n_root'].sum())} (●)",
        f"共 {plan.n_tree} 株，挖根 {int(plan.classes['n_root'].sum())} 株（●）",
    )
    return (
        f'<!doctype html><html lang="{tr("en", "zh")}"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1><p>{note}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></body></html>\n"
    )


# The plan of plots.

#: Fewest plots of a stratum: one gives no variance.
FEWEST_DRAWN = 2
NEEDED = ("stratum", "area", "mean", "sd")
#: Samples that a plan of plots is judged by.
N_PLOT_SAMPLE = 2000


def effective_freedom(parts: ArrayLike, freedom: ArrayLike, design: ArrayLike | None = None) -> Any:
    r"""Degrees of freedom of a sum of independent variances that were estimated one by one.

    With estimates :math:`v_h` on :math:`f_h` degrees of freedom each,

    .. math:: \nu = \frac{(\sum v_h)^2}{\sum v_h^2 / (f_h + 2)} - 2 ,

    Satterthwaite's ratio freed of the bias that comes from squaring estimates:
    :math:`v_h^2 / (f_h + 2)` has the expectation of :math:`\sigma_h^4 / f_h`. For one stratum it is
    :math:`n - 1`; for strata that are alike about :math:`n - M`, the pooled number of A/R tool 14, which it never
    exceeds; where few plots carry most of the variance it comes down to what these can say.

    Two plots whose variance came out small by chance would hide that they carry most of the area. What the ``design`` says
    beforehand, :math:`(\sum a_h)^2 / \sum a_h^2 / f_h` for strata of one spread, is therefore an upper limit. In a stratum of
    half the area with 2 plots the interval of 95 % covers 96 instead of 90 % so. Where few plots of a small area have a
    spread ten times that of the others, which nothing but these plots can tell, it covers 86 %.

    Parameters
    ----------
    parts : array, shape (…, n_stratum)
        Variances, weighted as they are added.
    freedom : array, shape (n_stratum,)
    design : array, shape (n_stratum,), optional
        Squared weight over number of plots of each stratum.

    Returns
    -------
    freedom : array, shape (…)

    Source
    ------
    Satterthwaite F.E. (1946) An approximate distribution of estimates of variance components. Biometrics
    Bulletin 2:110-114.
    """
    parts, freedom = np.asarray(parts, float), np.asarray(freedom, float)
    total, squares = parts.sum(axis=-1) ** 2, (parts**2 / (freedom + 2)).sum(axis=-1)
    found = np.divide(total, squares, out=np.full(np.shape(total), np.inf), where=squares > 0) - 2
    most = freedom.sum()
    if design is not None:
        known = np.asarray(design, float)
        most = min(most, known.sum() ** 2 / (known**2 / freedom).sum())
    return np.clip(found, freedom.min(), most)


def plot_plan(
    strata: pd.DataFrame,
    error: float = 10.0,
    level: float = 0.9,
    plot_area: float = 0.06,
    assurance: float = 0.9,
) -> pd.DataFrame:
    """Plan plots.

    Parameters
    ----------
    strata : DataFrame
        ``stratum``, ``area`` (ha), ``mean`` and ``sd`` of a plot in any one unit per hectare, from a pilot
        or from a table; ``cost`` of a plot when it differs between strata.
    error : float
        Half-width of the interval of the mean over all strata, percent of that mean.
    level : float
        Level of the interval.
    plot_area : float
        Area of a plot, ha.
    assurance : float
        Share of samples whose half-width is to be that narrow.

    Returns
    -------
    plan : DataFrame
        The strata with ``n_plot``, and ``n_plot_proportional``: plots for the same precision when divided
        by area alone. ``attrs["half_width"]`` is what the wanted share of samples keeps, ``attrs["median"]``
        what half of them do, percent.

    Raises
    ------
    DataError
        Missing columns, values that are not positive, repeated strata; all at once.

    Examples
    --------
    >>> strata = pd.DataFrame({'stratum': ['fir', 'pine'], 'area': [800.0, 1200.0], 'mean': [90.0, 70.0], 'sd': [30.0, 28.0]})
    >>> sl.plot_plan(strata)['n_plot'].tolist()
    [21, 30]
    """
    frame = _checked(strata, error, level, plot_area, assurance)
    sample = _PlotSamples(frame, level, plot_area)
    cost = frame["cost"].to_numpy(float) if "cost" in frame else np.ones(len(frame))

    def met(counts):
        return np.quantile(sample.half_widths(counts), assurance) <= error

    best = sample.numbers(sample.weight * sample.sd / np.sqrt(cost), met)
    frame["n_plot"], frame["n_plot_proportional"] = best, sample.numbers(sample.weight, met)
    reached = sample.half_widths(best)
    frame.attrs |= {"half_width": float(np.quantile(reached, assurance)), "median": float(np.median(reached))}
    return frame


class _PlotSamples:
    """What samples of plots would find: normal plots about the means of the strata, the same numbers for all plans."""

    def __init__(self, frame, level, plot_area):
        self.weight = (frame["area"] / frame["area"].sum()).to_numpy()
        self.sd, self.level = frame["sd"].to_numpy(float), level
        self.mean = float(self.weight @ frame["mean"])
        self.room = np.maximum(np.floor(frame["area"].to_numpy() / plot_area), FEWEST_DRAWN)
        rng = np.random.default_rng(0)
        self.normal, self.uniform = (
            rng.standard_normal(N_PLOT_SAMPLE),
            rng.random((N_PLOT_SAMPLE, len(frame))),
        )

    def half_widths(self, counts) -> np.ndarray:
        """Half-widths of the samples, percent of the mean that each finds."""
        variance = self.weight**2 * self.sd**2 / counts * (1 - counts / self.room)
        found = variance * stats.chi2.ppf(self.uniform, counts - 1) / (counts - 1)
        freedom = effective_freedom(found, counts - 1, self.weight**2 / counts)
        t = stats.t.ppf(0.5 + self.level / 2, freedom)
        mean = self.mean + np.sqrt(variance.sum()) * self.normal
        return np.where(mean > 0, 100 * t * np.sqrt(found.sum(axis=1)) / np.abs(mean), np.inf)

    def numbers(self, share, met) -> np.ndarray:
        """Plots by stratum in proportion to ``share``: the smallest total whose counts are ``met``."""
        share = share / share.sum()

        def divided(total):
            return np.clip(np.ceil(total * share - 1e-9), FEWEST_DRAWN, self.room).astype(int)

        def enough(total):
            counts = divided(total)
            return met(counts) or not (counts < self.room).any()

        return divided(_smallest(enough, FEWEST_DRAWN * len(share), np.inf))


def _checked(strata, error, level, plot_area, assurance) -> pd.DataFrame:
    frame = pd.DataFrame(strata).reset_index(drop=True)
    require_known(NEEDED, frame, place=tr("strata", "分层"))
    problems = Notes()
    for column in [c for c in ("area", "mean", "sd", "cost") if c in frame]:
        values = pd.to_numeric(frame[column], errors="coerce")
        for i in np.flatnonzero(~(values > 0)):
            problems.add(
                f"record {i + 1}: {column} = {frame[column][i]}; expected a number above 0",
                f"第 {i + 1} 条记录：{column} = {frame[column][i]}；应为大于 0 的数",
            )
        frame[column] = values
    for name in frame["stratum"][frame["stratum"].duplicated()].unique():
        problems.add(f"stratum {name} stands twice", f"层 {name} 重复")
    if not (error > 0 and 0 < level < 1 and plot_area > 0 and 0 < assurance < 1):
        problems.add(
            f"error {error:g} %, level {level:g}, assurance {assurance:g}, plot {plot_area:g} ha; expected numbers "
            "above 0, level and assurance below 1",
            f"误差 {error:g} %、置信水平 {level:g}、保证率 {assurance:g}、样地 {plot_area:g} 公顷；应为正数，置信水平和保证率小于 1",
        )
    if problems:
        raise DataError(listing(problems))
    return frame
