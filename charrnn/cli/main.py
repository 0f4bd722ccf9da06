"""The command `charrnn`: its commands, and the one place where errors become a line and an exit status."""

from __future__ import annotations

import errno
import functools
import os
import re
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Annotated, Any

import typer

from charrnn import __version__
from charrnn.cli.compare.command import compare
from charrnn.cli.complete import complete
from charrnn.cli.data.command import make_data_app
from charrnn.cli.inspect.command import inspect
from charrnn.cli.lab import lab
from charrnn.cli.ngram import ngram
from charrnn.cli.sample.command import sample
from charrnn.cli.score.command import score
from charrnn.cli.shared import interrupts
from charrnn.cli.shared.config_options import expand_configs
from charrnn.cli.shared.help import EXIT_STATUS, advice_on, help_epilog
from charrnn.cli.shared.options import COMPLETE_VARIABLE
from charrnn.cli.shared.streams import discard_stdout, lossy_stderr, open_closed_streams
from charrnn.cli.train.command import train
from charrnn.cli.view import view
from charrnn.errors import CharRNNError, is_out_of_memory
from charrnn.torchrun import exit_process, is_rank_zero, world_size

MARKUP = re.compile(r"(\[[a-zA-Z#/@])")
"""Square brackets in help texts that typer would take for markup and not show."""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""errno values that mean that the disk, or a quota on it, is full."""


def make_app() -> typer.Typer:
    """The commands, in the order in which a newcomer meets them."""
    app = typer.Typer(
        name="charrnn",
        help="Learn to write text one character at a time, with recurrent networks and n-grams, and measure both.",
        invoke_without_command=True,
        epilog=EXIT_STATUS,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for command in (train, sample, complete, ngram, score, inspect, compare, view, lab):
        app.command(epilog=help_epilog(command.__name__))(expand_configs(command))
    app.add_typer(make_data_app(), name="data", epilog=help_epilog("data"))
    return app


@functools.cache
def make_command() -> Any:
    """The app as a click command, made once: that takes half as long as opening a small model."""
    command = typer.main.get_command(make_app())
    for each in _with_sub_commands(command):
        each.collect_usage_pieces = _without_braces(each.collect_usage_pieces)
        for parameter in each.params:
            if getattr(parameter, "help", None):
                parameter.help = MARKUP.sub(r"\\\1", parameter.help)
    return command


def _without_braces(usage_pieces: Callable[[Any], list[str]]) -> Callable[[Any], list[str]]:
    """The words of a usage line, without typer's braces around required arguments."""
    return lambda context: [piece.replace("{", "").replace("}", "") for piece in usage_pieces(context)]


def _with_sub_commands(command: Any) -> Iterator[Any]:
    """A command and all below it."""
    yield command
    for sub_command in getattr(command, "commands", {}).values():
        yield from _with_sub_commands(sub_command)


def main() -> None:
    """Run the command line. A user's mistake is one line on stderr; a traceback is a bug."""
    interrupts.install()
    open_closed_streams()
    _ignore_invalid_screen_size()
    if COMPLETE_VARIABLE in os.environ:
        make_app()(prog_name="charrnn")  # answers the shell, and exits
    with lossy_stderr():
        status = _run()
    exit_process(status)


def _run() -> int:
    """Run the command; the exit status."""
    try:
        # Not `make_app()()`, which has exit statuses of its own for Ctrl-C and for a closed pipe.
        command = make_command()
        with command.make_context("charrnn", sys.argv[1:]) as context:
            command.invoke(context)
        sys.stdout.flush()
        _show_notice()
        status = 0
    except typer.Exit as error:
        status = error.exit_code
    except CharRNNError as error:
        status = _fail(error, str(error), error.exit_status)
    except KeyboardInterrupt:
        print(interrupts.LINE, file=sys.stderr)
        status = interrupts.INTERRUPTED
    except BrokenPipeError:
        # The reader is gone (`charrnn sample | head`), which is not an error.
        discard_stdout()
        status = 0
    except OSError as error:
        discard_stdout()
        is_about_file = error.filename is not None and error.errno not in DISK_FULL
        advice = "name another file" if is_about_file else "make room, or write elsewhere"
        status = _fail(error, f"{error.filename or 'the output'}: {error.strerror}; {advice}", 1)
    except Exception as error:
        if hasattr(error, "format_message"):  # typer's own errors have it, whichever library they come from
            replacement = advice_on(error)
            # `format_message` adds options that are spelled alike, which is no help with those that are gone.
            message = getattr(error, "message", "") if replacement else error.format_message()
            status = _fail(error, f"{message.rstrip('.')}; {replacement or f'try `{_command_path(error)} --help`'}", 2)
        elif is_out_of_memory(error):
            smaller = "--hidden, --layers, --batch-size or --seq-length, or --order"
            many = "--bytes if the text has many different characters"
            status = _fail(error, f"not enough memory; say a smaller {smaller}, or {many}", 1)
        elif world_size() > 1 and _distributed().is_peer_error(error):
            status = _fail(error, "another process of the group has ended; see what it said", 1)
        else:
            raise
    return status


def _ignore_invalid_screen_size() -> None:
    """Unset COLUMNS and LINES where they are not positive numbers: some CI systems set them to 0."""
    for name in ("COLUMNS", "LINES"):
        value = os.environ.get(name)
        if value is not None and not (value.isdecimal() and int(value)):
            del os.environ[name]


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
    found = sys.modules.get("charrnn.models.kernels.build")
    for message in found.notices() if found and is_rank_zero() else ():
        print("charrnn: note:", message, file=sys.stderr)


def _fail(error: Exception, message: str, status: int) -> int:
    """Print an error as one line, unless another process of torchrun does; returns the exit status."""
    from charrnn.cli.shared.terminal import escape_control_chars

    if is_rank_zero() or _distributed().should_report(error):
        which = "" if is_rank_zero() else f" (process {os.environ['RANK']})"
        print(f"charrnn{which}:", escape_control_chars(message, line_end=" "), file=sys.stderr)
    return status


def _distributed() -> ModuleType:
    """What knows the processes of a group; it loads PyTorch."""
    from charrnn.training import distributed

    return distributed
