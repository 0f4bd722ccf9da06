"""Several processes compute the same as one, and resume the training of any number of processes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import torch.distributed as dist
from processes import run_together
from safetensors.torch import load_file

from charrnn.config import CorpusConfig, ModelConfig, TrainingConfig
from charrnn.errors import UsageError
from charrnn.text.corpus import read_corpus
from charrnn.training.distributed import ProcessGroup
from charrnn.training.ensemble import train_ensemble
from charrnn.training.run_context import Run, RunContext
from charrnn.training.state.checkpoint_manager import CheckpointManager
from charrnn.training.state.resume import find_training
from charrnn.training.step import StopFlag

CONFIG = TrainingConfig(
    steps=24,
    seq_length=16,
    batch_size=5,
    warmup_steps=5,
    validate_every=8,
    seed=3,
    precision="float32",
    optimizer="adamw",
)
TOLERANCE = 1e-5
"""Maximum difference of losses within 24 steps in float32, in nats: the order of sums differs."""


class Part(NamedTuple):
    """A training, or a part of one that is stopped and resumed."""

    text: Path
    out: Path
    model: ModelConfig
    stop_at: int | None = None
    config: TrainingConfig = CONFIG
    separator: str | None = None


def fit(rank: int, size: int, port: int, run: Part) -> None:
    """Start or resume a training, and write the losses of its steps to a file next to the checkpoint."""
    torch.set_num_threads(1)
    if size > 1:
        dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=size)
    corpus = read_corpus(run.text, CorpusConfig(document_separator=run.separator))
    stop, group = StopFlag(), ProcessGroup.current()
    checkpoints = CheckpointManager(run.out, Run(corpus, run.model, run.config, RunContext(group=group)))
    resumed, every, losses = find_training(run.out, group), 3, []
    for step, _ in train_ensemble(checkpoints, resumed, every, stop):
        losses.append((step.number, step.loss.item(), step.score.nats if step.score else 0.0))
        if run.stop_at and rank == size - 1 and step.number + 1 == run.stop_at:  # one process asks, all stop
            stop.request()
    (run.out.parent / f"{run.out.stem}-{size}-{rank}-{run.stop_at}.json").write_text(json.dumps(losses))
    if size > 1:
        dist.destroy_process_group()


def curve(path: Path, size: int, stop_at: int | None = None) -> torch.Tensor:
    """Return the number, loss and score of each step, (N, 3), which must be equal in all processes."""
    curves = [
        json.loads((path.parent / f"{path.stem}-{size}-{rank}-{stop_at}.json").read_text()) for rank in range(size)
    ]
    assert all(other == curves[0] for other in curves)
    return torch.tensor(curves[0], dtype=torch.float64)


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    assert actual[:, 0].equal(expected[:, 0])
    torch.testing.assert_close(actual[:, 1], expected[:, 1], rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(actual[:, 2], expected[:, 2], rtol=TOLERANCE, atol=0)


@pytest.mark.parametrize(
    ("size", "model"),
    [
        (2, ModelConfig(hidden_size=16)),
        (3, ModelConfig(cell="mingru", hidden_size=16, dropout=0.3, networks=2)),
        (2, ModelConfig(hidden_size=16, ngram_embedding=3, ngram_rows=50, ngram_dropout=0.2)),
    ],
    ids=["lstm", "mingru with dropout, two networks", "n-gram embeddings"],
)
def test_losses_on_several_processes_equal_one_process(
    small_file: Path, tmp_path: Path, size: int, model: ModelConfig
) -> None:
    """Five streams do not divide evenly among 2 or 3 processes; dropout masks must be those of one process, too."""
    for number in (1, size):
        run_together(number, fit, Part(small_file, tmp_path / f"of{number}.safetensors", model))
    expected = curve(tmp_path / "of1.safetensors", 1)
    assert len(expected) == 24 * model.networks
    assert_close(curve(tmp_path / f"of{size}.safetensors", size), expected)


def test_documents_on_several_processes_equal_one_process(small_file: Path, tmp_path: Path) -> None:
    """One process has rows with more characters than the other; the loss must be the mean over all characters."""
    model = ModelConfig(hidden_size=16, dropout=0.3)
    for size in (1, 2):
        config = replace(CONFIG, steps=8)
        run = Part(small_file, tmp_path / f"of{size}.safetensors", model, config=config, separator=".")
        run_together(size, fit, run)
    assert_close(curve(tmp_path / "of2.safetensors", 2), curve(tmp_path / "of1.safetensors", 1))


def test_resume_with_another_number_of_processes_keeps_losses(small_file: Path, tmp_path: Path) -> None:
    """One process starts, three continue, two finish; one of the states has a pending validation."""
    model = ModelConfig(hidden_size=16, dropout=0.3)
    run_together(1, fit, Part(small_file, tmp_path / "whole.safetensors", model))
    path = tmp_path / "parts.safetensors"
    parts = []
    for size, stop_at in ((1, 5), (3, 16), (2, None)):
        run_together(size, fit, Part(small_file, path, model, stop_at))
        parts.append(curve(path, size, stop_at))
    assert [len(part) for part in parts] == [5, 11, 9]  # step 16 twice: the resumed training validates it
    steps = torch.cat(parts)
    assert steps[15, 2] == 0
    assert_close(torch.cat([steps[:15], steps[16:]]), curve(tmp_path / "whole.safetensors", 1))


def test_resume_with_same_number_of_processes_is_bit_exact(small_file: Path, tmp_path: Path) -> None:
    model = ModelConfig(hidden_size=16, dropout=0.3)
    run_together(2, fit, Part(small_file, tmp_path / "whole.safetensors", model))
    for stop_at in (7, None):
        run_together(2, fit, Part(small_file, tmp_path / "parts.safetensors", model, stop_at))
    for ending in ("", "-last"):
        whole, parts = (load_file(tmp_path / f"{name}{ending}.safetensors") for name in ("whole", "parts"))
        assert [name for name in whole if not whole[name].equal(parts[name])] == []


def test_process_group_rows_cover_each_stream_once() -> None:
    for size in range(1, 6):
        rows = [row for rank in range(size) for row in range(7)[ProcessGroup(rank, size).rows(7)]]
        assert rows == list(range(7))
    with pytest.raises(UsageError, match="batch size 2 is too small for 3 processes; try --batch-size 3 or larger"):
        ProcessGroup(0, 3).rows(2)


def test_muon_on_several_processes_equals_one_process(small_file: Path, tmp_path: Path) -> None:
    """Each process orthogonalizes some of the matrices; rounding in bfloat16 depends on how many."""
    model, config = ModelConfig(hidden_size=16), replace(CONFIG, optimizer="muon")
    for size in (1, 3):
        run_together(size, fit, Part(small_file, tmp_path / f"of{size}.safetensors", model, None, config))
    three, expected = curve(tmp_path / "of3.safetensors", 3), curve(tmp_path / "of1.safetensors", 1)
    torch.testing.assert_close(three[:, 1], expected[:, 1], rtol=0, atol=1e-3)
