"""Lists of opinions as files: CSV for a workbook, YAML for a person, the same content in both."""

from dataclasses import asdict
from pathlib import Path

from sinklab import paths
from sinklab.errors import DataError, DraftError, listing
from sinklab.language import tr
from sinklab.review.opinions import COLUMNS, KINDS, Opinion, Opinions

#: Text cells that begin with one of these would be run by a workbook; they get an apostrophe.
_FORMULA = ("=", "+", "-", "@", "'")


def write_list(found: Opinions, path) -> Path:
    """Write a list of opinions as ``.csv`` or ``.yml``; the same list gives the same file.

    Raises
    ------
    DraftError
        Another kind of file.
    """
    path = Path(path)
    rows = [asdict(entry) for entry in found.entries]
    if path.suffix in (".yml", ".yaml"):
        import yaml

        with paths.atomic_write(path) as stream:
            head = {"document": found.document, "n_formatting": found.n_formatting, "opinions": rows}
            yaml.safe_dump(head, stream, allow_unicode=True, sort_keys=False, width=1000)
    elif path.suffix == ".csv":
        import pandas as pd

        from sinklab.tabular import write_csv

        cells = [{k: _guarded(v) for k, v in row.items()} for row in rows]
        write_csv(pd.DataFrame(cells, columns=list(COLUMNS)), path)
    else:
        raise DraftError(tr(f"{path}: expected .csv or .yml", f"{path}：应为 .csv 或 .yml"))
    return path


def read_list(path) -> Opinions:
    """Read a list that :func:`write_list` wrote and someone filled in.

    Raises
    ------
    DataError
        Columns are missing, or cells are not what they should be.
    """
    path = Path(path)
    head: dict = {}
    if path.suffix in (".yml", ".yaml"):
        head, rows = _yaml(path)
    else:
        from sinklab.tabular import read_rows

        header, records = read_rows(path)
        rows = [{k: _unguarded(v) for k, v in zip(header, record, strict=True)} for record in records]
    entries, problems = [], []
    for number, row in enumerate(rows, start=1):
        missing = [c for c in COLUMNS if c not in row]
        try:
            if missing or row["kind"] not in KINDS:
                raise ValueError(", ".join(missing) or f"kind = {row['kind']!r}")
            counts = {k: int(row[k]) for k in ("paragraph", "row")}
            resolved = str(row["resolved"]).casefold() == "true"
            entries.append(
                Opinion(**({k: str(row[k] or "") for k in COLUMNS} | counts | {"resolved": resolved}))
            )
        except ValueError as error:
            problems.append(tr(f"record {number}: {error}", f"第 {number} 条记录：{error}"))
    if problems:
        raise DataError(
            tr(f"{path}: not a list of opinions:", f"{path}：不是意见清单：") + "\n" + listing(problems)
        )
    return Opinions(str(head.get("document", path.name)), tuple(entries), int(head.get("n_formatting", 0)))


def _yaml(path):
    import yaml

    try:
        head = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
        rows = list(head["opinions"])
        if not all(isinstance(row, dict) for row in rows):
            raise TypeError("opinions")
    except (OSError, yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError) as error:
        raise DataError(
            tr(f"{path}: not a list of opinions ({error})", f"{path}：不是意见清单（{error}）")
        ) from error
    return head, rows


def _guarded(cell):
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
