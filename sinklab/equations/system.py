"""A system of equations: the one text from which everything else is made."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from sinklab.equations import names as equations_names
from sinklab.equations.compile import Compiled, column_arrays, parameter_array
from sinklab.equations.parse import Source, read
from sinklab.equations.tree import Equation, names
from sinklab.language import EquationError, tr


@dataclass(frozen=True, eq=False)
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
        """Read equations, one per line.

        Parameters
        ----------
        text : str
            ``left = right`` with ``+ - * / ^ **``, ``exp log sqrt min max where(condition, a, b)``,
            numbers, names and ``a[group]``; ``#`` starts a comment, and a line goes on while a
            parenthesis is open. Earlier left sides may be used on the right.
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
        equations, source = read(text)
        equations_names.check_structure(equations, source)
        system = cls(equations, equations_names.known_to_vocabulary(equations), False, source)
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
            equations_names.require(self.predictors, columns)
            system = self
        else:
            predictors = equations_names.among_columns(self.equations, columns, self.source)
            system = System(self.equations, predictors, True, self.source)
        if responses_required:
            equations_names.require(system.free, columns)
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
        return tuple(n.name for n in equations_names.right_names(self.equations) if n.name not in known)

    @cached_property
    def groups(self) -> dict[str, str]:
        """Group column of each parameter written ``a[group]``."""
        return {n.name: n.group for n in equations_names.right_names(self.equations) if n.group}

    def ungrouped(self) -> "System":
        """The same equations with one value for each parameter: ``a[site]`` becomes ``a``."""
        if not self.groups:
            return self
        # In canonical text brackets stand around group columns and nowhere else.
        equations, source = read(re.sub(r"\[[^\]]*\]", "", self.text))
        return System(equations, self.predictors, self.bound, source)

    def grouped(self, column: str, parameters) -> "System":
        """The same equations with some parameters varying by a column: ``a`` becomes ``a[column]``."""
        names = "|".join(map(re.escape, parameters))
        equations, source = read(re.sub(rf"\b({names})\b(?!\[)", rf"\1[{column}]", self.text))
        return System(equations, self.predictors, self.bound, source)

    @cached_property
    def identities(self) -> tuple[str, ...]:
        """Responses without a parameter of their own that are made of earlier left sides."""
        lefts, parameters = set(self.responses), set(self.parameters)
        found = {e.response: {n.name for n in names(e.right)} for e in self.equations}
        return tuple(r for r in self.responses if found[r] & lefts and not found[r] & parameters)

    @cached_property
    def free(self) -> tuple[str, ...]:
        """Responses that are fitted: all but the identities."""
        return tuple(r for r in self.responses if r not in self.identities)

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

    def __reduce__(self):
        """Pickle as text and roles: compiled functions are made anew where they are needed."""
        return _restore, (self.text, self.predictors, self.bound)

    def _line(self, response) -> Equation:
        for equation in self.equations:
            if equation.response == response:
                return equation
        raise EquationError(
            tr(
                f"`{response}` has no equation; left sides: {', '.join(self.responses)}.",
                f"没有 `{response}` 的方程；左边的量：{'、'.join(self.responses)}。",
            )
        )

    def equation(self, response: str):
        """Right side of one equation as written, a SymPy expression of plain symbols."""
        from sinklab.equations.symbolic import expression

        return expression(self._line(response).right)

    def expanded(self, response: str):
        """Right side as a SymPy expression of predictors and parameters, left sides substituted."""
        from sinklab.equations.symbolic import expanded

        self._line(response)
        return expanded(self.equations, response)

    def latex(self, lang: str | None = None, *, values: Mapping | None = None, number=None) -> list[str]:
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
        from sinklab.equations.latex import to_latex

        return [to_latex(equation, self, lang, values or {}, number) for equation in self.equations]

    def power_product(self, response: str):
        """Read the equation as a coefficient times powers; see :func:`~sinklab.equations.forms.power_product`."""
        from sinklab.equations.forms import power_product

        return power_product(self._line(response).right, set(self.parameters))

    def additive_terms(self, response: str):
        """Read the equation as a sum of such products; see :func:`~sinklab.equations.forms.additive_terms`."""
        from sinklab.equations.forms import additive_terms

        return additive_terms(self._line(response).right, set(self.parameters))

    @cached_property
    def _compiled(self):
        return {}

    def compiled(self, responses: Iterable[str] | None = None) -> Compiled:
        """Numpy functions of chosen responses (all by default), made once; see :class:`Compiled`.

        Raises
        ------
        EquationError
            If a parameter varies by group: such systems need a method that estimates group effects.
        """
        wanted = self.responses if responses is None else tuple(responses)
        if self.groups:
            shown = ", ".join(f"{name}[{group}]" for name, group in self.groups.items())
            raise EquationError(
                tr(
                    f"{shown}: parameters that vary by group need a method for grouped parameters; "
                    "this computation does not know them yet. Write them without the brackets, or fit each group apart.",
                    f"{shown}：按组变化的参数需要分组参数的方法，此处尚不支持。请去掉方括号，或各组分别拟合。",
                )
            )
        if wanted not in self._compiled:
            for response in wanted:
                self._line(response)
            self._compiled[wanted] = Compiled(self.equations, wanted, self.parameters)
        return self._compiled[wanted]

    def mean(self, values, data) -> dict[str, np.ndarray]:
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

    def jacobian(self, values, data) -> dict[str, np.ndarray]:
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
                tr("derivatives need one parameter vector, found draws.", "求导需要一组参数，而不是抽样。")
            )
        out = self.compiled().at(*column_arrays(data, self.predictors)).jacobian(theta)
        return {response: out[:, i, :] for i, response in enumerate(self.responses)}


def _restore(text, predictors, bound):
    equations, source = read(text)
    return System(equations, tuple(predictors), bound, source)
