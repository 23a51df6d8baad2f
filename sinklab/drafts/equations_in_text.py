"""Equations of a draft and the explanation of their symbols."""

from sinklab import vocabulary
from sinklab.drafts import markdown, words
from sinklab.equations.render import parameter_symbol
from sinklab.equations.tree import names
from sinklab.errors import DraftError
from sinklab.language import tr


def inside(equation) -> list[str]:
    """Names on the right side of an equation, in order."""
    return list(dict.fromkeys(name.name for name in names(equation.right)))


def line(system, response, ref: str):
    """Position of the equation of a response.

    Raises
    ------
    DraftError
        The table ``ref`` has none; the message lists those it has.
    """
    for position, equation in enumerate(system.equations):
        if equation.response == response:
            return position
    raise DraftError(
        tr(
            f"{ref}: no equation for {response!r}; there are: {', '.join(system.responses)}",
            f"{ref}：没有 {response!r} 的方程；现有：{'、'.join(system.responses)}",
        )
    )


def parameter_owner(system, name: str) -> str:
    """Response of the first equation in which a parameter stands."""
    return next(e.response for e in system.equations if name in inside(e))


def numbered(system, alias: str, response: str, ref: str, lang: str) -> str:
    """One equation with its identifier ``eq:alias-response``."""
    text = system.latex(lang)[line(system, response, ref)]
    return f"\n$${text}$$ {{#eq:{markdown.identifier(alias, response)}}}\n"


def legend(system, responses, skip, parameters: str | None, lang: str) -> str:
    """Explain the symbols of some equations, parameters last.

    Parameters
    ----------
    system : System
    responses : sequence of str
    skip : sequence of str
        Variables that were explained before.
    parameters : str or None
        Identifier of the table that gives the parameters; without it they are not explained.
    lang : "zh" or "en"
    """
    wanted, letters = [], []
    for equation in system.equations:
        if equation.response in responses:
            here = inside(equation)
            wanted += [equation.response, *(n for n in here if n not in system.parameters)]
            letters += [n for n in here if n in system.parameters]
    # Two variables may share a symbol and its explanation, as roots and belowground parts do.
    lines = list(dict.fromkeys(_explained(n, lang) for n in dict.fromkeys(wanted) if n not in skip))
    if parameters and letters:
        symbols = [f"${parameter_symbol(n)}$" for n in dict.fromkeys(letters)]
        joined = words.listed(symbols, lang)
        said = "——模型参数，取值见" if lang == "zh" else " are parameters of the models, given in "
        lines.append(f"{joined}{said}[@tbl:{parameters}]")
    first, stop, end = ("式中：", "；", "。") if lang == "zh" else ("where", ";", ".")
    body = "\n\n".join([first, *(f"{text}{stop}" for text in lines[:-1]), f"{lines[-1]}{end}"])
    return f"\n::: legend\n{body}\n:::\n"


def _explained(name: str, lang: str) -> str:
    known = vocabulary.variable(name)
    unit = words.unit_words(known.unit, lang)
    if lang == "zh":
        return f"${known.latex}$——{known.label_zh}，{unit}"
    return f"${known.latex}$ is the {known.label_en}, {unit}"
