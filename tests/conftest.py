"""Shared fixtures. Texts of others are never committed: Tiny Shakespeare is found, or the test is skipped."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from charrnn.config import CorpusConfig
from charrnn.text.corpus import Corpus, read_corpus

TINY_SHAKESPEARE = "CHARRNN_TINYSHAKESPEARE"


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """What is tested is small: threads would only wait for each other, and for whatever else the machine does."""
    torch.set_num_threads(1)


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
