"""Age classes (度) of bamboo culms that look like years."""

import pandas as pd

from sinklab.language import tr

#: Classes above this are hardly told from the culm.
OLDEST = 6


def like_years(classes) -> list:
    """Records whose class is above the oldest, or all from class 3 on where only odd ones occur.

    Culms of class 2 are never absent beside 3 and more; years as they are told from the culm are 1, 3, 5, 7.
    """
    classes = pd.Series(classes, dtype=float)
    whole = set(classes.dropna())
    if len(whole) >= 2 and max(whole) >= 3 and all(v % 2 == 1 for v in whole):
        return list(classes.index[classes >= 3])
    return list(classes.index[classes > OLDEST])


def not_whole(classes) -> pd.Series:
    """Values that are no class at all: below 1, not whole, or missing."""
    classes = pd.Series(classes, dtype=float)
    return classes[~((classes >= 1) & (classes % 1 == 0))]


def age_classes(found) -> None:
    """Report age classes that are likely years."""
    if not found.has("age_class"):
        return
    values = found.frame["age_class"].dropna()
    expected = tr(
        "a class (度): 1 for the first year, then two years each", "龄级（度）：第一年为 1，以后每两年一级"
    )
    for i in not_whole(values).index:
        found.add(i, "age_class", f"{values[i]:g}", expected, found.check_form(), "age_class")
    held = ", ".join(f"{v:g}" for v in sorted(set(values)))
    advice = tr(
        f"the column holds {held}; likely years: declare it as age, or convert it to classes",
        f"该列取值为 {held}；可能是年：请改为 age 列，或换算为龄级",
    )
    for i in like_years(values):
        found.add(i, "age_class", f"{values[i]:g}", expected, advice, "age_class")
