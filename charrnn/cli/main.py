"""The command `charrnn`: its commands, and the one place where errors become a line and an exit status."""

from __future__ import annotations

import errno
import functools
import os
import re
import sys
from types import ModuleType
from typing import Annotated, Any

import typer

from charrnn import __version__
from charrnn.cli.compare.command import compare
from charrnn.cli.complete import complete
from charrnn.cli.data import data
from charrnn.cli.inspect.command import inspect
from charrnn.cli.lab import lab
from charrnn.cli.ngram import ngram
from charrnn.cli.sample.command import sample
from charrnn.cli.score.command import score
from charrnn.cli.shared import interrupts
from charrnn.cli.shared.examples import STATUS, epilog_of
from charrnn.cli.shared.log import may_be_lost
from charrnn.cli.shared.old_spellings import advice_on
from charrnn.cli.shared.options import configured
from charrnn.cli.shared.shell_completion import COMPLETE
from charrnn.cli.train.command import train
from charrnn.cli.view import view
from charrnn.errors import CharRNNError, is_out_of_memory
from charrnn.torchrun import exit_process, is_rank_zero, world_size

MARKUP = re.compile(r"(\[[a-zA-Z#/@])")
"""What typer takes for markup in help, and does not show."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Of a disk."""


def make_app() -> typer.Typer:
    """The commands, in the order in which a newcomer meets them."""
    app = typer.Typer(
        name="charrnn",
        help="Learn to write text one character at a time, with recurrent networks and n-grams, and measure both.",
        invoke_without_command=True,
        epilog=STATUS,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for command in (train, sample, complete, ngram, score, inspect, compare, view, lab, data):
        app.command(epilog=epilog_of(command.__name__))(configured(command))
    return app


@functools.cache
def make_command() -> Any:
    """The same as one command, made once: that takes half of what opening a small model takes."""
    command = typer.main.get_command(make_app())
    for one in (command, *getattr(command, "commands", {}).values()):
        for parameter in one.params:
            if getattr(parameter, "help", None):
                parameter.help = MARKUP.sub(r"\\\1", parameter.help)
    return command


def main() -> None:
    """Run the command line. A user's mistake is one line on stderr; a traceback is a bug."""
    interrupts.install()
    _open_what_is_closed()
    _forget_bad_sizes()
    if COMPLETE in os.environ:
        make_app()(prog_name="charrnn")  # which answers the shell, and leaves
    with may_be_lost():
        status = _run()
    exit_process(status)


def _run() -> int:
    """Run the command; the exit status."""
    try:
        # Not `make_app()()`, which has exit statuses of its own for Ctrl-C and for a reader that has gone.
        command = make_command()
        with command.make_context("charrnn", sys.argv[1:]) as context:
            command.invoke(context)
        sys.stdout.flush()
        _show_notice()
        status = 0
    except typer.Exit as done:
        status = done.exit_code
    except CharRNNError as error:
        status = _fail(error, str(error), error.exit_status)
    except KeyboardInterrupt:
        print(interrupts.LINE, file=sys.stderr)
        status = interrupts.INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`charrnn sample | head`), and that is no mistake.
        _forget_stdout()
        status = 0
    except OSError as error:
        _forget_stdout()
        is_name = error.filename is not None and error.errno not in FULL
        way_out = "name another file" if is_name else "make room, or write elsewhere"
        status = _fail(error, f"{error.filename or 'the output'}: {error.strerror}; {way_out}", 1)
    except Exception as error:
        if hasattr(error, "format_message"):  # typer's own errors have it, whichever library they come from
            advice = advice_on(error) or f"try `{_command_path(error)} --help`"
            status = _fail(error, f"{error.format_message().rstrip('.')}; {advice}", 2)
        elif is_out_of_memory(error):
            smaller = "--hidden, --layers, --batch-size or --seq-length, or --order"
            many = "--bytes if the text has many different characters"
            status = _fail(error, f"not enough memory; say a smaller {smaller}, or {many}", 1)
        elif world_size() > 1 and _distributed().is_peer_error(error):
            status = _fail(error, "another process of the group has ended; see what it said", 1)
        else:
            raise
    return status


def _open_what_is_closed() -> None:
    """Give a program that was started without standard streams (`charrnn sample >&-`) empty ones."""
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115


def _forget_bad_sizes() -> None:
    """Leave the size of the screen to the terminal where COLUMNS or LINES is none, such as the 0 of some CI systems."""
    for name in ("COLUMNS", "LINES"):
        value = os.environ.get(name)
        if value is not None and not (value.isdecimal() and int(value)):
            del os.environ[name]


def _forget_stdout() -> None:
    """Drop what could not be written: the interpreter would try once more at exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help(), end="")
        raise typer.Exit(2)


def _command_path(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return str(context.command_path) if context else "charrnn"


def _show_notice() -> None:
    """Say what is slower on this machine than it need be, after the command that was asked for."""
    found = sys.modules.get("charrnn.models.kernels.notices")
    for message in found.notices() if found and is_rank_zero() else ():
        print("charrnn: note:", message, file=sys.stderr)


def _fail(error: Exception, message: str, status: int) -> int:
    """Tell what went wrong in a line, unless another process of torchrun does."""
    from charrnn.cli.shared.terminal import visible

    if is_rank_zero() or _distributed().should_report(error):
        which = "" if is_rank_zero() else f" (process {os.environ['RANK']})"
        print(f"charrnn{which}:", visible(message, line_end=" "), file=sys.stderr)
    return status


def _distributed() -> ModuleType:
    """What knows the processes of a group; it loads PyTorch."""
    from charrnn.training import distributed

    return distributed
