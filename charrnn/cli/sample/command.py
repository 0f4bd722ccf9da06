"""`charrnn sample`: text from a checkpoint, as it is generated."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli.shared.config_options import unescaped
from charrnn.cli.shared.options import (
    CheckpointArgument,
    DeviceOption,
    EncodingOption,
    JsonOption,
    TextOption,
    UnknownOption,
    check_range,
    refuse_encoding,
)
from charrnn.config import CorpusConfig, SamplingConfig
from charrnn.errors import TextError, UsageError

if TYPE_CHECKING:
    import torch

    from charrnn.checkpoint import Checkpoint

EXCLUSIVE = (
    ("--count", "--best-of", "--beam", "--interactive", "--novelty"),
    ("--json", "--interactive", "--novelty"),
    ("--prime", "--prime-file"),
)
"""Options of which only one of each group may be given."""
MAX_PROMPT_BYTES = 10_000_000
"""The size of the longest prompt: a device or a pipe may have no end."""


def _count(help: str) -> Any:
    return typer.Option(help=help, callback=check_range(1), rich_help_panel="Several texts", metavar="N")


def sample(
    name: CheckpointArgument = None,
    *,
    sampling: SamplingConfig,
    prime: Annotated[
        str | None,
        typer.Option(
            help="Text to go on from; it is repeated first. A line end is \\n, a backslash \\\\.",
            rich_help_panel="Beginning",
        ),
    ] = None,
    prime_file: Annotated[
        str | None, typer.Option(help="A file with that text; - is standard input.", rich_help_panel="Beginning")
    ] = None,
    encoding: EncodingOption = None,
    unknown: UnknownOption = "error",
    count: Annotated[
        int | None,
        _count(
            "Write so many texts, side by side; their seeds are --seed and those after it, so each can be written "
            "again by itself. Between them is a line of dashes."
        ),
    ] = None,
    best_of: Annotated[
        int | None, _count("Write so many texts and show the one that the model finds likeliest, per character.")
    ] = None,
    beam: Annotated[
        int | None,
        _count("Draw nothing, but look for the likeliest text, by keeping so many beginnings of each length."),
    ] = None,
    mix: Annotated[
        list[str] | None,
        typer.Option(
            help="Write with another checkpoint, too, such as deep:0.3: its probabilities count 30%. "
            "May be said several times.",
            metavar="OTHER:WEIGHT",
            rich_help_panel="Model",
        ),
    ] = None,
    interactive: Annotated[
        bool,
        typer.Option("--interactive", "-i", help="Go on from what is typed, line after line; /help says what else."),
    ] = False,
    novelty: Annotated[
        bool,
        typer.Option(
            "--novelty",
            help="Say at the end, on standard error, how much is copied from the training text, beside the same of "
            "held-out text. On a terminal, copies of 20 characters and more are red; the text comes that much later.",
        ),
    ] = False,
    text: TextOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    context: typer.Context,
) -> None:
    """Write text with a model, to standard output, character by character.

    Filters work in this order: {filter_order}.

    The same model, options and seed give the same text, on the same machine.

    --json prints the text, its seed and its log-probabilities; with --count a list.
    """
    given = {
        "--count": (count or 1) > 1, "--best-of": best_of, "--beam": beam, "--interactive": interactive,
        "--novelty": novelty, "--json": as_json, "--prime": prime is not None, "--prime-file": prime_file is not None,
    }  # fmt: skip
    _check_combination(given, sampling, text)
    if prime_file is None:
        refuse_encoding(encoding, "--prime-file")
    prompt = unescaped(prime or "")
    from charrnn.cli.sample import interactive as repl
    from charrnn.cli.sample import output
    from charrnn.cli.shared.config_options import explicit_options
    from charrnn.cli.shared.terminal import log
    from charrnn.pipeline.text_generator import TextGenerator
    from charrnn.sampling.stopping import check_until

    if beam:
        _refuse_random_options(sampling, explicit_options(context))
    where = _select_device(device, sampling, is_one_text=not (given["--count"] or best_of or beam))
    checkpoint, mixed = _load(name, mix or (), where)
    check_until(sampling, checkpoint.vocabulary)
    if prime_file is not None:
        prompt = _read_prompt(prime_file, checkpoint.metadata.text.corpus, encoding)
    generator = TextGenerator(checkpoint, sampling, prompt, unknown, mixed, log)
    if interactive:
        repl.run_repl(generator)
    elif beam:
        output.show_beam(generator, beam, as_json)
    elif best_of:
        output.show_best(generator, best_of, as_json)
    elif as_json or given["--count"]:
        output.show_several(generator, count or 1, as_json)
    else:
        output.show_one(generator, novelty, text)


def _check_combination(given: Mapping[str, object], sampling: SamplingConfig, text: Sequence[str] | None) -> None:
    """Raise UsageError where options exclude each other, or have no effect."""
    for group in EXCLUSIVE:
        chosen = [flag for flag in group if given[flag]]
        if len(chosen) > 1:
            raise UsageError(f"{chosen[0]} and {chosen[1]}: say one of them")
    if text and not given["--novelty"]:
        raise UsageError(f"--text {text[0]}: has no effect without --novelty; add --novelty, or remove --text")
    if given["--novelty"] and sampling.length == 0:
        raise UsageError("--length 0: there is nothing to judge; leave out --novelty")


def _select_device(name: str, sampling: SamplingConfig, is_one_text: bool) -> torch.device:
    import torch

    from charrnn.cli.shared.devices import check_gpu_features, select_device
    from charrnn.models.rnn.cuda_graph import STEPS_BEFORE_CAPTURE

    if is_one_text:  # one character at a time is too little work to share: threads would only wait for each other
        torch.set_num_threads(1)
    device = select_device(name)
    if sampling.length > STEPS_BEFORE_CAPTURE:
        check_gpu_features(device, "graphs")
    return device


def _refuse_random_options(sampling: SamplingConfig, explicit: Collection[str]) -> None:
    """Raise UsageError where an option is given that beam search does not use."""
    from charrnn.sampling.filters import random_options

    for name, flag in random_options(sampling).items():
        if name in explicit:
            raise UsageError(f"{flag}: --beam draws nothing; leave out one of them")


def _load(
    name: str | None, mix: Sequence[str], device: torch.device
) -> tuple[Checkpoint, list[tuple[Checkpoint, float]]]:
    """The checkpoint, and those that `--mix deep:0.3` names, with their weights."""
    from charrnn.checkpoint import load
    from charrnn.cli.shared.locate import locate_checkpoint
    from charrnn.cli.shared.terminal import shell_quoted

    def load_named(name: str | None) -> Checkpoint:
        advice = f"`charrnn train {shell_quoted(name)}` makes a checkpoint of it"
        return load(locate_checkpoint(name, advice), device)

    pairs = [_parse_mix(word) for word in mix]
    return load_named(name), [(load_named(other), weight) for other, weight in pairs]


def _parse_mix(word: str) -> tuple[str, float]:
    name, _, number = word.rpartition(":")
    try:
        weight = float(number)
    except ValueError:
        weight = 0.0
    if not name or not 0 < weight < 1:
        raise UsageError(f"--mix {word}: must be a checkpoint and its weight between 0 and 1, such as deep:0.3")
    return name, weight


def _read_prompt(name: str, config: CorpusConfig, encoding: str | None) -> str:
    """The text of `--prime-file`."""
    from charrnn.text.decode import codec_for

    try:
        with contextlib.nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as file:
            raw = file.read(MAX_PROMPT_BYTES + 1)
    except OSError as error:
        raise TextError(f"--prime-file {name}: cannot be read: {error.strerror}; name a text file") from error
    if len(raw) > MAX_PROMPT_BYTES:
        raise TextError(f"--prime-file {name}: is longer than {MAX_PROMPT_BYTES:,} bytes; name a shorter one")
    encoding, errors = codec_for(config, encoding)
    try:
        return raw.decode(encoding, errors)
    except UnicodeError as error:
        raise TextError(f"--prime-file {name}: not {encoding} ({error}); try --encoding") from None
