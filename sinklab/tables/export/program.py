"""What a prediction computes, as one graph that every export writes in its own language.

The graph comes from the equations of the model; its derivatives are those the fit used. Leaves are
predictors (``column``) and, as ``parameter``: coefficients by their name, and numbers of the residual
model by names with a blank in them (``sigma stem``), which no coefficient can have. ``mean stem``
stands for the expected value of ``stem`` once that is known.
"""

from dataclasses import dataclass

from sinklab.equations.graph import Graph
from sinklab.prediction.delta import floor


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


def program(model) -> Program:
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
    if model.kind == "lognormal":
        spread = graph.apply("exp", graph.apply("multiply", sigma, sigma))
        relative = graph.apply("sqrt", graph.apply("subtract", spread, graph.constant(1)))
        return graph.apply("multiply", mean, relative)
    x = mean if model.by == "mean" else columns[model.by]
    delta = _constant(graph, constants, f"delta {model.response}", model.exponent)
    if model.kind == "power":
        size = graph.apply("maximum", x, graph.apply("negative", x))
        return graph.apply("multiply", sigma, graph.apply("power", size, delta))
    return graph.apply("multiply", sigma, graph.apply("exp", graph.apply("multiply", delta, x)))


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
