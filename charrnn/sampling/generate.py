"""New text, character by character, from any language model: a generator, so that the caller owns the loop."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import torch

from charrnn.config import SamplingConfig
from charrnn.models.language_model import Draw, LanguageModel, State, write
from charrnn.sampling.decoding import make_draw
from charrnn.text.vocabulary import Vocabulary

PIECE = 1024
"""Characters of the prime that are read at a time."""


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
        `config.length` characters, one at a time. With a vocabulary of bytes, each item is what the last byte
        completed, which may be no character.

    Raises:
        TextError: the prime has a character that the vocabulary lacks.
    """
    ids = vocabulary.encode(prime, unknown)
    tokens = torch.from_numpy(ids) if len(ids) else torch.tensor([vocabulary.start])
    generator = torch.Generator()
    if config.seed is None:
        generator.seed()
    else:
        generator.manual_seed(config.seed)
    return _texts(model, vocabulary, tokens, make_draw(config, generator), config.length)


def _texts(
    model: LanguageModel, vocabulary: Vocabulary, tokens: torch.Tensor, draw: Draw, length: int
) -> Iterator[str]:
    decode = vocabulary.decoder()
    state: State | None = None
    with torch.inference_mode():
        for begin in range(0, len(tokens) - 1, PIECE):
            _, state = model(tokens[None, begin : min(begin + PIECE, len(tokens) - 1)], state)
    for token in islice(write(model, int(tokens[-1]), state, draw), length):
        yield decode(token)
