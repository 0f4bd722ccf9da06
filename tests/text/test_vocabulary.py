"""Characters, bytes and their ids."""

import numpy as np
import pytest

from charrnn.errors import TextError, UsageError
from charrnn.text.vocabulary import Vocabulary, character_name


def test_vocabulary_encode_and_decode_round_trip() -> None:
    vocabulary = Vocabulary("\n abé")
    ids = vocabulary.encode("a bé\n")
    assert ids.tolist() == [2, 1, 3, 4, 0]
    assert vocabulary.decode(ids) == "a bé\n"
    assert len(vocabulary) == 5
    assert vocabulary.start == 0


def test_vocabulary_dtype_is_the_smallest_that_fits() -> None:
    assert Vocabulary("ab").dtype == np.uint8
    assert Vocabulary(map(chr, range(256))).dtype == np.uint8
    assert Vocabulary(map(chr, range(257))).dtype == np.uint16
    assert Vocabulary(None).dtype == np.uint8


def test_encode_unknown_character_is_named_with_its_place() -> None:
    place = r"'é' \(U\+00E9 LATIN SMALL LETTER E WITH ACUTE\) at line 2, column 3, and 1 more"
    with pytest.raises(TextError, match=place):
        Vocabulary("ab\n").encode("ab\nabéz")


def test_encode_unknown_characters_can_be_skipped_or_replaced() -> None:
    vocabulary = Vocabulary(" ab")
    assert vocabulary.decode(vocabulary.encode("aéb", "skip")) == "ab"
    assert vocabulary.decode(vocabulary.encode("aéb", "replace")) == "a b"
    assert Vocabulary("a\n").decode(Vocabulary("a\n").encode("é", "replace")) == "\n"
    with pytest.raises(UsageError, match="--unknown drop: must be one of"):
        vocabulary.encode("a", "drop")


def test_byte_vocabulary_invalid_utf8_round_trip() -> None:
    vocabulary = Vocabulary(None)
    raw = "é".encode() + b"\xff\x00\xc3"
    text = vocabulary.decode(raw)
    assert text.startswith("é")
    assert text.encode("utf-8", "surrogateescape") == raw
    assert vocabulary.encode(text).astype(np.uint8).tobytes() == raw


def test_byte_decoder_emits_whole_characters() -> None:
    decode = Vocabulary(None).decoder()
    assert [decode(byte) for byte in "aé€".encode()] == ["a", "", "é", "", "", "€"]


def test_character_names_escape_control_characters() -> None:
    assert character_name("\x1b") == r"'\x1b' (U+001B)"
    assert character_name("\u202e") == r"'\u202e' (U+202E RIGHT-TO-LEFT OVERRIDE)"
