"""`charrnn compare`: models side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from charrnn.cli import completion
from charrnn.config import LARGEST_INTEGER, SamplingConfig


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
    from charrnn.cli.compare_display import show, show_copies, show_samples
    from charrnn.cli.compare_models import fitted_ngram, fitted_on, others_like, with_parts
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
        models = [first, *others_like(first, checkpoints_in(FOLDER), where)]
    if not text:
        corpus = read_fitted_on(models[0])
    else:
        corpus = read(locate_all(text), models[0].facts.text.corpus, models[0].vocabulary)
    part = held_out(models, corpus)
    models = list(with_parts(models))
    if all(model.kind != "ngram" for model in models):
        models += fitted_ngram(models[0], corpus)
    text_of_all = fitted_on(models, corpus) if novelty_length else None
    copying = Copying.beside(part, sort(text_of_all), novelty_length) if text_of_all else None
    rows = []
    for model in models:
        scoring, writing = progress(f"scoring {model.name}", "char"), progress(f"{model.name} writes", "char")
        with scoring as scored, writing as written:
            rows.append(measure(model, part, prime, sampling, unknown, copying, scored, written))
    rows.sort(key=lambda row: row.score.nats_per_char)
    if as_json:
        print_json([row.as_json() for row in rows])
    else:
        show(rows, part, corpus)
        if text_of_all:
            show_copies(rows, text_of_all)
        show_samples(rows, prime)
