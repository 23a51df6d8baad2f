"""The index page: one file with every job of every batch, what became of it, and links to its results."""

import json
import os
from pathlib import Path

from sinklab import language, paths, vocabulary
from sinklab.errors import RunError, SinklabError
from sinklab.runs import figures, keys, ledger
from sinklab.runs.jobs import batch_path
from sinklab.runs.reading import names

#: Names of parameters, and of conditions on the data, that tell what a job is about.
_ABOUT = {"species": ("species", "genus", "family"), "region": ("region", "country", "province", "ecoregion")}


def write_index(path) -> Path:
    """Write the page that shows the last execution of every job.

    Jobs that have left their batch file are left out. The page holds its own style, script and small
    pictures; links are relative to it.

    Parameters
    ----------
    path : path
        Usually ``reports/runs/index.html``.
    """
    from jinja2 import Environment, PackageLoader

    path = Path(path)
    rows = [_row(record, path.parent) for record in _listed(ledger.read())]
    page = Environment(
        loader=PackageLoader("sinklab.runs", ""), autoescape=True, trim_blocks=True, lstrip_blocks=True
    ).get_template("index.html.j2")
    totals = {
        "ok": sum(row["status"] == "ok" for row in rows),
        "failed": sum(row["status"] != "ok" for row in rows),
        "seconds": sum(row["seconds"] for row in rows),
        "last": max((row["started"] for row in rows), default=""),
    }
    batches = list(dict.fromkeys(row["batch"] for row in rows))
    about = {name: _choices(row[name] for row in rows) for name in _ABOUT}
    text = page.render(rows=rows, totals=totals, batches=batches, about=about, language=language.language())
    with paths.atomic_write(path) as stream:
        stream.write(text)
    return path


def _listed(records: dict[str, dict]) -> list[dict]:
    """Records in the order of their batch files; those of batches that cannot be read come as they are."""
    found = []
    for batch in dict.fromkeys(record["batch"] for record in records.values()):
        own = {name: record for name, record in records.items() if record["batch"] == batch}
        try:
            order = names(batch_path(batch))
        except (RunError, AttributeError, KeyError, TypeError):
            order = list(own)
        found += [own[name] for name in order if name in own]
    return found


def _row(record: dict, here: Path) -> dict:
    """What the page says of a record; every text in both languages."""
    folder = paths.root() / record["folder"]
    row = {
        name: record.get(name, "")
        for name in ("batch", "id", "kind", "title", "status", "seconds", "started")
    }
    row |= {name: record.get(name, "") for name in ("line", "place", "traceback")}
    row |= {name: _about(record, _ABOUT[name]) for name in _ABOUT}
    row["why"] = _both(lambda: keys.wordings(record["why"]))
    row["page"] = _link(record.get("page"), here)
    row["notebook"] = _link(record.get("notebook") or record.get("kept"), here)
    log = folder / "kernel.log"
    row["log"] = _link(paths.relative(log), here) if log.is_file() and log.stat().st_size else ""
    row["tables"] = [_table(name, here) for name in record.get("tables", ())]
    row["documents"] = [(Path(name).name, _link(name, here)) for name in record.get("documents", ())]
    drawn = {Path(name).name: _link(name, here) for name in record.get("figures", ())}
    small = figures.read_thumbnails(folder)
    row["pictures"] = [(name, uri, drawn.get(name) or row["page"]) for name, uri in small]
    row["figures"] = [(name, link) for name, link in drawn.items() if name not in dict(small)]
    return row


def _about(record: dict, names) -> list[str]:
    """Species or regions that a job names among its parameters or in the conditions on its data."""
    parameters = record.get("parts", {}).get("parameters", {})
    where = parameters.get("where") if isinstance(parameters.get("where"), dict) else {}
    found = []
    for name in names:
        for values in (parameters.get(name), where.get(name)):
            found += values if isinstance(values, list) else [values]
    return list(dict.fromkeys(str(value) for value in found if isinstance(value, (str, int)) and value))


def _choices(found) -> list[tuple[str, dict[str, str]]]:
    """Values to choose from, with their names in both languages, sorted by name."""
    values = dict.fromkeys(value for several in found for value in several)
    pairs = [(value, {code: _name(value, code) for code in language.LANGUAGES}) for value in values]
    return sorted(pairs, key=lambda pair: pair[1][language.language()].casefold())


def _name(value: str, code: str) -> str:
    """Name of a species of the vocabulary, else the value as it stands."""
    try:
        species = vocabulary.species(value)
    except SinklabError:
        return value
    return species.name_zh if code == "zh" else species.name_latin


def _table(name: str, here: Path) -> dict:
    """Link to a written folder or file; a table also tells its title, its status and its files."""
    place = paths.root() / name
    table = {"name": name.removeprefix("params/"), "link": _link(name, here), "status": "", "files": []}
    if place.is_dir():
        table["files"] = [
            (p.name, _link(paths.relative(p), here)) for p in sorted(place.iterdir()) if p.is_file()
        ]
    try:
        described = json.loads((place / "datapackage.json").read_text(encoding="utf-8"))
        table["status"] = str(described.get("status") or described.get("sinklab", {}).get("status") or "")
    except (OSError, ValueError, AttributeError):
        pass
    return table


def _link(name: str | None, here: Path) -> str:
    """Address of a file relative to the page, "" when it is not there."""
    from urllib.parse import quote

    if not name or not (paths.root() / name).exists():
        return ""
    return quote(Path(os.path.relpath(paths.root() / name, here)).as_posix())


def _both(wording) -> dict[str, str]:
    """Text in both languages."""
    reader, found = language.language(), {}
    try:
        for code in language.LANGUAGES:
            language.set_language(code)
            found[code] = wording()
    finally:
        language.set_language(reader)
    return found
