"""Stands made fit for accounting: geometry mended, overlaps settled, areas measured, everything listed.

What is done about a problem is a policy with a name, and every case becomes a row of the list of
problems; nothing is dropped or mended in silence.

=================== ====================================================================
problem             action
=================== ====================================================================
invalid geometry    mended; the area after mending counts
no area             not used (blank geometry, point or line, and no area column)
overlap             ``first``: the ground belongs to the stand that comes first in the file;
                    ``keep``: counted twice and listed; ``error``: refused
area differs        kept as measured; the area column differs by more than 5 %
=================== ====================================================================
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from sinklab.errors import DataError, listing
from sinklab.language import tr
from sinklab.regions import hectares

OVERLAPS = ("first", "keep", "error")
#: Overlaps of neighbours up to this are slivers of digitising; they are cut, counted, and not listed one by one.
SLIVER = 0.001
AREA_TOLERANCE = 0.05
COLUMNS = ("record", "stand", "problem", "detail", "action", "area_ha")
#: Problems and actions for readers of Chinese; the tables keep the English words, which programs may look for.
CHINESE = {
    "invalid geometry": "图形无效",
    "area differs": "面积不一致",
    "no polygon": "无面状图形",
    "no area": "无面积",
    "overlap": "重叠",
    "sliver overlaps": "细碎重叠",
    "identifier used twice": "小班号重复",
    "no species": "树种空缺",
    "no parameter": "没有参数",
    "outside the fitted range": "超出适用范围",
    "mended": "已修复",
    "not used": "未计入",
    "not used; area listed": "未计入，面积另列",
    "kept": "保留",
    "cut from this stand": "从该小班扣除",
    "counted twice": "重复计入",
    "area of the polygon used": "采用图形面积",
    "area column used": "采用面积列",
    "used and counted": "计入，并统计面积",
}


def in_words(text: str) -> str:
    """A problem or an action in the reader's language; ``no dbh`` becomes 缺 dbh."""
    missing = text.removeprefix("no ").removeprefix("column ")
    return tr(text, CHINESE.get(text, f"缺 {missing}" if text.startswith("no ") else text))


@dataclass(eq=False)
class Stands:
    """Stands with ``area_ha``, and what was found wrong with them.

    Attributes
    ----------
    frame : DataFrame or GeoDataFrame
        As read, with ``stand_id`` and ``area_ha`` (NaN where there is none).
    problems : DataFrame
        ``record`` (1 is the first of the file), ``stand, problem, detail, action, area_ha``.
    """

    frame: pd.DataFrame
    rows: list = field(default_factory=list)

    def report(self, positions, problem: str, details, action: str, areas=None) -> None:
        """Add one problem for each position (0-based row)."""
        ids = self.frame["stand_id"].to_numpy()
        areas = self.frame["area_ha"].to_numpy()[positions] if areas is None else areas
        details = [details] * len(positions) if isinstance(details, str) else details
        for i, detail, area in zip(positions, details, areas, strict=True):
            self.rows.append((int(i) + 1, str(ids[i]), problem, detail, action, float(area)))

    @property
    def problems(self) -> pd.DataFrame:
        """All problems, in the order of the records."""
        frame = pd.DataFrame(self.rows, columns=list(COLUMNS))
        # What was mended before it was measured has its area now.
        area = self.frame["area_ha"].to_numpy()[frame["record"].to_numpy(int) - 1]
        frame["area_ha"] = frame["area_ha"].where(frame["area_ha"].notna(), area)
        return frame.sort_values("record", kind="stable").reset_index(drop=True)


def prepare(frame, stand_id: str = "", area: str = "", overlap: str = "first") -> Stands:
    """Measure stands and settle what is wrong with their geometry.

    Parameters
    ----------
    frame : GeoDataFrame or DataFrame
        As :func:`sinklab.regions.read_layer` returns it.
    stand_id : str
        Column of identifiers; record numbers when left out.
    area : str
        Column of areas [ha]. Used where there is no polygon; otherwise compared with the polygon.
    overlap : "first", "keep" or "error"

    Returns
    -------
    stands : Stands

    Raises
    ------
    DataError
        No areas at all, identifiers or area columns that are missing, or overlaps that are refused.
    """
    if overlap not in OVERLAPS:
        raise DataError(
            tr(
                f"overlap must be one of {OVERLAPS}, found {overlap!r}",
                f"overlap 应为 {OVERLAPS} 之一，而不是 {overlap!r}",
            )
        )
    missing = [c for c in (stand_id, area) if c and c not in frame]
    if missing:
        known = ", ".join(map(str, frame.columns))
        raise DataError(
            tr(f"no column {', '.join(missing)}; found {known}", f"没有列 {'、'.join(missing)}；现有 {known}")
        )
    mapped = hasattr(frame, "geometry") and hasattr(frame, "crs")
    if not mapped and not area:
        raise DataError(
            tr(
                "the stands have no geometry; name the column that holds their area in hectares (area)",
                "小班没有几何图形；请指明面积列（area，单位：公顷）",
            )
        )
    frame = frame.reset_index(drop=True)
    ids = frame[stand_id].astype("str") if stand_id else pd.Series(np.arange(1, len(frame) + 1).astype(str))
    written = pd.to_numeric(frame[area], errors="coerce") if area else pd.Series(np.nan, index=frame.index)
    found = Stands(frame.assign(stand_id=ids.to_numpy(), area_ha=written.to_numpy()))
    if mapped:
        _mend(found)
        _measure(found, written)
        _overlaps(found, overlap)
    bad = np.flatnonzero(~(found.frame["area_ha"] > 0))
    found.report(
        bad, "no area", tr("no polygon and no positive area", "没有面状图形，也没有正的面积"), "not used"
    )
    repeated = np.flatnonzero(found.frame["stand_id"].duplicated(keep=False))
    if stand_id and len(repeated):
        found.report(repeated, "identifier used twice", stand_id, "kept")
    return found


def _mend(found) -> None:
    import shapely

    shapes = found.frame.geometry.to_numpy()
    there = ~(found.frame.geometry.isna() | found.frame.geometry.is_empty).to_numpy()
    broken = np.flatnonzero(there & ~shapely.is_valid(shapes))
    if len(broken):
        reasons = shapely.is_valid_reason(shapes[broken])
        found.report(broken, "invalid geometry", list(reasons), "mended")
        mended = shapes.copy()
        mended[broken] = shapely.make_valid(shapes[broken])
        found.frame = found.frame.set_geometry(type(found.frame.geometry)(mended, crs=found.frame.crs))


def _measure(found, written) -> None:
    measured = hectares(found.frame).to_numpy()
    measured = np.where(measured > 0, measured, np.nan)
    differs = np.flatnonzero(np.abs(written - measured) > AREA_TOLERANCE * measured)
    details = [
        f"{w:.4g} ha ≠ {m:.4g} ha" for w, m in zip(written.iloc[differs], measured[differs], strict=True)
    ]
    found.report(differs, "area differs", details, "area of the polygon used", measured[differs])
    only = np.flatnonzero(np.isnan(measured) & (written > 0).to_numpy())
    found.report(only, "no polygon", "", "area column used", written.to_numpy()[only])
    found.frame["area_ha"] = np.where(np.isnan(measured), written, measured)


def _overlaps(found, policy) -> None:
    pairs, areas = overlapping(found.frame)
    if not len(pairs):
        return
    ids = found.frame["stand_id"].to_numpy()
    whole = found.frame["area_ha"].to_numpy()
    large = areas > SLIVER * np.minimum(whole[pairs[:, 0]], whole[pairs[:, 1]])
    if policy == "error" and large.any():
        lines = [
            f"{ids[a]} × {ids[b]}: {s:.4g} ha" for (a, b), s in zip(pairs[large], areas[large], strict=True)
        ]
        raise DataError(tr("stands overlap:\n", "小班重叠：\n") + listing(lines))
    action = {"first": "cut from this stand", "keep": "counted twice", "error": "cut from this stand"}[policy]
    later, earlier = pairs[large, 1], pairs[large, 0]
    found.report(
        later, "overlap", [tr(f"with {ids[a]}", f"与 {ids[a]}") for a in earlier], action, areas[large]
    )
    if (~large).any():
        first, total = pairs[~large][0, 1], areas[~large].sum()
        text = tr(f"{(~large).sum()} slivers in all", f"共 {(~large).sum()} 处细碎重叠")
        found.report([first], "sliver overlaps", text, action, [total])
    if policy != "keep":
        _cut(found, pairs)


def overlapping(frame) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of rows whose polygons share ground, the earlier first, and the shared area [ha]."""
    import geopandas as gpd
    import shapely

    there = frame.geometry.notna() & ~frame.geometry.is_empty
    rows, shapes = np.flatnonzero(there), frame.geometry[there].to_numpy()
    tree = shapely.STRtree(shapes)
    found = np.hstack([tree.query(shapes, predicate=p) for p in ("overlaps", "covers", "covered_by")]).T
    pairs = np.unique(found[found[:, 0] < found[:, 1]], axis=0)
    if not len(pairs):
        return pairs, np.zeros(0)
    shared = gpd.GeoSeries(shapely.intersection(shapes[pairs[:, 0]], shapes[pairs[:, 1]]), crs=frame.crs)
    areas = hectares(shared).to_numpy()
    keep = areas > 1e-6
    return rows[pairs[keep]], areas[keep]


def _cut(found, pairs) -> None:
    """Leave shared ground with the earlier stand; stands are settled in the order of the file."""
    import shapely

    shapes = found.frame.geometry.to_numpy().copy()
    earlier = pd.Series(pairs[:, 0]).groupby(pairs[:, 1]).apply(list)
    for row, before in earlier.items():
        shapes[row] = shapely.difference(shapes[row], shapely.union_all(shapes[before]))
    found.frame = found.frame.set_geometry(type(found.frame.geometry)(shapes, crs=found.frame.crs))
    rows = earlier.index.to_numpy()
    left = hectares(found.frame.iloc[rows]).to_numpy()
    found.frame.loc[rows, "area_ha"] = np.where(left > 1e-6, left, 0.0)
