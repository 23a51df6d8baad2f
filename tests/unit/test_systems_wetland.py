"""Wetland functions against what their sources print."""

import numpy as np
import pytest

from sinklab import literature
from sinklab.errors import DataError, EquationError
from sinklab.systems import printed, wetland


def test_common_mangrove_equation_equals_the_row_for_bruguiera():
    # Komiyama et al. (2005) with 0.81 g/cm3 is the row of Bruguiera gymnorhiza in the Chinese table of equations.
    dbh = np.array([3.0, 8.0, 20.0])
    agb, root = wetland.mangrove_tree(dbh, 0.81)
    assert agb == pytest.approx(printed.evaluate("bruguiera_gymnorhiza_agb", dbh=dbh), rel=1e-12)
    assert agb == pytest.approx([3.033, 33.86, 322.5], rel=2e-3)
    assert root == pytest.approx(0.199 * 0.81**0.899 * dbh**2.22, rel=1e-12)


def test_shrubby_kandelia_by_hand():
    # Khan et al. (2005): 0.04117 kg for 1 cm and 1 m; 5 cm and 2 m weigh 2.06 kg.
    assert wetland.shrubby_mangrove([1.0, 5.0], [1.0, 2.0]) == pytest.approx([0.04117, 2.0585], rel=1e-9)


def test_mixing_by_its_ends_and_the_coefficients_of_the_inventory():
    assert wetland.mixing_density([0.0, 1.0], 0.098, 1.67) == pytest.approx([1.67, 0.098])
    matter = np.linspace(0.01, 0.9, 7)
    expected = printed.evaluate("density_mixing", organic_matter=matter)
    assert wetland.mixing_density(matter, 0.098, 1.67) == pytest.approx(expected, rel=1e-12)


def test_mass_stays_when_a_core_is_stretched():
    top, bottom, density = wetland.decompacted([0, 20], [20, 40], [1.0, 1.2], 40, 50)
    assert list(bottom) == [25, 50] and density == pytest.approx([0.8, 0.96])
    assert (bottom - top) @ density == pytest.approx(20 * 1.0 + 20 * 1.2)
    with pytest.raises(DataError, match="exchange the two"):
        wetland.decompacted([0], [20], [1.0], 50, 40)


def test_stems_of_cordgrass_need_a_season():
    # Huang et al. (2021), table 1: 473 stems per m2; 12.35 t/ha above ground are 2.61 g a stem.
    assert wetland.stem_count_mass(473, 2.611, "mean of the year") == pytest.approx(12.35, rel=1e-3)
    # He et al. (2018): 68 stems per m2 of reed, 2327.3 g/m2 in all, 0.668 of the shoots in roots: 20.5 g a stem.
    rows = literature.load("wetland_vegetation")
    reed = rows[(rows["site"] == "transect A") & (rows["species"] == "Phragmites australis")].iloc[0]
    above = reed["total_density"] / (1 + reed["root_shoot_ratio"])
    assert wetland.stem_count_mass(reed["stem_density"] / 1e4, 20.52, "not stated") == pytest.approx(
        above, rel=1e-3
    )
    with pytest.raises(DataError, match="season"):
        wetland.stem_count_mass(473, 4.5, "")


def test_peat_of_zoige_as_printed():
    # Thesis on Zoige alpine marsh and Liu et al. (2012): 140.67 kg/m2 to 2 m, 143.97 kg/m2 for China.
    rows = literature.load("wetland_stocks").set_index("source_id")
    assert wetland.peat_stock(200, 140.67 / 2) == pytest.approx(rows.loc["ZOIGETHESIS", "soc_stock"])
    assert wetland.peat_stock(143.97, 100) == pytest.approx(rows.loc["CNPEAT2012", "soc_stock"])


def test_recalled_equations_do_not_become_numbers():
    with pytest.raises(EquationError, match="recalled"):
        printed.evaluate("moso_linan_agb", dbh=10, age_class=2)
    assert printed.evaluate("moso_linan_agb", True, dbh=10, age_class=2) == pytest.approx(13.8, abs=0.1)
    with pytest.raises(EquationError, match="not known"):
        printed.evaluate("nothing", dbh=1)


def test_every_printed_equation_has_a_source_and_parses():
    from sinklab.equations import System

    known = set(literature.sources().index)
    for row in printed.equations().values():
        assert row.source_id in known, row.equation_id
        assert row.response in System.parse(row.text).responses
