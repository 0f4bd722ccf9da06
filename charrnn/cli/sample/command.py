"""`charrnn sample`: text from a checkpoint, as it is drawn."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli.shared import shell_completion as completion
from charrnn.cli.shared.escapes import unescaped
from charrnn.cli.shared.options import DeviceOption, TextEncoding
from charrnn.config import LARGEST_INTEGER, CorpusConfig, SamplingConfig
from charrnn.errors import TextError, UsageError

MOST_PRIME = 10_000_000
"""Bytes of a prime: what it is read from may have no end."""


def sample(
    checkpoint: Annotated[
        str | None,
        typer.Argument(
            help="A checkpoint; the newest in checkpoints/ if not said.",
            autocompletion=completion.checkpoints,
            show_default=False,
        ),
    ] = None,
    *,
    sampling: SamplingConfig,
    prime: Annotated[
        str | None,
        typer.Option(
            help="Text to go on from; it is repeated first. A line end is \\n, a backslash \\\\.",
            show_default=False,
            rich_help_panel="Beginning",
        ),
    ] = None,
    prime_file: Annotated[
        str | None,
        typer.Option(
            help="A file with that text; - is standard input.", show_default=False, rich_help_panel="Beginning"
        ),
    ] = None,
    encoding: TextEncoding = None,
    unknown: Annotated[
        str,
        typer.Option(
            help="What to do with characters of the prime that the model does not know.",
            metavar="error|skip|replace",
            rich_help_panel="Beginning",
        ),
    ] = "error",
    count: Annotated[
        int | None,
        typer.Option(
            help="Write so many texts, side by side; their seeds are --seed and those after it, so each can be written "
            "again by itself. Between them is a line of dashes.",
            min=1,
            max=LARGEST_INTEGER,
            show_default=False,
            rich_help_panel="Several texts",
            metavar="N",
        ),
    ] = None,
    best_of: Annotated[
        int | None,
        typer.Option(
            help="Write so many texts and show the one that the model finds likeliest, per character.",
            min=1,
            max=LARGEST_INTEGER,
            show_default=False,
            rich_help_panel="Several texts",
            metavar="N",
        ),
    ] = None,
    beam: Annotated[
        int | None,
        typer.Option(
            help="Draw nothing, but look for the likeliest text, by keeping so many beginnings of each length.",
            min=1,
            max=LARGEST_INTEGER,
            show_default=False,
            rich_help_panel="Several texts",
            metavar="N",
        ),
    ] = None,
    mix: Annotated[
        list[str] | None,
        typer.Option(
            help="Write with another checkpoint, too, such as deep:0.3: its probabilities count 30%. "
            "May be said several times.",
            metavar="OTHER:WEIGHT",
            show_default=False,
            rich_help_panel="Model",
        ),
    ] = None,
    interactive: Annotated[
        bool,
        typer.Option("--interactive", "-i", help="Go on from what is typed, line after line; /help says what else."),
    ] = False,
    save_state: Annotated[
        str | None,
        typer.Option(help="Keep in a file where the text ends, for --load-state.", metavar="FILE", show_default=False),
    ] = None,
    load_state: Annotated[
        str | None,
        typer.Option(
            help="Go on where that text ended, as if there had been no end.",
            metavar="FILE",
            show_default=False,
            rich_help_panel="Beginning",
        ),
    ] = None,
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
    device: DeviceOption = "auto",
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print JSON: the text, its seed, its log-probabilities; a list, with --count."),
    ] = False,
    context: typer.Context,
) -> None:
    """Write text with a model, to standard output, character by character.

    Filters work in this order: --allow and --ban, --match, --repetition-penalty, --temp, --top-k, --top-p, --min-p.

    The same model, options and seed give the same text, on the same machine.
    """  # fmt: skip
    ways = {
        "--count": count and count > 1, "--best-of": best_of, "--beam": beam, "--interactive": interactive,
        "--novelty": novelty,
    }  # fmt: skip
    _one_at_most(ways)
    _one_at_most({"--json": as_json, "--interactive": interactive, "--novelty": novelty})
    _one_at_most({"--save-state": save_state, "--beam": beam})
    _one_at_most({"--load-state": load_state, "--count": count, "--best-of": best_of})
    read = _prime(prime, prime_file)
    if novelty and sampling.length == 0:
        raise UsageError("--length 0: there is nothing to judge; leave out --novelty")
    if text is not None and not novelty:
        raise UsageError(f"--text {text}: is for --novelty alone")
    import torch

    from charrnn.cli.sample import output as display
    from charrnn.cli.sample.models import load_blended
    from charrnn.cli.shared.checkpoints import check_writable
    from charrnn.cli.shared.devices import choose, try_features
    from charrnn.cli.shared.options import said
    from charrnn.models.rnn.cuda_graph import STEPS_BEFORE_CAPTURE
    from charrnn.sampling.generate import new_seed

    asked = said(context)
    if save_state:
        check_writable(Path(save_state), "--save-state")
    if beam:
        _refuse_what_is_drawn(asked)
    # One character of one stream is too little work to share: threads would only wait for each other.
    if not (ways["--count"] or best_of or beam):
        torch.set_num_threads(1)
    where = choose(device)
    if sampling.length > STEPS_BEFORE_CAPTURE:
        try_features(where, "graphs")
    blend = load_blended(checkpoint, mix or (), where)
    if sampling.seed is None:
        sampling = replace(sampling, seed=new_seed())
    begun = read if isinstance(read, str) else _decoded(read, prime_file, blend.first.facts.text.corpus, encoding)
    source = display.Source(blend, sampling, begun, unknown, load_state, "seed" in asked)
    if interactive:
        from charrnn.cli.sample.interactive import converse

        marks = converse(source)
    elif beam:
        marks = display.show_likeliest(source, beam, as_json)
    elif best_of:
        marks = display.show_best(source, best_of, as_json)
    elif as_json or (count or 1) > 1 or source.count > 1:
        marks = display.show_several(source, count or 1, as_json)
    else:
        marks = display.show_one(source, novelty, text)
    if save_state:
        blend.save(Path(save_state), marks)


def _one_at_most(options: Mapping[str, object]) -> None:
    chosen = [name for name, value in options.items() if value]
    if len(chosen) > 1:
        raise UsageError(f"{chosen[0]} and {chosen[1]}: say one of them")


def _refuse_what_is_drawn(asked: frozenset[str]) -> None:
    """Raise UsageError where a setting was said that plays no part in a search."""
    for name in ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "repetition_window", "seed"):
        if name in asked:
            flag = "--temp" if name == "temperature" else f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag}: --beam draws nothing; leave out one of them")


def _decoded(raw: bytes, name: str | None, config: CorpusConfig, encoding: str | None) -> str:
    """A prime from a file."""
    from charrnn.text.decode import decoding

    encoding, errors = decoding(config, encoding)
    try:
        return raw.decode(encoding, errors)
    except UnicodeError as error:
        raise TextError(f"--prime-file {name}: not {encoding} ({error}); try --encoding") from None


def _prime(prime: str | None, prime_file: str | None) -> str | bytes:
    """What is typed, or the bytes of a file."""
    if prime is not None and prime_file is not None:
        raise UsageError("--prime and --prime-file: say one of them")
    if prime_file is None:
        return unescaped(prime or "")
    try:
        with contextlib.nullcontext(sys.stdin.buffer) if prime_file == "-" else Path(prime_file).open("rb") as file:
            raw = file.read(MOST_PRIME + 1)
    except OSError as error:
        raise TextError(f"--prime-file {prime_file}: cannot be read: {error.strerror}; name a text file") from error
    if len(raw) > MOST_PRIME:
        raise TextError(f"--prime-file {prime_file}: is longer than {MOST_PRIME:,} bytes; name a shorter one")
    return raw
