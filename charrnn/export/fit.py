"""Fit a model to a page: weights rounded, and n-grams pruned until it has the size that it may have.

What both cost is measured, in bits per character.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from charrnn.checkpoint import Checkpoint, Model
from charrnn.config import SamplingConfig
from charrnn.errors import UsageError
from charrnn.export.container import Container
from charrnn.export.pruning import costs_of, fit_into, prune_ngrams, prune_rows
from charrnn.export.rounding import rounded_model
from charrnn.export.spec import model_spec
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.folded import FoldedNgramModel
from charrnn.models.ngram.model import NgramModel
from charrnn.models.rnn.model import RecurrentModel
from charrnn.sampling.generate import generate
from charrnn.scoring.evaluate import evaluate
from charrnn.text.documents import Documents, TextSpan

MAX_ROUNDING_LOSS = 0.001
"""The most that rounding to 8 bits may cost, in bits per character; otherwise weights are rounded to 16 bits."""
MEASURED = 20_000
"""The maximum number of characters on which losses are measured."""
MIN_SHARE = 0.02
"""The smallest share of its n-grams to which a model is pruned; a page with fewer would not be worth opening."""


@dataclass(frozen=True)
class PageModel:
    """A model on the page.

    Attributes:
        checkpoint: the model as it was trained.
        model: the model as the page has it: rounded and pruned.
        data: its bytes, see `container.py`.
        encoding: `i8` or `f16`, of the matrices of networks.
        kept: the share of the n-grams that are left, from 0 to 1; None without n-grams.
        rows: the share of the embeddings of n-grams that are left; None without them.
        loss: bits per character lost by rounding and pruning, on `measured`; None if the score is infinite anyway.
        measured: the text of the measurement, in words.
    """

    checkpoint: Checkpoint
    model: Model
    data: bytes
    encoding: str
    kept: float | None
    rows: float | None
    loss: float | None
    measured: str

    @property
    def has_network(self) -> bool:
        """Whether a part of the model is a network."""
        return _has_network(self.model)


def fit_page_model(
    checkpoint: Checkpoint, text: TextSpan | None, max_bytes: int, log: Callable[[str], None] = lambda line: None
) -> PageModel:
    """Round the weights of a model, and prune its n-grams until it fits.

    Args:
        checkpoint: the model.
        text: a text that it was not trained on; None to measure losses on a text that it writes.
        max_bytes: the limit for its bytes.
        log: receives a line about each step.

    Raises:
        UsageError: the model cannot be exported, or does not fit.
    """
    _check_kind(checkpoint.model)
    span, measured = _measured_on(checkpoint, text)
    before = evaluate(checkpoint.model, span).bits_per_char
    encodings = ["i8", "f16"] if _has_network(checkpoint.model) else ["f16"]
    fitted = None
    for encoding in encodings:
        smaller = rounded_model(checkpoint.model, encoding)
        rows = _prune_rows(checkpoint, smaller, encoding, max_bytes)
        pruned = _pruned(checkpoint, smaller, encoding, max_bytes)
        if pruned is None:
            continue
        model, data, kept = pruned
        loss = evaluate(model, span).bits_per_char - before if math.isfinite(before) else None
        is_whole = kept in (None, 1.0) and rows in (None, 1.0)
        rounding = loss if is_whole or loss is None else _loss_of_rounding(checkpoint.model, encoding, span, before)
        fitted = PageModel(checkpoint, model, data, encoding, kept, rows, loss, measured)
        if encoding == encodings[-1] or rounding is None or rounding < MAX_ROUNDING_LOSS:
            return fitted
        log(f"8 bits for each weight would cost {rounding:.4f} bits per character; trying 16")
    if fitted:
        return fitted
    size = len(_packed(checkpoint, rounded_model(checkpoint.model, encodings[0]), encodings[0]))
    raise UsageError(
        f"{checkpoint.path}: takes {size / 1e6:.2f} MB, and the page has room for {max_bytes / 1e6:.2f}; "
        "raise --max-size, or export a smaller model"
    )


def _measured_on(checkpoint: Checkpoint, text: TextSpan | None) -> tuple[TextSpan, str]:
    """Return the text on which losses are measured, and a description."""
    if text is not None and len(text) > 1:
        span = text[: min(len(text), MEASURED)]
        return span, f"{len(span):,} characters of held-out text"
    vocabulary = checkpoint.vocabulary
    documents = Documents.of(checkpoint.metadata.text.corpus, vocabulary)
    config = SamplingConfig(length=MEASURED, temperature=1.0, seed=0)
    written = "".join(generate(checkpoint.model, vocabulary, config, documents=documents))
    span = TextSpan(vocabulary.encode(written), documents)
    return span, f"{len(span):,} characters that the model wrote"


def _loss_of_rounding(model: Model, encoding: str, span: TextSpan, before: float) -> float:
    return evaluate(rounded_model(model, encoding), span).bits_per_char - before


def _check_kind(model: Model) -> None:
    """Raise UsageError if a part of the model is of a kind that a page cannot have."""
    parts = model.ngrams if isinstance(model, MixtureModel) else [model]
    if not all(isinstance(part, nn.Module | NgramModel | FoldedNgramModel) for part in parts):
        raise UsageError(
            "longest-match models cannot be exported, because they search the whole training text; fit another one, "
            "such as `charrnn ngram TEXT`"
        )


def _prune_rows(checkpoint: Checkpoint, model: Model, encoding: str, max_bytes: int) -> float | None:
    """Leave out embeddings of n-grams so that the networks fit, with room for n-gram models if there are any.

    Returns:
        The share of embeddings that are left; None if there are none.
    """
    networks = _networks(model)
    tables = [network.ngrams.weight for network in networks if network.ngrams]
    if not tables:
        return None
    width = 1 if encoding == "i8" else 2
    others = sum(weight.numel() for network in networks for weight in network.parameters())
    room = max_bytes - width * (others - sum(table.numel() for table in tables))
    span, _ = _measured_on(checkpoint, None)  # a text that the model writes: held-out text must not choose
    return prune_rows(networks, span.ids, max(0, room // 2 if _ngram_models(model) else room), width)


def _networks(model: Model) -> list[RecurrentModel]:
    """Return the networks of a model."""
    network = model.network if isinstance(model, MixtureModel) else model
    parts = network.models if isinstance(network, InterpolatedModel) else [network]
    return [part for part in parts if isinstance(part, RecurrentModel)]


def _pruned(
    checkpoint: Checkpoint, model: Model, encoding: str, max_bytes: int
) -> tuple[Model, bytes, float | None] | None:
    """Return the model with as many n-grams as fit, its bytes, and the share of n-grams; None if it cannot fit."""
    parts = _ngram_models(model)
    if not parts:
        data = _packed(checkpoint, model, encoding)
        return (model, data, None) if len(data) <= max_bytes else None
    costs = [costs_of(part) for part in parts]
    entries = sum(part.entries for part in parts)
    built: dict[float, tuple[Model, bytes]] = {}

    def build(threshold: float) -> int:
        pruned = [prune_ngrams(part, threshold, cost) for part, cost in zip(parts, costs, strict=True)]
        smaller = _with_ngrams(model, pruned)
        built[threshold] = smaller, _packed(checkpoint, smaller, encoding)
        return len(built[threshold][1])

    threshold = fit_into(build, max_bytes)
    if threshold is None:
        return None
    smaller, data = built[threshold]
    kept = sum(part.entries for part in _ngram_models(smaller)) / entries
    return (smaller, data, kept) if kept >= MIN_SHARE else None


def _ngram_models(model: Model) -> list[NgramModel]:
    """Return the n-gram models of a model that can be pruned."""
    parts = model.ngrams if isinstance(model, MixtureModel) else [model]
    inner = [part.model if isinstance(part, FoldedNgramModel) else part for part in parts]
    return [part for part in inner if isinstance(part, NgramModel)]


def _with_ngrams(model: Model, ngrams: Sequence[NgramModel]) -> Model:
    """Return the model with other n-gram models in the places of its own."""
    if not isinstance(model, MixtureModel):
        return ngrams[0]
    pairs = zip(model.ngrams, ngrams, strict=True)
    parts = [
        FoldedNgramModel(new, old.classes, old.log_shares) if isinstance(old, FoldedNgramModel) else new
        for old, new in pairs
    ]
    mixture = MixtureModel(model.network, parts, model.is_separate)
    mixture.gate = model.gate
    return mixture.eval()


def _packed(checkpoint: Checkpoint, model: Model, encoding: str) -> bytes:
    """Return the bytes of a model."""
    container, vocabulary = Container(), checkpoint.vocabulary
    documents = Documents.of(checkpoint.metadata.text.corpus, vocabulary)
    header = {
        "model": model_spec(model, container, encoding),
        "vocabulary": None if vocabulary.is_bytes else list(vocabulary.characters or ()),
        "unknown": vocabulary.unknown,
        "start": vocabulary.start,
        "separator": list(documents.separator) if documents else None,
    }
    return container.packed(header)


def _has_network(model: Model) -> bool:
    return isinstance(model.network if isinstance(model, MixtureModel) else model, nn.Module)
