r"""Predictors measured with error: the true value of each tree is an unknown.

What was measured is normal about the true value with the stated SD; true values are lognormal over the
trees, their logarithm depending linearly on the logarithms of the other predictors, because a tree of known
height is not any tree. The sampler moves the true value in units of the error of measurement.
"""

import numpy as np

from sinklab.fit.bayes.priors import Wanted
from sinklab.fit.bayes.translate import Quantity


def lines(spec):
    """Least-squares line of the logarithm of each such predictor on those before it.

    Yields
    ------
    name : str
    others : tuple of str
        Predictors on the right: those without error first, then those that came before.
    line, root : array
        Coefficients, and a root of their covariance.
    spread : float
        Residual SD.
    """
    others = [c for c in spec.columns if c not in spec.errors]
    for name in spec.errors:
        logs = [np.log(spec.columns[c]) for c in others]
        design = np.column_stack([np.ones(len(spec.y)), *logs])
        y = np.log(spec.columns[name])
        line = np.linalg.lstsq(design, y, rcond=None)[0]
        spread = max(float(np.std(y - design @ line)), 1e-3)
        root = spread * np.linalg.pinv(np.linalg.qr(design)[1])
        yield name, tuple(others), line, root, spread
        others.append(name)


def wanted(spec) -> dict[str, Wanted]:
    """Priors that the distribution of true values needs."""
    found = {}
    for name in spec.errors:
        found[f"line({name})"] = Wanted("true_line", ("normal",))
        found[f"population({name})"] = Wanted("true_spread", ("halfnormal", "lognormal"))
    return found


def add_scalars(spec, priors, scalars) -> None:
    """Add lines and spreads to the scalar unknowns."""
    for name, others, line, root, spread in lines(spec):
        keys = [("line", f"{name} {i}") for i in range(len(others) + 1)]
        scalars.add(keys, [priors[f"line({name})"]] * len(keys), [False] * len(keys), line, root)
        width = [[1 / np.sqrt(2 * len(spec.y))]]
        scalars.add([("population", name)], [priors[f"population({name})"]], [True], [np.log(spread)], width)


def true_predictors(builder) -> dict[str, Quantity]:
    """Add the unknown predictors to the model that is being built, and return them."""
    import pytensor.tensor as pt

    pm, spec = builder.pm, builder.spec
    found = {}
    for name, others, line, _, _ in lines(spec):
        x, sd = spec.columns[name], spec.errors[name]
        z = pm.Flat(f"z_{name}", shape=len(x))
        measured = builder.hold(f"log_measured_{name}", np.log(x))
        shift = builder.hold(f"relative_error_{name}", sd / x) * z
        log_true = measured + shift
        expected = builder.scalar("line", f"{name} 0")
        for i in range(1, len(line)):
            other = others[i - 1]
            log_other = (
                found[other].log
                if other in found
                else builder.hold(f"log_{other}", np.log(spec.columns[other]))
            )
            expected = expected + builder.scalar("line", f"{name} {i}") * log_other
        log_spread = builder.scalar("population", name)
        standard = pm.Normal.dist(0.0, 1.0)
        apart = (log_true - expected) * pt.exp(-log_spread)
        pm.Potential(f"true_{name}", pm.logp(standard, apart).sum() - len(x) * log_spread)
        # (measured - true) / sd, written so that a small difference keeps its digits.
        error = builder.hold(f"sd_in_{name}", x / sd) * pt.expm1(shift)
        pm.Potential(f"measured_{name}", pm.logp(standard, error).sum())
        found[name] = Quantity(pt.exp(log_true), log_true)
        builder.structure.append((name, others, len(x)))
    return found
