"""Operations of PyTensor on single numbers as expressions of Python, as numba wants them."""

#: By the names of PyTensor's classes; ``{0}`` and so on are names or numbers, and may be repeated.
_EXPRESSIONS = {
    "Sub": "{0} - {1}",
    "TrueDiv": "{0} / {1}",
    "Pow": "{0} ** {1}",
    "Neg": "-{0}",
    "Sqr": "{0} * {0}",
    "Reciprocal": "1.0 / {0}",
    "Abs": "abs({0})",
    "Cast": "1.0 * {0}",
    "Identity": "{0}",
    "Second": "{1}",
    "Sign": "1.0 * ({0} > 0.0) - 1.0 * ({0} < 0.0)",
    "Switch": "{1} if {0} else {2}",
    # No number, where there is one, stays none.
    "Maximum": "{0} if {0} >= {1} or {0} != {0} else {1}",
    "Minimum": "{0} if {0} <= {1} or {0} != {0} else {1}",
    "LT": "{0} < {1}",
    "LE": "{0} <= {1}",
    "GT": "{0} > {1}",
    "GE": "{0} >= {1}",
    "EQ": "{0} == {1}",
    "NEQ": "{0} != {1}",
    "Invert": "not {0}",
    "Sigmoid": "1.0 / (1.0 + math.exp(-{0}))",
    "Softplus": "max({0}, 0.0) + math.log1p(math.exp(-abs({0})))",
    "Log1mexp": "math.log(-math.expm1({0})) if {0} > -0.6931 else math.log1p(-math.exp({0}))",
}
_CHAINED = {"Add": " + ", "Mul": " * ", "AND": " and ", "OR": " or "}
_FUNCTIONS = ("Exp", "Log", "Log1p", "Expm1", "Sqrt", "Sinh", "Cosh", "Tanh", "IsInf", "IsNan")


def expression(operation, arguments) -> str:
    """Text of an operation.

    Parameters
    ----------
    operation : pytensor.scalar.ScalarOp
    arguments : sequence of str
        Names or numbers.
    """
    kind = type(operation).__name__
    if kind in _FUNCTIONS:
        return f"math.{kind.lower()}({arguments[0]})"
    # A negative number is no factor as it stands.
    arguments = [f"({a})" if a.startswith("-") else a for a in arguments]
    return _CHAINED[kind].join(arguments) if kind in _CHAINED else _EXPRESSIONS[kind].format(*arguments)
