"""What is copied, against what `in`, `split` and regular expressions find."""

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


def slow_share(found: list[Any], known: Any) -> float | None:
    return sum(one in known for one in found) / len(found) if found else None


def slow_copies(text: str, training: str) -> list[bool]:
    """Of each character whether any window of LONG_COPY that it is in stands in the training text."""
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
    (text_words, training_words) = (re.findall("[A-Za-z']+", one) for one in (text, training))
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
        # The first line of the training text stands between no two line ends.
        "verbatim_lines": slow_share(lines, training.split("\n")[1:-1]),
    }


def of(training: str, others: str = "") -> TrainingText:
    vocabulary = Vocabulary(sorted(set(training + others)))
    return TrainingText(vocabulary.encode(training).astype(vocabulary.dtype), vocabulary)


def judge(text: str, training: str) -> dict[str, Any]:
    ready = of(training, text)
    return ready.judge(ready.vocabulary.encode(text)).as_json()


def patchwork(training: str, seed: int) -> str:
    """A text of short and long pieces of another, with something new between some of them."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(25):
        at, size = rng.integers(len(training)), rng.choice([3, 15, 25, 60, 200])
        parts.append(training[at : at + size] + rng.choice(["", "zounds ", "\n"]))
    return "".join(parts)


def test_novelty_small_texts_give_the_figures_by_hand() -> None:
    """20 characters against 17: "not to be" and " that" are known, with "or not to be" the longest copy."""
    training, text = "to be or not to be", "be, or not to be th"
    found = judge(text, training)
    assert (found["longest_copy"], found["longest_copy_at"], found["longest_copy_from"]) == (13, 3, 5)
    assert found["novel_10"] == pytest.approx(1 - 4 / 10)  # of 10 runs those that begin at 3, 4, 5 and 6 are known
    assert (found["novel_20"], found["novel_40"], found["verbatim_lines"]) == (None, None, None)
    assert found["known_words"] == pytest.approx(5 / 6)  # be or not to be, not th
    assert found["known_word_pairs"] == pytest.approx(4 / 5)


@pytest.mark.parametrize("seed", range(4))
def test_novelty_equals_a_slow_search(small_text: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the pieces that the texts are read in."""
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
    """Letters and the marks on them; digits and punctuation are between words."""
    found = judge("Ça, où? l’été हिन्दी и 42", "où l’été; हिन्दी: и ça")
    assert found["known_words"] == pytest.approx(4 / 5)
    assert found["known_word_pairs"] == pytest.approx(3 / 4)


def test_novelty_of_bytes_works() -> None:
    vocabulary = Vocabulary(None)
    ready = TrainingText(vocabulary.encode("an été\nin a city of many words\nend"), vocabulary)
    found = ready.judge(vocabulary.encode("my été\nin a city of many words\n\udcff"))
    assert found.known_words == pytest.approx(7 / 9)
    assert found.verbatim_lines == 1
    assert found.longest_copy == len(" été\nin a city of many words\n".encode())


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
    """So a text can be shown while it is written."""
    training = of("abcdefghij" * 3 + "z")
    read = 0

    def write() -> Iterator[str]:
        nonlocal read
        for character in "abcdefghij" * 2 + "zzz":
            read += 1
            yield character

    for i, (_, copied) in enumerate(training.mark_copies(write())):
        assert read == min(i + LONG_COPY, 23)
        assert copied == (i < 21)


def test_mark_copies_of_multibyte_characters_works() -> None:
    """The text comes in pieces that may have no character, and then one of several ids."""
    vocabulary = Vocabulary(None)
    training = "été à Nîmes, où il fait chaud"
    ready = TrainingText(vocabulary.encode(training), vocabulary)
    pieces = ["x", "", "é", "", *training[1:20], "y"]
    marked = "".join(piece for piece, copied in ready.mark_copies(pieces) if copied)
    assert marked == training[:20]


def test_training_text_progress_ends_at_the_end() -> None:
    seen: list[tuple[int, int]] = []
    vocabulary = Vocabulary("ab")
    TrainingText(vocabulary.encode("abba"), vocabulary, lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == [1, 2, 3, 4]
    assert {total for _, total in seen} == {4}


def test_novelty_of_tiny_shakespeare_is_known(tiny_shakespeare_corpus: Corpus) -> None:
    """The figures of an independent program, which searched sets of strings."""
    corpus = tiny_shakespeare_corpus
    found = TrainingText(corpus.train.ids, corpus.vocabulary).judge(corpus.validation.ids[:100_000])
    assert found.known_words == pytest.approx(0.940, abs=0.0005)
    assert found.known_word_pairs == pytest.approx(0.478, abs=0.0005)
    shares = (found.novel_10, found.novel_20, found.novel_40)
    assert shares == pytest.approx((0.741, 0.998, 1.0), abs=0.0005)
    assert (found.longest_copy, found.verbatim_lines) == (31, 0)
