"""`charrnn lab names`: held-out lines, what the models predict for them, and the table."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from charrnn.errors import TextError
from charrnn.lab.catalogue import EXPERIMENTS
from charrnn.lab.experiment import LabContext
from charrnn.lab.names import NETWORKS, SIZES, NamesSize, draw, held_out_lines, run, table
from charrnn.lab.networks import config_of_size
from charrnn.text.corpus import Corpus, read_corpus

TINY = SIZES["tiny"]
LANGUAGES = {"Vowels": "aeiou", "Stops": "ptkbdg", "1": "lmnr"}


def corpus_of(tmp_path: Path, text: str) -> Corpus:
    path = tmp_path / "names.txt"
    path.write_text(text, encoding="utf-8")
    return read_corpus(path, EXPERIMENTS["names"].corpus)


@pytest.fixture
def names(tmp_path: Path) -> Corpus:
    """Names of three languages with letters of their own, which n-grams tell apart."""
    rng = np.random.default_rng(0)
    lines = []
    for _ in range(200):
        for language, letters in LANGUAGES.items():
            name = "".join(rng.choice(list(letters), int(rng.integers(3, 9))))
            lines.append(f"{name.capitalize()}\t{language}\n")
    return corpus_of(tmp_path, "".join(lines))


def test_names_are_read_line_by_line_from_the_text_of_that_name() -> None:
    entry = EXPERIMENTS["names"]
    assert (entry.text, entry.corpus.document_separator) == ("names", "\n")
    assert all(EXPERIMENTS[name].text in ("tinyshakespeare", None) for name in EXPERIMENTS if name != "names")


@pytest.mark.parametrize("size", ["quick", "full"])
def test_networks_have_about_the_same_size(size: str) -> None:
    """With the vocabulary of the text `names`; it raises an error if a size is off by more than 2%."""
    for cell in NETWORKS:
        config_of_size(cell, 2, 145, SIZES[size].parameters)


def test_held_out_lines_are_whole_lines(tmp_path: Path) -> None:
    text = "".join(f"name{i:02}\tclass{i % 2}\n" for i in range(40))
    corpus = corpus_of(tmp_path, text)
    lines = held_out_lines(corpus)
    assert (len(corpus.validation), len(lines)) == (56, 4)  # 14 characters a line: the cut is between two lines
    assert lines[-1] == ("name39", "class1")
    corpus = corpus_of(tmp_path, text + "name40\tclass0\n")
    assert len(corpus.validation) == 58
    assert [source for source, _ in held_out_lines(corpus)] == ["name37", "name38", "name39", "name40"]


def test_held_out_lines_without_classes_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"names\.txt: a held-out line has no tab before a class; use lines of name"):
        held_out_lines(corpus_of(tmp_path, "no class here\n" * 50))
    text = "".join(f"name\tclass{i}\n" for i in range(600))
    with pytest.raises(TextError, match=r"names\.txt: more than 50 different targets, .*; use another text"):
        held_out_lines(corpus_of(tmp_path, text))


def test_names_counts_every_held_out_line_of_every_model(names: Corpus) -> None:
    result = run(LabContext(names), TINY)
    lines = held_out_lines(names)
    for kind in (*NETWORKS, "ngrams"):
        rows = [row for row in result.rows if row["kind"] == kind]
        counted = Counter({expected: 0 for _, expected in lines})
        for row in rows:
            counted[row["expected"]] += row["lines"]
        assert counted == Counter(expected for _, expected in lines)
        assert {row["steps"] for row in rows} == {None if kind == "ngrams" else TINY.steps}
    right = sum(row["lines"] for row in result.rows if row["kind"] == "ngrams" and row["expected"] == row["predicted"])
    assert right > 0.9 * len(lines)
    header, *body, majority = result.table
    assert header[-2:] == ["right", "no class"]
    assert body[0][0] == "tuned order 9 n-grams"
    assert majority == [
        "majority",
        "-",
        "-",
        "-",
        f"{max(Counter(c for _, c in lines).values()) / len(lines):.1%}",
        "-",
    ]
    assert f"{len(lines)} held-out lines" in result.caption
    assert "→" in result.samples[0][1]


def test_names_rows_are_reproducible_and_enough_for_table_and_chart(names: Corpus) -> None:
    first, second = (run(LabContext(names), TINY).rows for _ in range(2))
    times = [row["seconds"] for row in second]
    assert [{**row, "seconds": time} for row, time in zip(first, times, strict=True)] == second
    # as read from the CSV file, where a class may look like a number
    read = [{**row, "expected": 1 if row["expected"] == "1" else row["expected"]} for row in second]
    read = [{**row, "predicted": row["predicted"] or None} for row in read]
    assert table(read, TINY) == table(second, TINY)
    bars, matrix = draw(read, TINY).axes
    assert len(bars.patches) == len(NETWORKS) + 2
    assert [label.get_text() for label in matrix.get_yticklabels()] == ["1", "Stops", "Vowels"]


def test_names_with_minutes_trains_for_that_time(names: Corpus) -> None:
    result = run(LabContext(names), NamesSize(60_000, 0.01))
    for cell in NETWORKS:
        row = next(row for row in result.rows if row["kind"] == cell)
        assert row["seconds"] > 0.5
        assert row["steps"] > 3
    assert "0.01 minutes of training each" in result.caption
