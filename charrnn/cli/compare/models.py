"""Which models `compare` and `view` put side by side, and the text that all of them were fitted on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from charrnn.checkpoint import Checkpoint, load, taken_apart
from charrnn.cli.shared.terminal import progress, say
from charrnn.cli.shared.texts import read_fitted_on
from charrnn.errors import CheckpointError, TextError
from charrnn.pipeline.ngrams import fit_ngrams
from charrnn.scoring.compare.baselines import MOST_COUNTED, SMOOTHINGS, missing
from charrnn.text.corpus import Corpus

WITHOUT = "no n-grams are fitted, and what they copy is not looked for"
"""Without the text that all models were fitted on."""


def others_like(first: Checkpoint, paths: Sequence[Path], device: torch.device) -> Iterator[Checkpoint]:
    """The other checkpoints that were fitted on the same part of the same text; what cannot be read is passed over."""
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


def with_parts(models: Sequence[Checkpoint]) -> Iterator[Checkpoint]:
    """The models, and the parts of the mixtures among them, to show what each brings; counts that are there once."""
    counted = {model.description for model in models if model.kind == "ngram"}
    for model in models:
        whole, *parts = taken_apart(model)
        yield whole
        for part in parts:
            if part.description not in counted:
                yield part
            if part.kind == "ngram":
                counted.add(part.description)


def fitted_on(models: Sequence[Checkpoint], corpus: Corpus) -> Corpus | None:
    """The text that all the models were fitted on, if there is one and it can be read."""
    text = models[0].facts.text
    if any((one.facts.text.sha256, one.facts.text.corpus) != (text.sha256, text.corpus) for one in models):
        say(f"{WITHOUT}: they were not fitted on the same text")
        return None
    if corpus.sha256 == text.sha256:
        return corpus
    try:
        return read_fitted_on(models[0])
    except TextError as error:
        say(f"{WITHOUT}: {error}")
        return None


def fitted_ngrams(models: Sequence[Checkpoint], corpus: Corpus, are_all: bool) -> list[Checkpoint]:
    """The n-grams that a table lacks, counted over the same training part, with bars.

    Args:
        models: that are there.
        corpus: the text that all of them were fitted on.
        are_all: whether all of them are counted, however long the text is.
    """
    smoothings: Sequence[str] = SMOOTHINGS
    if not are_all and len(corpus.train) > MOST_COUNTED:
        smoothings = SMOOTHINGS[:1]
        say(
            f"{', '.join(SMOOTHINGS[1:])}: not counted, for the training part has {len(corpus.train):,} characters; "
            "--baselines all counts them too"
        )
    configs = missing(models, corpus.config.bytes, smoothings)
    if configs:
        say(f"fitting {', '.join(map(str, configs))} for the table (`charrnn ngram` keeps one)")
    return [fit_ngrams(corpus, config, progress).checkpoint for config in configs]
