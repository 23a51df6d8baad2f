"""Put what the mixed engines found into the one result type."""

from dataclasses import replace

import numpy as np
import pandas as pd

from sinklab.equations.groups import Layout
from sinklab.equations.parts import own_parameters
from sinklab.fit.assemble import assembled, freedom_by_parameter, not_converged
from sinklab.fit.sandwich import inverse
from sinklab.language import tr
from sinklab.results import FitResult, RandomEffects, ResidualModel

#: A spread between groups below this part of the parameter is none.
NO_SPREAD = 2e-4


def from_mixed(prepared, model, state, certificate, level, seed) -> FitResult:
    """Result of ``mixed``: the parameters of the typical group, and how groups differ."""
    k, count = len(state.beta), int(model.observed.sum())
    # As for least squares, residual variances are made those of n - k degrees of freedom.
    covariance = inverse(state.solution.information) * count / max(count - k, 1)
    sigma = np.sqrt(np.diag(state.sigma))
    natural = model.scale.natural_sigma(sigma, state.exponents)
    counts = model.observed.sum(axis=0)
    freedom = {
        r: float(c - len(own_parameters(model.system, r))) for r, c in zip(model.free, counts, strict=True)
    }
    residual = {}
    for j, (response, f) in enumerate(zip(model.free, model.scale.functions, strict=True)):
        residual[response] = ResidualModel(
            response,
            f.kind,
            float(natural[j]),
            f.by,
            float(state.exponents[j]),
            not f.estimated,
            freedom[response],
        )
    effects = pd.DataFrame(
        state.effects, index=pd.Index(model.levels, name=model.column), columns=model.random
    )
    random = RandomEffects(
        model.column, pd.DataFrame(state.psi, index=model.random, columns=model.random), effects=effects
    )
    layout = Layout.of(model.system, prepared.frame)
    by_parameter = freedom_by_parameter(layout, freedom)
    # Groups, not trees, say how well the mean of a parameter that varies between them is known.
    by_parameter[model.places] = np.minimum(by_parameter[model.places], model.n_group - 1)
    return assembled(
        replace(prepared, system=model.system),
        method="mixed",
        values=state.beta,
        covariance=covariance,
        freedom=by_parameter,
        residual=residual,
        correlation=state.sigma / np.outer(sigma, sigma),
        loglik=state.solution.loglik,
        logliks={},
        correction=dict.fromkeys(model.system.free, 1.0),
        correction_kind="none",
        certificate=certificate,
        warnings=[*prepared.warnings, *_mixed_warnings(certificate, model, state)],
        random=random,
        level=level,
        seed=seed,
    )


def from_log_mixed(prepared, model, form, level, seed, **found) -> FitResult:
    """Result of ``mixed`` with lognormal residuals: a line in logarithms whose coefficients vary."""
    names, response = list(form.parameters), model.free[0]
    logged = form.coefficient if not form.log else None
    on_log = np.array([name == logged for name in names])
    values = np.where(on_log, np.exp(found["beta"]), found["beta"])
    scale = np.where(on_log, values, 1.0)
    order = [names.index(p) for p in model.system.parameters]
    freedom = float(model.observed.sum() - len(names))
    by_parameter = np.full(len(names), freedom)
    by_parameter[[p in model.random for p in model.system.parameters]] = model.n_group - 1
    covariance = found["covariance"] * np.outer(scale, scale)
    psi = pd.DataFrame(found["psi"], index=model.random, columns=model.random)
    multiplies = tuple(p for p in model.random if p == logged)
    certificate = {"estimator": "ml", "engine": "statsmodels", "converged": found["converged"]}
    return assembled(
        replace(prepared, system=model.system),
        method="mixed",
        values=values[order],
        covariance=covariance[np.ix_(order, order)],
        freedom=by_parameter,
        residual={response: ResidualModel(response, "lognormal", found["sigma"], freedom=freedom)},
        correlation=np.eye(1),
        loglik=found["loglik"],
        logliks={},
        correction={response: found["factor"]},
        correction_kind="baskerville",
        certificate=certificate | {"rank": len(names), "n_parameter": len(names), "steps": 1},
        warnings=list(prepared.warnings),
        random=RandomEffects(model.column, psi, multiplies, found["effects"]),
        level=level,
        seed=seed,
        on_log=on_log[order],
    )


def _mixed_warnings(certificate, model, state) -> list[str]:
    warnings = [] if certificate["converged"] else [not_converged(certificate)]
    spread = np.sqrt(np.diag(state.psi)) / np.maximum(np.abs(state.beta[model.places]), 1e-12)
    none = [name for name, s in zip(model.random, spread, strict=True) if s < NO_SPREAD]
    if none:
        names = ", ".join(none)
        warnings.append(
            tr(
                f"the groups of {model.column} do not differ in {names}; a model without that random effect does as well",
                f"{model.column} 各组之间 {names} 无差异；可去掉该随机效应",
            )
        )
    return warnings
