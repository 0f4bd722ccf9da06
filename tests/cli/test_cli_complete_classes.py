"""`charrnn complete --accuracy` of few targets: the most frequent one, and the confusion matrix."""

import contextlib
import csv
import json
import shutil
import sys
from pathlib import Path

import pytest
from program import Charrnn, status_of

PARITIES = {"one": "odd", "two": "even", "three": "odd", "four": "even", "five": "odd"}
LINES = "".join(f"{source}\t{target}\n" for source, target in PARITIES.items())


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with n-grams of documents that know five lines by heart."""
    folder = tmp_path_factory.mktemp("fitted")
    with contextlib.chdir(folder):
        Path("n.tsv").write_text(LINES * 20, encoding="utf-8")
        words = ("n.tsv", "--document-separator", r"\n", "--smoothing", "mkn", "--out", "numbers")
        assert status_of("ngram", *words) == 0
    return folder / "checkpoints"


@pytest.fixture(autouse=True)
def _models(folder: Path, fitted: Path) -> None:
    shutil.copytree(fitted, folder / "checkpoints")
    (folder / "numbers.tsv").write_text(LINES.replace("five\todd", "five\tprime"), encoding="utf-8")


WORDS = ("complete", "numbers", "numbers.tsv", "--accuracy")


def test_complete_accuracy_of_few_targets_has_the_majority(charrnn: Charrnn, folder: Path) -> None:
    (folder / "numbers.tsv").write_text(LINES, encoding="utf-8")
    shown = charrnn(*WORDS).err.splitlines()
    assert shown[-2].startswith("accuracy    100.00% of 5 lines exactly right")
    assert shown[-1] == (
        "majority    60.00% of lines would be right with 'odd' for all, the most frequent of 2 targets"
    )
    assert charrnn(*WORDS, "--json").json()["majority_accuracy"] == 0.6
    (folder / "numbers.tsv").write_text("one\todd\ntwo\teven\n", encoding="utf-8")
    assert "majority" not in charrnn(*WORDS).err
    assert charrnn(*WORDS, "--json").json()["majority_accuracy"] is None


def test_complete_confusion_saves_picture_and_numbers(charrnn: Charrnn, folder: Path) -> None:
    result = charrnn(*WORDS, "--confusion", "new/matrix.png")
    assert result.text.splitlines() == list(PARITIES.values())
    assert result.err.splitlines()[-1] == "confusion   new/matrix.png, new/matrix.csv"
    assert (folder / "new" / "matrix.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.reader((folder / "new" / "matrix.csv").read_text().splitlines()))
    assert rows == [
        ["expected", "even", "odd", "prime"],
        ["even", "2", "0", "0"],
        ["odd", "0", "2", "0"],
        ["prime", "0", "1", "0"],
    ]
    assert charrnn(*WORDS, "--confusion", "matrix.svg", "--length", 2, "--json").status == 0
    assert "<svg" in (folder / "matrix.svg").read_text()
    assert (folder / "matrix.csv").read_text().startswith("expected,even,odd,prime,other\n")


def test_complete_confusion_of_a_pipe_saves_it_too(charrnn: Charrnn, folder: Path) -> None:
    words = ("complete", "numbers", "--accuracy", "--confusion", "matrix.png")
    assert charrnn(*words, stdin=LINES.encode()).status == 0
    assert (folder / "matrix.csv").is_file()


@pytest.mark.parametrize(
    ("words", "status", "part"),
    [
        (["--accuracy", "--confusion", "m.pdf"], 2, "--confusion m.pdf: unknown picture format; use a name that ends"),
        (["--confusion", "m.png"], 2, "--confusion m.png: compares with expected targets; add --accuracy"),
        (["--accuracy", "--confusion", "numbers.tsv/m.png"], 1, "numbers.tsv: cannot write to this folder"),
    ],
)
def test_complete_confusion_with_wrong_options_fails_before_any_work(
    charrnn: Charrnn, words: list[str], status: int, part: str
) -> None:
    result = charrnn("complete", "numbers", "numbers.tsv", *words)
    assert result.failed_with(status, part)
    assert result.out == b""


def test_complete_confusion_never_overwrites_the_sources(charrnn: Charrnn, folder: Path) -> None:
    shutil.copy("numbers.tsv", "numbers.csv")
    words = ("complete", "numbers", "numbers.csv", "--accuracy", "--confusion", "./numbers.png")
    assert charrnn(*words).failed_with(2, "its table would overwrite numbers.csv; use another name")
    assert (folder / "numbers.csv").read_bytes() == (folder / "numbers.tsv").read_bytes()


def test_complete_confusion_of_many_targets_fails_before_any_work(charrnn: Charrnn, folder: Path) -> None:
    (folder / "numbers.tsv").write_text("".join(f"one\t{number}\n" for number in range(51)))
    result = charrnn(*WORDS, "--confusion", "m.png")
    assert result.failed_with(1, "numbers.tsv: more than 50 different targets, too many for a confusion matrix")
    assert result.out == b""
    (folder / "numbers.tsv").write_text("\n\n")
    assert charrnn(*WORDS, "--confusion", "m.png").failed_with(1, "numbers.tsv: no targets to compare with")
    assert not (folder / "m.png").exists()


def test_complete_confusion_without_matplotlib_fails_before_any_work(
    charrnn: Charrnn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    assert charrnn(*WORDS, "--confusion", "m.png").failed_with(2, "pictures need matplotlib")
    assert charrnn(*WORDS).status == 0


def test_complete_json_of_many_targets_has_no_majority(charrnn: Charrnn, folder: Path) -> None:
    (folder / "numbers.tsv").write_text("".join(f"one\t{number}\n" for number in range(51)) * 2)
    counted = json.loads(charrnn(*WORDS, "--json").out)
    assert (counted["lines"], counted["majority_accuracy"]) == (102, None)
