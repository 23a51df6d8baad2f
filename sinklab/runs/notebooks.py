"""What a batch must know of a notebook before a kernel starts: its code and its parameters."""

import ast
import json
import re
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sinklab.language import RunError, tr

#: Types that a parameter may be declared with.
TYPES = {"str": str, "int": int, "float": float, "bool": bool, "dict": dict, "list": list, "None": type(None)}


@dataclass(frozen=True)
class Parameter:
    """One name of the cell tagged ``parameters``.

    ``kinds`` names the accepted types (none: anything goes); a parameter without a default, or with
    ``...`` as default, is required.
    """

    name: str
    kinds: tuple[str, ...]
    required: bool


class NotebookFile:
    """A notebook as text: its code cells and its tagged parameters.

    Raises
    ------
    RunError
        The file is missing, is not a notebook, or its parameters cell cannot be read.
    """

    def __init__(self, path: Path):
        self.path = path
        if not path.is_file():
            raise RunError(f"{path}: no such notebook", f"{path}：找不到该笔记本")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
            tagged = [c for c in cells if "parameters" in c.get("metadata", {}).get("tags", ())]
            spec = content.get("metadata", {}).get("kernelspec", {})
            self.language = str(spec.get("language") or "python")
            self.code = tuple("".join(cell["source"]) for cell in cells)
            found = ["".join(cell["source"]) for cell in tagged]
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{path}: not a Jupyter notebook of format 4 ({error!r})",
                f"{path}：不是 Jupyter 第 4 版格式的笔记本（{error!r}）",
            ) from error
        if len(found) > 1:
            raise RunError(
                f"{path}: {len(found)} cells are tagged 'parameters'; expected at most one",
                f"{path}：有 {len(found)} 个单元格带 parameters 标签；最多一个",
            )
        if self.language.lower() != "python":
            name = spec.get("name")
            raise RunError(
                f"{path}: written for the kernel {name!r} ({self.language}), which is not one of this "
                "environment; jobs are executed by its Python",
                f"{path}：所用内核 {name!r}（{self.language}）不在此环境中；作业由本环境的 Python 执行",
            )
        if find_spec("ipykernel") is None:
            raise RunError(
                f"{path}: no Python kernel is installed here (package ipykernel); run: python run.py setup",
                f"{path}：此环境没有 Python 内核（ipykernel 包）；请执行：python run.py setup",
            )
        self.parameters = _declared(found[0], path) if found else {}

    def check(self, values: dict[str, Any]) -> list[tuple[str | None, str]]:
        """Compare parameter values with what the notebook declares.

        Returns
        -------
        problems : list of (name or None, message)
            Unknown and missing names, and values of another type.
        """
        problems = []
        for name, value in values.items():
            if name not in self.parameters:
                problems.append((name, self._unknown(name)))
            elif not accepts(self.parameters[name].kinds, value):
                problems.append((name, _wrong_type(self.parameters[name], value)))
        for name, parameter in self.parameters.items():
            if parameter.required and name not in values:
                text = tr(
                    f"parameter {name!r} of {self.path.name} is missing",
                    f"缺少 {self.path.name} 的参数 {name!r}",
                )
                problems.append((None, text))
        return problems

    def plain(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values with whole numbers as floats where the notebook asks for floats only."""
        found = dict(values)
        for name, value in values.items():
            kinds = self.parameters[name].kinds if name in self.parameters else ()
            if type(value) is int and "float" in kinds and "int" not in kinds:
                found[name] = float(value)
        return found

    def _unknown(self, name: str) -> str:
        near = get_close_matches(name, self.parameters, n=1)
        known = ", ".join(self.parameters) or "–"
        hint = tr(f"did you mean {near[0]!r}?", f"是否为 {near[0]!r}？") if near else ""
        return tr(
            f"parameter {name!r} is not known to {self.path.name}; {hint or 'it knows: ' + known}",
            f"{self.path.name} 没有参数 {name!r}；{hint or '已有：' + known}",
        )


def accepts(kinds, value) -> bool:
    """Whether a value has one of the types; a whole number passes as ``float``, a boolean never as a number."""
    if not kinds:
        return True
    if isinstance(value, bool):
        return "bool" in kinds
    if isinstance(value, int) and "float" in kinds:
        return True
    return isinstance(value, tuple(TYPES[kind] for kind in kinds))


def _wrong_type(parameter: Parameter, value) -> str:
    expected, found = " | ".join(parameter.kinds), type(value).__name__
    hint = ""
    if "str" in parameter.kinds:
        hint = tr("; put it in quotes", "；请加引号")
    elif (
        "float" in parameter.kinds and isinstance(value, str) and re.fullmatch(r"[-+]?\d+[eE][-+]?\d+", value)
    ):
        hint = tr("; YAML wants a decimal point: 1.0e-3", "；YAML 要求小数点：1.0e-3")
    return tr(
        f"parameter {parameter.name!r} = {value!r} is {found}; expected {expected}{hint}",
        f"参数 {parameter.name!r} = {value!r} 的类型为 {found}；应为 {expected}{hint}",
    )


def _declared(source: str, path: Path) -> dict[str, Parameter]:
    """Names, types and need of the assignments in a parameters cell."""
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise RunError(
            f"{path}: the parameters cell is not Python (its line {error.lineno}: {error.msg})",
            f"{path}：参数单元格不是合法的 Python（其第 {error.lineno} 行：{error.msg}）",
        ) from error
    found = {}
    for statement in body:
        if isinstance(statement, ast.Assign):
            targets, kinds = statement.targets, ()
        elif isinstance(statement, ast.AnnAssign):
            targets, kinds = [statement.target], _annotated(statement.annotation)
        else:
            continue
        value = statement.value
        required = value is None or (isinstance(value, ast.Constant) and value.value is Ellipsis)
        if isinstance(statement, ast.Assign) and not required:
            kinds = _kind_of_default(value)
        for target in targets:
            if isinstance(target, ast.Name):
                found[target.id] = Parameter(target.id, kinds, required)
    return found


def _annotated(node) -> tuple[str, ...]:
    """Types of a plain annotation: ``str | None`` gives both, ``dict[str, float]`` ``dict``; none of another one."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        left, right = _annotated(node.left), _annotated(node.right)
        return left + right if left and right else ()
    if isinstance(node, ast.Subscript):
        return _annotated(node.value)
    name = ast.unparse(node)
    return (name,) if name in TYPES else ()


def _kind_of_default(node) -> tuple[str, ...]:
    """Type that a default stands for; none when it is not known, or None."""
    try:
        name = type(ast.literal_eval(node)).__name__
    except ValueError:
        return ()
    return (name,) if name in TYPES and name != "NoneType" else ()
