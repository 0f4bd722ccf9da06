"""New text, character by character, from any language model: a generator, so that the caller owns the loop."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from charrnn.config import SamplingConfig
from charrnn.models.language_model import LanguageModel
from charrnn.sampling.batch import Writing
from charrnn.sampling.state import Mark, read_on
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
    """Write on from a prime.

    Args:
        model: any language model; a network must be in evaluation mode.
        vocabulary: the model's.
        config: how to draw, how long, and the seed (a new one each time, if None).
        prime: what the model reads first; it is not repeated. Without one the model begins as after a line end.
        unknown: see Vocabulary.encode.
        documents: what tells documents apart, if the model has read each from the beginning: so it writes them.

    Yields:
        Characters, one at a time: `config.length` of them, unless a stop ends the text. With a vocabulary of bytes,
        each item is what the last byte completed, which may be no character.

    Raises:
        TextError: the prime has a character that the vocabulary lacks.
        UsageError: the settings do not fit the vocabulary.
        ModelError: no character can be written.
    """
    return stream(begin(model, vocabulary, config, prime, unknown, documents))


def begin(
    model: LanguageModel,
    vocabulary: Vocabulary,
    config: SamplingConfig,
    prime: str = "",
    unknown: str = "error",
    documents: Documents | None = None,
    count: int = 1,
) -> Writing:
    """Several texts after one prime, which is read once; see `generate`.

    The seeds are `config.seed` and those that come after it, so each text is the one that its seed gives by itself.
    """
    seed = new_seed() if config.seed is None else config.seed
    ids = vocabulary.encode(prime, unknown).tolist()
    after = read_on(model, Mark.start(vocabulary, seed), ids, documents)
    return Writing(model, vocabulary, config, [after.with_seed(seed + i) for i in range(count)], documents)


def stream(writing: Writing) -> Iterator[str]:
    """What the first text of some is completed by, character by character."""
    while not writing.is_over:
        for row, piece in writing.step():
            if row == 0 and not writing.texts[0].is_rejected:
                yield piece


def new_seed() -> int:
    """One that nobody has chosen."""
    return secrets.randbelow(2**31)
