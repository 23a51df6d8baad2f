"""Samples of a design drawn from a pilot fit, and fitted again."""

import numpy as np
import pandas as pd

from sinklab import indices
from sinklab.equations.parts import complete, parameters_of
from sinklab.errors import DataError, listing
from sinklab.fit.moments import mean_information
from sinklab.fit.system import SystemFit
from sinklab.fit.variance import parse_variance
from sinklab.language import tr
from sinklab.studies.simulate import design as design_classes

#: Trees of a class from which its expected information is worked out.
N_SAMPLE = 60
#: Scatter of the logarithm of height about its curve when the pilot has no trees.
HEIGHT_SCATTER = 0.1


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

    def __init__(self, fit, design: str = "ten_classes", dug=("root", "bgb")):
        _check_pilot(fit)
        classes = design_classes(design)
        if classes.empty:
            raise DataError(
                tr(f"no design {design!r} in data/rules/sampling_design.csv", f"抽样设计中没有 {design!r}")
            )
        low, high = fit.ranges["dbh"]
        inside = (classes["dbh_max"] > low) & (classes["dbh_min"] < high)
        self.outside = int((~inside).sum())
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
            if model.kind == "lognormal":
                frame[name] = mean * np.exp(model.sigma * normal[:, j] - model.sigma**2 / 2)
            else:
                # A mass is never negative; the rare draw below zero becomes a small one.
                frame[name] = np.maximum(mean + model.sd(mean, frame) * normal[:, j], 0.01 * mean)
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
            seen = complete(self.fit.system, {r: frame[r].to_numpy() for r in self.fit.system.free}, frame)
            told = self._means(values, frame)
            for j, response in enumerate(responses):
                error[i, j] = 100 * (found[response] / truth[response] - 1)
                known = np.isfinite(seen[response])
                p = self.fit.layout.count(parameters_of(self.fit.system, response))
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
    """Slope, intercept and scatter of ln(height) on ln(dbh), from the trees or from the ends of the range."""
    if "height" not in fit.system.predictors:
        return None
    if fit.data is not None:
        x, y = np.log(fit.data["dbh"].to_numpy(float)), np.log(fit.data["height"].to_numpy(float))
        slope, intercept = np.polyfit(x, y, 1)
        return slope, intercept, float(np.std(y - intercept - slope * x, ddof=2))
    (low, high), (bottom, top) = fit.ranges["dbh"], fit.ranges["height"]
    slope = np.log(top / bottom) / np.log(high / low)
    return slope, np.log(bottom) - slope * np.log(low), HEIGHT_SCATTER
