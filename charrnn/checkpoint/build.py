"""From the header and the tensors of a file back to its model; nothing in them is believed before it is checked."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from charrnn.checkpoint.format import COUNTS, GATE, NETWORK, Model, below
from charrnn.checkpoint.metadata import restore
from charrnn.config import MixtureConfig, ModelConfig, NgramConfig
from charrnn.models.interpolated import Network, make_network
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.fit import model_class
from charrnn.models.ngram.model import NgramModel
from charrnn.text.vocabulary import Vocabulary


def make_vocabulary(header: dict[str, Any]) -> Vocabulary:
    """The vocabulary of a header; ValueError says what is wrong."""
    characters: str | None = restore("vocabulary", header.get("vocabulary", ""), str | None)
    if characters is not None:
        different = set(characters) - set(map(chr, range(0xD800, 0xE000)))  # half of a surrogate pair is none
        if not characters or len(different) < len(characters):
            raise ValueError("vocabulary: expected characters, all different, found none, a double one or half of one")
    unknown: str | None = restore("unknown", header.get("unknown"), str | None)
    return Vocabulary(characters, unknown)


def make_model(header: dict[str, Any], vocab_size: int, tensors: dict[str, Tensor]) -> Model:
    """The model of a header and its tensors.

    Raises:
        ValueError, TypeError, UsageError: they do not make one; the message names what is wrong, what was expected and
            what was found.
    """
    kind = header.get("kind")
    if kind == "ngram":
        counted: NgramConfig = restore("model", header.get("model"), NgramConfig)
        return model_class(counted).from_tensors(counted, vocab_size, tensors)
    if kind == "mixture":
        both: MixtureConfig = restore("model", header.get("model"), MixtureConfig)
        of = {prefix: below(prefix, tensors) for prefix in (NETWORK, COUNTS, GATE)}
        expect("tensors", len(tensors), sum(len(part) for part in of.values()))
        network = _network(both.network, vocab_size, of[NETWORK], NETWORK)
        counts = NgramModel.from_tensors(both.counts, vocab_size, of[COUNTS])
        with torch.device("meta"):
            model = MixtureModel(network, counts)
        fill(model.gate, of[GATE], GATE)
        return model
    expect("kind", kind, "recurrent")
    config: ModelConfig = restore("model", header.get("model"), ModelConfig)
    return _network(config, vocab_size, tensors)


def _network(config: ModelConfig, vocab_size: int, tensors: dict[str, Tensor], prefix: str = "") -> Network:
    layers = config.num_layers * config.networks
    if layers > len(tensors):  # each layer has some; a million of them would take long to make
        raise ValueError(f"model.num_layers: expected at most {len(tensors)} in all, found {layers}")
    first = "networks.0." if config.networks > 1 else ""
    for name, width in (
        ("embedding.weight", config.embedding_size or config.hidden_size),
        ("head.weight", config.hidden_size),
    ):  # so the widths are those of numbers that are there
        expected = torch.empty(vocab_size, width, device="meta")
        expect(f"{prefix}{first}{name}", _described(tensors.get(f"{first}{name}")), _described(expected))
    try:
        with torch.device("meta"):
            model = make_network(config, vocab_size)
    except RuntimeError as error:  # the product of widths is more than an integer holds
        raise ValueError(f"model.hidden_size: expected less, found {config.hidden_size} ({error})") from error
    fill(model, tensors, prefix)
    return model


def fill(model: torch.nn.Module, tensors: dict[str, Tensor], prefix: str) -> None:
    """Give a module its weights, which then share memory with the tensors.

    Raises:
        ValueError: a tensor is missing, too many, of another shape or not finite; the message names it.
    """
    expected = model.state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        expect(prefix + name, _described(tensors.get(name)), _described(expected.get(name)))
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(f"{prefix}{name}: expected finite numbers, found others")
    model.load_state_dict(tensors, assign=True)


def _described(tensor: Tensor | None) -> str:
    if tensor is None:
        return "none"
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"


def expect(key: str, found: object, expected: object) -> None:
    """Raise ValueError, which names the key, unless what was found is what was expected."""
    if found != expected:
        raise ValueError(f"{key}: expected {expected}, found {found!s:.100}")
