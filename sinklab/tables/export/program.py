r"""What a prediction computes, in R or in the formulas of a workbook.

A :class:`Program` is one graph of everything that :func:`~sinklab.results.prediction.predict` gives: it comes
from the equations of the model, and its derivatives are those the fit used. A :class:`Writer` turns its nodes
into text, which the rows of :mod:`sinklab.equations.functions` give; it sets parentheses only where they are
needed and gives a name to whatever is long and used twice.

For R a table is one file that needs base R only; for LaTeX a fragment for ``\input``, which needs amsmath, booktabs and
longtable, and ctex where it speaks Chinese.
"""

import json
import math
import re
from itertools import count
from types import SimpleNamespace

import numpy as np

from sinklab.data import vocabulary
from sinklab.equations import functions
from sinklab.equations.compile import Graph, Term
from sinklab.equations.latex import parameter_symbol
from sinklab.equations.parse import plain_number
from sinklab.language import Notes, TableError, heads, latex_text, tabular, tr
from sinklab.results.prediction import KINDS, family_of, floor, freedom_of, lopsided
from sinklab.results.variance import widening
from sinklab.tables.digits import guard
from sinklab.tables.digits import text as to_place
from sinklab.tables.package import printed_source
from sinklab.tables.schema import DEMONSTRATION

#: The functions that variance functions are written with, for terms of a graph.
_TERMS = SimpleNamespace(abs=lambda x: x.call("maximum", -x), exp=lambda x: x.call("exp"))


class Program:
    """Terms of everything that a prediction gives for one model.

    Leaves are predictors (``column``) and, as ``parameter``: coefficients by their name, and numbers of the
    residual model by names with a blank in them (``sigma stem``), which no coefficient can have. ``mean stem``
    stands for the expected value of ``stem`` once that is known, ``sd stem`` for its residual deviation.

    Parameters
    ----------
    model : FitResult

    Attributes
    ----------
    raw, mean : dict of Term
        Each response before and after the correction of the bias of logarithms.
    gradient : dict of dict of Term
        ``gradient[response][coefficient]``: derivative of the mean; those left out are zero.
    deviation : dict of Term
        Residual standard deviation of each free response.
    median : dict of Term
        Median of each response with lognormal residuals, or whose sites differ by a wide factor.
    extra : dict of Term
        What an individual adds to the variance of the mean: residual variance, with the correlation
        between equations, and variance between groups; for responses in ``median`` what it adds to the
        variance of the logarithm.
    constants : dict of float
        Numbers behind the leaves with a blank in their name.
    freedom : dict of (float, float)
        Degrees of freedom of Student's t by response, for the mean and for an individual.
    floor : dict of float
        Lower end of the support, by response.
    family : dict of (str, float)
        Distribution of an individual and degrees of freedom of its tail, see :func:`~sinklab.results.prediction.family_of`.
    site : dict of (float, float)
        Mean and variance of the logarithmic factor of a new site, for responses whose spread between sites is known.
    """

    def __init__(self, model):
        self.model, self.graph, self.constants = model, Graph(), {}
        system = model.system
        self.columns = {x: self._leaf("column", x) for x in system.predictors}
        known = self.columns | {p: self._leaf("parameter", p) for p in system.parameters}
        self.raw = self._lines(system.equations, known)
        self.mean, self.gradient = self.raw, self._derivatives(self.raw)
        shares = self._shares()
        if model.of_medians:
            self._correct(shares)
        self.deviation = {r: self._deviation(m) for r, m in model.residual.items()}
        logs = [r for r, m in model.residual.items() if m.variance.logged]
        wide = [r for r in system.responses if r not in logs and lopsided(model, r, shares[r])]
        self._scatter = {r: self._on_logs(r, shares[r]) for r in wide}
        self.median = {r: self._median(r) for r in [*logs, *wide]}
        self.extra = {r: self._extra(r, shares[r]) for r in system.responses}
        self.freedom = {
            r: tuple(freedom_of(model, shares[r], kind) for kind in KINDS) for r in system.responses
        }
        self.floor = {r: floor(model, r) for r in system.responses}
        self.family = {r: family_of(model, shares[r]) for r in system.responses}
        between, self.site = model.between, {}
        # The groups of a posterior have coefficients of their own.
        for name in between.names if between is not None and model.population is None else []:
            self.site[name] = float(between.centre[name]), float(between.spread.loc[name, name])

    def _leaf(self, kind, name) -> Term:
        return Term(self.graph, self.graph.add_node(kind, name))

    def _constant(self, name, value) -> Term:
        self.constants[name] = float(value)
        return self._leaf("parameter", name)

    def _mean(self, response) -> Term:
        return self._leaf("parameter", f"mean {response}")

    def _sigma(self, response) -> Term:
        return self._constant(f"sigma {response}", self.model.residual[response].sigma)

    def _lines(self, equations, known) -> dict[str, Term]:
        """Terms of some equations, from those of the names that stand in them."""
        nodes = {name: term.node for name, term in known.items()}
        for equation in equations:
            nodes[equation.response] = self.graph.build(equation.right, nodes)
        return {e.response: Term(self.graph, nodes[e.response]) for e in equations}

    def _derivatives(self, terms) -> dict[str, dict[str, Term]]:
        found = self.graph.derivatives([term.node for term in terms.values()])
        slopes = [{name: Term(self.graph, node) for name, node in slope.items()} for slope in found]
        return dict(zip(terms, slopes, strict=True))

    def _identities(self, known) -> dict[str, Term]:
        system = self.model.system
        return self._lines([e for e in system.equations if e.response in system.identities], known)

    def _shares(self) -> dict[str, dict[str, Term]]:
        """Derivative of each response by the free responses that it is made of."""
        system = self.model.system
        one = Term(self.graph, self.graph.constant(1))
        shares = {r: {r: one} for r in system.free}
        made = self._identities(self.columns | {r: self._mean(r) for r in system.free})
        for response, slopes in self._derivatives(made).items():
            shares[response] = {name.removeprefix("mean "): term for name, term in slopes.items()}
        return {r: shares[r] for r in system.responses}

    def _correct(self, shares) -> None:
        """Means and derivatives on the natural scale of equations that were fitted as logarithms."""
        system, slopes = self.model.system, self.gradient
        factor = {r: self._constant(f"correction {r}", self.model.correction[r]) for r in system.free}
        mean = {r: self.raw[r] * factor[r] for r in system.free}
        mean |= self._identities(self.columns | mean)
        self.mean, self.gradient = {r: mean[r] for r in system.responses}, {}
        for response in system.responses:
            total: dict[str, Term] = {}
            for free, share in shares[response].items():
                weight = share * factor[free]
                for name, slope in slopes[free].items():
                    term = weight * slope
                    total[name] = total[name] + term if name in total else term
            self.gradient[response] = total

    def _deviation(self, residual) -> Term:
        """Residual standard deviation, as :class:`~sinklab.results.fit_result.ResidualModel` defines it."""
        mean, sigma = self._mean(residual.response), self._sigma(residual.response)
        variance = residual.variance
        if variance.logged:
            return mean * ((sigma * sigma).call("exp") - 1).call("sqrt")
        if np.isfinite(residual.tail):
            sigma = sigma * self._constant(f"widening {residual.response}", widening(residual.tail))
        if residual.ident:
            for level, ratio in residual.ratios.items():
                self._constant(f"ratio {residual.response} {level}", ratio)
            sigma = sigma * self._leaf("parameter", f"ratio {residual.response}")
        if variance.even:
            return sigma
        delta = self._constant(f"delta {residual.response}", residual.exponent)
        return sigma * variance.g(delta, mean if variance.by_mean else self.columns[variance.by], _TERMS)

    def _median(self, response) -> Term:
        """Median of a response with lognormal individuals, on which their interval is centred."""
        if response in self._scatter:
            return self._mean(response) * (self._spread_of_logs(response) / -2).call("exp")
        if self.model.of_medians:
            return self.raw[response]
        sigma = self._sigma(response)
        return self._mean(response) * (sigma * sigma / -2).call("exp")

    def _extra(self, response, share) -> Term:
        if response in self._scatter:
            return self._spread_of_logs(response)
        between = self._between(self.gradient[response])
        if response in self.median:
            squared = self._mean(response) * self._mean(response)
            return self._sigma(response) * self._sigma(response) + between / squared
        return self._variance(share) + between

    def _spread_of_logs(self, response) -> Term:
        """Variance of the logarithm of an individual about its median where sites differ by a wide factor."""
        squared = self._mean(response) * self._mean(response)
        return self._scatter[response] + self._between(self.gradient[response]) / squared

    def _on_logs(self, response, share) -> Term:
        """Residual variance of the logarithm of a response whose sites differ by a wide factor."""
        return (self._variance(share) / (self._mean(response) * self._mean(response)) + 1).call("log")

    def _variance(self, share) -> Term:
        """Residual variance of a response from the deviations of its parts."""
        total, terms = Term(self.graph, self.graph.constant(0)), []
        for response, slope in share.items():
            terms.append((response, slope * self._leaf("parameter", f"sd {response}")))
        for i, (one, a) in enumerate(terms):
            total += a * a
            for other, b in terms[:i]:
                name = " ".join(["correlation", *sorted((one, other))])
                total += 2 * self._constant(name, self.model.correlation.loc[one, other]) * a * b
        return total

    def _between(self, gradient) -> Term:
        """Variance that an individual of an unknown group owes to its group; 0 without random parameters."""
        total, random = Term(self.graph, self.graph.constant(0)), self.model.random
        slopes = {name: gradient[name] for name in random.names if name in gradient} if random else {}
        for name in slopes:
            if name in random.multiplies:
                slopes[name] = slopes[name] * self._leaf("parameter", name)
        for one, a in slopes.items():
            for other, b in slopes.items():
                name = " ".join(["between", *sorted((one, other))])
                total += self._constant(name, random.covariance.loc[one, other]) * a * b
        return total


#: A node that is used more than once gets a name when it has this many leaves or more.
WORTH_A_NAME = 6


class Writer:
    """Writes the steps of a prediction in one language.

    A language says in a subclass how it names columns, parameters and responses (:meth:`first_names`), what
    is new (:meth:`new`) and constants (:meth:`constant`).

    Parameters
    ----------
    program : Program
    language : {"r", "excel"}
    """

    def __init__(self, program, language):
        self.program, self.language = program, language
        self.names: dict[str, str] = self.first_names(program.model.system)
        self._named: dict[int, str] = {}
        self._deviations: dict[str, str] = {}
        self._medians: dict[str, str] = {}

    def first_names(self, system) -> dict[str, str]:
        """Names of predictors, group columns, parameters and responses."""
        raise NotImplementedError

    def new(self, name) -> str:
        """Name that nothing has yet, like ``name``."""
        raise NotImplementedError

    def constant(self, name) -> str:
        """Text of a constant of the program."""
        return self.number(self.program.constants[name])

    def number(self, value: float) -> str:
        """A number with all its digits; formulas in a file have a capital E."""
        text = plain_number(value)
        return text.upper() if self.language == "excel" else text

    def means(self) -> list[tuple[str, str]]:
        """Name and text of every response, of what they share, and of medians where they differ from means.

        They are in an order in which they can be computed.
        """
        p = self.program
        roots = [
            *p.raw.values(),
            *p.mean.values(),
            *(t for slopes in p.gradient.values() for t in slopes.values()),
        ]
        wanted = [(term.node, self.names[r]) for r, term in p.mean.items()]
        if p.model.of_medians:
            self._medians = {r: self.new(f"{r}_median") for r in p.median}
            wanted += [(p.median[r].node, name) for r, name in self._medians.items()]
        named, i = {node for node, _ in wanted}, count(1)
        for node in self._shared([term.node for term in roots]):
            if node not in named:
                wanted.append((node, self.new(f"part{next(i)}")))
        found = []
        for node, name in sorted(wanted, key=lambda pair: pair[0]):
            found.append((name, self._write(node)[0]))
            if self.program.graph.arguments(node):
                self._named.setdefault(node, name)
        return found

    def deviations(self) -> list[tuple[str, str]]:
        """Name and text of the residual standard deviation of each free response."""
        found = []
        for response, term in self.program.deviation.items():
            name = self.new(f"sd_{response}")
            found.append((name, self._write(term.node)[0]))
            self._deviations[response] = name
        return found

    def gradient(self, response) -> list[tuple[int, str, str, str]]:
        """Derivatives by every value: its position, group column and level ("" for none), and the text."""
        model, slopes = self.program.model, self.program.gradient[response]
        places = enumerate(zip(model.layout.names, model.layout.groups, strict=True))
        return [
            (i, model.system.groups.get(name, ""), level, self._write(slopes[name].node)[0])
            for i, (name, level) in places
            if name in slopes
        ]

    def median(self, response) -> str:
        """Text of the median of a response with lognormal residuals."""
        return self._medians.get(response) or self._write(self.program.median[response].node)[0]

    def extra(self, response) -> str:
        """Text of what an individual adds to the variance; after :meth:`deviations`."""
        return self._write(self.program.extra[response].node)[0]

    def _shared(self, roots) -> list[int]:
        """Nodes below ``roots`` that are worth a name, in an order in which they can be computed."""
        graph = self.program.graph
        order = graph.reached(roots)
        uses = dict.fromkeys(order, 0)
        for node in [*roots, *(a for user in order for a in graph.arguments(user))]:
            uses[node] += 1
        size, found = {}, []
        for node in order:
            arguments = graph.arguments(node)
            size[node] = sum(size[a] for a in arguments) or 1
            if arguments and uses[node] > 1 and size[node] >= WORTH_A_NAME:
                found.append(node)
                size[node] = 1
        return found

    def _write(self, node) -> tuple[str, int]:
        """Text of a node, without parentheses around it, and how tightly it binds."""
        if node in self._named:
            return self._named[node], functions.ATOM
        operation, arguments = self.program.graph.nodes[node]
        if operation in ("constant", "column", "parameter"):
            text = self.number(arguments[0]) if operation == "constant" else self._leaf(arguments[0])
            return text, functions.NEGATIVE if text.startswith("-") else functions.ATOM
        row = functions.operation(operation)
        # In a spreadsheet a leading minus binds closer than a power.
        tight = self.language == "excel" and operation == "negative"
        parts = [
            self._inside(a, functions.ATOM if tight else row.argument_binds(i))
            for i, a in enumerate(arguments)
        ]
        return getattr(row, self.language).format(*parts), row.binds[0]

    def _inside(self, node, at_least) -> str:
        text, binds = self._write(node)
        return f"({text})" if binds < at_least else text

    def _leaf(self, name) -> str:
        head, _, rest = name.partition(" ")
        if not rest:
            return self.names[name]
        if head == "mean":
            return self.names[rest]
        if head == "ratio":
            return self.names[name]
        return self._deviations[rest] if head == "sd" else self.constant(name)


def heading(table) -> str:
    """Plain text: title, reference, status, equations, predictors and responses with units and ranges."""
    lines = Notes([f"{one_line(table.title)} · {one_line(table.title_zh)}", f"{table.ref} · {table.status}"])
    if table.status == "demonstration":
        lines.append(tr(*DEMONSTRATION))
    for source in table.sources:
        lines.append(tr("Source: ", "来源：") + one_line(printed_source(source)))
    if any(model.method == "bayes" for model in table.models):
        lines.add(
            "Intervals by linearisation; sinklab itself takes quantiles of the joint draws.",
            "区间由线性化求得；sinklab 本身采用联合抽样的分位数。",
        )
    keys = table.frames["models"]["model_id"] if table.models else []
    for key, model in zip(map(one_line, keys), table.models, strict=True):
        lines += ["", f"{key}: {model.method}", *(f"  {e}" for e in model.system.text.splitlines())]
        lines += [f"  {described(x)}: {low:g}–{high:g}" for x, (low, high) in model.ranges.items()]
        lines += [f"  {described(r)}" for r in model.system.responses]
    lines += ["", tr("Made by sinklab; do not edit.", "由 sinklab 生成，请勿手改。")]
    return "\n".join(lines) + "\n"


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


# R source


#: Quantile functions of the families of :mod:`sinklab.evidence.distributions`.
QUANTILES = {
    "normal": "qnorm(q, p1, p2)",
    "lognormal": "qlnorm(q, p1, p2)",
    "gamma": "qgamma(q, p1, scale = p2)",
    "weibull": "qweibull(q, p1, p2)",
    "beta": "qbeta(q, p1, p2)",
    "logitnormal": "plogis(qnorm(q, p1, p2))",
}
_RESERVED = {
    "if",
    "else",
    "repeat",
    "while",
    "function",
    "for",
    "next",
    "break",
    "in",
    "TRUE",
    "FALSE",
    "NULL",
}
_RESERVED |= {"NA", "Inf", "NaN"} | functions.reserved("r")

_TOOLS = """
log0 <- function(x) log(ifelse(x == 0, 1, x))

.ready <- function(data, predictors, groups) {
  lost <- setdiff(c(predictors, groups), names(data))
  if (length(lost) > 0) stop("¤", paste(lost, collapse = ", "), call. = FALSE)
  # The numbers of a factor are those of its levels.
  for (name in predictors) if (is.factor(data[[name]])) data[[name]] <- as.character(data[[name]])
  for (name in predictors) data[[name]] <- as.numeric(data[[name]])
  data
}

.limits <- function(out, name, mean, gradient, covariance, extra, freedom, lowest, level, kind,
                    median = NULL, site = NULL, tail = Inf, gamma = FALSE) {
  variance <- pmax(rowSums((gradient %*% covariance) * gradient), 0)
  freedom <- if (kind == "mean") freedom[1] else freedom[length(freedom)]
  quantile <- qt(0.5 + level / 2, freedom)
  mean <- rep_len(mean, nrow(gradient))
  se <- sqrt(variance)
  if (!is.null(site) && kind == "mean") {
    half <- quantile * sqrt((se / mean)^2 + site[2])
    lower <- mean * exp(site[1] - half)
    upper <- mean * exp(site[1] + half)
  } else if (!is.null(median)) {
    spread <- (se / mean)^2
    base <- mean
    if (kind == "individual") {
      spread <- spread + extra
      base <- median
    }
    half <- quantile * sqrt(spread)
    lower <- base * exp(-half)
    upper <- base * exp(half)
  } else {
    half <- quantile * sqrt(variance)
    if (kind == "individual") {
      of_tail <- qt(0.5 + level / 2, min(tail, freedom)) * if (is.finite(tail)) sqrt(1 - 2 / tail) else 1
      half <- sqrt(quantile^2 * variance + of_tail^2 * pmax(extra, 0))
    }
    lower <- pmax(mean - half, lowest)
    upper <- mean + half
    if (gamma && kind == "individual") {
      shape <- mean^2 / (variance + extra)
      lower <- mean * qgamma(pnorm(-quantile), shape) / shape
      upper <- mean * qgamma(pnorm(quantile), shape) / shape
    }
  }
  out[[name]] <- mean
  out[[paste0(name, "_se")]] <- se
  out[[paste0(name, "_lower")]] <- lower
  out[[paste0(name, "_upper")]] <- upper
  out
}

.ratio <- function(data, column, known, other) {
  at <- data[[column]]
  if (is.null(at)) return(rep(other, nrow(data)))
  found <- unname(known[as.character(at)])
  ifelse(is.na(found), other, found)
}

.ranges <- function(out, data, ranges, domains) {
  note <- rep("", nrow(data))
  add <- function(note, rows, text) {
    ifelse(rows, paste0(note, ifelse(note == "", "", "; "), text), note)
  }
  beyond <- function(name, span) {
    x <- as.numeric(data[[name]])
    slack <- 1e-9 * max(abs(span))
    !is.na(x) & (x < span[1] - slack | x > span[2] + slack)
  }
  said <- function(name, span, label) {
    sprintf("%s = %g @ %g\\u2013%g%s", name, as.numeric(data[[name]]), span[1], span[2], label)
  }
  told <- list()
  for (name in names(ranges)) {
    told[[name]] <- beyond(name, ranges[[name]])
    note <- add(note, told[[name]], said(name, ranges[[name]], ""))
  }
  for (domain in domains) {
    own <- rep(FALSE, nrow(data))
    for (name in names(domain$ranges)) {
      rows <- beyond(name, domain$ranges[[name]])
      own <- own | rows
      note <- add(note, rows & !told[[name]], said(name, domain$ranges[[name]], domain$label))
    }
    if (length(domain$joint) > 0) {
      logs <- sapply(domain$joint, function(name) log(as.numeric(data[[name]])))
      away <- sweep(matrix(logs, nrow(data)), 2, domain$centre)
      far <- sqrt(rowSums((away %*% domain$inverse) * away)) > domain$reach * (1 + 1e-9)
      text <- paste0(paste(domain$joint, collapse = ", "), "§", domain$label)
      note <- add(note, !own & !is.na(far) & far, text)
    }
  }
  out[["out_of_range"]] <- note != ""
  out[["range_note"]] <- note
  out
}
"""


@vocabulary.in_its_words
def write_r(table, level: float, kind: str) -> bytes:
    """R source of a table; see :func:`sinklab.tables.export.export`."""
    text = "".join(f"# {line}".rstrip() + "\n" for line in heading(table).splitlines())
    if table.models:
        together = tr(" together outside the records", _escaped(" 的组合超出样本"))
        lost = tr("the data lack ", _escaped("数据缺少列："))
        text += _TOOLS.replace("¤", lost).replace("@", tr("outside", _escaped("超出"))).replace("§", together)
        keys = list(table.frames["models"]["model_id"])
        named = zip(keys, table.models, strict=True)
        bodies = ",\n".join(f"  {string(key)} = {_model(model)}" for key, model in named)
        text += f"\n.models_{table.table_id} <- list(\n{bodies}\n)\n"
        text += _predict(table, keys, level, kind)
    if len(table.values):
        text += _values(table)
    return text.encode("utf-8")


def string(text) -> str:
    """A text as R writes it, in ASCII."""
    return re.sub(r"[^\x20-\x7e]", lambda c: f"\\U{ord(c[0]):08x}", json.dumps(str(text), ensure_ascii=False))


def _escaped(text) -> str:
    return string(text)[1:-1]


def number(value: float) -> str:
    """A number as R reads it."""
    value = float(value)
    if math.isnan(value):
        return "NA_real_"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    return plain_number(value)


def vector(values) -> str:
    """Numbers as an R vector."""
    return f"c({', '.join(map(number, values))})"


def _freedom(kinds) -> str:
    """Degrees of freedom of the mean and of an individual; one number where they are the same."""
    return number(kinds[0]) if kinds[0] == kinds[1] else vector(kinds)


class _Lines(Writer):
    """Writes the body of the function of one model; reserved words get an underscore behind them."""

    def first_names(self, system) -> dict[str, str]:
        self.taken = set(_RESERVED)
        names = [*system.predictors, *dict.fromkeys(system.groups.values()), *system.parameters]
        return {name: self.new(name) for name in [*names, *system.responses]}

    def ratios(self) -> list[str]:
        """Lines that find the factor of the deviation of every group."""
        found = []
        for response, model in self.program.model.residual.items():
            if model.ident:
                name = self.names[f"ratio {response}"] = self.new(f"ratio_{response}")
                known = ", ".join(f"{string(g)} = {number(v)}" for g, v in model.ratios.items() if g)
                call = f".ratio(.data, {string(model.ident)}, c({known}), {number(model.ratios[''])})"
                found.append(f"{name} <- {call}")
        return found

    def new(self, name) -> str:
        name = f"x{name}" if name.startswith("_") else name
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name


def _model(model) -> str:
    p = Program(model)
    lines = _Lines(p, "r")
    names, system = lines.names, model.system
    groups = list(dict.fromkeys(system.groups.values())) if model.random is None else []
    wanted = (f"c({', '.join(map(string, part))})" for part in (system.predictors, groups))
    body = [f".data <- .ready(.data, {', '.join(wanted)})"]
    body += [f'{names[x]} <- .data[["{x}"]]' for x in system.predictors]
    body += [f'{names[g]} <- as.character(.data[["{g}"]])' for g in dict.fromkeys(system.groups.values())]
    body += _parameters(model, names) + lines.ratios()
    body += [f"{name} <- {text}" for name, text in [*lines.means(), *lines.deviations()]]
    body += [".n <- nrow(.data)", ".out <- data.frame(row.names = seq_len(.n))"]
    flat = model.covariance.to_numpy().ravel()
    body.append(f".covariance <- matrix({vector(flat)}, {len(model.labels)})")
    for response in system.responses:
        body.append(f".gradient <- matrix(0, .n, {len(model.labels)})")
        for position, column, level, text in lines.gradient(response):
            factor = f" * ({names[column]} == {string(level)})" if column else ""
            body.append(f".gradient[, {position + 1}] <- {f'({text})' if column else text}{factor}")
        median = f", {lines.median(response)}" if response in p.median else ""
        if response in p.site:
            # The interval of the mean is that of a site that was not sampled.
            median += f", site = {vector(p.site[response])}"
        family, tail = p.family[response]
        median += ", gamma = TRUE" if family == "gamma" else ""
        median += f", tail = {number(tail)}" if math.isfinite(tail) else ""
        body.append(
            f".out <- .limits(.out, {string(response)}, {names[response]}, .gradient, .covariance, "
            f"{lines.extra(response)}, {_freedom(p.freedom[response])}, {number(p.floor[response])}, "
            f".level, .kind{median})"
        )
    ranges = ", ".join(f"{string(x)} = {vector(model.ranges[x])}" for x in system.predictors)
    domains = ", ".join(_domain(*d) for d in model.shared_domains() if d[1].adds_to(model.ranges))
    body.append(f".ranges(.out, .data, list({ranges}), list({domains}))")
    return "function(.data, .level, .kind) {\n" + "".join(f"    {line}\n" for line in body) + "  }"


def _domain(responses, domain) -> str:
    """What R must know of the records of some responses."""
    ranges = ", ".join(f"{string(x)} = {vector(span)}" for x, span in domain.ranges.items())
    label = string(f" [{', '.join(responses)}]")
    if np.isnan(domain.reach):
        return f"list(label = {label}, ranges = list({ranges}))"
    joint = list(domain.centre.index)
    inverse = np.linalg.inv(domain.spread.to_numpy()).ravel()
    return (
        f"list(label = {label}, ranges = list({ranges}), joint = c({', '.join(map(string, joint))}), "
        f"centre = {vector(domain.centre.to_numpy())}, inverse = matrix({vector(inverse)}, {len(joint)}), "
        f"reach = {number(domain.reach)})"
    )


def _parameters(model, names) -> list[str]:
    lines = []
    for name, part in model.parameters.groupby("name", sort=False):
        column = model.system.groups.get(name)
        if column is None:
            lines.append(f"{names[name]} <- {number(part['value'].iloc[0])}")
            continue
        pairs = zip(part["group"], part["value"], strict=True)
        known = ", ".join(f"{string(g)} = {number(v)}" for g, v in pairs)
        lines.append(f"{names[name]} <- unname(c({known})[{names[column]}])")
    return lines


def _predict(table, keys, level, kind) -> str:
    frame = table.frames["models"]
    column = frame["group_column"].iloc[0]
    kinds = ["mean", "individual"] if kind == "mean" else ["individual", "mean"]
    options = f"level = {number(level)}, kind = c({', '.join(map(string, kinds))})"
    models = f".models_{table.table_id}"
    if not column:
        given = f"model = {string(keys[0])}" if len(keys) == 1 else "model"
        body = f"  {models}[[model]](data, level, kind)\n"
        head = f"data, {given}, {options}"
    else:
        # Levels by their Chinese name, where they have one, and as they are.
        known = dict(zip(map(str, frame["label_zh"]), frame["model_id"], strict=True))
        known |= dict(zip(map(str, frame["group_level"]), frame["model_id"], strict=True))
        pairs = ", ".join(f"{string(k)} = {string(v)}" for k, v in known.items())
        body = f"""  key <- unname(c({pairs})[as.character(data[[{string(column)}]])])
  if (anyNA(key)) stop("no model for ", paste(unique(data[[{string(column)}]][is.na(key)]), collapse = ", "))
  parts <- lapply(unique(key), function(one) {{
    out <- {models}[[one]](data[key == one, , drop = FALSE], level, kind)
    row.names(out) <- which(key == one)
    out
  }})
  out <- do.call(rbind, parts)
  out <- out[order(as.integer(row.names(out))), , drop = FALSE]
  row.names(out) <- NULL
  out
"""
        head = f"data, {options}"
    return f"\npredict_{table.table_id} <- function({head}) {{\n  kind <- match.arg(kind)\n{body}}}\n"


def _values(table) -> str:
    frame = table.values
    columns = []
    for name in "name group variable unit definition of_whom mean_of ratio_of sd_of family".split():
        columns.append(f"{name} = c({', '.join(string(v) for v in frame[name])})")
    for name in "mean se mean_lower mean_upper sd p1 p2 q025 q975".split():
        columns.append(f"{name} = {vector(frame[name].astype(float))}")
    inner = ",\n  ".join(columns)
    families = ",\n    ".join(f"{family} = {code}" for family, code in QUANTILES.items())
    return f"""
values_{table.table_id} <- data.frame(
  {inner},
  stringsAsFactors = FALSE
)

value_{table.table_id} <- function(name) {{
  found <- values_{table.table_id}[values_{table.table_id}$name == name, ]
  if (nrow(found) != 1) stop(nrow(found), " values are called ", name)
  found
}}

quantile_{table.table_id} <- function(name, q) {{
  row <- value_{table.table_id}(name)
  p1 <- row$p1
  p2 <- row$p2
  switch(row$family,
    {families},
    stop(name, " has no distribution")
  )
}}
"""


# LaTeX: equations as a standard prints them, and tables with guarded digits


@vocabulary.in_its_words
def write_latex(table, level=None, kind=None) -> bytes:
    """LaTeX of a table; see :func:`sinklab.tables.export.export`.

    Raises
    ------
    TableError
        Another level or kind is asked for: the printed limits are those of the coefficients.
    """
    if level is not None or kind is not None:
        raise TableError(
            "latex prints the limits of the coefficients at the level of the table; leave level and kind out",
            "latex 按表中的置信水平印出系数的上下限；请勿指定置信水平和区间类型",
        )
    parts = ["".join(f"% {line}".rstrip() + "\n" for line in heading(table).splitlines())]
    for model in table.models:
        parts += [_equations(model), _coefficients(model), _residuals(model), _ranges(model)]
    if len(table.values):
        parts.append(_values_latex(table))
    return "\n".join(parts).encode("utf-8")


def in_latex(value: float, decimals: int) -> str:
    r"""A number to some decimal places; below 0.001 as ``6.75 \times 10^{-5}``."""
    if value is None or not math.isfinite(value):
        return "--"
    size = math.floor(math.log10(abs(value))) if value else 0
    if size >= -3 or not value:
        return f"${to_place(value, decimals)}$"
    return rf"${to_place(value / 10.0**size, decimals + size)} \times 10^{{{size}}}$"


def _named(model, words) -> str:
    return f"{words}{tr(': ', '：')}{latex_text(model.label)}" if model.label else words


def _equations(model) -> str:
    lines = [line.replace(" = ", " &= ", 1) for line in model.system.latex()]
    return "\\begin{align}\n" + " \\\\\n".join(lines) + "\n\\end{align}\n"


def _coefficients(model) -> str:
    printed = guard(model)
    limits = model.parameters[["lower", "upper"]].to_numpy(float)
    rows = []
    for i, row in enumerate(printed.numbers.to_dict("records")):
        if i < len(limits):
            name, group = model.parameters.iloc[i][["name", "group"]]
            shown = [f"${parameter_symbol(name, group or None)}$"]
            others = [row["se"], *limits[i]]
        else:
            response = re.fullmatch(r"correction\[(.+)\]", row["label"])[1]
            shown = [
                latex_text(tr(f"correction of {response}", f"{vocabulary.label(response, 'zh')}的校正系数"))
            ]
            others = [math.nan] * 3
        shown += [in_latex(value, int(row["decimals"])) for value in (row["value"], *others)]
        rows.append(shown)
    level = f"{100 * model.level:g}\\%"
    head = heads(
        f"parameter|value|standard error|lower {level}|upper {level}",
        f"参数|估计值|标准误|{level} 下限|{level} 上限",
    )
    caption = _named(model, tr("Coefficients", "系数"))
    note = tr(
        f"% Rounding moves no prediction by more than {printed.worst:.3f} of its standard error.\n",
        f"% 舍入引起的预测值偏移不超过其标准误的 {printed.worst:.3f} 倍。\n",
    )
    return note + tabular(caption, "lcccc", head, rows)


def _residuals(model) -> str:
    rows = []
    for response, residual in model.residual.items():
        by = "" if residual.variance.even else residual.by
        delta = f"${residual.exponent:.4f}$" if by else "--"
        kind = residual.kind + (f", t {residual.tail:.4g}" if residual.variance.family == "t" else "")
        kind += f", {residual.ident}" if residual.ident else ""
        rows.append(
            [
                latex_text(vocabulary.label(response)),
                latex_text(kind),
                latex_text(by) or "--",
                in_latex(residual.sigma, 3 - math.floor(math.log10(residual.sigma))),
                delta,
                f"${model.n.get(response, 0)}$",
            ]
        )
    head = [*heads("response|variance|of", "因变量|方差函数|自变量"), r"$\sigma$", r"$\delta$", "$n$"]
    return tabular(_named(model, tr("Residual model", "残差模型")), "lllccc", head, rows)


def _ranges(model) -> str:
    known = vocabulary.variables()
    rows = [
        [
            latex_text(vocabulary.label(x)),
            latex_text(vocabulary.units_symbol(known[x].unit)) if x in known else "",
            f"${low:.6g}$",
            f"${high:.6g}$",
        ]
        for x, (low, high) in model.ranges.items()
    ]
    head = heads("predictor|unit|minimum|maximum", "自变量|单位|最小值|最大值")
    return tabular(_named(model, tr("Range of validity", "适用范围")), "llcc", head, rows)


def _values_latex(table) -> str:
    rows, whom = [], {}
    for row in table.values.to_dict("records"):
        se = row["se"]
        size = math.floor(math.log10(se)) if se and math.isfinite(se) and se > 0 else None
        decimals = 1 - size if size is not None else 4
        variable, group = (str(row.get(c) or "") for c in ("variable", "group"))
        named = f"{vocabulary.label(variable)} {vocabulary.group_label(group)}" if variable else row["name"]
        shown = [latex_text(named.strip()), latex_text(vocabulary.units_symbol(row["unit"]))]
        numbers = [in_latex(row[c], decimals) for c in ("mean", "se", "q025", "q975")]
        said = vocabulary.estimand(row)
        rows.append([*shown, *numbers, f"{whom.setdefault(said, len(whom) + 1)}" if said else "--"])
    head = heads("quantity|unit|mean|SE", "参数|单位|均值|标准误")
    head += [r"$q_{0.025}$", r"$q_{0.975}$", tr("note", "注")]
    top = f"\\toprule\n{' & '.join(head)} \\\\\n\\midrule"
    body = "\n".join(" & ".join(row) + r" \\" for row in rows)
    caption = tr("Scalar parameters", "标量参数")
    notes = r"\\ ".join(f"{i}\\quad {latex_text(said)}" for said, i in whom.items())
    about = tr("Mean and range: ", "均值与区间所指：")
    # Rows may go over pages, and long names turn at the end of their column.
    return (
        "{\\small\\setlength{\\tabcolsep}{4pt}\n\\begin{longtable}{p{0.3\\linewidth}lccccc}\n"
        f"\\caption{{{caption}}}\\\\\n{top}\n\\endfirsthead\n{top}\n\\endhead\n\\bottomrule\n\\endfoot\n"
        f"{body}\n\\end{{longtable}}\n" + (f"\\noindent {about}\\\\ {notes}\n" if whom else "") + "}\n"
    )
