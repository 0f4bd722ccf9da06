"""Language models whose every probability is known: they look at what was read, not at weights."""

from collections.abc import Callable

import torch
from torch import Tensor

from charrnn.models.language_model import State


class KnownModel:
    """A model whose log-probabilities are a function of the characters since the empty state, the last one last.

    Args:
        vocab_size: V.
        says: (T,) characters read so far → (V,) logits.
    """

    def __init__(self, vocab_size: int, says: Callable[[list[int]], Tensor]) -> None:
        self.vocab_size, self.says = vocab_size, says

    def __call__(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """See LanguageModel; the state is all that was read."""
        before = tokens[:, :0] if state is None else state[0]
        read = torch.cat((before, tokens), 1)
        rows = [
            torch.stack([self.says(row[: before.shape[1] + t + 1].tolist()) for t in range(tokens.shape[1])])
            for row in read
        ]
        return torch.stack(rows), (read,)


def by_length(vocab_size: int) -> KnownModel:
    """Character 0 has the probability 1 / (1 + how many characters were read); the rest is shared by the others."""

    def says(read: list[int]) -> Tensor:
        p = 1 / (1 + len(read))
        rest = torch.full((vocab_size,), (1 - p) / (vocab_size - 1))
        rest[0] = p
        return rest.log()

    return KnownModel(vocab_size, says)


def always(vocab_size: int, odds: dict[int, float]) -> KnownModel:
    """Some characters have these probabilities at all places; the rest is shared by the others."""
    p = torch.full((vocab_size,), (1 - sum(odds.values())) / (vocab_size - len(odds)))
    for token, probability in odds.items():
        p[token] = probability
    return KnownModel(vocab_size, lambda read: p.log())
