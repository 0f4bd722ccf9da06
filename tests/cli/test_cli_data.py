"""`charrnn data`, without a network."""

import json
from pathlib import Path

from program import Charrnn


def test_the_list_says_what_is_here(charrnn: Charrnn, folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "tinyshakespeare.txt").write_text("To be", encoding="utf-8")
    rows = {row["name"]: row for row in json.loads(charrnn("data", "--json").text)}
    assert list(rows) == ["shakespeare", "tinyshakespeare", "python"]
    assert [row["present"] for row in rows.values()] == [False, True, False]
    assert all(row["source"] and row["licence"] for row in rows.values())
    table = charrnn("data")
    assert table.out == b""
    assert all(name in table.err for name in rows)


def test_a_text_that_is_here_is_not_fetched_again(charrnn: Charrnn, folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "shakespeare.txt").write_text("To be", encoding="utf-8")
    result = charrnn("data", "shakespeare")
    assert (result.status, result.text, result.err) == (0, "data/shakespeare.txt\n", "")


def test_an_unknown_name(charrnn: Charrnn) -> None:
    assert charrnn("data", "hamlet").failed_with(1, "hamlet: is no known text; known are shakespeare")


def test_a_folder_that_cannot_be_made(charrnn: Charrnn, folder: Path) -> None:
    (folder / "data").write_text("a file where the folder should be", encoding="utf-8")
    result = charrnn("data", "python")
    assert result.status == 1
    assert result.err.splitlines()[-1].startswith("charrnn: cannot write data/python.txt: ")
