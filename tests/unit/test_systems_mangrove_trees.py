"""Mangrove trees: equations against print, plots by hand, errors at the level where they are shared."""

import numpy as np
import pandas as pd
import pytest

from sinklab.evidence import equations
from sinklab.language import DataError, EquationError
from sinklab.systems import wetland

RECORDS = pd.DataFrame(
    {
        "genus": ["Rhizophora"] * 4 + ["Avicennia"] * 2,
        "species": ["mangle"] * 4 + ["germinans"] * 2,
        "wood_density": [0.8, 0.9, 0.9, 1.0, 0.7, 0.8],
    }
)


def plants():
    return pd.DataFrame(
        {
            "species": ["Rhizophora mangle", "Rhizophora mangle", "Avicennia germinans"],
            "site": ["a", "a", "b"],
            "plot_id": ["a1", "a1", "b1"],
            "stem_density": [100.0, 800.0, 50.0],
            "dbh": [10.0, 2.0, 20.0],
            "height": [8.0, 1.0, 12.0],
        }
    )


@pytest.fixture
def trees():
    wood = wetland.wood_densities(plants()["species"].unique(), RECORDS)
    return wetland.tree_masses(plants(), wood), wood


def test_wood_density_of_a_species_and_one_without(trees):
    _, wood = trees
    assert wood["wood_density"].tolist() == pytest.approx([0.75, 0.9])
    assert wood.loc["Rhizophora mangle", "sd"] == pytest.approx(np.std([0.8, 0.9, 0.9, 1.0], ddof=1) / 2)
    with pytest.raises(DataError, match="Laguncularia racemosa"):
        wetland.wood_densities(["Laguncularia racemosa"], RECORDS)


def test_masses_by_print_and_low_plants_by_height(trees):
    made, _ = trees
    # Komiyama et al. (2005): 0.251 rho D^2.46, so 10 cm at 0.9 g/cm3 weigh 65.15 kg.
    assert made["common"][0] == pytest.approx(0.251 * 0.9 * 10**2.46, rel=1e-9)
    # Khan et al. (2005): 0.04117 D^2 H, so 2 cm and 1 m weigh 0.165 kg; the common equation gives 1.24 kg.
    assert made["low"].tolist() == [False, True, False]
    assert made["by_height"][1] == pytest.approx(0.04117 * 4, rel=1e-9) and made["common"][
        1
    ] == pytest.approx(1.243, rel=2e-3)
    assert made["by_height"][0] == made["common"][0]


@pytest.mark.printed(
    "wetland.local_masses",
    source="He et al. (2017) and Hu et al. (2019), table of equations in use in China",
    results=4,
)
def test_local_equations_have_the_printed_coefficients():
    # Two or three sizes give every coefficient back: slope and constant of a line, factor and exponent of a power.
    dbh, height = np.array([10.0, 20.0]), np.array([5.0, 5.0])
    masses = wetland.local_masses(dbh, height)
    for name, x, printed in (("avicennia_marina_agb", dbh**2 * height, (0.076123, -0.222424)),):
        slope = np.diff(masses[name])[0] / np.diff(x)[0]
        assert (slope, masses[name][0] - slope * x[0]) == pytest.approx(printed, rel=1e-9), name
    exponent = np.diff(np.log(masses["sonneratia_apetala_agb"]))[0] / np.diff(np.log(dbh**2 * height))[0]
    assert exponent == pytest.approx(0.966, rel=1e-9)
    assert masses["sonneratia_apetala_agb"][0] / 500**exponent == pytest.approx(0.034, rel=1e-9)


def test_local_equations_by_hand():
    # Table of equations in use in China: Avicennia 0.076123 D2 H - 0.222424, Sonneratia 0.034 (D2 H)^0.966 at 10 cm and 7 m.
    masses = wetland.local_masses(np.array([10.0, 1.0]), np.array([7.0, 1.0]))
    assert masses["avicennia_marina_agb"][0] == pytest.approx(53.0637, rel=1e-3)
    assert masses["sonneratia_apetala_agb"][0] == pytest.approx(0.034 * 700**0.966, rel=1e-6)
    assert masses["bruguiera_gymnorhiza_agb"][0] == pytest.approx(
        wetland.mangrove_tree(10.0, 0.81)[0].item(), rel=1e-9
    )
    # Below its trees an equation is no mass at all.
    assert np.isnan(masses["avicennia_marina_agb"][1])


def test_an_equation_that_lost_its_height_is_refused():
    # Kandelia 0.05698 D2 - 0.295595 in the same table: 1.1 kg at 5 cm, where its neighbours by D2 H at 4 m weigh 3 to 8.
    with pytest.raises(EquationError, match="an H seems lost"):
        equations.evaluate("kandelia_obovata_agb", dbh=5.0)
    printed = equations.evaluate("kandelia_obovata_agb", dbh=5.0, allow_recalled=True)[0]
    others = wetland.local_masses(np.array([5.0]), np.array([4.0]))
    assert "kandelia_obovata_agb" not in others and printed == pytest.approx(1.129, abs=1e-3)
    assert others.min(axis=1)[0] > 2.5 * printed
    # With the height it would be among them, and near the equation of Manko by the diameter at a tenth of the height.
    assert 0.05698 * 25 * 4 - 0.2956 == pytest.approx(5.40, abs=0.01)
    assert wetland.shrubby_mangrove(5.0, 4.0)[0] == pytest.approx(4.117)


def test_nested_plots_by_hand(trees):
    made, _ = trees
    plots = wetland.plot_density(made, "common").set_index("plot_id")["agb_density"]
    assert plots["a1"] == pytest.approx((made["common"][0] * 100 + made["common"][1] * 800) / 1000)
    assert plots["b1"] == pytest.approx(made["common"][2] * 0.05)


def test_errors_are_shared_by_a_species(trees):
    made, wood = trees
    doubt = {"Rhizophora mangle": 0.3, "Avicennia germinans": 0.0}
    drawn, shares = wetland.site_draws(made, wood, doubt, 0.02, 4000, 1)
    assert list(drawn.columns) == ["a", "b"]
    assert drawn["a"].mean() == pytest.approx(
        wetland.plot_density(made, "common")["agb_density"][0], rel=0.03
    )
    # Both plants of the first site share the factor: its relative sd is that of the equation and of the wood density.
    wood_sd = wood["sd"] / wood["wood_density"]
    expected = np.hypot(0.3, wood_sd["Rhizophora mangle"])
    assert drawn["a"].std() / drawn["a"].mean() == pytest.approx(expected, rel=0.08)
    assert drawn["b"].std() / drawn["b"].mean() == pytest.approx(
        np.hypot(wood_sd["Avicennia germinans"], 2.46 * 0.02), rel=0.08
    )
    assert shares.idxmax() == "equation" and shares.sum() == pytest.approx(1)


@pytest.mark.open_data
def test_belize(open_data):
    from sinklab.data import open_data

    every = open_data.load("open:mangrove_trees_belize")
    assert len(every) == 3886 and (every["status"] == "dead").sum() == 378
    used = every[(every["status"] == "alive") & (every["dbh"] > 0) & (every["height"] > 0)]
    assert len(used) == 3505 and (used["height"] <= 1.3).sum() == pytest.approx(850, abs=5)


#: Wood densities with which the authors of the Belize data computed roots. [g/cm3]
BELIZE_WOOD = {"Rhizophora mangle": 0.87, "Avicennia germinans": 0.72, "Laguncularia racemosa": 0.60}


@pytest.fixture(scope="module")
def belize(request):
    folder = request.getfixturevalue("open_data") / "mangrove_trees_belize"
    plants = pd.read_csv(folder / "Morrissette_et_al_2023_plants.csv")
    plots = pd.read_csv(folder / "Morrissette_et_al_2023_plots.csv")
    renamed = {"site_id": "site", "plot_density": "stem_density", "diameter": "dbh"}
    return plants.rename(columns=renamed).assign(height=plants["height"] / 100), plots


@pytest.mark.open_data
@pytest.mark.printed(
    "wetland.mangrove_tree", source="Morrissette et al. (2023), doi:10.25573/serc.21298338, plants", results=3
)
@pytest.mark.printed(
    "wetland.tree_masses",
    source="Morrissette et al. (2023), doi:10.25573/serc.21298338, plants",
    results=3500,
)
def test_roots_of_belize_as_its_authors_computed_them(belize):
    plants, _ = belize
    alive = plants[(plants["alive_or_dead"] == "alive") & (plants["dbh"] > 0)].dropna(
        subset=["plant_belowground_mass"]
    )
    wood = pd.DataFrame({"wood_density": BELIZE_WOOD})
    known = alive[alive["species"].isin(wood.index)]
    assert len(known) > 3500
    made = wetland.tree_masses(known, wood)
    assert made["root"].to_numpy() == pytest.approx(known["plant_belowground_mass"].to_numpy(), rel=1e-6)
    # 2 cm of Rhizophora: 0.8180 kg; of the other two, the first in the file.
    for species, density in BELIZE_WOOD.items():
        one = known[known["species"] == species].iloc[0]
        _, root = wetland.mangrove_tree(one["dbh"], density)
        assert root[0] == pytest.approx(one["plant_belowground_mass"], rel=1e-6)


@pytest.mark.open_data
@pytest.mark.printed(
    "wetland.wood_densities",
    source="Morrissette et al. (2023), doi:10.25573/serc.21298338, plants",
    results=3,
)
def test_wood_densities_agree_with_those_of_belize(open_data):
    from sinklab.data import open_data

    # The densities that reproduce the roots of Belize lie within two standard errors of the mean records.
    wood = wetland.wood_densities(list(BELIZE_WOOD), open_data.load("open:wood_density"))
    for species, printed in BELIZE_WOOD.items():
        row = wood.loc[species]
        assert abs(row["wood_density"] - printed) < 2 * row["sd"] < 0.1, species


@pytest.mark.open_data
@pytest.mark.printed(
    "wetland.plot_density",
    source="Morrissette et al. (2023), doi:10.25573/serc.21298338, plots",
    results=75,
)
def test_carbon_of_plots_in_belize_as_printed(belize):
    plants, plots = belize
    # Carbon of a plant is printed per hectare, above and below ground.
    carbon = plants["plant_aboveground_carbon"].fillna(0) + plants["plant_belowground_carbon"].fillna(0)
    plants = plants.assign(carbon=carbon / plants["stem_density"] * 1000)
    made = wetland.plot_density(plants, "carbon").set_index("plot_id")["agb_density"]
    both = plots.set_index("plot_id")["plot_plant_carbon"].to_frame("printed").join(made).dropna()
    both = both[both["printed"] > 0]
    away = (both["agb_density"] / both["printed"] - 1).abs()
    # The rest differs by dead wood whose carbon is not printed plant by plant.
    assert (away < 0.005).sum() >= 75 and (away < 0.02).sum() >= 95 and away.median() < 1e-4
    assert (both["agb_density"] < 1.005 * both["printed"]).all()


@pytest.mark.open_data
@pytest.mark.printed(
    "wetland.between_equations",
    source="Morrissette et al. (2023), doi:10.25573/serc.21298338, plants",
    results=6,
)
def test_carbon_over_mass_as_printed_for_belize(belize):
    plants, _ = belize
    # Carbon is printed in t/ha, mass in kg: 0.48 and 0.39 of it, in every species.
    for part, conversion in (("aboveground", 0.48), ("belowground", 0.39)):
        pair = plants.assign(carbon=plants[f"plant_{part}_carbon"] / plants["stem_density"] * 1000)
        pair = pair[pair["species"].isin(list(BELIZE_WOOD)) & (pair["alive_or_dead"] == "alive")]
        table = wetland.between_equations(pair, "carbon", f"plant_{part}_mass")
        assert table["of_sums"].to_numpy() == pytest.approx(conversion, rel=1e-4)
        assert table["geometric_mean"].to_numpy() == pytest.approx(conversion, rel=1e-3)


@pytest.mark.open_data
@pytest.mark.printed(
    "wetland.site_draws",
    source="Morrissette et al. (2023), doi:10.25573/serc.21298338, plants",
    results=10,
)
def test_draws_of_roots_centre_on_those_of_the_authors(belize):
    plants, _ = belize
    known = plants[
        (plants["alive_or_dead"] == "alive") & plants["species"].isin(list(BELIZE_WOOD)) & (plants["dbh"] > 0)
    ]
    wood = pd.DataFrame({"wood_density": BELIZE_WOOD, "sd": 0.02})
    made = wetland.tree_masses(known, wood)
    doubt = dict.fromkeys(BELIZE_WOOD, 0.05)
    drawn, _ = wetland.site_draws(made, wood, doubt, 0.02, 2000, 1, "root")
    plots = wetland.plot_density(known, "plant_belowground_mass")
    printed = plots.groupby("site")["agb_density"].mean()
    assert len(printed) == 10
    assert drawn.mean()[printed.index].to_numpy() == pytest.approx(printed.to_numpy(), rel=0.01)
    low, high = drawn.quantile(0.05), drawn.quantile(0.95)
    assert ((low < printed) & (printed < high)).all()


def test_ratio_of_two_equations_by_hand(trees):
    made, _ = trees
    made = made.assign(other=made["common"] * [2.0, 1.0, 0.5])
    table = wetland.between_equations(made, "other", "common")
    first = made[made["species"] == "Rhizophora mangle"]
    assert table.loc["Rhizophora mangle", "of_sums"] == pytest.approx(
        first["other"].sum() / first["common"].sum()
    )
    assert table.loc["Rhizophora mangle", "geometric_mean"] == pytest.approx(np.sqrt(2))
    assert table.loc["Avicennia germinans", "of_sums"] == pytest.approx(0.5)
