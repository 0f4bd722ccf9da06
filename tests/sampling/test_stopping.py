"""Patterns that take forever to match."""

import pytest

from charrnn.errors import ModelError
from charrnn.sampling import stopping
from charrnn.sampling.stopping import RegexConstraint
from charrnn.text.vocabulary import Vocabulary


def test_regex_constraint_over_the_time_limit_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "MAX_SECONDS", 0.05)
    match = RegexConstraint("(?:a|aa)+c", Vocabulary("abc"))
    with pytest.raises(ModelError, match=r"--match: matching the pattern takes longer than 0\.05 s"):
        match.matches("a" * 60)
