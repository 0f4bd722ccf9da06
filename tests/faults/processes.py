"""Trainings in processes of their own, by the command line; forked from one that has loaded PyTorch already."""

import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["charrnn.cli.main", "charrnn.training.several", "charrnn.cli.train_display"])


def start(folder: Path, *words: object) -> BaseProcess:
    """`charrnn` with these words on its command line; what it says is in `err.txt` there."""
    process = CONTEXT.Process(target=_run, args=(folder, [str(word) for word in words]))
    process.start()
    return process


def _run(folder: Path, words: list[str]) -> None:
    import torch

    from charrnn.cli.main import main

    os.chdir(folder)
    torch.set_num_threads(1)
    with (folder / "err.txt").open("a") as err, (folder / "out.txt").open("a") as out:
        sys.stderr, sys.stdout = err, out
        sys.argv = ["charrnn", *words]
        main()
