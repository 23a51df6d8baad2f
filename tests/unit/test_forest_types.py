"""Types of forest: every label of the Chinese plots reaches a species, a genus or a type."""

import numpy as np
import pandas as pd
import pytest

from sinklab.data import files, vocabulary
from sinklab.data import open_data as open_data_sets
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


@pytest.mark.open_data
def test_nearly_all_usable_chinese_plots_of_the_three_sets_reach_a_table(open_data):
    """By a species or genus that the vocabulary knows, or by a type of forest; the ledger names the rest."""
    known = {row["genus"] for row in files.records("vocabulary", "forest_genera.csv")}
    known |= {s.genus for s in vocabulary.species_list()}
    usable, ledger = {}, {}
    for name, where in (("eurasia_plots", {"country": "CHN"}), ("groa_china", None), ("forc_china", None)):
        plots = open_data_sets.load(f"open:{name}", where)
        plots = plots[plots[["agb_density", "bgb_density"]].notna().all(axis=1)]
        way = plots["species_id"].notna() | plots["genus"].isin(known) | plots["forest_type"].notna()
        usable[name], ledger[name] = len(plots), int((~way).sum())
    assert usable == {"eurasia_plots": 1064, "groa_china": 2854, "forc_china": 327}
    # Regrowth of GROA without any name of a plant, nor a plot with a name within 300 km.
    assert ledger == {"eurasia_plots": 0, "groa_china": 56, "forc_china": 0}
    assert sum(ledger.values()) <= 0.02 * sum(usable.values())


def reached(labels):
    """Whether each label gives a species, a genus or a type."""
    return labels.map(lambda label: any((*open_data_sets.clean(label)[:2], forest_type(label))))


def labels_of(open_data):
    """Labels of the plots with shoots and roots: of the Eurasian set, of GROA and of ForC."""
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
    return eurasia, groa, pools[pools == 2].index.get_level_values("label").to_series()


@pytest.mark.open_data
def test_nearly_all_chinese_plots_with_roots_are_reached_and_the_rest_is_known(open_data):
    """The three sets together; a plot without any label is counted apart."""
    eurasia, groa, forc = labels_of(open_data)
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


@pytest.mark.open_data
def test_plots_without_a_label_have_the_type_of_their_copy_or_its_neighbours(open_data):
    """Nobody wrote a species for 460 plots of GROA; 119 of them stand in the Eurasian set too, with their mixture."""
    plots = open_data_sets.load("open:groa_china")
    eurasia, groa, forc = labels_of(open_data)
    usable = plots[plots.index.isin(groa.index)]
    by, blank = usable["forest_type_by"], groa == ""
    assert len(usable) == 2980 and by[~blank].isna().all()
    assert (by == "copy").sum() == 119 and usable["copy_of"].notna().sum() == 452
    assert any("452 of 3197 records are also in eurasia_plots" in note for note in plots.attrs["notes"])
    # The rule of the neighbours, tried on the plots whose copies are known.
    known = (plots["forest_type_by"] == "copy").to_numpy()
    types = plots["forest_type"].where(known).to_numpy(object)
    right = 0
    for i in np.flatnonzero(known):
        others, one = known.copy(), np.zeros(len(plots), bool)
        others[i], one[i] = False, True
        right += (
            open_data_sets._of_neighbours(plots, types, others, one, 300, 5).get(plots.index[i]) == types[i]
        )
    assert right >= 0.95 * known.sum()
    # All three sets: what is reached, and what is not.
    left = {"groa": int(usable[["species", "genus", "forest_type"]].isna().all(axis=1).sum())}
    left |= {"eurasia": int((~reached(eurasia)).sum()), "forc": int((~reached(forc)).sum())}
    total = len(eurasia) + len(groa) + len(forc)
    assert sum(left.values()) <= 0.02 * total, left
