"""From text to tokens: whatever is not part of the language is refused at its own place."""

import difflib
import keyword
import math
import re
from dataclasses import dataclass

from sinklab.equations.source import character_problem
from sinklab.equations.tree import FUNCTIONS
from sinklab.language import tr

MAX_TOKENS = 2_000
MAX_DEPTH = 100
MAX_NAME = 64

_TOKEN = re.compile(
    r"(?P<space>[ \t]+)|(?P<comment>#.*)|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<operator>\*\*|<=|>=|==|!=|[-+*/^()\[\],<>=&|])",
    re.ASCII,
)
WORDS = {"and", "or", "not"}
_ADVICE = {
    "ln": "log(x)",
    "log10": "log(x) / 2.302585092994046",
    "log2": "log(x) / 0.6931471805599453",
    "pow": "x^y",
    "power": "x^y",
    "abs": "max(x, -x)",
    "square": "x^2",
    "if": "where(condition, a, b)",
    "ifelse": "where(condition, a, b)",
    "else": "where(condition, a, b)",
    "minimum": "min(a, b)",
    "maximum": "max(a, b)",
    "pi": "3.141592653589793",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A number, name or operator of the text, at (line, column)."""

    kind: str
    text: str
    position: tuple

    @property
    def ends_operand(self):
        """Whether a value is complete after this token."""
        return (self.kind in ("number", "name") and self.text not in WORDS) or self.text in (")", "]")


def logical_lines(source):
    """Yield the tokens of each equation; a line goes on while a bracket is open."""
    tokens, brackets = [], []
    for number, line in enumerate(source.lines, start=1):
        for token in _tokens(line, number, source):
            _follow_brackets(token, brackets, source)
            tokens.append(token)
            if len(tokens) > MAX_TOKENS:
                raise source.error(
                    token.position,
                    tr(
                        f"more than {MAX_TOKENS} names, numbers and signs in one equation; split it.",
                        f"一个方程中的名称、数字和符号超过 {MAX_TOKENS} 个，请拆分。",
                    ),
                )
        if tokens and not brackets:
            yield tokens
            tokens = []
    if brackets:
        raise _unclosed(brackets[-1], source)


def _unclosed(token, source):
    return source.error(
        token.position, tr(f"`{token.text}` is never closed.", f"`{token.text}` 没有配对的右括号。")
    )


def _follow_brackets(token, brackets, source):
    if token.kind != "operator":
        return
    if token.text in "([":
        brackets.append(token)
        if len(brackets) > MAX_DEPTH:
            raise source.error(token.position, too_deep())
    elif token.text in ")]":
        if not brackets or brackets[-1].text + token.text not in ("()", "[]"):
            raise source.error(
                token.position, tr(f"`{token.text}` closes nothing.", f"`{token.text}` 没有配对的左括号。")
            )
        brackets.pop()
    elif token.text == "=" and brackets:
        if brackets[-1].position[0] != token.position[0]:
            raise _unclosed(brackets[-1], source)
        raise source.error(
            token.position,
            tr("`=` inside brackets; write `==` to compare.", "括号内出现 `=`；比较请写 `==`。"),
        )


def _tokens(line, number, source):
    """Yield the tokens of one line; refuse the first character that has no place in the language."""
    at = 0
    while at < len(line):
        found = _TOKEN.match(line, at)
        position = (number, at + 1)
        if not found:
            raise source.error(position, character_problem(line, at))
        at = found.end()
        if found.lastgroup in ("space", "comment"):
            continue
        token = Token(found.lastgroup, found.group(), position)
        _check_token(token, line[at : at + 1], source)
        yield token


def _check_token(token, following, source):
    if token.kind == "number":
        if following.isascii() and (following.isalpha() or following == "_"):
            raise source.error(
                token.position,
                tr(
                    f"`{token.text[:20]}{following}…`: a name cannot start with a digit; for a product write `*`.",
                    f"`{token.text[:20]}{following}…`：名称不能以数字开头；乘积请写 `*`。",
                ),
            )
        if not math.isfinite(float(token.text)):
            raise source.error(token.position, not_finite())
    elif len(token.text) > MAX_NAME:
        raise source.error(
            token.position,
            tr(
                f"a name of more than {MAX_NAME} characters; shorten it.",
                f"名称超过 {MAX_NAME} 个字符，请缩短。",
            ),
        )
    elif token.kind == "name" and token.text not in WORDS:
        if keyword.iskeyword(token.text) or token.text == "pi":
            hint = advice(token.text, tr("choose another name", "请换一个名称"))
            raise source.error(
                token.position,
                tr(f"`{token.text}` is a reserved word: {hint}.", f"`{token.text}` 是保留字：{hint}。"),
            )


def check_order(sign, tokens, source):
    """Refuse two values without an operator between them, and operators without a value."""
    before = sign
    for token in tokens:
        complete = before.ends_operand
        unary = token.text in ("+", "-", "not")
        starts = token.kind in ("number", "name") and token.text not in ("and", "or") or token.text == "("
        call = before.kind == "name" and token.text == "("
        if complete and starts and not call:
            raise source.error(
                token.position,
                tr(
                    f"an operator is missing before `{token.text[:40]}`; for a product write `*`.",
                    f"`{token.text[:40]}` 之前缺少运算符；乘积请写 `*`。",
                ),
            )
        if not complete and not starts and not unary:
            raise source.error(
                token.position,
                tr(
                    f"a name or number is missing before `{token.text}`.",
                    f"`{token.text}` 之前缺少名称或数字。",
                ),
            )
        if token.text == "not" and before.text not in ("=", "(", ",", "and", "or", "not"):
            raise source.error(
                token.position, tr("put `not …` in parentheses here.", "此处的 `not …` 须加括号。")
            )
        before = token
    if not before.ends_operand:
        raise source.error(
            before.position,
            tr(
                f"a name or number is missing after `{before.text}`.", f"`{before.text}` 之后缺少名称或数字。"
            ),
        )


def too_deep() -> str:
    """Say that a text is nested too deeply."""
    return tr(
        f"nested more than {MAX_DEPTH} levels deep; write the equation in several lines.",
        f"嵌套超过 {MAX_DEPTH} 层；请把方程分成几行书写。",
    )


def not_finite() -> str:
    """Say that a constant is infinite or undefined."""
    return tr("this constant is not a finite number.", "此常数不是有限数。")


def advice(name: str, otherwise: str) -> str:
    """Say what to write instead of ``name``, or else ``otherwise``."""
    if name in _ADVICE:
        return tr(f"write {_ADVICE[name]}", f"请写 {_ADVICE[name]}")
    close = difflib.get_close_matches(name.lower(), FUNCTIONS, n=1, cutoff=0.5)
    return tr(f"did you mean `{close[0]}`?", f"是否应为 `{close[0]}`？") if close else otherwise
