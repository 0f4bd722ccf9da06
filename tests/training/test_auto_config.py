"""Options chosen for a time budget."""

import math
from dataclasses import replace

import pytest
import torch

from charrnn.config import ModelConfig, TrainingConfig
from charrnn.training.budget.auto_config import (
    Workload,
    choose_config,
    configure_for_budget,
)
from charrnn.training.budget.sizes import dropout_for, networks_for, weights_of, width_for

NO_OPTIONS: frozenset[str] = frozenset()
MINUTE = TrainingConfig(minutes=1.0)
SPEED = 3e10


def speed(model: ModelConfig, _: TrainingConfig) -> float:
    return SPEED / weights_of(model)


def test_weights_of_each_cell_equal_its_layers() -> None:
    """The weights of the layers, without biases."""
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
    """A minGRU has fewer weights at the same hidden size, so it gets a larger one."""
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


def test_attention_has_its_own_settings() -> None:
    long = Workload(10**7)
    chosen = choose_config(ModelConfig("attention"), MINUTE, NO_OPTIONS, long, speed)
    assert (chosen.model.num_layers, chosen.model.window, chosen.training.learning_rate) == (3, 64, 0.01)
    assert chosen.model.hidden_size % 32 == 0
    assert "attention, 3 layers, window 64, muon optimizer, learning rate 0.01" in chosen.reasons[-1][1]
    mixed = choose_config(ModelConfig("lstm,attention"), MINUTE, NO_OPTIONS, long, speed)
    assert (mixed.model.num_layers, mixed.model.window, mixed.training.learning_rate) == (2, 64, 0.01)
    on_gpu = choose_config(ModelConfig("attention"), MINUTE, NO_OPTIONS, long, speed, on_gpu=True)
    assert (on_gpu.model.num_layers, on_gpu.model.window) == (3, 256)


def test_attention_grows_in_width_and_depth() -> None:
    def sizes(minutes: float) -> tuple[int, int]:
        chosen = choose_config(
            ModelConfig("attention"), TrainingConfig(minutes=minutes), NO_OPTIONS, Workload(10**9), speed
        )
        return chosen.model.num_layers, chosen.model.hidden_size

    chosen = [sizes(minutes) for minutes in (0.01, 1, 3, 10, 60, 10_000)]
    assert chosen == sorted(chosen)
    assert chosen[1:4] == [(3, 128), (4, 128), (5, 160)]
    assert chosen[-1] == (8, 512)


def test_attention_with_explicit_settings_keeps_them() -> None:
    model, training = ModelConfig("attention", window=100), replace(MINUTE, learning_rate=0.004)
    explicit = frozenset({"num_layers", "window", "learning_rate"})
    chosen = choose_config(model, training, explicit, Workload(10**7), speed)
    assert (chosen.model.num_layers, chosen.model.window, chosen.training.learning_rate) == (2, 100, 0.004)


def test_auto_config_with_explicit_options_keeps_them() -> None:
    model, training = ModelConfig(hidden_size=100, dropout=0.3), TrainingConfig(minutes=1, batch_size=7)
    explicit = frozenset({"hidden_size", "dropout", "batch_size", "embedding_size"})
    chosen = choose_config(model, training, explicit, Workload(10_000_000), speed)
    assert (chosen.model, chosen.training) == (model, training)
    assert [name for name, _ in chosen.reasons] == ["settings"]


def test_short_text_limits_epochs() -> None:
    chosen = choose_config(ModelConfig(), replace(MINUTE, minutes=10.0), NO_OPTIONS, Workload(5000), speed)
    assert chosen.training.minutes is None
    assert chosen.training.epochs == 12
    assert chosen.training.batch_size == 4
    assert chosen.training.validate_every == math.ceil(12 * 5000 / (4 * 64) / 10)
    assert chosen.model.dropout == 0.2
    assert [name for name, _ in chosen.reasons] == [
        "batch size",
        "networks",
        "size",
        "time",
        "dropout",
        *(["embedding"] if chosen.model.hidden_size > 64 else []),
        "settings",
    ]


def test_many_minutes_choose_several_networks() -> None:
    """On a text that one network would read too often; each network is also wider than with less time."""
    hour = replace(MINUTE, minutes=60.0)
    several = choose_config(ModelConfig(), hour, NO_OPTIONS, Workload(10**6), speed)
    short = choose_config(ModelConfig(), MINUTE, NO_OPTIONS, Workload(10**6), speed)
    assert several.model.networks > 1
    assert (
        several.model.hidden_size
        > choose_config(ModelConfig(), MINUTE, NO_OPTIONS, Workload(10**6), speed).model.hidden_size
    )
    assert "networks" in [name for name, _ in several.reasons]
    assert short.model.networks == 1
    assert choose_config(ModelConfig(), hour, NO_OPTIONS, Workload(10**8), speed).model.networks == 1
    assert networks_for(1e30, 10**6) == 8
    half_an_hour = 5e13
    assert networks_for(half_an_hour, 10**6) > networks_for(half_an_hour, 10**6, mixed=True) > 1
    explicit = choose_config(ModelConfig(networks=3), MINUTE, frozenset({"networks"}), Workload(10**6), speed)
    assert explicit.model.networks == 3


def test_mixtures_have_ngram_embeddings_for_few_epochs() -> None:
    def chosen(characters: int, *explicit: str, minutes: float = 1.0, mixed: bool = True) -> ModelConfig:
        training, workload = replace(MINUTE, minutes=minutes), Workload(characters, 65, mixed=mixed)
        return choose_config(ModelConfig(), training, frozenset(explicit), workload, speed).model

    one, long, huge = chosen(10**6), chosen(3 * 10**6), chosen(10**8)
    assert (one.ngram_embedding, long.ngram_embedding, huge.ngram_embedding) == (5, 6, 6)
    assert one.ngram_dropout > long.ngram_dropout > huge.ngram_dropout
    assert chosen(10**6, mixed=False).ngram_embedding == 0
    assert chosen(10**6, "ngram_embedding").ngram_embedding == 0
    assert chosen(30_000, "hidden_size", "networks").ngram_embedding == 0  # more epochs
    assert str(one).endswith("+ 5-grams")


def test_steps_or_epochs_choose_nothing() -> None:
    for training in (TrainingConfig(steps=5), TrainingConfig(epochs=5)):
        chosen = configure_for_budget(ModelConfig(), training, NO_OPTIONS, Workload(10**6), torch.device("cpu"))
        assert (chosen.model, chosen.training, chosen.reasons) == (ModelConfig(), training, ())


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
    """Only where trials found it better: not with minGRU, and not for thousands of characters."""
    model = ModelConfig(cell=cell, hidden_size=hidden_size)
    explicit = frozenset({"hidden_size", "cell"})
    chosen = choose_config(model, TrainingConfig(minutes=1), explicit, Workload(10_000_000, vocab_size), speed)
    assert chosen.model.embedding_size == expected
    assert ("embedding" in dict(chosen.reasons)) == (expected is not None)


def test_default_budget_is_five_minutes_with_muon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five minutes on a CPU, with Muon on every processor."""
    measured = "charrnn.training.budget.auto_config.measure_speed"
    monkeypatch.setattr(measured, lambda model, training, device, is_alone: speed(model, training))
    chosen = configure_for_budget(ModelConfig(), TrainingConfig(), NO_OPTIONS, Workload(10**6), torch.device("cpu"))
    assert chosen.training.minutes == 5
    assert chosen.training.optimizer == "muon"
