"""`charrnn sample`: text from a checkpoint, as it is drawn."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TextIO

import typer

from charrnn.config import SamplingConfig
from charrnn.errors import TextError, UsageError


def sample(
    checkpoint: Annotated[
        str | None,
        typer.Argument(help="A checkpoint; the newest in checkpoints/ if not said.", show_default=False),
    ] = None,
    *,
    sampling: SamplingConfig,
    prime: Annotated[
        str | None,
        typer.Option(help="Text to go on from; it is repeated first.", show_default=False),
    ] = None,
    prime_file: Annotated[
        str | None,
        typer.Option(help="A file with that text; - is standard input.", show_default=False),
    ] = None,
    unknown: Annotated[
        str,
        typer.Option(
            help="What to do with characters of the prime that the model does not know.",
            metavar="error|skip|replace",
        ),
    ] = "error",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
) -> None:
    """Write text with a model, to standard output, character by character."""
    read = _prime(prime, prime_file)
    import torch

    from charrnn.checkpoint import load, newest
    from charrnn.cli.checkpoints import FOLDER, find
    from charrnn.cli.devices import choose
    from charrnn.cli.terminal import BAR_DELAY, bar, say
    from charrnn.sampling.generate import generate

    # One character of one stream is too little work to share: threads would only wait for each other.
    torch.set_num_threads(1)
    path = find(checkpoint) if checkpoint else newest(FOLDER)
    model = load(path, choose(device))
    sampling = sampling if sampling.seed is not None else _with_new_seed(sampling)
    text = read if model.vocabulary.is_bytes else _plain(read)
    characters = generate(model.model, model.vocabulary, sampling, text, unknown)
    say(f"{model.path}: {model.description}, temperature {sampling.temperature:g}, seed {sampling.seed}")
    write = _writer()
    write(text)
    # A bar where the text goes to a file: on a screen the text itself shows how far it is.
    with bar(sampling.length, "writing", "char", delay=BAR_DELAY, hidden=not _is_file(sys.stdout)) as shown:
        for character in characters:
            write(character)
            shown.update()
    write("\n" if sys.stdout.isatty() else "")


def _prime(prime: str | None, prime_file: str | None) -> str:
    """The prime, with surrogate escapes for bytes that are no UTF-8: a model of bytes knows them."""
    if prime is not None and prime_file is not None:
        raise UsageError("--prime and --prime-file: say one of them")
    if prime_file is None:
        return prime or ""
    try:
        raw = sys.stdin.buffer.read() if prime_file == "-" else Path(prime_file).read_bytes()
    except OSError as error:
        raise TextError(f"--prime-file {prime_file}: cannot be read: {error.strerror}; name a text file") from error
    return raw.decode("utf-8", "surrogateescape")


def _plain(text: str) -> str:
    """The prime as `read_corpus` would read it, which is all that a model of characters knows."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _is_file(stream: TextIO) -> bool:
    return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)


def _with_new_seed(sampling: SamplingConfig) -> SamplingConfig:
    from dataclasses import replace
    from secrets import randbelow

    return replace(sampling, seed=randbelow(2**31))


def _writer() -> Callable[[str], None]:
    """To a terminal, what a person can read; to a pipe or a file, the very characters in UTF-8."""
    from charrnn.cli.terminal import visible

    if sys.stdout.isatty():
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal that cannot show é shows ?

        def write(text: str) -> None:
            sys.stdout.write(visible(text))
            sys.stdout.flush()
    else:

        def write(text: str) -> None:
            sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
            sys.stdout.buffer.flush()

    return write
