"""Training on documents, compared with a reference that reads one document at a time from an empty state."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from charrnn.config import CELLS, CorpusConfig, ModelConfig, TrainingConfig
from charrnn.models.rnn.model import RecurrentModel
from charrnn.text.batches import DocumentStreams, streams_of
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.training.ensemble import train_ensemble
from charrnn.training.loop import Training
from charrnn.training.run_context import Run
from charrnn.training.state.checkpoint_manager import CheckpointManager
from charrnn.training.state.resume import Resumed, find_training
from charrnn.training.step import StopFlag, reset_rows

CONFIG = TrainingConfig(steps=9, seq_length=16, batch_size=3, warmup_steps=2, validate_every=4)
MODEL = ModelConfig(hidden_size=12, dropout=0.2)


@pytest.fixture
def corpus(small_file: Path) -> Corpus:
    return read_corpus(small_file, CorpusConfig(document_separator="\n"))


@pytest.mark.parametrize("cell", CELLS)
def test_document_streams_equal_separate_documents(corpus: Corpus, cell: str) -> None:
    """Documents may be shorter or longer than a window; the state is carried within a document and reset before it."""
    torch.manual_seed(0)
    documents = corpus.documents
    assert documents
    streams = DocumentStreams(corpus.train[:600], 1, 16)
    model = RecurrentModel(ModelConfig(cell=cell, hidden_size=12), len(corpus.vocabulary))
    state, total = None, torch.zeros(())
    for step in range(int(streams.steps_per_epoch)):
        inputs, targets = streams.batch(step)
        logits, state = model(inputs, reset_rows(state, streams.begins(step)))
        total = total + functional.cross_entropy(logits[0], targets[0], reduction="sum")
    total.backward()  # type: ignore[no-untyped-call]
    gradients = [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]
    model.zero_grad()
    expected = torch.zeros(())
    starts = [*documents.starts(streams.ids).tolist(), 600]
    for begin, end in pairwise(starts):
        targets = torch.from_numpy(streams.ids[begin:end].astype("int64"))
        inputs = torch.cat((torch.tensor([documents.start]), targets[:-1]))
        expected = expected + functional.cross_entropy(model(inputs[None])[0][0], targets, reduction="sum")
    expected.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(total, expected)
    for gradient, weight in zip(gradients, model.parameters(), strict=True):
        torch.testing.assert_close(gradient, weight.grad, rtol=1e-4, atol=1e-4)


def run(corpus: Corpus, path: Path, stop_at: int | None = None, resumed: Resumed | None = None) -> list[float]:
    checkpoints, stop = CheckpointManager(path, Run(corpus, MODEL, CONFIG)), StopFlag()
    losses = []
    for step, _ in train_ensemble(checkpoints, resumed, 3, stop):
        losses.append(step.loss.item())
        if len(losses) + 1 == stop_at:
            stop.request()
    assert resumed or stop_at or checkpoints.best
    return losses


def test_resumed_training_on_documents_is_bit_exact(corpus: Corpus, tmp_path: Path) -> None:
    whole = run(corpus, tmp_path / "whole.safetensors")
    first = run(corpus, tmp_path / "parts.safetensors", stop_at=5)
    rest = run(corpus, tmp_path / "parts.safetensors", resumed=find_training(tmp_path / "parts.safetensors"))
    assert first + rest == whole


def test_document_loss_is_mean_over_characters(corpus: Corpus) -> None:
    """Empty batch positions count neither in the mean nor as characters read."""
    streams = streams_of(corpus.train, 3, 16)
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(hidden_size=8), len(corpus.vocabulary))
    inputs, targets = streams.batch(0)
    log_probs = torch.log_softmax(model(inputs)[0], -1)
    real = targets >= 0
    expected = -log_probs[real].gather(-1, targets[real][:, None]).mean()
    step = next(Training(model, streams, corpus.validation[:0], CONFIG).steps())
    torch.testing.assert_close(step.loss, expected.detach(), rtol=1e-2, atol=1e-2)  # steps may use half precision
    assert step.characters == real.sum()
