"""Unicode normalization and lowercasing, in chunks and as a whole."""

import random
import sys
import unicodedata
from pathlib import Path

import pytest

from charrnn.config import NORMAL_FORMS, CorpusConfig
from charrnn.errors import UsageError
from charrnn.text import normalize, sources
from charrnn.text.corpus import read_corpus
from charrnn.text.normalize import Normalizer, _never_combines, normalize_text
from charrnn.text.vocabulary import UNKNOWN_CHARACTER, Vocabulary

ODD = (
    "aAé\u0301\u0327\u0338e\u0300 \n\tİIıßẞΣσ\u0345ΟΔΌΣ\u1100\u1161\u11a8\uac00\u09c7\u09be\u3042\u3099\uff9e"
    "漢Å\u212bﬁℌⅣ'.\u00ad\U0001f600"
)


def in_pieces(text: str, config: CorpusConfig, chance: random.Random, most: int) -> str:
    normalizer, actual, at = Normalizer(config), "", 0
    while at < len(text):
        size = chance.randint(0, most)
        actual += normalizer.feed(text[at : at + size])
        at += size
    return actual + normalizer.finish()


@pytest.mark.parametrize("form", [None, *NORMAL_FORMS])
@pytest.mark.parametrize("lower", [False, True])
def test_normalizer_in_pieces_gives_the_same_as_in_one(form: str | None, lower: bool) -> None:
    """Any split, including between a letter and its marks, in a Hangul syllable, or before the end of a Greek word."""
    config, chance = CorpusConfig(normalize=form, lower=lower), random.Random(0)
    for _ in range(100):
        text = "".join(chance.choices(ODD, k=chance.randint(0, 40)))
        assert in_pieces(text, config, chance, 6) == normalize_text(text, config)


def test_normalization_is_idempotent() -> None:
    for form in NORMAL_FORMS:
        config = CorpusConfig(normalize=form, lower=True)
        for character in map(chr, range(0x20, 0x3000)):
            once = normalize_text(character, config)
            assert normalize_text(once, config) == once
            assert unicodedata.is_normalized(form, once)  # type: ignore[arg-type]


def test_normalizer_cuts_where_nothing_joins() -> None:
    """For each character that can combine with the previous one."""
    seconds = set()
    for point in range(sys.maxunicode + 1):
        parts = unicodedata.decomposition(chr(point)).split()
        if len(parts) == 2 and "<" not in parts[0]:
            seconds.add(chr(int(parts[1], 16)))
    seconds |= set(map(chr, (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))))
    assert len(seconds) > 100
    assert [one for one in seconds if _never_combines(one)] == []
    assert all(map(_never_combines, "a漢あé가\U0001f600"))


def test_normalizer_endless_run_of_marks_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a hostile text would be held in memory completely."""
    monkeypatch.setattr(normalize, "MAX_WAITING", 50)
    normalizer = Normalizer(CorpusConfig(normalize="NFC"))
    for _ in range(40):
        normalizer.feed("\u0301" * 10)
        assert len(normalizer.waiting) <= 60


def test_read_corpus_normalizes_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "CHUNK_SIZE", 3)
    path = tmp_path / "text.txt"
    path.write_text("Cafe\u0301 CAFÉ\nİx ΟΔΟΣ ﬁ", encoding="utf-8")
    for config, expected in (
        (CorpusConfig(normalize="NFC"), "Café CAFÉ\nİx ΟΔΟΣ ﬁ"),
        (CorpusConfig(normalize="NFKD", lower=True), "cafe\u0301 cafe\u0301\ni\u0307x οδος fi"),
        (CorpusConfig(lower=True), "cafe\u0301 café\ni\u0307x οδος ﬁ"),
    ):
        corpus = read_corpus(path, config)
        assert corpus.vocabulary.decode(corpus.ids.tolist()) == expected
        assert corpus.sha256 == read_corpus(path, CorpusConfig()).sha256  # of the file, whatever is made of it


def test_read_corpus_min_count_makes_rare_characters_unknown(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("aaabbbcd\ufffd" * 2 + "e", encoding="utf-8")
    corpus = read_corpus(path, CorpusConfig(min_count=3))
    vocabulary = corpus.vocabulary
    assert vocabulary.characters == ("a", "b", UNKNOWN_CHARACTER)
    assert (vocabulary.unknown, vocabulary.unsampleable, corpus.unknown) == (2, (2,), 7)
    assert corpus.ids.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2] * 2 + [2]
    assert vocabulary.encode("aXb\n").tolist() == [0, 2, 1, 2]
    assert vocabulary.encode("aXb", unknown="replace").tolist() == [0, 2, 1]
    assert vocabulary.encode("aXb", unknown="skip").tolist() == [0, 1]
    other = tmp_path / "other.txt"
    other.write_text("aé漢b", encoding="utf-8")
    read = read_corpus(other, CorpusConfig(), vocabulary)
    assert (read.ids.tolist(), read.unknown) == ([0, 2, 2, 1], 2)
    grown = read_corpus(other, CorpusConfig(min_count=1), Vocabulary("xb"), grow=True)
    assert grown.vocabulary.characters == ("x", "b", "a", "é", "漢", UNKNOWN_CHARACTER)
    assert grown.vocabulary.unknown == 5
    assert Vocabulary("ab").unsampleable == ()
    assert vocabulary != Vocabulary(vocabulary.characters)


def test_corpus_config_bytes_with_normalization_raises() -> None:
    for wrong in ({"normalize": "NFC"}, {"lower": True}, {"min_count": 2}):
        with pytest.raises(UsageError, match="cannot be combined with --bytes"):
            CorpusConfig(bytes=True, **wrong)
    with pytest.raises(UsageError, match="--normalize NFX: must be one of NFC, NFD, NFKC, NFKD"):
        CorpusConfig(normalize="NFX")
