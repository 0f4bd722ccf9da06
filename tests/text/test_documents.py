"""Document boundaries, spans of text, and batches of documents."""

import itertools
import random

import numpy as np
import pytest
import torch

from charrnn.config import CorpusConfig
from charrnn.errors import TextError
from charrnn.text import documents
from charrnn.text.batches import IGNORE_INDEX, DocumentStreams, Streams, streams_of
from charrnn.text.documents import Documents, TextSpan
from charrnn.text.vocabulary import Vocabulary

LINE = 9
LINES = Documents((LINE,), start=LINE)


def parts_of(ids: np.ndarray, separator: tuple[int, ...]) -> list[bytes]:
    """Split like `str.split`."""
    ending = bytes(separator)
    *parts, last = ids.tobytes().split(ending)
    return [part + ending for part in parts] + [last] * bool(last)


@pytest.mark.parametrize("separator", [(0,), (0, 0), (1, 0), (0, 1, 0)])
def test_documents_starts_are_where_python_splits(monkeypatch: pytest.MonkeyPatch, separator: tuple[int, ...]) -> None:
    """Including separators that overlap, or are split between two chunks."""
    monkeypatch.setattr(documents, "CHUNK_CHARS", 7)
    chance = random.Random(0)
    for _ in range(200):
        ids = np.array(chance.choices(range(2), k=chance.randint(1, 30)), np.uint8)
        starts = Documents(separator, 0).starts(ids)
        actual = [part.tobytes() for part in np.split(ids, starts[1:])]
        assert actual == parts_of(ids, separator)


def test_documents_separator_missing_in_the_vocabulary_ends_nothing() -> None:
    config = CorpusConfig(document_separator="|")
    actual = Documents.of(config, Vocabulary("ab\n"))
    assert actual
    assert actual.starts(np.array([0, 1, 2, 2])).tolist() == [0]
    assert Documents.of(config, Vocabulary("ab|")) == Documents((2,), 0)
    assert Documents.of(CorpusConfig(), Vocabulary("ab|")) is None
    assert Documents.of(CorpusConfig(document_separator="é", bytes=True), Vocabulary(None)) == Documents((195, 169), 10)
    forms = CorpusConfig(document_separator="E\u0301\r\n", normalize="NFC", lower=True)
    assert Documents.of(forms, Vocabulary("é\n")) == Documents((0, 1), 1)


def text_of_lines(seed: int, number: int, longest: int) -> np.ndarray:
    chance = random.Random(seed)
    lines = [[chance.randrange(LINE) for _ in range(chance.randint(0, longest))] + [LINE] for _ in range(number)]
    return np.array([*itertools.chain(*lines), 1, 2, 3], np.uint8)


@pytest.mark.parametrize("rows", [1, 3, 8])
@pytest.mark.parametrize("is_fixed", [False, True])
def test_document_streams_rows_are_whole_documents_in_order(rows: int, is_fixed: bool) -> None:
    """Over two epochs, the inputs of each row are whole documents after the start character, and nothing else."""
    ids = text_of_lines(1, 20, 12)
    streams = DocumentStreams(TextSpan(ids, LINES), rows, 5, is_fixed)
    whole = [bytes(part) for part in parts_of(ids, (LINE,))]
    steps, actual = -(-len(streams.is_first) // streams.batch_size), []
    read: list[list[list[int]]] = [[] for _ in range(streams.batch_size)]
    for step in range(2 * steps):
        inputs, targets = streams.batch(step)
        begins = streams.begins(step)
        assert inputs.shape == targets.shape
        assert inputs.shape[1] == 5 or (not is_fixed and inputs.shape[1] == (targets != IGNORE_INDEX).sum(1).max())
        assert streams.characters(step) == (targets != IGNORE_INDEX).sum()
        for row in range(streams.batch_size):
            real = targets[row] != IGNORE_INDEX
            assert not (real[1:] & ~real[:-1]).any()
            before = inputs[row][real].tolist()
            after = targets[row][real].tolist()
            assert before[1:] == after[:-1]
            if begins[row]:
                assert before[0] == LINE
                read[row].append([])
            elif read[row]:
                assert before[0] == read[row][-1][-1]
            if read[row]:
                read[row][-1] += after
    for documents_read in read:
        actual += [bytes(one) for one in documents_read[:-1]]  # the last may not be over
    assert set(actual) <= set(whole)
    if rows == 1:
        assert actual[: len(whole)] == whole


def test_document_streams_predict_every_character_once_an_epoch() -> None:
    ids = text_of_lines(2, 30, 9)
    streams = DocumentStreams(TextSpan(ids, LINES), 1, 4)
    targets = [streams.batch(step)[1].flatten() for step in range(int(streams.steps_per_epoch))]
    assert torch.cat(targets)[torch.cat(targets) != IGNORE_INDEX].tolist() == ids.tolist()


def test_document_streams_slice_has_the_rows_of_the_whole() -> None:
    streams = DocumentStreams(TextSpan(text_of_lines(3, 40, 9), LINES), 6, 4, is_fixed=True)
    parts = [streams.slice(rows) for rows in (slice(0, 2), slice(2, streams.batch_size))]
    for step in range(30):
        for whole, *some in zip(streams.batch(step), *(part.batch(step) for part in parts), strict=True):
            assert whole.equal(torch.cat(some))
        assert streams.characters(step) == sum(part.characters(step) for part in parts)


def test_document_streams_of_short_documents_have_more_rows() -> None:
    ids = np.array([1, 2, 3, LINE] * 1000, np.uint8)
    streams = DocumentStreams(TextSpan(ids, LINES), 8, 64)
    assert (streams.seq_length, streams.batch_size, streams.padding) == (4, 8, 0)
    mixed = DocumentStreams(TextSpan(np.concatenate((ids, np.ones(64, np.uint8))), LINES), 8, 64)
    assert (mixed.seq_length, mixed.batch_size) == (64, 32)
    assert 0 <= mixed.padding < 0.5
    few = DocumentStreams(TextSpan(ids[:8], LINES), 8, 64)
    assert few.batch_size == 2
    assert "the state is reset at each of 2 documents; 0% padding" in str(few)
    assert type(streams_of(TextSpan(ids), 8, 64)) is Streams
    with pytest.raises(TextError, match="too few characters to train on: found 0"):
        DocumentStreams(TextSpan(ids[:0], LINES), 8, 64)


SHORT = np.array([1, 2, LINE, 3, LINE, 4, 5], np.uint8)


def documents_in(span: TextSpan) -> list[list[int]]:
    return [part.tolist() for part in np.split(span.ids, span.starts[1:])]


def test_span_starts_are_those_of_its_documents() -> None:
    assert documents_in(TextSpan(SHORT, LINES)) == [[1, 2, LINE], [3, LINE], [4, 5]]
    assert documents_in(TextSpan(SHORT)) == [SHORT.tolist()]


def test_span_slice_keeps_its_documents_and_begins_one() -> None:
    span = TextSpan(SHORT, LINES)
    assert span[1:].documents is span.documents
    assert documents_in(span[1:]) == [[2, LINE], [3, LINE], [4, 5]]
    assert documents_in(span[:4]) == [[1, 2, LINE], [3]]
    assert documents_in(span[1:][2:4]) == [[3, LINE]]
    assert len(span[2:5]) == 3


def test_span_slice_is_a_view() -> None:
    span = TextSpan(SHORT, LINES)
    assert np.shares_memory(span[2:5].ids, SHORT)


def test_span_slice_with_a_step_raises() -> None:
    for part in (slice(None, None, -1), slice(0, 6, 2)):
        with pytest.raises(ValueError, match="a span has a step of 1"):
            TextSpan(SHORT)[part]
    assert len(TextSpan(SHORT)[0:7:1]) == 7


def test_span_of_ids_has_no_documents() -> None:
    span = TextSpan(SHORT, LINES)
    assert TextSpan.of(span) is span
    assert TextSpan.of([1, 2]).documents is None
    assert TextSpan.of([1, 2]).ids.tolist() == [1, 2]
