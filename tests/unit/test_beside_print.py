"""Values beside printed ones: what is not comparable is not compared, and a comparison can fail."""

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.assess.comparison import beside, beside_fit
from sinklab.language import DataError

SAME = {"quantity": "variable", "depth": "soil_depth", "type": "habitat", "pool": "", "season": ""}


def ours(**more) -> pd.DataFrame:
    row = {"variable": "soc_stock", "soil_depth": 100.0, "habitat": "mangrove", "mean": 200.0}
    return pd.DataFrame([row | {"q025": 100.0, "q975": 400.0} | more])


def printed(values, sources=None, **more) -> pd.DataFrame:
    sources = sources or [f"S{i}" for i in range(len(values))]
    row = {"variable": "soc_stock", "soil_depth": 100.0, "habitat": "mangrove"} | more
    return pd.DataFrame({"value": values, "source_id": sources} | row)


def test_values_of_other_sources_agree_or_differ():
    found = beside(printed([150.0, 180.0, 210.0, 260.0]), ours(), SAME)
    assert (found.verdict, found.n, found.inside, found.n_source) == ("agrees", 4, 4, 4)
    logs = np.log(200 / np.array([150, 180, 210, 260]))
    assert found.ratio == pytest.approx(np.exp(logs.mean()))
    # Student's t of three degrees of freedom is 3.182.
    half = 3.1824 * logs.std(ddof=1) / 2
    assert np.log(found.upper / found.ratio) == pytest.approx(half, rel=1e-3)
    # Two of four outside an interval of 95 %: binomial 0.014.
    found = beside(printed([50.0, 180.0, 210.0, 800.0]), ours(), SAME)
    assert (found.verdict, found.inside) == ("differs", 2)
    assert found.probability == pytest.approx(6 * 0.05**2 * 0.95**2 + 4 * 0.05**3 * 0.95 + 0.05**4, rel=1e-3)
    # All inside, and all the same way off.
    found = beside(printed([390.0, 395.0, 380.0, 385.0]), ours(), SAME)
    assert found.verdict == "differs" and found.upper < 1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"soil_depth": 60.0}, "another depth .60 in print, 100 here"),
        ({"habitat": "salt_marsh"}, "another type .salt marsh in print"),
        ({"variable": "soc"}, "another quantity"),
        ({"soil_depth": np.nan}, "depth not said in print"),
    ],
)
def test_what_is_not_alike_is_not_compared(more, words):
    found = beside(printed([150.0, 180.0, 210.0], **more), ours(), SAME)
    assert found.verdict == "not comparable" and found.n == 0
    assert found.rows["reason"].str.contains(words).all() and "3 not comparable" in found.text


def test_a_source_is_no_witness_of_itself():
    rows = printed([150.0, 180.0, 210.0, 190.0], ["A", "B", "C", "D"])
    found = beside(rows, ours(), SAME, own={"A", "B", "C"})
    assert (found.n, found.verdict) == (1, "not comparable") and "too few to tell" in found.text
    assert (found.rows["reason"] == "the same source").sum() == 3
    # A file beside itself, whatever its rows are called.
    mine = ours()
    for frame in (rows, mine):
        frame.attrs["source"] = {"spec": "literature:wetland_cores"}
    assert beside(rows, mine, SAME).verdict == "not comparable" and beside(rows, mine, SAME).n == 0


def test_one_stand_tells_nothing():
    found = beside(printed([800.0]), ours(), SAME)
    assert (found.verdict, found.n, found.inside) == ("not comparable", 1, 0) and np.isnan(found.lower)


def test_rows_of_one_source_are_one_trial():
    many = printed([500.0] * 50 + [150.0, 180.0, 210.0], ["A"] * 50 + ["B", "C", "D"])
    found = beside(many, ours(), SAME)
    # One of four sources outside, not fifty of fifty-three rows: binomial of 3 of 4 is 0.185.
    assert found.probability == pytest.approx(1 - 0.95**4, abs=1e-3) and found.verdict == "agrees"


def test_predictions_row_by_row():
    rows = printed([10.0, 20.0, 30.0], variable="height", soil_depth=np.nan, habitat="Larix")
    told = rows[["habitat"]].assign(mean=[11.0, 19.0, 33.0], q025=[5.0, 10, 20], q975=[15.0, 30, 40])
    same = {"quantity": "", "depth": "", "type": "habitat", "pool": "", "season": ""}
    found = beside(rows, told, same, by_row=True)
    assert found.n == 3 and found.rows["ratio"].tolist() == pytest.approx([1.1, 0.95, 1.1])


def test_every_aspect_is_spoken_of():
    with pytest.raises(DataError, match="nothing said of season; columns missing: ours: habitat"):
        beside(
            printed([1.0]), ours().drop(columns="habitat"), {k: v for k, v in SAME.items() if k != "season"}
        )


def test_a_fit_beside_printed_individuals():
    rng = np.random.default_rng(3)
    trees = pd.DataFrame({"dbh": rng.uniform(5, 40, 80)})
    trees["height"] = 1.3 + 3 * trees["dbh"] ** 0.5 * np.exp(rng.normal(0, 0.1, 80))
    fit = sl.fit(trees, "height = 1.3 + a*dbh**b", variance="power:mean", name="made")
    told = pd.DataFrame({"dbh": [10.0, 20, 30, 35], "source_id": list("abcd"), "quantity": "height"})
    told["value"] = fit.predict(told)["height"] * [1.02, 0.97, 1.05, 3]
    same = {"quantity": "quantity", "depth": "", "type": "", "pool": "", "season": ""}
    found = beside_fit(told, fit, same, quantity="height")
    interval = fit.predict(told, level=0.95, kind="individual")
    assert list(found.rows["lower"]) == pytest.approx(list(interval["height_lower"]))
    assert found.n == 4 and list(found.rows["inside"]) == [True, True, True, False]
    other = beside_fit(told, fit, same, quantity="height of a stand")
    assert other.n == 0 and other.verdict == "not comparable"
