"""From text to trees: the language of the equations, read through a whitelist.

The tokens are given to Python's parser (:mod:`ast`) for its precedence rules, and its syntax tree is
translated node by node. Nothing is ever evaluated; constants are folded in floating point only to
refuse those that are not finite.
"""

import ast
import math
from bisect import bisect_right

from sinklab.equations.source import Source
from sinklab.equations.tokens import (
    MAX_DEPTH,
    WORDS,
    advice,
    check_order,
    logical_lines,
    not_finite,
    too_deep,
)
from sinklab.equations.tree import (
    FUNCTIONS,
    Call,
    Comparison,
    Equation,
    Logic,
    Name,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Sum,
    Where,
    children,
)
from sinklab.language import tr

MAX_CHARACTERS = 100_000
MAX_EQUATIONS = 200

_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


def read(text: str) -> tuple[tuple[Equation, ...], Source]:
    """Read equations, one per line; a line goes on while a parenthesis is open.

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
                    tr(
                        f"more than {MAX_EQUATIONS} equations; split the system.",
                        f"方程超过 {MAX_EQUATIONS} 个，请拆分方程组。",
                    ),
                )
            equations.append(_equation(tokens, source))
    except (RecursionError, MemoryError):
        raise source.error((1, 1), too_deep()) from None
    if not equations:
        raise source.error(
            (1, 1), tr("no equation found; expected `left = right`.", "没有方程；应写成 `左边 = 右边`。")
        )
    return tuple(equations), source


def _equation(tokens, source):
    """Translate the tokens of one equation."""
    signs = [i for i, token in enumerate(tokens) if token.text == "="]
    if not signs:
        raise source.error(
            tokens[0].position,
            tr("no `=` in this equation; expected `left = right`.", "缺少 `=`；应写成 `左边 = 右边`。"),
        )
    if len(signs) > 1:
        raise source.error(
            tokens[signs[1]].position,
            tr(
                "a second `=`; one equation per line, `==` compares.",
                "出现第二个 `=`；每行一个方程，比较请写 `==`。",
            ),
        )
    left, right = tokens[: signs[0]], tokens[signs[0] + 1 :]
    if len(left) != 1 or left[0].kind != "name" or left[0].text in WORDS:
        raise source.error(
            tokens[0].position,
            tr(
                "the left side must be one name, the measured quantity itself (a method may work on its logarithm).",
                "左边必须是一个名称，即测定量本身（取对数由拟合方法完成）。",
            ),
        )
    if left[0].text in FUNCTIONS:
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

    def error(self, node, message):
        return self.source.error(self.token(node.col_offset).position, message)

    def syntax(self):
        try:
            return ast.parse(self.code, mode="eval").body
        except SyntaxError as problem:
            position = self.token((problem.offset or 1) - 1).position
            raise self.source.error(
                position, tr("the right side cannot be read here.", "右边从此处起无法解读。")
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
            case ast.Subscript(value=ast.Name(), slice=ast.Name()):
                group = self.name(node.slice).name
                return Name(self.name(node.value).name, group, position=at)
            case ast.Subscript():
                raise self.error(
                    node,
                    tr(
                        "expected `parameter[group]` with the name of one column in the brackets.",
                        "应写成 `参数[分组列]`，方括号中为一个列名。",
                    ),
                )
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
                    tr(
                        "`&` and `|` join conditions: put each comparison in parentheses, or write `and`, `or`.",
                        "`&` 和 `|` 只连接条件：每个比较式须加括号，或写 `and`、`or`。",
                    ),
                )
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
                raise self.error(
                    node,
                    tr(
                        "a condition has no value; use it as the first argument of where(condition, a, b).",
                        "条件没有数值；只能作为 where(条件, a, b) 的第一个参数。",
                    ),
                )
        raise self.error(
            node, tr("this is not part of the language of equations.", "方程语言中没有这种写法。")
        )

    def chain(self, node, plus, minus, depth):
        """Flatten a sum or product along its left side, without recursion."""
        parts = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, plus | minus):
            parts.append((-1 if isinstance(node.op, minus) else 1, self.number(node.right, depth + 1)))
            node = node.left
        parts.append((1, self.number(node, depth + 1)))
        return tuple(reversed(parts))

    def name(self, node):
        if node.id in FUNCTIONS:
            raise self.error(node, _function_as_name(node.id))
        return Name(node.id, position=self.token(node.col_offset).position)

    def call(self, node, depth):
        if not isinstance(node.func, ast.Name):
            raise self.error(node, tr("only a function can be called.", "只有函数可以带括号调用。"))
        function = node.func.id
        if function not in FUNCTIONS:
            known = ", ".join(FUNCTIONS)
            hint = advice(function, tr("for a product write `*`", "乘积请写 `*`"))
            raise self.error(
                node,
                tr(
                    f"`{function[:40]}` is not a function here: {hint} (functions: {known}).",
                    f"没有函数 `{function[:40]}`：{hint}（可用函数：{known}）。",
                ),
            )
        at, count = self.token(node.col_offset).position, len(node.args)
        expected = {"where": count == 3, "min": count >= 2, "max": count >= 2}.get(function, count == 1)
        if not expected:
            wanted = {"where": "where(condition, a, b)", "min": "min(a, b, …)", "max": "max(a, b, …)"}
            form = wanted.get(function, f"{function}(x)")
            raise self.error(
                node, tr(f"{count} argument(s); expected {form}.", f"有 {count} 个参数；应为 {form}。")
            )
        if function == "where":
            values = [self.number(a, depth + 1) for a in node.args[1:]]
            return Where(self.condition(node.args[0], depth + 1), *values, position=at)
        return Call(function, tuple(self.number(a, depth + 1) for a in node.args), position=at)

    def condition(self, node, depth) -> Node:
        """Translate an expression that holds or does not."""
        if depth > MAX_DEPTH:
            raise self.error(node, too_deep())
        at = self.token(node.col_offset).position
        match node:
            case ast.Compare():
                values = [self.number(part, depth + 1) for part in (node.left, *node.comparators)]
                parts = tuple(
                    Comparison(_COMPARISONS[type(op)], a, b, position=at)
                    for op, a, b in zip(node.ops, values, values[1:], strict=False)
                )
                return parts[0] if len(parts) == 1 else Logic("and", parts, position=at)
            case ast.BoolOp():
                word = "and" if isinstance(node.op, ast.And) else "or"
                return Logic(word, tuple(self.condition(v, depth + 1) for v in node.values), position=at)
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                word = "and" if isinstance(node.op, ast.BitAnd) else "or"
                sides = (self.condition(node.left, depth + 1), self.condition(node.right, depth + 1))
                return Logic(word, sides, position=at)
            case ast.UnaryOp(op=ast.Not()):
                return Logic("not", (self.condition(node.operand, depth + 1),), position=at)
        raise self.error(
            node,
            tr(
                "expected a condition such as dbh < 5; join several with `and`, or with `&` between parentheses.",
                "此处应为条件，如 dbh < 5；多个条件用 `and` 连接，或加括号后用 `&` 连接。",
            ),
        )


def _constant(node, source):
    """Value of a subtree without names, in floating point; None if it names something."""
    match node:
        case Number():
            return node.value
        case Name():
            return None
        case Where() | Comparison() | Logic():
            for part in children(node):
                _constant(part, source)
            return None
    values = [_constant(part, source) for part in children(node)]
    if None in values:
        return None
    try:
        value = _FOLD[type(node)](node, values)
    except (OverflowError, ZeroDivisionError, ValueError):
        value = math.nan
    if isinstance(value, complex) or not math.isfinite(value):
        raise source.error(node.position, not_finite())
    return value


_ONE = {"exp": lambda v: math.exp(v[0]), "log": lambda v: math.log(v[0]), "sqrt": lambda v: math.sqrt(v[0])}
_FOLD = {
    Sum: lambda node, v: math.fsum(sign * x for (sign, _), x in zip(node.terms, v, strict=True)),
    Product: lambda node, v: math.prod(x**sign for (sign, _), x in zip(node.factors, v, strict=True)),
    Negative: lambda node, v: -v[0],
    Power: lambda node, v: v[0] ** v[1],
    Call: lambda node, v: (_ONE | {"min": min, "max": max})[node.function](v),
}
