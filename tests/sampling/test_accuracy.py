"""The accuracy of completed lines and characters."""

import pytest

from charrnn.sampling.complete import Accuracy


def test_accuracy_counts_lines_and_characters() -> None:
    accuracy = Accuracy()
    assert (accuracy.of_lines, accuracy.of_characters) == (1, 1)
    for target, wanted in (("eins", "eins"), ("zwie", "zwei"), ("dre", "drei"), ("vierr", "vier"), ("", "")):
        accuracy.add(target, wanted)
    assert accuracy.of_lines == pytest.approx(2 / 5)
    assert accuracy.of_characters == pytest.approx((4 + 2 + 3 + 4) / (4 + 4 + 4 + 5))
    assert str(accuracy) == "40.00% of 5 lines exactly right, 76.47% of 17 characters"
