r"""The quantification of a methodology as text that runs.

The chain is written once, below ``data/chain``: ``equations.csv`` holds the equations, in modules such as ``tree``,
``change`` or ``fire``; ``symbols.csv`` what their names stand for, with unit and print; ``factors.csv`` default values
with edition and source. An equation reads like arithmetic, with indices in brackets::

    c_TREE[i,k,t] = k_CO2 * sum(m, CF * W[i,k,m,t]) / (k_t * a_P)

From the same text come the print (:meth:`Chain.latex`), the check of meaning (:meth:`Chain.problems`) and the numbers
(:meth:`Chain.compute`), so that a clause, its legend, the worked example and a project cannot differ.

A unit names its substance, ``t CO2/(ha year)`` or ``kg C/t dm``: carbon taken for carbon dioxide is a fault of units
like a kilogram taken for a tonne. Numbers that only turn one unit into another are constants with a unit of their own.
"""

import ast
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any

from sinklab.data.files import records
from sinklab.language import DataError, listing, require_known, tr

#: Kinds of a symbol: worked out, measured in monitoring, settled beforehand, a number of a definition.
KINDS = ("result", "measured", "fixed", "constant")
#: Named dates, as the print writes them; they are places on the index ``t``.
DATES = {"t1": "t_{1}", "t2": "t_{2}"}
#: What a mass may be a mass of, and what is counted.
SUBSTANCES = frozenset("C CO2 CH4 N2O N dm VS head fuel".split())
#: Units that only chains know: scale in the basic unit, and what they measure.
_MORE = {"a": (1.0, "time"), "d": (1 / 365, "time"), "GJ": (1.0, "energy"), "MWh": (3.6, "energy")}
_MORE["TJ"] = (1000.0, "energy")
_POWERS = {"area": 2, "volume": 3}


# Units


@dataclass(frozen=True)
class Unit:
    """A unit as a scale and powers of what it measures; ``None`` for dims means any (the number zero)."""

    scale: float = 1.0
    dims: tuple[tuple[str, float], ...] | None = ()

    def times(self, other: "Unit", power: float = 1.0) -> "Unit":
        """Product with a power of another unit."""
        if self.dims is None or other.dims is None:
            return Unit(dims=None)
        found = dict(self.dims)
        for name, exponent in other.dims:
            found[name] = found.get(name, 0.0) + power * exponent
        kept = tuple(sorted((n, e) for n, e in found.items() if abs(e) > 1e-9))
        return Unit(self.scale * other.scale**power, kept)

    def same(self, other: "Unit") -> bool:
        """Whether a sum of both has a meaning."""
        if self.dims is None or other.dims is None:
            return True
        return self.dims == other.dims and math.isclose(self.scale, other.scale, rel_tol=1e-9)

    def __str__(self):
        """Scale and powers, for messages."""
        powers = " ".join(f"{n}^{e:g}" if e != 1 else n for n, e in self.dims or ())
        return f"{self.scale:g} {powers or '1'}".strip()


@lru_cache(maxsize=512)
def unit(text: str) -> Unit:
    """Read a unit such as ``t CO2/(ha year)``.

    Raises
    ------
    DataError
        A word that is neither a unit of the vocabulary nor a substance.
    """
    over, _, under = text.partition("/")
    found = Unit()
    for part, power in ((over, 1.0), (under.strip("() "), -1.0)):
        for word in part.replace("·", " ").split():
            found = found.times(_word(word, text), power)
    return found


def _word(word: str, text: str) -> Unit:
    if word == "1":
        return Unit()
    if word in SUBSTANCES:
        return Unit(dims=((word, 1.0),))
    known = {row["unit"]: row for row in records("vocabulary", "units.csv")}
    if word in _MORE:
        scale, measures = _MORE[word]
        return Unit(scale, ((measures, 1.0),))
    if word not in known or " per " in known[word]["dimension"]:
        raise DataError(f"unit {text!r}: {word!r} is not known", f"单位 {text!r}：未知的 {word!r}")
    row = known[word]
    measures, scale = row["dimension"], float(row["factor"])
    if measures == "dimensionless":
        return Unit(scale)
    return Unit(scale, (("length", float(_POWERS[measures])),) if measures in _POWERS else ((measures, 1.0),))


def bare(text: str) -> str:
    """A unit without its substances, as it is printed: ``t CO2/(ha year)`` is ``t/(ha year)``, ``t C/t dm`` is ``1``."""
    over, _, under = text.partition("/")
    sides = [[w for w in side.strip("() ").split() if w not in SUBSTANCES] for side in (over, under)]
    if sides[0] == sides[1] or not any(sides):
        return "1"
    below = " ".join(sides[1])
    return (" ".join(sides[0]) or "1") + (
        f"/({below})" if len(sides[1]) > 1 else f"/{below}" if below else ""
    )


# Symbols and equations


@dataclass(frozen=True)
class Symbol:
    """What a name of the chain stands for; ``indices`` are those it always carries, ``factor`` a row of factors.csv."""

    name: str
    latex: str
    indices: tuple[str, ...]
    unit: str
    kind: str
    value: str
    factor: str
    label_zh: str
    label_en: str
    method_zh: str
    method_en: str
    when: str

    def printed(self, indices: Iterable[str] = ()) -> str:
        r"""LaTeX with its indices, which join an index that the letter has: ``C_{\mathrm{F},j}``."""
        marks = [DATES.get(index, index) for index in indices]
        if not marks:
            return self.latex
        found = re.fullmatch(r"(.*)_\{(.*)\}", self.latex)
        head, own = (found[1], [found[2]]) if found else (self.latex, [])
        return f"{head}_{{{','.join([*own, *marks])}}}"


@dataclass(frozen=True)
class Equation:
    """One equation: its name, module, left side with indices, and its text."""

    name: str
    module: str
    text: str
    left: str
    indices: tuple[str, ...]
    right: Any

    def inside(self) -> list[str]:
        """Names on the right side, in order."""
        return list(dict.fromkeys(name for name, _ in _names(self.right)))


def read_equation(name: str, module: str, text: str) -> Equation:
    """Read the text of an equation.

    Raises
    ------
    DataError
        It is not an equation of the language of chains.
    """
    try:
        left, right = (ast.parse(side.strip(), mode="eval").body for side in text.split("=", 1))
        at, indices = _named(left)
        _check_nodes(right)
    except (SyntaxError, ValueError) as error:
        raise DataError(
            f"data/chain: {name}: cannot read {text!r}: {error}",
            f"data/chain：{name}：无法读取 {text!r}：{error}",
        ) from error
    return Equation(name, module, text, at, indices, right)


def _named(node) -> tuple[str, tuple[str, ...]]:
    if isinstance(node, ast.Name):
        return node.id, ()
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return node.value.id, tuple(index.id for index in inside)  # type: ignore[attr-defined]
    raise ValueError(ast.unparse(node))


def _names(node):
    """Name and indices of every symbol below a node; the index of a sum is none."""
    if isinstance(node, (ast.Name, ast.Subscript)):
        yield _named(node)
        return
    parts = node.args if isinstance(node, ast.Call) else ast.iter_child_nodes(node)
    skipped = parts[0] if isinstance(node, ast.Call) and _function(node) == "sum" else None
    for part in parts:
        if part is not skipped and isinstance(part, ast.expr):
            yield from _names(part)


def _function(node) -> str:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name not in {*_CALLS, "sum", "where"}:
        raise ValueError(f"no function {ast.unparse(node.func)!r}")
    return name


_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)


def _check_nodes(node) -> None:
    match node:
        case ast.Name() | ast.Subscript():
            _named(node)
        case ast.Constant(value=int() | float()):
            pass
        case ast.BinOp() if isinstance(node.op, _OPERATORS):
            _check_nodes(node.left)
            _check_nodes(node.right)
        case ast.UnaryOp(op=ast.USub()):
            _check_nodes(node.operand)
        case ast.Compare(ops=[ast.LtE() | ast.Gt() | ast.Lt() | ast.GtE()]):
            _check_nodes(node.left)
            _check_nodes(node.comparators[0])
        case ast.Call(keywords=[]):
            inside = node.args[1:] if _function(node) == "sum" else node.args
            for argument in inside:
                _check_nodes(argument)
        case _:
            raise ValueError(ast.unparse(node))


@lru_cache(maxsize=8)
def _library(stamp: tuple) -> tuple[dict[str, Symbol], tuple[Equation, ...]]:
    symbols = {}
    for row in records("chain", "symbols.csv"):
        symbols[row["name"]] = Symbol(**row | {"indices": tuple(filter(None, row["indices"].split(" ")))})
    found = [read_equation(r["equation"], r["module"], r["text"]) for r in records("chain", "equations.csv")]
    return symbols, tuple(found)


def _stamp() -> tuple:
    from sinklab import paths

    files = [paths.data("chain", name) for name in ("symbols.csv", "equations.csv")]
    return tuple((str(file), file.stat().st_mtime_ns) for file in files)


def symbols() -> dict[str, Symbol]:
    """All symbols by name."""
    return _library(_stamp())[0]


def modules() -> dict[str, dict]:
    """Rows of ``data/chain/modules.csv`` by name, in the order of the text."""
    return {row["module"]: row for row in records("chain", "modules.csv")}


def factor(name: str) -> dict:
    """A default factor with edition and source.

    Raises
    ------
    DataError
        There is none of that name.
    """
    known = {row["factor"]: row for row in records("chain", "factors.csv")}
    require_known([name], known, "factor", "缺省因子", "data/chain/factors.csv")
    return known[name]


class Chain:
    """The equations of some modules, in the order of the text.

    Parameters
    ----------
    wanted : iterable of str
        Modules.
    more : iterable of (str, str, str)
        Equations of one methodology alone: name, module, text.
    factors : mapping, optional
        Default factors to use instead of those that the symbols name.

    Raises
    ------
    DataError
        A module or equation that is not there or cannot be read.
    """

    def __init__(self, wanted: Iterable[str], more=(), factors: Mapping[str, str] | None = None):
        self.modules = tuple(dict.fromkeys(wanted))
        require_known(self.modules, modules(), "module", "模块", "data/chain/modules.csv")
        own = [read_equation(*one) for one in more]
        replaced = {equation.name for equation in own}
        kept = [e for e in _library(_stamp())[1] if e.module in self.modules and e.name not in replaced]
        order = list(modules())
        self.equations = sorted([*own, *kept], key=lambda e: order.index(e.module))
        self.factors = dict(factors or {})
        known = symbols()
        used = dict.fromkeys(n for e in self.equations for n in (e.left, *e.inside()))
        require_known(used, known, "symbol", "符号", "data/chain/symbols.csv")
        self.symbols = {name: known[name] for name in used}

    def of(self, module: str) -> list[Equation]:
        """Equations of one module."""
        return [equation for equation in self.equations if equation.module == module]

    def equation(self, name: str) -> Equation:
        """An equation by its name."""
        return next(equation for equation in self.equations if equation.name == name)

    def results(self) -> set[str]:
        """Names that an equation works out."""
        return {equation.left for equation in self.equations}

    def wanted(self, kind: str) -> list[Symbol]:
        """Symbols of a kind that no equation works out, in the order of the text."""
        done = self.results()
        return [s for s in self.symbols.values() if s.kind == kind and s.name not in done]

    def default(self, symbol: Symbol) -> dict | None:
        """Row of the default factor of a symbol."""
        name = self.factors.get(symbol.name, symbol.factor)
        return factor(name) if name and ":" not in name else None

    # Print

    def latex(self, equation: Equation, lang: str = "zh") -> str:
        """LaTeX of an equation."""
        left = self.symbols[equation.left].printed(equation.indices)
        return f"{left} = {_Print(self.symbols, lang).write(equation.right)[0]}"

    # Meaning

    def problems(self) -> list[str]:
        """What is wrong with the meaning: units, symbols that stand for two things, results that nothing gives."""
        found = []
        by_latex: dict[str, str] = {}
        for symbol in self.symbols.values():
            other = by_latex.setdefault(symbol.latex, symbol.name)
            if other != symbol.name and symbol.kind != "constant":
                said = f"${symbol.latex}$: {other}, {symbol.name}"
                found.append(tr(f"{said}: one symbol for two things", f"{said}：一个符号表示两个量"))
            if symbol.kind == "result" and symbol.name not in self.results():
                found.append(
                    tr(f"{symbol.name}: no equation works it out", f"{symbol.name}：没有公式计算该量")
                )
        for equation in self.equations:
            found += self._faults(equation)
        return found

    def _faults(self, equation: Equation) -> list[str]:
        found = []
        for name, indices in [(equation.left, equation.indices), *_names(equation.right)]:
            plain = tuple("t" if index in DATES else index for index in indices)
            if plain != self.symbols[name].indices:
                said = f"{equation.name}: {name}[{','.join(indices)}]"
                wanted = ",".join(self.symbols[name].indices)
                found.append(tr(f"{said}: expected the indices [{wanted}]", f"{said}：下标应为 [{wanted}]"))
        bound = {*equation.indices, *DATES, *(n.args[0].id for n in ast.walk(equation.right) if _is_sum(n))}
        loose = {i for _, indices in _names(equation.right) for i in indices} - bound
        if loose:
            said = f"{equation.name}: {', '.join(sorted(loose))}"
            found.append(tr(f"{said}: an index left free on the right", f"{said}：右边下标没有归宿"))
        try:
            left, right = unit(self.symbols[equation.left].unit), self._unit(equation.right)
            if not left.same(right):
                en = f"{equation.name}: {equation.left} is in {left}, its right side in {right}"
                found.append(tr(en, f"{equation.name}：左边 {equation.left} 的单位为 {left}，右边为 {right}"))
        except DataError as error:
            found.append(f"{equation.name}: {error}")
        return found

    def _unit(self, node) -> Unit:
        match node:
            case ast.Name() | ast.Subscript():
                return unit(self.symbols[_named(node)[0]].unit)
            case ast.Constant():
                return Unit(dims=None) if node.value == 0 else Unit()
            case ast.UnaryOp():
                return self._unit(node.operand)
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                power = 1.0 if isinstance(node.op, ast.Mult) else -1.0
                return self._unit(node.left).times(self._unit(node.right), power)
            case ast.BinOp(op=ast.Pow()):
                return Unit().times(self._unit(node.left), float(ast.literal_eval(node.right)))
            case ast.BinOp(left=left, right=right) | ast.Compare(left=left, comparators=[right]):
                return self._alike([left, right], node)
        name, arguments = _function(node), node.args
        match name:
            case "sum" | "abs":
                return self._unit(arguments[-1])
            case "sqrt":
                return Unit().times(self._unit(arguments[0]), 0.5)
            case "where":
                self._unit(arguments[0])
                return self._alike(arguments[1:], node)
            case "max" | "min":
                return self._alike(arguments, node)
        if not all(self._unit(a).same(Unit()) for a in arguments):
            said = ast.unparse(node)
            raise DataError(f"{said}: needs numbers without a unit", f"{said}：自变量应无量纲")
        return Unit()

    def _alike(self, nodes, whole) -> Unit:
        found = [self._unit(node) for node in nodes]
        if not all(a.same(b) for a in found for b in found):
            units = ", ".join(map(str, found))
            said = ast.unparse(whole)
            raise DataError(f"{said}: units do not go together: {units}", f"{said}：单位不一致：{units}")
        return next((u for u in found if u.dims is not None), found[0])

    # Numbers

    def compute(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Work out every equation whose numbers are known.

        Parameters
        ----------
        values : mapping of name to number or xarray.DataArray
            Dimensions are the letters of the indices; ``t`` has the coordinates ``t1`` and ``t2``. A name that is
            given is not worked out; constants and default factors need not be given.

        Returns
        -------
        known : dict of name to number or DataArray
            Given and worked out.

        Raises
        ------
        DataError
            A number that an equation needs is missing; all of them are named.
        """
        known: dict[str, Any] = {}
        for symbol in self.symbols.values():
            row = self.default(symbol)
            if symbol.value or row:
                known[symbol.name] = constant(symbol.value) if symbol.value else float(row["value"])  # type: ignore[index]
        known |= dict(values)
        left = [e for e in self.equations if e.left not in values]
        while ready := [e for e in left if all(name in known for name in e.inside())]:
            for equation in ready:
                known[equation.left] = _Numbers(known).value(equation.right)
            left = [e for e in left if e not in ready]
        missing = {n for e in left for n in e.inside() if n not in known} - {e.left for e in left}
        if left:
            names = listing(sorted(missing))
            raise DataError(f"the chain lacks these numbers:\n{names}", f"计算链缺少以下数值：\n{names}")
        return known


def methodology(
    counted: Iterable[str], rule: str = "ar_tool14", factors=None, credited: bool = True, issued: bool = True
) -> Chain:
    """The chain of a methodology from the modules that its pools, sources and leakage name.

    Parameters
    ----------
    counted : iterable of str
        Modules of plots, emissions, baseline and leakage; those that join them are added.
    rule : str
        Deduction for uncertainty, a rule of changes; see :func:`sinklab.propagate.deductions.rules`.
    factors : mapping, optional
        Default factors by symbol; see :class:`Chain`.
    credited : bool
        False for metering alone: stocks, their change and uncertainty, no baseline and no credits.
    issued : bool
        False for the metering of projects, which ends at net removals: what is held back and issued is left to the scheme.

    Returns
    -------
    chain : Chain
        Without plots there is neither a stock nor its uncertainty: what counts is emissions of the baseline less those of the
        project. Where they are not of land either (manure), nothing could be reversed.
    """
    counted = tuple(counted)
    require_known(counted, modules(), "module", "模块", "data/chain/modules.csv")
    parts = {name: row["part"] for name, row in modules().items()}
    plots = list(dict.fromkeys(f"{modules()[m]['plot']}[i,k,t]" for m in counted if modules()[m]["plot"]))
    order = list(modules())
    own = sorted(
        (e for e in _library(_stamp())[1] if e.module in counted), key=lambda e: order.index(e.module)
    )
    project = [e.left for e in own if parts[e.module] == "emission" and not e.left.endswith("BSL")]
    leaks = [e.left for e in own if parts[e.module] == "leakage"]
    base = "E_BSL" if any(e.left == "E_BSL" for e in own) else ""
    gains = [e.left for e in own if e.module == "coast_gain"]
    joined = " + ".join
    pools = [("pools", "pools", f"c[i,k,t] = {joined(plots)}")]
    metering = ["sampling", "estimate", "change", "change_error"]
    if not credited:
        return Chain([*counted, *metering] if plots else counted, pools if plots else (), factors)
    # What a methodology does not count has no symbol: no text says L = 0 and then explains L.
    emitted, escaped = " - E_PRJ" if project else "", " - LK" if leaks else ""
    more = []
    if project:
        more.append(("project_emissions", "project_emissions", f"E_PRJ = {joined(project)}"))
    if leaks:
        more.append(("leakage", "leakage", f"LK = {joined(leaks)}"))
    wanted = [*counted, "net"]
    if plots:
        changes = joined(["DC / DT", *gains])
        more += [*pools, *_deduction(rule), ("net", "net", f"X = DC_PRJ - DC_BSL{escaped} - D")]
        more.append(("project", "project", f"DC_PRJ = {changes}{emitted}"))
        wanted += [*metering, "baseline", *(["permanence"] if issued else [])]
        if base:
            more.append(("baseline", "baseline", "DC_BSL = sum(i, A[i] * sum(p, g[i,p])) - E_BSL"))
    else:
        said = joined([*([base] if base else []), *gains])
        more.append(("net", "net", f"X = {f'{said}{emitted}{escaped}'.removeprefix(' ') or '0'}"))
        # Land that was rewetted may be drained again; methane of manure that was not given off does not come back.
        if any("A" in e.inside() for e in own):
            wanted += ["permanence"] if issued else []
        else:
            more.append(("credit", "permanence", "CR = max(X * DT, 0)"))
    return Chain(wanted, more, factors)


def _deduction(name: str) -> list[tuple[str, str, str]]:
    """Equations of a rule of ``data/rules/deductions.csv``: what is deducted of an uncertain change."""
    from sinklab.propagate import deductions

    rule = deductions.rule(name)
    deductions.require_base(rule, "change")
    text, whole = "", "H_W" if rule.form == "share_of_half_width" else "abs(DC)"
    if rule.form == "excess":
        free = rule.steps[-1].above
        text = f"min(max(U - {free:g}, 0), 1)" if free else "min(U, 1)"
    else:
        for step in reversed(rule.steps):
            amount = f"{step.amount:g}" if step.amount is not None else "1"
            text = f"where(U <= {step.up_to:g}, {amount}, {text})" if text else amount
    return [("share", "deduction", f"f_U = {text}"), ("deduction", "deduction", f"D = f_U * {whole} / DT")]


@dataclass(frozen=True)
class Example:
    """A worked example: what was given, what each equation gives, and which symbols are of one plot alone."""

    chain: Chain
    plot: dict[str, Any]
    given: dict[str, Any]
    known: dict[str, Any]


def example(chain: Chain, settled: Mapping[str, float] | None = None) -> Example:
    """Work a chain out on the numbers of ``data/chain/example.csv``: plot 1 of stratum 1 from its measurements, the others as given.

    Parameters
    ----------
    settled : mapping, optional
        What the document decides, by name: ``confidence``, ``allowed_error``, ``non_permanence`` [1], ``plot_area`` and
        ``grass_plot``, the size of plots of trees and shrubs and of those of herbs alone [ha].
        The example has them in place of its own; expected spread and allowed error follow from its own stocks.

    Raises
    ------
    DataError
        The file lacks a number that the chain needs.
    """
    import xarray as xr
    from scipy.stats import norm

    told = {}
    for row in records("chain", "example.csv"):
        # ``h@core`` is for chains with that module; it stands behind what holds elsewhere.
        name, _, module = row["name"].partition("@")
        if not module or module in chain.modules:
            told[name] = _array(row["dims"].split(), row["values"])
    needed = [
        n for n, s in chain.symbols.items() if s.kind in ("measured", "fixed") and n not in chain.results()
    ]
    needed = [n for n in needed if not chain.default(chain.symbols[n])]
    settled = {"allowed_error": told["e_SHARE"], **(settled or {})}
    wooded = {"tree", "tree_volume", "bamboo", "shrub"} & {*chain.modules}
    size = settled.get("plot_area" if wooded or "grass" not in chain.modules else "grass_plot")
    if size:
        told["a_P"], told["N_P"] = size, round(float(told["A"].sum()) / size)
    for name in needed:
        decided = chain.symbols[name].factor.removeprefix("decision:")
        told[name] = settled.get(decided, told.get(name))
    told["t_P"] = round(float(norm.ppf((1 + told["P"]) / 2)), 3)
    late = ("DC_B", "s_P", "E_A")  # follow from the stocks of the example
    inside = [e for e in chain.equations if modules()[e.module]["plot"] or e.module == "pools"]
    rest = [e for e in chain.equations if e not in inside]
    require_known(
        [n for n in needed if n not in late],
        {n: v for n, v in told.items() if v is not None},
        "symbol",
        "符号",
        "data/chain/example.csv",
    )
    plot, given = {}, {name: told[name] for name in needed if name not in late and _used(rest, name)}
    if inside:
        first = Chain((), [(e.name, e.module, e.text) for e in inside], chain.factors)
        plot = first.compute({name: told[name] for name in needed if _used(inside, name)})
        # Plots differ in what they hold and, less, in what they gain: a permanent plot keeps its difference.
        early, late_one = (plot["c"].sel(t=date, drop=True) for date in DATES)
        before = early * told["ratio_t1"]
        after = before + (late_one - early) * told["ratio_t2"]
        given["c"] = xr.concat([before, after], dim="t").assign_coords(t=list(DATES)).round(1)
        if "s_P" in needed:
            mean = given["c"].isel(t=0).mean("k")
            given["s_P"] = (mean * told["cv_P"]).round(1)
            given["E_A"] = round(settled["allowed_error"] * float((told["w"] * mean).sum()), 1)
        if "c_BSL" in given:
            given["c_BSL"] = given["c_BSL"].expand_dims(p=1)
        # The draws are put around the change itself.
        changes = Chain((), [(e.name, e.module, e.text) for e in chain.of("change") if e.left != "c_ROT"])
        given["DC_B"] = (changes.compute(given)["DC"] * told["ratio_B"]).round(0)
    last = Chain((), [(e.name, e.module, e.text) for e in rest], chain.factors)
    return Example(chain, plot, given, last.compute(given))


def _used(equations, name: str) -> bool:
    return any(name in e.inside() for e in equations)


def _array(dims, text: str):
    import numpy as np
    import xarray as xr

    rows = [[float(number) for number in row.split()] for row in text.split(";")]
    if not dims:
        return rows[0][0]
    values = np.array(rows if len(dims) == 2 else [row[0] for row in rows] if len(rows) > 1 else rows[0])
    return xr.DataArray(values, dims=dims, coords={"t": list(DATES)} if "t" in dims else None)


def constant(text: str) -> float:
    """Value of a constant: a number or a quotient of two, ``44/12``."""
    over, _, under = text.partition("/")
    return float(over) / float(under or 1)


def _is_sum(node) -> bool:
    return isinstance(node, ast.Call) and _function(node) == "sum"


#: Functions: LaTeX with the arguments.
_CALLS = {
    "sqrt": r"\sqrt{{{0}}}",
    "abs": r"\left|{0}\right|",
    "exp": r"\exp\left({0}\right)",
    "max": r"\max\left({0}\right)",
    "min": r"\min\left({0}\right)",
    "tinv": r"\operatorname{{t}}\left({0},\,{1}\right)",
}
_SIGNS = {ast.LtE: r"\le", ast.Lt: "<", ast.Gt: ">", ast.GtE: r"\ge"}
_SUM, _PRODUCT, _ATOM = 0, 1, 2


class _Print:
    """Writes nodes as LaTeX, each with the level at which it binds."""

    def __init__(self, symbols, lang):
        self.symbols, self.otherwise = symbols, "其他" if lang == "zh" else "otherwise"

    def write(self, node) -> tuple[str, int]:
        match node:
            case ast.Name() | ast.Subscript():
                name, indices = _named(node)
                return self.symbols[name].printed(indices), _ATOM
            case ast.Constant():
                return f"{node.value:g}", _ATOM
            case ast.UnaryOp():
                return f"-{self._inside(node.operand, _PRODUCT)}", _SUM
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                sign, strict = ("+", _SUM) if isinstance(node.op, ast.Add) else ("-", _PRODUCT)
                return f"{self.write(node.left)[0]} {sign} {self._inside(node.right, strict)}", _SUM
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                return self._product(node), _PRODUCT
            case ast.BinOp(op=ast.Pow()):
                return f"{self._inside(node.left, _ATOM)}^{{{self.write(node.right)[0]}}}", _PRODUCT
            case ast.Compare():
                sign = _SIGNS[type(node.ops[0])]
                return f"{self.write(node.left)[0]} {sign} {self.write(node.comparators[0])[0]}", _SUM
        return self._call(node)

    def _product(self, node) -> str:
        """A product: quotients of two numbers in front, the rest over one stroke, sums last."""
        above, below, quotients = [], [], []
        for factor, power in _factors(node):
            symbol = self.symbols.get(factor.id) if isinstance(factor, ast.Name) else None
            if symbol is not None and "/" in symbol.value and power > 0:
                quotients.append(symbol.latex)
            else:
                (above if power > 0 else below).append(factor)
        over = self._row(above) if above else "1"
        if not below and quotients and len(above) == 1:
            over = self._inside(above[0], _PRODUCT)
        rest = rf"\frac{{{over}}}{{{self._row(below)}}}" if below else over
        return r" \times ".join([*quotients, rest] if above or below else quotients)

    def _row(self, factors) -> str:
        """Factors side by side, numbers first and sums last; a lone one needs no parentheses."""
        if len(factors) == 1:
            return self.write(factors[0])[0]
        texts = [self._inside(f, _PRODUCT) for f in sorted(factors, key=_is_sum)]
        texts.sort(key=lambda text: not text[0].isdigit())
        row = texts[0]
        for text in texts[1:]:
            row += (r" \times " if text[0].isdigit() else r"\,") + text
        return row

    def _inside(self, node, least) -> str:
        text, binds = self.write(node)
        return rf"\left({text}\right)" if binds < least else text

    def _call(self, node) -> tuple[str, int]:
        name, arguments = _function(node), node.args
        if name == "sum":
            inside = self._inside(arguments[1], _PRODUCT)
            # What follows a sum would be taken for a part of it.
            return rf"\sum_{{{arguments[0].id}}} {inside}", _PRODUCT
        if name == "where":
            rows, rest, above = [], node, None
            while isinstance(rest, ast.Call) and _function(rest) == "where":
                said, yes, rest = rest.args
                # Steps of one quantity have both their ends: 0.1 < U ≤ 0.15.
                same = above is not None and ast.dump(above.left) == ast.dump(said.left)
                low = f"{self.write(above.comparators[0])[0]} < " if same else ""
                rows.append(f"{self.write(yes)[0]}, & {low}{self.write(said)[0]}")
                above = said if isinstance(said.ops[0], ast.LtE) else None
            end = rf"\text{{{self.otherwise}}}"
            if above is not None:
                end = f"{self.write(above.left)[0]} > {self.write(above.comparators[0])[0]}"
            rows.append(f"{self.write(rest)[0]}, & {end}")
            body = r" \\ ".join(rows)
            return rf"\begin{{cases}} {body} \end{{cases}}", _PRODUCT
        shown = [self.write(argument)[0] for argument in arguments]
        if name in ("max", "min"):
            shown = [", ".join(shown)]
        return _CALLS[name].format(*shown), _ATOM


def _factors(node, power: int = 1):
    """Factors of a product with the sign of their power."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        yield from _factors(node.left, power)
        yield from _factors(node.right, power if isinstance(node.op, ast.Mult) else -power)
    else:
        yield node, power


class _Numbers:
    """Works nodes out on labelled arrays."""

    def __init__(self, known):
        self.known = known

    def value(self, node):
        import numpy as np

        match node:
            case ast.Name() | ast.Subscript():
                name, indices = _named(node)
                found = self.known[name]
                dates = [index for index in indices if index in DATES]
                return found.sel(t=dates[0], drop=True) if dates and hasattr(found, "sel") else found
            case ast.Constant():
                return float(node.value)
            case ast.UnaryOp():
                return -self.value(node.operand)
            case ast.BinOp():
                left, right = self.value(node.left), self.value(node.right)
                return {
                    ast.Add: lambda: left + right,
                    ast.Sub: lambda: left - right,
                    ast.Mult: lambda: left * right,
                    ast.Div: lambda: left / right,
                    ast.Pow: lambda: left**right,
                }[type(node.op)]()
            case ast.Compare():
                left, right = self.value(node.left), self.value(node.comparators[0])
                sign = type(node.ops[0])
                return {ast.LtE: left <= right, ast.Lt: left < right, ast.Gt: left > right}.get(
                    sign, left >= right
                )
        name, arguments = _function(node), node.args
        if name == "sum":
            return self.value(arguments[1]).sum(arguments[0].id)
        values = [self.value(argument) for argument in arguments]
        match name:
            case "where":
                import xarray as xr

                return xr.where(*values)
            case "tinv":
                from scipy import stats

                return stats.t.ppf(0.5 + values[0] / 2, values[1])
            case "max" | "min":
                return reduce(np.maximum if name == "max" else np.minimum, values)
        return getattr(np, name)(values[0])
