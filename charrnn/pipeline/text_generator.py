"""Text from one checkpoint or several mixed: any number of texts, the best of several, the likeliest by beam search."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from charrnn.checkpoint import Checkpoint
from charrnn.config import SamplingConfig
from charrnn.errors import ModelError, UsageError
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.language_model import LanguageModel
from charrnn.sampling.batch import BatchGenerator
from charrnn.sampling.beam import BeamResult, beam_search
from charrnn.sampling.generate import new_seed
from charrnn.sampling.likelihood import generated_log_probs, likeliest
from charrnn.sampling.state import GenerationState, advance
from charrnn.text.documents import Documents
from charrnn.text.normalize import normalize_text
from charrnn.text.vocabulary import Vocabulary

MAX_SIDE_BY_SIDE = 1024
"""The number of texts that are generated at once."""


class TextGenerator:
    """Generates texts from one checkpoint, or from several whose probabilities are averaged.

    Args:
        checkpoint: the model.
        config: the settings; a seed is chosen where it has none.
        prompt: what all texts begin with.
        unknown: what to do with its characters that the model does not know, see Vocabulary.encode.
        mixed: other checkpoints, and the weight of each in the average; the first has the rest.
        log: called with a line if the prompt is read in another form than it was typed in.

    Raises:
        UsageError: the weights leave nothing for the first checkpoint.
        ModelError: the checkpoints have different vocabularies.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        config: SamplingConfig,
        prompt: str = "",
        unknown: str = "error",
        mixed: Sequence[tuple[Checkpoint, float]] = (),
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.checkpoint, self.config, self.unknown, self.mixed, self._log = checkpoint, config, unknown, mixed, log
        self.seed = new_seed() if config.seed is None else config.seed
        self.weight = 1 - sum(weight for _, weight in mixed)
        if self.weight <= 1e-9:
            other, weight = mixed[-1]
            raise UsageError(
                f"--mix {other.name}:{weight:g} leaves nothing for the first model; the weights must sum to less than 1"
            )
        for other, _ in mixed:
            if other.vocabulary != checkpoint.vocabulary:
                raise ModelError(
                    f"--mix {other.name}: knows other characters than {checkpoint.name} ({len(other.vocabulary)}, not "
                    f"{len(checkpoint.vocabulary)}); mix models that were fitted on the same text"
                )
        self.prompt = self.prepare(prompt)

    @cached_property
    def model(self) -> LanguageModel:
        """The language model."""
        if not self.mixed:
            return self.checkpoint.model
        models = [self.checkpoint.model, *(other.model for other, _ in self.mixed)]
        return InterpolatedModel(models, [self.weight, *(weight for _, weight in self.mixed)])

    @property
    def vocabulary(self) -> Vocabulary:
        """The characters, which all checkpoints share."""
        return self.checkpoint.vocabulary

    @cached_property
    def documents(self) -> Documents | None:
        """How documents are separated, if the first model has read each from the beginning."""
        return Documents.of(self.checkpoint.metadata.text.corpus, self.vocabulary)

    @property
    def description(self) -> str:
        """Files and models, in a few words."""
        if not self.mixed:
            return f"{self.checkpoint.path}: {self.checkpoint.description}"
        pairs = ((self.checkpoint, self.weight), *self.mixed)
        return " and ".join(
            f"{checkpoint.path}: {checkpoint.description} ({100 * weight:.4g}%)" for checkpoint, weight in pairs
        )

    def prepare(self, text: str) -> str:
        """A prompt as `read_corpus` would read it, which is all that a model of characters knows."""
        if self.vocabulary.is_bytes:
            return text
        plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        plain = normalize_text(plain, self.checkpoint.metadata.text.corpus)
        form = self.vocabulary.known_form(plain)
        if form:
            self._log(f"the prime was converted to {form}, the form in which the model knows its accents")
            plain = unicodedata.normalize(form, plain)
        return plain

    def begins(self, count: int = 1) -> list[GenerationState]:
        """Where texts begin, after the prompt, which is read once; their seeds are `seed` and those after it."""
        after = self.advance(GenerationState.start(self.vocabulary, self.seed), self.prompt)
        return [after.with_seed(self.seed + i) for i in range(count)]

    def advance(self, state: GenerationState, text: str) -> GenerationState:
        """Where a text is after more of a prompt, as `prepare` gives it."""
        ids = self.vocabulary.encode(text, self.unknown).tolist()
        return advance(self.model, state, ids, self.documents)

    def batch(self, states: Sequence[GenerationState], config: SamplingConfig | None = None) -> BatchGenerator:
        """Texts that continue from these places, with the settings or with others."""
        return BatchGenerator(self.model, self.vocabulary, config or self.config, states, self.documents)

    def batches(self, states: Sequence[GenerationState]) -> Iterator[BatchGenerator]:
        """Any number of texts, in batches of at most `MAX_SIDE_BY_SIDE`."""
        for first in range(0, len(states), MAX_SIDE_BY_SIDE):
            yield self.batch(states[first : first + MAX_SIDE_BY_SIDE])

    def best_of(
        self, count: int, on_step: Callable[[int], object] = lambda characters: None
    ) -> tuple[GenerationState, GenerationState]:
        """Generate several texts; where the one begins and ends that the model finds likeliest per character.

        After each step, `on_step` is called with the number of characters that it has generated.
        """
        begins, ends = self.begins(count), list[GenerationState]()
        for batch in self.batches(begins):
            while not batch.finished:
                on_step(len(batch.step()))
            ends += batch.states
        best = likeliest(self.model, self.vocabulary, ends, self.documents)
        return begins[best], ends[best]

    def beam_search(self, begin: GenerationState, width: int) -> Iterator[BeamResult | None]:
        """See the function of the same name."""
        return beam_search(self.model, self.vocabulary, self.config, begin, width, self.documents)

    def text_between(self, begin: GenerationState, end: GenerationState) -> str:
        """The text from one place to a later one."""
        return self.vocabulary.decode(end.ids[len(begin.ids) :])

    def as_json(self, begin: GenerationState, end: GenerationState) -> dict[str, Any]:
        """A text from where it began, under the names that all of charrnn's JSON uses."""
        from charrnn.scoring.compare.rows import checkpoint_summary  # with all that a comparison needs

        summary = checkpoint_summary(self.checkpoint)
        mix = [{"checkpoint": str(other.path), "weight": weight} for other, weight in self.mixed]
        log_probs = generated_log_probs(self.model, self.vocabulary, end, self.documents)
        log_probs = log_probs[len(begin.ids) - end.prompt_length :].tolist()
        nats = -math.fsum(log_probs) / len(log_probs) if log_probs else None
        return {
            **{name: summary[name] for name in ("checkpoint", "kind", "model", "version")},
            **({"mix": mix} if mix else {}),
            "temperature": self.config.temperature,
            "prime": self.prompt,
            "text": self.text_between(begin, end),
            "characters": len(log_probs),
            "seed": end.seed,
            "nats_per_char": nats,
            "bits_per_char": None if nats is None else nats / math.log(2),
            "log_probs": log_probs,
        }
