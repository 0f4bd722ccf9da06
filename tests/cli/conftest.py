"""`charrnn("ngram", "text.txt")` runs a command, in a folder of the test's own."""

import contextlib
import io
import shutil
import sys
from pathlib import Path

import pytest
from program import SMALL, TEXT, Charrnn, Outcome, status_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder but for text.txt, which is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path


@pytest.fixture
def charrnn(folder: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Charrnn:
    """Run a command; `stdin` is what it can read there."""

    def run(*words: object, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfdbinary.readouterr()
        status = status_of(*map(str, words))
        out, err = capfdbinary.readouterr()
        return Outcome(status, out, err.decode())

    return run


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with text.txt and two models of it, text-lstm and text-tuned-3, to be copied."""
    folder = tmp_path_factory.mktemp("made")
    with contextlib.chdir(folder):
        Path("text.txt").write_text(TEXT, encoding="utf-8")
        assert status_of("train", "text.txt", *SMALL) == 0
        assert status_of("ngram", "text.txt", "--order", "3") == 0
    return folder / "checkpoints"


@pytest.fixture
def models(folder: Path, made: Path) -> Path:
    """The folder checkpoints/ with those models, below the current one."""
    return Path(shutil.copytree(made, folder / "checkpoints"))
