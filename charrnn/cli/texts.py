"""From the name of a text on the command line to the text: a file, a file in data/, or a known text that is fetched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.cli.processes import first_alone
from charrnn.cli.terminal import bar, field, progress, say
from charrnn.config import CorpusConfig
from charrnn.errors import TextError
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.known_texts import KNOWN_TEXTS, KnownText, fetch, find
from charrnn.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from charrnn.checkpoint import Checkpoint
    from charrnn.training.distributed import Ranks

DATA = Path("data")
"""The folder that texts are fetched into, below the one that charrnn runs in."""


def locate(name: str) -> Path:
    """The file that a name means: the path as it is, or that name in data/.

    A known text that is in neither place is fetched into data/ first.

    Raises:
        TextError: there is no such file, and no known text of that name.
    """
    for path in (Path(name), DATA / name, DATA / f"{name}.txt"):
        if path.is_file():
            return path
    known = find(name)
    if known:
        return fetch_known(known)
    path = Path(name)
    if path.exists():
        return path  # a folder or a device: reading it says what is wrong
    raise TextError(
        f"{name}: there is no such file, here or in {DATA}/; "
        f"known texts, which are fetched by name: {', '.join(KNOWN_TEXTS)}"
    )


def fetch_known(text: KnownText) -> Path:
    """Fetch a known text into data/, with a bar, and say so."""
    path = DATA / text.file_name
    say(f"fetching {text.name} ({text.source}) into {path}")
    with bar(None, text.name, "B") as shown:
        for step in fetch(text, DATA):
            shown.total, shown.unit = step.total, step.unit
            shown.update(step.done - shown.n)
    return path


def read(path: Path, config: CorpusConfig, vocabulary: Vocabulary | None = None, grow: bool = False) -> Corpus:
    """Read a text, with a bar."""
    with progress(f"reading {path.name}", "B") as update:
        return read_corpus(path, config, vocabulary, update, grow)


def read_alike(
    ranks: Ranks, path: Path, config: CorpusConfig, vocabulary: Vocabulary | None = None, grow: bool = False
) -> Corpus:
    """Read a text in all processes, which may be on several machines.

    Raises:
        TextError: see `read_corpus`; or it is not the text that the first process has read.
    """
    with first_alone():
        corpus = read(path, config, vocabulary, grow)
    if ranks.bytes_from_first(corpus.sha256.encode()).decode() != corpus.sha256:
        raise TextError(f"{path}: is not the text that the first process reads; copy that one to this machine")
    return corpus


def read_fitted_on(model: Checkpoint, name: str | None = None) -> Corpus:
    """The text that a model was fitted on, split as it was then.

    Args:
        model: the model.
        name: where the text is; as it was named when the model was fitted, or in data/, if not said.

    Raises:
        TextError: there is no such file, or it is not that text.
    """
    facts = model.facts.text
    if name is not None:
        path = locate(name)
    else:
        try:
            path = locate(facts.path)
        except TextError:
            path = locate(Path(facts.path).name)
    corpus = read(path, facts.corpus, model.vocabulary)
    if corpus.sha256 != facts.sha256:
        raise TextError(f"{path}: is not the text that {model.name} was fitted on; name that one with --text")
    return corpus


def show_text(corpus: Corpus) -> None:
    """Say what the text is and how it is split."""
    parts = {"train": corpus.train, "validation": corpus.validation, "test": corpus.test}
    sizes = ", ".join(f"{name} {len(part):,}" for name, part in parts.items() if len(part))
    field("text", f"{corpus.path}: {len(corpus):,} characters, {len(corpus.vocabulary):,} different")
    field("split", f"{corpus.split} ({sizes})")
