"""Sampling filters, each of which changes the distribution before a character is drawn; `FILTERS` lists them all.

A filter is a pure function from scores (B, V) to scores (B, V). Scores are log-probabilities up to a constant per row;
−∞ means impossible. To add a filter, write its function and its record here, and its setting in `SamplingConfig` with
`is_filter=True`, at the same place in the order. The options, the help, the sampler, beam search and the Python API are
made from these.
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
"""Scores, (B, V)."""


class Context(Protocol):
    """The text for which a character is drawn."""

    @property
    def allowed(self) -> NDArray[np.bool_] | None:
        """The characters that may come next, (V,); None for all."""

    def recent(self, count: int) -> Sequence[int]:
        """Return the last `count` characters of the text."""


ApplyFilter = Callable[[Scores, Sequence[Context]], Scores]
"""A function that applies a filter to the scores of B texts."""


@dataclass(frozen=True)
class Filter:
    """The record of a filter.

    Attributes:
        settings: the fields of SamplingConfig that the filter uses; the first one turns it on.
        make: returns the filter for a configuration and a vocabulary; None if the filter is off.
        in_beam_search: whether beam search applies the filter; otherwise `sample --beam` rejects its options.
    """

    settings: tuple[str, ...]
    make: Callable[[SamplingConfig, Vocabulary], ApplyFilter | None]
    in_beam_search: bool = False


def value_filter(setting: str, apply: Callable[[Scores, Any], Scores], in_beam_search: bool = False) -> Filter:
    """Return the record of a filter that has a single value, and is off if the value is None or False.

    Args:
        setting: the field of SamplingConfig.
        apply: the filter, a function of scores and the value.
        in_beam_search: see Filter.
    """

    def make(config: SamplingConfig, vocabulary: Vocabulary) -> ApplyFilter | None:
        value = getattr(config, setting)
        return None if value is None or value is False else lambda scores, contexts: apply(scores, value)

    return Filter((setting,), make, in_beam_search)


def keep_only(scores: Scores, allowed: NDArray[np.bool_]) -> Scores:
    """Make characters that are not allowed impossible; `allowed` is (V,) or (B, V)."""
    return np.where(allowed, scores, -np.inf)


def allowed_characters(config: SamplingConfig, vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """Return the characters (V,) that `allow` and `ban` permit, without the unknown symbol.

    Raises:
        UsageError: no character is left; or the vocabulary is bytes, and a character is not a single byte.
    """
    allowed: NDArray[np.bool_] = np.ones(len(vocabulary), bool)
    if config.allow is not None:
        allowed[:] = False
        allowed[_ids_of("--allow", config.allow, vocabulary)] = True
    if config.ban is not None:
        allowed[_ids_of("--ban", config.ban, vocabulary)] = False
    allowed[list(vocabulary.unsampleable)] = False
    if not allowed.any():
        raise UsageError("--allow, --ban: no character is left to generate; allow more characters")
    return allowed


def _allow_and_ban(config: SamplingConfig, vocabulary: Vocabulary) -> ApplyFilter | None:
    allowed = allowed_characters(config, vocabulary)
    return None if allowed.all() else lambda scores, contexts: keep_only(scores, allowed)


def keep_matching(scores: Scores, contexts: Sequence[Context]) -> Scores:
    """Make characters impossible that cannot lead to a match; a text that matches already may end with any."""
    masks = [context.allowed for context in contexts]
    if all(mask is None for mask in masks):
        return scores
    return keep_only(scores, np.stack([np.ones(scores.shape[-1], bool) if mask is None else mask for mask in masks]))


def _match(config: SamplingConfig, vocabulary: Vocabulary) -> ApplyFilter | None:
    return None if config.match is None else keep_matching


def penalize_repetition(scores: Scores, recent: Sequence[Iterable[int]], penalty: float) -> Scores:
    """Divide the probabilities of recent characters by a penalty.

    Like the repetition penalty of CTRL (Keskar et al. 2019, arXiv 1909.05858), but for probabilities, because dividing
    logits depends on their arbitrary constant.

    Args:
        scores: (B, V).
        recent: the recent characters of each row; how often a character occurs makes no difference.
        penalty: the divisor; values below 1 make repetition more likely.
    """
    changed = scores.copy()
    for row, tokens in enumerate(recent):
        changed[row, list(set(tokens))] -= np.log(penalty)
    return changed


def _repetition(config: SamplingConfig, vocabulary: Vocabulary) -> ApplyFilter | None:
    penalty, window = config.repetition_penalty, config.repetition_window
    if penalty == 1:
        return None
    return lambda scores, contexts: penalize_repetition(scores, [text.recent(window) for text in contexts], penalty)


def at_temperature(scores: Scores, temperature: float) -> Scores:
    """Scale to p^(1 / temperature); the largest score becomes 0, so even the lowest temperature gives finite scores."""
    changed: Scores = (scores - scores.max(-1, keepdims=True)) / temperature
    return changed


def _temperature(config: SamplingConfig, vocabulary: Vocabulary) -> ApplyFilter | None:
    temperature = config.temperature
    return None if temperature == 0 else lambda scores, contexts: at_temperature(scores, temperature)


def keep_top_k(scores: Scores, k: int) -> Scores:
    """Keep the k most likely characters of each row; in case of ties, still at most k."""
    if k >= scores.shape[-1]:
        return scores
    likeliest = np.argsort(-scores, axis=-1, kind="stable")[:, :k]
    return _only_at(scores, likeliest, True)


def keep_top_p(scores: Scores, p: float) -> Scores:
    """Keep the smallest set of most likely characters with total probability p, 0 < p ≤ 1 (nucleus sampling).

    Holtzman et al. 2020, arXiv 1904.09751. The most likely character is always kept.
    """
    order = np.argsort(-scores, axis=-1, kind="stable")
    ordered = np.take_along_axis(probabilities(scores), order, -1)
    is_kept = ordered.cumsum(-1) - ordered < p
    is_kept[:, 0] = True
    return _only_at(scores, order, is_kept)


def keep_min_p(scores: Scores, fraction: float) -> Scores:
    """Keep the characters with at least this fraction (0 to 1) of the probability of the most likely one.

    Nguyen et al. 2024, arXiv 2407.01082.
    """
    return np.where(scores >= scores.max(-1, keepdims=True) + np.log(fraction), scores, -np.inf)


TEMPERATURE = Filter(("temperature",), _temperature)
"""The only filter with which a model may sample without computing its whole distribution; see `make_sampler`."""

FILTERS: tuple[Filter, ...] = (
    Filter(("allow", "ban"), _allow_and_ban, in_beam_search=True),
    Filter(("match",), _match, in_beam_search=True),
    Filter(("repetition_penalty", "repetition_window"), _repetition),
    TEMPERATURE,
    value_filter("top_k", keep_top_k),
    value_filter("top_p", keep_top_p),
    value_filter("min_p", keep_min_p),
)
"""All filters in the order of application, which is the order of their fields in SamplingConfig."""


def active_filters(
    config: SamplingConfig, vocabulary: Vocabulary, in_beam_search: bool = False
) -> dict[Filter, ApplyFilter]:
    """Return the filters that a configuration turns on, in order.

    Args:
        config: the settings.
        vocabulary: the vocabulary of the model.
        in_beam_search: whether to return only filters that beam search applies.

    Raises:
        UsageError: see `allowed_characters`.
    """
    records = [record for record in _known_to(config) if record.in_beam_search or not in_beam_search]
    filters = {record: record.make(config, vocabulary) for record in records}
    return {record: apply for record, apply in filters.items() if apply}


def constraint_options(config: SamplingConfig) -> list[str]:
    """Return the options that constrain the generated text: those of the filters that beam search applies."""
    return [config.flag(name) for record in _known_to(config) if record.in_beam_search for name in record.settings]


def random_options(config: SamplingConfig) -> dict[str, str]:
    """Return the settings that only random sampling uses, and beam search does not, with their options."""
    names = [name for record in _known_to(config) if not record.in_beam_search for name in record.settings]
    return {name: config.flag(name) for name in (*names, "seed")}


def _known_to(config: SamplingConfig) -> list[Filter]:
    """Return the filters whose settings a configuration has; a custom filter may add settings in a subclass."""
    return [record for record in FILTERS if hasattr(config, record.settings[0])]


def probabilities(scores: Scores) -> Scores:
    """Convert scores to probabilities, (B, V), which sum to 1."""
    p: Scores = np.exp(scores - scores.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return p


def _ids_of(option: str, characters: str, vocabulary: Vocabulary) -> NDArray[Any]:
    """Return the ids of characters, without those that the model does not know, because it never generates them."""
    if vocabulary.is_bytes and not characters.isascii():
        first = character_name(next(character for character in characters if not character.isascii()))
        raise UsageError(f"{option}: the model generates bytes, and {first} has several; use ASCII characters only")
    return vocabulary.encode(characters, "skip")


def _only_at(scores: Scores, places: NDArray[Any], is_kept: NDArray[np.bool_] | bool) -> Scores:
    mask = np.zeros(scores.shape, bool)
    np.put_along_axis(mask, places, is_kept, -1)
    return np.where(mask, scores, -np.inf)
