"""The networks of a training, one after the other: the time they share, and what is kept of each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import torch

from charrnn.config import ModelConfig, TrainingConfig
from charrnn.models.recurrent import RecurrentModel
from charrnn.scoring.evaluate import Progress
from charrnn.text.streams import Streams
from charrnn.training.keeping import Keeper
from charrnn.training.loop import Step, Stop, train
from charrnn.training.schedule import AIM

LEAST_SHARE = 0.8
"""Of the time that a network took, there must be so much left for another one."""


def train_all(
    keeper: Keeper,
    model: ModelConfig,
    streams: Streams,
    device: torch.device,
    reserved: float = 0.0,
    stop: Stop | None = None,
    val_progress: Progress | None = None,
) -> Iterator[tuple[Step, bool]]:
    """Fit as many networks as the configuration says, each from its own seed, and keep them.

    Of a budget of minutes each gets its share. The first one measures how many steps that is; the others take as many,
    and if the machine was slower than it had seemed, there are fewer of them.

    Args:
        keeper: of the checkpoints; its configuration says how the networks are fitted.
        model: the networks.
        streams: the training part.
        device: to train on.
        reserved: seconds of the minutes that are kept for something else.
        stop: ends the training early; the network that it ends is left out, unless it is the first.
        val_progress: told the characters scored in a validation.

    Yields:
        Each step, and whether it gave the best state of its network so far.

    Raises:
        ModelError: the loss is no longer a number.
        CheckpointError: a checkpoint cannot be written.
    """
    config, stop = keeper.config, stop or Stop()
    end = keeper.started + 60 * AIM * (config.minutes or 0) - reserved
    each, plan = _with_share(config, end, model.networks), None
    for number in range(model.networks):
        begun = time.perf_counter()
        torch.manual_seed(config.seed + number)
        network = RecurrentModel(replace(model, networks=1), len(keeper.corpus.vocabulary)).to(device)
        keeper.begin(network)
        for step in train(network, streams, keeper.corpus.validation, each, begun, stop, val_progress, plan):
            plan = step.plan
            yield step, keeper.keep(step) if step.score or step.last else False
        if stop.asked and number:
            break
        keeper.finish()
        now = time.perf_counter()
        if stop.asked or (config.minutes and end - now < LEAST_SHARE * (now - begun)):
            break
    keeper.judge(val_progress)


def _with_share(config: TrainingConfig, end: float, networks: int) -> TrainingConfig:
    """A training that ends at its share of the time from now to `end`, as `--minutes` plan for an end."""
    if not config.minutes:
        return config
    seconds = max(1.0, end - time.perf_counter()) / networks
    return replace(config, minutes=seconds / AIM / 60)
