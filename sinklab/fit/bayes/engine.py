"""From prepared data to a result: priors, normal approximation, sampling, checks."""

from dataclasses import replace

import numpy as np
import pandas as pd

from sinklab import provenance
from sinklab.equations.parts import own_parameters
from sinklab.errors import DataError
from sinklab.fit.assemble import _used, _with_indices
from sinklab.fit.bayes import checks
from sinklab.fit.bayes import priors as prior_rules
from sinklab.fit.bayes.approximate import approximate
from sinklab.fit.bayes.compare_data import compare_data
from sinklab.fit.bayes.density import log_likelihood
from sinklab.fit.bayes.draws import coefficient_draws, flat, group_draws, members, other_draws, residual_draws
from sinklab.fit.bayes.model import Builder
from sinklab.fit.bayes.result import BayesResult, parameter_table, posterior_table, shrinkage_table
from sinklab.fit.bayes.spec import read_spec
from sinklab.fit.bayes.wanted import wanted_priors
from sinklab.fit.start import start_values
from sinklab.language import tr
from sinklab.results import ResidualModel

#: Acceptance rates at which a model is sampled again whose trajectories diverged.
RAISED = (0.95, 0.99)


def fit_bayes(
    prepared,
    variance="lognormal",
    pool=None,
    priors=None,
    measurement_error=None,
    correlated: bool = True,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    accept: float = 0.8,
    level: float = 0.95,
    seed: int = 0,
) -> BayesResult:
    """Sample the posterior of a system; see :mod:`sinklab.fit.bayes`.

    Parameters
    ----------
    prepared : Prepared
        From :func:`sinklab.fit.prepare.prepare`.
    variance : str or mapping
        As for the other methods, ``lognormal`` among them; mixed systems may have both.
    pool : {"correlated", "independent", "none"} or mapping from group column, optional
        How ``a[species]`` is treated: partially pooled, with correlated deviations of the coefficients
        (default) or independent ones; or ``none``, every level with a prior of its own.
    priors : mapping or DataFrame, optional
        Stated priors, see :mod:`.priors`; the rest is built by rule, and all are told in the result.
    measurement_error : mapping, optional
        Standard deviation of the measurement of a predictor, in its unit: a number, an array, or the name of
        a column. The true values become unknowns.
    correlated : bool
        Estimate the residual correlation of the components.
    draws, tune, chains : int
        Draws kept and spent on tuning, for each chain.
    cores : int, optional
        Chains run at the same time; it does not change the draws.
    accept : float
        Acceptance rate that the step size is tuned to; higher is slower and diverges less. Draws with
        divergences are thrown away and sampled again at 0.95 and, if need be, 0.99, with the same seed.
    level : float
        Level of the equal-tailed intervals.
    seed : int

    Returns
    -------
    result : BayesResult

    Raises
    ------
    DataError, ConvergenceError
    """
    _check_numbers(draws, tune, chains, accept)
    spec = read_spec(prepared, variance, pool, measurement_error, correlated)
    stated, near = _priors(spec, prepared.frame, priors, seed)
    builder = Builder(spec, stated, near)
    posterior, statistics, told = _sample(builder, draws, tune, chains, cores, seed, accept)
    result = _result(prepared, builder, stated, posterior, statistics, level, seed)
    result = replace(result, warnings=(*_told(told), *result.warnings))
    result.certificate["sampled"] = told
    # What a later recomputation needs beside the priors; arrays of measurement errors stay with the data.
    named = {x: e for x, e in (measurement_error or {}).items() if isinstance(e, (int, float, str))}
    options = {"pool": pool, "correlated": correlated, "tune": tune, "accept": accept}
    if len(named) == len(measurement_error or {}):
        options["measurement_error"] = named or None
        result = replace(result, certificate=result.certificate | {"options": options})
    return result


def _sample(builder, draws, tune, chains, cores, seed, accept):
    """Sample, with smaller steps if a trajectory diverged; tells of every attempt."""
    from sinklab.fit.bayes.sample import sample

    told = []
    for rate in (accept, *(r for r in RAISED if r > accept)):
        posterior, statistics = sample(builder, draws, tune, chains, cores, seed, rate)
        told.append({"accept": rate, "divergences": int(statistics["diverging"].sum())})
        if not told[-1]["divergences"]:
            break
    return posterior, statistics, told


def _told(attempts) -> tuple[str, ...]:
    """Say that the draws are not those of the first attempt."""
    if len(attempts) == 1:
        return ()
    before = "; ".join(f"{a['divergences']} ({a['accept']:g})" for a in attempts[:-1])
    last = attempts[-1]
    return (
        tr(
            f"divergences at an acceptance rate: {before}; sampled again at {last['accept']:g}, with "
            f"{last['divergences'] or 'none'}",
            f"各接受率下的发散次数：{before}；已按接受率 {last['accept']:g} 重新抽样，发散 {last['divergences']} 次",
        ),
    )


def _check_numbers(draws, tune, chains, accept):
    if min(draws, tune) < 10 or chains < 1 or not 0 < accept < 1:
        raise DataError(
            tr(
                f"draws = {draws}, tune = {tune}, chains = {chains}, accept = {accept}; expected at least 10 draws "
                "and 10 for tuning, one chain, and an acceptance rate between 0 and 1",
                f"draws = {draws}，tune = {tune}，chains = {chains}，accept = {accept}；抽样与调整次数至少 10，"
                "至少一条链，接受率应在 0 与 1 之间",
            )
        )


def _priors(spec, frame, stated, seed):
    """Priors of all quantities, and the normal approximation of the posterior under them."""
    start = start_values(spec.system, frame, None, seed)
    for name in spec.positive:
        start[name] = max(abs(start[name]), 1e-300)
    on_scale = {n: np.log(v) if n in spec.positive else v for n, v in start.items()}
    names = [n for n, _ in spec.common] + [p for b in spec.blocks for p in b.parameters]
    # All faults of the statements at once; the numbers for sigma are not looked at here.
    about = prior_rules.complete(stated, wanted_priors(spec, start, {}))
    normal = np.array([about[n].gaussian(n in spec.positive) for n in names])
    near = approximate(spec, on_scale, normal[:, 0], normal[:, 1])
    # The residual SD at the centre of the variance function, and the spread of its variable.
    sizes = {r: (near.sigma[j], near.base_sd[j]) for j, r in enumerate(spec.free)}
    return prior_rules.complete(stated, wanted_priors(spec, start, sizes)), near


def _result(prepared, builder, stated, posterior, statistics, level, seed) -> BayesResult:
    spec, near, scalars = builder.spec, builder.near, builder.scalars
    system, frame = prepared.system, prepared.frame
    t = flat(posterior["t"])
    values = coefficient_draws(builder, posterior)
    draws = residual_draws(spec, near, scalars, t, values)
    other = other_draws(spec, draws, scalars, t)
    labels = [*spec.layout.labels, *other.columns]
    everything = np.column_stack([values, other.to_numpy()])
    shape = statistics["energy"].shape
    found = checks.diagnostics(everything.reshape(*shape, -1))
    # With unknown predictors a tree's density has no closed form.
    used = spec.used
    loo = None if spec.errors else checks.leave_one_out(log_likelihood(spec, frame, draws)[:, used])
    free = list(system.free)
    order = [spec.free.index(r) for r in free]
    at_mean = draws.mean()
    correlation = pd.DataFrame(at_mean.correlation[0][np.ix_(order, order)], index=free, columns=free)
    result = BayesResult(
        system=system,
        method="bayes",
        parameters=parameter_table(spec.layout, values, level),
        covariance=pd.DataFrame(
            np.atleast_2d(np.cov(values.T)), index=spec.layout.labels, columns=spec.layout.labels
        ),
        residual=_residual_models(spec, at_mean, free),
        correlation=correlation,
        loglik=float(log_likelihood(spec, frame, at_mean).sum()),
        n={r: int(frame[r].notna().sum()) for r in system.responses if r in frame},
        ranges={x: (float(frame[x].min()), float(frame[x].max())) for x in system.predictors},
        correction=dict.fromkeys(free, 1.0),
        correction_kind="none",
        index_table=pd.DataFrame(),
        converged=False,
        certificate={},
        warnings=(*prepared.warnings, *spec.notes),
        versions=provenance.versions(),
        source={"fingerprint": provenance.fingerprint(_used(system, frame))},
        data=frame,
        level=level,
        seed=seed,
        stored_draws=pd.DataFrame(values, columns=spec.layout.labels),
        other_draws=other,
        priors=prior_rules.table(stated),
        posterior=posterior_table(labels, everything, found, level),
        shrinkage=shrinkage_table(builder, t, group_draws(builder, posterior), stated),
        positive=spec.positive,
        centres={r: float(near.centre[j]) for j, r in enumerate(spec.free)},
        correlated=members(spec),
        loo=None
        if loo is None
        else pd.DataFrame({"elpd": loo["pointwise"], "k": loo["k"]}, index=frame.index[used]),
    )
    if not spec.errors:
        # With unknown predictors the trees to simulate are not known either.
        result = replace(result, predictive_checks=compare_data(result, seed))
    return _with_indices(_judged(result, found, labels, statistics, loo, stated), {})


def _judged(result, found, labels, statistics, loo, stated) -> BayesResult:
    """The result with its certificate and the warnings that come of it."""
    certificate = checks.certificate(found, labels, statistics, loo, result.predictive_checks)
    chains, draws = statistics["energy"].shape
    certificate |= {
        "draws": draws,
        "chains": chains,
        "loo": None if loo is None else {k: loo[k] for k in ("elpd", "se", "p")},
        "priors": {p.name: {"prior": p.text, "origin": p.origin} for p in stated.values()},
    }
    return replace(
        result,
        converged=certificate["converged"],
        certificate=certificate,
        warnings=(*result.warnings, *checks.warnings(certificate["checks"])),
    )


def _residual_models(spec, at_mean, free) -> dict[str, ResidualModel]:
    models = {}
    for response in free:
        j, f = spec.free.index(response), spec.functions[response]
        count = int(np.isfinite(spec.y[:, j]).sum())
        p = spec.layout.count(own_parameters(spec.system, response))
        models[response] = ResidualModel(
            response,
            f.kind,
            float(at_mean.sigma[0, j]),
            f.by,
            float(at_mean.exponent[0, j]),
            not f.estimated,
            float(max(count - p, 1)),
        )
    return models
