"""Output of `charrnn sample`: a sample as it is generated, several, the best of several, or that of beam search."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from charrnn.cli.shared.novelty import show_sample
from charrnn.cli.shared.terminal import (
    BAR_DELAY,
    has_colors,
    is_to_file,
    log,
    print_json,
    progress,
    progress_bar,
    text_writer,
)
from charrnn.cli.shared.texts import read_training_text
from charrnn.formatting import plural
from charrnn.pipeline.text_generator import TextGenerator
from charrnn.sampling.beam import BeamResult
from charrnn.sampling.generate import stream
from charrnn.sampling.state import GenerationState
from charrnn.scoring.novelty import index_training_text

SEPARATOR = "-" * 15 + "\n"
"""The line between two samples."""


def show_one(generator: TextGenerator, novelty: bool, text: Sequence[str] | None) -> None:
    """Write one sample while it is generated, and print how much of it is copied if `novelty`."""
    batch = generator.batch(generator.begins())
    corpus = read_training_text(generator.checkpoint, text) if novelty else None
    training = index_training_text(corpus, progress) if corpus else None
    _log_settings(generator)
    write = text_writer()
    write(generator.prompt)
    characters = stream(batch)
    pieces: Iterable[tuple[str, bool]] = ((character, False) for character in characters)
    is_marked = training is not None and has_colors()
    if training and is_marked:
        pieces = training.mark_copies(characters)
    generated = []
    # A bar only if the text goes to a file: on a terminal the text itself shows the progress.
    with progress_bar(generator.config.length, "sampling", "char", delay=BAR_DELAY, hidden=not is_to_file()) as shown:
        for piece, is_copied in pieces:
            write(piece, is_copied)
            shown.update()
            if training:
                generated.append(piece)
    write("\n" if sys.stdout.isatty() else "")
    if corpus and training:
        show_sample("".join(generated), training, corpus, is_marked)


def show_several(generator: TextGenerator, count: int, as_json: bool) -> None:
    """Write several samples, which are generated in batches; the first one is written while it is generated."""
    begins, ends = generator.begins(count), list[GenerationState]()
    _log_settings(generator, begins[-1].seed if count > 1 else None)
    write = text_writer()
    hidden = not as_json and sys.stdout.isatty()
    with progress_bar(count * generator.config.length, "sampling", "char", delay=BAR_DELAY, hidden=hidden) as shown:
        for batch in generator.batches(begins):
            is_streamed = not as_json and not ends
            write(generator.prompt if is_streamed else "")
            while not batch.finished:
                pieces = batch.step()
                shown.update(len(pieces))
                if is_streamed:
                    write(next((piece for row, piece in pieces if row == 0), ""))
            ends += batch.states
    if as_json:
        objects = [generator.as_json(begin, end) for begin, end in zip(begins, ends, strict=True)]
        print_json(objects[0] if count == 1 else objects)
        return
    texts = [generator.text_between(begin, end) for begin, end in zip(begins, ends, strict=True)]
    for number, text in enumerate(texts, 1):
        if number > 1:
            write(f"{SEPARATOR}{generator.prompt}{text}")
        is_last = number == count
        write("" if text.endswith("\n") or (is_last and not sys.stdout.isatty()) else "\n")


def show_best(generator: TextGenerator, count: int, as_json: bool) -> None:
    """Generate several samples and write the likeliest of them."""
    with progress_bar(count * generator.config.length, "sampling", "char", delay=BAR_DELAY) as shown:
        begin, end = generator.best_of(count, shown.update)
    settings = f"temperature {generator.config.temperature:g}, seed {end.seed}"
    log(f"{generator.description}, {settings}, the likeliest of {plural(count, 'sample')}")
    if as_json:
        print_json(generator.as_json(begin, end))
    else:
        _show_whole(generator, begin, end)


def show_beam(generator: TextGenerator, width: int, as_json: bool) -> None:
    """Search for the likeliest text with a beam, and write it."""
    (begin,) = generator.begins()
    result: BeamResult | None = None
    with progress_bar(generator.config.length, "searching", "char", delay=BAR_DELAY) as shown:
        for result in generator.beam_search(begin, width):  # noqa: B007
            shown.update()
    assert result is not None
    log(
        f"{generator.description}, beam search with {plural(width, 'beam')}, log-probability {result.log_prob:.4g} nats"
    )
    if as_json:
        print_json({**generator.as_json(begin, result.end), "seed": None})  # beam search is deterministic
    else:
        _show_whole(generator, begin, result.end)


def _log_settings(generator: TextGenerator, last_seed: int | None = None) -> None:
    temperature, seed = generator.config.temperature, generator.seed
    seeds = f"seed {seed}" if last_seed is None else f"seeds {seed} to {last_seed}"
    log(f"{generator.description}, temperature {temperature:g}, {seeds}")


def _show_whole(generator: TextGenerator, begin: GenerationState, end: GenerationState) -> None:
    line_end = "\n" if sys.stdout.isatty() else ""
    text_writer()(f"{generator.prompt}{generator.text_between(begin, end)}{line_end}")
