"""From template and tables to the Markdown of a draft, inside a sandbox."""

from sinklab import paths
from sinklab.drafts.desk import Desk
from sinklab.errors import DraftError, SinklabError
from sinklab.language import tr


def environment(through=lambda loader: loader):
    """Jinja environment whose templates reach text and the functions of the desk, and nothing else.

    ``through`` makes the loader that is used from the one that reads ``reports/templates``.
    """
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        loader=through(FileSystemLoader(paths.reports("templates"), encoding="utf-8")),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # "{#" begins an identifier of Markdown, {#sec:scope}.
        comment_start_string="{##",
        comment_end_string="##}",
    )


def write(desk: Desk, template: str, lang: str, draft: dict, through=lambda loader: loader) -> str:
    """Fill in a template.

    Parameters
    ----------
    desk : Desk
    template : str
        Folder of ``reports/templates``.
    lang : "zh" or "en"
    draft : dict
        Description in that language; the template reads it as ``draft``.
    through : function, optional
        See :func:`environment`.

    Returns
    -------
    text : str
        Markdown.

    Raises
    ------
    DraftError
        With the line of the template: an unknown name, a syntax error, an attempt to leave the sandbox.
    """
    from jinja2 import TemplateError, TemplateNotFound

    name = f"{template}/{lang}.md"
    try:
        return environment(through).get_template(name).render(desk.names() | {"draft": draft, "lang": lang})
    except TemplateNotFound as error:
        raise DraftError(
            tr(f"reports/templates has no {error.name}", f"reports/templates 中没有 {error.name}")
        ) from error
    except TemplateError as error:
        raise DraftError(f"{_place(error, name)}: {error.message or error}") from error
    except SinklabError as error:
        raise DraftError(f"{_place(error, name)}: {error}") from error
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        # A function of the desk was called with what it does not know.
        raise DraftError(f"{_place(error, name)}: {type(error).__name__}: {error}") from error


def _place(error, name: str) -> str:
    """Template and line in which something went wrong."""
    found = name, getattr(error, "lineno", None)
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename.replace("\\", "/")
        if "/templates/" in file and file.endswith(".md"):
            found = file.partition("/templates/")[2], trace.tb_lineno
        trace = trace.tb_next
    path, line = found
    return f"reports/templates/{path}" + (f", {tr('line', '第')} {line}{tr('', ' 行')}" if line else "")
