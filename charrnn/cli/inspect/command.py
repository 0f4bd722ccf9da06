"""`charrnn inspect`: show the contents of a checkpoint."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.shared.options import CheckpointsArgument, JsonOption
from charrnn.errors import CharRNNError, UsageError

if TYPE_CHECKING:
    from charrnn.checkpoint import Checkpoint
    from charrnn.export.card import CardNovelty

NOVELTY_LENGTH, NOVELTY_TEMPERATURE = 20_000, 0.8
"""Length in characters, and temperature, of the sample whose novelty a card gives."""


def inspect(
    names: CheckpointsArgument = None,
    *,
    as_json: JsonOption = False,
    card: Annotated[
        bool, typer.Option("--card", help="Write a model card in Markdown, for a model hub, to standard output.")
    ] = False,
    license_: Annotated[
        str, typer.Option("--license", metavar="TEXT", help="With --card: the license of the training text.")
    ] = "",
) -> None:
    """Show the contents of a checkpoint.

    Its text, settings, scores, vocabulary, tensors, versions and checksums. No code from the file is run.

    With --card, write the page that a model hub shows: training text with SHA-256, recipe, scores, novelty, samples,
    and how to use the model.

    For a text, use `charrnn data inspect`.
    """
    from charrnn.checkpoint.info import read_info
    from charrnn.cli.inspect.tables import show_checkpoint
    from charrnn.cli.shared.checkpoints import find_checkpoint
    from charrnn.cli.shared.locate import locate_checkpoint
    from charrnn.cli.shared.terminal import print_json, shell_quoted
    from charrnn.scoring.compare.rows import checkpoint_summary

    advice = f"try `charrnn data inspect {' '.join(map(shell_quoted, names or []))}`"
    paths = [locate_checkpoint(name, advice) for name in names or ()]
    if len(paths) > 1:
        raise UsageError("inspect: shows one checkpoint at a time; to compare several, use `charrnn compare NAME...`")
    listing = read_info(paths[0] if paths else find_checkpoint(None))
    if license_ and not card:
        raise UsageError(f"--license {license_}: has no effect without --card; add --card")
    if card and as_json:
        raise UsageError("--card, --json: use one of them")
    if card:
        from charrnn.export.card import make_card

        sys.stdout.write(make_card(listing.checkpoint, license_, _novelty(listing.checkpoint)))
    elif as_json:
        print_json({**checkpoint_summary(listing.checkpoint), **listing.as_json()})
    else:
        show_checkpoint(listing)


def _novelty(checkpoint: Checkpoint) -> CardNovelty | None:
    """Measure how much the model copies; None if its training text is not at hand."""
    from charrnn.cli.shared.terminal import log, progress
    from charrnn.cli.shared.texts import read_training_text
    from charrnn.config import SamplingConfig
    from charrnn.export.card import CardNovelty
    from charrnn.sampling.generate import generate
    from charrnn.scoring.novelty import TrainingText
    from charrnn.text.documents import Documents

    try:
        corpus = read_training_text(checkpoint)
    except CharRNNError as error:
        log(f"novelty is not measured: {error}")
        return None
    vocabulary = checkpoint.vocabulary
    with progress("indexing the training text", "step") as update:
        text = TrainingText(corpus.train.ids, vocabulary, update)
    config = SamplingConfig(length=NOVELTY_LENGTH, temperature=NOVELTY_TEMPERATURE, seed=1)
    documents = Documents.of(checkpoint.metadata.text.corpus, vocabulary)
    sample = vocabulary.encode("".join(generate(checkpoint.model, vocabulary, config, documents=documents)))
    return CardNovelty(text.judge(sample), text.judge(corpus.validation.ids[:NOVELTY_LENGTH]), NOVELTY_TEMPERATURE)
