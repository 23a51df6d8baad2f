"""What the names of a system are: predictors, earlier left sides, parameters, groups; and slips."""

from collections.abc import Iterable

from sinklab.data import vocabulary
from sinklab.equations.tree import Equation, names
from sinklab.language import EquationError, listing, tr


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
    if name.group and name.group not in present:
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
