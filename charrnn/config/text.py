"""How a text is read and split."""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.config.option import OneOf, ValidatedConfig, fraction, int_range, not_empty, option
from charrnn.errors import UsageError

NORMAL_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
BYTES_VOCAB_SIZE = 256


@dataclass(frozen=True)
class CorpusConfig(ValidatedConfig):
    """How a text is read and split: training part first, then validation, then test."""

    panel = "Text"
    encoding: str = option("utf-8", "Encoding of the text.")
    bytes: bool = option(False, "Read raw bytes (a vocabulary of 256) instead of characters.", "--bytes")
    val_fraction: float = option(0.1, "Fraction of the text held out for validation.", check=fraction)
    test_fraction: float = option(0.0, "Fraction held out for a test, after the validation part.", check=fraction)
    normalize: str | None = option(
        None, f"Unicode normalization: {', '.join(NORMAL_FORMS)}.", check=OneOf(NORMAL_FORMS)
    )  # fmt: skip
    lower: bool = option(False, "Convert all letters to lower case.", "--lower")
    min_count: int | None = option(
        None, "Replace characters that occur fewer than N times by one unknown symbol, which is never sampled; such a "
        "model reads any text.",
        check=int_range(1),
    )  # fmt: skip
    document_separator: str | None = option(
        None, "Separator of documents, such as '\\n'. The model's state is reset at each document, in training, "
        "scoring and sampling. A separator is added to each of several files that does not end with one.",
        check=not_empty, escapes=True,
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Check also that something is left to train on, and that bytes are not read as characters."""
        super().__post_init__()
        if self.bytes:
            for name in ("normalize", "lower", "min_count"):
                if getattr(self, name):
                    raise UsageError(f"--{name.replace('_', '-')} cannot be combined with --bytes")
        if self.val_fraction + self.test_fraction >= 1:
            raise UsageError("--val-fraction and --test-fraction: nothing is left to train on")
