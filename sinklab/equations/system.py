"""A system of equations: the one text from which everything else is made, and the roles of its names."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sinklab.data import vocabulary
from sinklab.equations.compile import Compiled, PowerProduct, additive_terms, power_product
from sinklab.equations.groups import over_groups
from sinklab.equations.latex import to_latex
from sinklab.equations.parse import Call, Equation, Name, Power, Product, Source, names, read, walk
from sinklab.language import EquationError, SetTable, heads, listing, table, tr

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Equations that a system shows of itself.
SHOWN = 8


@dataclass(frozen=True, eq=False, repr=False)
class System:
    """Equations ``left = right``, read once and used for fitting, prediction and print.

    Made by :meth:`parse`. Two systems are equal if their canonical text and the roles of their names are.

    Attributes
    ----------
    equations : tuple of Equation
        As written, in order.
    predictors : tuple of str
        Right-hand names that are data columns, in the order of first appearance.
    bound : bool
        Whether the roles of the names were settled by data columns, or only by the vocabulary.

    Examples
    --------
    >>> system = System.parse("stem = a * dbh^b").bind(["dbh", "stem"])
    >>> system.parameters
    ('a', 'b')
    >>> system.mean([0.1, 2], {"dbh": [10, 20]})["stem"]
    array([10., 40.])
    """

    equations: tuple[Equation, ...]
    predictors: tuple[str, ...]
    bound: bool
    source: Source = field(repr=False)

    @classmethod
    def parse(
        cls, text: str, columns: Iterable[str] | None = None, *, responses_required: bool = True
    ) -> "System":
        """Read equations, one per line or with ``;`` between them.

        Parameters
        ----------
        text : str
            ``left = right`` with ``+ - * / ^ **``, ``exp log log10 sqrt min max where(condition, a, b)``,
            numbers, names (in Chinese where the vocabulary has them: ``干 = a*胸径^b``), ``a[group]`` and
            ``a[outer/inner]``; ``#`` starts a comment, and a line goes on while a parenthesis is open. Earlier
            left sides may be used on the right.
        columns : iterable of str, optional
            Data columns to :meth:`bind` to. Without them the numeric variables of the vocabulary are
            predictors, and all other right-hand names parameters.
        responses_required : bool
            See :meth:`bind`.

        Raises
        ------
        EquationError
            With line and column of what cannot be read, or of all names that contradict each other.
        """
        if isinstance(text, str) and not text.isascii():
            # Only a text in Chinese needs to know how forms name things.
            from sinklab.data.columns import vocabulary_names

            text = vocabulary_names(text)
        equations, source = read(text)
        check_structure(equations, source)
        system = cls(equations, known_to_vocabulary(equations), False, source)
        return system if columns is None else system.bind(columns, responses_required=responses_required)

    def bind(self, columns: Iterable[str], *, responses_required: bool = True) -> "System":
        """Settle which names are predictors, from the columns of the data.

        A system that is bound already keeps its roles; the columns are only checked.

        Parameters
        ----------
        columns : iterable of str
        responses_required : bool
            Whether every free response must be a column, as for a fit; identities may be absent.

        Raises
        ------
        EquationError
            All names at once that the vocabulary knows but the data lack, that are one slip away from
            a column, and all responses that are missing.
        """
        columns = [str(column) for column in columns]
        if self.bound:
            require(self.predictors, columns)
            system = self
        else:
            predictors = among_columns(self.equations, columns, self.source)
            system = System(self.equations, predictors, True, self.source)
        if responses_required:
            _require_predictors(system, columns)
            require(system.free, columns)
        return system

    @cached_property
    def text(self) -> str:
        """Canonical text; parsing it gives an equal system."""
        return "\n".join(str(equation) for equation in self.equations)

    @cached_property
    def responses(self) -> tuple[str, ...]:
        """Left sides, in order."""
        return tuple(equation.response for equation in self.equations)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Right-hand names that are neither predictors nor left sides, in the order of first appearance."""
        known = set(self.predictors)
        return tuple(n.name for n in right_names(self.equations) if n.name not in known)

    @cached_property
    def groups(self) -> dict[str, str]:
        """Group column of each parameter written ``a[group]``."""
        return {n.name: n.group for n in right_names(self.equations) if n.group}

    def ungrouped(self) -> "System":
        """The same equations with one value for each parameter: ``a[site]`` becomes ``a``."""
        if not self.groups:
            return self
        # In canonical text brackets stand around group columns and nowhere else.
        equations, source = read(re.sub(r"\[[^\]]*\]", "", self.text))
        return System(equations, self.predictors, self.bound, source)

    def grouped(self, column: str, parameters: Iterable[str]) -> "System":
        """The same equations with some parameters varying by a column: ``a`` becomes ``a[column]``."""
        names = "|".join(map(re.escape, parameters))
        equations, source = read(re.sub(rf"\b({names})\b(?!\[)", rf"\1[{column}]", self.text))
        return System(equations, self.predictors, self.bound, source)

    def over_groups(
        self, parameters: Iterable[str], covariance: np.ndarray, multiplies: Iterable[str]
    ) -> "System":
        """The mean over groups between which some parameters deviate; see :func:`~sinklab.equations.groups.over_groups`."""
        told = self.equations, self.identities, list(parameters), covariance, list(multiplies)
        for multiplied_out in (True, False):
            equations, source = read("\n".join(map(str, over_groups(*told, multiplied_out))))
            found = System(equations, self.predictors, self.bound, source)
            if found.parameters == self.parameters:
                break
        return found

    @cached_property
    def _named(self) -> dict[str, tuple[str, ...]]:
        """Names on the right side of each equation as written, each once."""
        return {e.response: tuple(dict.fromkeys(n.name for n in names(e.right))) for e in self.equations}

    @cached_property
    def identities(self) -> tuple[str, ...]:
        """Responses without a parameter of their own that are made of earlier left sides."""
        lefts, parameters = set(self.responses), set(self.parameters)
        return tuple(
            r
            for r, found in self._named.items()
            if not lefts.isdisjoint(found) and parameters.isdisjoint(found)
        )

    @cached_property
    def free(self) -> tuple[str, ...]:
        """Responses that are fitted: all but the identities."""
        return tuple(r for r in self.responses if r not in self.identities)

    @cached_property
    def parameters_of(self) -> dict[str, tuple[str, ...]]:
        """Parameters of each response once earlier left sides are substituted, in the order of the system."""
        reached: dict[str, set[str]] = {}
        for response, found in self._named.items():
            reached[response] = set(found).union(*(reached[name] for name in found if name in reached))
        return {r: tuple(p for p in self.parameters if p in found) for r, found in reached.items()}

    @cached_property
    def own_parameters(self) -> dict[str, tuple[str, ...]]:
        """Parameters that appear first in the equation of each response."""
        first: dict[str, str] = {}
        for response, found in self._named.items():
            for name in found:
                first.setdefault(name, response)
        parameters = set(self.parameters)
        return {
            r: tuple(p for p in found if p in parameters and first[p] == r)
            for r, found in self._named.items()
        }

    @cached_property
    def inputs_of(self) -> dict[str, tuple[str, ...]]:
        """Predictors and earlier left sides that stand in each equation as written."""
        parameters = set(self.parameters)
        return {r: tuple(n for n in found if n not in parameters) for r, found in self._named.items()}

    @cached_property
    def leading(self) -> frozenset[str]:
        """Parameters that multiply a product of powers and are no logarithms: :math:`a` of :math:`a x^b`."""
        forms = [self.power_product(r) for r in self.free]
        return frozenset(form.coefficient for form in forms if form is not None and not form.log)

    @cached_property
    def factors(self) -> frozenset[str]:
        """Parameters that multiply the whole right side of an equation and stand nowhere else."""
        once = [n.name for e in self.equations for n in names(e.right)]
        products = [e.right.factors for e in self.equations if isinstance(e.right, Product)]
        return frozenset(
            part.name
            for factors in products
            for power, part in factors
            if power == 1
            and isinstance(part, Name)
            and part.name in self.parameters
            and once.count(part.name) == 1
        )

    @cached_property
    def knots(self) -> dict[str, str]:
        """Parameters that a condition compares with a predictor, as in ``where(dbh < k, …)``, and that predictor."""
        found = {}
        for node in (n for e in self.equations for n in walk(e.right) if isinstance(n, Call)):
            match node.arguments:
                case (Name(name=one), Name(name=other)) if node.function[0] in "<>":
                    for parameter, predictor in ((one, other), (other, one)):
                        if parameter in self.parameters and predictor in self.predictors:
                            found[parameter] = predictor
        return found

    def __eq__(self, other):
        """Equal text and equal roles of the names."""
        return isinstance(other, System) and self._key == other._key

    def __hash__(self):
        """Hash of text and roles."""
        return hash(self._key)

    @property
    def _key(self):
        return self.text, self.predictors

    def __str__(self):
        """Canonical text."""
        return self.text

    def __repr__(self) -> str:
        """At most twelve lines: equations, and the roles of their names."""
        lines, more = self.text.splitlines(), len(self.equations) - SHOWN
        rest = [tr(f"and {more} more equations", f"另有 {more} 个方程")] if more > 0 else []
        roles = [
            f"{tr('predictors', '自变量')}: {', '.join(self.predictors) or '–'}",
            f"{tr('parameters', '参数')}: {', '.join(self.parameters) or '–'}",
        ]
        return "\n".join([*lines[:SHOWN], *rest, *roles])

    def _repr_html_(self) -> str:
        return self.set_table().to_html()

    def set_table(self) -> SetTable:
        """The equations and what their names mean, for a notebook, LaTeX or Word.

        Examples
        --------
        >>> sl.System.parse("stem = a * dbh**b").set_table().to_latex().splitlines()[2]
        'stem = a * dbh**b'
        """
        return SetTable(tr("Equations", "方程"), self.text, ("", *self._names()))

    def _names(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows of what every name is."""
        kinds = {self.free: ("fitted", "拟合"), self.identities: ("made of others", "由其他量得出")}
        kinds |= {self.predictors: ("predictor", "自变量")}
        rows = [
            [
                name,
                tr(*kind),
                vocabulary.label(name),
                vocabulary.units_symbol(vocabulary.variable(name).unit)
                if vocabulary.is_variable(name)
                else "",
            ]
            for names, kind in kinds.items()
            for name in names
        ]
        for name in self.parameters:
            group = self.groups.get(name)
            by = tr(f" by {vocabulary.label(group)}", f"，按{vocabulary.label(group)}") if group else ""
            rows.append([name, tr("parameter", "参数") + by, "", ""])
        return heads("name|role|meaning|unit", "名称|作用|含义|单位"), rows

    def summary(self) -> str:
        """Equations, and what every name in them is, as text.

        Examples
        --------
        >>> print(System.parse("stem = a * dbh^b").summary().splitlines()[0])
        stem = a * dbh**b
        """
        return f"{self.text}\n\n{table(*self._names())}"

    def plot(
        self, kind: str = "equations", path: str | Path | None = None, lang: str | None = None
    ) -> "Figure":
        """Draw the equations as a paper sets them (``equations``); see :meth:`FitResult.plot` for the others.

        Examples
        --------
        >>> figure = System.parse("stem = a * dbh^b").plot()
        """
        return import_module("sinklab.plots").drawn(self, kind, path, lang)

    def __reduce__(self):
        """Pickle as text and roles: compiled functions are made anew where they are needed."""
        return _restore, (self.text, self.predictors, self.bound)

    def _line(self, response) -> Equation:
        if response in self.responses:
            return self.equations[self.responses.index(response)]
        raise EquationError(
            f"`{response}` has no equation; left sides: {', '.join(self.responses)}.",
            f"没有 `{response}` 的方程；左边的量：{'、'.join(self.responses)}。",
        )

    def latex(
        self,
        lang: str | None = None,
        *,
        values: Mapping | None = None,
        number: Callable[[float], str] | None = None,
    ) -> list[str]:
        """Equations as a standard prints them, one LaTeX string each.

        Parameters
        ----------
        lang : "zh" or "en", optional
            Language of the words in segmented equations.
        values : mapping of str to float, optional
            Parameters to print as numbers.
        number : callable, optional
            Makes text of a float; significant digits by default.
        """
        return [to_latex(equation, self, lang, values or {}, number) for equation in self.equations]

    def power_product(self, response: str) -> PowerProduct | None:
        """Read the equation as a coefficient times powers; see :func:`~sinklab.equations.compile.power_product`."""
        return power_product(self._line(response).right, set(self.parameters))

    def additive_terms(self, response: str) -> tuple[PowerProduct, ...] | None:
        """Read the equation as a sum of such products; see :func:`~sinklab.equations.compile.additive_terms`."""
        return additive_terms(self._line(response).right, set(self.parameters))

    @cached_property
    def _compiled(self):
        return {}

    def compiled(self, responses: Iterable[str] | None = None, *, by_row: bool = False) -> Compiled:
        """Numpy functions of chosen responses (all by default), made once; see :class:`Compiled`.

        Parameters
        ----------
        responses : iterable of str, optional
        by_row : bool
            Whether the caller gives parameters that vary by group row by row.

        Raises
        ------
        EquationError
            If a parameter varies by group and is not given by row: such systems need a method that
            estimates group effects.
        """
        wanted = self.responses if responses is None else tuple(responses)
        if self.groups and not by_row:
            shown = ", ".join(f"{name}[{group}]" for name, group in self.groups.items())
            raise EquationError(
                f"{shown}: parameters that vary by group need a method for grouped parameters; "
                "this computation does not know them yet. Write them without the brackets, or fit each group apart.",
                f"{shown}：按组变化的参数需要分组参数的方法，此处尚不支持。请去掉方括号，或各组分别拟合。",
            )
        if wanted not in self._compiled:
            for response in wanted:
                self._line(response)
            self._compiled[wanted] = Compiled(self.equations, wanted, self.parameters)
        return self._compiled[wanted]

    @cached_property
    def _alone(self) -> dict[str, Compiled]:
        """Each equation as written: earlier left sides are columns."""
        return {
            e.response: Compiled(
                (e,), (e.response,), [p for p in self.parameters if p in self._named[e.response]]
            )
            for e in self.equations
        }

    @cached_property
    def made(self) -> Compiled:
        """The identities, as functions of the free responses in the place of parameters."""
        lines = [e for e in self.equations if e.response in self.identities]
        return Compiled(lines, self.identities, self.free)

    def written_mean(self, response: str, values: Mapping, known: Mapping) -> np.ndarray:
        """Mean of one equation as written, earlier left sides taken from ``known``.

        Parameters
        ----------
        response : str
        values : mapping of str to float
            The parameters that stand in the equation; others are ignored.
        known : mapping of str to array, shape (n,)
            Predictors and earlier left sides.
        """
        compiled = self._alone[response]
        theta = np.array([values[p] for p in compiled.parameters])
        # An equation without predictors, a mean, is one number for all records.
        return compiled.mean_matrix(theta, known, len(next(iter(known.values()), (0,))))[:, 0]

    def complete(self, means: Mapping, columns: Mapping) -> dict[str, np.ndarray]:
        """Add the identities to given means of the free responses.

        Parameters
        ----------
        means : mapping of str to array, shape (n,)
        columns : mapping of str to array, shape (n,)
            The predictors.

        Returns
        -------
        means : dict
            All responses, in the order of the system.
        """
        out = dict(means)
        if self.identities:
            n, held = (
                len(next(iter(means.values()))),
                {c: np.asarray(columns[c], float) for c in self.made.columns},
            )
            found = self.made.broadcast([np.asarray(means[r], float) for r in self.free], held)
            out |= {r: np.broadcast_to(one, (n,)) for r, one in zip(self.identities, found, strict=True)}
        return {r: out[r] for r in self.responses}

    def identity_slopes(self, means: Mapping, columns: Mapping) -> dict[str, dict[str, np.ndarray]]:
        """Derivative of each identity by each free response that it is made of.

        Parameters are those of :meth:`complete`.

        Returns
        -------
        slopes : dict of dict of array, shape (n,)
            ``slopes[identity][free response]``; for ``agb = stem + branch`` both are 1.
        """
        if not self.identities:
            return {}
        evaluator = self.made.at(columns, len(next(iter(means.values()))))
        found = evaluator.mean_and_jacobian([np.asarray(means[r], float) for r in self.free])[1]
        slopes: dict[str, dict[str, np.ndarray]] = {r: {} for r in self.identities}
        for i, j in self.made.cells:
            slopes[self.identities[i]][self.free[j]] = found[:, i, j]
        return slopes

    def mean(self, values: Any, data: Any) -> dict[str, np.ndarray]:
        """Means of all responses.

        Parameters
        ----------
        values : mapping of str to float or array (n_draw,), or array of shape (k,) or (n_draw, k)
            Parameters, arrays in the order of :attr:`parameters`.
        data : DataFrame or mapping of str to array, shape (n,)
            The predictors, in the units in which the parameters were estimated.

        Returns
        -------
        means : dict of str to array
            Shape (n,), or (n_draw, n) if ``values`` are draws.
        """
        theta = parameter_array(values, self.parameters)
        out = self.compiled().at(*column_arrays(data, self.predictors)).mean(theta)
        return {response: out[..., i] for i, response in enumerate(self.responses)}

    def jacobian(self, values: Any, data: Any) -> dict[str, np.ndarray]:
        """Exact derivatives of all means by the parameters.

        Parameters
        ----------
        values : mapping of str to float, or array of shape (k,)
        data : DataFrame or mapping of str to array, shape (n,)

        Returns
        -------
        slopes : dict of str to array, shape (n, k)
        """
        theta = parameter_array(values, self.parameters)
        if theta.ndim != 1:
            raise EquationError(
                "derivatives need one parameter vector, found draws.", "求导需要一组参数，而不是抽样。"
            )
        out = self.compiled().at(*column_arrays(data, self.predictors)).jacobian(theta)
        return {response: out[:, i, :] for i, response in enumerate(self.responses)}


def _restore(text, predictors, bound):
    equations, source = read(text)
    return System(equations, tuple(predictors), bound, source)


def parameter_array(values, parameters) -> np.ndarray:
    """Parameter values in the order of ``parameters``.

    Parameters
    ----------
    values : mapping of str to float or array (n_draw,), or array of shape (k,) or (n_draw, k)
        Further names in a mapping are ignored.
    parameters : tuple of str

    Returns
    -------
    theta : array, shape (k,) or (n_draw, k)
    """
    k = len(parameters)
    if hasattr(values, "keys"):
        missing = [name for name in parameters if name not in values.keys()]
        if missing:
            raise EquationError(
                f"no value for the parameters {', '.join(missing)}.", f"参数 {'、'.join(missing)} 没有值。"
            )
        parts = [np.asarray(values[name], dtype=float) for name in parameters]
        return np.stack(np.broadcast_arrays(*parts), axis=-1) if parts else np.empty(0)
    theta = np.asarray(values, dtype=float)
    if theta.ndim not in (1, 2) or theta.shape[-1] != k:
        order = ", ".join(parameters)
        raise EquationError(
            f"parameter values of shape {theta.shape}; expected ({k},) or (n_draw, {k}), ordered {order}.",
            f"参数值的形状为 {theta.shape}；应为 ({k},) 或 (n_draw, {k})，顺序为 {order}。",
        )
    return theta


def column_arrays(data, predictors) -> tuple[dict[str, np.ndarray], int]:
    """Predictors as float arrays of one length, and that length.

    Parameters
    ----------
    data : DataFrame or mapping of str to array, shape (n,), or float
    predictors : tuple of str

    Raises
    ------
    EquationError
        A predictor is absent, holds text, or has another length than the others.
    """
    require(predictors, list(data.keys()))
    held, wrong = {}, []
    for name in predictors:
        try:
            held[name] = np.atleast_1d(np.asarray(data[name], dtype=float))
        except (TypeError, ValueError):
            wrong.append(name)
    if wrong:
        raise EquationError(
            f"these columns hold something other than numbers: {', '.join(wrong)}.",
            f"以下列含有非数值：{'、'.join(wrong)}。",
        )
    shapes = {name: column.shape for name, column in held.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        shown = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise EquationError(f"columns of different shape: {shown}.", f"各列的形状不一致：{shown}。")
    if held:
        return held, len(next(iter(held.values())))
    return held, len(data) if hasattr(data, "columns") else 1


def check_structure(equations, source) -> None:
    """Refuse systems that contradict themselves, all offenders at once.

    Raises
    ------
    EquationError
        A left side that is repeated, used before its equation or as its own predictor; an equation
        that names nothing; a parameter with and without group, or with two.
    """
    lines = {}
    for equation in equations:
        lines.setdefault(equation.response, equation.position[0])
    problems, defined, groups = [], set(), {}
    for equation in equations:
        left, found = equation.response, names(equation.right)
        if left in defined:
            problems.append((equation.position, _repeated(left, lines[left])))
        if not found:
            problems.append((equation.position, _nameless(left)))
        for name in found:
            problem = _misplaced(name, left, defined, lines) or _regrouped(name, groups)
            if problem:
                problems.append((name.position, problem))
        defined.add(left)
    if problems:
        raise source.errors(problems)


def _repeated(left, line):
    return tr(
        f"`{left}` has an equation already, on line {line}; keep one.",
        f"`{left}` 在第 {line} 行已有方程；只能保留一个。",
    )


def _nameless(left):
    return tr(
        f"the right side of `{left}` names nothing; expected at least one predictor or parameter.",
        f"`{left}` 的右边没有任何名称；至少应有一个自变量或参数。",
    )


def _misplaced(name, left, defined, lines):
    text = name.name
    if text == left:
        return tr(f"`{text}` is predicted from itself.", f"`{text}` 以自身为自变量。")
    if text in lines and text not in defined:
        return tr(
            f"`{text}` is used before its equation on line {lines[text]}; move that line up.",
            f"`{text}` 在其方程（第 {lines[text]} 行）之前使用；请把该行移到前面。",
        )
    if text in lines and name.group:
        return tr(
            f"`{text}[{name.group}]`: `{text}` is a left side; only a parameter varies by group.",
            f"`{text}[{name.group}]`：`{text}` 是左边的量；只有参数可按组变化。",
        )
    if name.group in lines:
        return tr(
            f"`{text}[{name.group}]`: the group must be a data column, `{name.group}` is a left side.",
            f"`{text}[{name.group}]`：分组必须是数据列，而 `{name.group}` 是左边的量。",
        )
    return None


def _regrouped(name, groups):
    first = groups.setdefault(name.name, name.group)
    if first == name.group:
        return None
    forms = [f"`{name.name}[{g}]`" if g else f"`{name.name}`" for g in (first, name.group)]
    return tr(
        f"{forms[1]} was written {forms[0]} before; a parameter has one form throughout.",
        f"{forms[1]} 在前面写作 {forms[0]}；同一参数的写法应一致。",
    )


def right_names(equations: Iterable[Equation]) -> list:
    """Find the first occurrence of every right-hand name that is no left side, in order."""
    equations = tuple(equations)
    lefts = {equation.response for equation in equations}
    first = {}
    for equation in equations:
        for name in names(equation.right):
            if name.name not in lefts:
                first.setdefault(name.name, name)
    return list(first.values())


def known_to_vocabulary(equations) -> tuple:
    """Predictors of a system without data: the right-hand names that are numeric variables."""
    known = vocabulary.variables()
    return tuple(
        n.name for n in right_names(equations) if n.name in known and known[n.name].numeric and not n.group
    )


def among_columns(equations, columns, source) -> tuple:
    """Predictors of a system with data: the right-hand names that are columns.

    Parameters
    ----------
    equations : tuple of Equation
    columns : iterable of str
    source : Source

    Returns
    -------
    predictors : tuple of str
        In the order of first appearance.

    Raises
    ------
    EquationError
        Every name that the vocabulary knows but the data lack, that is one slip away from a column or
        a left side, and every group that is no column.
    """
    columns = [str(column) for column in columns]
    present = set(columns)
    used = {name.name for name in right_names(equations)} & present
    lefts = [equation.response for equation in equations]
    problems, predictors = [], []
    for name in right_names(equations):
        # beside a predictor D a letter d is a parameter; where no equation uses D, it is a slip
        candidates = [c for c in (*columns, *lefts) if len(c) > 1 or c not in used]
        problem = _column_problem(name, present, candidates)
        if problem:
            problems.append((name.position, problem))
        elif name.name in present:
            predictors.append(name.name)
    if problems:
        raise EquationError(listing([_columns_line(columns), *(source.pointed(*p) for p in problems)]))
    return tuple(predictors)


def _symbols_for_columns(equations, present, predictors) -> list:
    """Parameters that are meant as predictors: symbols of columns that no equation uses.

    Where there are predictors, only the base of a power is told: ``a * D^b * height^c`` cannot mean a parameter D,
    since a and D would be one, while the A of ``A * dbh^b`` beside a column ``age`` may well be a coefficient.
    """
    lefts, bases = {e.response for e in equations}, set()
    for node in (node for e in equations for node in walk(e.right)):
        if isinstance(node, Power) and names(node.exponent):
            bases |= {n.name for n in names(node.base)}
    found = [n for n in right_names(equations) if n.name not in present and not n.group]
    symbols = {v.symbol: v for v in reversed(vocabulary.variables().values()) if v.symbol and v.numeric}
    problems = []
    for name in found:
        meant = symbols.get(name.name)
        if meant is None or meant.name in lefts or (predictors and name.name not in bases):
            continue
        if meant.name in present or not predictors:
            here = tr("use", "请写") if meant.name in present else tr("the data lack", "数据中没有")
            label = vocabulary.label(meant.name)
            text = tr(
                f"`{name.name}` is the symbol of `{meant.name}` ({label}): {here} `{meant.name}`.",
                f"`{name.name}` 是 `{meant.name}`（{label}）的符号：{here} `{meant.name}`。",
            )
            problems.append((name.position, text))
    return problems


def _require_predictors(system, columns) -> None:
    """Refuse to fit equations of which symbols stand for columns, and those that no column predicts.

    One number for all records is a mean, and may be asked for; two of them are the same one.
    """
    problems = _symbols_for_columns(system.equations, set(columns), system.predictors)
    if not (problems or system.predictors or system.groups):
        problems = [
            (
                e.position,
                tr(
                    f"the right side of `{e.response}` names no column, so nothing predicts it.",
                    f"`{e.response}` 的右边没有任何数据列，没有自变量。",
                ),
            )
            for e in system.equations
            if len(names(e.right)) > 1
        ]
    if problems:
        raise EquationError(listing([_columns_line(columns), *(system.source.pointed(*p) for p in problems)]))


def _columns_line(columns):
    shown = ", ".join(columns[:30]) + (", …" if len(columns) > 30 else "")
    return tr(
        f"the equations do not fit the data. Columns: {shown or '(none)'}.",
        f"方程与数据不符。数据列：{shown or '（无）'}。",
    )


def _column_problem(name, present, candidates):
    """Why a right-hand name can be neither a predictor nor a parameter, or None."""
    text, known = name.name, vocabulary.variables()
    identifier = text in known and not known[text].numeric
    if name.group and name.group not in present and not present.issuperset(name.group.split("/")):
        return tr(
            f"the group `{name.group}` of `{text}` is not a column.{_suggestion(name.group, candidates)}",
            f"`{text}` 的分组 `{name.group}` 不是数据列。{_suggestion(name.group, candidates)}",
        )
    if name.group and text in present:
        return tr(
            f"`{text}` is a column; only a parameter varies by group.",
            f"`{text}` 是数据列；只有参数可按组变化。",
        )
    if identifier:
        return tr(
            f"`{text}` identifies, it is not a number; to let a parameter vary by it write `a[{text}]`.",
            f"`{text}` 是标识而非数值；若要参数随其变化，请写 `a[{text}]`。",
        )
    if text in present:
        return None
    near = slips(text, candidates)
    if text in known:
        label = vocabulary.label(text)
        return tr(
            f"`{text}` ({label}) is a variable of the vocabulary, and not a column.{_suggestion(text, candidates)} "
            "Add the column, or give the parameter another name.",
            f"`{text}`（{label}）是词汇表中的变量，但数据中没有这一列。{_suggestion(text, candidates)}"
            "请补充该列，或给参数另取名称。",
        )
    if near:
        return tr(
            f"`{text}` is not a column.{_suggestion(text, candidates)} "
            "If it is a parameter, give it a name that is not so close.",
            f"`{text}` 不是数据列。{_suggestion(text, candidates)}若为参数，请取一个不易混淆的名称。",
        )
    return None


def _suggestion(text, candidates):
    near = slips(text, candidates)
    return tr(f" Did you mean `{near[0]}`?", f"是否应为 `{near[0]}`？") if near else ""


def slips(name: str, candidates) -> list:
    """Those of ``candidates`` that ``name`` is probably a slip of the pen for.

    They differ in case only, or (both at least three characters long) by one character inserted,
    left out, replaced or exchanged with its neighbour. Numbered names such as ``rate1`` and ``rate2``
    are different names; ``dbh1`` beside ``dbh`` is a slip, and so is ``stem1`` beside ``stme1``.
    """
    others = [c for c in dict.fromkeys(candidates) if c != name]
    same = [c for c in others if c.casefold() == name.casefold()]
    return same + [c for c in others if c not in same and _one_slip(name, c)]


def _one_slip(a, b):
    number_a, number_b = _digits(a), _digits(b)
    if number_a and number_b:
        if number_a != number_b:
            return False
        a, b = a[: -len(number_a)], b[: -len(number_b)]
    if min(len(a), len(b)) < 3 or abs(len(a) - len(b)) > 1:
        return False
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    a, b = a[start:], b[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


def _digits(name):
    return name[len(name.rstrip("0123456789")) :]


def require(wanted, columns) -> None:
    """Raise one error for all ``wanted`` names that are not ``columns``."""
    missing = [name for name in wanted if name not in set(columns)]
    if missing:
        parts = [f"`{name}`{_suggestion(name, columns)}" for name in missing]
        raise EquationError(
            tr(f"the data lack {'; '.join(parts)}. ", f"数据缺少 {'；'.join(parts)}。")
            + _columns_line(columns)
        )
