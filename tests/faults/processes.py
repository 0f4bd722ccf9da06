"""Processes for tests, forked from one that has already loaded PyTorch: the command line, or any function."""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TextIO

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "charrnn.cli.main",
        "charrnn.cli.train.console",
        "charrnn.cli.train.restart",
        "charrnn.cli.train.session",
        "charrnn.models.ngram.smoothing.discounts",
        "charrnn.text.datasets",
        "charrnn.training.ensemble",
        "numpy.ma",
        "pytest",
        "torch._dynamo",
        "typer._adapters",
    ]
)
"""Modules that training imports at its first step or for some options, and modules of tests. Importing them in each
process would take longer than the training itself. PyTorch's optimizers import `torch._dynamo`. Modules that no longer
exist are skipped."""
LONGEST = 60.0
"""The time limit for commands on a terminal, in seconds; a command that waits for more input would never end."""


def start(
    folder: Path,
    *words: object,
    rank: int = 0,
    size: int = 1,
    port: int = 0,
    temporary: Path | None = None,
    restarts: int = 0,
    out: Path | None = None,
    err: Path | None = None,
    ignored: Sequence[int] = (),
    **environment: str,
) -> BaseProcess:
    """Start `charrnn` with these arguments; it writes its messages to `err.txt` in the folder, results to `out.txt`.

    Of several cooperating processes, this is number `rank` of `size`, and they connect through `port`. `temporary` is
    the folder for temporary files; `restarts` is the number of times that torchrun has restarted the processes. `out`
    and `err` are named pipes, or files, that replace the standard streams. `ignored` are the signals ignored at the
    start, as under `nohup`. The rest are environment variables.
    """
    plain = [str(word) for word in words]
    if size > 1:
        environment |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size)}
        environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        environment |= {"TORCHELASTIC_RESTART_COUNT": str(restarts)} if restarts else {}
    process = CONTEXT.Process(target=_run, args=(folder, plain, temporary, out, err, tuple(ignored), environment))
    process.start()
    return process


def start_together(folder: Path, size: int, *words: object, restarts: int = 0) -> list[BaseProcess]:
    """Start `charrnn` in several processes, as torchrun does."""
    port = free_port()
    return [start(folder, *words, rank=rank, size=size, port=port, restarts=restarts) for rank in range(size)]


def run_together(size: int, function: Callable[..., None], *arguments: object) -> None:
    """Call `function(rank, size, port, *arguments)` in several processes, and wait until all succeed."""
    port = free_port()
    processes = [CONTEXT.Process(target=function, args=(rank, size, port, *arguments)) for rank in range(size)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * size


def free_port() -> int:
    """Return an unused port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def shown_on_a_terminal(
    folder: Path, commands: Sequence[Sequence[object]], typed: bytes = b"", **environment: str
) -> bytes:
    """Return what a terminal receives from commands, run one after the other, without the terminal's own line ends.

    The commands can read `typed` from the terminal.
    """
    import pty
    import termios

    reader, writer = pty.openpty()
    settings = termios.tcgetattr(writer)
    settings[1] &= ~termios.OPOST  # or it would write a carriage return before each line end
    if typed:
        settings[3] &= ~(termios.ICANON | termios.ECHO)  # as they are while a line is typed
    termios.tcsetattr(writer, termios.TCSANOW, settings)
    words = [[str(word) for word in command] for command in commands]
    arguments = (os.ttyname(writer), folder, words, environment, bool(typed))
    process = CONTEXT.Process(target=_run_on_a_terminal, args=arguments)
    process.start()
    if typed:
        os.write(reader, typed)
    shown = b""
    os.set_blocking(reader, False)
    end = time.monotonic() + LONGEST
    while True:
        ended = not process.is_alive()
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(reader, 1 << 16):
                shown += piece
        if ended:
            break
        assert time.monotonic() < end, shown
        process.join(0.02)
    os.close(writer)
    os.close(reader)
    assert process.exitcode == 0, shown
    return shown


def _run(
    folder: Path,
    words: list[str],
    temporary: Path | None,
    out: Path | None,
    err: Path | None,
    ignored: tuple[int, ...],
    environment: dict[str, str],
) -> None:
    import torch

    from charrnn.cli.main import main

    os.chdir(folder)
    torch.set_num_threads(1)
    tempfile.tempdir = str(temporary) if temporary else None
    _obey_permissions()
    os.environ |= environment
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    with _stream(1, out, folder / "out.txt") as sys.stdout, _stream(2, err, folder / "err.txt") as sys.stderr:
        sys.argv = ["charrnn", *words]
        try:
            main()
        except Exception:
            traceback.print_exc()  # here, for the stream is closed when multiprocessing would do it
            raise


def _stream(number: int, place: Path | None, instead: Path) -> TextIO:
    """Open a named pipe or file as a standard stream; by default a file that only Python writes to."""
    if place is None:
        return instead.open("a")
    end = os.open(place, os.O_WRONLY)
    os.dup2(end, number)
    os.close(end)
    return open(number, "w", buffering=1 if number == 2 else -1, closefd=False)


def _obey_permissions() -> None:
    """Drop CAP_DAC_OVERRIDE (capset(2)), so that file permissions apply even to root, who may run the tests."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    libc.capget(header, sets)
    sets[0] &= ~0b10
    libc.capset(header, sets)


def _run_on_a_terminal(
    name: str, folder: Path, commands: list[list[str]], environment: dict[str, str], is_typed: bool
) -> None:
    import torch

    from charrnn.cli.main import main

    os.chdir(folder)
    os.environ.update(environment)
    torch.set_num_threads(1)
    terminal = os.open(name, os.O_RDWR | os.O_NOCTTY)
    for stream in (0, 1, 2)[not is_typed :]:
        os.dup2(terminal, stream)
    if is_typed:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = (open(stream, "w", buffering=1, closefd=False) for stream in (1, 2))  # noqa: SIM115
    for words in commands:
        sys.argv = ["charrnn", *words]
        with contextlib.suppress(SystemExit):
            main()
