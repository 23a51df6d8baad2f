r"""Equations as a standard prints them, in LaTeX.

Terms keep the order in which they were written, products are set with a thin space, quotients as
fractions, ``where`` as cases. Variables bear the symbols of the vocabulary, parameters their letter
with an index: ``a1`` is :math:`a_{1}`, ``log_a`` is :math:`\mathrm{log}_{a}`.
"""

import math
import re
from itertools import groupby

from sinklab.data import vocabulary
from sinklab.equations import functions
from sinklab.equations.functions import ATOM, NEGATIVE, POWER, PRODUCT, SUM
from sinklab.equations.parse import Call, Equation, Name, Negative, Number, Power, Product, Sum, is_condition
from sinklab.language import reader_language

_GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi psi "
    "omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega".split()
)
_COMPARE = {"<": "<", "<=": r"\le", ">": ">", ">=": r"\ge", "==": "=", "!=": r"\ne"}
_NEGATED = {"<": r"\ge", "<=": ">", ">": r"\le", ">=": "<", "==": r"\ne", "!=": "="}
_WORDS = {
    "en": {"and": " and ", "or": " or ", "not": "not ", "else": "otherwise"},
    "zh": {"and": " 且 ", "or": " 或 ", "not": "非 ", "else": "其他"},
}

#: What figures set in another way than a document, in this order.
_MATHTEXT = {
    r"\begin{cases}": r"\{",
    r"\end{cases}": "",
    "&": r"\;",
    r"\\": r";\;\;",
    r"\left": "!L!",
    r"\le": r"\leq",
}
_MATHTEXT |= {"!L!": r"\left", r"\ge": r"\geq", r"\ne": r"\neq"}


def to_latex(equation: Equation, system, lang: str | None = None, values=None, number=None) -> str:
    """LaTeX of one equation of ``system``; see :meth:`System.latex`."""
    writer = _Writer(system, lang or reader_language(), values or {}, number or significant)
    return f"{writer.symbol(equation.response)} = {writer.write(equation.right)[0]}"


def mathtext(system, lang: str | None = None) -> list[str]:
    """Equations as figures set them, between dollars; as they were written where their symbols are Chinese."""
    lines = []
    for equation, line in zip(system.equations, system.latex(lang), strict=True):
        # What mathtext has no letters or brackets for stands on one line, or as it was written.
        for said, set_as in _MATHTEXT.items():
            line = line.replace(said, set_as)
        lines.append(f"${line}$" if line.isascii() else str(equation))
    return lines


def significant(value: float) -> str:
    """Six significant digits, the default for numbers in print."""
    return f"{value:.6g}"


def taken(system) -> frozenset[str]:
    """Symbols of the variables of a system, which no parameter may bear as well."""
    known = (vocabulary.variables().get(name) for name in (*system.predictors, *system.responses))
    return frozenset(variable.latex for variable in known if variable and variable.latex)


def parameter_symbol(name: str, group: str | None = None, others: frozenset[str] = frozenset()) -> str:
    r"""Symbol of a parameter: ``b2`` is ``b_{2}``, ``sigma_stem`` ``\sigma_{\mathrm{stem}}``.

    Where one of ``others`` is the same letter (``A`` for age beside an asymptote ``A``), it bears the index 0.
    """
    if others and parameter_symbol(name) in others:
        name = f"{name}_0"
    head, *parts = [part for part in name.split("_") if part] or [name.replace("_", r"\_")]
    found = re.fullmatch(r"([A-Za-z]+)(\d+)", head)
    if found:
        head, parts = found[1], [found[2], *parts]
    indices = [part if part.isdigit() or len(part) == 1 else rf"\mathrm{{{part}}}" for part in parts]
    if group:
        indices.append(rf"\mathrm{{{escaped(group)}}}")
    base = head if len(head) == 1 else rf"\{head}" if head in _GREEK else rf"\mathrm{{{head}}}"
    return base + (f"_{{{','.join(indices)}}}" if indices else "")


def escaped(text: str) -> str:
    """Text that may stand in an upright index."""
    return text.replace("_", r"\_")


class _Writer:
    """Writes trees; every part comes with the level at which its outermost operation binds."""

    def __init__(self, system, lang, values, number):
        self.known = {*system.predictors, *system.responses}
        self.taken = taken(system)
        self.words = _WORDS["zh" if lang == "zh" else "en"]
        self.values, self.number = values, number

    def symbol(self, name, group=None):
        if name not in self.known:
            return parameter_symbol(name, group, self.taken)
        known = vocabulary.variables().get(name)
        return known.latex if known and known.latex else parameter_symbol(name)

    def inside(self, node, at_least):
        """Write a part, in parentheses if it binds less than ``at_least``."""
        text, binds = self.write(node)
        return rf"\left({text}\right)" if binds < at_least else text

    def write(self, node):
        match node:
            case Number():
                return self.constant(node.value)
            case Name():
                if node.name in self.values:
                    return self.constant(float(self.values[node.name]))
                return self.symbol(node.name, node.group), ATOM
            case Sum():
                return self.sum(node.terms), SUM
            case Product():
                return self.product(node.factors)
            case Negative():
                text = self.inside(node.operand, PRODUCT)
                return (text[1:], PRODUCT) if text.startswith("-") else (f"-{text}", NEGATIVE)
            case Power():
                return f"{self.inside(node.base, ATOM)}^{{{self.write(node.exponent)[0]}}}", POWER
            case Call(function="where"):
                return self.cases(node), PRODUCT
            case Call():
                return (self.condition(node), ATOM) if is_condition(node) else self.call(node)
        raise TypeError(f"not a node of an equation: {node!r}")

    def constant(self, value):
        """Write a number; 1e-05 becomes a power of ten."""
        if not math.isfinite(value):
            return r"\mathrm{NaN}" if math.isnan(value) else r"\infty" if value > 0 else r"-\infty", ATOM
        text = self.number(value).replace("−", "-")
        binds = NEGATIVE if text.startswith("-") else ATOM
        digits, e, exponent = text.lower().partition("e")
        if not e:
            return text, binds
        power = rf"10^{{{int(exponent)}}}"
        return (power if digits == "1" else rf"{digits} \times {power}"), min(binds, PRODUCT)

    def sum(self, terms):
        text = ""
        for sign, term in terms:
            shown = self.inside(term, PRODUCT)
            if shown.startswith("-"):
                sign, shown = -sign, shown[1:]
            text += (" + " if sign > 0 else " - ") + shown
        return text[3:] if text.startswith(" + ") else f"-{text[3:]}"

    def product(self, factors):
        above = [factor for power, factor in factors if power > 0]
        below = [factor for power, factor in factors if power < 0]
        if not below:
            return self.row(above), PRODUCT
        over = self.row(above)
        negative = over.startswith("-") and not (len(above) == 1 and isinstance(above[0], Sum))
        sign, over = ("-", over[1:]) if negative else ("", over)
        return rf"{sign}\frac{{{over}}}{{{self.row(below)}}}", PRODUCT

    def row(self, factors):
        """Write factors side by side; a sign of multiplication only where two numbers would touch.

        A function that stands beside itself, as in ``log(dbh) * log(dbh)``, is written once, with its power.
        """
        runs = [[*run] for _, run in groupby(factors, key=lambda f: f if isinstance(f, Call) else id(f))]
        factors = [run[0] if len(run) == 1 else Power(run[0], Number(len(run))) for run in runs]
        if len(factors) == 1:
            return self.write(factors[0])[0]
        text = self.inside(factors[0], PRODUCT)
        for factor in factors[1:]:
            shown = self.inside(factor, POWER)
            text += (r" \times " if shown[0].isdigit() else r"\,") + shown
        return text

    def call(self, node):
        template = functions.by_word(node.function).latex
        # What closes with a brace, as a root does, is one sign; a call needs another pair under a power.
        binds = ATOM if template.endswith("}") else POWER
        return template.format(", ".join(self.write(argument)[0] for argument in node.arguments)), binds

    def cases(self, node):
        """Write ``where``, a chain of them as one list; the last row of a simple one says its own condition."""
        rows, rest = [], node
        while isinstance(rest, Call) and rest.function == "where":
            last, yes, rest = rest.arguments
            rows.append((self.write(yes)[0], self.condition(last)))
        simple = len(rows) == 1 and last.function in _COMPARE
        otherwise = self.comparison(last, _NEGATED) if simple else rf"\text{{{self.words['else']}}}"
        rows.append((self.write(rest)[0], otherwise))
        body = r" \\ ".join(f"{value}, & {condition}" for value, condition in rows)
        return rf"\begin{{cases}} {body} \end{{cases}}"

    def comparison(self, node, signs):
        return f" {signs[node.function]} ".join(self.write(side)[0] for side in node.arguments)

    def condition(self, node):
        if node.function in _COMPARE:
            return self.comparison(node, _COMPARE)
        # Within "not" every condition stands in parentheses, within "and" and "or" those that are joined.
        bare = () if node.function == "not" else _COMPARE
        parts = (self.condition(p) for p in node.arguments)
        shown = [
            t if p.function in bare else rf"\left({t}\right)"
            for p, t in zip(node.arguments, parts, strict=True)
        ]
        word = rf"\text{{{self.words[node.function]}}}"
        return word + shown[0] if node.function == "not" else word.join(shown)
