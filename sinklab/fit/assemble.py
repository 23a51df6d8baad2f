"""Put what an engine found into the one result type."""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from sinklab import indices, provenance
from sinklab.equations.groups import Layout
from sinklab.equations.parts import own_parameters, parameters_of
from sinklab.fit.log_linear import correction_factor, joint_covariance
from sinklab.language import tr
from sinklab.results import FitResult, ResidualModel


def from_state(prepared, engine, state, certificate, method, level, seed) -> FitResult:
    """Result of ``wls`` and ``nsur`` from the maximum of the likelihood."""
    system = prepared.system
    covariance, sigma, correlation = engine.covariance(state)
    beta, exponents = engine.estimates(state)
    natural = engine.scale.natural_sigma(sigma, exponents)
    freedom = engine.freedom()
    residual = {}
    for j, response in enumerate(engine.free):
        f = engine.functions[response]
        residual[response] = ResidualModel(
            response, f.kind, float(natural[j]), f.by, float(exponents[j]), not f.estimated, float(freedom[j])
        )
    warnings = [*prepared.warnings, *engine.notes, *_on_limits(engine, beta), *_unpaired(engine)]
    if not certificate["converged"]:
        warnings.append(not_converged(certificate))
    logliks = {r: _marginal_loglik(state, engine, j) for j, r in enumerate(engine.free)}
    return assembled(
        prepared,
        method=method,
        values=beta,
        covariance=covariance,
        freedom=freedom_by_parameter(engine.layout, dict(zip(engine.free, freedom, strict=True))),
        residual=residual,
        correlation=correlation,
        loglik=state.loglik + float(engine.log_jacobian().sum()),
        logliks=logliks,
        correction=dict.fromkeys(system.free, 1.0),
        correction_kind="none",
        certificate=certificate,
        warnings=warnings,
        level=level,
        seed=seed,
    )


def from_lines(prepared, lines, correction, level, seed) -> FitResult:
    """Result of ``ols-log``; coefficients are reported on the natural scale of the equation."""
    system, frame = prepared.system, prepared.frame
    log_covariance, correlation = joint_covariance(lines)
    names = [n for line in lines for n in line.names]
    on_log = np.concatenate([line.on_log for line in lines])
    raw = np.concatenate([line.values for line in lines])
    values = np.where(on_log, np.exp(raw), raw)
    scale = np.where(on_log, values, 1.0)
    order = [names.index(p) for p in system.parameters]
    covariance = (log_covariance * np.outer(scale, scale))[np.ix_(order, order)]
    residual = {
        line.response: ResidualModel(line.response, "lognormal", line.sigma, freedom=float(line.freedom))
        for line in lines
    }
    median = system.mean(values[order], frame)
    factors = {
        line.response: correction_factor(
            correction, line, frame[line.response].to_numpy(float), median[line.response]
        )
        for line in lines
    }
    certificate = {
        "steps": 1,
        "decrement": 0.0,
        "rank": len(names),
        "n_parameter": len(names),
        "converged": True,
    }
    return assembled(
        prepared,
        method="ols-log",
        values=values[order],
        covariance=covariance,
        freedom=freedom_by_parameter(
            Layout.of(system, frame), {line.response: line.freedom for line in lines}
        ),
        residual=residual,
        correlation=correlation,
        loglik=sum(line.loglik for line in lines),
        logliks={line.response: line.loglik for line in lines},
        correction=factors,
        correction_kind=correction,
        certificate=certificate,
        warnings=list(prepared.warnings),
        level=level,
        seed=seed,
        on_log=on_log[order],
    )


def assembled(prepared, *, values, covariance, freedom, logliks, level, on_log=None, **known) -> FitResult:
    """Result from estimates and everything else that an engine knows, with intervals and indices.

    Parameters
    ----------
    prepared : Prepared
    values, freedom : array, shape (k,)
        Estimates and their degrees of freedom.
    covariance : array, shape (k, k)
    logliks : dict
        Log-likelihood of single equations, for their information criteria.
    level : float
    on_log : array of bool, optional
        Parameters that were estimated as logarithms.
    **known
        Other fields of :class:`~sinklab.results.FitResult`; ``correlation`` as an array.
    """
    system, frame = prepared.system, prepared.frame
    se = np.sqrt(np.clip(np.diag(covariance), 0, None))
    half = stats.t.ppf(0.5 + level / 2, freedom) * se
    lower, upper = values - half, values + half
    if on_log is not None:
        # The interval of a coefficient estimated as a logarithm is symmetric there.
        ratio = np.exp(half[on_log] / values[on_log])
        lower[on_log], upper[on_log] = values[on_log] / ratio, values[on_log] * ratio
    layout = Layout.of(system, frame)
    labels = layout.labels
    parameters = pd.DataFrame(
        {
            "name": layout.names,
            "group": layout.groups,
            "value": values,
            "se": se,
            "lower": lower,
            "upper": upper,
        }
    )
    certificate, warnings = known.pop("certificate"), known.pop("warnings")
    result = FitResult(
        system=system,
        parameters=parameters,
        covariance=pd.DataFrame(covariance, index=labels, columns=labels),
        correlation=pd.DataFrame(
            known.pop("correlation"), index=list(system.free), columns=list(system.free)
        ),
        n={r: int(frame[r].notna().sum()) for r in system.responses if r in frame},
        ranges={x: (float(frame[x].min()), float(frame[x].max())) for x in system.predictors},
        index_table=pd.DataFrame(),
        converged=certificate["converged"],
        certificate=certificate,
        warnings=tuple(warnings),
        versions=provenance.versions(),
        source={"fingerprint": provenance.fingerprint(_used(system, frame))},
        data=frame,
        level=level,
        **known,
    )
    return _with_indices(result, logliks)


def _used(system, frame) -> pd.DataFrame:
    groups = dict.fromkeys(system.groups.values())
    return frame[[*system.predictors, *groups, *(r for r in system.responses if r in frame)]]


def _with_indices(result, logliks) -> FitResult:
    rows = {}
    for response, part in result.fitted().groupby("response", sort=False):
        p = result.layout.count(parameters_of(result.system, response))
        row = indices.evaluate(part["observed"], part["predicted"], p)
        row |= {"AIC": np.nan, "BIC": np.nan}
        if response in logliks:
            k = p + 1 + (not result.residual[response].fixed)
            row["AIC"] = indices.aic(logliks[response], k)
            row["BIC"] = indices.bic(logliks[response], k, row["n"])
        rows[response] = row
    return replace(result, index_table=pd.DataFrame.from_dict(rows, orient="index").rename_axis("response"))


def freedom_by_parameter(layout, freedom) -> np.ndarray:
    """Degrees of freedom for each value: those of the equation its parameter stands in first."""
    owner = {p: r for r in layout.system.free for p in own_parameters(layout.system, r)}
    return np.array([max(freedom[owner[name]], 1) for name in layout.names], float)


def _marginal_loglik(state, engine, j) -> float:
    """Log-likelihood of one equation by itself, at the system's estimates."""
    seen = engine.likelihood.observed[:, j]
    log_sd = state.log_g[seen, j] + 0.5 * np.log(state.sigma[j, j])
    u = state.u[seen, j]
    loglik = -(0.5 * np.log(2 * np.pi) + log_sd + 0.5 * u**2 / state.sigma[j, j]).sum()
    return float(loglik + engine.log_jacobian()[j])


def _on_limits(engine, beta) -> list[str]:
    """Warn of parameters that ended on a limit that was set for them."""
    names = [
        label for label, on in zip(engine.layout.labels, engine.bounds.on_limit(beta), strict=True) if on
    ]
    if not names:
        return []
    shown = ", ".join(names)
    return [
        tr(
            f"{shown} ended on its limit; the standard error there says nothing",
            f"{shown} 落在设定的界限上；其标准误没有意义",
        )
    ]


def _unpaired(engine) -> list[str]:
    """Warn of equations that no tree has together: their correlation cannot be estimated."""
    if not engine.correlated:
        return []
    together = engine.likelihood.observed.T.astype(int) @ engine.likelihood.observed
    pairs = [
        f"{engine.free[i]}–{engine.free[j]}"
        for i in range(len(engine.free))
        for j in range(i + 1, len(engine.free))
        if together[i, j] == 0
    ]
    if not pairs:
        return []
    return [
        tr(
            f"no tree has both components of {', '.join(pairs)}; their correlation is not estimated",
            f"没有样木同时测定 {'、'.join(pairs)}；其残差相关未估计",
        )
    ]


def not_converged(certificate) -> str:
    """What to say of a fit whose certificate fails."""
    if certificate["rank"] < certificate["n_parameter"]:
        return tr(
            f"not converged: the data determine {certificate['rank']} of {certificate['n_parameter']} parameters; "
            "use a simpler equation",
            f"未收敛：数据只能确定 {certificate['n_parameter']} 个参数中的 {certificate['rank']} 个；请简化方程",
        )
    return tr(
        f"not converged after {certificate['steps']} steps; give other starts or a simpler equation",
        f"{certificate['steps']} 步后仍未收敛；请另给初值或简化方程",
    )
