"""Every form of the Chinese standards for tree biomass, from the automatic start: fitted, kept in a table, predicted."""

import numpy as np
import pandas as pd
import pytest

import sinklab as sl

SHARES = "(1 + r1*dbh**s1 + r2*dbh**s2)"
FORMS = {
    "one variable": "agb = a*dbh^b",
    "two variables": "agb = a*dbh^b*height^c",
    "three variables": "agb = a*dbh^b*height^c*crown_width^d",
    "volume, conversion factor": "volume = b0*dbh^b1*height^b2\nagb = c0*dbh^c1*height^c2*volume",
    "roots by their share": "agb = a*dbh^b\nroot = r0*dbh^r1*agb",
    "volume, conversion factor, roots": (
        "volume = b0*dbh^b1*height^b2\nagb = c0*dbh^c1*volume\nroot = r0*dbh^r1*agb"
    ),
    "total controls, chain": (
        f"stem = a*dbh**b/{SHARES}\nbranch = r1*dbh**s1*stem\nfoliage = r2*dbh**s2*stem\nagb = stem + branch + foliage"
    ),
    "total controls, written out": (
        f"stem = a*dbh**b/{SHARES}\nbranch = a*dbh**b*r1*dbh**s1/{SHARES}\n"
        f"foliage = a*dbh**b*r2*dbh**s2/{SHARES}\nagb = stem + branch + foliage"
    ),
    "total controls, two variables": (
        "stem = a*dbh**b*height**c/(1 + r1*dbh**s1*height**t1 + r2*dbh**s2*height**t2)\n"
        "branch = r1*dbh**s1*height**t1*stem\nfoliage = r2*dbh**s2*height**t2*stem\nagb = stem + branch + foliage"
    ),
    "additive": (
        "stem = a1*dbh^b1*height^c1\nbranch = a2*dbh^b2*height^c2\nfoliage = a3*dbh^b3\nagb = stem + branch + foliage"
    ),
    "small trees": "agb = where(dbh >= 5, a*dbh^b, a*5^(b - c)*dbh^c)",
    "generic": "agb = a*0.4*dbh^(7/3)",
}


def trees(n=90, seed=1):
    rng = np.random.default_rng(seed)

    def error(cv):
        return np.exp(cv * rng.normal(size=n))

    dbh = np.exp(rng.uniform(np.log(2.5), np.log(40), n))
    height = 1.3 + 1.6 * dbh**0.75 * error(0.1)
    agb = 0.11 * dbh**2.05 * height**0.45
    branch, foliage = 0.9 * dbh**-0.5, 0.8 * dbh**-0.8
    stem = agb / (1 + branch + foliage)
    frame = pd.DataFrame({"dbh": dbh, "height": height, "crown_width": 0.4 * dbh**0.6 * error(0.15)})
    frame = frame.assign(
        stem=stem * error(0.08), branch=branch * stem * error(0.2), foliage=foliage * stem * error(0.2)
    )
    frame["volume"] = 6e-5 * dbh**1.85 * height**0.95 * error(0.06)
    frame["agb"] = frame[["stem", "branch", "foliage"]].sum(axis=1)
    return frame.assign(root=frame["agb"] * 0.3 * dbh**-0.1 * error(0.15))


@pytest.mark.parametrize("form", FORMS)
def test_a_documented_form_is_fitted_kept_and_predicted(form, tmp_path):
    data = trees()
    fit = sl.fit(data, FORMS[form])
    assert fit.converged, fit.warnings
    found = fit.predict(data)
    for response in fit.system.responses:
        assert found[response].sum() == pytest.approx(data[response].sum(), rel=0.05)
    source = {"origin": "measured", "title": "trees"}
    folder = sl.Table.from_fits([fit], "agb_forest_form", "0.1.0", source=source).write(tmp_path)
    again = sl.Table.read(folder).predict(data)
    for response in fit.system.responses:
        assert again[response].to_numpy() == pytest.approx(found[response].to_numpy(), rel=1e-8)


def test_both_writings_of_a_controlling_total_are_one_model():
    fits = [sl.fit(trees(), FORMS[f"total controls, {writing}"]) for writing in ("chain", "written out")]
    assert fits[0].loglik == pytest.approx(fits[1].loglik, abs=1e-4)
    values = [dict(zip(fit.labels, fit.values, strict=True)) for fit in fits]
    assert values[0] == pytest.approx(values[1], rel=1e-4)
