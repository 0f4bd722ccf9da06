"""The interface of language models, tested on every cell and every smoothing method."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from new_cell import NEW_CELL, new_cell

from charrnn.checkpoint import Model, load, save
from charrnn.checkpoint.metadata import DatasetInfo, Metadata
from charrnn.config import CELLS, SMOOTHINGS, CorpusConfig, ModelConfig, NgramConfig
from charrnn.models.hardware.processor import fast_half_precisions
from charrnn.models.interpolated import InterpolatedModel, make_network
from charrnn.models.language_model import LanguageModel, State, next_log_probs
from charrnn.models.mixture import MixtureModel, NgramLike
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.ngram.folded import FoldedNgramModel
from charrnn.models.ngram.model import NgramModel
from charrnn.models.rnn.cells import Attention
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.rnn.ngram_embedding import frequent_ngrams
from charrnn.models.stepper import make_stepper
from charrnn.text.vocabulary import Vocabulary

V, B, T = 6, 3, 20
KINDS = [
    *CELLS,
    *SMOOTHINGS,
    "short window",
    "several cells",
    "ngram embedding",
    "ensemble",
    "mixture",
    "blend",
    "blended mixture",
    "mean",
]
"""All kinds of models; `mean`, a weighted mean of networks and n-grams, cannot be saved."""

OTHER_NETWORKS = {
    "short window": ModelConfig(cell="attention", hidden_size=8, num_layers=3, window=4),
    "several cells": ModelConfig(cell="gru,attention,lstm", hidden_size=8, window=6),
}


def training_ids() -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """A text in which some n-grams are frequent, some rare, and one character never occurs."""
    rng = np.random.default_rng(0)
    return rng.choice(V - 1, 400, p=[0.5, 0.25, 0.15, 0.08, 0.02])


def make(kind: str) -> Model:
    torch.manual_seed(0)
    if kind in SMOOTHINGS:
        order = None if kind == "longest" else 4
        return fit_ngram(training_ids(), V, NgramConfig(order=order, smoothing=kind))
    if kind in OTHER_NETWORKS:
        return loud(RecurrentModel(OTHER_NETWORKS[kind], V).eval())
    if kind == "ngram embedding":
        network = RecurrentModel(ModelConfig(hidden_size=8, num_layers=2, ngram_embedding=4, ngram_rows=60), V).eval()
        assert network.ngrams
        network.ngrams.set_ngrams(frequent_ngrams(training_ids(), V, 4, 60))
        torch.nn.init.normal_(network.ngrams.weight[1:])
        return network
    if kind == "ensemble":
        return make_network(ModelConfig(hidden_size=8, networks=3), V).eval()
    if kind == "mean":
        networks = make_network(ModelConfig(hidden_size=8, networks=2, num_layers=2), V), make("mingru")
        return InterpolatedModel([networks[0], make_counts(), networks[1]], (0.5, 0.2, 0.3)).eval()
    if kind in ("mixture", "blend", "blended mixture"):
        ngrams: list[NgramLike] = [make_counts()]
        if kind != "mixture":
            ngrams.append(fit_ngram(training_ids(), V, NgramConfig(order=2)))
            classes = np.array([0, 1, 2, 0, 3, 4])
            folded = fit_ngram(classes[training_ids()], 5, NgramConfig(order=4))
            assert isinstance(folded, NgramModel)
            ngrams.append(FoldedNgramModel.of(folded, training_ids(), classes))
        number = {"mixture": 1, "blended mixture": 2}.get(kind)
        mixture = MixtureModel(make_network(ModelConfig(hidden_size=8, networks=number), V) if number else None, ngrams)
        torch.nn.init.normal_(mixture.gate[-1].weight, std=0.3)  # type: ignore[arg-type]  # else it never opens
        return mixture.eval()
    return loud(RecurrentModel(ModelConfig(cell=kind, hidden_size=8, dropout=0.5), V).eval())


def loud(network: RecurrentModel) -> RecurrentModel:
    """Give the outputs of attention large weights; a new network almost ignores them."""
    for cell in network.cells:
        if isinstance(cell, Attention):
            for linear in (cell.query, cell.key, cell.value, cell.merge, cell.contract):
                torch.nn.init.normal_(linear.weight, std=0.5)
    return network


def make_counts() -> NgramModel:
    counts = fit_ngram(training_ids(), V, NgramConfig(order=4))
    assert isinstance(counts, NgramModel)
    return counts


@pytest.fixture(params=[*KINDS, NEW_CELL])
def model(request: pytest.FixtureRequest) -> Iterator[Model]:
    with new_cell() if request.param == NEW_CELL else nullcontext():
        yield make(request.param)


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randint(0, V, (B, T), generator=torch.Generator().manual_seed(3))


@pytest.fixture(autouse=True)
def no_gradients() -> object:
    with torch.inference_mode():
        yield


def test_model_gives_logits_and_state_of_the_batch(model: LanguageModel, tokens: torch.Tensor) -> None:
    logits, state = model(tokens)
    assert logits.shape == (B, T, model.vocab_size)
    assert model.vocab_size == V
    assert logits.dtype == torch.float32
    assert isinstance(state, tuple)
    assert all(part.shape[0] == B for part in state)


def test_model_probabilities_sum_to_one(model: LanguageModel, tokens: torch.Tensor) -> None:
    logits, _ = model(tokens)
    total = logits.softmax(-1).sum(-1)
    torch.testing.assert_close(total, torch.ones(B, T), atol=1e-5, rtol=0)


@pytest.mark.parametrize("embedding", [None, 4])
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_logits_in_half_precision_are_close(
    cell: str, residual: bool, embedding: int | None, tokens: torch.Tensor
) -> None:
    """Attention with an embedding of another size once passed bfloat16 to the head, which takes float32."""
    if cell == "lstm" and torch.bfloat16 not in fast_half_precisions():
        pytest.skip("oneDNN's LSTM computes in bfloat16 only where the processor does")
    torch.manual_seed(0)
    config = ModelConfig(cell=cell, hidden_size=8, num_layers=2, embedding_size=embedding, residual=residual)
    network = RecurrentModel(config, V).eval()
    with torch.autocast("cpu", torch.bfloat16):
        logits, state = network(tokens)
    assert {part.dtype for part in (logits, *state)} == {torch.float32}
    torch.testing.assert_close(logits, network(tokens)[0], rtol=0.05, atol=0.05)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_ngram_logits_are_log_probabilities(smoothing: str, tokens: torch.Tensor) -> None:
    """Without a softmax, which would hide a wrong sum."""
    logits, _ = make(smoothing)(tokens)
    torch.testing.assert_close(logits.exp().sum(-1), torch.ones(B, T), atol=1e-5, rtol=0)


def test_model_logits_do_not_depend_on_later_characters(model: LanguageModel, tokens: torch.Tensor) -> None:
    changed = tokens.clone()
    changed[:, 12:] = (changed[:, 12:] + 1) % V
    logits, others = model(tokens)[0], model(changed)[0]
    torch.testing.assert_close(logits[:, :12], others[:, :12])
    assert not torch.equal(logits[:, 12:], others[:, 12:])


@pytest.mark.parametrize("pieces", [[1] * T, [7, 6, 7], [19, 1]])
def test_model_in_pieces_matches_the_whole_text(model: LanguageModel, tokens: torch.Tensor, pieces: list[int]) -> None:
    whole, end = model(tokens)
    state: State | None = None
    parts = []
    for piece in torch.split(tokens, pieces, dim=1):
        logits, state = model(piece, state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=1e-5)
    assert state is not None
    for actual, expected in zip(state, end, strict=True):
        torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


def test_model_does_not_change_the_state_it_is_given(model: LanguageModel, tokens: torch.Tensor) -> None:
    _, state = model(tokens)
    copies = [part.clone() for part in state]
    first, _ = model(tokens, state)
    second, _ = model(tokens, state)
    torch.testing.assert_close(first, second)
    assert all(torch.equal(part, copy) for part, copy in zip(state, copies, strict=True))


def test_model_rows_are_independent(model: LanguageModel, tokens: torch.Tensor) -> None:
    together, _ = model(tokens)
    for row in range(B):
        alone, _ = model(tokens[row : row + 1])
        torch.testing.assert_close(alone[0], together[row], atol=1e-5, rtol=1e-5)


def test_next_log_probs_in_chunks_match_the_whole(
    model: LanguageModel, tokens: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, end = next_log_probs(model, tokens, tokens)
    monkeypatch.setattr("charrnn.models.language_model.MAX_LOGITS", 7 * B * model.vocab_size)
    pieces, after = next_log_probs(model, tokens, tokens)
    torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=1e-5)
    for actual, expected in zip(after, end, strict=True):
        torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


def test_next_log_probs_match_the_logits(model: LanguageModel, tokens: torch.Tensor) -> None:
    targets = tokens.roll(-1, dims=1)
    _, middle = model(tokens[:, :5])
    for state in (None, middle):
        actual, after = next_log_probs(model, tokens, targets, state)
        logits, expected_after = model(tokens, state)
        expected = logits.log_softmax(-1).gather(-1, targets[..., None])[..., 0]
        torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)
        for part, other in zip(after, expected_after, strict=True):
            torch.testing.assert_close(part, other)


def test_stepper_draw_matches_the_logits(model: LanguageModel, tokens: torch.Tensor) -> None:
    _, state = model(tokens[:, :5])
    fast = make_stepper(model, state, B)
    actual = fast.draw_next(tokens[:, 5].numpy(), lambda logits: logits.argmax(-1))
    logits, expected_after = model(tokens[:, 5:6], state)
    assert torch.equal(torch.from_numpy(actual), logits[:, 0].argmax(-1))
    assert fast.state is not None
    for part, other in zip(fast.state, expected_after, strict=True):
        torch.testing.assert_close(part, other)


def test_stepper_matches_the_model(model: LanguageModel, tokens: torch.Tensor) -> None:
    expected, _ = model(tokens)
    together, alone = make_stepper(model, None, B), make_stepper(model)
    for t in range(T):
        logits = torch.from_numpy(together.read(tokens[:, t].numpy())).log_softmax(-1)
        torch.testing.assert_close(logits, expected[:, t].log_softmax(-1), atol=1e-5, rtol=1e-5, check_dtype=False)
        first = torch.from_numpy(alone.read(tokens[:1, t].numpy())).log_softmax(-1)
        torch.testing.assert_close(first, logits[:1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("model", [*(kind for kind in KINDS if kind != "mean"), NEW_CELL], indirect=True)
def test_model_saved_and_loaded_gives_the_same_logits(model: Model, tokens: torch.Tensor, tmp_path: Path) -> None:
    facts = Metadata(DatasetInfo("text.txt", "0" * 64, 400, CorpusConfig()), 1.0, "cpu")
    save(tmp_path / "model.safetensors", model, Vocabulary("abcdef"), facts)
    again = load(tmp_path / "model.safetensors")
    assert torch.equal(again.model(tokens)[0], model(tokens)[0])
    assert again.vocabulary == Vocabulary("abcdef")
    assert again.metadata == facts
