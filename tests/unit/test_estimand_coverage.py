"""What the limits of few studies hold, by simulation that shares no code with what it judges."""

import numpy as np
import pandas as pd
import pytest

from sinklab.evidence import pooling
from sinklab.systems import soil

pytestmark = pytest.mark.slow


def world(rng, k, tau, error, mean=0.5):
    """Means of k studies with a printed standard error, and the mean of one that nobody has seen."""
    true = mean + tau * rng.standard_normal(k + 1)
    seen = true[:k] + error * rng.standard_normal(k)
    rows = pd.DataFrame({"source_id": [f"s{i}" for i in range(k)], "wood_density": seen, "species_id": "x"})
    printed = {"wood_density_spread": error, "spread_kind": "se"} if error else {"spread_kind": "none"}
    return rows.assign(n=np.nan, **printed), true[k]


@pytest.mark.parametrize("k", [3, 4, 5, 8, 10])
@pytest.mark.parametrize("error", [0.0, 0.5, 1.0])
def test_few_studies_hold_their_mean_and_a_new_place(k, error):
    rng, tau, n = np.random.default_rng([k, int(10 * error)]), 0.03, 400
    mean, new, normal = 0, 0, 0
    for _ in range(n):
        rows, unseen = world(rng, k, tau, error * tau)
        row = pooling.summarise(rows, "wood_density", ["species_id"]).iloc[0]
        mean += row["mean_lower"] < 0.5 < row["mean_upper"]
        new += row["q025"] < unseen < row["q975"]
        y = rows["wood_density"].to_numpy()
        normal += abs(y.mean() - 0.5) < 1.96 * y.std(ddof=1) / np.sqrt(k)
    # Four binomial standard errors of 400 are 0.044.
    assert mean / n > 0.92 and new / n > 0.92
    if not error:
        # Student's t is exact here: no wider than it must be; the normal is too narrow.
        assert mean / n < 0.98 and new / n < 0.99
        assert k >= 8 or normal / n < 0.91


def test_a_spread_that_other_groups_lend_holds_for_a_lone_study():
    rng, inside = np.random.default_rng(5), 0
    for _ in range(200):
        groups = [world(rng, 4, 0.03, 0.0, mean)[0].assign(species_id=f"g{mean}") for mean in (0.4, 0.5, 0.6)]
        true = 0.45 + 0.03 * rng.standard_normal(2)
        lone = pd.DataFrame({"source_id": ["z"], "wood_density": true[:1], "species_id": ["x"]})
        rows = pd.concat([*groups, lone.assign(spread_kind="none", n=np.nan)], ignore_index=True)
        row = pooling.summarise(rows, "wood_density", ["species_id"]).set_index("group").loc["species_id=x"]
        inside += row["q025"] < true[1] < row["q975"]
    assert inside / 200 == pytest.approx(0.95, abs=0.05)


def test_three_studies_in_a_hierarchy_are_wide_but_not_wider_than_needed():
    inside, widths = 0, []
    for seed in range(40):
        rng = np.random.default_rng([7, seed])
        rows, unseen = world(rng, 3, 0.03, 0.0)
        rows = rows.assign(family="f", genus="g", species_id="s", component="stem")
        told = pooling.fit(rows, "wood_density", n_draw=80, seed=seed).predict(rows.head(1)).iloc[0]
        inside += told["lower"] < unseen < told["upper"]
        widths.append((told["upper"] - told["lower"]) / 2 / 0.03)
    assert inside >= 35
    # Student's t on two degrees of freedom asks for 4.30 * sqrt(1 + 1/3) standard deviations.
    assert np.median(widths) < 1.5 * 4.303 * np.sqrt(4 / 3)


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_units_of_a_new_site_and_their_mean_with_imputed_values(share):
    """Berkson: the value kept is the conditional mean of a unit, and the truth scatters about it."""
    rng, noise, inside, covered = np.random.default_rng([11, int(10 * share)]), 0.35 * share, 0, 0
    for _ in range(150):
        site = np.repeat(np.arange(9), 4)
        effect = 0.3 * rng.standard_normal(9)
        kept = np.exp(4 + effect[site] + 0.2 * rng.standard_normal(36))
        frame = pd.DataFrame({"site": site, "soc_stock": kept, "noise": noise})
        row = soil.summarise(frame, "soc_stock", "site", noise="noise").iloc[0]
        unseen = np.exp(
            4 + 0.3 * rng.standard_normal() + 0.2 * rng.standard_normal() + noise * rng.standard_normal()
        )
        inside += row["q025"] < unseen < row["q975"]
        covered += row["mean_lower"] < np.exp(4 + (0.09 + 0.04 + noise**2) / 2) < row["mean_upper"]
    assert inside / 150 > 0.91 and covered / 150 > 0.89


def test_the_spread_of_imputed_units_is_that_of_the_truth():
    rng = np.random.default_rng(12)
    n, noise = 20000, np.array([0.0, 0.5])[rng.integers(0, 2, 20000)]
    kept = np.exp(3 + 0.4 * rng.standard_normal(n))
    truth = kept * np.exp(noise * rng.standard_normal(n))
    frame = pd.DataFrame({"site": np.arange(n), "soc_stock": kept, "noise": noise})
    row = soil.summarise(frame, "soc_stock", "site", noise="noise").iloc[0]
    assert row["mean"] == pytest.approx(truth.mean(), rel=0.02)
    assert row["sd"] == pytest.approx(truth.std(), rel=0.06)
    # Taking the noise out, or leaving it, would be far too narrow.
    assert row["sd"] > 1.15 * kept.std()
