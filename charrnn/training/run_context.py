"""The run: text, configuration and device that all networks of a training share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from charrnn.config import ModelConfig, TrainingConfig
from charrnn.models.rnn.ngram_embedding import frequent_ngrams
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

    @cached_property
    def ngram_keys(self) -> NDArray[np.int64]:
        """The keys of the n-grams of the text that get an embedding; empty without `--ngram-embedding`."""
        text, model = self.corpus.train if self.text is None else self.text, self.model
        if not model.ngram_embedding:
            return np.zeros(0, np.int64)
        return frequent_ngrams(text.ids, len(self.corpus.vocabulary), model.ngram_embedding, model.ngram_rows)

    def with_found_ngrams(self) -> Run:
        """Return the run with a table for as many n-grams as there are in the text."""
        if not self.model.ngram_embedding:
            return self
        found = replace(self, model=replace(self.model, ngram_rows=max(1, len(self.ngram_keys))))
        vars(found)["ngram_keys"] = self.ngram_keys  # not counted again
        return found
