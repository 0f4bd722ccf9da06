"""Choose the size of the network and other settings for a time budget, from the text and the speed of the machine.

Options that the user sets are never changed. The measurements behind each rule are in docs/project/experiments.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import torch

from charrnn.checkpoint.metadata import from_json
from charrnn.config import ModelConfig, TrainingConfig
from charrnn.formatting import plural, rough_count
from charrnn.models.rnn.ngram_embedding import longest_order
from charrnn.training.budget.clock import measure_speed
from charrnn.training.budget.sizes import (
    GPU_WIDTHS,
    attention_layers_for,
    batch_size_for,
    dropout_for,
    networks_for,
    weights_of,
    width_for,
)
from charrnn.training.distributed import ProcessGroup
from charrnn.training.optim.schedule import AIM, MAX_VALIDATIONS

CPU_MINUTES, GPU_MINUTES = 5.0, 2.0
"""Default time budgets, in minutes."""

MAX_EPOCHS = 12.0
"""Maximum number of epochs; more overfit at any dropout."""
EMBEDDING = 64
"""Embedding size for vocabularies up to `SMALL_VOCABULARY`: better and faster than the hidden size."""
SMALL_VOCABULARY = 256
NARROW_EMBEDDINGS = ("rnn", "lstm", "gru")
"""Cells that gain from `EMBEDDING`; minGRU and networks with attention lose by it."""

ATTENTION_MEASURED = 128
"""Hidden size with which their speed is measured: a wider one does more work in the same time than is possible with the
sizes that fit a few minutes."""
ATTENTION_WINDOW = 64
"""Window of attention on a CPU; a longer one learns more slowly, and takes more time for each step."""
ATTENTION_RATE = 1e-2
"""Peak learning rate of networks with attention."""

NGRAM_ORDERS = {0: 5, 2_000_000: 6}
"""Length of the longest n-grams with an embedding in networks that will be mixed with n-grams, for texts from each
number of characters on."""
NGRAM_EPOCHS = 7.0
"""Maximum number of epochs for which a network gets embeddings of n-grams; in more it learns the text by heart."""
NGRAM_DROPOUT_PER_EPOCH = 0.1
"""Dropout probability of embeddings of n-grams for each epoch."""

Speed = Callable[[ModelConfig, TrainingConfig], float]
"""Returns the training speed of a network, in characters per second."""


@dataclass(frozen=True)
class ChosenConfig:
    """A complete configuration: explicit options, and the ones chosen for the time budget.

    Attributes:
        model: the network or networks.
        training: the training configuration.
        reasons: (label, one-line explanation) for each choice, as `charrnn train` prints them.
        epochs: expected passes over the training part; None if nothing was chosen.
    """

    model: ModelConfig
    training: TrainingConfig
    reasons: tuple[tuple[str, str], ...] = ()
    epochs: float | None = None


@dataclass(frozen=True)
class Workload:
    """The work that the time budget has to cover.

    Attributes:
        characters: length of the training part.
        vocab_size: number of different characters, V.
        padding: fraction of batch positions without a character, see `Streams`.
        spent: seconds of the budget already used, or reserved for other work.
        mixed: whether the networks will be mixed with n-grams.
    """

    characters: int
    vocab_size: int = SMALL_VOCABULARY
    padding: float = 0.0
    spent: float = 0.0
    mixed: bool = False


def configure_for_budget(
    model: ModelConfig,
    training: TrainingConfig,
    explicit: frozenset[str],
    workload: Workload,
    device: torch.device,
    group: ProcessGroup | None = None,
) -> ChosenConfig:
    """Measure the speed of the machine and choose all options that are not explicit.

    With a number of steps or epochs there is no time budget: the configurations are returned unchanged.

    Args:
        model: the network; fields that are not explicit have their defaults.
        training: the training configuration, likewise.
        explicit: names of the fields that must not change.
        workload: the text, and the time already used.
        device: the device to train on.
        group: the processes that train together; all get the choices of rank 0.
    """
    if training.steps or training.epochs:
        return ChosenConfig(model, training)
    if not training.minutes:
        training = replace(training, minutes=CPU_MINUTES if device.type == "cpu" else GPU_MINUTES)
    group = group or ProcessGroup()
    workload = replace(workload, spent=group.broadcast(workload.spent)[0])

    def speed(candidate: ModelConfig, candidate_training: TrainingConfig) -> float:
        share = replace(candidate_training, batch_size=max(1, candidate_training.batch_size // group.size))
        return (1 - workload.padding) * group.all_sum(measure_speed(candidate, share, device, group.size == 1))

    chosen = choose_config(model, training, explicit, workload, speed, device.type == "cuda")
    fields = json.dumps([asdict(chosen.model), asdict(chosen.training)])
    model_fields, training_fields = json.loads(group.broadcast_bytes(fields.encode()))
    return replace(
        chosen,
        model=from_json("model", model_fields, ModelConfig),
        training=from_json("training", training_fields, TrainingConfig),
    )


def choose_config(
    model: ModelConfig,
    training: TrainingConfig,
    explicit: frozenset[str],
    workload: Workload,
    speed: Speed,
    on_gpu: bool = False,
) -> ChosenConfig:
    """Choose all options that are not explicit, given the speed of networks; see `configure_for_budget`."""
    model, training = suit_attention(model, training, explicit, on_gpu)
    assert training.minutes
    characters = workload.characters
    is_open = "embedding_size" not in explicit and not on_gpu
    is_narrow = model.layer_cells[0] in NARROW_EMBEDDINGS and not model.attends
    if is_open and is_narrow and workload.vocab_size <= SMALL_VOCABULARY:
        model = replace(model, embedding_size=EMBEDDING)
    if workload.mixed and "ngram_embedding" not in explicit and not on_gpu:
        longest = max(order for least, order in NGRAM_ORDERS.items() if characters >= least)
        order = min(longest, longest_order(workload.vocab_size))
        model = replace(model, ngram_embedding=order if order > 1 else 0)
    seconds, reasons = max(1.0, 60 * AIM * training.minutes - workload.spent), []
    rows = batch_size_for(characters, training.batch_size, on_gpu)
    if "batch_size" not in explicit and rows != training.batch_size:
        is_short = rows < training.batch_size
        why = "a short text needs many small steps" if is_short else "the text is long enough"
        reasons.append(("batch size", f"{rows} instead of {training.batch_size}: {why} (override: --batch-size)"))
        training = replace(training, batch_size=rows)
    if model.cell == "attention" and "hidden_size" not in explicit:
        model = replace(model, hidden_size=ATTENTION_MEASURED)
    affordable = seconds * speed(model, training)
    if "networks" not in explicit:
        model = replace(model, networks=networks_for(affordable * weights_of(model), characters, workload.mixed))
    if model.networks > 1:
        affordable, seconds = affordable / model.networks, seconds / model.networks
        why = ": their average beats one network trained longer (override: --networks)"
        reasons.append(
            ("networks", f"{model.networks}, trained for {seconds:.0f} s each{why * ('networks' not in explicit)}")
        )
    if model.cell == "attention" and "num_layers" not in explicit:
        model = replace(model, num_layers=attention_layers_for(affordable * weights_of(model), model, characters))
        affordable = seconds * speed(model, training)
    if "hidden_size" not in explicit:
        width = width_for(affordable * weights_of(model), model, characters, on_gpu)
        model, affordable = _widen(model, width, lambda wide: seconds * speed(wide, training), characters, on_gpu)
        reasons.append(
            ("size", f"{plural(model.num_layers, 'layer')} of {model.hidden_size} units, sized to train on about "
             f"{rough_count(affordable)} characters in {seconds:.0f} s (override: --hidden)")
        )  # fmt: skip
    epochs = affordable / characters
    if epochs > MAX_EPOCHS:
        epochs, training = MAX_EPOCHS, _limit_epochs(training, characters)
        reasons.append(("time", f"ends early, after {epochs:g} epochs: more would overfit (override: --epochs)"))
    if "dropout" not in explicit:
        model = replace(model, dropout=dropout_for(epochs))
        times = f"{epochs:.2g} epoch{'s' * (epochs != 1)}"
        why = f"against overfitting in about {times}" if model.dropout else f"as about {times} cause little overfitting"
        reasons.append(("dropout", f"{model.dropout:g}, {why} (override: --dropout)"))
    if epochs > NGRAM_EPOCHS and "ngram_embedding" not in explicit:
        model = replace(model, ngram_embedding=0)
    if model.ngram_embedding and "ngram_dropout" not in explicit:
        dropout = NGRAM_DROPOUT_PER_EPOCH * min(epochs, NGRAM_EPOCHS)
        model = replace(model, ngram_dropout=round(dropout, 2))
    if model.ngram_embedding and "ngram_embedding" not in explicit:
        reasons.append(
            ("embedding", f"also of n-grams of 2 to {model.ngram_embedding} characters, with dropout "
             f"{model.ngram_dropout:g} (override: --ngram-embedding, --ngram-dropout)")
        )  # fmt: skip
    if is_open and model.hidden_size <= EMBEDDING:
        model = replace(model, embedding_size=None)
    if is_open and model.embedding_size:
        why = f"instead of the hidden size, {model.hidden_size}: better and faster in trials"
        reasons.append(("embedding", f"size {model.embedding_size} {why} (override: --embedding)"))
    window = f", window {model.window}" * model.attends
    reasons.append(
        ("settings", f"{model.cell}, {plural(model.num_layers, 'layer')}{window}, {training.optimizer} optimizer, "
         f"learning rate {training.learning_rate:g}, sequence length {training.seq_length} (tuned defaults and your "
         "options)")
    )  # fmt: skip
    return ChosenConfig(model, training, tuple(reasons), epochs)


def suit_attention(
    model: ModelConfig, training: TrainingConfig, explicit: frozenset[str] = frozenset(), on_gpu: bool = False
) -> tuple[ModelConfig, TrainingConfig]:
    """Return the configurations, with the window and the learning rate that suit attention if the network has it."""
    if not model.attends:
        return model, training
    if "learning_rate" not in explicit:
        training = replace(training, learning_rate=ATTENTION_RATE)
    if "window" not in explicit and not on_gpu:
        model = replace(model, window=ATTENTION_WINDOW)
    return model, training


def _widen(
    model: ModelConfig, width: int, affordable_by: Callable[[ModelConfig], float], characters: int, on_gpu: bool
) -> tuple[ModelConfig, float]:
    """Return the network with a hidden size, or on a GPU with a larger one if time allows, and its characters."""
    model = replace(model, hidden_size=width)
    affordable = affordable_by(model)
    while on_gpu and affordable > MAX_EPOCHS * characters and model.hidden_size < GPU_WIDTHS[2]:
        # On a GPU a step costs less than its weights suggest, so try whether a wider network fits the time as well.
        model = replace(model, hidden_size=min(GPU_WIDTHS[2], 2 * model.hidden_size))
        affordable = affordable_by(model)
    return model, affordable


def _limit_epochs(training: TrainingConfig, characters: int) -> TrainingConfig:
    """Return the configuration with a length of MAX_EPOCHS instead of minutes."""
    steps = MAX_EPOCHS * characters / (training.batch_size * training.seq_length)
    every = training.validate_every or math.ceil(steps / MAX_VALIDATIONS)
    return replace(training, minutes=None, epochs=MAX_EPOCHS, validate_every=every)
