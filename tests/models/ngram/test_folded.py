"""N-grams of a folded text."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from charrnn.config import NgramConfig
from charrnn.models.language_model import next_log_probs
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.ngram.folded import FoldedNgramModel, classes_of, fold
from charrnn.models.ngram.model import NgramModel

ORDER_3 = NgramConfig(order=3, smoothing="mkn")


def test_case_and_line_ends_are_folded() -> None:
    classes = fold(tuple("\n aAbBÉéxZ"))
    assert classes is not None
    assert classes.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 5]


def test_nothing_is_folded_without_pairs() -> None:
    assert fold(tuple("abcX\n")) is None


def test_probability_is_that_of_the_class_times_the_share() -> None:
    text = "The cat\nthe Cat the\ncat The dog\n" * 3
    characters = sorted(set(text))
    ids = np.array([characters.index(c) for c in text])
    classes = fold(characters)
    assert classes is not None
    model = fold_and_fit(ids, classes)
    inner = model.model
    tokens = torch.from_numpy(ids[None, :20])
    of_classes = inner(torch.from_numpy(classes[ids[None, :20]]))[0].exp()
    counts = np.bincount(ids) + 1
    for i, character in enumerate(characters):
        members = [j for j in range(len(characters)) if classes[j] == classes[i]]
        share = counts[i] / counts[members].sum()
        expected = of_classes[0, :, classes[i]] * share
        torch.testing.assert_close(model(tokens)[0].exp()[0, :, i], expected, msg=character)
    torch.testing.assert_close(model(tokens)[0].exp().sum(-1), torch.ones(1, 20))
    assert model.entries == inner.entries
    scored, _ = next_log_probs(model, tokens[:, :-1], tokens[:, 1:])
    assert scored.shape == (1, 19)


def fold_and_fit(ids: NDArray[np.int64], classes: NDArray[np.int64]) -> FoldedNgramModel:
    ngrams = fit_ngram(classes_of(ids, classes), int(classes.max()) + 1, ORDER_3)
    assert isinstance(ngrams, NgramModel)
    return FoldedNgramModel.of(ngrams, ids, classes)


def fitted() -> FoldedNgramModel:
    ids = np.random.default_rng(0).integers(0, 6, 200)
    return fold_and_fit(ids, np.array([0, 1, 2, 0, 3, 1]))


def test_tensors_make_the_same_model() -> None:
    model = fitted()
    again = FoldedNgramModel.from_tensors(ORDER_3, 6, model.tensors())
    tokens = torch.arange(6)[None]
    assert torch.equal(model(tokens)[0], again(tokens)[0])
    assert isinstance(again.model, NgramModel)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("classes", None),
        ("classes", torch.zeros(6)),
        ("classes", torch.zeros(5, dtype=torch.int64)),
        ("classes", torch.tensor([1, 1, 2, 1, 3, 1])),
        ("classes", torch.tensor([0, 1, 2, 0, 9, 1])),
        ("log_shares", torch.full((6,), torch.nan)),
        ("log_shares", torch.ones(6)),
    ],
)
def test_damaged_tensors_are_refused_by_name(name: str, value: torch.Tensor | None) -> None:
    tensors = {key: tensor for key, tensor in fitted().tensors().items() if key != name}
    if value is not None:
        tensors[name] = value
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        FoldedNgramModel.from_tensors(ORDER_3, 6, tensors)
