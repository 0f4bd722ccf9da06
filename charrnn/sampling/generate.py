"""New text, character by character, from any language model: a generator, so that the caller owns the loop."""

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
        vocabulary: the model's.
        config: the settings, with the seed (a new one each time, if None).
        prime: the prompt, which is not repeated. Without one the model begins as after a line end.
        unknown: see Vocabulary.encode.
        documents: how documents are separated, if the model has read each from the beginning: so it generates them.

    Yields:
        Characters, one at a time: `config.length` of them, unless a stop ends the text. With a vocabulary of bytes,
        each item is what the last byte completed, which may be no character.

    Raises:
        TextError: the prompt has a character that the vocabulary lacks.
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
    """Several texts after one prompt, which is read once; see `generate`.

    The seeds are `config.seed` and those that come after it, so each text is the one that its seed gives by itself.
    """
    seed = new_seed() if config.seed is None else config.seed
    ids = vocabulary.encode(prime, unknown).tolist()
    after = advance(model, GenerationState.start(vocabulary, seed), ids, documents)
    return BatchGenerator(model, vocabulary, config, [after.with_seed(seed + i) for i in range(count)], documents)


def stream(batch: BatchGenerator) -> Iterator[str]:
    """The first text of a batch, character by character."""
    while not batch.finished:
        for row, piece in batch.step():
            if row == 0 and not batch.sequences[0].dropped_last:
                yield piece


def new_seed() -> int:
    """A random seed."""
    return secrets.randbelow(2**31)
