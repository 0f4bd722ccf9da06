"""The command `charrnn`: its commands, and the one place where errors become a line and an exit status."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from charrnn import __version__
from charrnn.cli.compare import compare
from charrnn.cli.data import data
from charrnn.cli.ngram import ngram
from charrnn.cli.options import configured
from charrnn.cli.sample import sample
from charrnn.cli.train import train
from charrnn.errors import CharRNNError

INTERRUPTED = 130


def make_app() -> typer.Typer:
    """The commands, in the order in which a newcomer meets them."""
    app = typer.Typer(
        name="charrnn",
        help="Learn to write text one character at a time, with recurrent networks and n-grams, and measure both.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for command in (train, sample, ngram, compare, data):
        app.command()(configured(command))
    return app


def main() -> None:
    """Run the command line. A user's mistake is one line on stderr; a traceback is a bug."""
    try:
        status = make_app()(standalone_mode=False)
    except CharRNNError as error:
        status = _fail(str(error), error.exit_status)
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`charrnn sample | head`), and the interpreter would flush once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer's own errors have it, whichever library they come from
            raise
        status = _fail(f"{error.format_message()} Try `{_command_path(error)} --help`.", 2)
    sys.exit(status or 0)


def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def _command_path(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return str(context.command_path) if context else "charrnn"


def _fail(message: str, status: int) -> int:
    from charrnn.cli.terminal import visible

    print("charrnn:", visible(message, line_end=" "), file=sys.stderr)
    return status
