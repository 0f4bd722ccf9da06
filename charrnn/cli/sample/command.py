"""`charrnn sample`: text from a checkpoint, as it is generated."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated

import typer

from charrnn.cli.shared.escapes import unescaped
from charrnn.cli.shared.options import CheckpointArgument, DeviceOption, TextEncoding
from charrnn.config import LARGEST_INTEGER, SamplingConfig
from charrnn.errors import UsageError

EXCLUSIVE = (
    ("--count", "--best-of", "--beam", "--interactive", "--novelty"),
    ("--json", "--interactive", "--novelty"),
    ("--prime", "--prime-file"),
)
"""Options of which only one of each group may be given."""


def sample(
    name: CheckpointArgument = None,
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

    Filters work in this order: {filter_order}.

    The same model, options and seed give the same text, on the same machine.
    """
    has_several = (count or 1) > 1
    _check_exclusive({
        "--count": has_several, "--best-of": best_of, "--beam": beam, "--interactive": interactive,
        "--novelty": novelty, "--json": as_json, "--prime": prime is not None, "--prime-file": prime_file is not None,
    })  # fmt: skip
    if novelty and sampling.length == 0:
        raise UsageError("--length 0: there is nothing to judge; leave out --novelty")
    if text is not None and not novelty:
        raise UsageError(f"--text {text}: is for --novelty alone")
    if encoding is not None and prime_file is None:
        raise UsageError(f"--encoding {encoding}: only --prime-file is decoded; remove it, or add --prime-file FILE")
    prompt = unescaped(prime or "")
    import torch

    from charrnn.checkpoint import load, newest
    from charrnn.cli.sample import output
    from charrnn.cli.sample.inputs import load_mixed, read_prompt
    from charrnn.cli.sample.interactive import run_repl
    from charrnn.cli.shared.checkpoints import FOLDER, find
    from charrnn.cli.shared.devices import choose, try_features
    from charrnn.cli.shared.options import said
    from charrnn.cli.shared.terminal import say
    from charrnn.models.rnn.cuda_graph import UNRECORDED
    from charrnn.pipeline.sampling import TextGenerator
    from charrnn.sampling.filters import random_options
    from charrnn.sampling.stopping import check_until

    if beam:
        _refuse(random_options(sampling), said(context))
    # One character of one text is too little work to share: threads would only wait for each other.
    if not (has_several or best_of or beam):
        torch.set_num_threads(1)
    where = choose(device)
    if sampling.length > UNRECORDED:
        try_features(where, "graphs")
    checkpoint = load(find(name) if name else newest(FOLDER), where)
    mixed = load_mixed(mix or (), where)
    if prime_file is not None:
        prompt = read_prompt(prime_file, checkpoint.facts.text.corpus, encoding)
    check_until(sampling, checkpoint.vocabulary)
    generator = TextGenerator(checkpoint, sampling, prompt, unknown, mixed, say)
    if interactive:
        run_repl(generator)
    elif beam:
        output.show_beam(generator, beam, as_json)
    elif best_of:
        output.show_best(generator, best_of, as_json)
    elif as_json or has_several:
        output.show_several(generator, count or 1, as_json)
    else:
        output.show_one(generator, novelty, text)


def _check_exclusive(given: Mapping[str, object]) -> None:
    """Raise UsageError where two options are given that exclude each other."""
    for group in EXCLUSIVE:
        chosen = [flag for flag in group if given[flag]]
        if len(chosen) > 1:
            raise UsageError(f"{chosen[0]} and {chosen[1]}: say one of them")


def _refuse(options: Mapping[str, str], explicit: Collection[str]) -> None:
    """Raise UsageError where an option is given that beam search does not use."""
    for name, flag in options.items():
        if name in explicit:
            raise UsageError(f"{flag}: --beam draws nothing; leave out one of them")
