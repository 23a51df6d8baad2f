"""Published values worked out again from the raw inputs: tables by their notebooks, expectations by pandas alone.

Nothing of the statistics of the library stands on the right side of a comparison: files are read with pandas (open data
with the columns that the library knows), and means, ratios and errors are formulas written out here.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from sinklab import paths
from sinklab.review import recompute

pytestmark = pytest.mark.slow


def published(batch, job_id):
    """Values of a job's table, its notebook run with the parameters of the batch."""
    content = yaml.safe_load(
        (paths.root() / "notebooks/batches" / f"{batch}.yml").read_text(encoding="utf-8")
    )
    job = next(j for j in content["jobs"] if j["id"] == job_id)
    given = content["defaults"] | job["parameters"]
    recipe = {
        "notebook": f"notebooks/{job.get('notebook') or content['notebook']}",
        "parameters": {k: repr(v) for k, v in given.items() if k not in ("table_id", "version")},
    }
    inputs = recompute.Inputs()
    declared = paths.notebook_code(paths.root() / recipe["notebook"])[1]
    recipe["parameters"] = {k: v for k, v in recipe["parameters"].items() if k in declared}
    frames = recompute.frames_again(recipe, given["table_id"], given["version"], inputs)
    assert frames is not None, inputs.missing
    return frames["values"].set_index("name")


def raw(name):
    rows = pd.read_csv(Path(paths.root()) / "data/literature" / f"{name}.csv")
    return rows[rows["check"] == "ok"]


class Tally:
    """Comparisons made, so that a test says how many values it stands for."""

    def __init__(self):
        self.n = 0

    def same(self, found, wanted, rel=1e-6):
        assert found == pytest.approx(wanted, rel=rel, nan_ok=True)
        self.n += 1


def test_soil_types_of_houzhai():
    values, rows, tally = published("default", "soil_karst_houzhai"), raw("karst_soil_types"), Tally()
    for row in rows.to_dict("records"):
        for name in ("soil_depth", "bedrock_exposure", "gravel_fraction"):
            found = values.loc[f"{name}[{row['soil_type']}]"]
            tally.same(found["mean"], row[name])
            tally.same(found["sd"], row[f"{name}_spread"])
    assert tally.n == 54


def test_culms_of_moso():
    values, rows, tally = (
        published("default", "mass_bamboo_phyllostachys_edulis"),
        raw("bamboo_culms"),
        Tally(),
    )
    for row in rows.to_dict("records"):
        found = values.loc[f"mass[{row['component']},{row['age']}]"]
        tally.same(found["mean"], row["mass"])
        assert found["n_study"] == 1
        if found["of_whom"] == "unit_here":
            tally.same(found["sd"], row["mass_spread"])
            tally.same(found["se"], row["mass_spread"] / np.sqrt(row["n"]))
    assert tally.n == 72


def test_stands_of_moso():
    values, tally = published("systems", "total_density_bamboo_phyllostachys_edulis"), Tally()
    culms, counts = raw("bamboo_culms"), {1: 1250, 3: 1300, 5: 2400}
    above = culms["component"].isin(["culm", "branch_unspecified", "foliage_unspecified"])
    below = ~above & (culms["component"] != "whole_plant")
    weighed = culms["age"].map(counts) * culms["mass"] / 1000
    # Sums over draws of Student's t of five degrees of freedom.
    tally.same(values.at["agb_density[taojiang]", "mean"], weighed[above].sum(), 0.02)
    tally.same(values.at["bgb_density[taojiang]", "mean"], weighed[below].sum(), 0.02)
    tally.same(values.at["total_density[taojiang]", "mean"], weighed[above | below].sum(), 0.02)
    ratios = raw("bamboo_ratios").query("check == 'ok'")["root_shoot_ratio"]
    found = values.loc["root_shoot_ratio[phyllostachys_edulis]"]
    tally.same(found["mean"], ratios.mean())
    tally.same(found["se"], ratios.std(ddof=1) / np.sqrt(8))
    assert found["n_study"] == len(ratios) == 8 and found["definition"] == "rhizome_method=several"
    tally.same(found["tau"], ratios.std(ddof=1), 1e-3)
    for row in raw("bamboo_carbon").to_dict("records"):
        found = values.loc[f"carbon_fraction[{row['component']},{row['age']}]"]
        if found["status"] == "refused":
            # Six culms whose spread no carbon fraction can have.
            assert row["carbon_fraction_spread"] > 0.06
            continue
        tally.same(found["mean"], row["carbon_fraction"])
        tally.same(found["se"], row["carbon_fraction_spread"] / np.sqrt(6))
    assert tally.n == 38


def test_ratios_of_grassland_types():
    values, rows, tally = published("systems", "root_shoot_ratio_grassland_china"), raw("grassland"), Tally()
    rows = rows[~rows["season"].isin(["June", "October"])].dropna(subset=["root_shoot_ratio"])
    rows["study"] = rows["source_id"].replace({"MAW2008": "MAFANG2006", "MAANNA2014": "MAFANG2006"})
    masses = rows.dropna(subset=["agb_density", "bgb_density"]).groupby(["grassland_type", "study"])
    ratio = masses["bgb_density"].sum() / masses["agb_density"].sum()
    for kind, part in ratio.groupby(level=0):
        found = values.loc[f"root_shoot_ratio[{kind}]"]
        if set(rows.loc[rows["grassland_type"] == kind, "season"]) == {"not stated"}:
            assert found["status"] == "refused" and "season" in found["note"]
            continue
        tally.same(found["mean"], part.mean())
        assert found["n_study"] == len(part) and found["definition"].startswith("season=")
    assert tally.n == 4


def test_marsh_plants():
    values, rows, tally = (
        published("systems", "total_density_wetland_marsh_china"),
        raw("wetland_vegetation"),
        Tally(),
    )
    for name in ("total_density", "root_shoot_ratio"):
        for kind, part in rows.dropna(subset=[name]).groupby("species"):
            # Reed and cordgrass are several times as heavy in one month as in another.
            if (part["season"] == "not stated").any():
                assert values.at[f"{name}[{kind}]", "status"] == "refused"
                assert "season" in values.at[f"{name}[{kind}]", "note"]
                tally.n += 1
            else:
                by_study = part.groupby("source_id")[name].mean()
                found = values.loc[f"{name}[{kind}]"]
                assert by_study.min() * (1 - 1e-9) <= found["mean"] <= by_study.max() * (1 + 1e-9)
                tally.same(found["mean"], by_study.mean(), 0.02)
                assert found["n_study"] == len(by_study)
    assert tally.n == 7 and (values["status"] != "refused").sum() == 1


def test_cores_of_the_coast():
    values, rows, tally = published("systems", "soc_stock_wetland_coast"), raw("wetland_cores"), Tally()
    for habitat in ("mangrove", "salt_marsh"):
        part = rows[rows["habitat"] == habitat]
        found = values.loc[f"soc_stock[{habitat},100 cm]"]
        by_site = part.groupby("site")["soc_stock"].mean()
        tally.same(found["mean"], by_site.mean())
        k, error = len(by_site), by_site.std(ddof=1) / np.sqrt(len(by_site))
        assert found["se"] >= error * (1 - 1e-9) and found["n"] == len(part) and found["n_site"] == k
        tally.n += 2
    assert tally.n == 6


@pytest.mark.open_data
@pytest.mark.parametrize("species", ["cunninghamia_lanceolata", "pinus_massoniana"])
def test_factors_of_stands(open_data, species):
    from sinklab.data import open_data as sets

    job = f"bcef_forest_{species}".removesuffix("_lanceolata")
    values, tally = published("systems_open", job), Tally()
    stands = sets.load("open:eurasia_plots", {"country": "CHN", "species": species})
    parts = {"bef": "agb_density/stem_biomass_density", "bcef": "agb_density/growing_stock"}
    parts |= {"root_shoot_ratio": "bgb_density/agb_density"}
    classes = {"age": ([0, 10, 20, 30, np.inf], ["<= 10", "10-20", "20-30", "> 30"])}
    classes["growing_stock"] = ([0, 50, 100, 200, np.inf], ["<= 50", "50-100", "100-200", "> 200"])
    for name, text in parts.items():
        over, under = text.split("/")
        for column, (edges, labels) in classes.items():
            label = pd.cut(stands[column], edges, labels=labels)
            known = (stands[over] > 0) & (stands[under] > 0)
            for key, part in stands[known].groupby(label[known], observed=True):
                if f"{name}[{column} {key}]" not in values.index:
                    assert len(part) < 10 or part["study_id"].nunique() < 3
                    continue
                found = values.loc[f"{name}[{column} {key}]"]
                if found["status"] == "refused":
                    continue
                tally.same(found["mean"], part[over].sum() / part[under].sum())
                away = (part[over] - found["mean"] * part[under]).groupby(part["study_id"]).sum()
                k = len(away)
                error = np.sqrt(k / (k - 1) * (away**2).sum()) / part[under].sum()
                assert found["se"] >= error * (1 - 1e-6) and found["n_study"] == k and found["n"] == len(part)
    assert tally.n >= 12
    if species == "cunninghamia_lanceolata":
        # 0.862 as mean of ratios: young stands of little stock, whose factor is largest, weighed as much as the others.
        assert values.at["bcef[age <= 10]", "mean"] == pytest.approx(0.616, abs=0.001)


@pytest.mark.open_data
def test_sown_grasslands_of_europe(open_data):
    from sinklab.data import open_data as sets

    values = published("systems_open", "root_shoot_ratio_grassland_biodepth")
    rows = sets.load("open:biodepth_grassland").dropna(subset=["agb_density", "bgb_density"])
    rows = rows[(rows["agb_density"] > 0) & (rows["bgb_density"] > 0)]
    (found,) = values.to_dict("records")
    assert found["mean"] == pytest.approx(rows["bgb_density"].sum() / rows["agb_density"].sum())
    assert found["mean"] == pytest.approx(1.21, abs=0.01) and found["n_study"] == 1 and found["n_site"] == 8


@pytest.mark.open_data
def test_the_corrected_slope_of_ndvi_is_stored(open_data):
    from sinklab.data import open_data as sets

    content = yaml.safe_load(
        (paths.root() / "notebooks/batches/systems_open.yml").read_text(encoding="utf-8")
    )
    job = next(j for j in content["jobs"] if j["id"] == "agb_density_wetland_marsh_ndvi")
    rows = sets.load("open:marsh_biomass_ndvi", job["parameters"]["where"])
    rows = rows[(rows["agb_density"] > 0) & rows["ndvi"].notna()]
    x, y = rows["ndvi"], np.log(rows["agb_density"])
    naive = np.cov(x, y)[0, 1] / x.var()
    corrected = naive * x.var() / (x.var() - job["parameters"]["predictor_error"] ** 2)
    assert (naive, corrected) == pytest.approx((3.213, 3.702), abs=0.001)
    given = content["defaults"] | job["parameters"]
    declared = paths.notebook_code(paths.root() / "notebooks/grassland.ipynb")[1]
    recipe = {"notebook": "notebooks/grassland.ipynb"}
    recipe["parameters"] = {
        k: repr(v) for k, v in given.items() if k in declared and k not in ("table_id", "version")
    }
    inputs = recompute.Inputs()
    frames = recompute.frames_again(recipe, given["table_id"], given["version"], inputs)
    assert frames is not None, inputs.missing
    slopes = frames["coefficients"].query("name == 'b'").set_index("model_id")["value"]
    assert slopes.filter(like="without_error").item() == pytest.approx(corrected, rel=1e-3)
