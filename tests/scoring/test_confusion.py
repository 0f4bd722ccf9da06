"""The confusion matrix of few targets, and the most frequent target beside it."""

import csv
from pathlib import Path

import pytest

from charrnn.errors import CharRNNError, TextError
from charrnn.scoring.confusion import MAX_CLASSES, ConfusionMatrix, check_classes

PAIRS = [("cat", "cat"), ("cat", "dog"), ("dog", "dog"), ("dog", "dog"), ("cow", "cow"), ("ca", "cow"), ("", "cow")]
"""Predicted and expected targets."""


def matrix_of(pairs: list[tuple[str, str]]) -> ConfusionMatrix:
    matrix = ConfusionMatrix()
    for predicted, expected in pairs:
        matrix.add(predicted, expected)
    return matrix


def test_confusion_counts_rows_of_expected_and_columns_of_predicted_targets() -> None:
    matrix = matrix_of(PAIRS)
    assert matrix.classes == ["cat", "cow", "dog"]
    assert matrix.columns == ["cat", "cow", "dog", "other"]
    assert matrix.counts.tolist() == [[1, 0, 0, 0], [0, 1, 0, 2], [1, 0, 2, 0]]
    assert matrix.total == 7
    assert matrix.accuracy == pytest.approx(4 / 7)
    assert matrix_of(PAIRS[:5]).columns == ["cat", "cow", "dog"]


def test_confusion_with_a_class_named_other_has_another_name_for_the_rest() -> None:
    matrix = matrix_of([("other", "other"), ("x", "other")])
    assert (matrix.columns, matrix.counts.tolist()) == (["other", "(other)"], [[1, 1]])


def test_majority_is_the_first_of_the_most_frequent_targets() -> None:
    assert matrix_of(PAIRS).majority == ("cow", 3 / 7)
    assert matrix_of([("", "b"), ("", "a")] * 3).majority == ("a", 0.5)


@pytest.mark.parametrize("pairs", [[], [("a", "a")] * 9, [("a", "a"), ("b", "b"), ("b", "b")]])
def test_majority_of_targets_that_are_no_classes_is_none(pairs: list[tuple[str, str]]) -> None:
    assert matrix_of(pairs).majority is None


def test_confusion_of_too_many_targets_keeps_nothing() -> None:
    matrix = matrix_of([("x", str(i)) for i in range(2 * MAX_CLASSES)] * 3)
    assert (matrix.number, matrix.classes, matrix.majority, matrix.accuracy) == (MAX_CLASSES + 1, [], None, 0)
    assert not matrix.lines
    assert matrix_of([("x", str(i)) for i in range(MAX_CLASSES)]).number == MAX_CLASSES


def test_check_classes_names_the_file() -> None:
    check_classes("a.tsv", MAX_CLASSES, "advice")
    with pytest.raises(TextError, match=r"a\.tsv: more than 50 different targets, too many for .* matrix; advice"):
        check_classes("a.tsv", MAX_CLASSES + 1, "advice")
    with pytest.raises(TextError, match=r"a\.tsv: no targets to compare with; use lines of source"):
        check_classes("a.tsv", 0, "advice")


def test_write_csv_has_a_line_for_each_expected_target(tmp_path: Path) -> None:
    matrix = matrix_of([*PAIRS, ("dog", 'a "b",\udcff')])
    matrix.write_csv(tmp_path / "m.csv")
    with (tmp_path / "m.csv").open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["expected", 'a "b",\udcff', "cat", "cow", "dog", "other"]
    assert rows[0] == ['a "b",\udcff', "0", "0", "0", "1", "0"]
    (tmp_path / "folder").mkdir()
    with pytest.raises(CharRNNError, match="folder: cannot be written"):
        matrix.write_csv(tmp_path / "folder")
