"""Values of the systems again from the raw files, by plain pandas, numpy and scipy: none of our readers, fits or statistics.

Every check compares what the library gives with what a reader of the files would work out by hand.
"""

import csv
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import curve_fit, minimize

import sinklab as sl
from sinklab.data import literature
from sinklab.data.open_data import load
from sinklab.systems import forest, karst, shrub, soil, wetland

LITERATURE = Path(__file__).parents[2] / "data" / "literature"


def raw(name: str) -> pd.DataFrame:
    return pd.read_csv(LITERATURE / name, encoding="utf-8-sig")


# Karst: 22 values.


def test_karst_from_its_files():
    types, layers = raw("karst_soil_types.csv").set_index("soil_type"), raw("karst_soil_layers.csv")
    content = raw("karst_soc.csv").query("site == 'Houzhai, Puding' and layer_bottom - layer_top <= 10")
    content = content.sort_values("layer_top")
    below = dict(zip(content["layer_bottom"], content["soc"], strict=True))

    def carbon(kind: str, depth: float) -> float:
        """Layers of the soil, then the mean profile scaled to its last layer, cut at a depth. [t/ha]."""
        rows = layers[(layers["soil_type"] == kind) & layers["carbon_density"].notna()].sort_values(
            "layer_top"
        )
        total, last = 0.0, rows.iloc[-1]
        for top, bottom, density in rows[["layer_top", "layer_bottom", "carbon_density"]].to_numpy():
            total += max(min(bottom, depth) - top, 0.0) * density / 10
        for top, bottom, soc in content[["layer_top", "layer_bottom", "soc"]].to_numpy():
            if top >= last["layer_bottom"]:
                scaled = last["carbon_density"] * soc / below[last["layer_bottom"]]
                total += max(min(bottom, depth, 100.0) - top, 0.0) * scaled / 10
        return total

    houzhai = literature.load("karst_soil_types"), literature.load("karst_soil_layers"), content
    by_hand = {kind: carbon(kind, row["soil_depth"]) for kind, row in types.iterrows()}
    for kind, stock in by_hand.items():
        part = houzhai[1][houzhai[1]["soil_type"] == kind]
        found = float(karst.cumulative(part, content)(types.loc[kind, "soil_depth"]))
        assert found == pytest.approx(stock, rel=1e-9), kind
    hectares, soil_share = (
        types["area"] * 100,
        (1 - types["bedrock_exposure"]) * (1 - types["gravel_fraction"]),
    )
    stock = pd.Series(by_hand)
    bare, full = float((stock * hectares).sum()), float((stock * hectares * soil_share).sum())
    assert (round(bare / 1e5, 2), round(full / 1e5, 2)) == (6.17, 5.00)
    assert karst.total(*houzhai) == pytest.approx(full, rel=1e-9)
    told = karst.printed_tables(*houzhai, 1.20, 121.2, 0.3612)
    weight = types["area"] / types["area"].sum()
    contents = layers["carbon_density"] / layers["bulk_density"]
    first = contents[layers["layer_bottom"] == 5].max()
    depth, whole = float(weight @ types["soil_depth"]), 0.0
    for top, bottom, soc in content[["layer_top", "layer_bottom", "soc"]].to_numpy():
        whole += max(min(bottom, depth) - top, 0.0) * soc * 1.20 / 10
    area = float(hectares.sum())
    by_hand = [
        first,
        bare / 1e5,
        bare / 1e5,
        whole * area / 1e5,
        weight @ types["bedrock_exposure"],
        full / 1e5,
    ]
    assert told["first"].tolist() == pytest.approx(by_hand, rel=1e-9)
    assert told["second"].tolist() == pytest.approx([29.66, 9.37, 121.2 * area / 1e5, 8.53, 0.3612, 5.39])
    plots = raw("karst_plots.csv")["bedrock_exposure"]
    guilin = karst.exposure(plots)
    assert (guilin.mean, guilin.sd) == pytest.approx((plots.mean(), plots.std()), rel=1e-6)


# Coastal soils: 53 stocks, and 47 of them in equal mass.


def test_coastal_soils_from_their_file():
    cores = literature.load("wetland_cores")
    found = soil.stocks(cores, 100, ["core_id"]).set_index("core_id")["soc_stock"]
    file = raw("wetland_cores.csv").set_index("core_id").loc[found.index]
    # The stock that is printed for a core stands; density times carbon times depth differs by what was rounded.
    assert len(found) == 53 and found.to_numpy() == pytest.approx(file["soc_stock"].to_numpy(), rel=1e-9)
    by_hand = file["bulk_density"] * file["soc"] * (file["layer_bottom"] - file["layer_top"]) / 10
    assert np.median(np.abs(by_hand / found - 1)) < 0.04
    mass = np.sort(file["bulk_density"].to_numpy() * 1e4)
    reference = mass[5] + 0.2 * (mass[6] - mass[5])
    compared = soil.compare_methods(cores, 100, ["core_id"])
    assert compared.attrs["mass"] == pytest.approx(reference) and len(compared) == (mass >= reference).sum()
    kept = file.loc[[key[0] for key in compared.index]]
    # One layer: the reference mass holds the carbon content of the core.
    by_hand = reference * kept["soc"].to_numpy() / 1000
    assert compared["equivalent"].to_numpy() == pytest.approx(by_hand, rel=1e-9)


# Shrubs: 12 densities.


def test_shrubs_from_their_equations():
    species = shrub.densities({}).set_index("species")
    with (LITERATURE / "equations" / "systems.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if r["system"] == "shrub" and r["response"] == "agb"]
    rows = [r for r in rows if r["predictor"] == "crown_volume" and r["status"] == "read"]
    assert len(rows) == len(species) == 12
    for row in rows:
        volume = math.sqrt(float(row["minimum"]) * float(row["maximum"]))
        mass = eval(row["text"].partition("=")[2], {"height": 1.0, "crown_area": volume})  # noqa: S307
        assert species.loc[row["species"], "crown_mass_density"] == pytest.approx(mass / volume, rel=1e-9)


# Stands: lines from growing stock, and growth by age.


@pytest.fixture(scope="module")
def plots(open_data):
    file = pd.read_csv(open_data / "eurasia_biomass" / "plots.csv")
    file = file.rename(columns=lambda c: c.replace("Growing sto\u0441k", "Growing stock"))
    numbers = ["Stand age", "Growing stock", "Stem & bark", "Wood & bark of crown", "Leaves & needles"]
    return file.assign(**{c: pd.to_numeric(file[c], errors="coerce") for c in numbers})[
        file["Country"] == "CHN"
    ]


def likeliest(curve, x, y, start) -> np.ndarray:
    """Coefficients where the likelihood is largest: normal, with a standard deviation that is a power of the mean."""

    def deviance(theta):
        mean = curve(x, *theta[:-2])
        if not (mean > 0).all():
            return 1e12
        sd = np.exp(theta[-2]) * mean ** theta[-1]
        return float((np.log(sd) + ((y - mean) / sd) ** 2 / 2).sum())

    theta = np.r_[start, 0.0, 0.7]
    for _ in range(6):
        theta = minimize(
            deviance, theta, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-9, "fatol": 1e-10}
        ).x
    return theta[:-2]


def indices(observed, told, k) -> list[float]:
    """R2, SEE and TRE from their definitions."""
    left = observed - told
    see = math.sqrt((left**2).sum() / (len(left) - k))
    return [
        1 - (left**2).sum() / ((observed - observed.mean()) ** 2).sum(),
        see,
        100 * left.sum() / told.sum(),
    ]


@pytest.mark.open_data
@pytest.mark.parametrize(
    ("latin", "species"),
    [
        ("Cunninghamia lanceolata", "cunninghamia_lanceolata"),
        ("Pinus massoniana", "pinus_massoniana"),
    ],
)
def test_lines_of_stands_from_the_file(open_data, plots, latin, species):
    part = plots[plots["Tree species"] == latin]
    mass = part[["Stem & bark", "Wood & bark of crown", "Leaves & needles"]].sum(axis=1, skipna=False)
    stock = part["Growing stock"]
    known = mass.notna() & stock.notna()
    x, y = stock[known].to_numpy(), mass[known].to_numpy()
    slope, constant = likeliest(lambda v, a, b: a * v + b, x, y, np.polyfit(x, y, 1))
    stands = load("open:eurasia_plots", {"country": "CHN", "species": species})
    fit = sl.fit(stands, "agb_density = a * growing_stock + b")
    assert fit.n["agb_density"] == len(x)
    assert fit.values == pytest.approx([slope, constant], rel=2e-3)
    row = fit.indices().loc["agb_density"]
    by_hand = indices(y, slope * x + constant, 2)
    assert row[["R2", "SEE"]].tolist() == pytest.approx(by_hand[:2], rel=2e-3)
    assert row["TRE"] == pytest.approx(by_hand[2], abs=5e-2)


@pytest.mark.open_data
def test_growth_of_planted_fir_from_the_file(open_data, plots):
    part = plots[(plots["Tree species"] == "Cunninghamia lanceolata") & (plots["Origin"] == "Planted")]
    part = part[(part["Stand age"] > 0) & (part["Growing stock"] > 0)]
    # Forty-eight stocks are one form factor times basal area and height: those were computed.
    cylinder = np.pi / 4 * (part["DBH"] / 100) ** 2 * part["Tree number"] * part["Height"]
    made = np.abs(np.log(part["Growing stock"] / cylinder / 0.51133)) < 0.0056
    assert made.sum() == 48
    part = part[~made]
    age, stock = part["Stand age"].to_numpy(), part["Growing stock"].to_numpy()
    curves = {
        "gompertz": (lambda t, a, b, k: np.exp(a - np.exp(b - np.exp(k) * t)), [6.5, 1.3, -2.8]),
        "schumacher": (lambda t, a, b: np.exp(a - np.exp(b) / t), [6.3, 2.7]),
        "logistic": (lambda t, a, b, k: np.exp(a) / (1 + np.exp(b - np.exp(k) * t)), [6.5, 2.9, -2.2]),
    }
    where = {"country": "CHN", "species": "cunninghamia_lanceolata", "origin": "planted"}
    fits, refused = forest.fit_growth(load("open:eurasia_plots", where), "growing_stock", forms=tuple(curves))
    assert sorted(fit.label for fit in fits) == sorted(curves) and not refused
    for fit in fits:
        curve, start = curves[fit.label]
        found = likeliest(curve, age, stock, start)
        assert fit.n["growing_stock"] == len(age)
        assert fit.values == pytest.approx(found, abs=5e-3), fit.label
        row = fit.indices().iloc[0]
        by_hand = indices(stock, curve(age, *found), len(start))
        assert row[["R2", "SEE"]].tolist() == pytest.approx(by_hand[:2], rel=2e-3)
        told = forest.increments(fit, [10.0, 20.0], n=20)
        gain = [curve(t + 1, *found) - curve(t, *found) for t in (10.0, 20.0)]
        mean = [curve(t, *found) / t for t in (10.0, 20.0)]
        assert told["cai"].tolist() == pytest.approx(gain, rel=5e-3)
        assert told["mai"].tolist() == pytest.approx(mean, rel=5e-3)


# Heights of larch: two curves.


@pytest.mark.open_data
def test_heights_of_larch_from_the_file(open_data):
    file = pd.read_csv(open_data / "eurasia_biomass" / "trees.csv")
    part = file[file["Species"].str.startswith("Larix", na=False)]
    trees = load("open:eurasia_trees", {"genus": "Larix"})
    used = part.set_index("ID").loc[trees["tree_id"].astype(int)] if "tree_id" in trees else part
    used = used[(used["DBH"] > 0) & (used["H tree"] > 1.3)]
    dbh, height = used["DBH"].to_numpy(), used["H tree"].to_numpy()
    curves = {
        "michailoff": lambda d, a, b: 1.3 + np.exp(a - np.exp(b) / d),
        "michaelis_menten": lambda d, a, b: 1.3 + np.exp(a) * d / (np.exp(b) + d),
    }
    fits, _ = forest.fit_heights(trees, forms=tuple(curves))
    assert set(fits) == set(curves)
    for form, fit in fits.items():
        found = likeliest(curves[form], dbh, height, curve_fit(curves[form], dbh, height, [3.2, 2.5])[0])
        assert fit.n["height"] == len(dbh)
        assert fit.values == pytest.approx(found, abs=5e-3), form


# Mangroves of Belize: the mean of ten sites by two equations.


@pytest.mark.open_data
def test_mangroves_from_the_files(open_data):
    plants = pd.read_csv(open_data / "mangrove_trees_belize" / "Morrissette_et_al_2023_plants.csv")
    (file,) = (open_data / "wood_density").glob("*.csv")
    wood = pd.read_csv(file)
    density = wood.groupby(wood["genus"] + " " + wood["species"])["wd"].mean()
    alive = plants["alive_or_dead"].eq("alive") & plants["species"].str.contains(" ", na=False)
    used = plants[alive & (plants["diameter"] > 0) & (plants["height"] > 0)]
    each = used["plot_density"] / 1000
    common = 0.251 * used["species"].map(density) * used["diameter"] ** 2.46 * each
    authors = used["plant_aboveground_mass"] * each
    sites = {}
    for name, mass in (("common", common), ("mass_by_authors", authors)):
        by_plot = mass.groupby([used["site_id"], used["plot_id"]]).sum()
        sites[name] = by_plot.groupby("site_id").mean()
    trees = load("open:mangrove_trees_belize")
    whole = (trees["dbh"] > 0) & (trees["height"] > 0) & trees["species"].str.contains(" ", na=False)
    trees = trees[(trees["status"] == "alive") & whole]
    species = wetland.wood_densities(trees["species"].unique(), load("open:wood_density"))
    trees = wetland.tree_masses(trees, species)
    assert len(trees) == len(used) == 3505
    for name, by_hand in sites.items():
        found = wetland.plot_density(trees, name).groupby("site")["agb_density"].mean()
        assert len(found) == 10
        assert found.to_numpy() == pytest.approx(by_hand.loc[found.index].to_numpy(), rel=1e-6), name
