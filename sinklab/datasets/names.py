"""Scientific names as data sets write them, brought to a binomial without authors."""

import csv
import re
from functools import lru_cache

from sinklab import paths, vocabulary
from sinklab.errors import DataError

#: Cyrillic letters that look like Latin ones; keyboards of the region mix them into names and headers.
LOOKALIKES = str.maketrans("АВЕКМНОРСТХІЈаеорсухіјѕ", "ABEKMHOPCTXIJaeopcyxijs")
_SPLIT = re.compile(r"[,;/&+]| -|- | and | и | et al\b")
_TWO_GENERA = re.compile(r"^([A-Z][a-z]+)-([A-Z][a-z]+)$")
_ABBREVIATED = re.compile(r"[A-Z][a-z]{0,2}\.")
_RANKS = ("var.", "subsp.", "ssp.", "f.")
_HYBRIDS = ("x", "×", "*")


def latin(text: str) -> str:
    """Text with look-alike Cyrillic letters replaced and blanks squeezed."""
    return " ".join(text.translate(LOOKALIKES).split())


@lru_cache(maxsize=1)
def _variants() -> dict[str, str]:
    with open(paths.data("vocabulary", "name_variants.csv"), encoding="utf-8-sig", newline="") as stream:
        return {row["found"]: row["use"] for row in csv.DictReader(stream)}


@lru_cache(maxsize=4096)
def clean(label: str) -> tuple[str, str, int]:
    """Species, genus and number of taxa in the label of a data set.

    Authors of names are dropped, variants of ``data/vocabulary/name_variants.csv`` replaced. A label
    of several taxa has no species, and a genus only when all share it.

    Parameters
    ----------
    label : str

    Returns
    -------
    species, genus : str
        "" when unknown.
    n_taxa : int

    Examples
    --------
    >>> clean("Pinus sylvestris L.")
    ('Pinus sylvestris', 'Pinus', 1)
    >>> clean("Betula pendula, B. pubescens")
    ('', 'Betula', 2)
    """
    text = re.sub(r"\([^)]*\)", " ", latin(label))
    text = _TWO_GENERA.sub(r"\1, \2", text.strip())
    hybrid = _hybrid(text.split())
    if hybrid:
        return hybrid
    taxa, genus = [], ""
    for part in _SPLIT.split(text):
        words = part.split()
        if (
            not words
            or not words[0][0].isupper()
            or words[0].casefold().startswith(("unknown", "unidentified"))
        ):
            continue
        if len(words) == 1 and words[0].endswith("."):
            continue  # the second of two authors
        if _ABBREVIATED.fullmatch(words[0]) and genus.startswith(words[0][:-1]):
            words[0] = genus
        species, genus = _binomial(words)
        taxa.append((species, genus))
    if len(taxa) == 1:
        # "(hybrid)" after a name says that the plants are not that species.
        species, genus = taxa[0]
        return ("" if re.search(r"\([hg]ybrid\)", label) else species), genus, 1
    genera = {genus for _, genus in taxa}
    return "", genera.pop() if len(genera) == 1 else "", len(taxa)


def _binomial(words) -> tuple[str, str]:
    genus = _variants().get(words[0], words[0])
    epithet = words[1] if len(words) > 1 else ""
    # Some sources write an epithet that honours a person with a capital; authors end with a point.
    if not re.fullmatch(r"[A-Z]?[a-z]{2,}(-[A-Z]?[a-z]+)*", epithet) or epithet in ("sp", "cf", "spp"):
        return "", genus
    species = f"{genus} {epithet.lower()}"
    species = _variants().get(species, species)
    for rank, name in zip(words[2:], words[3:], strict=False):
        if rank in _RANKS and name[0].islower():
            species = f"{species} {rank} {name.rstrip('.')}"
            break
    return species, species.split()[0]


def _hybrid(words):
    """Return the name of a hybrid: ``Populus × euramericana``, ``Eucalyptus urophylla × E. grandis``."""
    marks = [i for i, word in enumerate(words) if word in _HYBRIDS]
    if len(marks) != 1 or not 0 < marks[0] < len(words) - 1:
        return None
    before, after = words[: marks[0]], words[marks[0] + 1 :]
    species, genus = _binomial(before)
    if not species:
        return f"{genus} × {after[0]}", genus, 1
    if len(after) < 2:
        return f"{species} × {after[0]}", genus, 1
    other = f"{genus[0]}." if after[0] in (genus, f"{genus[0]}.") else after[0]
    return f"{species} × {other} {after[1]}", genus, 1


def species_id(species: str) -> str:
    """Key of a species in the vocabulary, "" when it is not there."""
    try:
        return vocabulary.species(species).species_id if species else ""
    except DataError:
        return ""
