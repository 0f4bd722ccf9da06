"""From the names of texts on the command line to the texts: files here or in data/, known texts, standard input."""

from __future__ import annotations

import glob
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.cli.shared.checkpoints import find_checkpoint
from charrnn.cli.shared.options import refuse_encoding
from charrnn.cli.shared.terminal import log, log_field, progress, progress_bar, shell_quoted
from charrnn.config import CorpusConfig
from charrnn.errors import CheckpointError, TextError, UsageError
from charrnn.formatting import plural
from charrnn.paths import CHECKPOINT_FOLDER, CHECKPOINT_SUFFIX, DATA_FOLDER
from charrnn.scoring.held_out import MAX_SEARCHED
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.datasets.known_text import KnownText, fetch
from charrnn.text.datasets.registry import KNOWN_TEXTS, find_known_text
from charrnn.text.sources import STANDARD_INPUT, stem_of
from charrnn.text.vocabulary import Vocabulary
from charrnn.torchrun import world_size

if TYPE_CHECKING:
    from charrnn.checkpoint import Checkpoint
    from charrnn.training.distributed import ProcessGroup

MAX_NAMES_SIZE = 1_000_000
"""The most bytes that the names of all files may have: a checkpoint stores them."""
FOREIGN_SUFFIXES = (".pt", ".pth", ".ckpt", ".t7")
"""The endings of other programs' checkpoints, which are not opened; reading them says why."""


def locate_texts(names: Sequence[str], option: str = "") -> tuple[Path, ...]:
    """The files that names mean, in their order; a file that is there twice is read once.

    `option` is what names are typed after, for messages.

    A name may be `-`, standard input; or a pattern (*, ?, [...], and ** for folders below) if there is no file of that
    name: the files that match, in the order of their names.

    Raises:
        TextError: a name or a pattern means no file; or there are too many.
        UsageError: several processes would have to share standard input.
    """
    named = [path for name in names for path in _files_of(name, option)]
    paths = tuple(dict.fromkeys(named))
    if STANDARD_INPUT in paths:
        if world_size() > 1:
            raise UsageError("-: with torchrun each process reads the text; save it to a file, and name that")
        if named.count(STANDARD_INPUT) > 1:
            raise UsageError("-: standard input can be read once; say it once")
    if len(paths) < len(named):
        log(f"{len(named) - len(paths)} of the {len(named)} files are there twice, and are read once")
    if len(json.dumps([str(path) for path in paths])) > MAX_NAMES_SIZE:
        raise TextError(f"{len(paths)} files are too many to be remembered; put them into one, with `cat`")
    return paths


def _files_of(name: str, option: str) -> Sequence[Path]:
    if name == str(STANDARD_INPUT):
        return [STANDARD_INPUT]
    is_there = any(path.exists() for path in _places(name))
    if is_there or not glob.has_magic(name):
        path = locate(name, option)
        return [path.absolute() if path == STANDARD_INPUT else path]
    for pattern in (_pattern(name), _pattern(str(DATA_FOLDER / name))):
        matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  # those of Path take no absolute pattern
        paths = [path for path in map(Path, matches) if path.is_file()]
        if paths:
            return paths
    raise TextError(f"{name}: there is no such file, and none matches it, here or in {DATA_FOLDER}/; name one")


def _pattern(name: str) -> str:
    """A pattern whose first folders, if they are there by the name that is written, mean just that: `[2024] logs/*`."""
    parts = Path(name).parts
    for i in range(len(parts) - 1, 0, -1):
        folder = Path(*parts[:i])
        if folder.is_dir():
            return str(Path(glob.escape(str(folder)), *parts[i:]))
    return name


def _places(name: str) -> tuple[Path, ...]:
    return Path(name), DATA_FOLDER / name, DATA_FOLDER / f"{name}.txt"


def locate(name: str, option: str = "") -> Path:
    """The file that a name means: the path as it is, or that name in data/.

    A known text that is in neither place is fetched into data/ first.

    Raises:
        TextError: there is no such file, and no known text of that name; or it is a folder.
    """
    for path in _places(name):
        if path.is_file():
            return path
    known = find_known_text(name)
    if known:
        return fetch_known(known)
    if any(path.is_dir() for path in _places(name)):
        pattern = f"{option} {shell_quoted(Path(name) / '*')}".lstrip()
        raise TextError(f"{name}: is a folder; name its files, for example {pattern}")
    path = Path(name)
    if path.exists():
        return path  # a device: reading it says what is wrong
    raise TextError(
        f"{name}: there is no such file, here or in {DATA_FOLDER}/; "
        f"known texts, which are fetched by name: {', '.join(KNOWN_TEXTS)}"
    )


def locate_checkpoint(name: str | None, advice: str) -> Path:
    """The file of a checkpoint as `find_checkpoint` finds it; the newest one of None.

    Raises:
        UsageError: the name is that of a text; `advice` says what to type.
        CheckpointError: there is no such file, but names in checkpoints/ are like it.
    """
    path = find_checkpoint(name)
    if name is None:
        return path
    if _is_text(name):
        raise UsageError(f"{name} is a text, not a checkpoint; {advice}")
    if not path.exists():
        known = [file.name.removesuffix(CHECKPOINT_SUFFIX) for file in CHECKPOINT_FOLDER.glob(f"*{CHECKPOINT_SUFFIX}")]
        similar = get_close_matches(path.name.removesuffix(CHECKPOINT_SUFFIX), known)
        if similar:
            raise CheckpointError(f"{name}: there is no such file; did you mean {' or '.join(similar)}?")
    return path


def locate_checkpoints(names: Sequence[str], command: str) -> list[Path]:
    """The files of checkpoints, or of the newest one, for a command that takes texts with --text."""
    texts = list(filter(_is_text, names))
    models = [name for name in names if name not in texts] or ["NAME"]
    words = [*map(shell_quoted, models), *(f"--text {shell_quoted(name)}" for name in texts)]
    advice = f"try `charrnn {command} {' '.join(words)}`"
    return [locate_checkpoint(name, advice) for name in names] or [find_checkpoint(None)]


def _is_text(name: str) -> bool:
    """Whether the name of a checkpoint is that of a text."""
    path = find_checkpoint(name)
    if path.is_file():
        return not looks_like_checkpoint(path)
    return is_local(name) or bool(find_known_text(name)) or name == str(STANDARD_INPUT) or glob.has_magic(name)


def refuse_checkpoints(names: Sequence[str]) -> None:
    """Raise UsageError where one of the texts to be read is a checkpoint."""
    for name in names:
        path = next((path for path in _places(name) if path.is_file()), find_checkpoint(name))
        if path.is_file() and looks_like_checkpoint(path):
            raise UsageError(f"{name} is a checkpoint; try `charrnn inspect {shell_quoted(name)}`")


def looks_like_checkpoint(path: Path) -> bool:
    """Whether a file has a checkpoint's ending, or begins like one: with the length of a header in JSON."""
    if path.suffix in (CHECKPOINT_SUFFIX, *FOREIGN_SUFFIXES):
        return True
    try:
        with path.open("rb") as file:
            return file.read(9)[3:] == b"\0\0\0\0\0{"
    except OSError:
        return False  # reading it says what is wrong


def fetch_known(text: KnownText) -> Path:
    """Fetch a known text into data/, with a progress bar."""
    path = DATA_FOLDER / text.file_name
    log(f"fetching {text.name} ({text.source}) into {path}")
    with progress_bar(None, text.name, "B") as shown:
        for step in fetch(text, DATA_FOLDER):
            shown.total, shown.unit = step.total, step.unit
            shown.update(step.done - shown.n)
    return path


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


def is_local(name: str) -> bool:
    """Whether a text can be read without being fetched."""
    return any(path.is_file() for path in _places(name))


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
