"""`charrnn compare`: models side by side."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli import completion
from charrnn.config import LARGEST_INTEGER, NgramConfig, SamplingConfig
from charrnn.errors import CheckpointError, TextError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch

    from charrnn.checkpoint import Checkpoint
    from charrnn.scoring.compare import HeldOut, Row
    from charrnn.text.corpus import Corpus


def compare(
    checkpoints: Annotated[
        list[str] | None,
        typer.Argument(
            help="Checkpoints; if not said, the newest one and all others of its text in checkpoints/.",
            autocompletion=completion.checkpoints,
            show_default=False,
        ),
    ] = None,
    *,
    text: Annotated[
        list[str] | None,
        typer.Option(
            help="The text to compare on; the one they were fitted on if not said. For several files say it again.",
            show_default=False,
        ),
    ] = None,
    prime: Annotated[
        str, typer.Option(help="What the samples go on from; a line end if not said.", show_default=False)
    ] = "",
    length: Annotated[int, typer.Option(help="Characters of each sample.")] = 300,
    temperature: Annotated[float, typer.Option("--temp", "--temperature", help="Temperature of the samples.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the samples.")] = 0,
    novelty_length: Annotated[
        int,
        typer.Option(
            help="Characters that each model writes to be judged for what it copies from the training text; 0: none.",
            min=0,
            max=LARGEST_INTEGER,
        ),
    ] = 10_000,
    unknown: Annotated[
        str,
        typer.Option(
            help="What to do with characters of the prime that a model does not know.", metavar="error|skip|replace"
        ),
    ] = "error",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Compare models on the same held-out characters.

    Where none of them is an n-gram model, one is fitted to the same text.
    """
    sampling = SamplingConfig(temperature=temperature, length=length, seed=seed)
    from charrnn.checkpoint import checkpoints_in, load, newest
    from charrnn.cli.checkpoints import FOLDER, find
    from charrnn.cli.devices import choose
    from charrnn.cli.novelty_display import sort
    from charrnn.cli.terminal import print_json, progress, say
    from charrnn.cli.texts import locate_all, read, read_fitted_on
    from charrnn.scoring.compare import Copying, held_out, measure

    where = choose(device)
    if checkpoints:
        models = [load(find(name), where) for name in checkpoints]
    else:
        first = load(newest(FOLDER), where)
        say(f"comparing all models of {first.facts.text.source} in {FOLDER}/")
        models = [first, *_others_like(first, checkpoints_in(FOLDER), where)]
    if not text:
        corpus = read_fitted_on(models[0])
    else:
        corpus = read(locate_all(text), models[0].facts.text.corpus, models[0].vocabulary)
    part = held_out(models, corpus)
    models = list(_with_parts(models))
    if all(model.kind != "ngram" for model in models):
        models += _fitted_ngram(models[0], corpus)
    fitted_on = _fitted_on(models, corpus) if novelty_length else None
    copying = Copying.beside(part, sort(fitted_on), novelty_length) if fitted_on else None
    rows = []
    for model in models:
        scoring, writing = progress(f"scoring {model.name}", "char"), progress(f"{model.name} writes", "char")
        with scoring as scored, writing as written:
            rows.append(measure(model, part, prime, sampling, unknown, copying, scored, written))
    rows.sort(key=lambda row: row.score.nats_per_char)
    if as_json:
        print_json([row.as_json() for row in rows])
    else:
        _show(rows, part, corpus)
        if fitted_on:
            _show_novelty(rows, fitted_on)
        _show_samples(rows, prime)


def _others_like(first: Checkpoint, paths: Sequence[Path], device: torch.device) -> Iterator[Checkpoint]:
    """The other checkpoints that were fitted on the same part of the same text; what cannot be read is passed over."""
    from charrnn.checkpoint import load
    from charrnn.cli.terminal import say

    text = first.facts.text
    for path in paths:
        if path == first.path:
            continue
        try:
            other = load(path, device)
        except CheckpointError as error:
            say(f"left out: {error}")
            continue
        if (other.facts.text.sha256, other.facts.text.corpus) == (text.sha256, text.corpus):
            yield other


def _with_parts(models: Sequence[Checkpoint]) -> Iterator[Checkpoint]:
    """The models, and the parts of the mixtures among them, to show what each brings; counts that are there once."""
    from charrnn.checkpoint import taken_apart

    counted = {model.description for model in models if model.kind == "ngram"}
    for model in models:
        whole, *parts = taken_apart(model)
        yield whole
        for part in parts:
            if part.description not in counted:
                yield part
            if part.kind == "ngram":
                counted.add(part.description)


def _fitted_on(models: Sequence[Checkpoint], corpus: Corpus) -> Corpus | None:
    """The text that all the models were fitted on, if there is one and it can be read."""
    from charrnn.cli.terminal import say
    from charrnn.cli.texts import read_fitted_on

    text = models[0].facts.text
    if any((one.facts.text.sha256, one.facts.text.corpus) != (text.sha256, text.corpus) for one in models):
        say("what they copy is not looked for: they were not fitted on the same text")
        return None
    if corpus.sha256 == text.sha256:
        return corpus
    try:
        return read_fitted_on(models[0])
    except TextError as error:
        say(f"what they copy is not looked for: {error}")
        return None


def _fitted_ngram(model: Checkpoint, corpus: Corpus) -> list[Checkpoint]:
    """The n-gram baseline on the text that the model was fitted on, if that is the text at hand."""
    from charrnn.cli.ngram import fit
    from charrnn.cli.terminal import say

    if corpus.sha256 != model.facts.text.sha256:
        say(f"no n-gram model is fitted: {corpus.source} is held out as a whole")
        return []
    config = NgramConfig().with_order(corpus.config.bytes)
    name = f"{corpus.name}-{config.name}"
    say(f"none of them is an n-gram model: fitting {name} (`charrnn ngram` keeps one)")
    return [fit(corpus, config, Path(name)).checkpoint]


def _show(rows: Sequence[Row], part: HeldOut, corpus: Corpus) -> None:
    """Print the table of figures."""
    from rich.table import Table

    from charrnn.cli.terminal import console, one_line

    screen = console()
    table = Table(box=None, header_style="bold", pad_edge=False, collapse_padding=True)
    table.add_column("model", overflow="fold")
    for header in (
        "bits/\nchar",
        "nats/\nchar",
        "size",
        "file",
        "fitted\nin",
        "scoring,\nchars/s",
        "sampling,\nchars/s",
    ):
        table.add_column(header, justify="right")
    for row, label in zip(rows, _labels(rows), strict=True):
        facts = row.as_json()
        sizes = ((facts["parameters"], "p"), (facts["entries"], "n"))
        size = "\n".join(f"{number:,} {unit}" for number, unit in sizes if number)
        table.add_row(
            label,
            _figure(row.score.bits_per_char),
            _figure(row.score.nats_per_char),
            size,
            f"{facts['bytes'] / 1e6:.1f} MB",
            f"{facts['fit_seconds']:.1f} s",
            f"{facts['chars_per_second']:,}",
            f"{facts['sampling_chars_per_second']:,}",
        )
    screen.print(table)
    where = f"{part.part} part of {one_line(corpus.source)}, split {part.split}"
    screen.print(f"\n{len(part.ids):,} held-out characters ({where}), {part.rule}. p: parameters, n: n-grams.")
    for row in rows:
        if math.isinf(row.score.bits_per_char):
            screen.print(f"{one_line(row.checkpoint.name)}: {row.score}")


def _show_novelty(rows: Sequence[Row], fitted_on: Corpus) -> None:
    """Print the table of what is copied, the held-out text's row last."""
    from charrnn.cli.novelty_display import show_novelty
    from charrnn.cli.terminal import console

    console().print()
    found = [(label, row.novelty) for label, row in zip(_labels(rows), rows, strict=True) if row.novelty]
    found += [("held-out text", row.held_out_novelty) for row in rows[:1] if row.held_out_novelty]
    show_novelty(found, fitted_on)


def _show_samples(rows: Sequence[Row], prime: str) -> None:
    """Print what each model wrote."""
    from charrnn.cli.terminal import console, one_line, visible

    screen = console()
    after = f', after "{one_line(prime)}"' if prime else ""
    for row in rows:
        screen.rule(f"{one_line(row.checkpoint.name)} ({row.checkpoint.description}){after}", align="left")
        screen.print(visible(row.sample), soft_wrap=True)


def _labels(rows: Sequence[Row]) -> list[str]:
    """What the models are, or their names where two are the same."""
    from charrnn.cli.terminal import one_line

    descriptions = [row.checkpoint.description for row in rows]
    return [
        one_line(row.checkpoint.name) if descriptions.count(description) > 1 else description
        for row, description in zip(rows, descriptions, strict=True)
    ]


def _figure(value: float) -> str:
    return "infinite" if math.isinf(value) else f"{value:.4f}"
