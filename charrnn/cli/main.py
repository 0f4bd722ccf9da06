"""The command `charrnn`: all its commands, and the one place where errors become a line and an exit status."""

from __future__ import annotations

import errno
import functools
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Annotated, Any

import typer

from charrnn import __version__
from charrnn.cli.compare.command import compare
from charrnn.cli.complete.command import complete
from charrnn.cli.data.command import make_data_app
from charrnn.cli.export import export
from charrnn.cli.inspect.command import inspect as inspect_checkpoint
from charrnn.cli.lab import lab
from charrnn.cli.ngram import ngram
from charrnn.cli.sample.command import sample
from charrnn.cli.score.command import score
from charrnn.cli.serve import serve
from charrnn.cli.shared import interrupts
from charrnn.cli.shared.config_options import expand_configs
from charrnn.cli.shared.help import EXIT_STATUS, help_epilog
from charrnn.cli.shared.options import COMPLETE_VARIABLE
from charrnn.cli.shared.streams import discard_stdout, lossy_stderr, open_closed_streams
from charrnn.cli.shared.usage import usage_message
from charrnn.cli.train.command import train
from charrnn.cli.view import view
from charrnn.errors import CharRNNError, is_out_of_memory
from charrnn.torchrun import exit_process, is_rank_zero, world_size

INTRO = """\
charrnn trains, samples and compares character-level language models.

Start here:

    charrnn train shakespeare.txt --minutes 3   # fetch the text, train a model
    charrnn sample                              # generate text with the model
    charrnn compare                             # compare it with n-grams

Instead of shakespeare.txt (Shakespeare's plays), use any text file of your own.
`charrnn --help` lists all commands.
"""
"""The output of `charrnn` without arguments."""
MARKUP = re.compile(r"(\[[a-zA-Z#/@])")
"""Square brackets in help texts that typer would interpret as markup and not print."""
LINE_BREAK = re.compile(r"(?<!\n)\n(?!\n)")
"""Line breaks within the paragraphs of docstrings, which typer would keep."""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""errno values that mean the disk, or the user's quota, is full."""


def make_app() -> typer.Typer:
    """Return the app, with its commands in the order in which a newcomer needs them."""
    app = typer.Typer(
        name="charrnn",
        help="Train, sample and compare character-level language models (RNNs and n-grams).",
        invoke_without_command=True,
        epilog=help_epilog("") + EXIT_STATUS,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for command in (train, sample, complete, ngram, score, inspect_checkpoint, compare, view, export, serve, lab):
        app.command(epilog=help_epilog(command.__name__))(expand_configs(command))
    app.add_typer(make_data_app(), name="data", epilog=help_epilog("data"))
    return app


@functools.cache
def make_command() -> Any:
    """Return the app as a click command, made once: making it takes half as long as opening a small model."""
    command = typer.main.get_command(make_app())
    for subcommand in _with_sub_commands(command):
        subcommand.collect_usage_pieces = _without_braces(subcommand.collect_usage_pieces)
        subcommand.get_params = _without_types(subcommand.get_params)
        subcommand.help = LINE_BREAK.sub(" ", inspect.cleandoc(subcommand.help or ""))
        for parameter in subcommand.params:
            if getattr(parameter, "help", None):
                parameter.help = MARKUP.sub(r"\\\1", parameter.help)
    return command


def _without_braces(usage_pieces: Callable[[Any], list[str]]) -> Callable[[Any], list[str]]:
    """Wrap a command's method that makes the usage line, to remove typer's braces around required arguments."""
    return lambda context: [piece.replace("{", "").replace("}", "") for piece in usage_pieces(context)]


def _without_types(get_params: Callable[[Any], list[Any]]) -> Callable[[Any], list[Any]]:
    """Wrap a command's method that lists its parameters, so that `--help` shows no type of flags and arguments."""

    def wrapper(context: Any) -> list[Any]:
        parameters = get_params(context)
        for parameter in parameters:
            if parameter.param_type_name == "argument" or parameter.is_flag:
                parameter.display_type_rich = lambda ctx: ""
        return parameters

    return wrapper


def _with_sub_commands(command: Any) -> Iterator[Any]:
    """Yield a command and all its sub-commands."""
    yield command
    for sub_command in getattr(command, "commands", {}).values():
        yield from _with_sub_commands(sub_command)


def main() -> None:
    """Run the command line. A user's mistake gives one line on stderr; a traceback means a bug."""
    interrupts.install()
    open_closed_streams()
    _ignore_invalid_screen_size()
    if COMPLETE_VARIABLE in os.environ:
        make_app()(prog_name="charrnn")  # prints the completions, and exits
    with lossy_stderr():
        status = _run()
    exit_process(status)


def _run() -> int:
    """Run the command and return the exit status."""
    try:
        # `make_app()()` would use other exit statuses after Ctrl-C and for a closed pipe.
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
        # The reader has exited (`charrnn sample | head`), which is not an error.
        discard_stdout()
        status = 0
    except OSError as error:
        discard_stdout()
        is_about_file = error.filename is not None and error.errno not in DISK_FULL
        advice = "use another file" if is_about_file else "free some disk space, or write to another disk"
        status = _fail(error, f"{error.filename or 'the output'}: {error.strerror}; {advice}", 1)
    except Exception as error:
        if hasattr(error, "format_message"):  # typer's own errors have it, whichever library they come from
            status = _fail(error, usage_message(error), 2)
        elif is_out_of_memory(error):
            smaller = "reduce --hidden, --layers, --batch-size, --seq-length or --order"
            many = "use --bytes if the text has many different characters"
            status = _fail(error, f"out of memory; {smaller}, or {many}", 1)
        elif world_size() > 1 and _distributed().is_peer_error(error):
            status = _fail(error, "another process of this run has exited; see its error message", 1)
        else:
            raise
    return status


def _ignore_invalid_screen_size() -> None:
    """Unset COLUMNS and LINES unless they are positive numbers: some CI systems set them to 0."""
    for name in ("COLUMNS", "LINES"):
        value = os.environ.get(name)
        if value is not None and not (value.isdecimal() and int(value)):
            del os.environ[name]


def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(INTRO, end="")
        raise typer.Exit(2)


def _show_notice() -> None:
    """Print what makes charrnn slower than it could be on this machine, at the end of a command."""
    build = sys.modules.get("charrnn.models.kernels.build")
    for message in build.notices() if build and is_rank_zero() else ():
        print("charrnn: note:", message, file=sys.stderr)


def _fail(error: Exception, message: str, status: int) -> int:
    """Print an error as one line, unless another process of torchrun prints it; return the exit status."""
    from charrnn.cli.shared.terminal import escape_control_chars

    if is_rank_zero() or _distributed().should_report(error):
        process = "" if is_rank_zero() else f" (process {os.environ['RANK']})"
        print(f"charrnn{process}:", escape_control_chars(message, line_end=" "), file=sys.stderr)
    return status


def _distributed() -> ModuleType:
    """Import the module about groups of processes, which loads PyTorch."""
    from charrnn.training import distributed

    return distributed
