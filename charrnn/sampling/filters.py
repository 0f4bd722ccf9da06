"""The filters of sampling: each changes the distribution before a character is drawn, and has its record in `FILTERS`.

A filter is a pure function from scores (B, V) to scores (B, V). Scores are log-probabilities up to a constant in each
row; −∞ is impossible. To add a filter, write its function and its record here, and its setting in `SamplingConfig`
with `is_filter=True`, at the same place in the order: the options, the help, the sampler, beam search and the Python
interface follow from these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.config import SamplingConfig
from charrnn.errors import UsageError
from charrnn.text.vocabulary import Vocabulary, character_name

Scores = NDArray[np.float64]
"""(B, V)"""


class Context(Protocol):
    """The text that a character is drawn for."""

    @property
    def allowed(self) -> NDArray[np.bool_] | None:
        """(V,) the characters that may come next; all of them if None."""

    def recent(self, count: int) -> Sequence[int]:
        """The last `count` characters of the text."""


ApplyFilter = Callable[[Scores, Sequence[Context]], Scores]
"""Applies a filter to the scores of B texts."""


@dataclass(frozen=True)
class Filter:
    """The record of a filter.

    Attributes:
        settings: the fields of SamplingConfig that it reads; the first one turns it on.
        make: gives the filter for a configuration and a vocabulary; None where the filter is off.
        in_beam_search: whether beam search applies it; otherwise `sample --beam` refuses its options.
    """

    settings: tuple[str, ...]
    make: Callable[[SamplingConfig, Vocabulary], ApplyFilter | None]
    in_beam_search: bool = False


def value_filter(setting: str, apply: Callable[[Scores, Any], Scores], in_beam_search: bool = False) -> Filter:
    """The record of a filter that needs one value, and is off where that is None or False.

    Args:
        setting: the field of SamplingConfig.
        apply: the filter: scores and the value to scores.
        in_beam_search: see Filter.
    """

    def make(config: SamplingConfig, vocabulary: Vocabulary) -> ApplyFilter | None:
        value = getattr(config, setting)
        return None if value is None or value is False else lambda scores, contexts: apply(scores, value)

    return Filter((setting,), make, in_beam_search)


def keep_only(scores: Scores, allowed: NDArray[np.bool_]) -> Scores:
    """Make all characters impossible that are not allowed, (V,) or (B, V)."""
    return np.where(allowed, scores, -np.inf)


def allowed_characters(config: SamplingConfig, vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """(V,) the characters that `allow` and `ban` leave, without the unknown symbol.

    Raises:
        UsageError: there is none; or one is not a byte, in a vocabulary of bytes.
    """
    allowed: NDArray[np.bool_] = np.ones(len(vocabulary), bool)
    if config.allow is not None:
        allowed[:] = False
        allowed[_ids_of("--allow", config.allow, vocabulary)] = True
    if config.ban is not None:
        allowed[_ids_of("--ban", config.ban, vocabulary)] = False
    allowed[list(vocabulary.unsampleable)] = False
    if not allowed.any():
        raise UsageError("--allow, --ban: no character of the model is left to write; allow more")
    return allowed


def _allow_and_ban(config: SamplingConfig, vocabulary: Vocabulary) -> ApplyFilter | None:
    allowed = allowed_characters(config, vocabulary)
    return None if allowed.all() else lambda scores, contexts: keep_only(scores, allowed)


def keep_matching(scores: Scores, contexts: Sequence[Context]) -> Scores:
    """Make impossible what cannot lead to a match; a text that is a match already may go on with anything, and ends."""
    masks = [context.allowed for context in contexts]
    if all(mask is None for mask in masks):
        return scores
    return keep_only(scores, np.stack([np.ones(scores.shape[-1], bool) if mask is None else mask for mask in masks]))


def _match(config: SamplingConfig, vocabulary: Vocabulary) -> ApplyFilter | None:
    return None if config.match is None else keep_matching


def penalise_repetition(scores: Scores, recent: Sequence[Iterable[int]], penalty: float) -> Scores:
    """Divide the probability of the characters generated last.

    As the repetition penalty of CTRL (Keskar et al. 2019, arXiv 1909.05858), but of probabilities: dividing logits
    means something else for each constant that they may have.

    Args:
        scores: (B, V).
        recent: for each row, the characters generated last; how often one occurs makes no difference.
        penalty: the divisor; less than 1 makes repetition likelier.
    """
    changed = scores.copy()
    for row, tokens in enumerate(recent):
        changed[row, list(set(tokens))] -= np.log(penalty)
    return changed


def _repetition(config: SamplingConfig, vocabulary: Vocabulary) -> ApplyFilter | None:
    penalty, window = config.repetition_penalty, config.repetition_window
    if penalty == 1:
        return None
    return lambda scores, contexts: penalise_repetition(scores, [text.recent(window) for text in contexts], penalty)


def at_temperature(scores: Scores, temperature: float) -> Scores:
    """p^(1 / temperature); the largest score becomes 0, so that no temperature, however low, makes it infinite."""
    changed: Scores = (scores - scores.max(-1, keepdims=True)) / temperature
    return changed


def _temperature(config: SamplingConfig, vocabulary: Vocabulary) -> ApplyFilter | None:
    temperature = config.temperature
    return None if temperature == 0 else lambda scores, contexts: at_temperature(scores, temperature)


def keep_top_k(scores: Scores, k: int) -> Scores:
    """Keep the k likeliest characters of each row, or all if there are fewer; ties never keep more than k."""
    if k >= scores.shape[-1]:
        return scores
    likeliest = np.argsort(-scores, axis=-1, kind="stable")[:, :k]
    return _only_at(scores, likeliest, True)


def keep_top_p(scores: Scores, p: float) -> Scores:
    """Keep the fewest likeliest characters of each row whose probabilities reach p, 0 < p ≤ 1 (nucleus sampling).

    Holtzman et al. 2020, arXiv 1904.09751. The likeliest always stays.
    """
    order = np.argsort(-scores, axis=-1, kind="stable")
    ordered = np.take_along_axis(probabilities(scores), order, -1)
    is_kept = ordered.cumsum(-1) - ordered < p
    is_kept[:, 0] = True
    return _only_at(scores, order, is_kept)


def keep_min_p(scores: Scores, share: float) -> Scores:
    """Keep the characters that have at least this share (0 to 1) of the likeliest one's probability.

    Nguyen et al. 2024, arXiv 2407.01082.
    """
    return np.where(scores >= scores.max(-1, keepdims=True) + np.log(share), scores, -np.inf)


TEMPERATURE = Filter(("temperature",), _temperature)
"""The filter that some models sample with exactly, without spreading out the distribution; see `make_sampler`."""

FILTERS: tuple[Filter, ...] = (
    Filter(("allow", "ban"), _allow_and_ban, in_beam_search=True),
    Filter(("match",), _match, in_beam_search=True),
    Filter(("repetition_penalty", "repetition_window"), _repetition),
    TEMPERATURE,
    value_filter("top_k", keep_top_k),
    value_filter("top_p", keep_top_p),
    value_filter("min_p", keep_min_p),
)
"""All filters, in the order in which they are applied, which is that of their fields in SamplingConfig."""


def active_filters(
    config: SamplingConfig, vocabulary: Vocabulary, in_beam_search: bool = False
) -> dict[Filter, ApplyFilter]:
    """The filters that a configuration turns on, in order, ready to be applied.

    Args:
        config: the settings.
        vocabulary: the model's.
        in_beam_search: whether to leave out those that beam search does not apply.

    Raises:
        UsageError: see `allowed_characters`.
    """
    records = [record for record in _known_to(config) if record.in_beam_search or not in_beam_search]
    made = {record: record.make(config, vocabulary) for record in records}
    return {record: apply for record, apply in made.items() if apply}


def constraint_options(config: SamplingConfig) -> list[str]:
    """The options that say what may be generated at all: those of the filters that beam search applies."""
    return [config.flag(name) for record in _known_to(config) if record.in_beam_search for name in record.settings]


def random_options(config: SamplingConfig) -> dict[str, str]:
    """The settings that only random sampling uses, and beam search does not; each with its option."""
    names = [name for record in _known_to(config) if not record.in_beam_search for name in record.settings]
    return {name: config.flag(name) for name in (*names, "seed")}


def _known_to(config: SamplingConfig) -> list[Filter]:
    """The filters that a configuration has settings of: a filter of one's own may have them in a subclass."""
    return [record for record in FILTERS if hasattr(config, record.settings[0])]


def probabilities(scores: Scores) -> Scores:
    """(B, V) that sum to 1."""
    p: Scores = np.exp(scores - scores.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return p


def _ids_of(option: str, characters: str, vocabulary: Vocabulary) -> NDArray[Any]:
    """The ids of characters; those that the model does not know are never generated anyway."""
    if vocabulary.is_bytes and not characters.isascii():
        first = character_name(next(character for character in characters if not character.isascii()))
        raise UsageError(f"{option}: the model writes bytes, of which {first} has several; name ASCII characters")
    return vocabulary.encode(characters, "skip")


def _only_at(scores: Scores, places: NDArray[Any], is_kept: NDArray[np.bool_] | bool) -> Scores:
    mask = np.zeros(scores.shape, bool)
    np.put_along_axis(mask, places, is_kept, -1)
    return np.where(mask, scores, -np.inf)
