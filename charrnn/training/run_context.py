"""The run: text, configuration and device that all networks of a training share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch

from charrnn.config import ModelConfig, TrainingConfig
from charrnn.text.batches import Streams, streams_of
from charrnn.text.corpus import Corpus
from charrnn.text.documents import TextSpan
from charrnn.training.distributed import ProcessGroup


@dataclass(frozen=True)
class RunContext:
    """Device and processes of a training.

    Attributes:
        device: the device to train on.
        group: the processes that train together; each has an equal run.
        started: `time.perf_counter()` at the start; the time budget counts from here.
        command: the command line, stored in the checkpoint.
        warn: called with a line about a problem after which training continues.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    group: ProcessGroup = field(default_factory=ProcessGroup)
    started: float = field(default_factory=time.perf_counter)
    command: tuple[str, ...] = ()
    warn: Callable[[str], None] = lambda message: None


@dataclass(frozen=True)
class Run:
    """Text and configuration of a training.

    Attributes:
        corpus: the text.
        model: the network or networks.
        training: the training configuration.
        context: device and processes.
        text: (N,) the span to train on; None: the training part.
        reserved: seconds of the time budget reserved for other work.
        with_ngram: whether the networks will be mixed with n-grams.
    """

    corpus: Corpus
    model: ModelConfig
    training: TrainingConfig
    context: RunContext = field(default_factory=RunContext)
    text: TextSpan | None = None
    reserved: float = 0.0
    with_ngram: bool = False

    @cached_property
    def streams(self) -> Streams:
        """The batches of the text."""
        text, on_gpu = self.corpus.train if self.text is None else self.text, self.context.device.type == "cuda"
        rows, length = self.training.batch_size, self.training.seq_length
        return streams_of(text, rows, length, is_fixed=on_gpu)
