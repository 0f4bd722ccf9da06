"""The files of an experiment."""

import csv
from pathlib import Path

import pytest

from charrnn.errors import CharRNNError
from charrnn.lab.catalogue import EXPERIMENTS, load_experiment
from charrnn.lab.experiment import MARKER, LabResult, Row, write
from charrnn.report.figures import new_figure


def result() -> LabResult:
    rows: list[Row] = [{"cell": "gru", "bits": 1.5}, {"cell": "rnn", "bits": None}]
    table = [["cell", "bits"], ["gru", "1.500"], ["rnn", "-"]]
    return LabResult(rows, table, "What was measured.", new_figure(1, 1)[0], [("what it wrote", "one\n\ntwo")])


def test_write_makes_picture_figures_and_page(tmp_path: Path) -> None:
    paths = write(result(), tmp_path, "some", "charrnn lab some", "a machine")
    assert [path.name for path in paths] == ["some.png", "some.svg", "some.csv", "some.md"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    assert "<svg" in paths[1].read_text()
    assert list(csv.reader(paths[2].read_text().splitlines())) == [["cell", "bits"], ["gru", "1.5"], ["rnn", ""]]
    assert paths[3].read_text() == (
        f"# some\n\n![some](some.png)\n\n{MARKER}\n\n`charrnn lab some`, on a machine:\n\n"
        "| cell | bits |\n| --- | --: |\n| gru | 1.500 |\n| rnn | - |\n\nWhat was measured.\n\n"
        "what it wrote:\n\n    one\n    \n    two\n"
    )


def test_write_keeps_what_is_above_the_marker(tmp_path: Path) -> None:
    page = tmp_path / "some.md"
    page.write_text(f"# Mine\n\n{MARKER}\n\nold figures\n")
    write(result(), tmp_path, "some", "charrnn lab some", "a machine")
    assert page.read_text().startswith(f"# Mine\n\n{MARKER}\n\n`charrnn lab some`, on a machine:\n")
    assert "old" not in page.read_text()


def test_write_to_an_unwritable_page_raises_error(tmp_path: Path) -> None:
    (tmp_path / "some.csv").mkdir()
    with pytest.raises(CharRNNError, match=r"some\.csv: cannot be written: Is a directory; say --out"):
        write(result(), tmp_path, "some", "charrnn lab some", "a machine")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiment_has_its_sizes(name: str) -> None:
    module = load_experiment(name)
    assert set(module.SIZES) == {"tiny", "quick", "full"}
    assert module.__doc__
    assert callable(module.run)
