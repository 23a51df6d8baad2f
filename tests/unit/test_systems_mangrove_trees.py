"""Mangrove trees: equations against print, plots by hand, errors at the level where they are shared."""

import numpy as np
import pandas as pd
import pytest

from sinklab.errors import DataError
from sinklab.systems import mangrove_trees, wetland

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
    wood = mangrove_trees.wood_densities(plants()["species"].unique(), RECORDS)
    return mangrove_trees.tree_masses(plants(), wood), wood


def test_wood_density_of_a_species_and_one_without(trees):
    _, wood = trees
    assert wood["wood_density"].tolist() == pytest.approx([0.75, 0.9])
    assert wood.loc["Rhizophora mangle", "sd"] == pytest.approx(np.std([0.8, 0.9, 0.9, 1.0], ddof=1) / 2)
    with pytest.raises(DataError, match="Laguncularia racemosa"):
        mangrove_trees.wood_densities(["Laguncularia racemosa"], RECORDS)


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


def test_local_equations_by_hand():
    # Table of equations in use in China: Kandelia 0.05698 D2 - 0.295595, Sonneratia 0.034 (D2 H)^0.966 at 10 cm and 7 m.
    masses = mangrove_trees.local_masses(np.array([10.0, 1.0]), np.array([7.0, 1.0]))
    assert masses["kandelia_obovata_agb"][0] == pytest.approx(5.4024, rel=1e-3)
    assert masses["sonneratia_apetala_agb"][0] == pytest.approx(0.034 * 700**0.966, rel=1e-6)
    assert masses["bruguiera_gymnorhiza_agb"][0] == pytest.approx(
        wetland.mangrove_tree(10.0, 0.81)[0].item(), rel=1e-9
    )
    # Below its trees an equation is no mass at all.
    assert np.isnan(masses["kandelia_obovata_agb"][1])


def test_nested_plots_by_hand(trees):
    made, _ = trees
    plots = mangrove_trees.plot_density(made, "common").set_index("plot_id")["agb_density"]
    assert plots["a1"] == pytest.approx((made["common"][0] * 100 + made["common"][1] * 800) / 1000)
    assert plots["b1"] == pytest.approx(made["common"][2] * 0.05)


def test_errors_are_shared_by_a_species(trees):
    made, wood = trees
    doubt = {"Rhizophora mangle": 0.3, "Avicennia germinans": 0.0}
    drawn, shares = mangrove_trees.site_draws(made, wood, doubt, 0.02, 4000, 1)
    assert list(drawn.columns) == ["a", "b"]
    assert drawn["a"].mean() == pytest.approx(
        mangrove_trees.plot_density(made, "common")["agb_density"][0], rel=0.03
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
    from sinklab import datasets

    every = datasets.load("open:mangrove_trees_belize")
    assert len(every) == 3886 and (every["status"] == "dead").sum() == 378
    used = every[(every["status"] == "alive") & (every["dbh"] > 0) & (every["height"] > 0)]
    assert len(used) == 3505 and (used["height"] <= 1.3).sum() == pytest.approx(850, abs=5)


def test_ratio_of_two_equations_by_hand(trees):
    made, _ = trees
    made = made.assign(other=made["common"] * [2.0, 1.0, 0.5])
    table = mangrove_trees.between_equations(made, "other", "common")
    first = made[made["species"] == "Rhizophora mangle"]
    assert table.loc["Rhizophora mangle", "of_sums"] == pytest.approx(
        first["other"].sum() / first["common"].sum()
    )
    assert table.loc["Rhizophora mangle", "geometric_mean"] == pytest.approx(np.sqrt(2))
    assert table.loc["Avicennia germinans", "of_sums"] == pytest.approx(0.5)
