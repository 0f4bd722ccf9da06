"""`charrnn train` leaves a history, for eyes and programs: NAME.jsonl, and TensorBoard's events if they are wanted."""

import dataclasses
import json
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from program import SMALL, Charrnn

from charrnn.checkpoint import load, load_resume_state
from charrnn.config import ModelConfig, TrainingConfig
from charrnn.models.rnn.model import RecurrentModel
from charrnn.text.batches import Streams
from charrnn.text.corpus import Corpus
from charrnn.training.loop import Training
from charrnn.training.monitor import monitor
from charrnn.training.monitor.history import Record, read_history
from charrnn.training.monitor.metrics import METRICS, Metric, MetricsLogger
from charrnn.training.monitor.monitor import Level, Monitor, Report
from charrnn.training.optim.schedule import Plan
from charrnn.training.run_context import Run, RunContext
from charrnn.training.state.checkpoint_manager import CheckpointManager
from charrnn.training.step import StepResult

HISTORY = Path("checkpoints/text-lstm.jsonl")


def test_history_has_every_validation_and_sample(charrnn: Charrnn, folder: Path) -> None:
    result = charrnn("train", "text.txt", *SMALL, "--validate-every", 2)
    found = read_history(HISTORY)
    assert [(one.step, one.network, one.steps) for one in found] == [(1, 1, 3), (2, 1, 3), (3, 1, 3)]
    validated = [one for one in found if one.nats_per_char is not None]
    best = load(Path("checkpoints/text-lstm.safetensors")).metadata
    assert best.validation is not None
    at_best = next(one for one in found if one.step == best.step)
    assert (at_best.bits_per_char, at_best.characters) == (best.validation.bits_per_char, 170)
    assert (at_best.split, at_best.rule, at_best.is_best) == ("90/10/0", "static, full", True)
    assert [one.step for one in validated] == [2, 3]
    for one in found:
        assert one.loss is not None
        assert one.learning_rate > 0
        assert one.sample is not None
        assert len(one.sample) == 200
        assert f"    {one.sample[:72]}".replace("\n", "↵") in result.err
    lines = [json.loads(line) for line in HISTORY.read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert "nats_per_char" not in lines[0]  # what is not known is left out


def test_history_loss_is_mean_since_previous_record(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("train", "text.txt", *SMALL[:4], "--steps", 9, "--validate-every", 1, "--out", "each").status == 0
    assert charrnn("train", "text.txt", *SMALL[:4], "--steps", 9, "--networks", 5, "--out", "five").status == 0
    each = [one.loss or 0 for one in read_history(Path("checkpoints/each.jsonl"))]
    five = read_history(Path("checkpoints/five.jsonl"))
    assert [(one.network, one.step) for one in five] == [(i, step) for i in range(1, 6) for step in (4, 9)]
    assert five[0].loss == pytest.approx(sum(each[:4]) / 4)
    assert five[1].loss == pytest.approx(sum(each[4:]) / 5)


def test_history_of_resumed_training_appends_and_of_new_one_begins_anew(charrnn: Charrnn, folder: Path) -> None:
    words = ("train", "text.txt", *SMALL[:4], "--steps", 6, "--validate-every", 2)
    assert charrnn(*words).status == 0
    whole = read_history(HISTORY)
    later = Record(7, 1, 9.0, 1e-3, 1.0)  # of a training that was killed before it saved
    with HISTORY.open("a") as file:
        file.write(json.dumps({name: one for name, one in vars(later).items() if one is not None}) + "\n{")
    assert charrnn("train", "text.txt", "--resume").status == 0
    assert read_history(HISTORY) == whole
    previous = Path("checkpoints/text-lstm-previous.safetensors")
    last = previous.replace("checkpoints/text-lstm-last.safetensors")  # after step 4
    gone = load_resume_state(last).progress.seconds
    assert charrnn("train", "text.txt", "--resume").status == 0
    again = read_history(HISTORY)
    assert again[:4] == whole[:4]
    assert [(one.step, one.loss, one.bits_per_char) for one in again] == [
        (one.step, one.loss, one.bits_per_char) for one in whole
    ]
    assert again[-1].seconds >= round(gone, 3), "the clock goes on from where the state was saved"
    assert charrnn(*words, "--force").status == 0
    assert [one.step for one in read_history(HISTORY)] == [one.step for one in whole]


def test_history_that_cannot_be_written_is_one_warning(charrnn: Charrnn, folder: Path) -> None:
    (folder / HISTORY).mkdir(parents=True)
    result = charrnn("train", "text.txt", *SMALL, "--validate-every", 1)
    assert result.status == 0
    assert result.err.count("text-lstm.jsonl: cannot be written: Is a directory; free some space or change --out") == 1
    assert "change --out (training continues)\n" in result.err


class InMemory:
    """Keeps records in memory."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def add(self, record: Mapping[str, Any]) -> None:
        self.records.append(dict(record))

    def truncate(self, after: tuple[int, int], steps: int | None) -> None:
        self.records = [one for one in self.records if (one["network"], one["step"]) <= after]

    def close(self) -> None:
        pass


def test_monitor_bounds_records_and_drops_diverged_ones(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour of five steps a second; then it goes back to a step that was saved."""
    model = RecurrentModel(ModelConfig(hidden_size=8), len(small_corpus.vocabulary))
    config = TrainingConfig(steps=18_000)
    run = Run(small_corpus, model.config, config, RunContext(started=0.0))
    seconds = 0.0
    monkeypatch.setattr("charrnn.training.monitor.monitor.time", SimpleNamespace(perf_counter=lambda: seconds))
    monkeypatch.setattr(monitor, "LINES", 1)
    monkeypatch.setattr(monitor.Monitor, "_sample", lambda *_: "")

    def training() -> Training:
        return Training(model, Streams(small_corpus.train.ids, 4, 8), small_corpus.validation, config)

    checkpoints, memory = CheckpointManager(tmp_path / "a.safetensors", run), InMemory()
    checkpoints.begin(training())
    updates: list[Report] = []
    with closing(MetricsLogger([lambda: memory], print)) as logger:
        watch = Monitor(checkpoints, [(Level.UPDATE, updates.append), (Level.RECORD, logger.report)])

        def take(number: int, plan: Plan | None, loss: float = 2.0) -> None:
            nonlocal seconds
            seconds += 0.201
            watch.update(StepResult(number, 64, torch.tensor(float(loss)), 1e-3, plan), is_best=False)

        for number in range(1, 51):  # as long as nobody knows how many there are: each second
            take(number, None, loss=number % 5)
        assert [one["step"] for one in memory.records] == list(range(5, 51, 5))
        assert [one["loss"] for one in memory.records] == [2.0] * 10, "the mean of five"
        assert [one.loss for one in updates] == [number % 5 for number in range(1, 51)]
        assert {one.remaining for one in updates} == {None}
        plan = Plan(18_000, 18_000, 1)
        for number in range(51, 18_001):
            take(number, plan)
        assert len(memory.records) == 10 + (18_000 - 50) // 18
        assert monitor.MAX_RECORDS == 1000
        assert updates[-2].remaining == pytest.approx(0.201)
        checkpoints.begin(training())
        for number in range(501, 520):
            take(number, plan)
        *_, before, after = memory.records
        assert before["step"] <= 500
        assert after["step"] == 518
        assert after["loss"] == 2.0


def events(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


@pytest.fixture(scope="module", autouse=True)
def tensorboard_loads() -> None:
    """It warns of what its own dependencies do."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorboard.backend.event_processing.event_accumulator  # noqa: F401
        import torch.utils.tensorboard  # noqa: F401


def test_tensorboard_events_equal_history(charrnn: Charrnn, folder: Path) -> None:
    words = ("train", "text.txt", *SMALL[:4], "--steps", 4, "--validate-every", 2, "--tensorboard", "runs")
    assert charrnn(*words).status == 0
    history, found = read_history(HISTORY), events(folder / "runs" / "text-lstm")
    scalars = {tag: [(one.step, one.value) for one in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
    for tag, name in (
        ("loss/training, nats per character", "loss"),
        ("loss/validation, nats per character", "nats_per_char"),
        ("validation, bits per character", "bits_per_char"),
        ("learning rate", "learning_rate"),
        ("characters per second", "chars_per_second"),
    ):
        expected = [(one.step, getattr(one, name)) for one in history if getattr(one, name) is not None]
        assert [step for step, _ in scalars[tag]] == [step for step, _ in expected]
        assert [value for _, value in scalars[tag]] == pytest.approx([value for _, value in expected])
    samples = found.Tensors("sample/text_summary")
    shown = samples[0].tensor_proto.string_val[0].decode()
    assert shown == "".join(f"    {line}\n" for line in (history[0].sample or "").split("\n"))
    Path("checkpoints/text-lstm-previous.safetensors").replace("checkpoints/text-lstm-last.safetensors")  # step 2
    assert charrnn("train", "text.txt", "--resume", "--tensorboard", "runs").status == 0
    again = events(folder / "runs" / "text-lstm").Scalars("validation, bits per character")
    assert [one.step for one in again] == [2, 4]  # once each


def test_metric_defined_in_one_entry_is_printed_and_recorded(charrnn: Charrnn, folder: Path) -> None:
    """The proof of the registry: nothing but the entry knows the figure."""
    words = ("train", "text.txt", *SMALL, "--validate-every", 2, "--tensorboard", "runs", "--force")
    squares = Metric("square", lambda report: report.step**2, "squares", lambda report: f"square {report.step**2}")
    METRICS.append(squares)
    try:
        with_it = charrnn(*words)
        line = json.loads(HISTORY.read_text().splitlines()[-1])
        curve = events(folder / "runs" / "text-lstm").Scalars("squares")
        resumed = charrnn("train", "text.txt", "--resume")
        assert json.loads(HISTORY.read_text().splitlines()[-1]) == line, "it outlives a rewritten history"
    finally:
        METRICS.remove(squares)
    assert (with_it.status, resumed.status) == (0, 0)
    assert line["square"] == 9
    assert [(one.step, one.value) for one in curve] == [(1, 1), (2, 4), (3, 9)]
    for step in (1, 2, 3):
        assert any(f"step {step}/3" in one and f", square {step**2}" in one for one in with_it.err.splitlines())
    assert read_history(HISTORY)[-1].step == 3
    without = charrnn(*words)
    assert "square" not in without.err
    assert "square" not in HISTORY.read_text()


def test_record_fields_equal_the_metrics() -> None:
    assert {spec.name for spec in dataclasses.fields(Record)} == {metric.name for metric in METRICS}


def test_tensorboard_counts_steps_through_networks(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("train", "text.txt", *SMALL, "--networks", 2, "--tensorboard", "runs", "--out", "b").status == 0
    found = events(folder / "runs" / "b").Scalars("validation, bits per character")
    assert [one.step for one in found] == [3, 6]


def test_tensorboard_errors_come_before_training(
    charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told before anything is trained."""
    taken = charrnn("train", "text.txt", *SMALL, "--tensorboard", "text.txt")
    assert taken.failed_with(
        1, "text.txt/text-lstm: cannot write to this folder: Not a directory; choose another one with --t"
    )
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    refused = charrnn("train", "text.txt", *SMALL, "--tensorboard", "runs")
    assert refused.failed_with(2, "--tensorboard: needs TensorBoard", "`pip install tensorboard`")
    assert not (folder / "runs").exists()
    assert charrnn("train", "text.txt", *SMALL).status == 0
