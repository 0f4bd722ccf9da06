"""Every command on a device without float64 and without numpy, as MPS is one; played on a CPU."""

from pathlib import Path
from typing import Any

import pytest
import torch
from played_device import PlayedDevice
from program import SMALL, Charrnn
from torch import Tensor, nn

from charrnn.config import CELLS, ModelConfig, TrainingConfig
from charrnn.models.rnn.cells import LSTM
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.evaluate import evaluate
from charrnn.text.batches import Streams
from charrnn.text.corpus import Corpus
from charrnn.training.loop import train


@pytest.fixture
def on_device(played_device: PlayedDevice, monkeypatch: pytest.MonkeyPatch) -> PlayedDevice:
    """Whatever is sent to a device goes there."""
    send = nn.Module.to

    def to(self: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
        sent = send(self, *args, **kwargs)
        played_device.put(sent)
        return sent

    monkeypatch.setattr(nn.Module, "to", to)
    return played_device


@pytest.mark.parametrize("cell", CELLS)
def test_network_on_played_device_trains_and_scores(cell: str, on_device: PlayedDevice, small_corpus: Corpus) -> None:
    model = RecurrentModel(ModelConfig(cell=cell, hidden_size=16, dropout=0.1), len(small_corpus.vocabulary)).to("cpu")
    config = TrainingConfig(steps=3, seq_length=8, batch_size=4, precision="float32")
    *_, last = train(model, Streams(small_corpus.train.ids, 4, 8), small_corpus.validation, config)
    assert last.score
    assert evaluate(model, small_corpus.validation) == last.score


def test_commands_on_played_device_run(
    on_device: PlayedDevice, charrnn: Charrnn, small_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charrnn.training.fit_mixture.STEPS", 3)  # of 600, each of which takes milliseconds here
    text, few = str(small_file), ("--batch-size", "4", "--seq-length", "16")
    for words in (
        ("train", text, *SMALL, *few, "--out", "a"),
        ("train", text, *SMALL, *few, "--with-ngram", "--ngram-embedding", "3", "--out", "b"),
        ("sample", "a", "--length", "30", "--prime", "to "),
        ("sample", "b", "--length", "30"),
        ("sample", "a", "--beam", "2", "--length", "10"),
        ("score", "a"),
        ("score", "b", "--lines"),
        ("score", "a", "--online", "--window", "16"),
        ("compare", "a", "b", "--prime", "to ", "--length", "50", "--novelty-length", "200"),
        ("compare", "a", "--online", "--baselines", "none", "--length", "20", "--novelty-length", "0"),
        ("view", "a", "--out", "page.html"),
        ("inspect", "a"),
    ):
        if words[0] == "view":
            pytest.importorskip("matplotlib")
        found = charrnn(*words)
        assert found.status == 0, (words, found.err)


def test_played_device_refuses_what_mps_refuses(played_device: PlayedDevice) -> None:
    """It refuses what MPS refuses."""
    model = RecurrentModel(ModelConfig(hidden_size=8), 5)
    played_device.put(model)
    logits, _ = model(torch.zeros(1, 3, dtype=torch.int64))
    with pytest.raises(TypeError, match="float64"):
        logits.double()
    with pytest.raises(TypeError, match="numpy"):
        logits.detach().numpy()
    assert logits.detach().cpu().double().numpy().shape == (1, 3, 5)
    cell = LSTM(4, 4)
    with pytest.raises(RuntimeError, match="not contiguous"):
        torch._VF.lstm(
            torch.randn(3, 2, 4).transpose(0, 1), (torch.zeros(1, 2, 4),) * 2, list(cell.core.parameters()),
            True, 1, 0.0, False, False, True,
        )  # fmt: skip
    y, _ = cell(torch.randn(3, 2, 4).transpose(0, 1), torch.zeros(2, 8))
    assert isinstance(y, Tensor)
