"""From text to trees: the language of the equations, read through a whitelist.

A :class:`Source` holds the lines of a text, to point at. Each line is cut into tokens, and whatever is not part
of the language is refused at its own place. The tokens of an equation are given to Python's parser
(:mod:`ast`) for its precedence rules, and its syntax tree is translated node by node. Nothing is ever
evaluated; constants are folded in floating point only to refuse those that are not finite.

In a tree, sums and products are flat and keep the order of the writer, because a standard prints the terms in
the order in which they were thought. Every node remembers its position, which never counts when two trees are
compared.
"""

import ast
import difflib
import keyword
import math
import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise

import numpy as np

from sinklab.equations.functions import ATOM, NEGATIVE, POWER, PRODUCT, SUM, by_word, named_operations
from sinklab.language import EquationError, listing, tr, width


@dataclass(frozen=True, slots=True)
class Node:
    """Base of all nodes; ``position`` is (line, column), both counted from 1."""

    position: tuple = field(default=(1, 1), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A constant, never negative: a minus sign is a :class:`Negative`."""

    value: float


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A predictor, an earlier left side or a parameter, which may vary by a ``group`` column."""

    name: str
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Sum(Node):
    """Terms with their signs: ``((1, a), (-1, b))`` is ``a - b``."""

    terms: tuple


@dataclass(frozen=True, slots=True)
class Product(Node):
    """Factors with their powers 1 or -1: ``((1, a), (-1, b))`` is ``a / b``."""

    factors: tuple


@dataclass(frozen=True, slots=True)
class Negative(Node):
    """A leading minus sign."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Power(Node):
    """``base**exponent``."""

    base: Node
    exponent: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function of the language, a comparison or a condition by its word or sign; see :mod:`.functions`.

    ``where`` has the condition, the value where it holds, and the value elsewhere.
    """

    function: str
    arguments: tuple


@dataclass(frozen=True, slots=True)
class Equation:
    """One line of a system: ``response = right``."""

    response: str
    right: Node
    position: tuple = field(default=(1, 1), compare=False)

    def __str__(self):
        """Canonical text of the line."""
        return f"{self.response} = {plain(self.right)}"


def children(node) -> tuple:
    """Nodes directly below ``node``, in the order of writing."""
    below = []
    for name in node.__match_args__:
        held = getattr(node, name)
        for part in held if isinstance(held, tuple) else (held,):
            # The parts of a sum or product come with their signs.
            part = part[1] if isinstance(part, tuple) else part
            if isinstance(part, Node):
                below.append(part)
    return tuple(below)


def is_condition(node) -> bool:
    """Whether ``node`` holds or does not, and is no number."""
    return isinstance(node, Call) and not by_word(node.function).folded


def walk(node):
    """Yield ``node`` and everything below it, in the order of writing."""
    waiting = [node]
    while waiting:
        here = waiting.pop()
        yield here
        waiting.extend(reversed(children(here)))


def names(node) -> list:
    """Every :class:`Name` in ``node``, with repetitions, in the order of writing."""
    return [found for found in walk(node) if isinstance(found, Name)]


def plain_number(value: float) -> str:
    """Shortest text that reads back as the same number."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


_LEVELS = {Sum: SUM, Product: PRODUCT, Negative: NEGATIVE, Power: POWER}


def level(node) -> int:
    """How tightly the outermost operation of ``node`` binds, as in Python."""
    return _LEVELS.get(type(node), ATOM)


def plain(node, at_least: int = SUM) -> str:
    """Canonical text of ``node``; in parentheses where it binds less than ``at_least``."""
    text = _plain(node)
    return f"({text})" if level(node) < at_least else text


def _plain(node):
    match node:
        case Number():
            return plain_number(node.value)
        case Name():
            return node.name if node.group is None else f"{node.name}[{node.group}]"
        case Sum():
            return _chain(node.terms, (" + ", " - "), PRODUCT, PRODUCT)
        case Product():
            return _chain(node.factors, (" * ", " / "), NEGATIVE, POWER)
        case Negative():
            return f"-{plain(node.operand, POWER)}"
        case Power():
            return f"{plain(node.base, ATOM)}**{plain(node.exponent, ATOM)}"
        case Call(function="not"):
            return f"not ({plain(node.arguments[0])})"
        case Call() if is_condition(node):
            inner = (isinstance(part, Call) and part.function in WORDS for part in node.arguments)
            parts = (
                f"({plain(p)})" if joined else plain(p)
                for p, joined in zip(node.arguments, inner, strict=True)
            )
            return f" {node.function} ".join(parts)
        case Call():
            return f"{node.function}({', '.join(plain(a) for a in node.arguments)})"
    raise TypeError(f"not a node of an equation: {node!r}")


def _chain(parts, signs, first, later):
    """Join the parts of a sum or product; a minus sign after another sign goes into parentheses."""
    text = plain(parts[0][1], first)
    for sign, part in parts[1:]:
        shown = plain(part, later)
        text += signs[sign < 0] + (f"({shown})" if shown.startswith("-") else shown)
    return text


# The text as lines to point at.

_WINDOW = 60
#: What to write instead of signs that look like those of the language.
_SIGNS = dict(
    zip(
        "×·⋅∗÷∕−–—≤≥≠²³√。、【】〔〕",
        "* * * * / / - - - <= >= != ^2 ^3 sqrt(…) . , [ ] [ ]".split(),
        strict=True,
    )
)


@dataclass(frozen=True)
class Source:
    """Lines of a text; makes errors that show the line and a caret below the place."""

    lines: tuple

    @classmethod
    def of(cls, text, limit: int) -> "Source":
        """Split ``text`` into lines, at ``;`` too; refuse what is not text, or longer than ``limit`` characters."""
        if not isinstance(text, str):
            raise EquationError(
                f"equations must be text, found {type(text).__name__}.",
                f"方程必须是文本，实际为 {type(text).__name__}。",
            )
        shown = text[:limit].removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        lines = shown.split("\n")
        if len(lines) == 1:
            # What is typed on one line may go on behind a comment, too.
            lines = re.split("[;；]", shown)
        else:
            parts = [line.partition("#") for line in lines]
            lines = []
            for code, mark, comment in parts:
                *before, last = re.split("[;；]", code)
                lines += [*before, last + mark + comment]
        source = cls(tuple(lines))
        if len(text) > limit:
            raise source.error(
                (len(source.lines), len(source.lines[-1]) + 1),
                f"the text has {len(text)} characters; at most {limit} are read.",
                f"文本有 {len(text)} 个字符；最多读取 {limit} 个。",
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
        return f"{where}{message}\n    {left}{before}{after}{right}\n    {' ' * width(left + before)}^"

    def error(self, position, en: str, zh: str | None = None) -> EquationError:
        """Make an error that points at one place, from both wordings or one text that is both."""
        return EquationError(self.pointed(position, en if zh is None else tr(en, zh)))

    def errors(self, problems) -> EquationError:
        """Make one error for several (position, message)."""
        return EquationError(listing(self.pointed(*problem) for problem in problems))


def _printable(character):
    return character if character.isprintable() else " "


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
    ascii_form = _SIGNS.get(character) or unicodedata.normalize("NFKC", character)
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


# From text to tokens.

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
                    f"more than {MAX_TOKENS} names, numbers and signs in one equation; split it.",
                    f"一个方程中的名称、数字和符号超过 {MAX_TOKENS} 个，请拆分。",
                )
        if tokens and not brackets:
            yield tokens
            tokens = []
    if brackets:
        raise _unclosed(brackets[-1], source)


def _unclosed(token, source):
    return source.error(
        token.position, f"`{token.text}` is never closed.", f"`{token.text}` 没有配对的右括号。"
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
                token.position, f"`{token.text}` closes nothing.", f"`{token.text}` 没有配对的左括号。"
            )
        brackets.pop()
    elif token.text == "=" and brackets:
        if brackets[-1].position[0] != token.position[0]:
            raise _unclosed(brackets[-1], source)
        raise source.error(
            token.position, "`=` inside brackets; write `==` to compare.", "括号内出现 `=`；比较请写 `==`。"
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
                f"`{token.text[:20]}{following}…`: a name cannot start with a digit; for a product write `*`.",
                f"`{token.text[:20]}{following}…`：名称不能以数字开头；乘积请写 `*`。",
            )
        if not math.isfinite(float(token.text)):
            raise source.error(token.position, not_finite())
    elif len(token.text) > MAX_NAME:
        raise source.error(
            token.position,
            f"a name of more than {MAX_NAME} characters; shorten it.",
            f"名称超过 {MAX_NAME} 个字符，请缩短。",
        )
    elif token.kind == "name" and token.text not in WORDS:
        if keyword.iskeyword(token.text) or token.text == "pi":
            hint = advice(token.text, tr("choose another name", "请换一个名称"))
            raise source.error(
                token.position,
                f"`{token.text}` is a reserved word: {hint}.",
                f"`{token.text}` 是保留字：{hint}。",
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
                f"an operator is missing before `{token.text[:40]}`; for a product write `*`.",
                f"`{token.text[:40]}` 之前缺少运算符；乘积请写 `*`。",
            )
        if not complete and not starts and not unary:
            raise source.error(
                token.position,
                f"a name or number is missing before `{token.text}`.",
                f"`{token.text}` 之前缺少名称或数字。",
            )
        if token.text == "not" and before.text not in ("=", "(", ",", "and", "or", "not"):
            raise source.error(
                token.position, "put `not …` in parentheses here.", "此处的 `not …` 须加括号。"
            )
        before = token
    if not before.ends_operand:
        raise source.error(
            before.position,
            f"a name or number is missing after `{before.text}`.",
            f"`{before.text}` 之后缺少名称或数字。",
        )


def too_deep() -> str:
    """Say that a text is nested too deeply."""
    return tr(
        f"nested more than {MAX_DEPTH} levels deep; write the equation in several lines.",
        f"嵌套超过 {MAX_DEPTH} 层；请把方程分成几行书写。",
    )


def not_finite(row=None) -> str:
    """Say that a constant is infinite or undefined, and where the function of a ``row`` is defined."""
    text = tr("this constant is not a finite number.", "此常数不是有限数。")
    if row is None or not row.domain:
        return text
    return text + tr(f" `{row.written}` needs {row.domain}.", f"`{row.written}` 要求 {row.domain}。")


def advice(name: str, otherwise: str) -> str:
    """Say what to write instead of ``name``, or else ``otherwise``."""
    if name in _ADVICE:
        return tr(f"write {_ADVICE[name]}", f"请写 {_ADVICE[name]}")
    close = difflib.get_close_matches(name.lower(), named_operations(), n=1, cutoff=0.5)
    return tr(f"did you mean `{close[0]}`?", f"是否应为 `{close[0]}`？") if close else otherwise


# From tokens to trees.

MAX_CHARACTERS = 100_000
MAX_EQUATIONS = 200

#: Signs and words of conditions as Python's parser knows them.
_SIGNS_OF = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_SIGNS_OF |= {ast.And: "and", ast.BitAnd: "and", ast.Or: "or", ast.BitOr: "or"}


def read(text: str) -> tuple[tuple[Equation, ...], Source]:
    """Read equations, one per line or with ``;`` between them; a line goes on while a parenthesis is open.

    Parameters
    ----------
    text : str
        Lines ``left = right``; ``#`` starts a comment; ``^`` and ``**`` are powers.

    Returns
    -------
    equations : tuple of Equation
        In the order of the text.
    source : Source
        The lines, to point at in later messages.

    Raises
    ------
    EquationError
        Names line and column of what is not part of the language, or exceeds a limit of this module.
    """
    source = Source.of(text, MAX_CHARACTERS)
    equations = []
    try:
        for tokens in logical_lines(source):
            if len(equations) == MAX_EQUATIONS:
                raise source.error(
                    tokens[0].position,
                    f"more than {MAX_EQUATIONS} equations; split the system.",
                    f"方程超过 {MAX_EQUATIONS} 个，请拆分方程组。",
                )
            equations.append(_equation(tokens, source))
    except (RecursionError, MemoryError):
        raise source.error((1, 1), too_deep()) from None
    if not equations:
        raise source.error(
            (1, 1), "no equation found; expected `left = right`.", "没有方程；应写成 `左边 = 右边`。"
        )
    return tuple(equations), source


def _equation(tokens, source):
    """Translate the tokens of one equation."""
    signs = [i for i, token in enumerate(tokens) if token.text == "="]
    if not signs:
        raise source.error(
            tokens[0].position,
            "no `=` in this equation; expected `left = right`.",
            "缺少 `=`；应写成 `左边 = 右边`。",
        )
    if len(signs) > 1:
        raise source.error(
            tokens[signs[1]].position,
            "a second `=`; one equation per line, `==` compares.",
            "出现第二个 `=`；每行一个方程，比较请写 `==`。",
        )
    left, right = tokens[: signs[0]], tokens[signs[0] + 1 :]
    if len(left) != 1 or left[0].kind != "name" or left[0].text in WORDS:
        raise source.error(
            tokens[0].position,
            "the left side must be one name, the measured quantity itself (a method may work on its logarithm).",
            "左边必须是一个名称，即测定量本身（取对数由拟合方法完成）。",
        )
    if left[0].text in named_operations():
        raise source.error(left[0].position, _function_as_name(left[0].text))
    check_order(tokens[signs[0]], right, source)
    reader = _Reader(right, source)
    tree = reader.number(reader.syntax(), 1)
    _constant(tree, source)
    return Equation(left[0].text, tree, left[0].position)


def _function_as_name(name):
    return tr(
        f"`{name}` is a function: call it as `{name}(…)`, or choose another name.",
        f"`{name}` 是函数：请写成 `{name}(…)`，或换一个名称。",
    )


_EXPECTED_GROUP = (
    "expected `parameter[group]` with the name of one column in the brackets, or of columns as in `a[province/site]`.",
    "应写成 `参数[分组列]`，方括号中为一个列名，或嵌套的列名，如 `a[province/site]`。",
)


class _Reader:
    """Translates the right side of one equation from Python's syntax tree."""

    def __init__(self, tokens, source):
        self.source = source
        self.tokens = tokens
        self.starts, parts, at = [], [], 0
        for token in tokens:
            self.starts.append(at)
            # a number is read from its token, so its digits need not pass through Python's parser
            parts.append({"^": "**"}.get(token.text, "1" if token.kind == "number" else token.text))
            at += len(parts[-1]) + 1
        self.code = " ".join(parts)

    def token(self, column):
        return self.tokens[max(0, bisect_right(self.starts, column) - 1)]

    def error(self, node, *wordings):
        return self.source.error(self.token(node.col_offset).position, *wordings)

    def syntax(self):
        try:
            return ast.parse(self.code, mode="eval").body
        except SyntaxError as problem:
            position = self.token((problem.offset or 1) - 1).position
            raise self.source.error(
                position, "the right side cannot be read here.", "右边从此处起无法解读。"
            ) from None

    def number(self, node, depth) -> Node:
        """Translate an expression whose value is a number."""
        if depth > MAX_DEPTH:
            raise self.error(node, too_deep())
        at = self.token(node.col_offset).position
        match node:
            case ast.Constant():
                return Number(float(self.token(node.col_offset).text), position=at)
            case ast.Name():
                return self.name(node)
            case ast.Subscript(value=ast.Name()):
                return Name(self.name(node.value).name, self.group(node.slice, node), position=at)
            case ast.Subscript():
                raise self.error(node, *_EXPECTED_GROUP)
            case ast.UnaryOp(op=ast.UAdd()):
                return self.number(node.operand, depth + 1)
            case ast.UnaryOp(op=ast.USub()):
                return Negative(self.number(node.operand, depth + 1), position=at)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return Sum(self.chain(node, ast.Add, ast.Sub, depth), position=at)
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                return Product(self.chain(node, ast.Mult, ast.Div, depth), position=at)
            case ast.BinOp(op=ast.Pow()):
                return Power(
                    self.number(node.left, depth + 1), self.number(node.right, depth + 1), position=at
                )
            case ast.Call():
                return self.call(node, depth)
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                raise self.error(
                    node,
                    "`&` and `|` join conditions: put each comparison in parentheses, or write `and`, `or`.",
                    "`&` 和 `|` 只连接条件：每个比较式须加括号，或写 `and`、`or`。",
                )
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
                raise self.error(
                    node,
                    "a condition has no value; use it as the first argument of where(condition, a, b).",
                    "条件没有数值；只能作为 where(条件, a, b) 的第一个参数。",
                )
        raise self.error(node, "this is not part of the language of equations.", "方程语言中没有这种写法。")

    def group(self, node, whole) -> str:
        """A column of groups, or columns of which each divides the groups of the one before: ``province/site``."""
        match node:
            case ast.Name():
                return self.name(node).name
            case ast.BinOp(op=ast.Div(), right=ast.Name()):
                return f"{self.group(node.left, whole)}/{self.name(node.right).name}"
        raise self.error(whole, *_EXPECTED_GROUP)

    def chain(self, node, plus, minus, depth):
        """Flatten a sum or product along its left side, without recursion."""
        parts = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, plus | minus):
            parts.append((-1 if isinstance(node.op, minus) else 1, self.number(node.right, depth + 1)))
            node = node.left
        parts.append((1, self.number(node, depth + 1)))
        return tuple(reversed(parts))

    def name(self, node):
        if node.id in named_operations():
            raise self.error(node, _function_as_name(node.id))
        return Name(node.id, position=self.token(node.col_offset).position)

    def call(self, node, depth):
        if not isinstance(node.func, ast.Name):
            raise self.error(node, "only a function can be called.", "只有函数可以带括号调用。")
        function, known = node.func.id, named_operations()
        if function not in known:
            hint = advice(function, tr("for a product write `*`", "乘积请写 `*`"))
            raise self.error(
                node,
                f"`{function[:40]}` is not a function here: {hint} (functions: {', '.join(known)}).",
                f"没有函数 `{function[:40]}`：{hint}（可用函数：{', '.join(known)}）。",
            )
        at, count, row = self.token(node.col_offset).position, len(node.args), known[function]
        if not row.takes(count):
            raise self.error(
                node,
                f"{count} argument(s); expected {row.written}.",
                f"有 {count} 个参数；应为 {row.written}。",
            )
        if function == "where":
            parts = [self.condition(node.args[0], depth + 1)]
            parts += [self.number(a, depth + 1) for a in node.args[1:]]
        else:
            parts = [self.number(a, depth + 1) for a in node.args]
        return Call(function, tuple(parts), position=at)

    def condition(self, node, depth) -> Node:
        """Translate an expression that holds or does not."""
        if depth > MAX_DEPTH:
            raise self.error(node, too_deep())
        at = self.token(node.col_offset).position
        match node:
            case ast.Compare():
                values = [self.number(part, depth + 1) for part in (node.left, *node.comparators)]
                parts = tuple(
                    Call(_SIGNS_OF[type(op)], pair, position=at)
                    for op, pair in zip(node.ops, pairwise(values), strict=True)
                )
                return parts[0] if len(parts) == 1 else Call("and", parts, position=at)
            case ast.BoolOp():
                word, parts = _SIGNS_OF[type(node.op)], node.values
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                word, parts = _SIGNS_OF[type(node.op)], (node.left, node.right)
            case ast.UnaryOp(op=ast.Not()):
                word, parts = "not", (node.operand,)
            case _:
                raise self.error(
                    node,
                    "expected a condition such as dbh < 5; join several with `and`, or with `&` between parentheses.",
                    "此处应为条件，如 dbh < 5；多个条件用 `and` 连接，或加括号后用 `&` 连接。",
                )
        return Call(word, tuple(self.condition(part, depth + 1) for part in parts), position=at)


def _constant(node, source):
    """Value of a subtree without names, in floating point; None if it names something or is a condition."""
    if isinstance(node, Number):
        return node.value
    values = [_constant(part, source) for part in children(node)]
    if not values or None in values or is_condition(node):
        return None
    numbers, row = np.array(values), None
    with np.errstate(all="ignore"):
        match node:
            case Sum():
                value = numbers @ [sign for sign, _ in node.terms]
            case Product():
                value = np.prod(numbers ** [float(power) for power, _ in node.factors])
            case Negative():
                value = -numbers[0]
            case Power():
                value = numbers[0] ** numbers[1]
            case Call():
                row = by_word(node.function)
                value = reduce(row.value, numbers) if row.many else row.value(*numbers)
    if not np.isfinite(value):
        raise source.error(node.position, not_finite(row))
    return float(value)
