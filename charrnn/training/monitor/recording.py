"""From what is seen of a training to records of it, about a thousand of them, and to where they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from charrnn.errors import CheckpointError
from charrnn.training.loop import Training
from charrnn.training.monitor.history import History, Record
from charrnn.training.monitor.monitor import Look
from charrnn.training.state.checkpoints import Keeper

EVERY = 1.0
"""Seconds between records at least, but for validations and samples."""
MOST = 1000
"""Records of a training at most, but for those."""


class Sink(Protocol):
    """Where records are written; each method raises CheckpointError where it cannot be."""

    def add(self, record: Record) -> None:
        """Write a record."""

    def go_back(self, after: tuple[int, int], steps: int | None) -> None:
        """Forget what came after a step, of `steps`, of a network; both are counted from 1."""

    def close(self) -> None:
        """Write what is still to be written."""


class Recorder:
    """Makes records of a training.

    What cannot be written is told once for each place, and the training goes on; the next record is tried again.

    Args:
        keeper: of the training's checkpoints.
        sinks: functions that open the places for records.
    """

    def __init__(self, keeper: Keeper, sinks: Sequence[Callable[[], Sink]]) -> None:
        self.keeper, self.makers = keeper, sinks
        self.sinks: dict[int, Sink] = {}
        self.silent: set[int] = set()
        self.training: Training | None = None
        self.network = self.steps = 0
        self.loss, self.written_at, self.written_step = 0.0, 0.0, 0
        self._to_all(lambda sink: None)

    def __enter__(self) -> Self:
        return self

    @property
    def kept(self) -> tuple[Record, ...]:
        """What a training that goes on has behind it, as far as a history knows."""
        histories = [sink for sink in self.sinks.values() if isinstance(sink, History)]
        return histories[0].kept if histories else ()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._to_all(lambda sink: sink.close())

    def take(self, look: Look) -> None:
        """Take in what was seen, and write a record if it is time."""
        step, steps = look.step, look.step.plan.steps if look.step.plan else None
        if self.keeper.training is not self.training:
            if look.network == self.network:  # the loss exploded, and it went back to a state that was saved
                self._to_all(lambda sink: sink.go_back((look.network, step.number - look.steps), steps))
            self.training, self.network = self.keeper.training, look.network
            self.loss, self.steps, self.written_step = 0.0, 0, step.number - look.steps
        self.loss += look.loss * look.steps
        self.steps += look.steps
        least = (steps or 0) * self.keeper.model.networks / MOST
        is_due = look.seconds - self.written_at >= EVERY and step.number - self.written_step >= least
        if not (look.is_report or is_due):
            return
        facts = self.keeper.score_facts(step.score) if step.score else None
        record = Record(
            step=step.number,
            network=look.network,
            seconds=round(look.seconds, 3),
            learning_rate=step.learning_rate,
            chars_per_second=round(look.chars_per_second),
            loss=self.loss / self.steps,
            steps=steps,
            nats_per_char=facts.nats_per_char if facts else None,
            bits_per_char=facts.bits_per_char if facts else None,
            characters=facts.characters if facts else None,
            split=facts.split if facts else None,
            rule=facts.rule if facts else None,
            is_best=look.is_best if facts else None,
            sample=look.sample if look.is_report else None,
        )
        self.loss, self.steps = 0.0, 0
        self.written_at, self.written_step = look.seconds, step.number
        self._to_all(lambda sink: sink.add(record))

    def _to_all(self, action: Callable[[Sink], None]) -> None:
        for number, make in enumerate(self.makers):
            try:
                if number not in self.sinks:
                    self.sinks[number] = make()
                action(self.sinks[number])
            except CheckpointError as error:
                if number not in self.silent:
                    self.keeper.tell(f"{error} (the training goes on)")
                self.silent.add(number)
