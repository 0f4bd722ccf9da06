"""`charrnn train` leaves a history, for eyes and programs: NAME.jsonl, and TensorBoard's events if they are wanted."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from program import SMALL, Charrnn

from charrnn.checkpoint import load, load_ongoing
from charrnn.config import ModelConfig, TrainingConfig
from charrnn.models.rnn.model import RecurrentModel
from charrnn.text.batches import Streams
from charrnn.text.corpus import Corpus
from charrnn.training.events import Step
from charrnn.training.loop import Training
from charrnn.training.monitor import recording
from charrnn.training.monitor.history import Record, read_history
from charrnn.training.monitor.monitor import Look
from charrnn.training.monitor.recording import Recorder
from charrnn.training.optim.schedule import Plan
from charrnn.training.state.checkpoints import Keeper

HISTORY = Path("checkpoints/text-lstm.jsonl")


def test_every_validation_and_sample_is_there(charrnn: Charrnn, folder: Path) -> None:
    result = charrnn("train", "text.txt", *SMALL, "--validate-every", 2)
    found = read_history(HISTORY)
    assert [(one.step, one.network, one.steps) for one in found] == [(1, 1, 3), (2, 1, 3), (3, 1, 3)]
    validated = [one for one in found if one.nats_per_char is not None]
    best = load(Path("checkpoints/text-lstm.safetensors")).facts
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


def test_the_loss_is_the_mean_since_the_record_before(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("train", "text.txt", *SMALL[:4], "--steps", 9, "--validate-every", 1, "--out", "each").status == 0
    assert charrnn("train", "text.txt", *SMALL[:4], "--steps", 9, "--networks", 5, "--out", "five").status == 0
    each = [one.loss or 0 for one in read_history(Path("checkpoints/each.jsonl"))]
    five = read_history(Path("checkpoints/five.jsonl"))
    assert [(one.network, one.step) for one in five] == [(i, step) for i in range(1, 6) for step in (4, 9)]
    assert five[0].loss == pytest.approx(sum(each[:4]) / 4)
    assert five[1].loss == pytest.approx(sum(each[4:]) / 5)


def test_one_that_goes_on_appends_and_a_new_one_begins_anew(charrnn: Charrnn, folder: Path) -> None:
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
    gone = load_ongoing(last).facts.seconds
    assert charrnn("train", "text.txt", "--resume").status == 0
    again = read_history(HISTORY)
    assert again[:4] == whole[:4]
    assert [(one.step, one.loss, one.bits_per_char) for one in again] == [
        (one.step, one.loss, one.bits_per_char) for one in whole
    ]
    assert again[-1].seconds >= round(gone, 3), "the clock goes on from where the state was saved"
    assert charrnn(*words, "--force").status == 0
    assert [one.step for one in read_history(HISTORY)] == [one.step for one in whole]


def test_where_it_cannot_be_written_the_training_goes_on(charrnn: Charrnn, folder: Path) -> None:
    (folder / HISTORY).mkdir(parents=True)
    result = charrnn("train", "text.txt", *SMALL, "--validate-every", 1)
    assert result.status == 0
    assert result.err.count("text-lstm.jsonl: cannot be written: Is a directory; make room, or say --out") == 1
    assert "say --out (the training goes on)\n" in result.err


class Kept:
    """A place for records, in memory."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def add(self, record: Record) -> None:
        self.records.append(record)

    def go_back(self, after: tuple[int, int], steps: int | None) -> None:
        self.records = [one for one in self.records if (one.network, one.step) <= after]

    def close(self) -> None:
        pass


def test_records_are_bounded_and_a_loss_that_exploded_is_forgotten(small_corpus: Corpus, tmp_path: Path) -> None:
    """An hour of looks, five a second; then it goes back to a step that was saved."""
    model = RecurrentModel(ModelConfig(hidden_size=8), len(small_corpus.vocabulary))
    config = TrainingConfig(steps=18_000)

    def training() -> Training:
        return Training(model, Streams(small_corpus.train, 4, 8), small_corpus.validation, config)

    keeper, kept = Keeper(tmp_path / "a.safetensors", small_corpus, config, model.config, 0.0), Kept()
    keeper.begin(training())

    def look(number: int, plan: Plan | None, later: int = 0) -> Look:
        step = Step(number, 64, torch.tensor(1.0), 1e-3, plan)
        return Look(step, 1, 1, 2.0, 100.0, (number + later) / 5, False, False, None)

    with Recorder(keeper, [lambda: kept]) as recorder:
        for number in range(1, 51):  # as long as nobody knows how many there are: each second
            recorder.take(look(number, None))
        assert [one.step for one in kept.records] == list(range(5, 51, 5))
        plan = Plan(18_000, 18_000, 1)
        for number in range(51, 18_001):
            recorder.take(look(number, plan))
        assert len(kept.records) == 10 + (18_000 - 50) // 18
        assert recording.MOST == 1000
        keeper.begin(training())
        for number in range(501, 520):
            recorder.take(look(number, plan, 18_000))
        *_, before, after = kept.records
        assert before.step <= 500
        assert after.step == 518
        assert after.loss == 2.0


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


def test_tensorboard(charrnn: Charrnn, folder: Path) -> None:
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


def test_several_networks_are_counted_through(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("train", "text.txt", *SMALL, "--networks", 2, "--tensorboard", "runs", "--out", "b").status == 0
    found = events(folder / "runs" / "b").Scalars("validation, bits per character")
    assert [one.step for one in found] == [3, 6]


def test_what_can_be_wrong_with_tensorboard(charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told before anything is trained."""
    taken = charrnn("train", "text.txt", *SMALL, "--tensorboard", "text.txt")
    assert taken.failed_with(1, "text.txt/text-lstm: cannot be written to: Not a directory; say another place with --t")
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    refused = charrnn("train", "text.txt", *SMALL, "--tensorboard", "runs")
    assert refused.failed_with(2, "--tensorboard: needs TensorBoard", "`pip install tensorboard`")
    assert not (folder / "runs").exists()
    assert charrnn("train", "text.txt", *SMALL).status == 0
