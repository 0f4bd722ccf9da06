"""What a budget of minutes buys: size, dropout and batch from the time, the text and the speed of the machine.

The measurements behind each rule are in docs/project/experiments.md. Whatever the user has set stays.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import torch

from charrnn.checkpoint.metadata import from_json
from charrnn.config import ModelConfig, TrainingConfig
from charrnn.models.rnn.cells import CELLS
from charrnn.training.budget.clock import measure_speed
from charrnn.training.distributed import ProcessGroup
from charrnn.training.optim.schedule import AIM, FREE_EPOCHS, MAX_VALIDATIONS

CPU_MINUTES, GPU_MINUTES = 5.0, 2.0
"""The default budget."""

REFERENCE_WORK = 7.5e12
"""Characters times weights, about four minutes' on two cores, for which `REFERENCE_WEIGHTS` is the best size."""
REFERENCE_WEIGHTS = 1 << 20
"""An LSTM of 2x256."""
GROWTH = 0.5
"""Exponent of the weights in the work: weights grow like the characters that are read (Hoffmann et al. 2022)."""
GOOD_EPOCHS = 7.0
"""A text that could be read more often is read so often, by a wider network."""
MAX_EPOCHS = 12.0
"""More only overfits, whatever the dropout."""
NETWORK_READINGS = 2.5
"""Readings of the text, by as many weights as it has characters, that are worth a network."""
MIXED_READINGS = 7.5
"""The same where they are mixed with n-grams, which bring more to one large network than to several small ones."""
NETWORKS_GROWTH = 0.4
"""Exponent of the number of networks in the work; what each of them gets grows a little faster."""
MAX_NETWORKS = 8
DROPOUT_PER_EPOCH = 0.025
MAX_DROPOUT = 0.4
STREAM_CHARACTERS = 27_000
"""Of its own that each stream has, so that a short text gives many small steps rather than few large ones."""
MIN_ROWS = 4
GPU_MULTIPLE, GPU_MAX_ROWS = 8, 128
"""Batch sizes of cuDNN's persistent kernels (aten/src/ATen/native/cudnn/RNN.cpp)."""
GPU_STREAM_CHARACTERS = 80_000
"""Of its own that each stream has on a GPU where there are more than the default: 128 streams from ten megabytes on.
Not fitted on a GPU yet; `benchmarks/gpu.py --first-light` prints what to set."""
GPU_WIDTHS = (128, 128, 1024)
"""The smallest width of a layer, the step and the largest: others miss cuDNN's fast kernels."""
EMBEDDING = 64
"""Numbers for each character where there are at most SMALL_VOCABULARY: better than as many as units, and cheaper."""
SMALL_VOCABULARY = 256
NARROW_EMBEDDINGS = ("rnn", "lstm", "gru")
"""Cells for which that was found; a minGRU is worse by it."""

Speed = Callable[[ModelConfig, TrainingConfig], float]
"""Returns how many characters a second a network trains on."""


@dataclass(frozen=True)
class ChosenConfig:
    """The options of a training, those that were chosen for a budget included.

    Attributes:
        model: the network.
        training: how it is fitted.
        reasons: for each choice its name, and what was chosen and why, in one line.
        epochs: how often the training part is read, by its speed; None where nothing was chosen.
    """

    model: ModelConfig
    training: TrainingConfig
    reasons: tuple[tuple[str, str], ...] = ()
    epochs: float | None = None


@dataclass(frozen=True)
class Workload:
    """What the minutes are for.

    Attributes:
        characters: of the training part.
        vocab_size: V.
        padding: the share of places in a batch that no character is in, see Streams.
        spent: seconds of the minutes that are gone, or kept for something else.
        mixed: whether the networks are going to be mixed with n-grams.
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
    """What is trained, and how; the speed of the machine is measured.

    Where the number of steps or epochs is given, there is no budget, and explicit options and defaults are used.

    Args:
        model: the network, with defaults for all other options.
        training: its training, the same.
        explicit: names of the fields that stay as they are.
        workload: what is trained on.
        device: to train on.
        group: all its processes get what the first one chooses.
    """
    if training.steps or training.epochs:
        return ChosenConfig(model, training)
    if not training.minutes:
        training = replace(training, minutes=CPU_MINUTES if device.type == "cpu" else GPU_MINUTES)
    group = group or ProcessGroup()
    workload = replace(workload, spent=group.broadcast(workload.spent)[0])

    def speed(candidate: ModelConfig, how: TrainingConfig) -> float:
        how = replace(how, batch_size=max(1, how.batch_size // group.size))
        return (1 - workload.padding) * group.all_sum(measure_speed(candidate, how, device, group.size == 1))

    chosen = choose_config(model, training, explicit, workload, speed, device.type == "cuda")
    fields = json.dumps([asdict(chosen.model), asdict(chosen.training)])
    model_fields, training_fields = json.loads(group.broadcast_bytes(fields.encode()))
    return replace(
        chosen,
        model=from_json("model", model_fields, ModelConfig),
        training=from_json("training", training_fields, TrainingConfig),
    )


def weights_of(model: ModelConfig) -> int:
    """About how many weights each character passes: those of the layers."""
    return model.num_layers * CELLS[model.cell].weight_count(model.hidden_size, model.hidden_size)


def choose_config(
    model: ModelConfig,
    training: TrainingConfig,
    explicit: frozenset[str],
    workload: Workload,
    speed: Speed,
    on_gpu: bool = False,
) -> ChosenConfig:
    """Choose all options that are not explicit, by the speed of networks; see `configure_for_budget`."""
    assert training.minutes
    characters = workload.characters
    is_open = "embedding_size" not in explicit and not on_gpu
    if is_open and model.cell in NARROW_EMBEDDINGS and workload.vocab_size <= SMALL_VOCABULARY:
        model = replace(model, embedding_size=EMBEDDING)
    seconds, reasons = max(1.0, 60 * AIM * training.minutes - workload.spent), []
    rows = rows_for(characters, training.batch_size, on_gpu)
    if "batch_size" not in explicit and rows != training.batch_size:
        is_short = rows < training.batch_size
        why = "the text is short, and many small steps are better than few" if is_short else "the text is long"
        training = replace(training, batch_size=rows)
        reasons.append(("batch", f"{rows} streams: {why}"))
    readable = seconds * speed(model, training)
    if "networks" not in explicit:
        model = replace(model, networks=networks_for(readable * weights_of(model), characters, workload.mixed))
    if model.networks > 1:
        readable, seconds = readable / model.networks, seconds / model.networks
        reasons.append(
            ("networks", f"{model.networks}, for {seconds:.0f} seconds each: the mean of several predicts better than "
             "one that reads the text as often as all of them")
        )  # fmt: skip
    if "hidden_size" not in explicit:
        width = width_for(readable * weights_of(model), model, characters, on_gpu)
        model, readable = _widened(model, width, lambda wide: seconds * speed(wide, training), characters, on_gpu)
        reasons.append(
            ("size", f"{model.num_layers} layers of {model.hidden_size}, which read about {readable:,.0f} characters "
             f"in {seconds:.0f} seconds")
        )  # fmt: skip
    epochs = readable / characters
    if epochs > MAX_EPOCHS:
        epochs, training = MAX_EPOCHS, _limited(training, characters)
        reasons.append(("time", f"less than that: {epochs:g} readings of the text, more would only overfit"))
    if "dropout" not in explicit:
        model = replace(model, dropout=dropout_for(epochs))
        times = f"{epochs:.2g} time{'s' * (epochs != 1)}"
        reasons.append(("dropout", f"{model.dropout:g}: the text is read about {times}"))
    if is_open and model.hidden_size <= EMBEDDING:
        model = replace(model, embedding_size=None)
    if is_open and model.embedding_size:
        why = "for each character: in trials better than as many as units, and faster"
        reasons.append(("embedding", f"{model.embedding_size} numbers {why}"))
    reasons.append(
        ("recipe", f"{model.cell}, {model.num_layers} layers, {training.optimizer} at {training.learning_rate:g}, "
         f"{training.batch_size} x {training.seq_length}: what trials found best, or what was said")
    )  # fmt: skip
    return ChosenConfig(model, training, tuple(reasons), epochs)


def _widened(
    model: ModelConfig, width: int, readable_by: Callable[[ModelConfig], float], characters: int, on_gpu: bool
) -> tuple[ModelConfig, float]:
    """A network of a width, on a GPU of a greater one if there is time; and how many characters it reads."""
    model = replace(model, hidden_size=width)
    readable = readable_by(model)
    while on_gpu and readable > MAX_EPOCHS * characters and model.hidden_size < GPU_WIDTHS[2]:
        # The time of a step falls less than its weights: see whether a wider network has the time too.
        model = replace(model, hidden_size=min(GPU_WIDTHS[2], 2 * model.hidden_size))
        readable = readable_by(model)
    return model, readable


def _limited(training: TrainingConfig, characters: int) -> TrainingConfig:
    """A training of MAX_EPOCHS instead of minutes."""
    steps = MAX_EPOCHS * characters / (training.batch_size * training.seq_length)
    every = training.validate_every or math.ceil(steps / MAX_VALIDATIONS)
    return replace(training, minutes=None, epochs=MAX_EPOCHS, validate_every=every)


def rows_for(characters: int, usual: int, on_gpu: bool = False) -> int:
    """How many streams a batch has; as many as usual where the text is neither short nor long."""
    rows = min(usual, characters // STREAM_CHARACTERS)
    if not on_gpu:
        return max(MIN_ROWS, rows)
    rows = max(rows, min(GPU_MAX_ROWS, characters // GPU_STREAM_CHARACTERS))
    return max(GPU_MULTIPLE, rows // GPU_MULTIPLE * GPU_MULTIPLE)


def networks_for(work: float, characters: int, mixed: bool = False) -> int:
    """How many networks to share so much work (characters times weights) among, on such a text."""
    enough = (MIXED_READINGS if mixed else NETWORK_READINGS) * characters * max(characters, REFERENCE_WEIGHTS)
    number: float = (work / enough) ** NETWORKS_GROWTH
    return max(1, min(MAX_NETWORKS, round(number)))


def width_for(work: float, model: ModelConfig, characters: int, on_gpu: bool = False) -> int:
    """The width of the layers that makes the most of so much work (characters times weights) on such a text."""
    by_work: float = REFERENCE_WEIGHTS * (work / REFERENCE_WORK) ** GROWTH
    by_text = work / (GOOD_EPOCHS * characters)
    width = model.hidden_size * math.sqrt(max(by_work, by_text) / weights_of(model))
    smallest, step, largest = GPU_WIDTHS if on_gpu else (64, 64, 512)
    return max(smallest, min(largest, step * round(width / step)))


def dropout_for(epochs: float) -> float:
    """The share to drop when a text is read so often."""
    return round(max(0.0, min(MAX_DROPOUT, DROPOUT_PER_EPOCH * (epochs - FREE_EPOCHS))), 2)
