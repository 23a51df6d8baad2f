"""Metadata of a released table: how to cite it, for DataCite, and as an RO-Crate."""

import hashlib
import mimetypes
import re

from sinklab import paths
from sinklab.tables.package import DESCRIPTOR, LICENCE, to_json

_DOI = re.compile(r"10\.\d{4,9}/[^\s;,]+[^\s;,.]")
_PUBLISHER = "sinklab"


def authors() -> list[str]:
    """Names of those who make the tables, from ``CITATION.cff`` of the workbench."""
    import yaml

    path = paths.root() / "CITATION.cff"
    if not path.is_file():
        return ["The sinklab developers"]
    known = yaml.safe_load(path.read_text(encoding="utf-8")).get("authors") or []
    full = [
        a.get("name") or " ".join(filter(None, (a.get("given-names"), a.get("family-names")))) for a in known
    ]
    return [name for name in full if name] or ["The sinklab developers"]


def doi_of(text: str) -> str:
    """First DOI in a text, "" when there is none."""
    found = _DOI.search(text or "")
    return found[0] if found else ""


def files(table, files_so_far: dict[str, bytes], about: dict) -> dict[str, bytes]:
    """Make the files of metadata that a release adds.

    Parameters
    ----------
    table : Table
        With its new status.
    files_so_far : dict of bytes
        The package, which the RO-Crate lists.
    about : dict
        ``date`` (ISO), ``authors``, ``reviewers``, ``doi``, ``previous`` (version, or "").

    Returns
    -------
    files : dict of bytes
    """
    return {
        "CITATION.cff": citation(table, about),
        "datacite.json": to_json(datacite(table, about)),
        "ro-crate-metadata.json": to_json(crate(table, files_so_far, about)),
    }


def citation(table, about) -> bytes:
    """``CITATION.cff``, format 1.2.0."""
    import yaml

    found = {
        "cff-version": "1.2.0",
        "message": "Cite this parameter table together with the sources that it names.",
        "type": "dataset",
        "title": f"{table.title} ({table.title_zh})",
        "authors": [{"name": name} for name in about["authors"]],
        "version": table.version,
        "date-released": about["date"],
        "license": LICENCE["name"],
        "keywords": ["carbon sink", "parameter table", "碳计量参数"],
    }
    if about["doi"]:
        found["doi"] = about["doi"]
    found["references"] = [_reference(source) for source in table.sources]
    text = yaml.safe_dump(found, allow_unicode=True, sort_keys=False, width=100)
    return text.encode("utf-8")


def _reference(source) -> dict:
    printed = str(source.get("citation") or source["title"])
    names = printed.partition("(")[0].strip(" .;,") if "(" in printed else str(source["title"])
    found = {"type": "generic", "title": str(source["title"]), "authors": [{"name": names or printed}]}
    year = re.search(r"\((\d{4})\)", printed)
    if year:
        found["year"] = int(year[1])
    doi = source.get("doi") or doi_of(printed)
    if doi:
        found["doi"] = doi
    if source.get("citation"):
        found["notes"] = printed
    return found


def datacite(table, about) -> dict:
    """DataCite metadata, kernel 4."""
    dois = [source.get("doi") or doi_of(str(source.get("citation", ""))) for source in table.sources]
    found = {
        "schemaVersion": "http://datacite.org/schema/kernel-4",
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Parameter table"},
        "identifiers": [{"identifier": table.ref, "identifierType": "sinklab table"}],
        "creators": [{"name": name} for name in about["authors"]],
        "contributors": [
            {"name": name, "contributorType": "Other", "nameType": "Personal"} for name in about["reviewers"]
        ],
        "titles": [{"title": table.title, "lang": "en"}, {"title": table.title_zh, "lang": "zh"}],
        "publisher": {"name": _PUBLISHER},
        "publicationYear": about["date"][:4],
        "dates": [{"date": about["date"], "dateType": "Issued"}],
        "version": table.version,
        "rightsList": [
            {
                "rights": LICENCE["title"],
                "rightsIdentifier": LICENCE["name"],
                "rightsIdentifierScheme": "SPDX",
            }
        ],
        "subjects": [{"subject": "carbon sink"}, {"subject": "uncertainty"}],
        "descriptions": [{"description": _abstract(table), "descriptionType": "Abstract", "lang": "en"}],
        "relatedIdentifiers": [
            {"relatedIdentifier": doi, "relatedIdentifierType": "DOI", "relationType": "IsDerivedFrom"}
            for doi in dict.fromkeys(filter(None, dois))
        ],
    }
    if about["doi"]:
        found["doi"] = about["doi"]
    return found


def _abstract(table) -> str:
    equations = [e for model in table.models for e in model.system.text.splitlines()]
    parts = [f"{table.title}, version {table.version}, status {table.status}."]
    if equations:
        parts.append(f"Equations: {'; '.join(equations)}.")
    if len(table.values):
        parts.append(f"{len(table.values)} scalar parameters with their distributions.")
    parts.append("With joint covariance, joint draws, range of validity, checks and origin.")
    return " ".join(parts)


def crate(table, files_so_far, about) -> dict:
    """RO-Crate 1.1: the files of the package, what they were made from, and by which software."""
    made = [_file(name, content) for name, content in sorted(files_so_far.items())]
    inputs = _inputs(table)
    software = table.provenance["sinklab"]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": table.title,
        "alternateName": table.title_zh,
        "identifier": f"https://doi.org/{about['doi']}" if about["doi"] else table.ref,
        "description": _abstract(table),
        "version": table.version,
        "creativeWorkStatus": table.status,
        "datePublished": about["date"],
        "license": {"@id": "https://spdx.org/licenses/Apache-2.0"},
        "author": [{"@id": f"#author-{i}"} for i, _ in enumerate(about["authors"], start=1)],
        "contributor": [{"@id": f"#reviewer-{i}"} for i, _ in enumerate(about["reviewers"], start=1)],
        "hasPart": [{"@id": entry["@id"]} for entry in made],
        "isBasedOn": [{"@id": entry["@id"]} for entry in inputs],
        "mentions": {"@id": "#computation"},
    }
    if about["previous"]:
        root["isBasedOn"].append({"@id": "#previous"})
    graph = [
        {
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
            "about": {"@id": "./"},
        },
        root,
        *made,
        *inputs,
        *(
            {"@id": f"#author-{i}", "@type": "Organization", "name": name}
            for i, name in enumerate(about["authors"], start=1)
        ),
        *(
            {"@id": f"#reviewer-{i}", "@type": "Person", "name": name}
            for i, name in enumerate(about["reviewers"], start=1)
        ),
        {"@id": "https://spdx.org/licenses/Apache-2.0", "@type": "CreativeWork", "name": LICENCE["title"]},
        {
            "@id": "#sinklab",
            "@type": "SoftwareApplication",
            "name": "sinklab",
            "version": software["version"],
            "sha256": software["source_sha256"],
            "softwareRequirements": [f"{k} {v}" for k, v in table.provenance["stack"].items()],
        },
        {
            "@id": "#computation",
            "@type": "CreateAction",
            "name": "Estimation of the parameters and of their joint uncertainty",
            "instrument": {"@id": "#sinklab"},
            "object": [{"@id": entry["@id"]} for entry in inputs],
            "result": [{"@id": entry["@id"]} for entry in made],
        },
    ]
    if about["previous"]:
        name = f"{table.table_id}@{about['previous']}"
        graph.append({"@id": "#previous", "@type": "Dataset", "name": name, "version": about["previous"]})
    context = [
        "https://w3id.org/ro/crate/1.1/context",
        {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"},
    ]
    return {"@context": context, "@graph": graph}


def _file(name, content) -> dict:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    found = {"@id": name, "@type": "File", "name": name, "encodingFormat": kind}
    found |= {"contentSize": str(len(content)), "sha256": hashlib.sha256(content).hexdigest()}
    if name == DESCRIPTOR:
        found["conformsTo"] = {"@id": "https://specs.frictionlessdata.io/data-package/"}
    return found


def _inputs(table) -> list[dict]:
    """Input files of all sources by their portable names, and printed sources."""
    found = {}
    for source in table.provenance["data"]:
        for name, digest in (source.get("files") or {}).items():
            entry = {"@id": f"#input-{name}", "@type": "CreativeWork", "name": name, "sha256": digest}
            if source.get("citation"):
                entry["citation"] = source["citation"]
            if source.get("licence"):
                entry["license"] = source["licence"]
            found[entry["@id"]] = entry
    return list(found.values())
