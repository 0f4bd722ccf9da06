"""Novelty, compared with slow searches by `in`, `split` and regular expressions."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from charrnn.scoring import novelty, words
from charrnn.scoring.novelty import LONG_COPY, LONG_LINE, TrainingText
from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary import Vocabulary


def slow_share(parts: list[Any], known: Any) -> float | None:
    return sum(part in known for part in parts) / len(parts) if parts else None


def slow_copies(text: str, training: str) -> list[bool]:
    """Return, for each character, whether a run of LONG_COPY characters around it occurs in the training text."""
    starts = [text[i : i + LONG_COPY] in training for i in range(len(text) - LONG_COPY + 1)]
    return [any(starts[max(i - LONG_COPY + 1, 0) : i + 1]) for i in range(len(text))]


def slow_longest(text: str, training: str) -> int:
    longest = 0
    for i in range(len(text)):
        while i + longest < len(text) and text[i : i + longest + 1] in training:
            longest += 1
    return longest


def slow_judge(text: str, training: str) -> dict[str, Any]:
    longest = slow_longest(text, training)
    at = next(i for i in range(len(text)) if text[i : i + longest] in training)
    (text_words, training_words) = (re.findall("[A-Za-z']+", source) for source in (text, training))
    lines = [line for line in text.split("\n")[1:-1] if len(line) > LONG_LINE]
    novel: dict[str, Any] = {}
    for n in novelty.CURVE:
        known = slow_share([text[i : i + n] for i in range(len(text) - n + 1)], training)
        novel[str(n)] = None if known is None else pytest.approx(1 - known)
    return {
        "characters": len(text),
        **{f"novel_{n}": novel[str(n)] for n in (10, 20, 40)},
        "curve": novel,
        "longest_copy": longest,
        "longest_copy_at": at,
        "longest_copy_from": training.index(text[at : at + longest]),
        "known_words": slow_share(text_words, set(training_words)),
        "known_word_pairs": slow_share(
            list(pairwise(text_words)),
            set(pairwise(training_words)),
        ),
        # The first line of the training text has no line break before it.
        "verbatim_lines": slow_share(lines, training.split("\n")[1:-1]),
    }


def of(training: str, others: str = "") -> TrainingText:
    vocabulary = Vocabulary(sorted(set(training + others)))
    return TrainingText(vocabulary.encode(training).astype(vocabulary.dtype), vocabulary)


def judge(text: str, training: str) -> dict[str, Any]:
    ready = of(training, text)
    return ready.judge(ready.vocabulary.encode(text)).as_json()


def patchwork(training: str, seed: int) -> str:
    """Join short and long pieces of a text, with new words between some of them."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(25):
        at, size = rng.integers(len(training)), rng.choice([3, 15, 25, 60, 200])
        parts.append(training[at : at + size] + rng.choice(["", "zounds ", "\n"]))
    return "".join(parts)


def test_novelty_small_texts_give_the_figures_by_hand() -> None:
    """20 characters against 17: "not to be" and " that" are known, with "or not to be" the longest copy."""
    training, text = "to be or not to be", "be, or not to be th"
    measured = judge(text, training)
    assert (measured["longest_copy"], measured["longest_copy_at"], measured["longest_copy_from"]) == (13, 3, 5)
    assert measured["novel_10"] == pytest.approx(1 - 4 / 10)  # of 10 runs those that begin at 3, 4, 5 and 6 are known
    assert (measured["novel_20"], measured["novel_40"], measured["verbatim_lines"]) == (None, None, None)
    assert measured["known_words"] == pytest.approx(5 / 6)  # be or not to be, not th
    assert measured["known_word_pairs"] == pytest.approx(4 / 5)


@pytest.mark.parametrize("seed", range(4))
def test_novelty_equals_a_slow_search(small_text: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result does not depend on the chunk size."""
    training = small_text[: 3000 + seed]
    text = patchwork(training, seed)
    expected = slow_judge(text, training)
    assert judge(text, training) == expected
    assert 0 < expected["verbatim_lines"] < 1
    monkeypatch.setattr(novelty, "CHUNK_CHARS", 17 + seed)
    monkeypatch.setattr(words, "CHUNK_CHARS", 10 + seed)
    assert judge(text, training) == expected


def test_novelty_of_the_training_text_is_none(small_text: str) -> None:
    text = small_text[:500]
    assert judge(text, text) == {
        "characters": 500, "novel_10": 0, "novel_20": 0, "novel_40": 0,
        "longest_copy": 500, "longest_copy_at": 0, "longest_copy_from": 0,
        "known_words": 1, "known_word_pairs": 1, "verbatim_lines": 1, "curve": {str(n): 0 for n in novelty.CURVE},
    }  # fmt: skip


def test_novelty_of_short_texts_is_undefined() -> None:
    assert judge("..", "abc\nabc") == {
        "characters": 2, "novel_10": None, "novel_20": None, "novel_40": None,
        "longest_copy": 0, "longest_copy_at": 0, "longest_copy_from": 0,
        "known_words": None, "known_word_pairs": None, "verbatim_lines": None,
        "curve": {str(n): None for n in novelty.CURVE},
    }  # fmt: skip
    assert judge("abc", "...")["known_words"] == 0
    empty = judge("", "abc")
    assert {*empty.pop("curve").values()} == {None}
    assert {*empty.values()} == {0, None}


def test_words_of_other_languages_are_found() -> None:
    """Letters and combining marks form words; digits and punctuation separate them."""
    measured = judge("Ça, où? l’été हिन्दी и 42", "où l’été; हिन्दी: и ça")
    assert measured["known_words"] == pytest.approx(4 / 5)
    assert measured["known_word_pairs"] == pytest.approx(3 / 4)


def test_novelty_of_bytes_works() -> None:
    vocabulary = Vocabulary(None)
    ready = TrainingText(vocabulary.encode("an été\nin a city of many words\nend"), vocabulary)
    measured = ready.judge(vocabulary.encode("my été\nin a city of many words\n\udcff"))
    assert measured.known_words == pytest.approx(7 / 9)
    assert measured.verbatim_lines == 1
    assert measured.longest_copy == len(" été\nin a city of many words\n".encode())


@pytest.mark.parametrize("seed", range(3))
def test_mark_copies_equals_a_slow_search(small_text: str, seed: int) -> None:
    training = small_text[:2000]
    text = patchwork(training, seed)
    pieces = list(of(training, text).mark_copies(text))
    assert "".join(piece for piece, _ in pieces) == text
    marks = [copied for _, copied in pieces]
    assert marks == slow_copies(text, training)
    assert set(marks) == {True, False}


def test_mark_copies_yields_as_soon_as_known() -> None:
    """The text can be shown while it is generated."""
    training = of("abcdefghij" * 3 + "z")
    read = 0

    def generate() -> Iterator[str]:
        nonlocal read
        for character in "abcdefghij" * 2 + "zzz":
            read += 1
            yield character

    for i, (_, copied) in enumerate(training.mark_copies(generate())):
        assert read == min(i + LONG_COPY, 23)
        assert copied == (i < 21)


def test_mark_copies_of_multibyte_characters_works() -> None:
    """Pieces may be empty, and a character may have several ids."""
    vocabulary = Vocabulary(None)
    training = "été à Nîmes, où il fait chaud"
    ready = TrainingText(vocabulary.encode(training), vocabulary)
    pieces = ["x", "", "é", "", *training[1:20], "y"]
    marked = "".join(piece for piece, copied in ready.mark_copies(pieces) if copied)
    assert marked == training[:20]


def test_training_text_progress_ends_at_the_total() -> None:
    seen: list[tuple[int, int]] = []
    vocabulary = Vocabulary("ab")
    TrainingText(vocabulary.encode("abba"), vocabulary, lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == [1, 2, 3, 4]
    assert {total for _, total in seen} == {4}


def test_novelty_of_tiny_shakespeare_is_known(tiny_shakespeare_corpus: Corpus) -> None:
    """Reference values from an independent program that searched sets of strings."""
    corpus = tiny_shakespeare_corpus
    measured = TrainingText(corpus.train.ids, corpus.vocabulary).judge(corpus.validation.ids[:100_000])
    assert measured.known_words == pytest.approx(0.940, abs=0.0005)
    assert measured.known_word_pairs == pytest.approx(0.478, abs=0.0005)
    shares = (measured.novel_10, measured.novel_20, measured.novel_40)
    assert shares == pytest.approx((0.741, 0.998, 1.0), abs=0.0005)
    assert (measured.longest_copy, measured.verbatim_lines) == (31, 0)
