"""How large a network should be, and how it should be trained: rules found by trials, as functions of work and text.

Work is the number of characters that a training can read times the number of weights. The measurements behind each rule
are in docs/project/experiments.md.
"""

from __future__ import annotations

import math

from charrnn.config import ModelConfig
from charrnn.models.rnn.cells import CELLS
from charrnn.training.optim.schedule import FREE_EPOCHS

REFERENCE_WORK = 7.5e12
"""Training work (characters times weights) for which `REFERENCE_WEIGHTS` is best: about four minutes on two cores."""
REFERENCE_WEIGHTS = 1 << 20
"""Approximate number of weights in the layers of an LSTM 2x256."""
GROWTH = 0.5
"""Exponent in weights ~ work^GROWTH: weights grow in proportion to the characters read (Hoffmann et al. 2022)."""
GOOD_EPOCHS = 7.0
"""Target number of epochs on a short text; time for more goes into a wider network."""
NETWORK_EPOCHS = 2.5
"""Epochs that justify another network, for networks with one weight per character of the text."""
MIXTURE_NETWORK_EPOCHS = 5.0
"""`NETWORK_EPOCHS` for mixtures: n-grams improve one large network more than several small ones."""
NETWORKS_GROWTH = 0.4
"""Exponent in networks ~ work^NETWORKS_GROWTH; the work for each network grows slightly faster than their number."""
MAX_NETWORKS = 8
DROPOUT_PER_EPOCH = 0.025
"""Dropout probability added for each epoch after the first `FREE_EPOCHS`."""
MAX_DROPOUT = 0.4
STREAM_CHARACTERS = 27_000
"""Minimum length of a text stream in characters: a short text gets many small steps instead of few large ones."""
MIN_ROWS = 4
"""Minimum batch size."""
GPU_MULTIPLE, GPU_MAX_ROWS = 8, 128
"""Step and maximum of the batch sizes for cuDNN's persistent kernels (aten/src/ATen/native/cudnn/RNN.cpp)."""
GPU_STREAM_CHARACTERS = 80_000
"""Minimum length of a stream on a GPU for batch sizes above the default: 128 streams from ten megabytes on.
Not yet tuned on a GPU; `benchmarks/gpu.py --first-light` prints how to adjust it."""
GPU_WIDTHS = (128, 128, 1024)
"""Minimum, step and maximum of the hidden size on a GPU; other sizes miss cuDNN's fast kernels."""
ATTENTION_LAYERS = (3, 8)
"""Minimum and maximum number of layers of networks of attention alone."""
ATTENTION_STEP = 32
"""Step of the hidden sizes of networks of attention alone, and their hidden size for each layer, so that a network of L
layers has L heads in each."""
NGRAM_GOOD_EPOCHS = 5.0
"""`GOOD_EPOCHS` of networks with embeddings of n-grams."""


def weights_of(model: ModelConfig) -> int:
    """Return the approximate number of weights in the recurrent layers: the cost of one character."""
    return sum(CELLS[name].weight_count(model.hidden_size, model.hidden_size) for name in model.layer_cells)


def batch_size_for(characters: int, usual: int, on_gpu: bool = False) -> int:
    """Return the batch size for a text: `usual`, unless the text is short or, on a GPU, long."""
    rows = min(usual, characters // STREAM_CHARACTERS)
    if not on_gpu:
        return max(MIN_ROWS, rows)
    rows = max(rows, min(GPU_MAX_ROWS, characters // GPU_STREAM_CHARACTERS))
    return max(GPU_MULTIPLE, rows // GPU_MULTIPLE * GPU_MULTIPLE)


def networks_for(work: float, characters: int, mixed: bool = False) -> int:
    """Return the number of networks for an amount of work (characters times weights) and the length of the text."""
    enough = (MIXTURE_NETWORK_EPOCHS if mixed else NETWORK_EPOCHS) * characters * max(characters, REFERENCE_WEIGHTS)
    number: float = (work / enough) ** NETWORKS_GROWTH
    return max(1, min(MAX_NETWORKS, round(number)))


def width_for(work: float, model: ModelConfig, characters: int, on_gpu: bool = False) -> int:
    """Return the best hidden size for an amount of work (characters times weights) and the length of the text."""
    width = model.hidden_size * math.sqrt(_best_weights(work, model, characters) / weights_of(model))
    step = ATTENTION_STEP if model.cell == "attention" else 64
    smallest, step, largest = GPU_WIDTHS if on_gpu else (64, step, 512)
    return max(smallest, min(largest, step * round(width / step)))


def attention_layers_for(work: float, model: ModelConfig, characters: int) -> int:
    """Return the best number of layers of a network of attention alone, for the arguments of `width_for`."""
    one_layer = CELLS["attention"].weight_count(ATTENTION_STEP, ATTENTION_STEP)
    layers: float = (_best_weights(work, model, characters) / one_layer) ** (1 / 3)
    fewest, most = ATTENTION_LAYERS
    return max(fewest, min(most, round(layers)))


def _best_weights(work: float, model: ModelConfig, characters: int) -> float:
    """Return the best number of weights in the layers; see `width_for`."""
    by_work: float = REFERENCE_WEIGHTS * (work / REFERENCE_WORK) ** GROWTH
    by_text = work / ((NGRAM_GOOD_EPOCHS if model.ngram_embedding else GOOD_EPOCHS) * characters)
    return max(by_work, by_text)


def dropout_for(epochs: float) -> float:
    """Return the dropout probability for a number of epochs."""
    return round(max(0.0, min(MAX_DROPOUT, DROPOUT_PER_EPOCH * (epochs - FREE_EPOCHS))), 2)
