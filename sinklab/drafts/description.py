"""The description of a draft: ``reports/drafts/<name>.yml``."""

import re
from dataclasses import dataclass
from pathlib import Path

from sinklab import paths
from sinklab.data.files import read_yaml
from sinklab.language import LANGUAGES, DraftError, listing, tr
from sinklab.tables.schema import STATUSES

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_ALIAS = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Description:
    """What a drafter wrote down.

    ``template`` names a folder of ``reports/templates``; ``tables`` maps the words that the template
    uses for tables to ``id@version``; ``preview`` asks for a watermarked demonstration; a final
    rendering needs numbers of ``minimum_status`` or better. ``reference`` is a Word document, relative to
    the workbench, whose styles and page are used. ``data`` is the whole file: whatever else it holds is
    for the template. A file may be ``like`` another one: what it leaves out is taken from there, and
    ``decisions`` of both are joined.
    """

    name: str
    template: str
    tables: dict[str, str]
    preview: bool
    minimum_status: str
    reference: Path | None
    data: dict

    def localised(self, lang: str) -> dict:
        """The file with ``{zh: …, en: …}`` replaced by the wording in one language."""
        return _localised(self.data, lang)


def names() -> list[str]:
    """Names of all drafts of the workbench."""
    return sorted(path.stem for path in paths.reports("drafts").glob("*.yml"))


def read(name: str) -> Description:
    """Read the description of a draft.

    Raises
    ------
    DraftError
        There is none of that name, or it lacks something; all faults at once.
    """
    path = path_of(name)
    data = content(name)
    problems = [*_problems(data), *_broken_wordings(data)]
    if problems:
        raise DraftError(f"{paths.relative(path)}:\n{listing(problems)}")
    return Description(
        name,
        data["template"],
        dict(data["tables"]),
        data.get("preview", False),
        data.get("minimum_status", "reviewed"),
        _reference(data.get("reference")),
        data,
    )


def files_of(name: str) -> list[Path]:
    """Files that a description is made of, its own first."""
    found, following = [], name
    while following:
        # What several descriptions share is no draft of its own.
        path = _shared(str(following)) if "/" in str(following) else path_of(str(following))
        if path in found:
            chain = " → ".join(one.stem for one in [*found, path])
            raise DraftError(f"like: {chain}: a circle", f"like：{chain}：循环引用")
        found.append(path)
        following = _load(path).get("like")
    return found


def content(name: str) -> dict:
    """What a description and those it is like hold, unchecked.

    Raises
    ------
    DraftError
        There is none of that name, or a file cannot be read.
    """
    data: dict = {}
    for path in reversed(files_of(name)):
        own = _load(path)
        decisions = (data.get("decisions") or {}) | (own.get("decisions") or {})
        data = data | own | ({"decisions": decisions} if decisions else {})
    return data


def path_of(name: str) -> Path:
    """File of a description.

    Raises
    ------
    DraftError
        There is none; the message lists those there are.
    """
    path = paths.reports("drafts", f"{name}.yml")
    if not _NAME.fullmatch(name) or not path.is_file():
        en, zh = f"no such draft in reports/drafts: {name!r}", f"reports/drafts 中没有文稿 {name!r}"
        known = ", ".join(names()) or "–"
        raise DraftError(f"{en}; there are: {known}", f"{zh}；现有：{known}")
    return path


def _shared(name: str) -> Path:
    path = paths.reports("templates", f"{name}.yml")
    if not path.resolve().is_relative_to(paths.reports("templates").resolve()) or not path.is_file():
        raise DraftError(
            f"like: no file {name}.yml in reports/templates", f"like：reports/templates 中没有 {name}.yml"
        )
    return path


def _load(path: Path) -> dict:
    where, data = paths.relative(path), read_yaml(path, DraftError)
    if not isinstance(data, dict):
        example = "`template: species_standard`"
        raise DraftError(
            f"{where}: expected a mapping such as {example}", f"{where}：应为映射，例如 {example}"
        )
    return data


def _problems(data):
    template = data.get("template")
    if not isinstance(template, str) or not _NAME.fullmatch(template):
        yield tr(f"template: {template!r}; expected a name", f"template：{template!r}；应为模板名称")
    elif not any(paths.reports("templates", template, f"{lang}.md").is_file() for lang in LANGUAGES):
        known = sorted({p.parent.name for p in paths.reports("templates").glob("*/??.md")} - {"shared"})
        yield tr(
            f"template: no folder {template!r} in reports/templates; there are: {', '.join(known) or '–'}",
            f"template：reports/templates 中没有 {template!r}；现有：{'、'.join(known) or '无'}",
        )
    title = data.get("title")
    if not isinstance(title, dict) or {*title} != {*LANGUAGES}:
        yield tr("title: expected {zh: …, en: …}", "title：应为 {zh: …, en: …}")
    tables = data.get("tables")
    if not isinstance(tables, dict):
        yield tr(
            "tables: expected words and table ids, such as main: id@version, or {} for none",
            "tables：应为“名称: 表号@版本”，没有时写 {}",
        )
        tables = {}
    for alias, ref in tables.items():
        if not isinstance(alias, str) or not _ALIAS.fullmatch(alias) or not isinstance(ref, str):
            en, zh = f"{alias}: {ref!r}; expected id@version", f"{alias}：{ref!r}；应为 表号@版本"
            yield tr(f"tables: {en}", f"tables：{zh}")
    if not isinstance(data.get("preview", False), bool):
        yield tr("preview: expected true or false", "preview：应为 true 或 false")
    if data.get("minimum_status", "reviewed") not in STATUSES:
        known = ", ".join(STATUSES)
        yield tr(f"minimum_status: expected one of {known}", f"minimum_status：应为 {known} 之一")

    reference = data.get("reference")
    if reference is not None and not (_reference(reference) and _reference(reference).is_file()):
        en, zh = "expected a .docx file inside the workbench", "应为工作台内的 .docx 文件"
        yield tr(f"reference: {reference!r}; {en}", f"reference：{reference!r}；{zh}")


def _reference(reference) -> Path | None:
    """The Word document that a description names; None for one outside the workbench."""
    if not isinstance(reference, str) or not reference.endswith(".docx"):
        return None
    path = (paths.root() / reference).resolve()
    return path if path.is_relative_to(paths.root().resolve()) else None


def _broken_wordings(item, place: str = ""):
    """Wordings such as ``{zh: …, en: a, b}``, in which a comma outside quotation marks began another key."""
    if isinstance(item, dict):
        lost = [str(key) for key, value in item.items() if value is None]
        if {*item} & {*LANGUAGES} and lost:
            en, zh = "was cut off by a comma: put the text in quotation marks", "被逗号截断：请给文字加引号"
            yield tr(f"{place}: “{', '.join(lost)}” {en}", f"{place}：“{'、'.join(lost)}”{zh}")
        for key, value in item.items():
            yield from _broken_wordings(value, f"{place}.{key}" if place else str(key))
    elif isinstance(item, list):
        for at, value in enumerate(item, start=1):
            yield from _broken_wordings(value, f"{place}[{at}]")


def _localised(item, lang):
    if isinstance(item, dict):
        if item and {*item} <= {*LANGUAGES}:
            return item.get(lang, next(iter(item.values())))
        return {key: _localised(value, lang) for key, value in item.items()}
    if isinstance(item, list):
        return [_localised(value, lang) for value in item]
    return item
