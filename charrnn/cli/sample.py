"""`charrnn sample`: text from a checkpoint, as it is drawn."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, TextIO

import typer

from charrnn.config import SamplingConfig
from charrnn.errors import TextError, UsageError

RED, PLAIN = "\x1b[31m", "\x1b[0m"
MOST_PRIME = 10_000_000
"""Bytes of a prime: what it is read from may have no end."""


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
    novelty: Annotated[
        bool,
        typer.Option(
            "--novelty",
            help="Say at the end, on standard error, how much is copied from the training text, beside the same of "
            "held-out text. On a terminal, copies of 20 characters and more are red; the text comes that much later.",
        ),
    ] = False,
    text: Annotated[
        str | None,
        typer.Option(
            help="For --novelty: where the text that the model was fitted on is now, if it was moved.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
) -> None:
    """Write text with a model, to standard output, character by character."""
    read = _prime(prime, prime_file)
    if novelty and sampling.length == 0:
        raise UsageError("--length 0: there is nothing to judge; leave out --novelty")
    if text is not None and not novelty:
        raise UsageError(f"--text {text}: is for --novelty alone")
    import torch

    from charrnn.checkpoint import load, newest
    from charrnn.cli.checkpoints import FOLDER, find
    from charrnn.cli.devices import choose
    from charrnn.cli.novelty_display import show_sample, sort
    from charrnn.cli.terminal import BAR_DELAY, bar, say
    from charrnn.cli.texts import read_fitted_on
    from charrnn.sampling.generate import generate
    from charrnn.text.normalizing import prepared

    # One character of one stream is too little work to share: threads would only wait for each other.
    torch.set_num_threads(1)
    path = find(checkpoint) if checkpoint else newest(FOLDER)
    model = load(path, choose(device))
    sampling = sampling if sampling.seed is not None else _with_new_seed(sampling)
    before = read if model.vocabulary.is_bytes else prepared(_plain(read), model.facts.text.corpus)
    characters = generate(model.model, model.vocabulary, sampling, before, unknown)
    corpus = read_fitted_on(model, text) if novelty else None
    training = sort(corpus) if corpus else None
    say(f"{model.path}: {model.description}, temperature {sampling.temperature:g}, seed {sampling.seed}")
    write = _writer()
    write(before, False)
    pieces: Iterable[tuple[str, bool]] = ((character, False) for character in characters)
    is_marked = training is not None and _has_colours()
    if training and is_marked:
        pieces = training.mark_copies(characters)
    written = []
    # A bar where the text goes to a file: on a screen the text itself shows how far it is.
    with bar(sampling.length, "writing", "char", delay=BAR_DELAY, hidden=not _is_file(sys.stdout)) as shown:
        for piece, is_copied in pieces:
            write(piece, is_copied)
            shown.update()
            if training:
                written.append(piece)
    write("\n" if sys.stdout.isatty() else "", False)
    if corpus and training:
        show_sample("".join(written), training, corpus, is_marked)


def _prime(prime: str | None, prime_file: str | None) -> str:
    """The prime, with surrogate escapes for bytes that are no UTF-8: a model of bytes knows them."""
    if prime is not None and prime_file is not None:
        raise UsageError("--prime and --prime-file: say one of them")
    if prime_file is None:
        return prime or ""
    try:
        with contextlib.nullcontext(sys.stdin.buffer) if prime_file == "-" else Path(prime_file).open("rb") as file:
            raw = file.read(MOST_PRIME + 1)
    except OSError as error:
        raise TextError(f"--prime-file {prime_file}: cannot be read: {error.strerror}; name a text file") from error
    if len(raw) > MOST_PRIME:
        raise TextError(f"--prime-file {prime_file}: is longer than {MOST_PRIME:,} bytes; name a shorter one")
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


def _has_colours() -> bool:
    """Whether standard output is a terminal that has them, and its user wants them (NO_COLOR)."""
    from rich.console import Console

    screen = Console(file=sys.stdout)
    return sys.stdout.isatty() and screen.color_system is not None and not screen.no_color


def _writer() -> Callable[[str, bool], None]:
    """To a terminal, what a person can read, perhaps in red; to a pipe or a file, the very characters in UTF-8."""
    from charrnn.cli.terminal import visible

    if sys.stdout.isatty():
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal that cannot show é shows ?

        def write(text: str, is_red: bool) -> None:
            sys.stdout.write(f"{RED}{visible(text)}{PLAIN}" if is_red else visible(text))
            sys.stdout.flush()
    else:

        def write(text: str, is_red: bool) -> None:
            sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
            sys.stdout.buffer.flush()

    return write
