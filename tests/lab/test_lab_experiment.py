"""The files that an experiment saves."""

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
    samples = [("a sample", "one\n\ntwo")]
    return LabResult(rows, table, "The caption.", new_figure(1, 1)[0], samples, table_note="A note.")


def test_write_saves_chart_measurements_and_page(tmp_path: Path) -> None:
    paths = write(result(), tmp_path, "test", "charrnn lab test", "a machine")
    assert [path.name for path in paths] == ["test.png", "test.svg", "test.csv", "test.md"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    assert "<svg" in paths[1].read_text()
    assert list(csv.reader(paths[2].read_text().splitlines())) == [["cell", "bits"], ["gru", "1.5"], ["rnn", ""]]
    assert paths[3].read_text() == (
        f"# test\n\n![test](test.png)\n\n{MARKER}\n\n`charrnn lab test`, on a machine:\n\n"
        "| cell | bits |\n| --- | --: |\n| gru | 1.500 |\n| rnn | - |\n\nThe caption.\n\nA note.\n\n"
        "a sample:\n\n    one\n    \n    two\n"
    )


def test_write_keeps_the_text_above_the_marker(tmp_path: Path) -> None:
    page = tmp_path / "test.md"
    page.write_text(f"# My notes\n\n{MARKER}\n\nold results\n")
    write(result(), tmp_path, "test", "charrnn lab test", "a machine")
    assert page.read_text().startswith(f"# My notes\n\n{MARKER}\n\n`charrnn lab test`, on a machine:\n")
    assert "old" not in page.read_text()


def test_write_to_an_unwritable_file_raises_error(tmp_path: Path) -> None:
    (tmp_path / "test.csv").mkdir()
    with pytest.raises(CharRNNError, match=r"test\.csv: cannot be written: Is a directory; choose another folder"):
        write(result(), tmp_path, "test", "charrnn lab test", "a machine")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiment_has_its_sizes(name: str) -> None:
    module = load_experiment(name)
    assert set(module.SIZES) == {"tiny", "quick", "full"}
    assert module.__doc__
    assert callable(module.run)
    assert callable(module.draw)
