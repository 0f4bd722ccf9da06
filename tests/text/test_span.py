"""Spans of a text: slices keep the documents right."""

import numpy as np
import pytest

from charrnn.text.documents import Documents
from charrnn.text.span import TextSpan

LINE = 9
IDS = np.array([1, 2, LINE, 3, LINE, 4, 5], np.uint8)


def parts(span: TextSpan) -> list[list[int]]:
    return [part.tolist() for part in np.split(span.ids, span.starts[1:])]


def test_span_starts_are_those_of_its_documents() -> None:
    assert parts(TextSpan(IDS, Documents((LINE,), LINE))) == [[1, 2, LINE], [3, LINE], [4, 5]]
    assert parts(TextSpan(IDS)) == [IDS.tolist()]


def test_span_slice_keeps_its_documents_and_begins_one() -> None:
    span = TextSpan(IDS, Documents((LINE,), LINE))
    assert span[1:].documents is span.documents
    assert parts(span[1:]) == [[2, LINE], [3, LINE], [4, 5]]
    assert parts(span[:4]) == [[1, 2, LINE], [3]]
    assert parts(span[1:][2:4]) == [[3, LINE]]
    assert len(span[2:5]) == 3


def test_span_slice_is_a_view() -> None:
    span = TextSpan(IDS, Documents((LINE,), LINE))
    assert np.shares_memory(span[2:5].ids, IDS)


def test_span_slice_with_a_step_raises() -> None:
    for part in (slice(None, None, -1), slice(0, 6, 2)):
        with pytest.raises(ValueError, match="a span has a step of 1"):
            TextSpan(IDS)[part]
    assert len(TextSpan(IDS)[0:7:1]) == 7


def test_span_of_ids_has_no_documents() -> None:
    span = TextSpan(IDS, Documents((LINE,), LINE))
    assert TextSpan.of(span) is span
    assert TextSpan.of([1, 2]).documents is None
    assert TextSpan.of([1, 2]).ids.tolist() == [1, 2]
