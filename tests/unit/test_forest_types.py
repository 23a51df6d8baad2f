"""Types of forest: every label of the Chinese plots reaches a species, a genus or a type."""

import pandas as pd
import pytest

from sinklab.data import files, open_data, vocabulary
from sinklab.data.open_data import forest_type, forest_types, select, types_within
from sinklab.language import DataError


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("Pinus massoniana Lamb.", "masson_pine"),
        ("Pinus elliottii", "needleleaf_evergreen"),
        ("Larix gmelinii (Rupr.) Kuzen.", "larch"),
        ("Quercus spp.", "temperate_deciduous"),
        ("Quercus semicarpifolia Smith", "sclerophyllous_oak"),
        ("Populus euphratica", "riparian_poplar"),
        ("Populus-Betula", "poplar_birch"),
        ("Picea ajanensis, Picea wilsonii, Pinus koraiensis -Abies georgei", "spruce_fir"),
        ("Cyclobalanopsis, Lithocarpus, Castanopsis, Machilus, Schima", "subtropical_evergreen"),
        ("Quercus, Tilia, Carpinus, Alnus, Ulmus, Acer", "temperate_deciduous"),
        ("Schima superba, Pinus massoniana", "mixed"),
        ("Schima superba, Liquidambar formosana", "broadleaf_mixed"),
        ("Populus spp., Larix gmelinii", "mixed"),
        ("Acer davidii", "broadleaf_deciduous"),
        ("Phyllostachys heterocycla (Carr.) Mitford cv. Pubescens", "bamboo"),
        ("Nothing known", ""),
        ("", ""),
    ],
)
def test_labels_and_their_types(label, kind):
    assert forest_type(label) == kind


def test_the_files_agree_with_each_other():
    kinds = set(forest_types())
    assert {row["parent"] for row in forest_types().values()} <= kinds | {""}
    assert {row["forest_type"] for row in files.records("vocabulary", "forest_labels.csv")} <= kinds
    assert {row["leaf"] for row in files.records("vocabulary", "forest_genera.csv")} <= kinds
    genera = [row["genus"] for row in files.records("vocabulary", "forest_genera.csv")]
    assert len(genera) == len(set(genera))
    assert vocabulary.is_variable("forest_type")


def test_plots_are_chosen_by_type_in_any_name_and_with_the_types_below_it():
    plots = pd.DataFrame(
        {"forest_type": ["larch", "spruce_fir", "chinese_pine", None], "age": [1.0, 2, 3, 4]}
    )
    assert select(plots, {"forest_type": "spruce_fir"})["age"].tolist() == [2]
    assert select(plots, {"forest_type": "云冷杉林"})["age"].tolist() == [2]
    assert select(plots, {"forest_type": ["larch forest", "油松林"]})["age"].tolist() == [1, 3]
    assert select(plots, {"forest_type": "needleleaf_evergreen"})["age"].tolist() == [2, 3]
    assert types_within("larch") == ["larch"]
    with pytest.raises(DataError, match="larch .1."):
        select(plots, {"forest_type": "moss"})


@pytest.mark.open_data
def test_types_of_the_open_plots(open_data):
    from sinklab.data.open_data import load

    chosen = load("open:eurasia_plots", {"country": "CHN", "forest_type": "subtropical_evergreen"})
    both = chosen[["agb_density", "bgb_density"]].notna().all(axis=1)
    assert both.sum() >= 188 and chosen["genus"].isna().any()


def reached(labels):
    """Whether each label gives a species, a genus or a type."""
    return labels.map(lambda label: any((*open_data.clean(label)[:2], forest_type(label))))


@pytest.mark.open_data
def test_nearly_all_chinese_plots_with_roots_are_reached_and_the_rest_is_known(open_data):
    """The three sets together; a plot without any label cannot be reached and is counted apart."""
    raw = pd.read_csv(open_data / "eurasia_biomass" / "plots.csv", low_memory=False)
    masses = ["Stem & bark", "Wood & bark of crown", "Leaves & needles", "Stump & Roots"]
    numbers = raw[masses].apply(pd.to_numeric, errors="coerce").notna().all(axis=1)
    eurasia = raw.loc[numbers & (raw["Country"] == "CHN"), "Tree species"].fillna("")
    groa = pd.read_csv(open_data / "groa_china" / "plots.csv", low_memory=False)
    above = groa["agb_t_ha"].fillna(groa["agb_and_understory_t_ha"])
    groa = groa.loc[above.notna() & groa["bgb_t_ha"].notna(), "species"].fillna("")
    forc = pd.read_csv(open_data / "forc_china" / "measurements.csv", low_memory=False)
    forc = forc[forc["variable.name"].str.match("biomass_(ag|root)_(C|OM)$")]
    words = forc[["scientific.name", "veg.notes", "dominant.veg"]].replace("NAC", None)
    forc["label"] = words.bfill(axis=1).iloc[:, 0].fillna("")
    keys = ["sites.sitename", "plot.name", "stand.age", "label"]
    pools = forc.groupby(keys, dropna=False)["variable.name"].agg(
        lambda v: v.str.extract("(ag|root)")[0].nunique()
    )
    forc = pools[pools == 2].index.get_level_values("label").to_series()

    labels = pd.concat([eurasia, groa, forc], ignore_index=True)
    assert (len(eurasia), len(groa)) == (1064, 2980) and len(forc) > 250
    named = labels[labels != ""]
    ledger = named[~reached(named)].value_counts().to_dict()
    assert sum(ledger.values()) <= 0.02 * len(named), ledger
    assert reached(eurasia).all() and reached(forc[forc != ""]).all()
    # Regrowth without any name of a plant in GROA.
    assert (labels == "").sum() == 460 + (forc == "").sum()
    types = named.map(forest_type)
    assert (types == "").sum() <= 0.02 * len(named), named[types == ""].value_counts().to_dict()
