"""The command line: a chapter for each kind of command, one place for errors and exit codes.

Exit codes: 0 done; 1 done, but something failed or was found wrong; 2 the input cannot be used;
130 interrupted.
"""

import argparse
import os
import sys
from importlib import import_module

from sinklab import __version__
from sinklab.language import SinklabError, tr

CHAPTERS = ("run", "fit", "stock", "table", "review", "data")


def build_parser() -> argparse.ArgumentParser:
    """Parser of all commands; each chapter adds its commands."""
    parser = argparse.ArgumentParser(
        prog="sinklab",
        description=tr(
            "The workbench in which regional carbon-sink parameters are made.",
            "区域碳汇参数研制工作台。",
        ),
    )
    parser.add_argument("--version", action="version", version=f"sinklab {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar=tr("COMMAND", "命令"), required=True)
    for name in CHAPTERS:
        import_module(f"sinklab.cli.{name}").add_parsers(subparsers)
    return parser


def main(argv=None) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A console in another code page must not stop a report in Chinese.
            stream.reconfigure(errors="replace")
    arguments = build_parser().parse_args(argv)
    try:
        return arguments.func(arguments) or 0
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
