"""The number of threads follows the load of the machine, and training results must not depend on it.

Two sums once did: bias gradients in C, which each thread summed for its own rows, and MKL's matrix product for a head
whose number of outputs is not a multiple of 16, which four threads divide differently than three. LSTM layers are
oneDNN's: whether their last bits depend on the number of threads differs by width and processor
(docs/benchmarks/machines.md), so an LSTM needs a fixed number.
"""

import itertools
from dataclasses import replace

import pytest
import torch

from charrnn.checkpoint.metadata import ComputeInfo
from charrnn.config import CELLS, OPTIMIZERS, ModelConfig, TrainingConfig
from charrnn.models.hardware.processor import fast_half_precisions
from charrnn.models.hardware.thread_tuner import fixed_threads, make_thread_tuner
from charrnn.models.rnn.model import RecurrentModel
from charrnn.text.batches import Streams
from charrnn.text.corpus import Corpus
from charrnn.training.loop import Training, train
from charrnn.training.optim.optimizer import ModelOptimizer
from charrnn.training.step import Batch, make_step

VOCAB_SIZE = 65
INDEPENDENT = [cell for cell in CELLS if cell != "lstm"]
NUMBERS = (1, 2, 3, 5)


def weights_after(steps: int, threads: int, config: TrainingConfig, cell: str, dtype: torch.dtype) -> torch.Tensor:
    """Return the weights of a network with dropout, large enough that threads share its matrix products."""
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(cell=cell, hidden_size=64, dropout=0.1), VOCAB_SIZE).train()
    take_step = make_step(ModelOptimizer(model, config, dtype))
    state = None
    for _ in range(steps):
        rows = torch.randint(0, VOCAB_SIZE, (32, 41))
        batch: Batch = rows[:, :-1], rows[:, 1:]
        with fixed_threads(threads).piece():
            _, state = take_step(batch, state, 1e-2, 1.0)
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.skipif(
    not torch.backends.mkl.is_available(),  # type: ignore[no-untyped-call]
    reason="only MKL was examined",
)
@pytest.mark.parametrize("half", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(("cell", "optimizer"), [*itertools.product(INDEPENDENT, OPTIMIZERS)])
def test_weights_do_not_depend_on_thread_count(cell: str, optimizer: str, half: bool) -> None:
    if half and torch.bfloat16 not in fast_half_precisions():
        pytest.skip("needs AVX-512 BF16 or AMX")
    dtype = torch.bfloat16 if half else torch.float32
    first, *others = (weights_after(3, n, TrainingConfig(optimizer=optimizer), cell, dtype) for n in NUMBERS)
    for threads, weights in zip(NUMBERS[1:], others, strict=True):
        assert torch.equal(weights, first), threads


def test_lstm_with_same_thread_count_is_bit_exact() -> None:
    for threads in (1, 2):
        first, again = (weights_after(3, threads, TrainingConfig(), "lstm", torch.float32) for _ in range(2))
        assert torch.equal(first, again)


def test_fixed_thread_count_is_kept(small_corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a fixed number, training starts with PyTorch's number of threads, at most four."""
    seen: list[int] = []
    monkeypatch.setattr("torch.set_num_threads", seen.append)
    config = TrainingConfig(steps=2, threads=3, batch_size=4, seq_length=8)
    model = RecurrentModel(ModelConfig(hidden_size=8), len(small_corpus.vocabulary))
    list(train(model, Streams(small_corpus.train.ids, 4, 8), small_corpus.validation[:0], config))
    assert seen == [3, 1, 3, 1], "back to one thread, the tests' default, after each step"
    streams = Streams(small_corpus.train.ids, 4, 8)
    monkeypatch.setattr("charrnn.models.hardware.thread_tuner.cores", lambda: 32)
    for available, begins in ((1, 1), (2, 2), (32, 4)):
        monkeypatch.setattr("torch.get_num_threads", lambda available=available: available)
        training = Training(model, streams, small_corpus.validation[:0], replace(config, threads=None))
        assert (training.tuner.max_threads, training.tuner.threads) == (available, begins)
    monkeypatch.setattr("charrnn.models.hardware.thread_tuner.cores", lambda: 2)
    assert make_thread_tuner().max_threads == 2, "OMP_NUM_THREADS is 32 on two cores"


def test_compute_facts_describe_threads_and_precision() -> None:
    assert str(ComputeInfo("AVX2", (1, 2), "float32")) == "AVX2, 1 and 2 threads, float32"
    assert str(ComputeInfo("AVX-512 BF16", (1,), "bfloat16")) == "AVX-512 BF16, 1 thread, bfloat16"
