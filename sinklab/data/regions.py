"""Provinces, zones, cities and counties by name, and layers of land: read with their encoding, measured in hectares.

The repository ships names, not boundaries; whoever wants a map brings the layer.
"""

import codecs
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinklab.data import files
from sinklab.language import DataError

if TYPE_CHECKING:
    import pandas as pd

#: Equal-area projection of the whole earth (EASE-Grid 2.0): an area does not depend on what else is in the layer.
EQUAL_AREA = "EPSG:6933"
LAYERS = (".gpkg", ".shp", ".geojson", ".json", ".parquet", ".geoparquet", ".fgb", ".gml", ".kml", ".gdb")
#: What may follow the short name of a region in a register.
SUFFIXES = ("市", "州", "盟", "地区", "自治州", "省", "自治区", "县", "区", "旗", "自治县")


@dataclass(frozen=True)
class Region:
    """One row of ``data/vocabulary/regions.csv``; ``zone`` is "" where a province has none.

    ``city`` is that of a county, ``code`` the one of GB/T 2260, ``pilot`` says whether a plan names the county.

    Examples
    --------
    >>> from sinklab.data import regions
    >>> regions.find('桂林市').name_en
    'Guilin'
    """

    level: str
    name_zh: str
    name_en: str
    province: str
    zone: str
    main_types: str
    second_types: str
    source: str
    city: str
    code: str
    pilot: str


@lru_cache(maxsize=1)
def all_regions() -> tuple[Region, ...]:
    """All regions of the vocabulary."""
    return tuple(Region(**row) for row in files.records("vocabulary", "regions.csv"))


@lru_cache(maxsize=1)
def _bays() -> list[dict[str, Any]]:
    """Places that studies call by several names, each with its bounds where coordinates tell them."""
    return files.records(
        "vocabulary", "places.csv", numbers=("south", "north", "west", "east"), several=("names",)
    )


def places(frame: "pd.DataFrame") -> "pd.Series":
    """Place of each record by the name of its site, else by its coordinates; blank where ``data/vocabulary/places.csv`` has none.

    One bay under several names, or sampled by several studies, is one place: its cores share what it has.

    Parameters
    ----------
    frame : DataFrame
        ``site``, or ``latitude`` and ``longitude``, or both.

    Examples
    --------
    >>> from sinklab.data import regions
    >>> import pandas as pd
    >>> regions.places(pd.DataFrame({"site": ["Mai Po Nature Reserve", "Deep Bay", "elsewhere"]})).tolist()
    ['deep_bay', 'deep_bay', '']
    """
    import pandas as pd

    found = pd.Series("", index=frame.index, dtype=object)
    for row in _bays():
        here = pd.Series(False, index=frame.index)
        if {"latitude", "longitude"} <= {*frame}:
            inside = frame["latitude"].between(row["south"], row["north"])
            here |= inside & frame["longitude"].between(row["west"], row["east"])
        if "site" in frame:
            here |= frame["site"].astype(object).isin(row["names"])
        found = found.mask(here & found.eq(""), row["place_id"])
    return found


@lru_cache(maxsize=4096)
def find(name: str, level: str = "city", city: str = "") -> Region | None:
    """Region of a level by its Chinese or English name or its code, with or without its suffix.

    Parameters
    ----------
    name : str
    level : "province", "zone", "city" or "county"
    city : str
        Of a county whose name more than one city has.

    Returns
    -------
    region : Region or None
        None when no region, or more than one, bears the name.

    Examples
    --------
    >>> find("凉山彝族自治州").zone
    '川西南'
    >>> find("Chifeng").province
    '内蒙古'
    >>> find("市中区", "county") is None, find("市中区", "county", "乐山").code
    (True, '511102')
    """
    wanted = name.strip()
    if not wanted:
        return None
    place = find(city) if city else None
    found = [
        region
        for region in all_regions()
        if region.level == level and (place is None or region.city == place.name_zh) and _is(wanted, region)
    ]
    return found[0] if len(found) == 1 else None


def _is(wanted: str, region: Region) -> bool:
    """Whether a register may write ``wanted`` for a region."""
    if wanted.casefold() in (region.name_zh, region.name_en.casefold(), region.code):
        return True
    longer, shorter = sorted((wanted, region.name_zh), key=len, reverse=True)
    # A county is listed with its suffix, which registers leave out where two characters or more remain.
    rest = longer.removeprefix(shorter)
    return len(shorter) > 1 and rest != longer and rest.endswith(SUFFIXES)


def add_regions(
    frame: "pd.DataFrame", city: str = "city", county: str = "county"
) -> "tuple[pd.DataFrame, dict[str, int]]":
    """Add the columns ``city``, ``province`` and ``zone`` that follow from a column of cities or counties.

    Parameters
    ----------
    frame : DataFrame
    city, county : str
        Its columns of names; one suffices. A city tells apart counties of one name.

    Returns
    -------
    frame : DataFrame
        A copy; a column that is there already stays. A name that is not in the vocabulary gets "".
    unknown : dict of str to int
        Those names, with the number of rows.
    """
    level = "city" if city in frame else "county"
    if level == "county" and county not in frame:
        raise DataError(
            f"zones and provinces follow from a column {city!r} or {county!r}; "
            f"found {', '.join(map(str, frame.columns))}",
            f"片区和省由列 {city!r} 或 {county!r} 推出；现有列：{'、'.join(map(str, frame.columns))}",
        )
    names = frame[city if level == "city" else county].astype("str").fillna("")
    found = {name: find(name, level) for name in names.unique()}
    out = frame.copy()
    for column in ("province", "zone") if level == "city" else ("city", "province", "zone"):
        if column not in out:
            values = {name: getattr(region, column) if region else "" for name, region in found.items()}
            out[column] = names.map(values)
    unknown = names[names.map(lambda name: found[name] is None)]
    return out, {str(k): int(v) for k, v in unknown.value_counts().items()}


def read_layer(path, layer: str | None = None, encoding: str | None = None, crs: Any = None) -> Any:
    """Read stands, plots or boundaries.

    Parameters
    ----------
    path : path
        GeoPackage, shapefile, GeoJSON or another format of GDAL; GeoParquet.
    layer : str, optional
        Of a file with several.
    encoding : str, optional
        Of the attribute table of a shapefile. When left out its ``.cpg`` decides, else UTF-8 where
        that fits and GB18030 where it does not.
    crs : optional
        Coordinate reference system, when the file names none. One that the file names is kept.

    Returns
    -------
    frame : GeoDataFrame, or DataFrame without geometry

    Raises
    ------
    DataError
        The file cannot be read; it has geometry, but no reference system and none was given; or its
        coordinates cannot be in the system it names.
    """
    path = Path(path)
    if not (path.is_file() or path.is_dir()):
        raise DataError(f"{path}: no such file", f"{path}：文件不存在")
    import geopandas as gpd

    try:
        if path.suffix.lower() in (".parquet", ".geoparquet"):
            frame = _read_parquet(path)
        else:
            options = {"layer": layer} if layer else {}
            if path.suffix.lower() == ".shp":
                codecs.lookup(encoding or "utf-8")  # GDAL reads on with one that it does not know
                options["encoding"] = encoding or _dbf_encoding(path)
            frame = gpd.read_file(path, **options)
    except DataError:
        raise
    except Exception as error:
        # Readers of geometry raise errors of many libraries; all mean that the file is not usable.
        raise DataError(f"{path}: cannot be read ({error})", f"{path}：无法读取（{error}）") from error
    if "geometry" not in frame or not hasattr(frame, "crs"):
        return frame
    return _with_crs(frame, path, crs)


def _read_parquet(path):
    import geopandas as gpd
    import pandas as pd
    import pyarrow.parquet as pq

    if b"geo" in (pq.read_schema(path).metadata or {}):
        return gpd.read_parquet(path)
    return pd.read_parquet(path)


def _dbf_encoding(path) -> str | None:
    """Encoding of the attribute table; None leaves it to the ``.cpg`` file, unless that cannot be right."""
    beside = {p.suffix.lower(): p for p in path.parent.glob(f"{path.stem}.*")}
    if ".dbf" not in beside:
        raise DataError(f"{path}: its .dbf file is missing", f"{path}：缺少 .dbf 文件")
    raw = beside[".dbf"].read_bytes()
    start = int.from_bytes(raw[8:10], "little")
    # Names of columns and values; the bytes between are numbers that any encoding reads.
    try:
        (raw[32:start] + raw[start:]).decode("utf-8")
    except UnicodeDecodeError:
        said = beside[".cpg"].read_text("ascii", errors="replace") if ".cpg" in beside else "UTF-8"
        return "GB18030" if re.fullmatch(r"\s*(?:utf-?8|65001)?\s*", said, re.IGNORECASE) else None
    return None if ".cpg" in beside else "UTF-8"


def _with_crs(frame, path, crs):
    if frame.crs is None:
        if crs is None:
            raise DataError(
                f"{path}: names no coordinate reference system, so no area can be computed; "
                "give it (crs, such as EPSG:4490), or supply the .prj file",
                f"{path}：没有坐标系，无法计算面积；请给出坐标系（如 EPSG:4490）或补上 .prj 文件",
            )
        try:
            frame = frame.set_crs(crs)
        except (ValueError, RuntimeError) as error:
            # pyproj's own error is a RuntimeError.
            raise DataError(f"crs {crs}: {error}", f"坐标系 {crs}：{error}") from error
    filled = frame.geometry[~(frame.geometry.isna() | frame.geometry.is_empty)]
    if filled.empty:
        return frame
    west, south, east, north = filled.total_bounds
    in_degrees = west >= -180 and east <= 360 and south >= -90 and north <= 90
    if frame.crs.is_geographic != in_degrees:
        span = f"x {west:g}–{east:g}, y {south:g}–{north:g}"
        raise DataError(
            f"{path}: coordinates ({span}) cannot be in {frame.crs.name}; correct the reference system of the file",
            f"{path}：坐标（{span}）不可能属于 {frame.crs.name}；请更正文件的坐标系",
        )
    return frame


def hectares(frame: Any) -> Any:
    """Area of every geometry in an equal-area projection [ha]; 0 for points, lines and empty ones."""
    return frame.geometry.to_crs(EQUAL_AREA).area / 1e4
