"""A cell defined in one class works in every command and output, and leaves nothing behind."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from new_cell import NEW_CELL, new_cell
from program import SMALL, Charrnn

from charrnn import config
from charrnn.config import ModelConfig
from charrnn.lab import cells, memory, vanishing
from charrnn.models.kernels.native_network import NativeCell
from charrnn.models.rnn.cells import CELLS, LSTM, Cell
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.stepper import PlainStepper, make_stepper

NAME = f"text-{NEW_CELL}"


@pytest.fixture
def cell() -> Iterator[type[Cell]]:
    before = dict(CELLS), list(config.CELLS)
    with new_cell() as added:
        yield added
    assert (dict(CELLS), list(config.CELLS)) == before


@pytest.fixture
def trained(charrnn: Charrnn, folder: Path, cell: type[Cell], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("charrnn.training.fit_mixture.STEPS", 60)
    (folder / "text.txt").write_text("to be\tor not to be\n" * 100)
    done = charrnn("train", "text.txt", "--cell", NEW_CELL, *SMALL)
    assert done.status == 0, done.err
    return folder / "checkpoints" / f"{NAME}.safetensors"


def test_new_cell_trained_is_sampled_scored_inspected_and_compared(charrnn: Charrnn, trained: Path) -> None:
    assert trained.is_file()
    sampled = charrnn("sample", NAME, "--seed", 1, "--length", 30)
    assert len(sampled.text.rstrip("\n")) > 0
    assert charrnn("sample", NAME, "--seed", 1, "--length", 30).text == sampled.text
    assert charrnn("sample", NAME, "--count", 3, "--length", 10, "--json").status == 0
    assert charrnn("sample", NAME, "--beam", 2, "--length", 10).status == 0
    assert json.loads(charrnn("score", NAME, "--json").text)["bits_per_char"] > 0
    assert charrnn("score", NAME, "--online", "--json").status == 0
    inspected = charrnn("inspect", NAME)
    assert NEW_CELL in inspected.err + inspected.text
    compared = charrnn("compare", NAME, "--baselines", "none", "--json")
    assert compared.status == 0, compared.err
    assert NEW_CELL in compared.text
    assert charrnn("complete", NAME, "text.txt", "--length", 3).status == 0


def test_new_cell_in_a_mixture_or_ensemble_is_sampled_and_resumed(charrnn: Charrnn, trained: Path) -> None:
    options = ("--cell", NEW_CELL, *SMALL)
    assert charrnn("train", "text.txt", *options, "--networks", 2, "--with-ngram", "--out", "both").status == 0
    assert charrnn("sample", "both", "--length", 20).status == 0
    assert charrnn("sample", "both", "--mix", f"{NAME}:0.3", "--length", 20).status == 0
    assert charrnn("train", "text.txt", *options, "--init-from", NAME, "--out", "more").status == 0
    assert charrnn("train", "text.txt", *options, "--resume").status == 0


def test_new_cell_with_a_time_budget_gets_a_size(charrnn: Charrnn, trained: Path) -> None:
    done = charrnn("train", "text.txt", "--cell", NEW_CELL, "--minutes", 0.01, "--out", "timed")
    assert done.status == 0, done.err
    assert f"{NEW_CELL} 2x" in done.err


def test_new_cell_in_a_report_has_its_label(charrnn: Charrnn, trained: Path) -> None:
    pytest.importorskip("matplotlib")
    done = charrnn("view", NAME, "--length", 60)
    assert done.status == 0, done.err
    assert "Leaky integrator with one layer of 8 units" in Path(done.text.strip()).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["cells", "memory", "vanishing"])
def test_new_cell_is_in_the_experiments(
    charrnn: Charrnn, folder: Path, cell: type[Cell], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    for module in (cells, memory, vanishing):
        monkeypatch.setitem(module.SIZES, "quick", module.SIZES["tiny"])
    text = () if name == "memory" else ("--text", "text.txt")
    done = charrnn("lab", name, "--quick", *text, "--json")
    assert done.status == 0, done.err
    assert {row["cell"] for row in json.loads(done.text)} == set(CELLS)


def test_new_cell_reads_by_its_own_forward(cell: type[Cell]) -> None:
    model = RecurrentModel(ModelConfig(NEW_CELL, hidden_size=8), 5).eval()
    assert model.native() is None
    assert isinstance(make_stepper(model), PlainStepper)
    with torch.no_grad():
        logits, _ = model(torch.tensor([[1, 2]]))
    steps = make_stepper(model)
    for t, token in enumerate((1, 2)):
        np.testing.assert_allclose(steps.read(np.array([token])), logits[:, t], atol=1e-5)


def test_subclass_of_a_native_cell_is_not_read_as_its_base() -> None:
    class Variant(LSTM):
        """A subclass that may compute something else."""

    assert LSTM.native is NativeCell.LSTM
    assert Variant.native is None
    assert Variant not in CELLS.values()


def test_cell_with_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(ValueError, match="cell lstm: already registered as LSTM"):

        class Other(Cell, name="lstm", label="Other"):
            """Another cell with the same name."""


def test_cell_that_is_registered_no_longer_is_unknown(charrnn: Charrnn, folder: Path) -> None:
    with new_cell():
        pass
    assert charrnn("train", "text.txt", "--cell", NEW_CELL).failed_with(2, "must be one of rnn, lstm, gru")
