"""The text of a call in Python: a string, which is the text itself; a file; or the one that a model was fitted on."""

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
    """A text as a model reads texts; without one, the text that it was fitted on."""
    if text is None:
        return read_training_text(checkpoint)
    return read_text(text, checkpoint.metadata.text.corpus, checkpoint.vocabulary)


def read_training_text(checkpoint: Checkpoint) -> Corpus:
    """The text that a model was fitted on, split as it was then."""
    info = checkpoint.metadata.text
    if not info.is_in_files:
        raise TextError(f"{checkpoint.name} was not fitted on a file; pass that text again")
    corpus = read_corpus(tuple(map(Path, info.names)), info.corpus, checkpoint.vocabulary)
    if corpus.sha256 != info.sha256:
        raise TextError(f"{corpus.source}: is not the text that {checkpoint.name} was fitted on; pass that one")
    return corpus


def find_training_text(checkpoint: Checkpoint) -> Corpus | None:
    """The same as `read_training_text`; None where it is not to be had."""
    try:
        return read_training_text(checkpoint)
    except TextError:
        return None


def read_text(text: str | Path, config: CorpusConfig, vocabulary: Vocabulary | None = None) -> Corpus:
    """Read a file; or a string, through a temporary file, for that is how texts are read."""
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
            raise TextError(f"the text: {character} does not exist in {encoding}; take another text") from None
        except TextError as error:
            message = str(error).replace(f"{path}: the file", "the text").replace(str(path), "the text")
            raise TextError(message) from None
        return replace(corpus, name="text", paths=())
