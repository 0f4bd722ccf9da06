"""New text, character by character, from any language model: a generator, so that the caller owns the loop."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence

from charrnn.config import SamplingConfig
from charrnn.models.language_model import LanguageModel
from charrnn.sampling.writing import Mark, Writing, read_on
from charrnn.text.vocabulary import Vocabulary


def generate(
    model: LanguageModel,
    vocabulary: Vocabulary,
    config: SamplingConfig,
    prime: str = "",
    unknown: str = "error",
) -> Iterator[str]:
    """Write on from a prime.

    Args:
        model: any language model; a network must be in evaluation mode.
        vocabulary: the model's.
        config: how to draw, how long, and the seed (a new one each time, if None).
        prime: what the model reads first; it is not repeated. Without one the model begins as after a line end.
        unknown: see Vocabulary.encode.

    Yields:
        Characters, one at a time: `config.length` of them, unless a stop ends the text. With a vocabulary of bytes,
        each item is what the last byte completed, which may be no character.

    Raises:
        TextError: the prime has a character that the vocabulary lacks.
        UsageError: the settings do not fit the vocabulary.
        ModelError: no character can be written.
    """
    return stream(begin(model, vocabulary, config, prime, unknown))


def begin(
    model: LanguageModel,
    vocabulary: Vocabulary,
    config: SamplingConfig,
    prime: str = "",
    unknown: str = "error",
    count: int = 1,
    is_document: bool = False,
) -> Writing:
    """Several texts after one prime, which is read once; see `generate`.

    The seeds are `config.seed` and those that come after it, so each text is the one that its seed gives by itself.

    Args:
        model: any language model.
        vocabulary: the model's.
        config: how to draw, and when to end.
        prime: what is read first.
        unknown: see Vocabulary.encode.
        count: how many.
        is_document: whether the model has read documents, each from the beginning: so the prime is read, too.
    """
    seed = new_seed() if config.seed is None else config.seed
    ids = vocabulary.encode(prime, unknown).tolist()
    after = first_mark(model, vocabulary, seed, ids, is_document)
    return Writing(model, vocabulary, config, [after.with_seed(seed + i) for i in range(count)])


def first_mark(model: LanguageModel, vocabulary: Vocabulary, seed: int, ids: Sequence[int], is_document: bool) -> Mark:
    """Where a text begins, after the characters of a prime."""
    start = Mark.start(vocabulary, seed)
    return read_on(model, start, (*start.ids, *ids) if ids and is_document else ids)


def stream(writing: Writing) -> Iterator[str]:
    """What the first text of some is completed by, character by character."""
    while not writing.is_over:
        for row, piece in writing.step():
            if row == 0 and not writing.texts[0].is_rejected:
                yield piece


def new_seed() -> int:
    """One that nobody has chosen."""
    return secrets.randbelow(2**31)
