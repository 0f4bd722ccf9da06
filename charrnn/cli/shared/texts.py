"""Texts of a command: reading them, finding the one that a model was fitted on, and showing what they are."""

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
from charrnn.formatting import plural
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
        log("reading standard input; Ctrl-D ends it")
    name = paths[0].name if len(paths) == 1 else stem_of(paths)
    with progress(f"reading {name}", "B") as update:
        return read_corpus(paths, config, vocabulary, update, grow)


def read_text_for(model: Checkpoint, path: Path | Sequence[Path], encoding: str | None = None) -> Corpus:
    """Read a text as the training text of a model was read: its characters, its normal form, its encoding if None."""
    config = model.metadata.text.corpus
    return read(path, replace(config, encoding=encoding or config.encoding), model.vocabulary)


def read_texts_or_training_text(model: Checkpoint, names: Sequence[str] | None, encoding: str | None) -> Corpus:
    """What `--text` and `--encoding` name, as one text; the training text of the model if nothing is named."""
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
        TextError: see `read_corpus`; or it is not the text that the first process has read.
    """
    with group.rank_zero_first():
        corpus = read(paths, config, vocabulary, grow)
        check_documents(corpus)
    if group.broadcast_bytes(corpus.sha256.encode()).decode() != corpus.sha256:
        raise TextError(f"{corpus.source}: is not the text that the first process reads; copy that to this machine")
    return corpus


def read_training_text(model: Checkpoint, names: Sequence[str] | None = None) -> Corpus:
    """The text that a model was fitted on, split as it was then.

    Args:
        model: the model.
        names: files or patterns; by default those that it had when the model was fitted, here or in data/.

    Raises:
        TextError: there is no such file, or it is not that text; or it was in no file.
    """
    facts = model.metadata.text
    if names:
        paths: Sequence[Path] = locate_texts(names, "--text")
    elif not facts.is_in_files:
        raise TextError(
            f"{model.name} was fitted on {facts.source}, which cannot be read again; save that text to a file and name "
            f"it (`compare --text FILE`, `sample --text FILE`, `score {model.name} --text FILE`)"
        )
    else:
        paths = [_locate_again(stored) for stored in facts.names]
    corpus = read(paths, facts.corpus, model.vocabulary)
    if corpus.sha256 != facts.sha256:
        raise TextError(f"{corpus.source}: is not the text that {model.name} was fitted on; name that one with --text")
    return corpus


def training_text_finder() -> Callable[[Checkpoint], Corpus | None]:
    """A function that gives the text that a model was fitted on; None if it is not on this machine, or very long.

    Nothing is fetched, and each text is read once.
    """
    texts: dict[Path, Corpus | None] = {}

    def find(model: Checkpoint) -> Corpus | None:
        facts = model.metadata.text
        is_missing = any(not (is_local(name) or is_local(Path(name).name)) for name in facts.names)
        if model.path not in texts:
            texts[model.path] = None
            if not is_missing and facts.characters <= MAX_SEARCHED:
                with suppress(TextError):
                    texts[model.path] = read_training_text(model)
        return texts[model.path]

    return find


def _locate_again(name: str) -> Path:
    """Where a file that a model was fitted on is now."""
    try:
        return locate(name)
    except TextError:
        return locate(Path(name).name)


def show_corpus(corpus: Corpus) -> None:
    """Say what the text is and how it is split."""
    parts = {"train": corpus.train, "validation": corpus.validation, "test": corpus.test}
    sizes = ", ".join(f"{name} {len(part):,}" for name, part in parts.items() if len(part))
    log_field("text", f"{corpus.source}: {plural(len(corpus), 'character')}, {len(corpus.vocabulary):,} different")
    log_field("split", f"{corpus.split} ({sizes})")
    if corpus.documents:
        number = len(corpus.span.starts)
        log_field("documents", f"{number:,}, of {len(corpus) / number:,.0f} characters in the mean")
    show_unknown(corpus)


def check_documents(corpus: Corpus) -> None:
    """Raise TextError where a text that is to be fitted should be documents, and is one."""
    if corpus.documents and len(corpus.span.starts) < 2:
        separator = repr(corpus.config.document_separator)
        raise TextError(
            f"{corpus.source}: is one document: {separator} is nowhere before its end; say another separator"
        )


def show_unknown(corpus: Corpus) -> None:
    """Say how much of a text is the unknown symbol, where there is one."""
    if corpus.vocabulary.unknown is not None:
        share = f"{100 * corpus.unknown / len(corpus):.2g}%"
        verb = "is" if corpus.unknown == 1 else "are"
        log_field("unknown", f"{plural(corpus.unknown, 'character')} of the text ({share}) {verb} one unknown symbol")
