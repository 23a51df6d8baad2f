"""All data behind one name: ``study:<id>``, ``open:<name>`` or ``literature:<file>``.

Whatever the source, :func:`load` returns vocabulary names and units, and a frame that says of itself
where it comes from and what was set to missing or left out.
"""

from pathlib import Path

from sinklab import paths
from sinklab.errors import DataError
from sinklab.language import tr

KINDS = ("study", "open", "literature")


def _split(spec: str) -> tuple[str, str]:
    kind, _, name = str(spec).partition(":")
    if kind not in KINDS or not name:
        raise DataError(
            tr(
                f"data {spec!r}: expected study:<id>, open:<name> or literature:<file>",
                f"数据 {spec!r}：应为 study:<编号>、open:<名称> 或 literature:<文件>",
            )
        )
    return kind, name


def files(spec: str) -> list[Path]:
    """Return the input files of a data source, without reading them.

    Raises
    ------
    DataError
        The source is not known or its files are not at hand.
    """
    kind, name = _split(spec)
    if kind == "study":
        from sinklab.studies import study_files

        return study_files(name)
    if kind == "open":
        from sinklab.datasets import catalog

        return [*catalog.files(name), paths.data("open.yml")]
    return _literature_files(name)


def _literature_files(name: str) -> list[Path]:
    found = [paths.data("literature", f"{stem}.csv") for stem in (name, "sources")]
    if not found[0].is_file():
        known = ", ".join(sorted(path.stem for path in paths.data("literature").glob("*.csv")))
        raise DataError(
            tr(
                f"literature:{name}: no such file in data/literature; known: {known or 'none'}",
                f"literature:{name}：data/literature 中没有该文件；已有：{known or '无'}",
            )
        )
    return [path for path in found if path.is_file()]


def load(spec: str, where=None):
    """Read a data source.

    Parameters
    ----------
    spec : str
        ``study:<folder of data/studies>``, ``open:<name in data/open.yml>`` or
        ``literature:<file of data/literature>``.
    where : mapping, optional
        Records to keep: ``{column: value, or list of values, or {min: …, max: …}}``.

    Returns
    -------
    frame : DataFrame
        Vocabulary names and units; row ``i`` is record ``i + 1`` of the file. ``attrs["source"]``
        holds spec, where, title, citation, licence, origin and the SHA-256 of the files;
        ``attrs["notes"]`` every kind of value set to missing or record left out, counted.

    Raises
    ------
    DataError
        The source, a column or a value is not there, with those that exist.

    Examples
    --------
    >>> load("open:eurasia_trees", {"genus": "Larix", "dbh": {"min": 1}})  # doctest: +SKIP
    """
    kind, name = _split(spec)
    if kind == "study":
        from sinklab.studies import read_study

        frame = read_study(name)
    elif kind == "open":
        from sinklab.datasets.reader import read_open

        frame = read_open(name)
    else:
        _literature_files(name)
        from sinklab import literature

        frame = literature.load(name)
    from sinklab.datasets.where import select

    chosen = select(frame, where, spec)
    source = dict(frame.attrs.get("source") or {})
    if kind == "literature":
        # Only what is printed in the rows that are left.
        source |= literature.cited(chosen)
    chosen.attrs["source"] = source | {"spec": spec, "where": dict(where or {})}
    notes = list(frame.attrs.get("notes") or [])
    if where:
        notes.append(
            tr(
                f"where: {len(chosen)} of {len(frame)} records kept",
                f"where：保留 {len(frame)} 条中的 {len(chosen)} 条",
            )
        )
    chosen.attrs["notes"] = notes
    return chosen
