"""The picture of a confusion matrix."""

from pathlib import Path

import pytest

from charrnn.report.confusion import MAX_LABEL, MAX_NUMBERED, confusion_figure
from charrnn.report.figures import save
from charrnn.scoring.confusion import ConfusionMatrix


def test_confusion_figure_has_the_classes_and_the_numbers() -> None:
    matrix = ConfusionMatrix()
    for predicted, expected, lines in (("a", "a", 7), ("a", "b", 2), ("b", "b", 5), ("?", "b", 1)):
        matrix.add(predicted, expected, lines)
    (axes,) = confusion_figure(matrix, "a title").axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "other"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in axes.texts] == ["7", "2", "5", "1"]
    assert [text.get_position() for text in axes.texts][1] == (0.5, 1.5)
    assert axes.get_title(loc="left") == "a title"


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_confusion_figure_of_odd_names_is_drawn(tmp_path: Path, suffix: str) -> None:
    """Two dollar signs were an equation once, and glyphs that the font lacks a warning."""
    matrix = ConfusionMatrix()
    for name in ("$x^$", "", "\x1b[31m", "日本語", "a\tb", "long " * 9):
        matrix.add(name, name)
    figure = confusion_figure(matrix, "$_$ and \x07")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[:4] == ["''", r"\x1b[31m", "$x^$", "a b"]
    assert max(map(len, labels)) == MAX_LABEL
    save(figure, tmp_path / f"odd.{suffix}")


def test_confusion_figure_of_many_classes_has_no_numbers() -> None:
    matrix = ConfusionMatrix()
    for number in range(MAX_NUMBERED + 1):
        matrix.add(str(number), str(number))
    assert not confusion_figure(matrix, "").axes[0].texts
