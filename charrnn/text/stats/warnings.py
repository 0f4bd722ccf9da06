"""Warnings about a text to be trained on: one line each, with the next step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from charrnn.formatting import plural, shares_in_words
from charrnn.text.stats.describe import Description
from charrnn.text.vocabulary import character_name

SHORT = 50_000
"""Size of a training part, in characters, below which n-grams are advised: they beat one minute of network training on
the first 10,000 and 30,000 characters of Tiny Shakespeare, see docs/project/experiments.md."""
LARGE = 100_000_000
"""Size of a text, in characters, from which n-grams take a gigabyte of memory or more."""
LONG = 100_000
"""Length of a line, in characters, that nobody has typed."""
MANY = 2048
"""Vocabulary size above which embedding and output layer have more weights than two layers of 256 units."""
REPEATED = 0.5
"""The share of repeated sequences, or lines, above which most of a text is copies."""
LEAKED = 0.05
"""The share of held-out sequences in the training part above which scores mean little; in prose it is close to 0."""
MIN_SEPARATORS = 3
"""The minimum number of separator lines that suggest several documents."""
MIN_SAVED = 0.25
"""The share of rare characters in a vocabulary above which --min-count is advised."""
BROKEN = ("â€", "Ã©", "Ã¤", "Ã¼", "Ã¶")
"""Pairs of characters that appear when UTF-8 is read as cp1252 and saved again."""


class TextWarning(NamedTuple):
    """The name of a warning, as in JSON, and its text."""

    name: str
    line: str


def find_warnings(text: Description) -> Iterator[TextWarning]:
    """Yield the warnings about a text, the most serious first."""
    yield from _of_length(text)
    yield from _of_repeats(text)
    yield from _of_lines(text)
    yield from _of_characters(text)


def _of_length(text: Description) -> Iterator[TextWarning]:
    if not text.parts:
        yield TextWarning("too_short", "too short to train on; use a text of at least a few thousand characters")
    elif text.parts["train"] < SHORT:
        yield TextWarning(
            "short",
            f"short: with fewer than {SHORT:,} training characters, n-grams usually beat a network; try "
            "`charrnn ngram TEXT`, or `charrnn train TEXT --with-ngram` for both",
        )
    if text.characters > LARGE:
        yield TextWarning(
            "large",
            "large: networks read the text from disk, but n-grams need memory (9.1 GB for 1 GB of source code); "
            "`charrnn ngram --prune 1` writes a smaller checkpoint",
        )


def _of_repeats(text: Description) -> Iterator[TextWarning]:
    repeats = text.repeats
    if max(repeats.runs or 0, repeats.lines or 0) > REPEATED:
        yield TextWarning(
            "duplicates",
            f"mostly duplicates: {shares_in_words(repeats.by_name)} occur more than once; remove duplicates, or the "
            "model will memorize them",
        )
    if max(repeats.held_out_runs or 0, repeats.held_out_lines or 0) > LEAKED:
        yield TextWarning(
            "held_out_is_known",
            f"scores will look too good: {shares_in_words(repeats.held_out_by_name)} are also in the training part; "
            "remove duplicates",
        )


def _of_lines(text: Description) -> Iterator[TextWarning]:
    lines = text.lines
    if lines.longest > LONG:
        yield TextWarning(
            "long_line",
            f"a line of {lines.longest:,} characters: not prose, or its line breaks were lost; check the file",
        )
    separator = next(iter(lines.separators), None)
    if separator and lines.separators[separator] >= MIN_SEPARATORS:
        yield TextWarning(
            "documents",
            f"may be several documents: {lines.separators[separator]:,} lines are {separator!r}; try "
            "--document-separator",
        )
    elif text.counts.get("\f", 0) >= MIN_SEPARATORS and not text.config.bytes:
        yield TextWarning(
            "documents",
            f"may be several documents or pages: {text.counts[chr(12)]:,} form feeds; try --document-separator",
        )
    if "CR" in text.line_ends or len(text.line_ends) > 1:
        yield TextWarning("line_ends", f"line ends are {' and '.join(text.line_ends)}; each is read as a newline")
    if lines.number and lines.trailing_space > lines.number / 10:
        yield TextWarning(
            "trailing_space",
            f"{plural(lines.trailing_space, 'line')} with white space at the end, which the model will reproduce",
        )


def _of_characters(text: Description) -> Iterator[TextWarning]:
    counts = text.counts
    if counts.get("\0", 0):
        yield TextWarning(
            "binary",
            f"{plural(counts[chr(0)], 'NUL character')}: not plain text, or in another --encoding; try --bytes",
        )
    if counts.get("\ufffd", 0):
        yield TextWarning(
            "replacement",
            f"{plural(counts[chr(0xFFFD)], 'replacement character')} (U+FFFD): the text was probably decoded with a "
            "wrong encoding before; get the original",
        )
    if text.config.bytes:
        return
    if any(all(counts.get(character, 0) > 2 for character in pair) and _is_common(pair, counts) for pair in BROKEN):
        yield TextWarning(
            "broken_encoding",
            f"looks like UTF-8 that was read as cp1252 and saved again ({BROKEN[0]}, {BROKEN[1]}); repair the file",
        )
    odd = {character: count for character, count in text.odd.items() if character not in "\0\f"}
    if odd:
        first = next(iter(odd))
        yield TextWarning(
            "odd_characters",
            f"{sum(odd.values()):,} control, format, private-use or unassigned characters ({len(odd):,} distinct), "
            f"such as {character_name(first)}",
        )
    if text.vocab_size > MANY:
        yield TextWarning(
            "many_characters",
            f"{text.vocab_size:,} distinct characters make a large vocabulary; to reduce it, use --bytes (a vocabulary "
            "of 256, but longer sequences) or --min-count (drops rare characters)",
        )
    rare = text.rarer_than(10)
    if len(rare) > MIN_SAVED * text.vocab_size:
        yield TextWarning(
            "rare_characters",
            f"{len(rare):,} of {text.vocab_size:,} distinct characters occur fewer than 10 times, too rarely to be "
            "learned; --min-count 10 replaces them by one unknown symbol",
        )
    forms = text.forms
    if forms and "NFC" not in forms.forms:
        kind = "in Unicode form NFD" if "NFD" in forms.forms else "not in a Unicode normal form"
        yield TextWarning(
            "not_nfc",
            f"{kind}: with --normalize NFC the text has {forms.nfc_characters:,} characters instead of "
            f"{text.characters:,}, and {forms.nfc_vocab_size:,} distinct ones instead of {text.vocab_size:,}",
        )


def _is_common(pair: str, counts: dict[str, int]) -> bool:
    """Whether the first of two characters that rarely occur together is as common as in text that was broken so."""
    return counts[pair[0]] * 1000 > sum(counts.values()) and all(character > "\x7f" for character in pair)
