"""Shrubs against the tables of Zhao et al. (2019), 26 shrubs of Inner Mongolia."""

import numpy as np
import pytest

from sinklab.errors import DataError, EquationError
from sinklab.systems import printed, shrub


@pytest.mark.parametrize("species", ["nitraria_tangutorum"])
def test_parts_add_up_to_the_printed_total(species):
    # Table 2: 273.10 V + 92.99 and 492.64 V + 185.27 g make 765.74 V + 278.26 g.
    size = {"height": 0.6, "crown_area": np.array([0.5, 2.0, 8.0])}
    parts = [printed.evaluate(f"{species}_{y}", **size) for y in ("agb", "root")]
    assert sum(parts) == pytest.approx(printed.evaluate(f"{species}_total", **size), rel=1e-9)


def test_power_models_of_a_species_agree_with_each_other():
    # Sarcozygium: 1260.34 V^0.98, 512.97 V^1.01 and 1861.57 V^1.00 g.
    size = {"height": 0.5, "crown_area": np.array([0.2, 0.8, 2.0])}
    parts = sum(printed.evaluate(f"sarcozygium_xanthoxylon_{y}", **size) for y in ("agb", "root"))
    assert parts == pytest.approx(printed.evaluate("sarcozygium_xanthoxylon_total", **size), rel=0.06)
    assert printed.evaluate("sarcozygium_xanthoxylon_agb", height=1.0, crown_area=1.0) == pytest.approx(
        1.26034
    )


def test_a_row_that_contradicts_its_genus_is_not_used():
    with pytest.raises(EquationError, match="suspect"):
        printed.evaluate("caragana_ordosica_agb", height=0.2, crown_area=0.1)
    found = shrub.densities({})
    assert "Caragana ordosica" not in set(found["species"])
    assert found["crown_mass_density"].between(0.1, 6).all() and len(found) >= 12


def test_sizes_by_hand():
    assert shrub.crown_area(2.0, 1.0) == pytest.approx(np.pi / 2)
    assert shrub.crown_volume(0.5, np.pi / 2) == pytest.approx(np.pi / 4)
    assert shrub.joint_diameter([3.0, 4.0]) == pytest.approx(5.0)
    with pytest.raises(DataError):
        shrub.joint_diameter([3.0, 0.0])


def test_stand_by_cover():
    assert shrub.stand_by_cover(0.3, 0.5) == pytest.approx(1.5)
    with pytest.raises(DataError, match="30 % = 0.3"):
        shrub.stand_by_cover(30, 0.5)


@pytest.mark.parametrize(
    ("height", "crown", "printed_volume"),
    [(0.97, 1.261, 1.223), (1.85, 2.032, 3.759), (1.65, 2.348, 3.875), (0.50, 0.386, 0.193)],
)
def test_crown_volume_is_height_times_crown_as_printed(height, crown, printed_volume):
    # Table of ranges: the largest height, crown and volume of Sarcozygium, Haloxylon, Rosa and Caragana brachypoda.
    assert shrub.crown_volume(height, crown) == pytest.approx(printed_volume, rel=1.5e-3)


def test_root_shoot_of_the_equations_is_near_the_printed_means():
    # Text of the paper: desert shrubs 0.76, mountain shrubs 1.03; the middle of the sizes of each species here.
    rows = [r for r in printed.equations().values() if r.system == "shrub" and r.response == "root"]
    ratio = {"desert": [], "mountain": []}
    for row in rows:
        above = printed.equations().get(row.equation_id.replace("_root", "_agb"))
        if (
            above is None
            or above.status != "read"
            or row.region not in ratio
            or row.predictor != above.predictor
        ):
            continue
        size = {"height": 1.0, "crown_area": np.sqrt(float(row.minimum) * float(row.maximum))}
        ratio[row.region].append(
            float(
                (printed.evaluate(row.equation_id, **size) / printed.evaluate(above.equation_id, **size))[0]
            )
        )
    assert np.mean(ratio["desert"]) == pytest.approx(0.76, abs=0.3)
    assert np.mean(ratio["mountain"]) == pytest.approx(1.03, abs=0.35)
