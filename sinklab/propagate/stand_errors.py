"""What stands bring to the propagation: the columns that are needed, and the errors of each and of their levels."""

import numpy as np
import pandas as pd

from sinklab.errors import DataError
from sinklab.language import tr
from sinklab.propagate import choose
from sinklab.propagate.levels import Noise


def columns(frame, used, labels, models, group, predictor_sd) -> dict:
    """Columns (used stands) that the models, the totals and the errors need.

    Raises
    ------
    DataError
        An error is told of a predictor that no model has.
    """
    needed = {x for model in models.values() for x in model.predictors}
    data = {"_species": labels[used].to_numpy(), "_group": group[used].astype(str)}
    data["species_id"] = labels[used].map({s: choose.species_key(s) for s in models}).to_numpy()
    for x in needed:
        values = pd.to_numeric(frame[x], errors="coerce") if x in frame else pd.Series(np.nan, frame.index)
        data[x] = values.to_numpy(float)[used]
    for g in {g for m in models.values() for g in m.system.groups.values()}:
        data[g] = frame[g].to_numpy()[used]
    unknown = sorted(set(predictor_sd or {}) - needed)
    if unknown:
        known = ", ".join(sorted(needed))
        raise DataError(
            tr(
                f"no predictor {', '.join(unknown)}; there are {known}",
                f"没有自变量 {'、'.join(unknown)}；现有 {known}",
            )
        )
    return data


def noises(data, frame, used, measured, predictor_sd, area_sd) -> tuple[Noise, ...]:
    """Errors that are each stand's own: of predictors, of what was measured, of the area."""
    noises = [Noise(x, sd, x, relative=True, low=0.0) for x, sd in (predictor_sd or {}).items() if sd]
    if measured and f"{measured}_se" in frame:
        data["_se"] = pd.to_numeric(frame[f"{measured}_se"], errors="coerce").to_numpy(float)[used]
        noises.append(Noise(f"{measured}_se", "_se", measured))
    return (*noises, Noise("area", area_sd)) if area_sd else tuple(noises)


def effects_of(data, frame, used, effects) -> list[Noise]:
    """Errors that the stands of a level share."""
    for column in effects:
        data[column] = text_of(frame[column]).replace("", "–").to_numpy()[used]
    return [Noise(f"effect of {column}", sd, by=column) for column, sd in effects.items() if sd]


def text_of(column) -> pd.Series:
    """Text of a column, blanks as ""; 3 for 3.0."""
    codes, found = pd.factorize(column)
    words = [f"{x:g}" if isinstance(x, float) else str(x).strip() for x in found]
    return pd.Series(np.array([*words, ""], dtype=object)[codes], index=column.index)
