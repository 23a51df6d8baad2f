"""The command line: commands and options as rows, a chapter for each kind of command, one place for errors.

``commands.csv`` names each command and the function that carries it out; ``options.csv`` holds every
option with its kind, default and help in both languages. A row may serve several commands (``;`` between).
Exit codes: 0 done; 1 done, but something failed or was found wrong; 2 the input cannot be used;
130 interrupted.
"""

import argparse
import csv
import os
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path

from sinklab import __version__
from sinklab.language import SinklabError, reader_language, tr

KINDS = {"text": str, "append": str, "number": float, "integer": int}


def rows(name: str) -> list[dict[str, str]]:
    """Rows of ``commands.csv`` or ``options.csv``."""
    with (Path(__file__).parent / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def build_parser() -> argparse.ArgumentParser:
    """Parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="sinklab",
        description=tr(
            "The workbench in which regional carbon-sink parameters are made.",
            "区域碳汇参数研制工作台。",
        ),
    )
    parser.add_argument("--version", action="version", version=f"sinklab {__version__}")
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
    groups = {}
    for row in rows("options"):
        for command in row["commands"].split("; "):
            place, title = parsers[command], tr(row["group_en"], row["group_zh"])
            if title and (command, title) not in groups:
                groups[command, title] = place.add_argument_group(title)
            elif row["exclusive"] and (command, "exclusive") not in groups:
                groups[command, "exclusive"] = place.add_mutually_exclusive_group()
            _add(groups.get((command, title or row["exclusive"] and "exclusive"), place), row)
    return parser


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
    if row["choices"]:
        told["choices"] = tuple(row["choices"].split("|"))
    told |= {key: row[cell] for key, cell in (("metavar", "metavar"), ("nargs", "many")) if row[cell]}
    if row["required"]:
        told["required"] = True
    if kind == "append":
        told["action"] = "append"
    if row["many"] == "?" and names[0].startswith("-"):
        told["const"] = ""  # the option alone, without a value
    if default == "reader":
        told["default"] = reader_language()
    elif default and default != "unset":
        told["default"] = told["type"](default.replace('""', ""))
    elif default != "unset" and not row["required"] and (kind == "append" or row["many"] == "+"):
        told["default"] = []
    place.add_argument(*names, **told)


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
    arguments = build_parser().parse_args(argv)
    try:
        return arguments.func(arguments)
    except SinklabError as error:
        print(f"sinklab: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(tr("sinklab: interrupted", "sinklab：已中断"), file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of a pipe has gone; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
