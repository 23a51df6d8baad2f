"""The text of a system as lines to point at, and what to say about a character that has no place."""

import unicodedata
from dataclasses import dataclass

from sinklab.errors import EquationError, listing
from sinklab.language import tr

_WINDOW = 60
_ADVICE = {
    "×": "*",
    "·": "*",
    "⋅": "*",
    "∗": "*",
    "÷": "/",
    "∕": "/",
    "−": "-",
    "–": "-",
    "—": "-",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "²": "^2",
    "³": "^3",
    "√": "sqrt(…)",
    "。": ".",
    "、": ",",
    "【": "[",
    "】": "]",
    "〔": "[",
    "〕": "]",
}


@dataclass(frozen=True)
class Source:
    """Lines of a text; makes errors that show the line and a caret below the place."""

    lines: tuple

    @classmethod
    def of(cls, text, limit: int) -> "Source":
        """Split ``text`` into lines; refuse what is not text, or longer than ``limit`` characters."""
        if not isinstance(text, str):
            raise EquationError(
                tr(
                    f"equations must be text, found {type(text).__name__}.",
                    f"方程必须是文本，实际为 {type(text).__name__}。",
                )
            )
        shown = text[:limit].removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        source = cls(tuple(shown.split("\n")))
        if len(text) > limit:
            raise source.error(
                (len(source.lines), len(source.lines[-1]) + 1),
                tr(
                    f"the text has {len(text)} characters; at most {limit} are read.",
                    f"文本有 {len(text)} 个字符；最多读取 {limit} 个。",
                ),
            )
        return source

    def pointed(self, position, message: str) -> str:
        """``message`` with its line and column, the line itself and a caret."""
        line, column = position
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        first = max(0, column - 1 - _WINDOW)
        before = "".join(_printable(c) for c in text[first : column - 1])
        after = "".join(_printable(c) for c in text[column - 1 : column - 1 + _WINDOW])
        left, right = "…" * (first > 0), "…" * (column - 1 + _WINDOW < len(text))
        where = tr(f"line {line}, column {column}: ", f"第 {line} 行第 {column} 列：")
        return f"{where}{message}\n    {left}{before}{after}{right}\n    {' ' * _width(left + before)}^"

    def error(self, position, message: str) -> EquationError:
        """Make an error that points at one place."""
        return EquationError(self.pointed(position, message))

    def errors(self, problems) -> EquationError:
        """Make one error for several (position, message)."""
        return EquationError(listing(self.pointed(*problem) for problem in problems))


def _printable(character):
    return character if character.isprintable() else " "


def _width(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def character_problem(line: str, at: int) -> str:
    """Say what is wrong with the character at ``line[at]``, with what to write instead if that is known."""
    character = line[at]
    if character in "'\"`":
        return tr("text in quotes has no place in an equation.", "方程中不能有引号文本。")
    if character == ".":
        return tr(
            "a dot that is not part of a number; nothing can be looked up with a dot.",
            "小数点不属于任何数字；不能用点号取属性。",
        )
    if character.isascii():
        shown = character if character.isprintable() else f"U+{ord(character):04X}"
        return tr(f"`{shown}` is not part of the language of equations.", f"方程语言中没有 `{shown}`。")
    ascii_form = _ADVICE.get(character) or unicodedata.normalize("NFKC", character)
    label = f"U+{ord(character):04X} {unicodedata.name(character, '')}".strip()
    shown = character if character.isprintable() else " "
    if ascii_form.isascii() and ascii_form.strip():
        return tr(
            f"`{shown}` ({label}) is not an ASCII character; write `{ascii_form}`.",
            f"`{shown}`（{label}）不是 ASCII 字符；请写 `{ascii_form}`。",
        )
    if character.isspace() or not character.isprintable():
        return tr(
            f"invisible character {label}; delete it or write a space.",
            f"不可见字符 {label}；请删除或改为空格。",
        )
    return tr(
        f"`{shown}` ({label}): names are written in ASCII letters, digits and `_`.",
        f"`{shown}`（{label}）：名称只能用 ASCII 字母、数字和 `_`。",
    )
