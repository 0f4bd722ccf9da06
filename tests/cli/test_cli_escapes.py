"""Escapes in options."""

import pytest

from charrnn.cli.shared.config_options import escaped, unescaped
from charrnn.errors import UsageError


def test_unescaped_replaces_escape_sequences() -> None:
    text = r"a\n\t\r\0\\n\x41\xe9\u20ac\U0001F600|"
    assert unescaped(text) == "a\n\t\r\0\\nA\xe9\u20ac\U0001f600|"
    assert unescaped("plain é\n") == "plain é\n"


def test_escaped_has_no_control_characters_and_is_inverse() -> None:
    text = "".join(map(chr, range(0x300))) + "\u2028\u202e\U000e0001é漢\U0001f600"
    line = escaped(text)
    assert unescaped(line) == text
    assert line.isprintable()
    assert escaped("a b\n\\") == r"a b\n\\"


@pytest.mark.parametrize("wrong", ["\\", r"a\q", r"\x4", r"\u12", r"\ud800", r"\U00110000", "\\\n"])
def test_unescaped_unknown_sequence_is_usage_error(wrong: str) -> None:
    with pytest.raises(UsageError, match=r"escape|no such character"):
        unescaped(wrong)
