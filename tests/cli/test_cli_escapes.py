"""Escapes in options."""

import pytest

from charrnn.cli.escapes import unescaped
from charrnn.errors import UsageError


def test_escapes_are_the_characters_that_they_name() -> None:
    text = r"a\n\t\r\0\\n\x41\xe9\u20ac\U0001F600|"
    assert unescaped(text) == "a\n\t\r\0\\nA\xe9\u20ac\U0001f600|"
    assert unescaped("plain é\n") == "plain é\n"


@pytest.mark.parametrize("wrong", ["\\", r"a\q", r"\x4", r"\u12", r"\ud800", r"\U00110000", "\\\n"])
def test_what_is_no_escape_is_a_mistake(wrong: str) -> None:
    with pytest.raises(UsageError, match=r"escape|no such character"):
        unescaped(wrong)
