"""What a budget of minutes buys: size, dropout and batch from the time, the text and the speed of the machine.

The figures behind each rule stand in docs/experiments.md. Whatever the user has set stays.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import torch

from charrnn.checkpoint.metadata import restore
from charrnn.config import ModelConfig, TrainingConfig
from charrnn.training.budget.speed import measure
from charrnn.training.distributed import ProcessGroup
from charrnn.training.optim.precision import fallback
from charrnn.training.optim.schedule import AIM, FREE_EPOCHS, MOST_VALIDATIONS

CPU_MINUTES, GPU_MINUTES = 5.0, 2.0
"""The budget where nobody says one."""

REFERENCE_WORK = 7.5e12
"""Characters times weights, about four minutes' on two cores, for which `REFERENCE_WEIGHTS` is the best size."""
REFERENCE_WEIGHTS = 1 << 20
"""An LSTM of 2x256."""
GROWTH = 0.5
"""Exponent of the weights in the work: weights grow like the characters that are read (Hoffmann et al. 2022)."""
GOOD_EPOCHS = 7.0
"""A text that could be read more often is read so often, by a wider network."""
MOST_EPOCHS = 12.0
"""More only overfits, whatever the dropout."""
NETWORK_READINGS = 2.5
"""Readings of the text, by as many weights as it has characters, that are worth a network."""
MIXED_READINGS = 7.5
"""The same where they are mixed with n-grams, which bring more to one large network than to several small ones."""
NETWORKS_GROWTH = 0.4
"""Exponent of the number of networks in the work; what each of them gets grows a little faster."""
MOST_NETWORKS = 8
DROPOUT_PER_EPOCH = 0.025
MOST_DROPOUT = 0.4
STREAM_CHARACTERS = 27_000
"""Of its own that each stream has, so that a short text gives many small steps rather than few large ones."""
LEAST_ROWS = 4
GPU_MULTIPLE, GPU_MOST_ROWS = 8, 128
"""Batch sizes of cuDNN's persistent kernels (aten/src/ATen/native/cudnn/RNN.cpp)."""
GPU_STREAM_CHARACTERS = 80_000
"""Of its own that each stream has on a GPU where there are more than the default: 128 streams from ten megabytes on.
Not fitted on a GPU yet; `benchmarks/gpu.py --first-light` prints what to set."""
GPU_WIDTHS = (128, 128, 1024)
"""The least width of a layer, the step and the most: others miss cuDNN's fast kernels."""
EMBEDDING = 64
"""Numbers for each character where there are at most SMALL_VOCABULARY: better than as many as units, and cheaper."""
SMALL_VOCABULARY = 256
NARROW_EMBEDDINGS = ("rnn", "lstm", "gru")
"""Cells for which that was found; a minGRU is worse by it."""

Speed = Callable[[ModelConfig, TrainingConfig], float]
"""Says how many characters a second a network trains on."""


@dataclass(frozen=True)
class Recipe:
    """What was chosen.

    Attributes:
        model: the network.
        training: how it is fitted.
        reasons: for each choice its name, and what was chosen and why, in one line.
        epochs: how often the training part is read, by its speed; None where nothing was chosen.
    """

    model: ModelConfig
    training: TrainingConfig
    reasons: tuple[tuple[str, str], ...]
    epochs: float | None = None


def with_budget(
    model: ModelConfig,
    training: TrainingConfig,
    said: frozenset[str],
    characters: int,
    device: torch.device,
    spent: float = 0.0,
    mixed: bool = False,
    group: ProcessGroup | None = None,
    padding: float = 0.0,
    vocab_size: int = SMALL_VOCABULARY,
) -> Recipe:
    """What is trained, and how; the speed of the machine is measured.

    Where the user has said how many steps or epochs, there is no budget, and what else was said and the defaults stand.

    Args:
        model: the network, with defaults where nothing was said.
        training: its training, the same.
        said: names of the fields that the user has set.
        characters: of the training part.
        device: where it is to be trained.
        spent: seconds of the minutes that are gone, or kept for something else.
        mixed: whether it is going to be mixed with n-grams.
        group: the processes that train together; all get what the first one chooses.
        padding: the share of places in a batch that no character is in, see Streams.
        vocab_size: V.
    """
    reasons = machine_reasons(training, device)
    if training.steps or training.epochs:
        return Recipe(model, training, reasons)
    if not training.minutes:
        training = replace(training, minutes=CPU_MINUTES if device.type == "cpu" else GPU_MINUTES)
    group = group or ProcessGroup()
    (spent,) = group.broadcast(spent)

    def speed(one: ModelConfig, fitted_so: TrainingConfig) -> float:
        share = max(1, fitted_so.batch_size // group.size)
        return (1 - padding) * group.all_sum(
            measure(one, replace(fitted_so, batch_size=share), device, group.size == 1)
        )

    recipe = choose(model, training, said, characters, speed, spent, device.type == "cuda", mixed, vocab_size)
    chosen = json.dumps([asdict(recipe.model), asdict(recipe.training)])
    model_fields, training_fields = json.loads(group.broadcast_bytes(chosen.encode()))
    return Recipe(
        restore("model", model_fields, ModelConfig),
        restore("training", training_fields, TrainingConfig),
        (*reasons, *recipe.reasons),
        recipe.epochs,
    )


def machine_reasons(training: TrainingConfig, device: torch.device) -> tuple[tuple[str, str], ...]:
    """What this machine cannot do as the configuration says, as `Recipe.reasons`."""
    line = fallback(training, device)
    return (("precision", line),) if line else ()


def weights_of(model: ModelConfig) -> int:
    """About how many weights each character passes: those of the layers."""
    gates = {"rnn": 1, "gru": 3, "lstm": 4, "minlstm": 3, "mingru": 2}[model.cell]
    inputs = 1 if model.cell.startswith("min") else 2
    return model.num_layers * gates * inputs * model.hidden_size**2


def choose(
    model: ModelConfig,
    training: TrainingConfig,
    said: frozenset[str],
    characters: int,
    speed: Speed,
    spent: float = 0.0,
    on_gpu: bool = False,
    mixed: bool = False,
    vocab_size: int = SMALL_VOCABULARY,
) -> Recipe:
    """Fill in what the user has left open.

    Args:
        model: the network, with defaults where nothing was said.
        training: its training, the same; `minutes` is set.
        said: names of the fields that the user has set.
        characters: of the training part.
        speed: of a network on this machine.
        spent: seconds of the minutes that are gone, or kept for something else.
        on_gpu: whether that is where it is trained.
        mixed: whether it is going to be mixed with n-grams.
        vocab_size: V.
    """
    assert training.minutes
    is_open = "embedding_size" not in said and not on_gpu
    if is_open and model.cell in NARROW_EMBEDDINGS and vocab_size <= SMALL_VOCABULARY:
        model = replace(model, embedding_size=EMBEDDING)
    seconds, reasons = max(1.0, 60 * AIM * training.minutes - spent), []
    rows = rows_for(characters, training.batch_size, on_gpu)
    if "batch_size" not in said and rows != training.batch_size:
        is_short = rows < training.batch_size
        why = "the text is short, and many small steps are better than few" if is_short else "the text is long"
        training = replace(training, batch_size=rows)
        reasons.append(("batch", f"{rows} streams: {why}"))
    readable = seconds * speed(model, training)
    if "networks" not in said:
        model = replace(model, networks=networks_for(readable * weights_of(model), characters, mixed))
    if model.networks > 1:
        readable, seconds = readable / model.networks, seconds / model.networks
        reasons.append(
            ("networks", f"{model.networks}, for {seconds:.0f} seconds each: the mean of several predicts better than "
             "one that reads the text as often as all of them")
        )  # fmt: skip
    if "hidden_size" not in said:
        model = replace(model, hidden_size=width_for(readable * weights_of(model), model, characters, on_gpu))
        readable = seconds * speed(model, training)
        while on_gpu and readable > MOST_EPOCHS * characters and model.hidden_size < GPU_WIDTHS[2]:
            # The time of a step falls less than its weights: see whether a wider network has the time too.
            model = replace(model, hidden_size=min(GPU_WIDTHS[2], 2 * model.hidden_size))
            readable = seconds * speed(model, training)
        reasons.append(
            ("size", f"{model.num_layers} layers of {model.hidden_size}, which read about {readable:,.0f} characters "
             f"in {seconds:.0f} seconds")
        )  # fmt: skip
    epochs = readable / characters
    if epochs > MOST_EPOCHS:
        epochs = MOST_EPOCHS
        steps = epochs * characters / (training.batch_size * training.seq_length)
        every = training.validate_every or math.ceil(steps / MOST_VALIDATIONS)
        training = replace(training, minutes=None, epochs=epochs, validate_every=every)
        reasons.append(("time", f"less than that: {epochs:g} readings of the text, more would only overfit"))
    if "dropout" not in said:
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
    return Recipe(model, training, tuple(reasons), epochs)


def rows_for(characters: int, usual: int, on_gpu: bool = False) -> int:
    """How many streams a batch has.

    Args:
        characters: of the training part.
        usual: how many streams there are where the text is neither short nor long.
        on_gpu: whether that is where it is trained.
    """
    rows = min(usual, characters // STREAM_CHARACTERS)
    if not on_gpu:
        return max(LEAST_ROWS, rows)
    rows = max(rows, min(GPU_MOST_ROWS, characters // GPU_STREAM_CHARACTERS))
    return max(GPU_MULTIPLE, rows // GPU_MULTIPLE * GPU_MULTIPLE)


def networks_for(work: float, characters: int, mixed: bool = False) -> int:
    """How many networks to share so much work (characters times weights) among, on such a text."""
    enough = (MIXED_READINGS if mixed else NETWORK_READINGS) * characters * max(characters, REFERENCE_WEIGHTS)
    number: float = (work / enough) ** NETWORKS_GROWTH
    return max(1, min(MOST_NETWORKS, round(number)))


def width_for(work: float, model: ModelConfig, characters: int, on_gpu: bool = False) -> int:
    """The width of the layers that makes the most of so much work (characters times weights) on such a text."""
    by_work: float = REFERENCE_WEIGHTS * (work / REFERENCE_WORK) ** GROWTH
    by_text = work / (GOOD_EPOCHS * characters)
    width = model.hidden_size * math.sqrt(max(by_work, by_text) / weights_of(model))
    least, step, most = GPU_WIDTHS if on_gpu else (64, 64, 512)
    return max(least, min(most, step * round(width / step)))


def dropout_for(epochs: float) -> float:
    """The share to drop when a text is read so often."""
    return round(max(0.0, min(MOST_DROPOUT, DROPOUT_PER_EPOCH * (epochs - FREE_EPOCHS))), 2)
