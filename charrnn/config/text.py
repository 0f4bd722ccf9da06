"""Settings of reading and splitting a text."""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.config.option import OneOf, ValidatedConfig, fraction, int_range, not_empty, option
from charrnn.errors import UsageError

NORMAL_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
"""Unicode normalization forms."""
BYTES_VOCAB_SIZE = 256


@dataclass(frozen=True)
class CorpusConfig(ValidatedConfig):
    """Settings of reading a text and splitting it: the training part first, then validation, then test."""

    panel = "text"
    encoding: str = option("utf-8", "Text encoding.", metavar="NAME")
    bytes: bool = option(False, "Read raw bytes (vocabulary size 256) instead of characters.", "--bytes")
    val_fraction: float = option(0.1, "Fraction of the text held out for validation.", check=fraction)
    test_fraction: float = option(
        0.0, "Fraction of the text held out for testing, after the validation part.", check=fraction
    )
    normalize: str | None = option(
        None, f"Unicode normalization form: {', '.join(NORMAL_FORMS)}.", metavar="FORM", check=OneOf(NORMAL_FORMS)
    )
    lower: bool = option(False, "Convert the text to lower case.", "--lower")
    min_count: int | None = option(
        None, "Replace characters that occur fewer than N times with one unknown symbol, which is never generated. "
        "The model can then read any text.",
        check=int_range(1),
    )  # fmt: skip
    document_separator: str | None = option(
        None, "Split the text into documents at SEP, such as '\\n'. The model's state is reset at each document, in "
        "training, scoring and sampling. With several files, SEP is added to each one that does not end with it.",
        metavar="SEP", check=not_empty, escapes=True,
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Also check that some text is left to train on, and that no option for characters is used with bytes."""
        super().__post_init__()
        if self.bytes:
            for name in ("normalize", "lower", "min_count"):
                if getattr(self, name):
                    raise UsageError(f"{self.flag(name)} cannot be combined with --bytes; remove one of them")
        if self.val_fraction + self.test_fraction >= 1:
            raise UsageError(
                f"--val-fraction {self.val_fraction}, --test-fraction {self.test_fraction}: no text is left to train "
                "on; use smaller fractions"
            )
