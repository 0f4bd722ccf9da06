"""A text from files: memory-mapped ids, split into training, validation and test parts; knows nothing of models.

The files are read twice in pieces, first for their characters, then for their ids, which go to an unnamed temporary
file (in the folder that TMPDIR names) in the smallest integer type that holds them. So a text may be larger than
memory.
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
from charrnn.text.sources import NO_ROOM, TextSource, changed, describe_paths, sources_of, stem_of
from charrnn.text.vocabulary import UNKNOWN_CHARACTER, Vocabulary, character_name


@dataclass(frozen=True)
class Corpus:
    """A text, encoded.

    Attributes:
        name: the file's name without its folder and ending; of several the first one's, and how many more there are.
        paths: the files, as they were given; `-` is standard input, and a string in Python has none.
        sha256: of the files' bytes, unpacked and one after the other, in hexadecimal.
        config: how it was read and split.
        ids: (N,) unsigned integers, memory-mapped.
        unknown: how many of them are the vocabulary's unknown symbol.
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
        """The files in a few words."""
        return describe_paths([str(path) for path in self.paths])

    @property
    def bounds(self) -> tuple[int, int]:
        """Where the validation part and the test part begin."""
        try:
            return split_bounds(len(self.ids), self.config)
        except TextError as error:
            raise TextError(f"{self.source}: {error}") from None

    @property
    def span(self) -> TextSpan:
        """All of it."""
        return TextSpan(self.ids, self.documents)

    @property
    def train(self) -> TextSpan:
        """The first part, to learn from."""
        return self.span[: self.bounds[0]]

    @property
    def validation(self) -> TextSpan:
        """The part after it, to choose by."""
        return self.span[slice(*self.bounds)]

    @property
    def test(self) -> TextSpan:
        """The last part, to report; empty by default."""
        return self.span[self.bounds[1] :]

    @property
    def documents(self) -> Documents | None:
        """What tells documents apart; None where the text is one."""
        return Documents.of(self.config, self.vocabulary)

    @property
    def split(self) -> str:
        """The split in words."""
        return describe_split(self.config)


def describe_split(config: CorpusConfig) -> str:
    """A split in words that fit beside a number, such as 90/10/0."""
    held_out = config.val_fraction, config.test_fraction
    return "/".join(f"{100 * share:.4g}" for share in (1 - sum(held_out), *held_out))


def split_bounds(length: int, config: CorpusConfig) -> tuple[int, int]:
    """Where the validation part and the test part of a text begin.

    As nanoGPT does: the training part is int(length · share) characters. A part that should hold something,
    but would be empty, gets one character.

    Raises:
        TextError: nothing would be left to train on.
    """
    test = length - int(length * (1 - config.test_fraction))
    validation = length - test - int(length * (1 - config.val_fraction - config.test_fraction))
    test = max(test, config.test_fraction > 0)
    validation = max(validation, config.val_fraction > 0)
    train = length - validation - test
    if train < 2:
        raise TextError(
            f"{length} character{'s' * (length != 1)}, of which {validation + test} would be held out, are too few to "
            "train on; bring a longer text (some thousands of characters), or hold out less with --val-fraction"
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

    A byte-order mark is left out and line ends become \n, as in any text that Python reads; with `config.bytes`
    nothing is changed. Normal forms and lower case are as `config` says; the unknown symbol replaces what a vocabulary
    that has one lacks, so characters that are too rare. What gzip, bzip2 or xz have packed is unpacked.
    Several files are one text, in their order; after a file that does not end with a line end there is one, but for the
    last file and for bytes.

    Args:
        path: a file, or several; `-` is standard input.
        config: encoding and split.
        vocabulary: ids to use; made from the text (its characters in the order of their code points) if not given.
        progress: progress callback (bytes read, of how many; both readings counted; 0 where that is not known).
        grow: whether characters that the vocabulary lacks, and that are not too rare, are added to it.

    Raises:
        TextError: a file cannot be read or decoded, all are empty, they have unknown characters, or one is changed
            while it is read.
        UsageError: there is no such encoding.
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
    """Read files twice; under the name of an open one there may be another the second time."""
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
        raise TextError(f"{name}: the file{'s are' * (len(paths) > 1) or ' is'} empty; there is nothing to read")
    if vocabulary is None or grow:
        in_text = _vocabulary_of(seen, counts, config, name)
        vocabulary = vocabulary.extended_with(in_text) if vocabulary else in_text
    lookup = _lookup(vocabulary, seen, name)
    second = TextReader(sources, config, lambda done: progress(size + done, 2 * size))
    try:
        ids = _write_ids(second, lookup, length)
    except OSError as error:
        raise TextError(f"{name}: {NO_ROOM.format(error.strerror)}") from error
    if ids is None or second.sha256 != first.sha256:
        raise changed(name)
    unknown = int(counts[lookup == vocabulary.unknown].sum()) if vocabulary.unknown is not None else 0
    return Corpus(stem_of(paths), paths, first.sha256, config, vocabulary, ids, unknown)


def _vocabulary_of(seen: NDArray[np.bool_], counts: NDArray[np.int64], config: CorpusConfig, name: str) -> Vocabulary:
    """All bytes; or the characters that were seen, often enough if that is asked, in the order of their code points."""
    if config.bytes:
        return Vocabulary(None)
    if not config.min_count:
        return Vocabulary(map(chr, np.flatnonzero(seen)))
    common = set(map(chr, np.flatnonzero(counts >= config.min_count)))
    # The separator is kept, or documents would have no ends.
    common |= {character for character in separator_of(config) if seen[ord(character)]}
    if not common:
        raise TextError(f"{name}: has no character {config.min_count:,} times; say a smaller --min-count")
    return Vocabulary(sorted(common | {UNKNOWN_CHARACTER}), UNKNOWN_CHARACTER)


def _lookup(vocabulary: Vocabulary, seen: NDArray[np.bool_], name: str) -> NDArray[Any]:
    """The table from code points (or bytes) to ids."""
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
            f"{name}: {unknown.sum()} of its characters are unknown to the model, such as {first}; "
            "take another text, or a model that was fitted on this one"
        )
    return table


def _write_ids(reading: TextReader, lookup: NDArray[Any], length: int) -> NDArray[Any] | None:
    """Ids in a file that has no name and goes when the array does; None if there are more or fewer than `length`."""
    written = 0
    with tempfile.TemporaryFile(prefix="charrnn-") as file:
        for piece in reading:
            file.write(_mapped(piece, lookup))
            written += len(piece)
        file.flush()
        return np.memmap(file, lookup.dtype, mode="r") if written == length else None


def _without(piece: NDArray[Any], seen: NDArray[np.bool_]) -> NDArray[Any]:
    """The code points of a piece but, where they are bytes, those that were seen: deleting those is fast."""
    if piece.dtype != np.uint8:
        return piece
    known = np.flatnonzero(seen[:256]).astype(np.uint8).tobytes()
    return np.frombuffer(piece.tobytes().translate(None, known), np.uint8)


def _mapped(piece: NDArray[Any], lookup: NDArray[Any]) -> bytes:
    """The ids of code points, as they are written; from bytes to bytes there is a fast way."""
    if piece.dtype == lookup.dtype == np.uint8:
        return piece.tobytes().translate(lookup[:256].tobytes())
    ids: NDArray[Any] = lookup[piece]
    return ids.tobytes()
