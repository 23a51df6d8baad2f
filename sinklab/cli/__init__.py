"""The command line: commands and options as rows, a chapter for each kind of command, one place for errors.

``commands.csv`` names each command and the function that carries it out; ``options.csv`` holds every
option with its kind, default and help in both languages. A row may serve several commands (``;`` between).
``phrases.csv`` holds what the parser of Python itself says, and the words that stand for values; ``examples.csv`` the
lines that help shows, which a test gives to the parser.
The choices of a word stand between bars, those of a number are its limits: ``(0,1]`` without the 0, with the 1.
Exit codes: 0 done; 1 done, but something failed or was found wrong; 2 the input cannot be used;
70 a fault of the program; 130 interrupted. Whatever goes wrong ends in one message; what Python had to say of a
fault that is not the input's goes into a file that the message names.
"""

import argparse
import csv
import math
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from sinklab import __version__
from sinklab.language import DataError, SinklabError, reader_language, tr, typed, wrap
from sinklab.language import width as columns_of

#: Kinds of options; numbers are read by :func:`_number`, when it is known what they are for.
KINDS = {"text": str, "append": str, "number": str, "integer": str}


@lru_cache(maxsize=4)
def rows(name: str) -> list[dict[str, str]]:
    """Rows of ``commands.csv``, ``options.csv``, ``examples.csv`` or ``phrases.csv``."""
    with (Path(__file__).parent / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@contextmanager
def phrases():
    """Have Python's parser speak the reader's language."""
    zh = {row["en"]: row["zh"] for row in rows("phrases")} if reader_language() == "zh" else {}
    before = argparse._, argparse.ngettext
    argparse._ = lambda text: zh.get(text, text)
    argparse.ngettext = lambda one, many, n: zh.get(many) or before[1](one, many, n)
    try:
        yield
    finally:
        argparse._, argparse.ngettext = before


class _Help(argparse.HelpFormatter):
    """Examples keep their lines, and a value is named in the reader's language."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else "\n".join(indent + line for line in wrap(text, width - len(indent)))

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrap(text, width)

    def _format_usage(self, *arguments, **words) -> str:
        """Lines that Chinese values do not make wider than the others."""
        full, told = self._width, super()._format_usage(*arguments, **words)
        while max(map(columns_of, told.splitlines())) > full and self._width > full / 2:
            self._width -= 2
            told = super()._format_usage(*arguments, **words)
        self._width = full
        return told

    def _format_action(self, action: argparse.Action) -> str:
        """Chinese letters take two columns, so what stands beside them starts as many columns earlier."""
        told, head = super()._format_action(action), self._format_action_invocation(action)
        wider = columns_of(head) - len(head)
        before, found, after = told.partition(head)
        help_of, gap = after.lstrip(" "), len(after) - len(after.lstrip(" "))
        if not (wider and found) or after.startswith("\n"):
            return told
        at = len(before.rpartition("\n")[2]) + len(head) + gap
        space = " " * (gap - wider) if gap - wider > 1 else "\n" + " " * at
        return before + head + space + help_of


class _Parser(argparse.ArgumentParser):
    def __init__(self, **words):
        super().__init__(formatter_class=_Help, **words)

    def error(self, message: str) -> NoReturn:
        """What cannot be understood ends as any other wrong input does."""
        raise DataError(f"{message}; see {self.prog} --help", f"{message}；用法见 {self.prog} --help")


def build_parser() -> argparse.ArgumentParser:
    """Parser of all commands."""
    parser = _Parser(
        prog=typed(),
        description=tr(
            "The workbench in which regional carbon-sink parameters are made.",
            "区域碳汇参数研制工作台。",
        ),
    )
    told = tr("show the version and exit", "显示版本号并退出")
    parser.add_argument("--version", action="version", version=f"sinklab {__version__}", help=told)
    parsers = {"": parser}
    within = {"": parser.add_subparsers(dest="command", metavar=tr("COMMAND", "命令"), required=True)}
    for row in rows("commands"):
        group, _, name = row["command"].rpartition(" ")
        words = {"help": tr(row["help_en"], row["help_zh"])}
        if row["about_en"]:
            words["description"] = tr(row["about_en"], row["about_zh"])
        parsers[row["command"]] = own = within[group].add_parser(name, **words)
        if row["handler"]:
            own.set_defaults(func=partial(_carry_out, row["handler"]))
        else:
            within[row["command"]] = own.add_subparsers(
                dest="action", metavar=tr("ACTION", "操作"), required=True
            )
    for command, own in parsers.items():
        own.epilog = _examples(command)
    groups, numbers = {}, {}
    words = {row["en"]: row["zh"] for row in rows("phrases")} if reader_language() == "zh" else {}
    for row in rows("options"):
        row = row | {
            "metavar": re.sub("[A-Z_]+", lambda found: words.get(found[0], found[0]), row["metavar"])
        }
        for command in row["commands"].split("; "):
            if row["kind"] in ("number", "integer"):
                numbers.setdefault(command, []).append(row)
                parsers[command].set_defaults(numbers=numbers[command])
            place, title = parsers[command], tr(row["group_en"], row["group_zh"])
            if title and (command, title) not in groups:
                groups[command, title] = place.add_argument_group(title)
            elif row["exclusive"] and (command, "exclusive") not in groups:
                groups[command, "exclusive"] = place.add_mutually_exclusive_group()
            _add(groups.get((command, title or row["exclusive"] and "exclusive"), place), row)
    return parser


def examples(command: str) -> list[tuple[str, str]]:
    """Example lines of a command, and what each does, in the reader's language; a group shows those of its actions."""
    code = reader_language()
    found = [row for row in rows("examples") if row["command"] == command]
    if not found:
        under = {row["command"]: row for row in reversed(rows("examples"))}
        found = [row for name, row in under.items() if name.startswith(command and f"{command} ")][::-1]
    return [(row[f"line_{code}"], row[f"does_{code}"]) for row in found]


def _examples(command: str) -> str:
    """End of a help text: what a reader may type."""
    lines = [tr("examples:", "例：")]
    for line, does in examples(command):
        lines += [f"  {typed()} {line}", f"      {does}"]
    if not command and typed() != "sinklab":
        more = (
            ("test", tr("the quick tests", "运行测试")),
            ("setup", tr("the environment only", "只建立运行环境")),
        )
        lines += [part for line, does in more for part in (f"  {typed()} {line}", f"      {does}")]
    return "\n".join(lines)


def _add(place, row: dict[str, str]) -> None:
    """Add one option to a parser or a group of one."""
    kind, default = row["kind"], row["default"]
    told = {"help": tr(row["help_en"], row["help_zh"]) or None}
    names = row["option"].split()
    if row["name"]:
        told["dest"] = row["name"]
    if kind in ("yes", "no"):
        told["action"] = f"store_{'true' if kind == 'yes' else 'false'}"
        if default:
            told["default"] = None if default == "unset" else default == "True"
        place.add_argument(*names, **told)
        return
    told["type"] = KINDS[kind]
    if row["choices"] and kind in ("text", "append"):
        told["choices"] = tuple(row["choices"].split("|"))
    told |= {key: row[cell] for key, cell in (("metavar", "metavar"), ("nargs", "many")) if row[cell]}
    if row["required"]:
        told["required"] = True
    if kind == "append":
        told["action"] = "append"
    elif row["many"] == "+" and names[0].startswith("-"):
        told["action"] = "extend"  # said twice, it names both
    if row["many"] == "?" and names[0].startswith("-"):
        told["const"] = ""  # the option alone, without a value
    if default == "reader":
        told["default"] = reader_language()
    elif default and default != "unset":
        told["default"] = told["type"](default.replace('""', ""))
    elif default != "unset" and not row["required"] and (kind == "append" or row["many"] == "+"):
        told["default"] = []
    place.add_argument(*names, **told)


def _number(row: dict[str, str], text: str) -> float | int:
    """Number of an option, within its limits.

    Raises
    ------
    DataError
        Something else, or a number beyond the limits.
    """
    whole, limits = row["kind"] == "integer", row["choices"]
    low, high = (float(end) for end in limits[1:-1].split(","))
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        value = math.nan
    above = low <= value if limits[0] == "[" else low < value
    if above and (value <= high if limits[-1] == "]" else value < high):
        return value
    option = row["option"].split()[-1]
    what = ("be a whole number between", "应为整数，介于") if whole else ("lie between", "应介于")
    ends = tr(f"{what[0]} {low:.15g} and {high:.15g}", f"{what[1]} {low:.15g} 与 {high:.15g} 之间")
    open_ends = [f"{end:.15g}" for end, mark in ((low, limits[0]), (high, limits[-1])) if mark in "()"]
    without = (
        tr(f" (without {', '.join(open_ends)})", f"（不含 {'、'.join(open_ends)}）") if open_ends else ""
    )
    raise DataError(
        f"{option} must {ends}{without}, found {text[:40]!r}", f"{option} {ends}{without}，实为 {text[:40]!r}"
    )


def _carry_out(handler: str, arguments: argparse.Namespace) -> int:
    """Load the chapter of a command, and run it."""
    chapter, _, function = handler.partition(":")
    return getattr(import_module(f"sinklab.cli.{chapter}"), function)(arguments) or 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A console in another code page must not stop a report in Chinese.
            stream.reconfigure(errors="replace")
    try:
        with phrases():
            arguments = build_parser().parse_args(argv)
        for row in getattr(arguments, "numbers", ()):
            name = row["name"] or row["option"].split()[-1].lstrip("-").replace("-", "_")
            if getattr(arguments, name) is not None:
                setattr(arguments, name, _number(row, str(getattr(arguments, name))))
        code = arguments.func(arguments)
        sys.stdout.flush()
        return code
    except SinklabError as error:
        return _end(2, str(error))
    except KeyboardInterrupt:
        print(tr("sinklab: interrupted", "sinklab：已中断"), file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of a pipe has gone; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _end(2, f"{place}{error.strerror or error}", error)
    except MemoryError as error:
        return _end(2, tr("more memory is needed than there is", "内存不足"), error)
    except RecursionError as error:
        return _end(2, tr("the input is nested too deeply", "输入嵌套过深"), error)
    except Exception as error:
        said = f"{type(error).__name__}: {error}".rstrip(": ").splitlines()[0][:300]
        return _end(70, tr(f"a fault of the program: {said}", f"程序出错：{said}"), error)


def _end(code: int, message: str, error: BaseException | None = None) -> int:
    """Say in one message why a command ended, and where Python's own account lies; returns the exit code."""
    try:
        sys.stdout.flush()
    except OSError:
        # Such as a full disk; Python would try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error is not None:
        with suppress(OSError):
            handle, place = tempfile.mkstemp(prefix="sinklab-", suffix=".log")
            with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as log:
                log.write(f"sinklab {__version__}, Python {sys.version}\n{sys.argv}\n\n")
                traceback.print_exception(error, file=log)
            message += tr(f" (details: {place})", f"（详情：{place}）")
    with suppress(OSError):
        print(f"sinklab: {message}", file=sys.stderr, flush=True)
    return code
