"""Embeddings of n-grams at the input of a network."""

from collections import Counter

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from charrnn.config import ModelConfig
from charrnn.errors import UsageError
from charrnn.models.rnn import ngram_embedding
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.rnn.ngram_embedding import MIN_COUNT, UNUSED, NgramEmbedding, frequent_ngrams
from charrnn.models.stepper import make_stepper

V, ORDER, ROWS = 6, 4, 50


def text() -> NDArray[np.uint8]:
    return np.random.default_rng(0).choice(V - 1, 400, p=[0.5, 0.25, 0.15, 0.08, 0.02]).astype(np.uint8)


def ngrams_of(keys: NDArray[np.int64]) -> list[tuple[int, ...]]:
    """Return the character ids of each key."""
    ngrams = []
    for key in map(int, keys):
        digits = []
        while key:
            key, digit = divmod(key, V + 1)
            digits.append(digit - 1)
        ngrams.append(tuple(reversed(digits)))
    return ngrams


def network(cell: str = "lstm") -> RecurrentModel:
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(cell=cell, hidden_size=8, ngram_embedding=ORDER, ngram_rows=ROWS), V).eval()
    assert model.ngrams
    model.ngrams.set_ngrams(frequent_ngrams(text(), V, ORDER, ROWS))
    torch.nn.init.normal_(model.ngrams.weight)
    with torch.no_grad():
        model.ngrams.weight[0] = 0
    return model


def test_the_most_frequent_ngrams_are_found() -> None:
    ids = text().tolist()
    counts = Counter(tuple(ids[i : i + n]) for n in range(2, ORDER + 1) for i in range(len(ids) - n + 1))
    keys = frequent_ngrams(text(), V, ORDER, ROWS)
    assert len(keys) == ROWS
    assert (np.diff(keys) > 0).all()
    found = ngrams_of(keys)
    rest = max(count for ngram, count in counts.items() if ngram not in found)
    assert min(counts[ngram] for ngram in found) >= rest


def test_rare_ngrams_have_no_embedding() -> None:
    ids = text().tolist()
    counts = Counter(tuple(ids[i : i + n]) for n in range(2, ORDER + 1) for i in range(len(ids) - n + 1))
    found = ngrams_of(frequent_ngrams(text(), V, ORDER, 10_000))
    assert sorted(found) == sorted(ngram for ngram, count in counts.items() if count >= MIN_COUNT)


def test_blocks_of_a_long_text_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = frequent_ngrams(np.tile(text(), 64), V, ORDER, 20)
    monkeypatch.setattr(ngram_embedding, "MAX_COUNTED", 64 * 400)
    sampled = frequent_ngrams(np.tile(text(), 70), V, ORDER, 20)
    assert len(set(whole) & set(sampled)) >= 18


def test_each_position_has_the_rows_of_the_ngrams_that_end_there() -> None:
    table, ids = network().ngrams, text()[:60]
    assert table
    row_of = {ngram: row for row, ngram in enumerate(ngrams_of(table.keys.numpy())) if row}
    digits = torch.cat(
        (torch.zeros(1, ORDER - 1, dtype=torch.int64), torch.from_numpy(ids.astype(np.int64))[None] + 1), 1
    )
    rows = table.rows(digits)[0]
    for t in range(len(ids)):
        expected = [row_of.get(tuple(ids[t - n + 1 : t + 1]), 0) if t >= n - 1 else 0 for n in range(2, ORDER + 1)]
        assert rows[t].tolist() == expected
    assert (rows > 0).any(0).all()
    assert (rows == 0).any()


def test_input_is_the_sum_of_all_embeddings() -> None:
    model, tokens = network(), torch.from_numpy(text()[None, :30].astype(np.int64))
    assert model.ngrams
    x, (characters,) = model.embed(tokens, model.empty_state(1))
    rows = model.ngrams.rows(torch.cat((torch.zeros(1, ORDER - 1, dtype=torch.int64), tokens + 1), 1))
    torch.testing.assert_close(x, model.embedding(tokens) + model.ngrams.weight[rows].sum(2))
    assert characters.tolist() == (tokens[:, -ORDER + 1 :] + 1).tolist()


@pytest.mark.parametrize("cell", ["lstm", "mingru"])
def test_steps_equal_a_whole_text_from_any_state(cell: str) -> None:
    model, tokens = network(cell), torch.from_numpy(text()[:80].reshape(2, 40).astype(np.int64))
    logits, end = model(tokens)
    with torch.inference_mode():
        one, _ = model(tokens[:1])  # in C, if there is a compiler
    torch.testing.assert_close(one, logits[:1].detach(), atol=1e-5, rtol=1e-5)
    with torch.inference_mode():
        _, state = model(tokens[:, :15])
        stepper = make_stepper(model, state, 2)
        steps = [stepper.read(tokens[:, t].numpy()).copy() for t in range(15, 40)]
    np.testing.assert_allclose(np.stack(steps, 1), logits[:, 15:].detach().numpy(), atol=1e-5)
    assert stepper.state
    for actual, expected in zip(stepper.state, end, strict=True):
        torch.testing.assert_close(actual, expected.detach(), atol=1e-5, rtol=1e-5)


def test_a_sparse_gradient_equals_the_dense_one() -> None:
    gradients = []
    for is_sparse in (False, True):
        model = network()
        assert model.ngrams
        model.ngrams.is_sparse = is_sparse
        model(torch.from_numpy(text()[None, :40].astype(np.int64)))[0].square().mean().backward()
        gradient = model.ngrams.weight.grad
        assert gradient is not None
        assert gradient.is_sparse == is_sparse
        gradients.append(gradient.to_dense())
    torch.testing.assert_close(*gradients)
    assert not gradients[0][0].any()
    assert gradients[0].any()


def test_embeddings_follow_their_characters_to_another_vocabulary() -> None:
    source, target = network().ngrams, NgramEmbedding(ORDER, ROWS, V + 2, 8)
    assert source
    ids = {0: 5, 1: 3, 2: 0, 3: 7}  # 4 and 5 do not occur there
    target.copy_ngrams(source, ids)
    assert target.is_valid()
    tokens = torch.tensor([[0, 1, 0, 0, 2, 0, 1, 1, 3, 0]])
    moved = torch.tensor([[ids[int(token)] for token in tokens[0]]])
    empty = torch.zeros(1, ORDER - 1)
    torch.testing.assert_close(target(moved, empty)[0], source(tokens, empty)[0])
    assert source(tokens, empty)[0].any()
    assert (target.keys == UNUSED).any()


def test_too_many_characters_for_the_vocabulary_are_refused() -> None:
    with pytest.raises(
        UsageError, match=r"--ngram-embedding 8: with 5,000 different characters.* use --ngram-embedding 5"
    ):
        NgramEmbedding(8, 10, 5000, 4)


def test_a_table_out_of_order_is_invalid() -> None:
    table = network().ngrams
    assert table
    assert table.is_valid()
    table.keys[3], table.keys[4] = table.keys[4].clone(), table.keys[3].clone()
    assert not table.is_valid()
