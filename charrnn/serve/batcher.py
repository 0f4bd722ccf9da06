"""Writing many texts at once with one model: texts join and leave between two characters.

One thread owns the model. A text depends only on its own prompt, settings and seed: it is the same whatever other texts
are written beside it.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint import Checkpoint
from charrnn.config import SamplingConfig
from charrnn.errors import CharRNNError
from charrnn.models.stepper import Logits, Sampler, Stepper, Tokens, log_softmax, make_stepper
from charrnn.pipeline.text_generator import TextGenerator
from charrnn.sampling.rng import CounterRNG
from charrnn.sampling.sampler import make_sampler
from charrnn.sampling.sequence import GeneratedSequence, SequenceRules
from charrnn.sampling.state import GenerationState, stack_states
from charrnn.text.documents import Documents

MAX_SIDE_BY_SIDE = 64
"""Maximum number of texts that are written in one step; others wait for their turn."""
WAIT = 0.2
"""Seconds between two looks for new texts while there are none."""


@dataclass(frozen=True)
class Character:
    """A character of a prompt or of a written text.

    Attributes:
        text: the text that it completes; empty for a byte that completes none.
        log_prob: its log-probability in nats; None if it was not requested, or for the first character of a prompt.
        likeliest: the most likely characters there, with their log-probabilities in nats, the most likely first.
    """

    text: str
    log_prob: float | None = None
    likeliest: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Finished:
    """The end of a text: `length`, `stop`, `error` (of the request) or `failure` (of the server), with its message."""

    reason: str
    error: str = ""


@dataclass
class Job:
    """A text to write, and what has been written.

    Attributes:
        prompt: the prompt.
        config: the settings, with a seed.
        likeliest: how many of the most likely characters to report with each; None for no probabilities at all.
        echo: whether to report the characters of the prompt first.
        deadline: the value of `time.monotonic` at which the text ends, whatever its length.
        events: receives characters, and at the end a `Finished`.
        is_cancelled: set it to end the text early.
    """

    prompt: str
    config: SamplingConfig
    likeliest: int | None = None
    echo: bool = False
    deadline: float = math.inf
    events: queue.SimpleQueue[Character | Finished] = field(default_factory=queue.SimpleQueue)
    is_cancelled: bool = False


@dataclass
class _Text:
    """A job that has been started."""

    job: Job
    sequence: GeneratedSequence
    state: GenerationState


@dataclass
class _Draw:
    """The sampler of the texts of a group that have equal settings."""

    rows: NDArray[np.int64]
    sampler: Sampler
    random: CounterRNG


@dataclass
class _Batch:
    """Texts that are stepped together.

    Attributes:
        observer: a second stepper that gives probabilities, if the first one draws without computing them.
    """

    texts: list[_Text]
    stepper: Stepper
    observer: Stepper | None
    draws: list[_Draw]
    tokens: Tokens


class Batcher(threading.Thread):
    """The thread that writes texts with a model.

    Args:
        checkpoint: the model.
        max_jobs: the maximum number of jobs, written and waiting.
    """

    def __init__(self, checkpoint: Checkpoint, max_jobs: int) -> None:
        super().__init__(name=f"batcher of {checkpoint.name}", daemon=True)
        self.checkpoint, self.max_jobs = checkpoint, max_jobs
        self._documents = Documents.of(checkpoint.metadata.text.corpus, checkpoint.vocabulary)
        self._new: queue.Queue[Job] = queue.Queue()
        self._groups: list[_Batch] = []
        self._jobs, self._lock, self._is_closing = 0, threading.Lock(), False
        self._draws_itself = type(make_stepper(checkpoint.model)).draw_next is not Stepper.draw_next

    def submit(self, jobs: Sequence[Job]) -> bool:
        """Take all jobs and return true; or take none and return false, because there would be too many."""
        with self._lock:
            if self._is_closing or self._jobs + len(jobs) > self.max_jobs:
                return False
            self._jobs += len(jobs)
        for job in jobs:
            self._new.put(job)
        return True

    @property
    def jobs(self) -> int:
        """The number of jobs, written and waiting."""
        return self._jobs

    def close(self) -> None:
        """Take no more jobs; the thread ends when all are done."""
        with self._lock:
            self._is_closing = True

    def run(self) -> None:
        """Write texts until `close` was called and all are done."""
        try:
            self._write_texts()
        except BaseException:
            self.close()
            self._fail("the server has an error; see its output")
            raise

    def _write_texts(self) -> None:
        while not (self._is_closing and self._jobs == 0):
            is_changed = self._start_new()
            try:
                for group in self._groups:
                    is_changed |= self._step(group)
            except CharRNNError as error:
                self._fail(str(error))
            if is_changed:
                self._regroup()

    def _start_new(self) -> bool:
        """Start as many waiting jobs as fit; wait a moment if there is nothing else to do."""
        texts: list[_Text] = []
        active = sum(len(group.texts) for group in self._groups)
        while active + len(texts) < MAX_SIDE_BY_SIDE:
            try:
                is_idle = not active and not texts
                job = self._new.get(timeout=WAIT) if is_idle else self._new.get_nowait()
            except queue.Empty:
                break
            text = self._start(job)
            if text is not None:
                texts.append(text)
        if texts:
            self._regroup(texts)
        return False

    def _start(self, job: Job) -> _Text | None:
        """Read the prompt of a job; return None if that is all, or fails."""
        if job.is_cancelled:
            self._end(job, Finished("stop"))
            return None
        try:
            generator = TextGenerator(self.checkpoint, job.config, job.prompt)
            (state,) = generator.begins()
            if job.echo:
                self._echo(job, state)
            sequence = GeneratedSequence(SequenceRules(job.config, self.checkpoint.vocabulary, self._documents), state)
        except CharRNNError as error:
            self._end(job, Finished("error", str(error).partition(", or use --")[0]))  # a request has no options
            return None
        if sequence.finished:
            self._end(job, Finished("length"))
            return None
        return _Text(job, sequence, state)

    def _echo(self, job: Job, state: GenerationState) -> None:
        """Report the characters of a prompt."""
        vocabulary, decode = self.checkpoint.vocabulary, self.checkpoint.vocabulary.decoder()
        if job.likeliest is None:
            for token in state.ids:
                job.events.put(Character(decode(token)))
            return
        ids = np.array(state.ids, np.int64)
        documents = self._documents
        starts = set(documents.starts(ids).tolist()) if documents else set()
        logits: Logits | None = None
        stepper = make_stepper(self.checkpoint.model)
        for i, token in enumerate(state.ids):
            if documents and i in starts:
                stepper = make_stepper(self.checkpoint.model)
                logits = stepper.read(np.array([documents.start]))
            job.events.put(self._character(decode(token), token, logits, job, vocabulary.symbols))
            logits = stepper.read(np.array([token])) if i + 1 < len(ids) else None

    @staticmethod
    def _character(text: str, token: int, logits: Logits | None, job: Job, symbols: Sequence[str]) -> Character:
        """Return a character with the probabilities that the job requests; `logits` are (1, V)."""
        if logits is None or job.likeliest is None:
            return Character(text)
        log_probs = log_softmax(logits)[0]
        best = np.argsort(-log_probs, kind="stable")[: job.likeliest]
        return Character(text, float(log_probs[token]), tuple((symbols[i], float(log_probs[i])) for i in best))

    def _step(self, group: _Batch) -> bool:
        """Write one character of each text; return whether the group changes."""
        if group.observer is not None or self._draws_itself:
            logits = group.observer.read(group.tokens) if group.observer else None
            group.tokens = group.stepper.draw_next(group.tokens, group.draws[0].sampler)
        else:
            logits = group.stepper.read(group.tokens)
            drawn = np.empty(len(group.tokens), np.int64)
            for draw in group.draws:
                drawn[draw.rows] = draw.sampler(logits[draw.rows])
            group.tokens = drawn
        is_changed, now = False, time.monotonic()
        symbols = self.checkpoint.vocabulary.symbols
        for row, (text, token) in enumerate(zip(group.texts, group.tokens.tolist(), strict=True)):
            sequence, job = text.sequence, text.job
            piece = sequence.add(token)
            if not sequence.dropped_last:
                row_logits = None if logits is None else logits[row : row + 1]
                job.events.put(self._character(piece, token, row_logits, job, symbols))
            is_late = now > job.deadline
            if sequence.finished or job.is_cancelled or is_late:
                self._end(job, Finished("length" if not sequence.remaining or is_late else "stop"))
                sequence.finished = is_changed = True
            is_changed |= sequence.at_document_start
        return is_changed

    def _end(self, job: Job, end: Finished) -> None:
        with self._lock:
            self._jobs -= 1
        job.events.put(end)

    def _fail(self, message: str) -> None:
        """End all texts with an error."""
        for group in self._groups:
            for text in group.texts:
                if not text.sequence.finished:
                    text.sequence.finished = True
                    self._end(text.job, Finished("failure", message))
        self._groups = []
        while self._is_closing and not self._new.empty():
            self._end(self._new.get(), Finished("failure", message))

    def _regroup(self, new: Sequence[_Text] = ()) -> None:
        """Form groups from the texts that go on, and new ones."""
        for group in self._groups:
            self._update_states(group)
        texts = [text for group in self._groups for text in group.texts if not text.sequence.finished]
        keys: dict[tuple[object, ...], list[_Text]] = {}
        for text in (*texts, *new):
            key: tuple[object, ...] = (text.state.state is None,)
            if self._draws_itself:
                key = (*key, _settings(text.job.config), text.job.likeliest is not None)
            keys.setdefault(key, []).append(text)
        self._groups = [self._group(members) for members in keys.values()]

    def _group(self, texts: list[_Text]) -> _Batch:
        model, states = self.checkpoint.model, [text.state for text in texts]
        model_states = [state.state for state in states if state.state is not None]
        stacked = stack_states(model_states) if model_states else None
        is_observed = self._draws_itself and texts[0].job.likeliest is not None
        rows_by_settings: dict[SamplingConfig, list[int]] = {}
        for row, text in enumerate(texts):
            rows_by_settings.setdefault(_settings(text.job.config), []).append(row)
        draws = []
        for config, rows in rows_by_settings.items():
            random = CounterRNG([states[row].seed for row in rows], [states[row].position for row in rows])
            sampler = make_sampler(config, random, self.checkpoint.vocabulary, [texts[row].sequence for row in rows])
            draws.append(_Draw(np.array(rows), sampler, random))
        return _Batch(
            texts,
            make_stepper(model, stacked, len(texts)),
            make_stepper(model, stacked, len(texts)) if is_observed else None,
            draws,
            np.array([state.token for state in states]),
        )

    def _update_states(self, group: _Batch) -> None:
        """Update the states of a group's texts."""
        model_state = group.stepper.state
        for draw in group.draws:
            for row, position in zip(draw.rows.tolist(), draw.random.positions, strict=True):
                text = group.texts[row]
                state = replace(text.state, position=position, ids=())
                if text.sequence.at_document_start and self._documents:
                    state = replace(state, state=None, token=self._documents.start)
                elif model_state is not None:
                    row_state = tuple(part[row : row + 1].clone() for part in model_state)
                    state = replace(state, state=row_state, token=int(group.tokens[row]))
                text.state = state


def _settings(config: SamplingConfig) -> SamplingConfig:
    """Return the settings without those that differ from text to text and do not change how characters are drawn."""
    return replace(config, seed=None, length=0, until=(), until_regex=None)
