"""Texts of a command: reading them, finding the training text of a model, and printing their size and split."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.cli.shared.locate import is_local, locate, locate_texts
from charrnn.cli.shared.options import refuse_encoding
from charrnn.cli.shared.terminal import log, log_field, progress
from charrnn.config import CorpusConfig
from charrnn.errors import TextError
from charrnn.formatting import plural, split_in_words
from charrnn.scoring.held_out import MAX_SEARCHED
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.sources import STANDARD_INPUT, stem_of
from charrnn.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from charrnn.checkpoint import Checkpoint
    from charrnn.training.distributed import ProcessGroup


def read(
    path: Path | Sequence[Path], config: CorpusConfig, vocabulary: Vocabulary | None = None, grow: bool = False
) -> Corpus:
    """Read a text, with a progress bar."""
    paths = (path,) if isinstance(path, Path) else path
    if STANDARD_INPUT in paths and sys.stdin.isatty():
        log("reading standard input; press Ctrl-D to end")
    name = paths[0].name if len(paths) == 1 else stem_of(paths)
    with progress(f"reading {name}", "B") as update:
        return read_corpus(paths, config, vocabulary, update, grow)


def read_text_for(model: Checkpoint, path: Path | Sequence[Path], encoding: str | None = None) -> Corpus:
    """Read a text with the settings of a model's training text: vocabulary, normal form, and encoding if None."""
    config = model.metadata.text.corpus
    return read(path, replace(config, encoding=encoding or config.encoding), model.vocabulary)


def read_texts_or_training_text(model: Checkpoint, names: Sequence[str] | None, encoding: str | None) -> Corpus:
    """Read the files of `--text` as one text, or the training text of the model if there are none."""
    if names:
        return read_text_for(model, locate_texts(names, "--text"), encoding)
    refuse_encoding(encoding, "--text")
    return read_training_text(model)


def read_on_all_ranks(
    group: ProcessGroup,
    paths: Sequence[Path],
    config: CorpusConfig,
    vocabulary: Vocabulary | None = None,
    grow: bool = False,
) -> Corpus:
    """Read a text in all processes, which may be on several machines.

    Raises:
        TextError: see `read_corpus`; or the text differs from that of rank 0.
    """
    with group.rank_zero_first():
        corpus = read(paths, config, vocabulary, grow)
        check_documents(corpus)
    if group.broadcast_bytes(corpus.sha256.encode()).decode() != corpus.sha256:
        raise TextError(f"{corpus.source}: differs from the text of rank 0; copy the text of rank 0 to this machine")
    return corpus


def read_training_text(model: Checkpoint, names: Sequence[str] | None = None) -> Corpus:
    """Read the training text of a model, split as in training.

    Args:
        model: the model.
        names: files or patterns; by default the files that the model was trained on, here or in data/.

    Raises:
        TextError: a file is not found, the text is not the training text, or that was not in files.
    """
    trained_on = model.metadata.text
    if names:
        paths: Sequence[Path] = locate_texts(names, "--text")
    elif not trained_on.is_in_files:
        raise TextError(
            f"{model.name} was trained on {trained_on.source}, which cannot be read again; save the text to a file and "
            f"pass it (`compare --text FILE`, `sample --text FILE`, `score {model.name} --text FILE`)"
        )
    else:
        paths = [_locate_again(stored) for stored in trained_on.names]
    corpus = read(paths, trained_on.corpus, model.vocabulary)
    if corpus.sha256 != trained_on.sha256:
        raise TextError(f"{corpus.source}: not the training text of {model.name}; pass the original text with --text")
    return corpus


def training_text_finder() -> Callable[[Checkpoint], Corpus | None]:
    """Return a function that reads a model's training text; None if that is not on this machine, or very long.

    Nothing is fetched, and the training text of each model is read once.
    """
    texts: dict[Path, Corpus | None] = {}

    def find(model: Checkpoint) -> Corpus | None:
        trained_on = model.metadata.text
        is_missing = any(not (is_local(name) or is_local(Path(name).name)) for name in trained_on.names)
        if model.path not in texts:
            texts[model.path] = None
            if not is_missing and trained_on.characters <= MAX_SEARCHED:
                with suppress(TextError):
                    texts[model.path] = read_training_text(model)
        return texts[model.path]

    return find


def _locate_again(name: str) -> Path:
    """Find a file of a training text, which may have moved."""
    try:
        return locate(name)
    except TextError:
        return locate(Path(name).name)


def show_corpus(corpus: Corpus) -> None:
    """Print the size and the split of a text."""
    parts = {"train": corpus.train, "validation": corpus.validation, "test": corpus.test}
    unit = "byte" if corpus.vocabulary.is_bytes else "character"
    log_field("text", f"{corpus.source}: {plural(len(corpus), unit)}, vocabulary size {len(corpus.vocabulary):,}")
    log_field("split", split_in_words(corpus.split, {name: len(part) for name, part in parts.items()}))
    if corpus.documents:
        number = len(corpus.span.starts)
        log_field("documents", f"{number:,}, {len(corpus) / number:,.0f} {unit}s each on average")
    show_unknown(corpus)


def check_documents(corpus: Corpus) -> None:
    """Raise TextError if a text that should be several documents is only one."""
    if corpus.documents and len(corpus.span.starts) < 2:
        separator = repr(corpus.config.document_separator)
        raise TextError(
            f"{corpus.source}: only one document: no {separator} before the end; try another --document-separator"
        )


def show_unknown(corpus: Corpus) -> None:
    """Print how many characters of a text are the unknown symbol, if the vocabulary has one."""
    if corpus.vocabulary.unknown is not None:
        share = f"{100 * corpus.unknown / len(corpus):.2g}%"
        verb = "is" if corpus.unknown == 1 else "are"
        log_field(
            "unknown", f"{plural(corpus.unknown, 'character')} of the text ({share}) {verb} read as the unknown symbol"
        )
