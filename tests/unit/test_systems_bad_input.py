"""Bad input of every system: the message names the record, what was found and the likely unit; nothing is guessed."""

import pandas as pd
import pytest

from sinklab.data import soil_layers, vocabulary
from sinklab.language import DataError
from sinklab.systems import bamboo, forest, grassland, karst, shrub, soil, wetland


def core(top=(0, 10, 20), bottom=(10, 20, 40), density=(1.1, 1.2, 1.3), soc=(20.0, 15.0, 10.0), **more):
    return pd.DataFrame(
        {"layer_top": top, "layer_bottom": bottom, "bulk_density": density, "soc": soc} | more
    )


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (core(top=(0, 8, 20)), r"core 7: .*record 2.*layer 8-20 cm, expected to begin at 10 cm.*overlaps"),
        (core(top=(0, 12, 20)), r"core 7: .*record 2.*layer 12-20 cm, expected to begin at 10 cm.*gap"),
        (core(bottom=(10, 20, 15)), r"record 3.*bottom lies above top"),
        (
            core(density=(1100.0, 1.2, 1.3)),
            r"record 1: bulk_density = 1100.*kg/m3 \(1100 kg/m3 = 1.1 g/cm3\)",
        ),
        (core(gravel_fraction=(0.1, 12.0, 0.1)), r"record 2: gravel_fraction = 12.*% \(12 % = 0.12\)"),
        (core(organic_matter=(0.06, 4.1, 0.03)), r"record 2: organic_matter = 4.1.*% \(4.1 % = 0.041\)"),
        (
            core(soc=(2.0, 15.0, 10.0), organic_matter=(0.05, 0.03, 0.02)),
            r"record 1: soc = 2 g/kg is 4 % of the organic matter.*2 % = 20 g/kg",
        ),
        (
            core(soc=(20.0, None, 10.0)),
            r"record 2: soc is missing; impute it as a distribution, it is not zero",
        ),
    ],
)
def test_a_core_is_refused_with_its_record(layers, words):
    with pytest.raises(DataError, match=rf"(?s){words}"):
        soil.stock_to_depth(layers, 40, name="core 7")


def test_all_faults_of_a_core_come_at_once():
    bad = core(top=(0, 8, 20), density=(1100.0, 1.2, 1.3), gravel_fraction=(0.1, 12.0, 0.1))
    with pytest.raises(DataError) as error:
        soil.stock_to_depth(bad, 40)
    assert all(words in str(error.value) for words in ("overlaps", "1.1 g/cm3", "12 % = 0.12"))


def test_nothing_is_converted_on_its_own():
    bad = core(density=(1100.0, 1.2, 1.3))
    kept, lines = soil_layers.set_aside(bad)
    assert kept["bulk_density"].isna().tolist() == [True, False, False] and len(lines) == 1
    assert bad["bulk_density"].tolist() == [1100.0, 1.2, 1.3]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: karst.exposure([0.2, 0.3, 35.0]), r"record 3: bedrock_exposure = 35.*35 % = 0.35"),
        (
            lambda: karst.vegetation_per_hectare([80.0, 90.0], "soil_patch", [0.3, 45.0]),
            r"record 2: bedrock_exposure = 45.*45 % = 0.45",
        ),
        (
            lambda: karst.probe_thickness([0, 12, -4, 8, 9], [1, 1, 1, 2, 2]),
            r"record 3: soil_depth = -4.*field book",
        ),
        (lambda: shrub.stand_by_cover([0.3, 30.0], 0.5), r"record 2: cover_fraction = 30.*30 % = 0.3"),
        (lambda: grassland.yunnan_aboveground(6000.0, 20.0, 0.7), r"record 1: ndvi = 6000"),
        (
            lambda: bamboo.require_age_class([1, 3, 5, 7]),
            r"records 2, 3, 4: age_class holds 1, 3, 5, 7; likely years",
        ),
        (lambda: bamboo.require_age_class([1, 2, 8]), r"records 3: age_class holds 1, 2, 8; likely years"),
        (lambda: wetland.decompacted([0], [20], [1.0], 50, 40), r"50"),
        (lambda: wetland.stem_count_mass(68e4, 20.5, " "), r"season is blank"),
        (
            lambda: forest.ratios(pd.DataFrame({"agb_density": [50.0], "stem_biomass_density": [80.0]})),
            r"records 1: the stem is heavier.*carbon beside dry mass",
        ),
        (
            lambda: wetland.wood_densities(
                ["Kandelia obovata"], pd.DataFrame(columns=["genus", "species", "wood_density"])
            ),
            r"Kandelia obovata",
        ),
    ],
)
def test_systems_name_the_record_and_the_likely_unit(call, words):
    with pytest.raises(DataError, match=rf"(?s){words}"):
        call()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("carbon_fraction", 47.0, "47 % = 0.47"),
        ("carbon_fraction", 483.45, "483.45 g/kg = 0.48345"),
        ("bulk_density", 1250.0, "1250 kg/m3 = 1.25 g/cm3"),
        ("bedrock_exposure", 35.0, "35 % = 0.35"),
        ("gravel_fraction", 21.6, "21.6 % = 0.216"),
        ("cover_fraction", 85.0, "85 % = 0.85"),
        ("organic_matter", 34.0, "34 % = 0.34"),
    ],
)
def test_likely_unit_of_a_value(name, value, words):
    inside = (vocabulary.variable(name).minimum + vocabulary.variable(name).maximum) / 2
    lines = vocabulary.suspect(pd.Series([inside, inside, value]), name)
    assert len(lines) == 1 and "record 3" in lines[0] and words in lines[0]
    assert vocabulary.suspect(pd.Series([inside]), name) == []
