"""Refit a result to other rows or other responses, quickly: from the estimates, without a certificate."""

import numpy as np
import pandas as pd

from sinklab.equations.parts import complete
from sinklab.errors import DataError
from sinklab.fit.log_linear import correction_factor, fit_line
from sinklab.fit.system import SystemFit
from sinklab.fit.variance import parse_variance
from sinklab.language import tr


class Refitter:
    """Everything that a refit needs, taken from a result with its data.

    Parameters
    ----------
    fit : FitResult
        Of ``wls``, ``nsur`` or ``ols-log``.

    Raises
    ------
    DataError
        The result holds no data, or its method cannot be refitted here.
    """

    def __init__(self, fit):
        if fit.data is None or fit.method not in ("wls", "nsur", "ols-log"):
            raise DataError(
                tr(
                    f"cannot refit a result of method {fit.method!r} (with data: {fit.data is not None})",
                    f"无法重新拟合方法为 {fit.method!r} 的结果（含数据：{fit.data is not None}）",
                )
            )
        self.system, self.method, self.frame = fit.system, fit.method, fit.data
        self.values, self.layout, self.n = fit.values, fit.layout, len(fit.data)
        self.residual, self.correction_kind = fit.residual, fit.correction_kind
        self.correlation = fit.correlation.to_numpy()
        self.hold = fit.certificate.get("estimator") == "gls"
        self.bounds = fit.certificate.get("bounds")
        self.mean = fit.predict(fit.data)[list(fit.system.free)]
        if self.method == "ols-log":
            self.mean = self.mean / pd.Series(fit.correction)
        else:
            self._prepare_system(fit)

    def _prepare_system(self, fit):
        spec = {r: m.spec for r, m in fit.residual.items()}
        self.functions = parse_variance(spec, fit.system.free, fit.system.predictors)
        engine = self._engine(self.frame)
        self.theta = np.concatenate(
            [
                self.values,
                [
                    m.exponent
                    for m, free in zip(fit.residual.values(), engine.scale.free, strict=True)
                    if free
                ],
            ]
        )

    def _engine(self, frame):
        correlated = self.method == "nsur"
        return SystemFit(self.system, frame, self.functions, correlated, self.hold, self.bounds)

    def simulate(self, rng) -> pd.DataFrame:
        """New responses drawn from the fitted model, missing where they were missing."""
        normal = rng.multivariate_normal(np.zeros(len(self.correlation)), self.correlation, self.n)
        whole = {}
        for j, (response, model) in enumerate(self.residual.items()):
            mean = self.mean[response].to_numpy()
            if model.kind == "lognormal":
                # The mean of a system is one; the line of ols-log is a median.
                shift = 0.0 if self.method == "ols-log" else model.sigma**2 / 2
                values = mean * np.exp(model.sigma * normal[:, j] - shift)
            else:
                values = mean + model.sd(mean, self.frame) * normal[:, j]
            whole[response] = np.asarray(values)
        columns = {c: self.frame[c].to_numpy(float) for c in self.system.predictors}
        whole = complete(self.system, whole, columns)
        drawn = {r: np.where(self.frame[r].notna(), v, np.nan) for r, v in whole.items() if r in self.frame}
        return pd.DataFrame(drawn, index=self.frame.index)

    def estimate(self, rows, responses=None) -> np.ndarray:
        """Estimates on chosen rows, or on new responses; NaN where the refit fails."""
        return self.refit(rows, responses)[0]

    def refit(self, rows, responses=None) -> tuple[np.ndarray, np.ndarray]:
        """Estimates, and the factor that each free response's mean is multiplied by."""
        frame = self.frame if responses is None else self.frame.assign(**responses)
        frame = frame.iloc[rows].reset_index(drop=True)
        try:
            return self._log_lines(frame) if self.method == "ols-log" else self._system(frame)
        except (np.linalg.LinAlgError, DataError, ValueError):
            return self._nothing()

    def _nothing(self):
        return np.full(len(self.values), np.nan), np.ones(len(self.system.free))

    def _system(self, frame):
        engine = self._engine(frame)
        if engine.layout.labels != self.layout.labels:
            # A resample without one of the groups says nothing of its coefficient.
            return self._nothing()
        state = engine.resume(self.theta)
        if state is None:
            return self._nothing()
        return engine.estimates(state)[0], np.ones(len(self.system.free))

    def _log_lines(self, frame):
        lines = [fit_line(self.system, response, frame) for response in self.system.free]
        found = {}
        for line in lines:
            found |= dict(
                zip(line.names, np.where(line.on_log, np.exp(line.values), line.values), strict=True)
            )
        values = np.array([found[p] for p in self.system.parameters])
        median = self.system.mean(values, frame)
        factors = [
            correction_factor(self.correction_kind, line, frame[r].to_numpy(float), median[r])
            for line, r in zip(lines, self.system.free, strict=True)
        ]
        return values, np.array(factors)
