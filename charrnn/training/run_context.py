"""What stays the same for all networks of a training: what is fitted to which text, how, and where."""

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
    """Where a training runs, and who watches it.

    Attributes:
        device: to train on.
        group: the processes that train together; each has a run of the same.
        started: `time.perf_counter()` when it began; the minutes count from here.
        command: the command line, to be remembered in the checkpoint.
        warn: called with a line where something went wrong and the training continues.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    group: ProcessGroup = field(default_factory=ProcessGroup)
    started: float = field(default_factory=time.perf_counter)
    command: tuple[str, ...] = ()
    warn: Callable[[str], None] = lambda message: None


@dataclass(frozen=True)
class Run:
    """A training.

    Attributes:
        corpus: what is trained on.
        model: the networks, all of them.
        training: how they are fitted.
        context: where.
        text: (N,) what of it is trained on; the training part if None.
        reserved: seconds of the minutes that are kept for something else.
        with_ngram: whether the networks are going to be mixed with n-grams.
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
        """The batches."""
        text, on_gpu = self.corpus.train if self.text is None else self.text, self.context.device.type == "cuda"
        rows, length = self.training.batch_size, self.training.seq_length
        return streams_of(text, rows, length, is_fixed=on_gpu)
