"""Scores of separate documents: the sum over documents scored one by one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from charrnn.config import CELLS, CorpusConfig, ModelConfig, NgramConfig
from charrnn.models.language_model import LanguageModel, next_log_probs
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.ngram.model import NgramModel
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring import surprisal
from charrnn.scoring.evaluate import eval_result, evaluate
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.documents import TextSpan


@pytest.fixture
def corpus(small_file: Path) -> Corpus:
    return read_corpus(small_file, CorpusConfig(document_separator=".\n"))


def model_of(kind: str, corpus: Corpus) -> LanguageModel:
    size = len(corpus.vocabulary)
    torch.manual_seed(0)
    if kind in CELLS:
        return RecurrentModel(ModelConfig(cell=kind, hidden_size=8), size).eval()
    smoothing = "mkn" if kind == "mixture" else kind
    counts = fit_ngram(corpus.train.ids, size, NgramConfig(order=None if kind == "longest" else 4, smoothing=smoothing))
    if kind == "mixture":
        assert isinstance(counts, NgramModel)
        return MixtureModel(RecurrentModel(ModelConfig(hidden_size=8), size), [counts]).eval()
    return counts


@torch.inference_mode()
def one_by_one(model: LanguageModel, text: TextSpan) -> tuple[float, int]:
    assert text.documents
    nats, impossible = 0.0, 0
    for document in np.split(text.ids, text.starts[1:]):
        targets = torch.from_numpy(document.astype(np.int64))[None]
        tokens = torch.cat((torch.tensor([[text.documents.start]]), targets[:, :-1]), 1)
        log_probs = next_log_probs(model, tokens, targets)[0]
        nats -= float(log_probs[log_probs.isfinite()].double().sum())
        impossible += int(log_probs.isinf().sum())
    return nats, impossible


@pytest.mark.parametrize("kind", [*CELLS, "mkn", "ml", "stupid", "longest", "mixture"])
@pytest.mark.parametrize("piece", [40, 1 << 14])
def test_score_of_documents_equals_each_alone(
    monkeypatch: pytest.MonkeyPatch, corpus: Corpus, kind: str, piece: int
) -> None:
    """Documents in a batch, and documents longer than a chunk, whose state is carried."""
    monkeypatch.setattr(surprisal, "DOCUMENT_CHUNK_CHARS", piece)
    monkeypatch.setattr(surprisal, "GROUPED_CHARS", 300)
    model, text = model_of(kind, corpus), corpus.validation
    seen: list[tuple[int, int]] = []
    score = evaluate(model, text, progress=lambda done, total: seen.append((done, total)))
    nats, impossible = one_by_one(model, text)
    assert score.nats == pytest.approx(nats, rel=1e-5)
    assert (score.characters, score.impossible) == (len(text), impossible)
    assert seen[-1] == (len(text), len(text))
    if kind == "lstm":
        assert score.nats != pytest.approx(evaluate(model, text.ids).nats, rel=1e-5)


def test_eval_result_of_documents_has_its_rule(corpus: Corpus) -> None:
    model = model_of("mkn", corpus)
    score = evaluate(model, corpus.validation[:100])
    assert eval_result(score, "90/10/0", documents=True).rule == "static, documents"
    assert eval_result(score, "90/10/0", 500, documents=True).rule == "static, documents, first 100 of 500"
    assert eval_result(score, "90/10/0").rule == "static, full"
    assert eval_result(score, "90/10/0", 500).rule == "static, first 100 of 500"
