"""Bits that compressors need, compared with direct calls."""

import bz2
import lzma
import sys
from collections.abc import Callable

import numpy as np
import pytest

from charrnn.scoring import compressors
from charrnn.scoring.compressors import BZ2, COMPRESSORS, XZ, Compressor, bits_after, ppmd
from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary import Vocabulary


def test_bits_after_are_those_of_a_direct_call(small_corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result does not depend on the chunk size."""
    pyppmd = pytest.importorskip("pyppmd")
    train, held_out = small_corpus.train.ids, small_corpus.validation.ids
    texts = [small_corpus.vocabulary.decode(part.tolist()).encode() for part in (train, held_out)]
    direct: dict[Compressor, Callable[[bytes], bytes]] = {
        BZ2: lambda data: bz2.compress(data, 9),
        XZ: lambda data: lzma.compress(data, preset=9),
        ppmd(6): lambda data: bytes(pyppmd.compress(data, max_order=6, mem_size=1 << 28)),
    }
    monkeypatch.setattr(compressors, "CHUNK_CHARS", 100)
    for compressor, compress in direct.items():
        expected = 8 * (len(compress(texts[0] + texts[1])) - len(compress(texts[0])))
        assert bits_after(compressor, train, held_out, small_corpus.vocabulary) == expected > 0


def test_bits_after_encode_characters_as_utf_8() -> None:
    text = "é€" * 300
    ids = np.array([0, 1] * 300)
    of_bytes = np.frombuffer(text.encode(), np.uint8)
    expected = bits_after(BZ2, of_bytes[:500], of_bytes[500:], Vocabulary(None))
    assert bits_after(BZ2, ids[:200], ids[200:], Vocabulary("é€")) == expected


def test_bits_after_a_similar_text_are_few(small_corpus: Corpus) -> None:
    train, vocabulary = small_corpus.train.ids, small_corpus.vocabulary
    again = bits_after(XZ, train, train[:500], vocabulary)
    assert again < bits_after(XZ, train[:0], train[:500], vocabulary) / 4


def test_bits_after_a_long_text_read_its_end(small_corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressors, "MAX_READ", 300)
    monkeypatch.setattr(compressors, "CHUNK_CHARS", 200)
    seen: list[tuple[int, int]] = []
    train, held_out = small_corpus.train.ids, small_corpus.validation.ids[:100]
    bits = bits_after(BZ2, train, held_out, small_corpus.vocabulary, lambda *update: seen.append(update))
    assert seen == [(n, 700) for n in (200, 300, 500, 600, 700)]
    assert bits == bits_after(BZ2, train[-300:], held_out, small_corpus.vocabulary)


def test_compressor_without_its_package_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyppmd", None)
    assert [compressor.name for compressor in COMPRESSORS if not compressor.is_installed] == ["PPMd order 6"]
