"""From prepared data to a result: priors, normal approximation, sampling, checks."""

import numpy as np
import pandas as pd

from sinklab import provenance
from sinklab.equations.parts import own_parameters
from sinklab.errors import DataError
from sinklab.fit.assemble import _used, _with_indices
from sinklab.fit.bayes import checks
from sinklab.fit.bayes import priors as prior_rules
from sinklab.fit.bayes.approximate import approximate
from sinklab.fit.bayes.density import Draws, log_likelihood
from sinklab.fit.bayes.model import Builder, wanted_priors
from sinklab.fit.bayes.result import BayesResult, parameter_table, posterior_table, shrinkage_table
from sinklab.fit.bayes.spec import read_spec
from sinklab.fit.start import start_values
from sinklab.language import tr
from sinklab.results import ResidualModel


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
        Acceptance rate that the step size is tuned to; higher is slower and diverges less.
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
    from sinklab.fit.bayes.sample import sample

    builder = Builder(spec, stated, near)
    posterior, statistics = sample(builder, draws, tune, chains, cores, seed, accept)
    return _result(prepared, spec, stated, near, posterior, statistics, level, seed)


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
    coefficients = {n: w for n, w in wanted_priors(spec, start, {}).items() if n in start}
    about = prior_rules.complete(
        {n: t for n, t in prior_rules.as_mapping(stated).items() if n in start}, coefficients
    )
    normal = np.array([about[n].gaussian(n in spec.positive) for n in names])
    near = approximate(spec, on_scale, normal[:, 0], normal[:, 1])
    # The residual SD at the centre of the variance function, and the spread of its variable.
    sizes = {r: (near.sigma[j], near.base_sd[j]) for j, r in enumerate(spec.free)}
    return prior_rules.complete(stated, wanted_priors(spec, start, sizes)), near


def _flat(values):
    """Draws of all chains, one after another."""
    return values.reshape(-1, *values.shape[2:])


def coefficient_draws(spec, posterior) -> np.ndarray:
    """Coefficients on their natural scale, (D, k), in the order of the layout."""
    places = {label: i for i, label in enumerate(zip(spec.layout.names, spec.layout.groups, strict=True))}
    first = next(iter(posterior.values()))
    out = np.empty((first.shape[0] * first.shape[1], len(places)))
    for i, label in enumerate(spec.common):
        out[:, places[label]] = _flat(posterior["common"])[:, i]
    for c, block in enumerate(spec.blocks):
        theta = _flat(posterior[f"group_{c}"])
        for k, name in enumerate(block.parameters):
            for s, level in enumerate(block.levels):
                out[:, places[name, level]] = theta[:, s, k]
    log = np.array([name in spec.positive for name in spec.layout.names])
    out[:, log] = np.exp(out[:, log])
    return out


def _residual_draws(spec, near, posterior, values) -> Draws:
    m, n_draw = len(spec.free), len(values)
    exponent = np.tile([spec.functions[r].start for r in spec.free], (n_draw, 1)).astype(float)
    free = [j for j, r in enumerate(spec.free) if spec.functions[r].estimated]
    if free:
        exponent[:, free] = _flat(posterior["exponent"])
    sigma = _flat(posterior["sigma"]) * np.exp(-exponent * near.centre)
    correlation = np.tile(np.eye(m), (n_draw, 1, 1))
    if spec.correlated:
        below = _flat(posterior["correlation"])
        i, j = np.tril_indices(m, -1)
        correlation[:, i, j] = correlation[:, j, i] = below
    return Draws(spec.free, spec.functions, values, sigma, exponent, correlation)


def _other_draws(spec, draws, posterior) -> pd.DataFrame:
    """Everything beside the coefficients, natural scale and unit, one column each."""
    columns = {f"sigma({r})": draws.sigma[:, j] for j, r in enumerate(spec.free)}
    for j, r in enumerate(spec.free):
        if spec.functions[r].estimated:
            columns[f"exponent({r})"] = draws.exponent[:, j]
    if spec.correlated:
        for i, j in zip(*np.tril_indices(len(spec.free), -1), strict=True):
            columns[f"correlation({spec.free[j]}, {spec.free[i]})"] = draws.correlation[:, i, j]
    for c, block in enumerate(spec.blocks):
        mean, spread = _flat(posterior[f"mean_{c}"]), _flat(posterior[f"spread_{c}"])
        for k, name in enumerate(block.parameters):
            columns[f"mean({name})"] = np.exp(mean[:, k]) if name in spec.positive else mean[:, k]
            columns[f"spread({name})"] = spread[:, k]
        if block.correlated:
            below = _flat(posterior[f"correlation_{c}"])
            pairs = zip(*np.tril_indices(len(block.parameters), -1), below.T, strict=True)
            for i, j, values in pairs:
                columns[f"correlation({block.parameters[j]}, {block.parameters[i]})"] = values
    return pd.DataFrame(columns)


def _result(prepared, spec, stated, near, posterior, statistics, level, seed) -> BayesResult:
    system, frame = prepared.system, prepared.frame
    values = coefficient_draws(spec, posterior)
    draws = _residual_draws(spec, near, posterior, values)
    other = _other_draws(spec, draws, posterior)
    labels = [*spec.layout.labels, *other.columns]
    everything = np.column_stack([values, other.to_numpy()])
    shape = statistics["energy"].shape
    found = checks.diagnostics(everything.reshape(*shape, -1))
    # With unknown predictors a tree's density has no closed form.
    loo = None if spec.errors else checks.leave_one_out(log_likelihood(spec, frame, draws))
    certificate = checks.certificate(found, labels, statistics, loo)
    warnings = [*prepared.warnings, *spec.notes, *checks.warnings(certificate["checks"])]
    certificate |= {
        "draws": shape[1],
        "chains": shape[0],
        "loo": None if loo is None else {k: loo[k] for k in ("elpd", "se", "p")},
        "priors": {p.name: {"prior": p.text, "origin": p.origin} for p in stated.values()},
    }
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
        converged=certificate["converged"],
        certificate=certificate,
        warnings=tuple(warnings),
        versions=provenance.versions(),
        source={"fingerprint": provenance.fingerprint(_used(system, frame))},
        data=frame,
        level=level,
        seed=seed,
        stored_draws=pd.DataFrame(values, columns=spec.layout.labels),
        other_draws=other,
        priors=prior_rules.table(stated),
        posterior=posterior_table(labels, everything, found, level),
        shrinkage=shrinkage_table(spec, posterior, [g.informed for g in near.groups]),
        loo=None if loo is None else pd.DataFrame({"k": loo["k"]}, index=frame.index),
    )
    return _with_indices(result, {})


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
