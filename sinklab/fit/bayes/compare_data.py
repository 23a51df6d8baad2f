"""Data against what the model expects of such data, before and after they were seen.

Every response is simulated anew for the same trees, from the posterior and from the priors alone, and summaries of
what was measured are placed among those of the simulations. A summary far out in the posterior's tells
what the model fails to describe; one far out among the prior's that priors and data contradict each other. The
tail area is that of both sides; near 0 is bad, and it is cautious, because the data were used twice.

Source
------
Gelman A. et al. (2013) Bayesian Data Analysis, 3rd edition, chapter 6. CRC Press.
Evans M., Moshonov H. (2006) Checking for prior-data conflict. Bayesian Analysis 1:893-914.
"""

import numpy as np
import pandas as pd

from sinklab.fit.bayes.predict import predictive

#: Simulated data sets at most, and at least if trees are many; numbers to simulate in all.
SIMULATED, AT_LEAST, NUMBERS = 1000, 500, 4_000_000
#: Share of new trees within the interval whose coverage is compared.
INSIDE = 0.9


def _inside(low, high):
    return lambda y: ((y >= low) & (y <= high)).mean(axis=-1)


def _summaries(drawn, kind) -> dict:
    """Functions of trees (…, n) by name; the median and the ends for the prior, whose tails may overflow."""
    found = {"smallest": lambda y: y.min(axis=-1), "largest": lambda y: y.max(axis=-1)}
    if kind == "prior":
        return found | {"median": lambda y: np.median(y, axis=-1)}
    low, high = np.quantile(drawn, [0.5 - INSIDE / 2, 0.5 + INSIDE / 2], axis=0)
    found |= {"mean": lambda y: y.mean(axis=-1), "sd": lambda y: y.std(axis=-1)}
    return found | {f"inside_{INSIDE * 100:g}": _inside(low, high)}


def compare_data(result, seed: int) -> pd.DataFrame:
    """Place summaries of the data among those of simulated data.

    Parameters
    ----------
    result : BayesResult
        With its draws, priors and data.
    seed : int

    Returns
    -------
    table : DataFrame
        ``kind`` (posterior, prior), ``response``, ``summary``, ``observed``, ``lower``, ``upper`` (95 % of the
        simulations) and ``p``, the two-sided tail area of the observed one.
    """
    frame, free = result.data, list(result.residual)
    count = int(np.clip(NUMBERS // max(1, len(frame) * len(free)), AT_LEAST, SIMULATED))
    rows = []
    with np.errstate(all="ignore"):
        for kind, drawn_from in (("posterior", "individual"), ("prior", "prior_individual")):
            n = min(count, len(result.stored_draws)) if kind == "posterior" else count
            drawn = predictive(result, frame, drawn_from, n, seed)
            for response in free:
                seen = frame[response].notna().to_numpy()
                if not seen.any():
                    continue
                y, simulated = frame[response].to_numpy(float)[seen], drawn[response][:, seen]
                for name, summary in _summaries(simulated, kind).items():
                    rows.append((kind, response, name, *_place(summary(y), summary(simulated))))
    return pd.DataFrame(rows, columns=["kind", "response", "summary", "observed", "lower", "upper", "p"])


def _place(observed, simulated) -> tuple:
    """The observed value, 95 % of the simulated ones, and its tail area among them."""
    above, below = (simulated >= observed).sum(), (simulated <= observed).sum()
    p = min(1.0, 2 * (min(above, below) + 1) / (len(simulated) + 1))
    lower, upper = np.nanquantile(simulated, [0.025, 0.975])
    return float(observed), float(lower), float(upper), float(p)
