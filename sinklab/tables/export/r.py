"""A table as one R file that needs base R only."""

import json
import math
import re

import numpy as np

from sinklab.equations import functions
from sinklab.equations.parse import plain_number
from sinklab.language import tr
from sinklab.tables.export.program import Program, Writer, heading

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


def write(table, level: float, kind: str) -> bytes:
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
