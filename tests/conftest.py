"""Shared fixtures: `charrnn("ngram", "text.txt")` runs a command in a folder of the test's own; and texts.

Texts of others are never committed: Tiny Shakespeare is found, or the test is skipped.
"""

# ruff: noqa: E402

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
"""Read as PyTorch is loaded. Threads that spin while they wait take the cores from the tests beside them."""

import contextlib
import gc
import io
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import chrome
from played_device import played_device
from program import SMALL, TEXT, Charrnn, Outcome, status_of
from software_graph import software_graphs

from charrnn.config import CorpusConfig
from charrnn.text.corpus import Corpus, read_corpus

__all__ = ["chrome", "played_device", "software_graphs"]
"""Fixtures of other files."""

TINY_SHAKESPEARE = "CHARRNN_TINYSHAKESPEARE"


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """What is tested is small: threads would only wait for each other, and for whatever else the machine does."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def usual_signals() -> None:
    """As in a shell: what `nohup`, or a script that runs the tests in the background, ignores, is not ignored here."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGHUP", "SIGQUIT", "SIGTERM"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


@pytest.fixture(scope="session")
def tiny_shakespeare() -> Path:
    """The file, from the environment variable or from beside the checkout."""
    beside = Path(__file__).parents[2] / "shared" / "data" / "tinyshakespeare.txt"
    path = Path(os.environ.get(TINY_SHAKESPEARE, beside))
    if not path.is_file():
        pytest.skip(f"needs tinyshakespeare.txt: fetch it with `charrnn data` and set {TINY_SHAKESPEARE} to its path")
    return path


@pytest.fixture(scope="session")
def tiny_shakespeare_corpus(tiny_shakespeare: Path) -> Corpus:
    return read_corpus(tiny_shakespeare, CorpusConfig())


@pytest.fixture(scope="session")
def small_text() -> str:
    """Some thousands of characters with something to learn: a few words in random order."""
    line = "to be or not that is the question whether nobler in mind suffer slings and arrows of fortune"
    words = sorted(set(line.split()))
    chosen = np.random.default_rng(0).choice(words, 1500)
    return "".join(f"{word}{'.' * (i % 7 == 6)}{chr(10) if i % 10 == 9 else ' '}" for i, word in enumerate(chosen))


@pytest.fixture
def small_file(tmp_path: Path, small_text: str) -> Path:
    path = tmp_path / "small.txt"
    path.write_text(small_text, encoding="utf-8")
    return path


@pytest.fixture
def small_corpus(small_file: Path) -> Corpus:
    return read_corpus(small_file, CorpusConfig())


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


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what stays to the end: the modules, and the tests themselves."""
    gc.freeze()
