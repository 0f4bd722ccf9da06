"""What a budget of minutes buys."""

import math
from dataclasses import replace

import pytest
import torch

from charrnn.config import ModelConfig, TrainingConfig
from charrnn.training.budget.auto_config import (
    Workload,
    choose_config,
    configure_for_budget,
    dropout_for,
    networks_for,
    weights_of,
    width_for,
)

NOTHING: frozenset[str] = frozenset()
MINUTE = TrainingConfig(minutes=1.0)
SPEED = 3e10


def speed(model: ModelConfig, _: TrainingConfig) -> float:
    return SPEED / weights_of(model)


def test_weights_of_each_cell_equal_its_layers() -> None:
    """As the layers have them, biases apart."""
    for cell in ("rnn", "lstm", "gru", "minlstm", "mingru"):
        from charrnn.models.rnn.model import RecurrentModel

        config = ModelConfig(cell=cell, num_layers=3, hidden_size=16)
        layers = RecurrentModel(config, 5).cells
        assert weights_of(config) == sum(p.numel() for p in layers.parameters() if p.dim() == 2), cell


def test_width_grows_with_time() -> None:
    widths = [width_for(60 * minutes * SPEED, ModelConfig(), 10**9) for minutes in (0.01, 0.2, 1, 3, 10, 60, 10_000)]
    assert widths == sorted(widths)
    assert widths[0] == 64
    assert widths[2:4] == [192, 256]
    assert widths[-1] == 512
    assert all(width % 64 == 0 for width in widths)


def test_width_of_short_text_is_larger() -> None:
    work = 60 * 10 * SPEED
    assert width_for(work, ModelConfig(), 10**6) > width_for(work, ModelConfig(), 10**7)


def test_width_on_gpu_suits_cudnn() -> None:
    widths = {width_for(60 * minutes * SPEED, ModelConfig(), 10**9, on_gpu=True) for minutes in (0.01, 1, 10, 10_000)}
    assert widths <= {128 * i for i in range(1, 9)}
    assert max(widths) == 1024


def test_width_of_other_cells_gives_as_many_weights() -> None:
    """A minGRU has fewer weights for its width, so it is made wider."""
    work = 180 * SPEED
    weights = [
        weights_of(replace(config, hidden_size=width_for(work, config, 10**9)))
        for config in (ModelConfig(), ModelConfig(cell="gru"), ModelConfig(num_layers=4))
    ]
    assert max(weights) < 2 * min(weights)
    assert width_for(work, ModelConfig(cell="mingru"), 10**9) > width_for(work, ModelConfig(), 10**9)


def test_dropout_grows_with_epochs() -> None:
    shares = [dropout_for(epochs) for epochs in (0.1, 4, 7, 12, 1000)]
    assert shares == sorted(shares)
    assert shares[:2] == [0, 0]
    assert shares[-1] <= 0.5


def test_auto_config_with_explicit_options_keeps_them() -> None:
    model, training = ModelConfig(hidden_size=100, dropout=0.3), TrainingConfig(minutes=1, batch_size=7)
    said = frozenset({"hidden_size", "dropout", "batch_size", "embedding_size"})
    recipe = choose_config(model, training, said, Workload(10_000_000), speed)
    assert (recipe.model, recipe.training) == (model, training)
    assert [name for name, _ in recipe.reasons] == ["settings"]


def test_short_text_limits_epochs() -> None:
    recipe = choose_config(ModelConfig(), replace(MINUTE, minutes=10.0), NOTHING, Workload(5000), speed)
    assert recipe.training.minutes is None
    assert recipe.training.epochs == 12
    assert recipe.training.batch_size == 4
    assert recipe.training.validate_every == math.ceil(12 * 5000 / (4 * 64) / 10)
    assert recipe.model.dropout == 0.2
    assert [name for name, _ in recipe.reasons] == [
        "batch size",
        "networks",
        "size",
        "time",
        "dropout",
        *(["embedding"] if recipe.model.hidden_size > 64 else []),
        "settings",
    ]


def test_many_minutes_choose_several_networks() -> None:
    """Of a text that one network would have read often enough; each is wider than with less time, too."""
    hour = replace(MINUTE, minutes=60.0)
    several = choose_config(ModelConfig(), hour, NOTHING, Workload(10**6), speed)
    one = choose_config(ModelConfig(), MINUTE, NOTHING, Workload(10**6), speed)
    assert several.model.networks > 1
    assert (
        several.model.hidden_size
        > choose_config(ModelConfig(), MINUTE, NOTHING, Workload(10**6), speed).model.hidden_size
    )
    assert "networks" in [name for name, _ in several.reasons]
    assert one.model.networks == 1
    assert choose_config(ModelConfig(), hour, NOTHING, Workload(10**8), speed).model.networks == 1
    assert networks_for(1e30, 10**6) == 8
    ten_minutes = 1.8e13
    assert networks_for(ten_minutes, 10**6) > networks_for(ten_minutes, 10**6, mixed=True) == 1
    said = choose_config(ModelConfig(networks=3), MINUTE, frozenset({"networks"}), Workload(10**6), speed)
    assert said.model.networks == 3


def test_steps_or_epochs_choose_nothing() -> None:
    for training in (TrainingConfig(steps=5), TrainingConfig(epochs=5)):
        recipe = configure_for_budget(ModelConfig(), training, NOTHING, Workload(10**6), torch.device("cpu"))
        assert (recipe.model, recipe.training, recipe.reasons) == (ModelConfig(), training, ())


@pytest.mark.parametrize(
    ("cell", "hidden_size", "vocab_size", "expected"),
    [
        ("lstm", 192, 65, 64),
        ("gru", 192, 256, 64),
        ("lstm", 192, 5000, None),
        ("mingru", 192, 65, None),
        ("lstm", 64, 65, None),
    ],
)
def test_small_vocabulary_chooses_narrow_embedding(
    cell: str, hidden_size: int, vocab_size: int, expected: int | None
) -> None:
    """Where that was tried and found better: not in minGRUs, and not for thousands of characters."""
    model = ModelConfig(cell=cell, hidden_size=hidden_size)
    said = frozenset({"hidden_size", "cell"})
    recipe = choose_config(model, TrainingConfig(minutes=1), said, Workload(10_000_000, vocab_size), speed)
    assert recipe.model.embedding_size == expected
    assert ("embedding" in dict(recipe.reasons)) == (expected is not None)


def test_default_budget_is_five_minutes_with_muon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five minutes on a CPU, with Muon on every processor."""
    measured = "charrnn.training.budget.auto_config.measure_speed"
    monkeypatch.setattr(measured, lambda model, training, device, is_alone: speed(model, training))
    recipe = configure_for_budget(ModelConfig(), TrainingConfig(), NOTHING, Workload(10**6), torch.device("cpu"))
    assert recipe.training.minutes == 5
    assert recipe.training.optimizer == "muon"
