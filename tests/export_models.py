"""A model of every kind that can be exported, with random weights, as checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from charrnn.checkpoint import Checkpoint, Model
from charrnn.checkpoint.metadata import DatasetInfo, Metadata
from charrnn.config import CELLS, CorpusConfig, ModelConfig, NgramConfig
from charrnn.models.interpolated import make_network
from charrnn.models.mixture import MixtureModel, NgramLike
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.ngram.folded import FoldedNgramModel, classes_of, fold
from charrnn.models.ngram.model import NgramModel
from charrnn.models.rnn.cells import Attention
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.rnn.ngram_embedding import frequent_ngrams
from charrnn.text.vocabulary import Vocabulary

TEXT = "The king said: The cat sat.\nthe cat and The king sat; the king said that the cat sat\n" * 12
VOCABULARY = Vocabulary(sorted(set(TEXT)))
IDS = VOCABULARY.encode(TEXT)
V = len(VOCABULARY)
NETWORKS = {
    **{cell: ModelConfig(cell, 2, 24, embedding_size=16) for cell in CELLS},
    "short window": ModelConfig("attention", 2, 64, window=5),
    "window of one": ModelConfig("attention", 1, 16, window=1),
    "several cells": ModelConfig("gru,attention,lstm", 3, 32, window=7),
    "no residual": ModelConfig("lstm", 2, 20, residual=False),
    "ensemble": ModelConfig("lstm", 1, 16, networks=3),
}
NGRAMS = ("tuned", "mkn", "witten-bell", "ml", "stupid")
MIXTURES = ("ngram embedding", "folded blend", "mixture", "mixture of an ensemble")
KINDS = (*NETWORKS, *NGRAMS, *MIXTURES)


def make(kind: str) -> Model:
    """A model whose predictions are far from uniform."""
    torch.manual_seed(0)
    if kind in NETWORKS:
        return loud(make_network(NETWORKS[kind], V).eval())
    if kind in NGRAMS:
        return fit_ngram(IDS, V, NgramConfig(order=4, smoothing=kind))
    if kind == "ngram embedding":
        network = RecurrentModel(ModelConfig("lstm", 1, 16, ngram_embedding=4, ngram_rows=60), V).eval()
        assert network.ngrams
        network.ngrams.set_ngrams(frequent_ngrams(IDS, V, 4, 60))
        torch.nn.init.normal_(network.ngrams.weight[1:])
        return loud(network)
    ngrams: list[NgramLike] = [counts(5)]
    if kind == "folded blend":
        classes = fold(VOCABULARY.characters or ())
        assert classes is not None
        folded = fit_ngram(classes_of(IDS, classes).astype(np.int64), int(classes.max()) + 1, NgramConfig(order=4))
        assert isinstance(folded, NgramModel)
        ngrams += [counts(3), FoldedNgramModel.of(folded, IDS, classes)]
    config = ModelConfig("lstm", 1, 16, networks=2 if "ensemble" in kind else 1)
    network_part = make_network(config, V).eval()
    loud(network_part)
    mixture = MixtureModel(None if kind == "folded blend" else network_part, ngrams)
    for weight in mixture.gate.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return mixture.eval()


def counts(order: int) -> NgramModel:
    """N-grams of the text."""
    model = fit_ngram(IDS, V, NgramConfig(order=order))
    assert isinstance(model, NgramModel)
    return model


def loud(model: Model) -> Model:
    """Give a network large weights; a new one predicts almost the same everywhere."""
    assert isinstance(model, torch.nn.Module)
    for part in model.modules():
        if isinstance(part, RecurrentModel):
            torch.nn.init.normal_(part.head.weight, std=0.6)
        if isinstance(part, Attention):
            for linear in (part.query, part.key, part.value, part.merge, part.contract):
                torch.nn.init.normal_(linear.weight, std=0.4)
    return model


def checkpoint_of(
    model: Model, documents: str | None = None, vocabulary: Vocabulary = VOCABULARY, name: str = "play"
) -> Checkpoint:
    """A checkpoint that has no file."""
    config = CorpusConfig(document_separator=documents, bytes=vocabulary.is_bytes)
    text = DatasetInfo("folder/play.txt", "0" * 64, len(IDS), config)
    return Checkpoint(model, vocabulary, Metadata(text, 1.0, "cpu"), Path(f"checkpoints/{name}.safetensors"), 1000)
