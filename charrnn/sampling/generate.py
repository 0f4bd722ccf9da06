"""Generating text one character at a time, as a Python generator, so that the caller owns the loop."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from charrnn.config import SamplingConfig
from charrnn.models.language_model import LanguageModel
from charrnn.sampling.batch import BatchGenerator
from charrnn.sampling.state import GenerationState, advance
from charrnn.text.documents import Documents
from charrnn.text.vocabulary import Vocabulary


def generate(
    model: LanguageModel,
    vocabulary: Vocabulary,
    config: SamplingConfig,
    prime: str = "",
    unknown: str = "error",
    documents: Documents | None = None,
) -> Iterator[str]:
    """Continue a prompt.

    Args:
        model: the model.
        vocabulary: the vocabulary of the model.
        config: the settings, with the seed (if None, a new one each time).
        prime: the prompt, which is not repeated. Without one, the model starts as after a line end.
        unknown: see Vocabulary.encode.
        documents: how documents are separated, if the model was trained on documents; it then generates documents.

    Yields:
        Characters, one at a time: `config.length` of them, unless a stop condition ends the text. With a byte
        vocabulary, each item is the text that the last byte completed, possibly empty.

    Raises:
        TextError: the vocabulary lacks a character of the prompt.
        UsageError: the settings do not fit the vocabulary.
        ModelError: no character can be generated.
    """
    return stream(start_batch(model, vocabulary, config, prime, unknown, documents))


def start_batch(
    model: LanguageModel,
    vocabulary: Vocabulary,
    config: SamplingConfig,
    prime: str = "",
    unknown: str = "error",
    documents: Documents | None = None,
    count: int = 1,
) -> BatchGenerator:
    """Start several texts after one prompt, which is read once; see `generate`.

    Text i uses the seed `config.seed` + i, and is the same as if generated alone with that seed.
    """
    seed = new_seed() if config.seed is None else config.seed
    ids = vocabulary.encode(prime, unknown).tolist()
    after = advance(model, GenerationState.start(vocabulary, seed), ids, documents)
    return BatchGenerator(model, vocabulary, config, [after.with_seed(seed + i) for i in range(count)], documents)


def stream(batch: BatchGenerator) -> Iterator[str]:
    """Yield the first text of a batch, one character at a time."""
    while not batch.finished:
        for row, piece in batch.step():
            if row == 0 and not batch.sequences[0].dropped_last:
                yield piece


def new_seed() -> int:
    """Return a new random seed."""
    return secrets.randbelow(2**31)
