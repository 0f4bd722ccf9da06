"""`charrnn sample`: generate text with a model, and print it character by character."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli.shared.config_options import unescaped
from charrnn.cli.shared.options import (
    ENCODING,
    JSON,
    UNKNOWN,
    CheckpointArgument,
    DeviceOption,
    advanced,
    check_range,
    complete_checkpoints,
    in_panel,
    refuse_encoding,
    text_option,
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
"""Groups of options that are mutually exclusive."""
MAX_PROMPT_BYTES = 10_000_000
"""The maximum size of a prompt: a device or a pipe may be endless."""


def _positive(help: str, panel: str | None = None) -> Any:
    return typer.Option(help=help, callback=check_range(1), rich_help_panel=panel, metavar="N")


def sample(
    name: CheckpointArgument = None,
    *,
    prime: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Prompt to continue; it is printed first. Use \\n for a line end and \\\\ for a backslash.",
        ),
    ] = None,
    sampling: SamplingConfig,
    count: Annotated[
        int | None,
        _positive("Generate N samples, separated by lines of dashes. Their seeds are --seed, --seed + 1, and so on."),
    ] = None,
    interactive: Annotated[
        bool,
        typer.Option("--interactive", "-i", help="Continue each line that you type (/help lists commands)."),
    ] = False,
    device: DeviceOption = "auto",
    prime_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Read the prompt from a file (-: standard input).",
            rich_help_panel=advanced("prompt"),
        ),
    ] = None,
    encoding: Annotated[str | None, in_panel(ENCODING, "prompt")] = None,
    unknown: Annotated[str, in_panel(UNKNOWN, "prompt")] = "error",
    best_of: Annotated[
        int | None,
        _positive(
            "Generate N samples and print the one with the highest mean log-probability per character.",
            advanced("multiple samples"),
        ),
    ] = None,
    beam: Annotated[
        int | None,
        _positive("Beam search with N beams, instead of random sampling.", advanced("multiple samples")),
    ] = None,
    mix: Annotated[
        list[str] | None,
        typer.Option(
            help="Average the probabilities with those of another checkpoint; deep:0.3 gives deep a weight of 30% "
            "(repeatable).",
            metavar="NAME:WEIGHT",
            autocompletion=complete_checkpoints,
            rich_help_panel=advanced("model"),
        ),
    ] = None,
    novelty: Annotated[
        bool,
        typer.Option(
            "--novelty",
            help="Report on standard error how much of the sample is copied from the training text, compared with "
            "held-out text. On a terminal, copies of 20 or more characters are red, and the text appears with a "
            "delay.",
            rich_help_panel=advanced("output"),
        ),
    ] = False,
    text: Annotated[
        list[str] | None,
        in_panel(text_option("the file that was read in training", "With --novelty, the training text"), "output"),
    ] = None,
    as_json: Annotated[bool, in_panel(JSON, "output")] = False,
    context: typer.Context,
) -> None:
    """Generate text with a model and print it as it is generated.

    Filters apply in this order: {filter_order}.

    The same model, options and seed give the same text on the same machine.

    --json prints the text, its seed and its log-probabilities; with --count, a list of such objects.
    """
    values = {
        "--count": (count or 1) > 1, "--best-of": best_of, "--beam": beam, "--interactive": interactive,
        "--novelty": novelty, "--json": as_json, "--prime": prime is not None, "--prime-file": prime_file is not None,
    }  # fmt: skip
    _check_combination(values, sampling, text)
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
    torch_device = _select_device(device, sampling, is_one_text=not (values["--count"] or best_of or beam))
    checkpoint, mixed = _load(name, mix or (), torch_device)
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
    elif as_json or values["--count"]:
        output.show_several(generator, count or 1, as_json)
    else:
        output.show_one(generator, novelty, text)


def _check_combination(values: Mapping[str, object], sampling: SamplingConfig, text: Sequence[str] | None) -> None:
    """Raise UsageError if options are mutually exclusive or have no effect."""
    for group in EXCLUSIVE:
        chosen = [flag for flag in group if values[flag]]
        if len(chosen) > 1:
            raise UsageError(f"{chosen[0]} and {chosen[1]} are mutually exclusive; use one of them")
    if text and not values["--novelty"]:
        raise UsageError(f"--text {text[0]}: has no effect without --novelty; add --novelty, or remove --text")
    if values["--novelty"] and sampling.length == 0:
        raise UsageError("--length 0: --novelty needs some text; use a larger --length")


def _select_device(name: str, sampling: SamplingConfig, is_one_text: bool) -> torch.device:
    import torch

    from charrnn.cli.shared.devices import check_gpu_features, select_device
    from charrnn.models.rnn.cuda_graph import STEPS_BEFORE_CAPTURE

    if is_one_text:  # single characters are too little work to share: threads would only wait for each other
        torch.set_num_threads(1)
    device = select_device(name)
    if sampling.length > STEPS_BEFORE_CAPTURE:
        check_gpu_features(device, "graphs")
    return device


def _refuse_random_options(sampling: SamplingConfig, explicit: Collection[str]) -> None:
    """Raise UsageError if an option is given that has no effect on beam search."""
    from charrnn.sampling.filters import random_options

    for name, flag in random_options(sampling).items():
        if name in explicit:
            raise UsageError(f"{flag} has no effect with --beam; remove one of them")


def _load(
    name: str | None, mix: Sequence[str], device: torch.device
) -> tuple[Checkpoint, list[tuple[Checkpoint, float]]]:
    """Load the checkpoint, and the checkpoints of --mix with their weights."""
    from charrnn.checkpoint import load
    from charrnn.cli.shared.locate import locate_checkpoint
    from charrnn.cli.shared.terminal import shell_quoted

    def load_named(name: str | None) -> Checkpoint:
        advice = f"try `charrnn train {shell_quoted(name)}` first"
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
        raise UsageError(f"--mix {word}: must be a checkpoint and a weight between 0 and 1, such as deep:0.3")
    return name, weight


def _read_prompt(name: str, config: CorpusConfig, encoding: str | None) -> str:
    """Read the prompt of `--prime-file`."""
    from charrnn.text.decode import codec_for

    try:
        with contextlib.nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as file:
            raw = file.read(MAX_PROMPT_BYTES + 1)
    except OSError as error:
        raise TextError(f"--prime-file {name}: cannot be read: {error.strerror}; use a text file") from error
    if len(raw) > MAX_PROMPT_BYTES:
        raise TextError(f"--prime-file {name}: longer than {MAX_PROMPT_BYTES:,} bytes; use a shorter prompt")
    encoding, errors = codec_for(config, encoding)
    try:
        return raw.decode(encoding, errors)
    except UnicodeError as error:
        raise TextError(f"--prime-file {name}: not {encoding} ({error}); try --encoding") from None
