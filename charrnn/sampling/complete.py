"""Completing lines `source<separator>target`: generate targets with a model that was trained on such lines.

The model reads a source into its state, which summarizes a source of any length in a fixed size (Sutskever et al. 2014,
arXiv 1409.3215), and generates the target from this state. Lines are completed in parallel but independently: a target
depends neither on the other lines nor on their number. Unlike a `BatchGenerator`, sources are read in parallel too, and
a stepper is kept until half of its lines are finished.

In a training text of lines, every line but the first starts with the state after another line. Each line to complete
therefore follows one fixed line, which the model generates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from charrnn.config import CorpusConfig, SamplingConfig
from charrnn.errors import ModelError, TextError, UsageError
from charrnn.models.language_model import LanguageModel
from charrnn.models.stepper import Sampler, Stepper, log_softmax, make_stepper
from charrnn.sampling.generate import generate, new_seed
from charrnn.sampling.rng import CounterRNG
from charrnn.sampling.sampler import make_sampler
from charrnn.sampling.sequence import GeneratedSequence, SequenceRules
from charrnn.sampling.state import GenerationState, advance, stack_states
from charrnn.text.normalize import separator_of
from charrnn.text.vocabulary import Vocabulary, character_name

LINE_END = "\n"
"""The end of a line."""
BATCH_SIZE = 64
"""The number of lines completed in parallel."""
SORTED_BATCHES = 16
"""The number of batches whose lines are sorted by source length, so that the lines of a batch are of similar length."""
MAX_GREEDY_LINE = 200
"""The maximum length of a greedy line, without the line end."""


@dataclass(frozen=True)
class Completion:
    """A completed line.

    Attributes:
        source: the source, unchanged.
        target: the generated text, without the line end.
        log_prob: the log-probability of target and line end given the source, in nats, before filters.
        finished: whether the model ended the line, rather than the maximum length.
    """

    source: str
    target: str
    log_prob: float
    finished: bool


@dataclass
class Accuracy:
    """The accuracy of generated targets, in lines and in characters.

    A character is right if the expected target has the same character at the same position; missing and extra
    characters are wrong.
    """

    lines: int = 0
    right_lines: int = 0
    characters: int = 0
    right_characters: int = 0

    def add(self, target: str, expected: str) -> None:
        """Count one line."""
        self.lines += 1
        self.right_lines += target == expected
        self.characters += max(len(target), len(expected))
        self.right_characters += sum(a == b for a, b in zip(target, expected, strict=False))

    @property
    def of_lines(self) -> float:
        """The fraction of lines that are entirely right; 1 without lines."""
        return self.right_lines / self.lines if self.lines else 1.0

    @property
    def of_characters(self) -> float:
        """The fraction of characters that are right; 1 without characters."""
        return self.right_characters / self.characters if self.characters else 1.0

    def __str__(self) -> str:
        return (
            f"{self.of_lines:.2%} of {self.lines:,} lines exactly right, "
            f"{self.of_characters:.2%} of {self.characters:,} characters"
        )


def greedy_line(model: LanguageModel, vocabulary: Vocabulary) -> str:
    """Generate a line greedily from the initial state; return the line with its end."""
    config = SamplingConfig(temperature=0, length=MAX_GREEDY_LINE, until=(LINE_END,))
    return "".join(generate(model, vocabulary, config)).removesuffix(LINE_END) + LINE_END


def line_before(model: LanguageModel, vocabulary: Vocabulary, corpus: CorpusConfig) -> str:
    """Return the line that each line follows; empty if the model was trained on each line separately."""
    return "" if separator_of(corpus) == LINE_END else greedy_line(model, vocabulary)


class LineCompleter:
    """A completer of lines with a model.

    Args:
        model: the model.
        vocabulary: the vocabulary of the model.
        config: the sampling settings, with the maximum length of a target. Line n, counted from 0, uses the seed plus n
            (if the seed is None, a new one). Line ends are always allowed, whatever `allow` is.
        separator: the text between source and target.
        unknown: see Vocabulary.encode.
        after: text of whole lines, with their ends, that each line follows; see `line_before`.

    Raises:
        UsageError: the settings are invalid, or do not fit the vocabulary.
        ModelError: the vocabulary lacks line ends or the separator.
    """

    def __init__(
        self,
        model: LanguageModel,
        vocabulary: Vocabulary,
        config: SamplingConfig,
        separator: str = "\t",
        unknown: str = "error",
        after: str = "",
    ) -> None:
        if not separator or LINE_END in separator:
            raise UsageError(f"--sep {separator!r}: must be text without line ends, such as '\\t'")
        self.model, self.vocabulary, self.unknown = model, vocabulary, unknown
        _check_known(vocabulary, separator)
        self.separator = vocabulary.encode(separator)
        start = GenerationState.start(vocabulary, 0)
        self.state = advance(model, start, vocabulary.encode(f"{LINE_END}{after}").tolist()).state
        allow = None if config.allow is None else config.allow + LINE_END
        self.seed = new_seed() if config.seed is None else config.seed
        self.config = replace(config, allow=allow, until=(*config.until, LINE_END))
        self.rules = SequenceRules(self.config, vocabulary)

    def encode(self, source: str, number: int = 0) -> NDArray[np.int64]:
        """Return the ids (N,) the model reads before generating: the start character, the source and the separator.

        Raises:
            TextError: the vocabulary lacks a character of the source; the message has its position, with `number` as
                the line, counted from 0.
        """
        try:
            ids = self.vocabulary.encode(source, self.unknown)
        except TextError:
            ids = self.vocabulary.encode(LINE_END * number + source, self.unknown)  # raises, with the line's number
        return np.concatenate([[self.vocabulary.start], ids, self.separator])

    def complete(self, sources: Iterable[str | None], batch_size: int = BATCH_SIZE) -> Iterator[Completion]:
        """Generate a target for each source.

        Args:
            sources: the sources without line ends; None is an empty line, which stays empty.
            batch_size: the number of lines completed in parallel. With 1, each line is completed before the next source
                is consumed; otherwise `SORTED_BATCHES` times as many sources are consumed at once.

        Yields:
            Completions, in the order of the sources.

        Raises:
            TextError: see `encode`.
            ModelError: no character can be generated, or the target cannot match.
        """
        numbered = enumerate(sources)
        while block := list(islice(numbered, batch_size * SORTED_BATCHES if batch_size > 1 else 1)):
            lines = [_Line(self, number, source) for number, source in block]
            by_length = sorted(lines, key=lambda line: len(line.sequence.ids))
            batches = [by_length[begin : begin + batch_size] for begin in range(0, len(lines), batch_size)]
            batch_of = {line.number: batch for batch in batches for line in batch}
            for line in lines:
                if not line.sequence.finished:
                    self._complete(batch_of[line.number])
                yield line.completion

    def _complete(self, lines: Sequence[_Line]) -> None:
        """Complete lines in parallel."""
        lines = [line for line in lines if not line.sequence.finished]
        state = None if self.state is None else stack_states([self.state] * len(lines))
        while lines := [line for line in lines if not line.sequence.finished]:
            steps = make_stepper(self.model, state, len(lines))
            self._complete_half(lines, steps)
            unfinished = [row for row, line in enumerate(lines) if not line.sequence.finished]
            state = tuple(part[unfinished] for part in steps.state or ())

    def _complete_half(self, lines: Sequence[_Line], steps: Stepper) -> None:
        """Continue lines until half of them are finished, because a finished line takes as much time as any other."""
        generating: list[int] = []
        while 2 * sum(not line.sequence.finished for line in lines) > len(lines):
            logits = steps.read(np.array([line.next() for line in lines]))
            are_read = [row for row, line in enumerate(lines) if line.is_read]
            if are_read != generating:
                generating = are_read
                draw = self._sampler([lines[row].sequence for row in generating])
            if not generating:
                continue
            logits = logits[generating]
            drawn = draw(logits)
            log_probs = log_softmax(logits)[np.arange(len(drawn)), drawn]
            for row, token, log_prob in zip(generating, drawn.tolist(), log_probs.tolist(), strict=True):
                lines[row].add(token, log_prob)

    def _sampler(self, sequences: Sequence[GeneratedSequence]) -> Sampler:
        seeds = [sequence.begin.seed for sequence in sequences]
        # Each character consumes one random number.
        positions = [len(sequence.ids) - sequence.begin.prompt_length for sequence in sequences]
        return make_sampler(self.config, CounterRNG(seeds, positions), self.vocabulary, sequences)


class _Line:
    """A line during completion."""

    def __init__(self, completer: LineCompleter, number: int, source: str | None) -> None:
        self.number, self.source, self.log_prob = number, source or "", 0.0
        ids = completer.encode(self.source, number).tolist()
        begin = GenerationState(None, ids[0], tuple(ids), len(ids), completer.seed + number)
        self.sequence = GeneratedSequence(completer.rules, begin)
        self.sequence.finished |= source is None
        self._at, self._is_empty = 0, source is None

    @property
    def is_read(self) -> bool:
        """Whether the model has read all characters so far, so that the next one can be drawn."""
        return self._at == len(self.sequence.ids) and not self.sequence.finished

    def next(self) -> int:
        """Return the next character for the model to read; an arbitrary one if the line is finished."""
        ids = self.sequence.ids
        token = ids[min(self._at, len(ids) - 1)]
        self._at += 1
        return token

    def add(self, token: int, log_prob: float) -> None:
        """Append a drawn character."""
        try:
            self.sequence.add(token)
        except ModelError as error:
            raise ModelError(f"line {self.number + 1}: {error}") from None
        if not self.sequence.dropped_last:
            self.log_prob += log_prob

    @property
    def completion(self) -> Completion:
        """The completed line."""
        sequence, target = self.sequence, self.sequence.text
        ended = sequence.remaining > 0 or sequence.dropped_last or sequence.rules.stop.matches(target)
        return Completion(self.source, target.removesuffix(LINE_END), self.log_prob, ended or self._is_empty)


def _check_known(vocabulary: Vocabulary, separator: str) -> None:
    """Raise ModelError if the vocabulary lacks line ends or a character of the separator."""
    for character in (*separator, LINE_END):
        if vocabulary.characters is not None and character not in vocabulary.characters:
            missing, other = (
                ("line ends", "") if character == LINE_END else (character_name(character), ", or use another --sep")
            )
            raise ModelError(
                f"the model does not know {missing}; train a model on lines of source, separator and target{other}"
            )
