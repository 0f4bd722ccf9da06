"""Commands in processes of their own, forked from one that has loaded PyTorch already."""

import contextlib
import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["charrnn.cli.main", "charrnn.training.several", "charrnn.cli.train_display"])


def start(folder: Path, *words: object) -> BaseProcess:
    """`charrnn` with these words on its command line; what it says is in `err.txt` there."""
    process = CONTEXT.Process(target=_run, args=(folder, [str(word) for word in words]))
    process.start()
    return process


def shown_on_a_terminal(folder: Path, commands: Sequence[Sequence[object]], **environment: str) -> bytes:
    """What a terminal receives from commands, one after the other: its own line ends are left out."""
    import pty
    import termios

    reader, writer = pty.openpty()
    settings = termios.tcgetattr(writer)
    settings[1] &= ~termios.OPOST  # or it would write a carriage return before each line end
    termios.tcsetattr(writer, termios.TCSANOW, settings)
    words = [[str(word) for word in command] for command in commands]
    process = CONTEXT.Process(target=_run_on_a_terminal, args=(os.ttyname(writer), folder, words, environment))
    process.start()
    shown = b""
    os.set_blocking(reader, False)
    while True:
        ended = not process.is_alive()
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(reader, 1 << 16):
                shown += piece
        if ended:
            break
        process.join(0.02)
    os.close(writer)
    os.close(reader)
    assert process.exitcode == 0, shown
    return shown


def _run(folder: Path, words: list[str]) -> None:
    import torch

    from charrnn.cli.main import main

    os.chdir(folder)
    torch.set_num_threads(1)
    with (folder / "err.txt").open("a") as err, (folder / "out.txt").open("a") as out:
        sys.stderr, sys.stdout = err, out
        sys.argv = ["charrnn", *words]
        main()


def _run_on_a_terminal(name: str, folder: Path, commands: list[list[str]], environment: dict[str, str]) -> None:
    import torch

    from charrnn.cli.main import main

    os.chdir(folder)
    os.environ.update(environment)
    torch.set_num_threads(1)
    terminal = os.open(name, os.O_RDWR | os.O_NOCTTY)
    for stream in (1, 2):
        os.dup2(terminal, stream)
    sys.stdout, sys.stderr = (open(stream, "w", buffering=1, closefd=False) for stream in (1, 2))  # noqa: SIM115
    for words in commands:
        sys.argv = ["charrnn", *words]
        with contextlib.suppress(SystemExit):
            main()
