"""The held-out part of a text that is part of a model's training text."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from charrnn.config import CorpusConfig
from charrnn.scoring.held_out import find_held_out, find_subsequence
from charrnn.text.corpus import Corpus
from charrnn.text.documents import TextSpan


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_find_subsequence_compares_ids_not_bytes(monkeypatch: pytest.MonkeyPatch, dtype: type) -> None:
    """The last byte of one id and the first byte of the next can look like a third id."""
    monkeypatch.setattr("charrnn.scoring.held_out.CHUNK_CHARS", 7)
    whole: NDArray[Any] = np.random.default_rng(0).integers(0, 3, 400).astype(dtype)
    for begin in (0, 1, 150, 389):
        part = whole[begin : begin + 11].astype(np.int64)
        expected = next(i for i in range(390) if (whole[i : i + 11] == part).all())
        assert find_subsequence(part, whole) == expected
    assert find_subsequence(np.full(11, 2), whole) is None
    assert find_subsequence(np.zeros(401, np.int64), whole) is None
    if dtype is np.uint16:
        assert find_subsequence(np.array([0x0100]), np.array([0x0001, 0x0001, 0x0100], dtype)) == 2


def test_find_held_out_with_a_test_part_returns_the_test_part(small_corpus: Corpus) -> None:
    text = small_corpus.span
    three = replace(small_corpus, config=CorpusConfig(val_fraction=0.1, test_fraction=0.1))
    for corpus, part in ((small_corpus, "validation"), (three, "test")):
        begin = corpus.bounds[part == "test"]
        held_out = find_held_out(text[begin - 100 : begin + 250], corpus)
        assert (len(held_out.text), held_out.part, held_out.split) == (250, part, corpus.split)
        assert held_out.text.ids.tolist() == text.ids[begin : begin + 250].tolist()
        assert len(find_held_out(text[begin : begin + 250], corpus).text) == 250
        assert not len(find_held_out(text[:250], corpus).text)
    assert find_held_out(text[:199], small_corpus).part == "all"  # too short to be looked for
    assert find_held_out(text[:250], None).part == "all"
    assert find_held_out(TextSpan(text.ids[:250][::-1]), small_corpus).part == "all"
