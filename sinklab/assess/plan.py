r"""How many trees to fell, in which diameter classes, and how many roots to dig.

*What it does.* A pilot fit (own trees, another region, a pooled equation) says how masses vary. Samples
of a design are drawn from it, fitted again, and judged by the mean prediction error of the Chinese
standards,

.. math:: MPE = 100\, t_{0.05}\, (SEE / \bar y) / \sqrt n ,

and by how far the refitted curve lies from the true one in each class. The plan is the smallest number
of trees in every class for which the wanted share of samples (``assurance``) meets the target.

*Allocation.* Classes of equal size are what the standards ask for. The cheapest allocation of the same
average precision over the classes (an I-optimal design, found by multiplicative steps on the expected
information) is printed beside it; some trees stay in every class, because an optimal design trusts the
form of the equation.

*When.* Before the field season; again after the first trees, with them as pilot.

Source
------
Pukelsheim F. (2006) Optimal Design of Experiments. SIAM, chapter 9. The class lists and their status
are in ``data/rules/sampling_design.csv``.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sinklab.assess.sampler import Sampler
from sinklab.errors import DataError
from sinklab.language import tr

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

    def of(self, dbh):
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
    fit,
    target: float = 5.0,
    response: str | None = None,
    design: str = "ten_classes",
    assurance: float = 0.9,
    root_share: float = 1 / 3,
    root_target: float | None = None,
    cost: Cost = Cost(),
    n_sim: int = 100,
    seed: int = 0,
    tell=None,
) -> TreePlan:
    """Plan a sample of trees.

    Parameters
    ----------
    fit : FitResult
        Pilot, see :class:`~sinklab.assess.sampler.Sampler`.
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
            tr(f"no response {response!r}; there are: {known}", f"没有因变量 {response!r}；现有：{known}")
        )
    if not (target > 0 and 0 < assurance < 1 and 0 < root_share <= 1):
        raise DataError(
            tr(
                f"target {target:g} %, assurance {assurance:g}, share of roots {root_share:g}; expected a target above 0 "
                "and shares between 0 and 1",
                f"目标 {target:g} %、保证率 {assurance:g}、根系比例 {root_share:g}；目标应大于 0，比例应在 0 与 1 之间",
            )
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
        """Double from a start until the target is met, then halve the bracket."""
        parameters = len(self.sampler.fit.values)
        low = max(2, -(-2 * parameters // len(self.sampler.classes))) if start is None else start
        if self.met(response, target, *sizes(low)):
            return low
        high = low
        while high < LARGEST:
            low, high = high, min(2 * high, LARGEST)
            if self.met(response, target, *sizes(high)):
                break
        else:
            return LARGEST
        while high - low > 1:
            middle = (low + high) // 2
            if self.met(response, target, *sizes(middle)):
                high = middle
            else:
                low = middle
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
