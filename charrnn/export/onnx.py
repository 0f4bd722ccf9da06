"""Networks as ONNX graphs: (B, T) characters and the state before them → logits and the state after them.

The graph is written node by node, because the operators of ONNX for LSTM, GRU and RNN are faster than an unrolled
loop, and because it needs no part of PyTorch. B and T are free: T = 1 is a step, a larger T a chunk.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from charrnn import __version__
from charrnn.checkpoint import Checkpoint
from charrnn.errors import UsageError
from charrnn.files import atomic_write
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.rnn.cells import Attention, Cell
from charrnn.models.rnn.cells.attention import rotations
from charrnn.models.rnn.model import RecurrentModel
from charrnn.text.documents import Documents

if TYPE_CHECKING:
    import onnx

OPSET = 20
"""The version of the operators; the first one with Gelu."""
IR_VERSION = 10
LOWEST = -1e30
"""The score of characters that attention does not see; −∞ would give NaN in some runtimes."""


def check_extra() -> None:
    """Raise UsageError if the package onnx is not installed."""
    if not find_spec("onnx"):
        raise UsageError("--to model.onnx: needs the package onnx; try `pip install onnx`")


def save_onnx(checkpoint: Checkpoint, path: Path) -> None:
    """Write the network or networks of a checkpoint as an ONNX file.

    Raises:
        UsageError: the checkpoint has something else than networks, or the package onnx is missing.
    """
    check_extra()
    import onnx

    model = make_onnx(checkpoint)
    onnx.checker.check_model(model)
    with atomic_write(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def make_onnx(checkpoint: Checkpoint) -> onnx.ModelProto:
    """Return the graph of a checkpoint, with the vocabulary and the settings in its metadata; see `save_onnx`."""
    from onnx import TensorProto, helper

    networks = _networks(checkpoint)
    graph = _Graph()
    vocab_size = networks[0].vocab_size
    inputs = [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["batch", "length"])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "length", vocab_size])]
    logits = []
    for number, network in enumerate(networks, 1):
        prefix = f"network_{number}_" if len(networks) > 1 else ""
        names = [f"{prefix}state_{layer}" for layer in range(1, 1 + len(network.state_sizes))]
        part, after = _network(graph, network, names)
        logits.append(part)
        for name, new, size in zip(names, after, network.state_sizes, strict=True):
            graph.op("Identity", new, output=f"{name}_after")
            inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size]))
            outputs.append(helper.make_tensor_value_info(f"{name}_after", TensorProto.FLOAT, ["batch", size]))
    graph.op("Identity", _mean(graph, logits), output="logits")
    proto = helper.make_graph(graph.nodes, "charrnn", inputs, outputs, graph.constants)
    model = helper.make_model(
        proto, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="charrnn", producer_version=__version__
    )
    model.ir_version = IR_VERSION
    helper.set_model_props(model, {name: json.dumps(value) for name, value in metadata_of(checkpoint).items()})
    return model


def metadata_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return what a program needs besides the graph; in the file, each value is JSON.

    Returns:
        `vocabulary` (a list of characters; null for bytes), `start` (the id to read before the first character),
        `separator` (the ids after which the state starts again; null without documents), `unknown` (the id of the
        unknown symbol, which is never written; null without one), `model` (a description) and `text` (its name).
    """
    vocabulary = checkpoint.vocabulary
    documents = Documents.of(checkpoint.metadata.text.corpus, vocabulary)
    return {
        "vocabulary": None if vocabulary.is_bytes else list(vocabulary.characters or ()),
        "start": vocabulary.start,
        "separator": list(documents.separator) if documents else None,
        "unknown": vocabulary.unknown,
        "model": checkpoint.description,
        "text": ", ".join(Path(name).name for name in checkpoint.metadata.text.names),
    }


def _networks(checkpoint: Checkpoint) -> list[RecurrentModel]:
    model: object = checkpoint.model
    parts = model.models if isinstance(model, InterpolatedModel) and model.weights is None else [model]
    networks = [part for part in parts if isinstance(part, RecurrentModel)]
    if len(networks) != len(parts):
        raise UsageError(
            f"{checkpoint.path}: only networks can be exported to ONNX, and this is {checkpoint.description}; "
            "export it to a page with --to page.html"
        )
    if any(network.ngrams is not None for network in networks):
        raise UsageError(
            f"{checkpoint.path}: networks with embeddings of n-grams cannot be exported to ONNX; train one with "
            "--ngram-embedding 0, or export to a page with --to page.html"
        )
    return networks


class _Graph:
    """The nodes and constants of a graph."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._count = 0

    def name(self) -> str:
        """Return a new name."""
        self._count += 1
        return f"v{self._count}"

    def constant(self, value: NDArray[Any] | Sequence[int] | Tensor) -> str:
        """Add a constant, and return its name; integers are int64."""
        from onnx import numpy_helper

        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
        if array.dtype.kind == "i":
            array = array.astype(np.int64)
        name = self.name()
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def op(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node with one output, and return the output's name."""
        return self.ops(kind, *inputs, outputs=[output or self.name()], **attributes)[0]

    def ops(self, kind: str, *inputs: str, outputs: Sequence[str] | int, **attributes: Any) -> list[str]:
        """Add a node with several outputs, and return their names; an empty name is an output that is not used."""
        from onnx import helper

        names = [self.name() for _ in range(outputs)] if isinstance(outputs, int) else list(outputs)
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def linear(self, x: str, layer: nn.Module) -> str:
        """X Wᵀ + b, over the last dimension."""
        assert isinstance(layer, nn.Linear)
        return self.op("Add", self.op("MatMul", x, self.constant(layer.weight.T)), self.constant(layer.bias))

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        """Change the shape; 0 keeps a dimension, −1 takes the rest."""
        return self.op("Reshape", x, self.constant(shape))

    def slice(self, x: str, begin: str, end: str, axis: int) -> str:
        """X from `begin` to `end`, names of vectors with one number each."""
        return self.op("Slice", x, begin, end, self.constant([axis]))


END = [np.iinfo(np.int64).max]
"""The end of a slice that takes everything."""


def _network(graph: _Graph, network: RecurrentModel, states: Sequence[str]) -> tuple[str, list[str]]:
    """Add a network, and return the names of its logits, (B, T, V), and of the states after the characters."""
    embedded = graph.op("Gather", graph.constant(network.embedding.weight), "tokens")
    x, width = graph.op("Transpose", embedded, perm=[1, 0, 2]), network.embedding.embedding_dim  # (T, B, D)
    after = []
    for cell, state in zip(network.cells, states, strict=True):
        assert isinstance(cell, Cell)
        y, new = _layer(graph, cell, x, state)
        x = graph.op("Add", x, y) if network.config.residual and width == cell.hidden_size else y
        width = cell.hidden_size
        after.append(new)
    return graph.linear(graph.op("Transpose", x, perm=[1, 0, 2]), network.head), after


def _layer(graph: _Graph, cell: Cell, x: str, state: str) -> tuple[str, str]:
    """Add a layer: x (T, B, D) and state (B, S) → y (T, B, H) and the new state (B, S)."""
    if isinstance(cell, Attention):
        return _attention(graph, cell, x, state)
    kind = type(cell).__name__
    if kind in ("RNN", "LSTM", "GRU"):
        return _recurrent(graph, cell, kind, x, state)
    return _minimal(graph, cell, kind, x, state)


def _recurrent(graph: _Graph, cell: Cell, kind: str, x: str, state: str) -> tuple[str, str]:
    """Add an operator of ONNX, whose gates have another order than PyTorch's."""
    order = {"RNN": [0], "LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2]}[kind]
    core = cell.core
    assert isinstance(core, nn.RNNBase)

    def in_order(weight: Tensor) -> NDArray[Any]:
        gates = weight.detach().cpu().numpy().reshape(len(order), cell.hidden_size, -1)
        reordered: NDArray[Any] = gates[order].reshape(weight.shape)
        return reordered

    w, u, b, c = (in_order(weight) for weight in core.all_weights[0])
    weights = [graph.constant(array[None]) for array in (w, u, np.concatenate((b, c)))]
    size = cell.hidden_size
    front = graph.constant([0])
    if kind == "LSTM":
        halves = graph.ops("Split", state, graph.constant([size, size]), outputs=2, axis=1)
        before = [graph.op("Unsqueeze", half, front) for half in halves]
    else:
        before = [graph.op("Unsqueeze", state, front)]
    attributes: dict[str, Any] = {"hidden_size": size}
    if kind == "GRU":
        attributes["linear_before_reset"] = 1
    outputs = graph.ops(kind, x, *weights, "", *before, outputs=1 + len(before), **attributes)
    y = graph.op("Squeeze", outputs[0], graph.constant([1]))
    last = [graph.op("Squeeze", part, front) for part in outputs[1:]]
    return y, graph.op("Concat", *last, axis=1) if len(last) > 1 else last[0]


def _minimal(graph: _Graph, cell: Cell, kind: str, x: str, state: str) -> tuple[str, str]:
    """Add h_t = a_t h_{t−1} + b_t, with gates that do not depend on the state, as a scan."""
    from onnx import TensorProto, helper

    core, size = cell.core, cell.hidden_size
    assert isinstance(core, nn.Linear)
    count = core.out_features // size
    *gates, candidate = graph.ops("Split", graph.linear(x, core), graph.constant([size] * count), outputs=count, axis=2)
    gates = [graph.op("Sigmoid", gate) for gate in gates]
    if kind == "MinGRU":
        keep, add = graph.op("Sub", graph.constant(np.ones(1, np.float32)), gates[0]), gates[0]
    else:
        total = graph.op("Add", *gates)
        keep, add = (graph.op("Div", gate, total) for gate in gates)
    floats = TensorProto.FLOAT
    body = helper.make_graph(
        [
            helper.make_node("Mul", ["a", "h"], ["kept"]),
            helper.make_node("Add", ["kept", "b"], ["new"]),
            helper.make_node("Identity", ["new"], ["y"]),
        ],
        "step",
        [helper.make_tensor_value_info(name, floats, ["batch", size]) for name in ("h", "a", "b")],
        [helper.make_tensor_value_info(name, floats, ["batch", size]) for name in ("new", "y")],
    )
    inputs = (state, keep, graph.op("Mul", add, candidate))
    after, y = graph.ops("Scan", *inputs, outputs=2, body=body, num_scan_inputs=2)
    return y, after


def _attention(graph: _Graph, cell: Attention, x: str, state: str) -> tuple[str, str]:
    """Add a Transformer block with a window; see `Attention`."""
    from onnx import TensorProto

    before, width, period = cell.window - 1, cell.width, cell.period
    x = graph.op("Transpose", x, perm=[1, 0, 2])  # (B, T, D)
    stream = x if cell.enter is None else graph.linear(x, cell.enter)
    zero, one, end = graph.constant([0]), graph.constant([1]), graph.constant(END)
    length = graph.op("Shape", stream, start=1, end=2)  # a vector with one number
    scalars = [graph.constant(np.array(number)) for number in (0, 1, before)]
    count = graph.op("Squeeze", length, zero)
    place = graph.op("Range", scalars[0], graph.op("Add", count, scalars[2]), scalars[1])
    read = graph.op("Cast", graph.slice(state, zero, one, 1), to=TensorProto.INT64)  # (B, 1)

    z = _normalized(graph, stream, cell.hidden_size)
    positions = graph.op("Mod", graph.op("Add", read, graph.slice(place, zero, length, 0)), graph.constant([period]))
    turns = rotations(period, width // cell.heads // 2, cell.merge.weight.device)
    table = [graph.op("Gather", graph.constant(part.contiguous()), positions) for part in (turns.real, turns.imag)]
    table = [graph.op("Unsqueeze", part, graph.constant([2])) for part in table]  # (B, T, 1, pairs)
    q, k = (_rotated(graph, graph.linear(z, part), table, cell) for part in (cell.query, cell.key))
    v = graph.linear(z, cell.value)
    if before:
        memory = graph.reshape(graph.slice(state, one, end, 1), [0, 2, before, width])
        parts = graph.ops("Split", memory, graph.constant([1, 1]), outputs=2, axis=1)
        old = [graph.op("Squeeze", part, one) for part in parts]
        k, v = (graph.op("Concat", memory, new, axis=1) for memory, new in zip(old, (k, v), strict=True))

    def by_head(part: str, order: Sequence[int]) -> str:
        return graph.op("Transpose", graph.reshape(part, [0, 0, cell.heads, width // cell.heads]), perm=list(order))

    scale = graph.constant(np.array(1 / math.sqrt(width / cell.heads), np.float32))
    scores = graph.op("Mul", graph.op("MatMul", by_head(q, (0, 2, 1, 3)), by_head(k, (0, 2, 3, 1))), scale)
    newest = graph.op("Unsqueeze", graph.slice(place, graph.constant([before]), end, 0), one)
    distance = graph.op("Sub", newest, place)  # (T, W − 1 + T)
    near = graph.op("LessOrEqual", distance, scalars[2])
    past = graph.op("GreaterOrEqual", distance, scalars[0])
    first = graph.op("Unsqueeze", graph.op("Sub", scalars[2], read), one)  # (B, 1, 1)
    is_read = graph.op("GreaterOrEqual", place, first)  # (B, 1, W − 1 + T)
    allowed = graph.op("And", graph.op("And", near, past), is_read)
    lowest = graph.constant(np.array(LOWEST, np.float32))
    seen = graph.op("Where", graph.op("Unsqueeze", allowed, one), scores, lowest)
    heard = graph.op("MatMul", graph.op("Softmax", seen, axis=-1), by_head(v, (0, 2, 1, 3)))
    a = graph.linear(graph.reshape(graph.op("Transpose", heard, perm=[0, 2, 1, 3]), [0, 0, width]), cell.merge)
    hidden = graph.linear(_normalized(graph, graph.op("Add", stream, a), cell.hidden_size), cell.expand)
    y = graph.op("Add", a, graph.linear(graph.op("Gelu", hidden), cell.contract))
    if cell.enter is not None:
        y = graph.op("Add", y, stream)

    total = graph.op("Add", read, length)
    wrapped = graph.op("Add", graph.op("Mod", total, graph.constant([period])), graph.constant([period]))
    is_small = graph.op("Less", total, graph.constant([period]))
    new = [graph.op("Cast", graph.op("Where", is_small, total, wrapped), to=TensorProto.FLOAT)]
    if before:
        new += [graph.reshape(graph.slice(part, length, end, 1), [0, -1]) for part in (k, v)]
    after = graph.op("Concat", *new, axis=1) if before else new[0]
    return graph.op("Transpose", y, perm=[1, 0, 2]), after


def _normalized(graph: _Graph, x: str, size: int) -> str:
    return graph.op("LayerNormalization", x, graph.constant(np.ones(size, np.float32)), axis=-1, epsilon=1e-5)


def _rotated(graph: _Graph, part: str, table: Sequence[str], cell: Attention) -> str:
    """Rotate pairs of units: (B, T, A) → (B, T, A)."""
    last = graph.constant([-1])
    pairs = graph.reshape(part, [0, 0, cell.heads, -1, 2])
    halves = graph.ops("Split", pairs, graph.constant([1, 1]), outputs=2, axis=4)
    first, second = (graph.op("Squeeze", half, last) for half in halves)
    cos, sin = table
    turned = (
        graph.op("Sub", graph.op("Mul", first, cos), graph.op("Mul", second, sin)),
        graph.op("Add", graph.op("Mul", first, sin), graph.op("Mul", second, cos)),
    )
    joined = graph.op("Concat", *(graph.op("Unsqueeze", half, last) for half in turned), axis=-1)
    return graph.reshape(joined, [0, 0, cell.width])


def _mean(graph: _Graph, logits: Sequence[str]) -> str:
    """Return the logits of one network, or the logarithm of the mean of several networks' probabilities."""
    if len(logits) == 1:
        return logits[0]
    stacked = [graph.op("Unsqueeze", graph.op("LogSoftmax", part, axis=-1), graph.constant([0])) for part in logits]
    total = graph.op("ReduceLogSumExp", graph.op("Concat", *stacked, axis=0), graph.constant([0]), keepdims=0)
    return graph.op("Sub", total, graph.constant(np.array(math.log(len(logits)), np.float32)))
