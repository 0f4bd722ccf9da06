"""A text read from files: memory-mapped ids, split into training, validation and test parts.

The files are read in chunks, twice: first to find their characters, then to encode them. The ids go to an unnamed
temporary file (in the folder given by TMPDIR) as the smallest integer type that can hold them, so a text may be larger
than memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import CorpusConfig
from charrnn.errors import TextError
from charrnn.progress import Progress
from charrnn.text.decode import NUM_CODE_POINTS, TextReader, check_encoding
from charrnn.text.documents import Documents, TextSpan
from charrnn.text.normalize import separator_of
from charrnn.text.sources import (
    TEMPORARY_FOLDER_ERROR,
    TextSource,
    changed_file_error,
    describe_paths,
    sources_of,
    stem_of,
)
from charrnn.text.vocabulary import UNKNOWN_CHARACTER, Vocabulary, character_name


@dataclass(frozen=True)
class Corpus:
    """An encoded text.

    Attributes:
        name: the name of the file without folder and suffix; for several files, that of the first one and a count.
        paths: the files as given; `-` is standard input; empty for a string passed from Python.
        sha256: SHA-256 of the concatenated, uncompressed bytes of the files, in hexadecimal.
        config: how the text was read and split.
        ids: (N,) unsigned integers, memory-mapped.
        unknown: the number of ids that are the vocabulary's unknown symbol.
    """

    name: str
    paths: tuple[Path, ...]
    sha256: str
    config: CorpusConfig
    vocabulary: Vocabulary
    ids: NDArray[Any]
    unknown: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def source(self) -> str:
        """A short description of the files."""
        return describe_paths([str(path) for path in self.paths])

    @property
    def bounds(self) -> tuple[int, int]:
        """The indices at which the validation part and the test part start."""
        try:
            return split_bounds(len(self.ids), self.config)
        except TextError as error:
            raise TextError(f"{self.source}: {error}") from None

    @property
    def span(self) -> TextSpan:
        """The whole text."""
        return TextSpan(self.ids, self.documents)

    @property
    def train(self) -> TextSpan:
        """The training set: the first part of the text."""
        return self.span[: self.bounds[0]]

    @property
    def validation(self) -> TextSpan:
        """The validation set, for choosing settings: the part after the training set."""
        return self.span[slice(*self.bounds)]

    @property
    def test(self) -> TextSpan:
        """The test set, for final results: the last part; empty by default."""
        return self.span[self.bounds[1] :]

    @property
    def documents(self) -> Documents | None:
        """How documents are separated; None if the text is not read as documents."""
        return Documents.of(self.config, self.vocabulary)

    @property
    def split(self) -> str:
        """The split in percent, such as 90/10/0."""
        return describe_split(self.config)


def describe_split(config: CorpusConfig) -> str:
    """Return a split in percent, such as 90/10/0."""
    held_out = config.val_fraction, config.test_fraction
    return "/".join(f"{100 * share:.4g}" for share in (1 - sum(held_out), *held_out))


def split_bounds(length: int, config: CorpusConfig) -> tuple[int, int]:
    """Return the indices at which the validation part and the test part of a text start.

    As in nanoGPT, the training part has int(length · fraction) characters. A held-out part with a nonzero fraction gets
    at least one character.

    Raises:
        TextError: fewer than two characters remain for training.
    """
    test = length - int(length * (1 - config.test_fraction))
    validation = length - test - int(length * (1 - config.val_fraction - config.test_fraction))
    test = max(test, config.test_fraction > 0)
    validation = max(validation, config.val_fraction > 0)
    train = length - validation - test
    if train < 2:
        raise TextError(
            f"too few characters to train on: {length} in all, {validation + test} held out; "
            "use a longer text (some thousands of characters) or a smaller --val-fraction"
        )
    return train, train + validation


def read_corpus(
    path: Path | Sequence[Path],
    config: CorpusConfig,
    vocabulary: Vocabulary | None = None,
    progress: Progress | None = None,
    grow: bool = False,
) -> Corpus:
    r"""Read and encode a text.

    A byte-order mark is removed and line ends become \n, as in Python's text mode; with `config.bytes`, nothing is
    changed. `config` determines Unicode normalization and lowercasing. If the vocabulary has an unknown symbol, it
    replaces all characters that the vocabulary lacks, including those that are too rare. Files compressed with gzip,
    bzip2 or xz are decompressed. Several files are concatenated in the given order; a file that does not end with a
    newline gets one, except for the last file and when reading bytes.

    Args:
        path: one file or several; `-` is standard input.
        config: encoding, normalization and split.
        vocabulary: the ids to use; by default built from the text (its characters, ordered by code point).
        progress: progress callback (bytes read in both passes, total bytes; the total is 0 if unknown).
        grow: whether to extend the vocabulary with the characters of the text that are not too rare.

    Raises:
        TextError: a file cannot be read or decoded, all files are empty, the text has unknown characters, or a file
            changes while it is being read.
        UsageError: the encoding is unknown.
    """
    check_encoding(config.encoding)
    update = progress or (lambda done, total: None)
    paths = (path,) if isinstance(path, Path) else tuple(path)
    with sources_of(paths, lambda done: update(done, 0)) as sources:
        return _read(sources, paths, config, vocabulary, update, grow)


def _read(
    sources: Sequence[TextSource],
    paths: tuple[Path, ...],
    config: CorpusConfig,
    vocabulary: Vocabulary | None,
    progress: Progress,
    grow: bool,
) -> Corpus:
    """Read open sources twice; reopening them by name could give a different file the second time."""
    size, name = sum(source.size for source in sources), describe_paths([str(path) for path in paths])
    first = TextReader(sources, config, lambda done: progress(done, 2 * size))
    seen, length = np.zeros(NUM_CODE_POINTS, bool), 0
    is_counted = config.min_count or (vocabulary is not None and vocabulary.unknown is not None)
    counts = np.zeros(NUM_CODE_POINTS if is_counted else 0, np.int64)
    for piece in first:
        seen[_without(piece, seen)] = True
        length += len(piece)
        if is_counted:
            of_piece = np.bincount(piece)
            counts[: len(of_piece)] += of_piece
    if not length:
        files = "all files are" if len(paths) > 1 else "the file is"
        raise TextError(f"{name}: {files} empty; use a text with some thousands of characters")
    if vocabulary is None or grow:
        in_text = _vocabulary_of(seen, counts, config, name)
        vocabulary = vocabulary.extended_with(in_text) if vocabulary else in_text
    lookup = _lookup(vocabulary, seen, name)
    second = TextReader(sources, config, lambda done: progress(size + done, 2 * size))
    try:
        ids = _write_ids(second, lookup, length)
    except OSError as error:
        raise TextError(f"{name}: {TEMPORARY_FOLDER_ERROR.format(error.strerror)}") from error
    if ids is None or second.sha256 != first.sha256:
        raise changed_file_error(name)
    unknown = int(counts[lookup == vocabulary.unknown].sum()) if vocabulary.unknown is not None else 0
    return Corpus(stem_of(paths), paths, first.sha256, config, vocabulary, ids, unknown)


def _vocabulary_of(seen: NDArray[np.bool_], counts: NDArray[np.int64], config: CorpusConfig, name: str) -> Vocabulary:
    """Return all bytes, or the characters that occur at least `min_count` times, ordered by code point."""
    if config.bytes:
        return Vocabulary(None)
    if not config.min_count:
        return Vocabulary(map(chr, np.flatnonzero(seen)))
    common = set(map(chr, np.flatnonzero(counts >= config.min_count)))
    # The separator is always kept; without it, documents would have no ends.
    common |= {character for character in separator_of(config) if seen[ord(character)]}
    if not common:
        raise TextError(f"{name}: no character occurs {config.min_count:,} times; use a smaller --min-count")
    return Vocabulary(sorted(common | {UNKNOWN_CHARACTER}), UNKNOWN_CHARACTER)


def _lookup(vocabulary: Vocabulary, seen: NDArray[np.bool_], name: str) -> NDArray[Any]:
    """Return the table from code points (or bytes) to ids."""
    if vocabulary.characters is None:
        return np.arange(len(vocabulary), dtype=vocabulary.dtype)
    points = np.array([ord(character) for character in vocabulary.characters], np.int64)
    table = np.full(NUM_CODE_POINTS, vocabulary.unknown or 0, vocabulary.dtype)
    table[points] = np.arange(len(points), dtype=vocabulary.dtype)
    unknown = seen.copy()
    unknown[points] = False
    if vocabulary.unknown is None and unknown.any():
        first = character_name(chr(int(unknown.argmax())))
        raise TextError(
            f"{name}: the model does not know {unknown.sum()} of the text's characters, such as {first}; "
            "use another text, or a model trained on this text"
        )
    return table


def _write_ids(reading: TextReader, lookup: NDArray[Any], length: int) -> NDArray[Any] | None:
    """Map the ids from a file without a name, deleted with the array; None if their number is not `length`."""
    written = 0
    with tempfile.TemporaryFile(prefix="charrnn-") as file:
        for piece in reading:
            file.write(_mapped(piece, lookup))
            written += len(piece)
        file.flush()
        return np.memmap(file, lookup.dtype, mode="r") if written == length else None


def _without(piece: NDArray[Any], seen: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the code points of a piece; for bytes, only those not seen before, because removing known ones is fast."""
    if piece.dtype != np.uint8:
        return piece
    known = np.flatnonzero(seen[:256]).astype(np.uint8).tobytes()
    return np.frombuffer(piece.tobytes().translate(None, known), np.uint8)


def _mapped(piece: NDArray[Any], lookup: NDArray[Any]) -> bytes:
    """Return the encoded ids of code points; bytes to bytes uses the faster `bytes.translate`."""
    if piece.dtype == lookup.dtype == np.uint8:
        return piece.tobytes().translate(lookup[:256].tobytes())
    ids: NDArray[Any] = lookup[piece]
    return ids.tobytes()
