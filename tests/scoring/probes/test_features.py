"""Features of positions in a text, on texts short enough to check by eye."""

import numpy as np
import pytest

from charrnn.scoring.probes.features import FEATURES, compute_features


@pytest.mark.parametrize(
    ("feature", "text", "expected"),
    [
        ("position in the line", "ab\n\nc", "12001"),
        ("inside quotes", 'a "b" c', "0011000"),
        ("inside quotes", "don't 'be'", "0000001110"),
        ("inside quotes", "'tis so\nno", "1111111000"),
        ("inside quotes", '"a\nb\n\nc', "1111100"),
        ("inside quotes", "“a” b", "11000"),
        ("inside quotes", r"'\'' x", "111000"),
        ("inside quotes", "'''a\n\nb''' c", "101111111000"),
        ("inside quotes", "\"'''\" c", "1111000"),
        ("bracket depth", "a(b[c])d", "01122100"),
        ("bracket depth", "((a\n\nb", "122200"),
        ("bracket depth", ")a]", "000"),
        ("indentation of the line", "  a b\n c\nd", "1222201100"),
        ("indentation of the line", "\ta", "88"),
        ("position in the word", "ab c", "1201"),
        ("position in the sentence", "A b. C d", "12340123"),
        ("position in the paragraph", "a\n\nb", "1201"),
        ("inside a word", "ab, c", "11001"),
        ("upper case letter", "aB C", "0101"),
        ("text in capitals", "AB C: De", "01110000"),
        ("digit", "a12", "011"),
        ("inside a comment", "a # b\nc", "0001100"),
        ("inside a tag", "a <b> < c", "000100000"),
    ],
)  # fmt: skip
def test_features_of_a_text_equal_labels_by_hand(feature: str, text: str, expected: str) -> None:
    assert "".join(f"{value:.0f}" for value in compute_features(text)[feature]) == expected


def test_features_are_causal() -> None:
    text = "He said: \"It's (so)\".\n\n    x = 'a' # no\nTHE END <b>"
    whole = compute_features(text)
    assert whole.keys() == FEATURES.keys()
    for length in range(1, len(text)):
        for name, label in compute_features(text[:length]).items():
            np.testing.assert_array_equal(label, whole[name][:length])
