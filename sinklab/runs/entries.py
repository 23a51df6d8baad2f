"""Checks that all entries of a batch file share: shape, keys, names, titles, limits, plain values."""

import re
from datetime import date

from sinklab.language import LANGUAGES, tr

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])i?B?", re.IGNORECASE)


class Checker:
    """Reads values out of the entries of one batch file, and reports to it what is wrong with them."""

    def __init__(self, file):
        self.file = file

    def named(self, entry, key, known, place) -> bool:
        """Check the shape of a job or draft, and the name that becomes a folder."""
        if not isinstance(entry, dict):
            self.file.report(tr("expected a mapping", "应为映射"), *place)
            return False
        self.keys(entry, known, place)
        name = entry.get(key)
        if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
            self.file.report(
                tr(
                    f"{key} = {name!r}; expected Latin letters, digits, _ - or . (it names a folder)",
                    f"{key} = {name!r}；应由拉丁字母、数字及 _ - . 组成（用作文件夹名）",
                ),
                *place,
                key,
            )
            return False
        return True

    def keys(self, entry, known, place) -> None:
        """Report keys that mean nothing here."""
        for key in entry:
            if key not in known:
                text = ", ".join(known)
                self.file.report(
                    tr(f"unknown key {key!r}; known: {text}", f"未知的键 {key!r}；可用：{text}"), *place, key
                )

    def typed(self, entry, key, kind, default, place):
        """Value of a key that must be a list or a mapping."""
        value = entry.get(key)
        if value is None:
            return default
        if not isinstance(value, kind):
            what = {list: tr("a list", "列表"), dict: tr("a mapping", "映射")}[kind]
            self.file.report(
                tr(f"{key}: expected {what}, found {value!r}", f"{key}：应为{what}，实为 {value!r}"),
                *place,
                key,
            )
            return default
        return value

    def title(self, entry, fallback, place) -> dict:
        """Title in both languages, from one text or one for each."""
        title = entry.get("title", fallback)
        if isinstance(title, str):
            return dict.fromkeys(LANGUAGES, title)
        if (
            not isinstance(title, dict)
            or set(title) != set(LANGUAGES)
            or not all(isinstance(text, str) for text in title.values())
        ):
            text = tr("title: expected {zh: …, en: …}", "title：应为 {zh: …, en: …}")
            self.file.report(text, *place, "title")
            return dict.fromkeys(LANGUAGES, str(fallback))
        return title

    def seconds(self, entry, default, place) -> float:
        """Time limit."""
        value = entry.get("timeout", default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            text = tr(
                f"timeout: expected a positive number of seconds, found {value!r}",
                f"timeout：应为正的秒数，实为 {value!r}",
            )
            self.file.report(text, *place, "timeout")
            return default
        return float(value)

    def memory(self, entry, default, place) -> int | None:
        """Memory limit in bytes, from a text such as ``2 GB``; None when there is none."""
        value = entry.get("memory", default)
        if value is None or value is default:
            return value
        match = _MEMORY.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None or float(match[1]) <= 0:
            text = tr(
                f"memory: expected a size such as 2 GB or 800 MB, found {value!r}",
                f"memory：应为 2 GB、800 MB 之类的大小，实为 {value!r}",
            )
            self.file.report(text, *place, "memory")
            return default
        return int(float(match[1]) * 1024 ** ("KMGT".index(match[2].upper()) + 1))

    def plain(self, value, name, place) -> None:
        """Report values that do not survive the way into a notebook (dates, sets)."""
        if isinstance(value, dict):
            for key, below in value.items():
                self.plain(below, f"{name}.{key}", (*place, key))
        elif isinstance(value, list):
            for position, below in enumerate(value):
                self.plain(below, f"{name}[{position}]", (*place, position))
        elif isinstance(value, date) or not isinstance(value, (str, int, float, type(None))):
            text = tr(
                f"{name}: {value!r} is not text, number, list or mapping; put it in quotes",
                f"{name}：{value!r} 不是文字、数、列表或映射；请加引号",
            )
            self.file.report(text, *place)
