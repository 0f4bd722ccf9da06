"""The networks of a training, one after the other: the time they share, and what is kept of each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from charrnn.checkpoint.metadata import MOST_HALVINGS
from charrnn.config import TrainingConfig
from charrnn.errors import DivergedError
from charrnn.models.rnn.model import RecurrentModel
from charrnn.progress import Progress
from charrnn.text.batches import Streams
from charrnn.training.distributed import Ranks
from charrnn.training.events import Step, Stop
from charrnn.training.loop import Training
from charrnn.training.optim.schedule import AIM
from charrnn.training.state.checkpoints import Keeper
from charrnn.training.state.init_from import Start
from charrnn.training.state.resume import Resumed, find

LEAST_SHARE = 0.8
"""Of the time that a network took, there must be so much left for another one."""


@dataclass(frozen=True)
class SaveEvery:
    """How often the last state is saved between validations: after so many steps, or so many seconds."""

    steps: int | None = None
    seconds: float | None = 300.0

    def is_due(self, keeper: Keeper, number: int) -> bool:
        """Whether to save after a step."""
        if self.steps:
            return number - keeper.saved_step >= self.steps
        return self.seconds is not None and time.perf_counter() - keeper.saved_at >= self.seconds


def train_all(
    keeper: Keeper,
    streams: Streams,
    device: torch.device,
    reserved: float = 0.0,
    stop: Stop | None = None,
    val_progress: Progress | None = None,
    save_every: SaveEvery | None = None,
    resumed: Resumed | None = None,
    start: Start | None = None,
    ranks: Ranks | None = None,
) -> Iterator[tuple[Step, bool]]:
    """Fit as many networks as the keeper's model says, each from its own seed, and keep them.

    Of a budget of minutes each gets its share of what is left. The first one measures how many steps that is; the
    others begin with the same plan, and if the machine was slower than it had seemed, there are fewer of them.

    Args:
        keeper: of the checkpoints; its configuration says how the networks are fitted.
        streams: the training part.
        device: to train on.
        reserved: seconds of the minutes that are kept for something else.
        stop: ends the training early: the state is saved, and the training can be resumed from it.
        val_progress: told the characters scored in a validation.
        save_every: how often to save between validations.
        resumed: where to go on.
        start: weights to begin with.
        ranks: the processes that train together; each calls this, with a keeper of the same.

    Yields:
        Each step, and whether it gave the best state of its network so far.

    Raises:
        DivergedError: the loss exploded once more, after the rate was halved three times.
        CheckpointError: a checkpoint cannot be written, or what was to be resumed is damaged.
    """
    config, model, save_every, ranks = keeper.config, keeper.model, save_every or SaveEvery(), ranks or Ranks()
    if resumed:  # so that the minutes that are gone count
        keeper.started = time.perf_counter() - resumed.ongoing.facts.seconds
    end = keeper.started + 60 * AIM * (config.minutes or 0) - reserved
    first, plan = 0, None
    if resumed:
        first, plan = resumed.ongoing.facts.finished, resumed.plan

    def begin(number: int, from_where: Resumed | None) -> Training:
        torch.manual_seed(config.seed + number)
        network = RecurrentModel(replace(model, networks=1), len(keeper.corpus.vocabulary)).to(device)
        if start:
            start.fill(network, keeper.corpus.vocabulary)
        for cell in network.cells[: config.freeze_layers]:
            cell.requires_grad_(False)
        corpus, now = keeper.corpus, time.perf_counter()
        each = _with_share(config, end, model.networks - number)
        training = Training(network, streams, corpus.validation, each, now, plan, ranks, corpus.documents)
        keeper.begin(training)
        if from_where:
            from_where.restore(keeper)
        training.rate_share = 0.5**keeper.halvings
        return training

    for number in range(first, model.networks):
        begun = time.perf_counter()
        training = begin(number, resumed if number == first else None)
        while True:
            try:
                for step in training.steps(stop, val_progress, lambda number: save_every.is_due(keeper, number)):
                    yield step, keeper.keep(step) if step.saves else False
                break
            except DivergedError as error:
                if keeper.halvings == MOST_HALVINGS:
                    raise
                keeper.halvings += 1
                good = find(keeper.path, ranks)
                if good and good.ongoing.facts.finished != number:  # of the network before
                    good = None
                plan = training.plan
                training = begin(number, good)
                keeper.tell(f"{error} (done: it is halved, and the training goes back to step {training.number})")
        if training.stopped:
            return
        plan = training.plan
        if plan and plan.earlier:
            plan = replace(plan, earlier=())
        keeper.finish()
        now = time.perf_counter()
        (left,) = ranks.from_first(end - now - LEAST_SHARE * (now - begun))
        if config.minutes and left < 0:
            break
    keeper.judge(val_progress)


def _with_share(config: TrainingConfig, end: float, networks: int) -> TrainingConfig:
    """A training that ends at its share of the time from now to `end`, as `--minutes` plan for an end."""
    if not config.minutes:
        return config
    seconds = max(1.0, end - time.perf_counter()) / networks
    return replace(config, minutes=seconds / AIM / 60)
