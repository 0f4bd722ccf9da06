"""`charrnn lab`."""

import csv
import json
import sys
from pathlib import Path

import pytest
from program import Charrnn

from charrnn.errors import DivergedError
from charrnn.lab import memory, names, ngrams
from charrnn.lab.catalogue import EXPERIMENTS


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (memory, names, ngrams):
        monkeypatch.setitem(module.SIZES, "quick", module.SIZES["tiny"])


def test_lab_without_name_lists_experiments(charrnn: Charrnn) -> None:
    listed = charrnn("lab")
    assert (listed.status, listed.out) == (0, b"")
    assert all(name in listed.err for name in EXPERIMENTS)
    rows = json.loads(charrnn("lab", "--json").text)
    assert [row["name"] for row in rows] == list(EXPERIMENTS)
    assert all(row["question"].endswith("?") for row in rows)


def test_lab_unknown_name_is_usage_error(charrnn: Charrnn, folder: Path) -> None:
    wrong = charrnn("lab", "alchemy")
    assert wrong.failed_with(2, f"alchemy: unknown experiment; choose from {', '.join(EXPERIMENTS)}")
    assert not (folder / "lab").exists()


def test_lab_writes_picture_table_and_figures(charrnn: Charrnn, folder: Path) -> None:
    done = charrnn("lab", "ngrams", "--quick", "--text", "text.txt", "--seed", 5, "--json")
    assert done.status == 0
    rows = json.loads(done.text)
    assert {row["smoothing"] for row in rows} == {"ml", "mkn", "tuned", "held-out"}
    with (folder / "lab" / "ngrams.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [row["longest_copy"] for row in written] == [
        "" if row["longest_copy"] is None else str(row["longest_copy"]) for row in rows
    ]
    page = (folder / "lab" / "ngrams.md").read_text()
    assert "`charrnn lab ngrams --quick --text text.txt --seed 5`, on " in page
    assert all((folder / "lab" / f"ngrams.{suffix}").is_file() for suffix in ("png", "svg"))
    assert "split 90/10/0" in done.err
    assert "lab/ngrams.png" in done.err


def test_lab_text_for_experiment_without_text_is_usage_error(charrnn: Charrnn, folder: Path) -> None:
    wrong = charrnn("lab", "memory", "--text", "text.txt")
    assert wrong.failed_with(2, "--text text.txt: has no effect on memory, which generates its data")
    done = charrnn("lab", "memory", "--quick", "--out", "elsewhere", "--device", "cpu")
    assert (done.status, done.out) == (0, b"")
    assert (folder / "elsewhere" / "memory.png").is_file()
    assert "brackets, chance" in done.err


def test_lab_without_matplotlib_fails_before_any_work(
    charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    failed = charrnn("lab", "ngrams", "--text", "no-such-file")
    assert failed.failed_with(2, "pictures need matplotlib; try `pip install matplotlib`")
    assert not (folder / "lab").exists()


def test_lab_out_folder_that_cannot_be_created_is_one_line(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("lab", "memory", "--out", "text.txt").failed_with(
        1, "text.txt: cannot write to this folder: File exists"
    )


def test_lab_diverged_training_is_one_line(charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise DivergedError("after step 3: the loss is 99; say a lower --learning-rate")

    monkeypatch.setattr(memory, "run", explode)
    failed = charrnn("lab", "memory", "--quick")
    assert failed.status == 1
    assert failed.err.splitlines()[-1] == "charrnn: memory: after step 3: the loss is 99; try another --seed"


def test_lab_device_for_ngrams_is_usage_error(charrnn: Charrnn) -> None:
    assert charrnn("lab", "ngrams", "--device", "cuda").failed_with(2, "--device cuda: ngrams runs on the CPU only")


def test_lab_names_reads_its_own_text_line_by_line(charrnn: Charrnn, folder: Path) -> None:
    (folder / "data").mkdir()
    lines = "".join(f"{name}{i}\t{language}\n" for i in range(60) for name, language in (("Ann", "x"), ("Bob", "y")))
    (folder / "data" / "names.txt").write_text(lines, encoding="utf-8")
    done = charrnn("lab", "names", "--quick", "--json")
    assert done.status == 0, done.err
    assert {row["kind"] for row in json.loads(done.text)} == {"lstm", "mingru", "attention", "ngrams"}
    assert "data/names.txt: " in done.err
    assert "documents   120, " in done.err
    prose = charrnn("lab", "names", "--quick", "--text", "text.txt")
    assert prose.status == 1
    assert prose.err.splitlines()[-1].startswith("charrnn: text.txt: a held-out line has no tab before a class; use")
