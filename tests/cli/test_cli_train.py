"""`charrnn train`: what it prints and keeps, and how it is interrupted."""

import json
import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest
import torch
from processes import start
from program import SMALL, TEXT, Charrnn

from charrnn.checkpoint import load
from charrnn.cli.train import signals
from charrnn.models.rnn.model import RecurrentModel
from charrnn.training.budget.clock import Clock
from charrnn.training.optim.schedule import Plan


def test_train_saves_best_and_last(charrnn: Charrnn, folder: Path) -> None:
    result = charrnn("train", "text.txt", *SMALL, "--validate-every", 1, "--json")
    facts = json.loads(result.text)
    best, last = (load(folder / f"checkpoints/text-lstm{end}.safetensors") for end in ("", "-last"))
    assert result.status == 0
    assert facts["checkpoint"] == "checkpoints/text-lstm.safetensors"
    assert (facts["kind"], facts["steps"], facts["characters"], facts["split"]) == ("recurrent", 3, 170, "90/10/0")
    assert best.metadata.validation is not None
    assert best.metadata.validation.bits_per_char == facts["bits_per_char"]
    assert best.metadata.text.path == "text.txt"
    assert last.metadata.step == 3
    for part in (
        "text ",
        "split ",
        "model ",
        "plan ",
        "step 3/3",
        "best so far",
        "charrnn sample checkpoints/text-lstm",
    ):
        assert part in result.err
    assert "\r" not in result.err  # no bar but on a terminal


def test_train_with_same_seed_gives_same_weights(charrnn: Charrnn, folder: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        assert charrnn("train", "text.txt", *SMALL, "--seed", seed, "--out", name, "--dropout", 0.2).status == 0
    a, b, c = (load(folder / f"checkpoints/{name}.safetensors").model for name in "abc")
    assert isinstance(a, RecurrentModel)
    assert isinstance(b, RecurrentModel)
    assert isinstance(c, RecurrentModel)
    assert a.head.weight.equal(b.head.weight)
    assert not a.head.weight.equal(c.head.weight)


def test_train_over_existing_run_is_refused(charrnn: Charrnn, models: Path) -> None:
    before = (models / "text-lstm.safetensors").read_bytes()
    result = charrnn("train", "text.txt", *SMALL, "--seed", 9)
    assert result.failed_with(2, "checkpoints/text-lstm.safetensors: exists; use --force")
    assert (models / "text-lstm.safetensors").read_bytes() == before
    assert charrnn("train", "text.txt", *SMALL, "--seed", 9, "--force").status == 0
    assert (models / "text-lstm.safetensors").read_bytes() != before


def test_train_without_validation_part_saves_last(charrnn: Charrnn) -> None:
    result = charrnn("train", "text.txt", *SMALL, "--val-fraction", 0, "--json")
    assert result.status == 0
    assert "bits_per_char" not in json.loads(result.text)


def test_train_on_short_text_shrinks_batch_and_prints_it(charrnn: Charrnn, folder: Path) -> None:
    (folder / "short.txt").write_text(TEXT[:100], encoding="utf-8")
    result = charrnn("train", "short.txt", *SMALL)
    assert "1 stream x 64 characters per step (the text is too short for 32 x 64)" in result.err


def test_train_layers_that_contradict_the_cells_are_refused(charrnn: Charrnn, folder: Path) -> None:
    """`--layers 2`, the default, once gave way to three cells even when it was typed."""
    words = ("train", "text.txt", "--hidden", 8, "--steps", 1, "--cell", "gru,gru,attention", "--window", 4)
    for layers in (2, 4):
        refusal = f"--layers {layers}: --cell gru,gru,attention names 3 layers; leave out --layers"
        assert charrnn(*words, "--layers", layers).failed_with(2, refusal)
    assert charrnn(*words).status == 0
    assert load(folder / "checkpoints" / "text-gru-gru-attention.safetensors").description == "gru,gru,attention 3x8"
    assert charrnn(*words, "--layers", 3, "--force").status == 0


def test_train_into_unwritable_place_is_refused(charrnn: Charrnn, folder: Path) -> None:
    (folder / "checkpoints").write_text("a file where the folder should be", encoding="utf-8")
    assert charrnn("train", "text.txt", *SMALL).failed_with(1, "checkpoints: cannot write to this folder", "--out")


def test_train_several_networks_prints_shared_plan_once(charrnn: Charrnn) -> None:
    """A copy of an unchanged plan was printed again for the second network."""
    lines = charrnn("train", "text.txt", *SMALL, "--networks", 2).err.splitlines()
    assert len([line for line in lines if line.startswith("plan ")]) == 1


def test_train_several_networks_saves_one_checkpoint(charrnn: Charrnn) -> None:
    result = charrnn("train", "text.txt", *SMALL, "--networks", 2, "--json")
    assert (result.status, json.loads(result.text)["steps"]) == (0, 6)
    assert "network 1/2, step 3/3" in result.err
    assert "network 2/2, step 3/3" in result.err
    assert "nats), averaging the predictions of 2 networks" in result.err
    assert len(charrnn("sample", "--length", 30).text) == 30


def _train_and_interrupt(folder: Path, signals: int) -> tuple[int | None, str]:
    """Start a long training, send Ctrl-C after its first validation, and again after the answer to it."""
    words = ("train", "text.txt", *SMALL[:4], "--steps", 10**6, "--validate-every", 5)
    training, err = start(folder, *words), folder / "err.txt"
    for wanted in ("best so far", "stopping")[:signals]:
        while not (err.exists() and wanted in err.read_text()):
            time.sleep(0.01)
            assert training.is_alive()
        os.kill(training.pid or 0, signal.SIGINT)
    training.join(60)
    return training.exitcode, err.read_text()


def test_ctrl_c_saves_and_exits_130(folder: Path) -> None:
    status, err = _train_and_interrupt(folder, signals=1)
    assert status == 130
    assert "stopping: saving a checkpoint (Ctrl-C again to quit immediately)" in err
    assert "Traceback" not in err
    last = load(folder / "checkpoints/text-lstm-last.safetensors")
    assert f"text-lstm-last.safetensors, after step {last.metadata.step}" in err
    assert err.endswith("charrnn train text.txt --resume-from checkpoints/text-lstm-last.safetensors\n")


def test_second_ctrl_c_exits_at_once(folder: Path) -> None:
    status, err = _train_and_interrupt(folder, signals=2)
    assert status == 130
    assert "Traceback" not in err
    assert [path.suffix for path in folder.glob("checkpoints/.*")] == [".lock"]  # nothing half written
    load(folder / "checkpoints/text-lstm.safetensors")


@pytest.mark.parametrize("is_changed", [False, True])
def test_printed_options_repeat_the_run(
    is_changed: bool, charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It named the default minutes beside the steps, and both together are refused. A plan may change on the way."""

    def refit(clock: Clock, number: int, plan: Plan, steps_per_epoch: float) -> int | None:
        begun = clock.marked[2]  # when the plan was made
        return number + 9 if is_changed and not plan.earlier and number > begun + 1 else None

    monkeypatch.setattr(Clock, "refit", refit)
    monkeypatch.setattr("charrnn.training.budget.auto_config.CPU_MINUTES", 0.02)
    monkeypatch.setattr("charrnn.training.budget.auto_config.MAX_EPOCHS", 1e9)
    shown = charrnn("train", "text.txt", "--hidden", 8, "--layers", 1).err
    assert ("because training is" in shown) == is_changed
    options = re.findall(r"repeat with +(--steps .+) # instead of --minutes", shown)[0]
    assert ("--replanned" in options) == is_changed
    assert "--minutes" not in options
    words = [*options.split(), "--hidden", 8, "--layers", 1]
    assert charrnn("train", "text.txt", *words, "--out", "again").status == 0
    first, again = (load(folder / f"checkpoints/{name}-last.safetensors").model for name in ("text-lstm", "again"))
    assert isinstance(first, RecurrentModel)
    assert isinstance(again, RecurrentModel)
    weights = again.state_dict()
    assert all(torch.equal(one, weights[name]) for name, one in first.state_dict().items())


def test_train_short_text_for_minutes_ends_early(charrnn: Charrnn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit on epochs once collided with the minutes and was an error; now the training ends early."""
    monkeypatch.setattr("charrnn.training.budget.auto_config.MAX_EPOCHS", 0.01)
    result = charrnn("train", "text.txt", "--hidden", 8, "--minutes", 0.02)
    assert result.status == 0, result.err
    assert "ends early, after 0.01 epochs: more would overfit" in result.err


def test_signal_in_the_middle_of_a_printed_line_is_announced_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Printing may refuse a second call in the same thread. A training then ended with an error and was not saved."""
    lines: list[str] = []

    def log(line: str) -> None:
        if threading.current_thread() is threading.main_thread():
            raise RuntimeError("reentrant call")
        lines.append(line)

    monkeypatch.setattr(signals, "log", log)
    with signals.stopped_by_signals() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert (stop.requested, stop.exit_status) == (True, 128 + signal.SIGTERM)
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join(10)
    assert lines == ["stopping: saving a checkpoint (Ctrl-C again to quit immediately)"]
