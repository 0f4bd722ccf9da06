"""Generate text from one checkpoint or an interpolation of several: sampling, best of N, and beam search."""

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
"""Maximum batch size of sampling, in texts."""


class TextGenerator:
    """Text generator for one checkpoint, or for the interpolation of several.

    Args:
        checkpoint: the model.
        config: sampling settings; without a seed, a random one is chosen.
        prompt: the prompt of all texts.
        unknown: how to treat characters of the prompt that are not in the vocabulary, see `Vocabulary.encode`.
        mixed: other checkpoints with their weights; the weight of the first is the rest up to 1.
        log: called with a line if the prompt is converted to another Unicode normal form.

    Raises:
        UsageError: the weights of the other checkpoints sum to 1 or more.
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
                f"--mix {other.name}:{weight:g}: leaves no weight for the first model; weights must sum to less than 1"
            )
        for other, _ in mixed:
            if other.vocabulary != checkpoint.vocabulary:
                raise ModelError(
                    f"--mix {other.name}: has a different vocabulary ({len(other.vocabulary)} characters) than "
                    f"{checkpoint.name} ({len(checkpoint.vocabulary)}); mix models that were fitted on the same text"
                )
        self.prompt = self.prepare(prompt)

    @cached_property
    def model(self) -> LanguageModel:
        """The language model, an interpolation if several checkpoints are mixed."""
        if not self.mixed:
            return self.checkpoint.model
        models = [self.checkpoint.model, *(other.model for other, _ in self.mixed)]
        return InterpolatedModel(models, [self.weight, *(weight for _, weight in self.mixed)])

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary, which all checkpoints share."""
        return self.checkpoint.vocabulary

    @cached_property
    def documents(self) -> Documents | None:
        """The document separator, if the first model was trained on separate documents."""
        return Documents.of(self.checkpoint.metadata.text.corpus, self.vocabulary)

    @property
    def description(self) -> str:
        """Files and models, in one line."""
        if not self.mixed:
            return f"{self.checkpoint.path}: {self.checkpoint.description}"
        pairs = ((self.checkpoint, self.weight), *self.mixed)
        return " and ".join(
            f"{checkpoint.path}: {checkpoint.description} ({100 * weight:.4g}%)" for checkpoint, weight in pairs
        )

    def prepare(self, text: str) -> str:
        """Return a prompt in the form in which `read_corpus` reads texts: line ends, Unicode form, case."""
        if self.vocabulary.is_bytes:
            return text
        plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        plain = normalize_text(plain, self.checkpoint.metadata.text.corpus)
        form = self.vocabulary.known_form(plain)
        if form:
            self._log(f"prompt converted to Unicode form {form}, the form of the model's vocabulary")
            plain = unicodedata.normalize(form, plain)
        return plain

    def begins(self, count: int = 1) -> list[GenerationState]:
        """Read the prompt once, and return `count` states with the seeds `seed`, `seed` + 1 and so on."""
        after = self.advance(GenerationState.start(self.vocabulary, self.seed), self.prompt)
        return [after.with_seed(self.seed + i) for i in range(count)]

    def advance(self, state: GenerationState, text: str) -> GenerationState:
        """Return the state after more prompt text, which `prepare` has converted.

        Raises:
            TextError: with `unknown="error"`, the text has characters that are not in the vocabulary.
        """
        ids = self.vocabulary.encode(text, self.unknown).tolist()
        return advance(self.model, state, ids, self.documents)

    def batch(self, states: Sequence[GenerationState], config: SamplingConfig | None = None) -> BatchGenerator:
        """Return a batch that continues from states, with `config` or the generator's settings."""
        return BatchGenerator(self.model, self.vocabulary, config or self.config, states, self.documents)

    def batches(self, states: Sequence[GenerationState]) -> Iterator[BatchGenerator]:
        """Yield batches of at most `MAX_SIDE_BY_SIDE` texts that continue from states."""
        for first in range(0, len(states), MAX_SIDE_BY_SIDE):
            yield self.batch(states[first : first + MAX_SIDE_BY_SIDE])

    def best_of(
        self, count: int, on_step: Callable[[int], object] = lambda characters: None
    ) -> tuple[GenerationState, GenerationState]:
        """Generate several texts and choose the one with the highest mean log-probability per character.

        Args:
            count: number of texts.
            on_step: called after each step with the number of characters generated in it.

        Returns:
            The states at the beginning and at the end of the chosen text.
        """
        begins, ends = self.begins(count), list[GenerationState]()
        for batch in self.batches(begins):
            while not batch.finished:
                on_step(len(batch.step()))
            ends += batch.states
        best = likeliest(self.model, self.vocabulary, ends, self.documents)
        return begins[best], ends[best]

    def beam_search(self, begin: GenerationState, width: int) -> Iterator[BeamResult | None]:
        """Run beam search with `width` beams; see `charrnn.sampling.beam.beam_search`."""
        return beam_search(self.model, self.vocabulary, self.config, begin, width, self.documents)

    def text_between(self, begin: GenerationState, end: GenerationState) -> str:
        """Return the text between two states."""
        return self.vocabulary.decode(end.ids[len(begin.ids) :])

    def as_json(self, begin: GenerationState, end: GenerationState) -> dict[str, Any]:
        """Return the text between two states, and its scores, with the keys of charrnn's JSON."""
        from charrnn.scoring.compare.rows import checkpoint_summary  # loads all of scoring

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
