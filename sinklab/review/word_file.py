"""Word files from outside: opened only when they are what they claim to be.

A draft that comes back by mail is untrusted. Nothing is unpacked to disk, no part may grow beyond a
limit while it is read (whatever its header says), no document type or entity is accepted, names of
parts stay inside the archive. Links to other places are never followed; they are listed.
"""

import io
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from xml.parsers import expat

from sinklab.errors import DraftError
from sinklab.language import tr

#: Limits of a document: bytes of the file, parts, bytes of all parts and of one part of XML, times that one may grow.
MOST_BYTES = 100 * 2**20
MOST_PARTS = 5000
MOST_UNPACKED = 400 * 2**20
MOST_XML = 80 * 2**20
MOST_GROWTH = 200
#: Parts smaller than this may grow as they like: XML of a few letters packs well.
SMALL = 2**20

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_M = "http://schemas.openxmlformats.org/officeDocument/2006/math"
_W14 = "http://schemas.microsoft.com/office/word/2010/wordml"
_W15 = "http://schemas.microsoft.com/office/word/2012/wordml"
_SPACES = {"w": _W, "m": _M, "w14": _W14, "w15": _W15}
DOCUMENT = "word/document.xml"


def tag(name: str) -> str:
    """Qualified name of an element or attribute: ``w:p``, ``m:t``, ``w15:done``."""
    space, _, local = name.partition(":")
    return f"{{{_SPACES[space]}}}{local}"


class WordFile:
    """The parts of a Word file, read with every limit of this module.

    Parameters
    ----------
    source : path or bytes

    Raises
    ------
    DraftError
        Not a Word file, or one that must not be opened; with the part and the reason.
    """

    def __init__(self, source):
        self.name = Path(source).name if not isinstance(source, bytes) else "document.docx"
        raw = _content(source, self.name)
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(raw))
            infos = self._archive.infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise self._refused(
                tr(f"not a Word file of type .docx ({error})", f"不是 .docx 格式的 Word 文件（{error}）")
            ) from error
        self._check(infos)
        self._parts = {info.filename: info for info in infos if not info.is_dir()}
        if DOCUMENT not in self._parts or "[Content_Types].xml" not in self._parts:
            raise self._refused(tr(f"holds no {DOCUMENT}", f"其中没有 {DOCUMENT}"))
        self._budget = MOST_UNPACKED
        self._trees: dict = {}

    @property
    def names(self) -> list[str]:
        """Names of all parts, sorted."""
        return sorted(self._parts)

    def xml(self, name: str):
        """Root element of a part, None when the document has no such part."""
        if name not in self._parts:
            return None
        if name not in self._trees:
            self._trees[name] = self._parsed(name, self._read(name, MOST_XML))
        return self._trees[name]

    def links(self) -> list[str]:
        """Places outside the document that it refers to, web links left out."""
        found = []
        for name in (n for n in self.names if n.endswith(".rels")):
            for relation in self.xml(name):
                kind = str(relation.get("Type", "")).rpartition("/")[2]
                if relation.get("TargetMode") == "External" and kind != "hyperlink":
                    found.append(f"{kind}: {relation.get('Target')}")
        return found

    def _check(self, infos):
        if len(infos) > MOST_PARTS:
            raise self._refused(
                tr(f"{len(infos)} parts; at most {MOST_PARTS}", f"部件 {len(infos)} 个，上限 {MOST_PARTS}")
            )
        seen = set()
        for info in infos:
            name = info.filename
            if _leaves(name) or _leaves(info.orig_filename):
                raise self._refused(
                    tr(f"part {name!r} points outside the document", f"部件 {name!r} 指向文件之外")
                )
            if name.casefold() in seen:
                raise self._refused(tr(f"part {name!r} is there twice", f"部件 {name!r} 重复"))
            seen.add(name.casefold())
            if info.flag_bits & 0x1:
                raise self._refused(tr(f"part {name!r} is encrypted", f"部件 {name!r} 已加密"))
            if info.file_size > SMALL and info.file_size > MOST_GROWTH * max(info.compress_size, 1):
                raise self._bomb(name)
        if sum(info.file_size for info in infos) > MOST_UNPACKED:
            raise self._bomb(tr("all parts", "全部部件"))

    def _read(self, name, most) -> bytes:
        most = min(most, self._budget)
        try:
            with self._archive.open(self._parts[name]) as stream:
                # The size in the header may lie; one byte more than allowed tells.
                content = stream.read(most + 1)
        except (
            zipfile.BadZipFile,
            EOFError,
            OSError,
            NotImplementedError,
            RuntimeError,
            zlib.error,
        ) as error:
            raise self._refused(tr(f"part {name!r}: {error}", f"部件 {name!r}：{error}")) from error
        if len(content) > most:
            raise self._bomb(name)
        self._budget -= len(content)
        return content

    def _parsed(self, name, content):
        from lxml import etree

        self._no_entities(name, content)
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        try:
            return etree.fromstring(content, parser)
        except etree.XMLSyntaxError as error:
            raise self._refused(tr(f"part {name!r}: {error}", f"部件 {name!r}：{error}")) from error

    def _no_entities(self, name, content):
        """Refuse a document type before anything in it is worked out, in whatever encoding it is written."""

        def refuse(*_):
            raise self._refused(
                tr(
                    f"part {name!r} declares a document type or entities; Word never writes those",
                    f"部件 {name!r} 声明了文档类型或实体；Word 不会写入此类内容",
                )
            )

        reader = expat.ParserCreate()
        reader.StartDoctypeDeclHandler = refuse
        reader.EntityDeclHandler = refuse
        try:
            reader.Parse(content, True)
        except expat.ExpatError as error:
            raise self._refused(tr(f"part {name!r}: {error}", f"部件 {name!r}：{error}")) from error

    def _bomb(self, name):
        return self._refused(
            tr(
                f"{name} would unpack to far more than a document needs",
                f"{name} 解压后远超文档所需大小",
            )
        )

    def _refused(self, why) -> DraftError:
        return DraftError(
            tr(
                f"{self.name}: refused: {why}. Ask its sender for a file saved anew by Word or WPS.",
                f"{self.name}：拒绝打开：{why}。请对方用 Word 或 WPS 重新保存后再发。",
            )
        )


def _content(source, name) -> bytes:
    if isinstance(source, bytes):
        return source
    path = Path(source)
    if not path.is_file():
        raise DraftError(tr(f"{path}: no such file", f"{path}：文件不存在"))
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise DraftError(
            tr(
                f"{name}: {size / 2**20:.0f} MB; at most {MOST_BYTES / 2**20:.0f} MB",
                f"{name}：{size / 2**20:.0f} MB，上限 {MOST_BYTES / 2**20:.0f} MB",
            )
        )
    return path.read_bytes()


def _leaves(name: str) -> bool:
    """Whether a name of a part would lead out of a folder on any system."""
    return (
        not name
        or "\\" in name
        or "\x00" in name
        or ":" in name.split("/")[0]
        or name.startswith("/")
        or ".." in PurePosixPath(name).parts
    )
