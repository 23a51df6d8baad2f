"""What a prediction computes, as one graph that every export writes in its own language.

The graph comes from the equations of the model; its derivatives are those the fit used. Leaves are
predictors (``column``) and, as ``parameter``: coefficients by their name, and numbers of the residual
model by names with a blank in them (``sigma stem``), which no coefficient can have. ``mean stem``
stands for the expected value of ``stem`` once that is known.

Nodes of a graph as text of a programming language.

A :class:`Dialect` says how a language writes each operation; an :class:`Emitter` sets parentheses
only where they are needed and gives a name to whatever is long and used twice.

A program as lines of assignments, the part that R, Python and SQL share.

Quantile functions of the families of :mod:`sinklab.distributions` in other languages.

What stands at the head of every exported file: which table, how far it may be trusted, in what units.
"""

import keyword
from dataclasses import dataclass
from itertools import count

from sinklab.data import vocabulary
from sinklab.equations.compile import Graph, Term
from sinklab.language import tr
from sinklab.results.prediction import floor

# --- What a prediction computes, as one graph that every export writes in its own language.


@dataclass(frozen=True)
class Program:
    """Nodes of everything that :func:`sinklab.prediction.predict` gives for one model.

    Attributes
    ----------
    model : FitResult
    graph : Graph
    raw, mean : dict of int
        Nodes of each response: before and after the correction of the bias of logarithms.
    gradient : dict of dict of int
        ``gradient[response][coefficient]``: derivative of the mean; those left out are zero.
    deviation : dict of int
        Residual standard deviation of each free response.
    median : dict of int
        Median of each response with lognormal residuals.
    extra : dict of int
        What an individual adds to the variance of the mean: residual variance, with the correlation
        between equations, and variance between groups; for responses in ``median`` what it adds to the
        variance of the logarithm.
    constants : dict of float
        Numbers behind the leaves with a blank in their name.
    freedom, floor : dict of float
        Degrees of freedom of Student's t and lower end of the support, by response.
    """

    model: object
    graph: Graph
    raw: dict[str, int]
    mean: dict[str, int]
    gradient: dict[str, dict[str, int]]
    deviation: dict[str, int]
    median: dict[str, int]
    extra: dict[str, int]
    constants: dict[str, float]
    freedom: dict[str, float]
    floor: dict[str, float]

    def label_gradient(self, response) -> list[tuple[int, str, str, int]]:
        """Derivatives by every single value: position, group column, group level ("" for none), node."""
        layout = self.model.layout
        groups = self.model.system.groups
        return [
            (i, groups.get(name, ""), group, self.gradient[response][name])
            for i, (name, group) in enumerate(zip(layout.names, layout.groups, strict=True))
            if name in self.gradient[response]
        ]


def program_of(model) -> Program:
    """Build the graph of one model.

    Parameters
    ----------
    model : FitResult

    Returns
    -------
    program : Program
    """
    graph, system = Graph(), model.system
    columns = {x: graph.add_node("column", x) for x in system.predictors}
    known = columns | {p: graph.add_node("parameter", p) for p in system.parameters}
    raw = {}
    for equation in system.equations:
        raw[equation.response] = known[equation.response] = graph.build(equation.right, known)
    slopes = dict(zip(raw, graph.derivatives(list(raw.values())), strict=True))
    slopes = {r: {p: node for p, node in s.items() if p in system.parameters} for r, s in slopes.items()}
    constants: dict[str, float] = {}
    shares = _shares(graph, system, columns)
    if model.of_medians:
        mean, gradient = _corrected(graph, model, columns, raw, slopes, shares, constants)
    else:
        mean, gradient = raw, slopes
    deviation = {r: _deviation(graph, m, columns, constants) for r, m in model.residual.items()}
    median = {
        r: _median(graph, model, r, raw, constants)
        for r, m in model.residual.items()
        if m.kind == "lognormal"
    }
    extra = {}
    for r in system.responses:
        between = _between(graph, model, gradient[r], constants)
        if r in median:
            squared = graph.apply("multiply", _mean_of(graph, r), _mean_of(graph, r))
            sigma = _constant(graph, constants, f"sigma {r}", model.residual[r].sigma)
            own, between = graph.apply("multiply", sigma, sigma), graph.apply("divide", between, squared)
        else:
            own = _variance(graph, model, shares[r], constants)
        extra[r] = graph.apply("add", own, between)
    freedom = {r: min(model.residual[f].freedom for f in shares[r]) for r in system.responses}
    floors = {r: floor(model, r) for r in system.responses}
    return Program(model, graph, raw, mean, gradient, deviation, median, extra, constants, freedom, floors)


def _mean_of(graph, response) -> int:
    return graph.add_node("parameter", f"mean {response}")


def _shares(graph, system, columns) -> dict[str, dict[str, int]]:
    """Derivative of each response by the free responses that it is made of."""
    known = columns | {r: _mean_of(graph, r) for r in system.free}
    shares = {r: {r: graph.constant(1)} for r in system.free}
    lines = [e for e in system.equations if e.response in system.identities]
    for equation in lines:
        known[equation.response] = graph.build(equation.right, known)
    found = graph.derivatives([known[e.response] for e in lines])
    for equation, slope in zip(lines, found, strict=True):
        shares[equation.response] = {name.removeprefix("mean "): node for name, node in slope.items()}
    return {r: shares[r] for r in system.responses}


def _corrected(graph, model, columns, raw, slopes, shares, constants):
    """Means and derivatives on the natural scale of equations that were fitted as logarithms."""
    system = model.system
    factor = {r: _constant(graph, constants, f"correction {r}", model.correction[r]) for r in system.free}
    mean = {r: graph.apply("multiply", raw[r], factor[r]) for r in system.free}
    known = columns | mean
    for equation in system.equations:
        if equation.response in system.identities:
            mean[equation.response] = known[equation.response] = graph.build(equation.right, known)
    gradient = {}
    for response in system.responses:
        total: dict[str, int] = {}
        for free, share in shares[response].items():
            weight = graph.apply("multiply", share, factor[free])
            for name, slope in slopes[free].items():
                term = graph.apply("multiply", weight, slope)
                total[name] = graph.apply("add", total[name], term) if name in total else term
        gradient[response] = total
    return {r: mean[r] for r in system.responses}, gradient


def _constant(graph, constants, name, value) -> int:
    constants[name] = float(value)
    return graph.add_node("parameter", name)


def _deviation(graph, model, columns, constants) -> int:
    """Residual standard deviation of one equation, as :class:`~sinklab.results.ResidualModel` defines it."""
    mean = _mean_of(graph, model.response)
    sigma = _constant(graph, constants, f"sigma {model.response}", model.sigma)
    if model.kind == "constant":
        return sigma
    if model.variance.logged:
        spread = graph.apply("exp", graph.apply("multiply", sigma, sigma))
        relative = graph.apply("sqrt", graph.apply("subtract", spread, graph.constant(1)))
        return graph.apply("multiply", mean, relative)
    x = mean if model.by == "mean" else columns[model.by]
    delta = _constant(graph, constants, f"delta {model.response}", model.exponent)
    g = model.variance.g(Term(graph, delta), Term(graph, x), _Written)
    return graph.apply("multiply", sigma, g.node)


class _Written:
    """The functions that variance functions are written with, for terms of a graph."""

    @staticmethod
    def abs(x: Term) -> Term:
        """Absolute value."""
        return x.call("maximum", -x)

    @staticmethod
    def exp(x: Term) -> Term:
        """Exponential function."""
        return x.call("exp")


def _variance(graph, model, share, constants) -> int:
    """Residual variance of a response from those of its parts; ``sd stem`` stands for a deviation."""
    terms = []
    for response, slope in share.items():
        sd = graph.add_node("parameter", f"sd {response}")
        terms.append((response, graph.apply("multiply", slope, sd)))
    total = graph.constant(0)
    for i, (one, a) in enumerate(terms):
        total = graph.apply("add", total, graph.apply("multiply", a, a))
        for other, b in terms[:i]:
            name = " ".join(["correlation", *sorted((one, other))])
            rho = _constant(graph, constants, name, model.correlation.loc[one, other])
            both = graph.apply("multiply", graph.apply("multiply", graph.constant(2), rho), a)
            total = graph.apply("add", total, graph.apply("multiply", both, b))
    return total


def _median(graph, model, response, raw, constants) -> int:
    """Median of a response with lognormal residuals, on which the interval of an individual is centred."""
    if model.of_medians:
        return raw[response]
    sigma = _constant(graph, constants, f"sigma {response}", model.residual[response].sigma)
    half = graph.apply("divide", graph.apply("multiply", sigma, sigma), graph.constant(-2))
    return graph.apply("multiply", _mean_of(graph, response), graph.apply("exp", half))


def _between(graph, model, gradient, constants) -> int:
    """Variance that an individual of an unknown group owes to its group; 0 without random parameters."""
    total = graph.constant(0)
    if model.random is None:
        return total
    terms = []
    for name in model.random.names:
        if name not in gradient:
            continue
        slope = gradient[name]
        if name in model.random.multiplies:
            slope = graph.apply("multiply", slope, graph.add_node("parameter", name))
        terms.append((name, slope))
    for one, a in terms:
        for other, b in terms:
            covariance = model.random.covariance.loc[one, other]
            shared = _constant(graph, constants, " ".join(["between", *sorted((one, other))]), covariance)
            total = graph.apply("add", total, graph.apply("multiply", graph.apply("multiply", shared, a), b))
    return total


# --- Nodes of a graph as text of a programming language.

_SUM, _PRODUCT, _NEGATIVE, _POWER, _ATOM = range(5)
_INFIX = {
    "add": (" + ", _SUM, _SUM, _PRODUCT),
    "subtract": (" - ", _SUM, _SUM, _PRODUCT),
    "multiply": (" * ", _PRODUCT, _PRODUCT, _POWER),
    "divide": (" / ", _PRODUCT, _PRODUCT, _POWER),
}
_COMPARE = {
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "equal": "==",
    "not_equal": "!=",
}
#: A node that is used more than once gets a name when it has this many leaves or more.
WORTH_A_NAME = 6


@dataclass(frozen=True)
class Dialect:
    """How a language writes operations.

    ``functions`` are templates by operation, with ``{0}``, ``{1}`` … for the arguments; they bind
    like a call. ``power`` is the sign of a power, "" when a template writes it. ``tight_minus`` tells
    that a leading minus binds closer than a power, as in spreadsheets.
    """

    functions: dict[str, str]
    power: str
    compare: dict[str, str]
    tight_minus: bool = False

    def number(self, value: float) -> str:
        """A constant with all its digits."""
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _functions(**changes) -> dict[str, str]:
    common = {"exp": "exp({0})", "log": "log({0})", "sqrt": "sqrt({0})"}
    return common | changes


PYTHON = Dialect(
    _functions(
        exp="np.exp({0})",
        log="np.log({0})",
        log0="log0({0})",
        sqrt="np.sqrt({0})",
        minimum="np.minimum({0}, {1})",
        maximum="np.maximum({0}, {1})",
        where="np.where({0}, {1}, {2})",
        logical_and="np.logical_and({0}, {1})",
        logical_or="np.logical_or({0}, {1})",
        logical_not="np.logical_not({0})",
    ),
    "**",
    _COMPARE,
)
R = Dialect(
    _functions(
        log0="log0({0})",
        minimum="pmin({0}, {1})",
        maximum="pmax({0}, {1})",
        where="ifelse({0}, {1}, {2})",
        logical_and="(({0}) & ({1}))",
        logical_or="(({0}) | ({1}))",
        logical_not="(!({0}))",
    ),
    "^",
    _COMPARE,
)


class _Sql(Dialect):
    def number(self, value: float) -> str:
        # A point in every number: integers would be divided as integers.
        return repr(float(value))


SQL = _Sql(
    _functions(
        log="ln({0})",
        log0="ln(CASE WHEN {0} = 0 THEN 1.0 ELSE {0} END)",
        power="power({0}, {1})",
        minimum="CASE WHEN {0} < {1} THEN {0} WHEN {0} >= {1} THEN {1} END",
        maximum="CASE WHEN {0} > {1} THEN {0} WHEN {0} <= {1} THEN {1} END",
        where="CASE WHEN {0} THEN {1} ELSE {2} END",
        logical_and="(({0}) AND ({1}))",
        logical_or="(({0}) OR ({1}))",
        logical_not="(NOT ({0}))",
    ),
    "",
    _COMPARE | {"equal": "=", "not_equal": "<>"},
)


class _Excel(Dialect):
    def number(self, value: float) -> str:
        # Formulas in a file have a capital E.
        return super().number(value).upper()


EXCEL = _Excel(
    {
        "exp": "EXP({0})",
        "log": "LN({0})",
        "log0": "LN(IF({0}=0,1,{0}))",
        "sqrt": "SQRT({0})",
        "minimum": "MIN({0},{1})",
        "maximum": "MAX({0},{1})",
        "where": "IF({0},{1},{2})",
        "logical_and": "AND({0},{1})",
        "logical_or": "OR({0},{1})",
        "logical_not": "NOT({0})",
    },
    "^",
    _COMPARE | {"equal": "=", "not_equal": "<>"},
    tight_minus=True,
)


class Emitter:
    """Writes nodes; ``leaf`` gives the text of a predictor or parameter by kind and name.

    Parameters
    ----------
    graph : Graph
    dialect : Dialect
    leaf : callable
        ``leaf("column" or "parameter", name)``; text that stands for a name, a cell or a number.
    """

    def __init__(self, graph, dialect, leaf):
        self.graph, self.dialect, self.leaf = graph, dialect, leaf
        self.names: dict[int, str] = {}
        #: Names that the texts written since it was last emptied refer to.
        self.used: set[str] = set()

    def named(self, node: int, name: str) -> str:
        """Text of a node, which bears ``name`` from now on."""
        text = self.text(node)
        if self.graph.arguments(node):
            self.names.setdefault(node, name)
        return text

    def text(self, node: int) -> str:
        """Text of a node, without parentheses around it."""
        return self._write(node)[0]

    def shared(self, roots) -> list[int]:
        """Nodes below ``roots`` that are worth a name, in an order in which they can be computed."""
        order = self.graph.reached(roots)
        uses = dict.fromkeys(order, 0)
        for node in order:
            for argument in self.graph.arguments(node):
                uses[argument] += 1
        for root in roots:
            uses[root] += 1
        size, found = {}, []
        for node in order:
            arguments = self.graph.arguments(node)
            size[node] = sum(size[a] for a in arguments) or 1
            if arguments and uses[node] > 1 and size[node] >= WORTH_A_NAME:
                found.append(node)
                size[node] = 1
        return found

    def _inside(self, node, at_least) -> str:
        text, binds = self._write(node)
        return f"({text})" if binds < at_least else text

    def _write(self, node) -> tuple[str, int]:
        if node in self.names:
            self.used.add(self.names[node])
            return self.names[node], _ATOM
        operation, arguments = self.graph.nodes[node]
        if operation == "constant":
            return self._number(arguments[0])
        if operation in ("column", "parameter"):
            text = self.leaf(operation, arguments[0])
            self.used.add(text)
            return text, _NEGATIVE if text.startswith("-") else _ATOM
        if operation in _INFIX:
            sign, binds, left, right = _INFIX[operation]
            return f"{self._inside(arguments[0], left)}{sign}{self._inside(arguments[1], right)}", binds
        if operation == "negative":
            operand = self._inside(arguments[0], _ATOM if self.dialect.tight_minus else _POWER)
            return f"-{operand}", _NEGATIVE
        if operation in _COMPARE:
            sides = [self._inside(a, _SUM) for a in arguments]
            return f"{sides[0]} {self.dialect.compare[operation]} {sides[1]}", _SUM
        if operation in ("power", "square"):
            return self._power(operation, arguments)
        parts = [self._write(a)[0] for a in arguments]
        text = self.dialect.functions[operation].format(*parts)
        # Arguments that are repeated or compared inside a template keep their own parentheses.
        if text.startswith("CASE"):
            text = self.dialect.functions[operation].format(*(f"({p})" for p in parts))
            return f"({text})", _ATOM
        return text, _ATOM

    def _power(self, operation, arguments):
        if not self.dialect.power:
            exponent = self.dialect.number(2) if operation == "square" else self._write(arguments[1])[0]
            return self.dialect.functions["power"].format(self._write(arguments[0])[0], exponent), _ATOM
        base = self._inside(arguments[0], _ATOM)
        exponent = self.dialect.number(2) if operation == "square" else self._inside(arguments[1], _ATOM)
        return f"{base}{self.dialect.power}{exponent}", _POWER

    def _number(self, value):
        text = self.dialect.number(value)
        return text, _NEGATIVE if text.startswith("-") else _ATOM


# --- A program as lines of assignments, the part that R, Python and SQL share.

#: Names that generated functions use for themselves.
_PYTHON = {"np", "pd", "stats", "log0", "data", "level", "kind", "n", "out", "gradient", "variance", "rows"}
_R = {"if", "else", "repeat", "while", "function", "for", "next", "break", "in", "TRUE", "FALSE", "NULL"}
_R |= {"NA", "Inf", "NaN", "log0", "pmin", "pmax", "ifelse", "exp", "log", "sqrt"}


def safe_names(names, language: str) -> dict[str, str]:
    """Names of a model as names of a language: reserved words get an underscore behind them, SQL quotes all."""
    if language == "sql":
        return {name: f'"{name}"' for name in names}
    taken, found = set(), {}
    for name in names:
        own = name
        if language == "r" and own.startswith("_"):
            own = f"x{own}"
        while own in taken or _reserved(own, language):
            own += "_"
        taken.add(own)
        found[name] = own
    return found


def _reserved(name, language) -> bool:
    return name in _R if language == "r" else keyword.iskeyword(name) or name in _PYTHON


class Lines:
    """Writes the body of a function for one model.

    Parameters
    ----------
    program : Program
    dialect : Dialect
    language : "r", "python" or "sql"
    assign : str
        Sign of an assignment.
    """

    def __init__(self, program, dialect, language, assign):
        self.program, self.language, self.assign = program, language, assign
        self.names = self._all_names(program.model.system)
        self.emitter = Emitter(program.graph, dialect, self._leaf)
        self.deviations: dict[str, str] = {}
        self._medians: dict[str, str] = {}

    def _all_names(self, system) -> dict[str, str]:
        names = [*system.predictors, *dict.fromkeys(system.groups.values()), *system.parameters]
        return safe_names([*names, *system.responses], self.language)

    def _written(self, name) -> str:
        return f'"{name}"' if self.language == "sql" else name

    def _fresh(self, name, taken) -> str:
        while self._written(name) in taken:
            name += "_"
        taken.add(self._written(name))
        return self._written(name)

    def _bare(self, response) -> str:
        return self.names[response].strip('"')

    def _leaf(self, kind, name):
        head, _, rest = name.partition(" ")
        if not rest:
            return self.names[name]
        if head == "mean":
            return self.names[rest]
        if head == "sd":
            return self.deviations[rest]
        return self._constant(name)

    def _constant(self, name) -> str:
        return self.emitter.dialect.number(self.program.constants[name])

    def means(self) -> list[str]:
        """Lines that compute every response, what they share, and medians where they differ from means."""
        return [f"{name} {self.assign} {text}" for name, text, _ in self.variables()]

    def variables(self) -> list[tuple[str, str, set[str]]]:
        """Name, text and names used of each of them, in an order in which they can be computed."""
        p = self.program
        roots = [*p.raw.values(), *p.mean.values()]
        roots += [node for slopes in p.gradient.values() for node in slopes.values()]
        wanted: list[tuple[int, str]] = [(node, self.names[r]) for r, node in p.mean.items()]
        if p.model.of_medians:
            taken = set(self.names.values())
            for r, node in p.median.items():
                self._medians[r] = self._fresh(f"{self._bare(r)}_median", taken)
                wanted.append((node, self._medians[r]))
        named = {node for node, _ in wanted}
        extra = [node for node in self.emitter.shared(roots) if node not in named]
        taken = {*self.names.values(), *self._medians.values()}
        fresh = (name for i in count(1) if (name := self._written(f"part{i}")) not in taken)
        wanted += [(node, next(fresh)) for node in extra]
        wanted.sort(key=lambda pair: pair[0])
        found = []
        for node, name in wanted:
            self.emitter.used.clear()
            found.append((name, self.emitter.named(node, name), set(self.emitter.used)))
        return found

    def median(self, response) -> str:
        """Text of the median of a response with lognormal residuals."""
        return self._medians.get(response) or self.emitter.text(self.program.median[response])

    def gradient(self, response) -> list[tuple[int, str, str, str]]:
        """Position of a value, its group column and level, and the text of the derivative by it."""
        found = self.program.label_gradient(response)
        return [(i, column, level, self.emitter.text(node)) for i, column, level, node in found]

    def residual_deviations(self) -> list[str]:
        """Lines that compute the residual standard deviation of each free response."""
        return [f"{name} {self.assign} {text}" for name, text in self.deviation_texts()]

    def deviation_texts(self) -> list[tuple[str, str]]:
        """Name and text of each of them."""
        found, taken = [], {*self.names.values(), *self._medians.values()}
        for response, node in self.program.deviation.items():
            own = self._fresh(f"sd_{self._bare(response)}", taken)
            found.append((own, self.emitter.text(node)))
            self.deviations[response] = own
        return found

    def extra(self, response) -> str:
        """Text of what an individual adds to the variance; after :meth:`residual_deviations`."""
        return self.emitter.text(self.program.extra[response])


# --- Quantile functions of the families of :mod:`sinklab.distributions` in other languages.

PYTHON_QUANTILES = {
    "normal": "stats.norm(p1, p2).ppf(q)",
    "lognormal": "stats.lognorm(p2, scale=np.exp(p1)).ppf(q)",
    "gamma": "stats.gamma(p1, scale=p2).ppf(q)",
    "weibull": "stats.weibull_min(p1, scale=p2).ppf(q)",
    "beta": "stats.beta(p1, p2).ppf(q)",
    "logitnormal": "1 / (1 + np.exp(-stats.norm(p1, p2).ppf(q)))",
}
R_QUANTILES = {
    "normal": "qnorm(q, p1, p2)",
    "lognormal": "qlnorm(q, p1, p2)",
    "gamma": "qgamma(q, p1, scale = p2)",
    "weibull": "qweibull(q, p1, p2)",
    "beta": "qbeta(q, p1, p2)",
    "logitnormal": "plogis(qnorm(q, p1, p2))",
}
#: Spreadsheet formulas with cells ``{q}``, ``{p1}``, ``{p2}``; names that every spreadsheet knows.
EXCEL_QUANTILES = {
    "normal": "NORMINV({q},{p1},{p2})",
    "lognormal": "LOGINV({q},{p1},{p2})",
    "gamma": "GAMMAINV({q},{p1},{p2})",
    "weibull": "{p2}*(-LN(1-{q}))^(1/{p1})",
    "beta": "BETAINV({q},{p1},{p2})",
    "logitnormal": "1/(1+EXP(-NORMINV({q},{p1},{p2})))",
}


# --- What stands at the head of every exported file: which table, how far it may be trusted, in what units.


def heading(table) -> str:
    """Plain text: title, reference, status, equations, predictors and responses with units and ranges."""
    lines = [f"{one_line(table.title)} · {one_line(table.title_zh)}", f"{table.ref} · {table.status}"]
    if table.status == "demonstration":
        lines.append(
            tr(
                "DEMONSTRATION: made from simulated data; the numbers must not be used.",
                "演示：由模拟数据得出，数值不得用于实际计量。",
            )
        )
    for source in table.sources:
        lines.append(tr("Source: ", "来源：") + one_line(source.get("citation") or source["title"]))
    if any(model.method == "bayes" for model in table.models):
        lines.append(
            tr(
                "Intervals by linearisation; sinklab itself takes quantiles of the joint draws.",
                "区间由线性化求得；sinklab 本身采用联合抽样的分位数。",
            )
        )
    for key, model in zip(_keys(table), table.models, strict=True):
        lines += ["", f"{key}: {model.method}", *(f"  {e}" for e in model.system.text.splitlines())]
        lines += [f"  {described(x)}: {low:g}–{high:g}" for x, (low, high) in model.ranges.items()]
        lines += [f"  {described(r)}" for r in model.system.responses]
    lines += ["", tr("Made by sinklab; do not edit.", "由 sinklab 生成，请勿手改。")]
    return "\n".join(lines) + "\n"


def _keys(table):
    return [one_line(key) for key in table.frames["models"]["model_id"]] if table.models else []


def one_line(text) -> str:
    """Text without line ends and control characters, so that it stays inside a comment."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def described(name: str, lang: str | None = None) -> str:
    """A column with its meaning and unit: ``dbh: diameter at breast height, cm``."""
    known = vocabulary.variables().get(name)
    if known is None:
        return name
    unit = "" if known.unit in ("", "1") else f", {known.unit}"
    return f"{name} ({vocabulary.label(name, lang)}{unit})"


def group_keys(models) -> dict[str, str]:
    """Model id by group level, and by the Chinese name of the level where it has one."""
    found = dict(zip(map(str, models["label_zh"]), models["model_id"], strict=True))
    return found | dict(zip(map(str, models["group_level"]), models["model_id"], strict=True))
