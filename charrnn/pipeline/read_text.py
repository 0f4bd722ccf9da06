"""Read texts for the Python API: a string, a file, or the text that a model was fitted on."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from charrnn.checkpoint import Checkpoint
from charrnn.config import CorpusConfig
from charrnn.errors import TextError, UsageError
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.decode import check_encoding
from charrnn.text.vocabulary import Vocabulary, character_name


def read_text_or_training_text(checkpoint: Checkpoint, text: str | Path | None) -> Corpus:
    """Read a text with the model's vocabulary and settings; if `text` is None, the text that it was fitted on."""
    if text is None:
        return read_training_text(checkpoint)
    return read_text(text, checkpoint.metadata.text.corpus, checkpoint.vocabulary)


def read_training_text(checkpoint: Checkpoint) -> Corpus:
    """Read the text that a model was fitted on, with the same split.

    Raises:
        TextError: the text was not in a file, or the file cannot be read or has changed.
    """
    info = checkpoint.metadata.text
    if not info.is_in_files:
        raise TextError(f"{checkpoint.name}: was fitted on a text that is not in a file; pass the text")
    corpus = read_corpus(tuple(map(Path, info.names)), info.corpus, checkpoint.vocabulary)
    if corpus.sha256 != info.sha256:
        raise TextError(f"{corpus.source}: is not the text that {checkpoint.name} was fitted on; pass the original")
    return corpus


def find_training_text(checkpoint: Checkpoint) -> Corpus | None:
    """Read the text that a model was fitted on; None if it cannot be read."""
    try:
        return read_training_text(checkpoint)
    except TextError:
        return None


def read_text(text: str | Path, config: CorpusConfig, vocabulary: Vocabulary | None = None) -> Corpus:
    """Read a file, or a string by way of a temporary file.

    Args:
        text: the path of a file, or the text itself.
        config: how the text is read and split.
        vocabulary: the vocabulary of a model; None: the characters of the text.

    Raises:
        TextError: the text cannot be read, or has characters that are not in the vocabulary.
        UsageError: `text` is neither a string nor a path.
    """
    if isinstance(text, Path):
        return read_corpus(text, config, vocabulary)
    if not isinstance(text, str):
        raise UsageError(f"text: pass a string or the Path of a file, not {type(text).__name__}")
    with tempfile.TemporaryDirectory(prefix="charrnn-") as folder:
        path = Path(folder) / "text"
        encoding = "utf-8" if config.bytes else config.encoding
        check_encoding(encoding)
        try:
            path.write_bytes(text.encode(encoding, "surrogateescape" if config.bytes else "strict"))
            corpus = read_corpus(path, config, vocabulary)
        except UnicodeEncodeError as error:
            character = character_name(text[error.start])
            raise TextError(f"the text: {encoding} has no {character}; use another encoding") from None
        except TextError as error:
            message = str(error).replace(f"{path}: the file", "the text").replace(str(path), "the text")
            raise TextError(message) from None
        return replace(corpus, name="text", paths=())
