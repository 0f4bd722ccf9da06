"""Building a model from the header and tensors of a file, all of which are checked first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from charrnn.checkpoint.format import FOLDED, GATE, NETWORK, NGRAM, SHORT, Model, with_prefix
from charrnn.checkpoint.metadata import from_json
from charrnn.config import MixtureConfig, ModelConfig, NgramConfig
from charrnn.models.interpolated import Network, make_network
from charrnn.models.mixture import MixtureModel, NgramLike
from charrnn.models.ngram.fit import model_class
from charrnn.models.ngram.folded import FoldedNgramModel
from charrnn.models.ngram.model import NgramModel
from charrnn.models.rnn.ngram_embedding import NgramEmbedding
from charrnn.text.vocabulary import Vocabulary


def make_vocabulary(header: dict[str, Any]) -> Vocabulary:
    """Return the vocabulary of a header; ValueError if it is invalid."""
    characters: str | None = from_json("vocabulary", header.get("vocabulary", ""), str | None)
    if characters is not None:
        valid = set(characters) - set(map(chr, range(0xD800, 0xE000)))  # without halves of surrogate pairs
        if not characters or len(valid) < len(characters):
            raise ValueError("vocabulary: expected distinct characters, found none, duplicates or surrogates")
    unknown: str | None = from_json("unknown", header.get("unknown"), str | None)
    return Vocabulary(characters, unknown)


def make_model(header: dict[str, Any], vocab_size: int, tensors: dict[str, Tensor]) -> Model:
    """Build the model from a header and its tensors.

    Raises:
        ValueError, TypeError, UsageError: header and tensors do not fit together; the message names the key.
    """
    kind = header.get("kind")
    if kind == "ngram":
        ngram_config: NgramConfig = from_json("model", header.get("model"), NgramConfig)
        return model_class(ngram_config).from_tensors(ngram_config, vocab_size, tensors)
    if kind == "mixture":
        mixture_config: MixtureConfig = from_json("model", header.get("model"), MixtureConfig)
        groups = {prefix: with_prefix(prefix, tensors) for prefix in (NETWORK, NGRAM, SHORT, FOLDED, GATE)}
        require_equal("tensors", len(tensors), sum(map(len, groups.values())))
        for prefix, is_used in (
            (NETWORK, mixture_config.network), (SHORT, mixture_config.short), (FOLDED, mixture_config.folded)
        ):  # fmt: skip
            if bool(groups[prefix]) != bool(is_used):
                raise ValueError(f"{prefix}*: expected {'tensors' if is_used else 'none'}, found {len(groups[prefix])}")
        network = None
        if mixture_config.network:
            network = _network(mixture_config.network, vocab_size, groups[NETWORK], NETWORK)
        counts = mixture_config.counts
        ngrams: list[NgramLike] = [NgramModel.from_tensors(counts, vocab_size, groups[NGRAM])]
        if mixture_config.short:
            short = replace(counts, order=mixture_config.short, prune=0)
            ngrams.append(NgramModel.from_tensors(short, vocab_size, groups[SHORT]))
        if mixture_config.folded:
            ngrams.append(FoldedNgramModel.from_tensors(counts, vocab_size, groups[FOLDED]))
        with torch.device("meta"):
            model = MixtureModel(network, ngrams, mixture_config.separate)
        load_weights(model.gate, groups[GATE], GATE)
        return model
    require_equal("kind", kind, "recurrent")
    config: ModelConfig = from_json("model", header.get("model"), ModelConfig)
    return _network(config, vocab_size, tensors)


def _network(config: ModelConfig, vocab_size: int, tensors: dict[str, Tensor], prefix: str = "") -> Network:
    layers = config.num_layers * config.networks
    if layers > len(tensors):  # each layer has tensors, and building a million layers would take long
        raise ValueError(f"model.num_layers: expected at most {len(tensors)} in all, found {layers}")
    first = "networks.0." if config.networks > 1 else ""
    widths = {"embedding.weight": config.embedding_size or config.hidden_size, "head.weight": config.hidden_size}
    for name, width in widths.items():  # the file must really contain tensors of these widths
        expected = torch.empty(vocab_size, width, device="meta")
        require_equal(f"{prefix}{first}{name}", _description(tensors.get(f"{first}{name}")), _description(expected))
    try:
        with torch.device("meta"):
            model = make_network(config, vocab_size)
    except RuntimeError as error:  # a product of widths overflows
        raise ValueError(f"model.hidden_size: expected less, found {config.hidden_size} ({error})") from error
    load_weights(model, tensors, prefix)
    for name, part in model.named_modules():
        if isinstance(part, NgramEmbedding) and not part.is_valid():
            raise ValueError(f"{prefix}{name}.keys: expected 0 and then ascending numbers, found others")
    return model


def load_weights(model: torch.nn.Module, tensors: dict[str, Tensor], prefix: str) -> None:
    """Load a module's weights by their state-dict names; the module then shares memory with the tensors.

    Raises:
        ValueError: a tensor is missing, unknown, of another shape or not finite; the message has its name and prefix.
    """
    expected = model.state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        require_equal(prefix + name, _description(tensors.get(name)), _description(expected.get(name)))
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(f"{prefix}{name}: expected finite numbers, found others")
    model.load_state_dict(tensors, assign=True)


def _description(tensor: Tensor | None) -> str:
    if tensor is None:
        return "none"
    return f"{dtype_name(tensor)} of shape {tuple(tensor.shape)}"


def dtype_name(tensor: Tensor) -> str:
    """Return the data type of a tensor, such as float32."""
    return str(tensor.dtype).removeprefix("torch.")


def require_equal(key: str, actual: object, expected: object) -> None:
    """Raise ValueError with the key unless a value is the expected one."""
    if actual != expected:
        raise ValueError(f"{key}: expected {expected}, found {actual!s:.100}")
