"""Warnings about a text that somebody is going to train on: one line each, with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from charrnn.text.stats.describe import Description
from charrnn.text.stats.duplicates import LONG_LINE, RUN
from charrnn.text.vocabulary import character_name

SHORT = 50_000
"""Characters; n-grams beat a minute's network in the first 10,000 and 30,000 of Tiny Shakespeare, see
docs/project/experiments.md."""
LARGE = 100_000_000
"""Characters of which n-grams take a gigabyte and more of memory."""
LONG = 100_000
"""Characters of a line that no one has typed."""
MANY = 2048
"""Different characters: eight times a width of 256. Where there are more, embedding and head of two layers have more
weights than the layers."""
REPEATED = 0.5
"""The share of repeated runs, or lines, from which most of a text is copies."""
LEAKED = 0.05
"""The share of held-out runs that the training part has, from which scores tell little; prose has none or next to."""
MIN_SEPARATORS = 3
MIN_SAVED = 0.25
"""The share of a vocabulary that is worth an option."""
BROKEN = ("â€", "Ã©", "Ã¤", "Ã¼", "Ã¶")
"""What UTF-8 looks like that was read as cp1252, and saved again."""


class TextWarning(NamedTuple):
    """The name of a warning, as in JSON, and its line."""

    name: str
    line: str


def find_warnings(text: Description) -> Iterator[TextWarning]:
    """The warnings about a text, the most serious first."""
    yield from _of_length(text)
    yield from _of_repeats(text)
    yield from _of_lines(text)
    yield from _of_characters(text)


def _of_length(text: Description) -> Iterator[TextWarning]:
    if not text.parts:
        yield TextWarning(
            "too_short", "too short to train on: nothing would be left; bring some thousands of characters"
        )
    elif text.parts["train"] < SHORT:
        yield TextWarning(
            "short",
            f"short: from less than {SHORT:,} characters n-grams learn more than a network does, and at once; "
            "`charrnn ngram`, or `charrnn train --with-ngram` for both",
        )
    if text.characters > LARGE:
        yield TextWarning(
            "large",
            "large: a network reads it from the disk, but n-grams take memory, 9.1 GB for 1 GB of source code; "
            "`charrnn ngram --prune 1` writes a smaller file",
        )


def _of_repeats(text: Description) -> Iterator[TextWarning]:
    repeats = text.repeats
    if max(repeats.runs or 0, repeats.lines or 0) > REPEATED:
        yield TextWarning(
            "duplicates",
            f"mostly copies: of runs of {RUN} characters {_percent(repeats.runs)} stand elsewhere too, of lines of "
            f"more than {LONG_LINE} {_percent(repeats.lines)}; take them out, or it is learnt by heart",
        )
    if max(repeats.held_out_runs or 0, repeats.held_out_lines or 0) > LEAKED:
        yield TextWarning(
            "held_out_is_known",
            f"scores will be too good: {_percent(repeats.held_out_runs)} of the held-out runs of {RUN} characters, "
            f"{_percent(repeats.held_out_lines)} of the long lines, are in the training part too",
        )


def _of_lines(text: Description) -> Iterator[TextWarning]:
    lines = text.lines
    if lines.longest > LONG:
        yield TextWarning(
            "long_line",
            f"a line of {lines.longest:,} characters: data rather than text, or line ends were lost; look at it",
        )
    separator = next(iter(lines.separators), None)
    if separator and lines.separators[separator] >= MIN_SEPARATORS:
        yield TextWarning(
            "documents",
            f"may be several documents: {lines.separators[separator]:,} lines are {separator!r}; "
            f"`--document-separator` tells where one ends",
        )
    elif text.counts.get("\f", 0) >= MIN_SEPARATORS and not text.config.bytes:
        yield TextWarning(
            "documents",
            f"may be several documents or pages: {text.counts[chr(12)]:,} form feeds; `--document-separator` tells "
            "where one ends",
        )
    if "CR" in text.line_ends or len(text.line_ends) > 1:
        yield TextWarning("line_ends", f"line ends are {' and '.join(text.line_ends)}; all are read as one newline")
    if lines.number and lines.trailing_space > lines.number / 10:
        yield TextWarning(
            "trailing_space", f"{lines.trailing_space:,} lines end with white space, which the model learns to write"
        )


def _of_characters(text: Description) -> Iterator[TextWarning]:
    counts = text.counts
    if counts.get("\0", 0):
        yield TextWarning(
            "binary", f"{counts[chr(0)]:,} zero characters: no text, or in another --encoding; or say --bytes"
        )
    if counts.get("\ufffd", 0):
        yield TextWarning(
            "replacement",
            f"{counts[chr(0xFFFD)]:,} characters are U+FFFD: it may have been read in a wrong encoding and saved so",
        )
    if text.config.bytes:
        return
    if any(all(counts.get(character, 0) > 2 for character in pair) and _is_common(pair, counts) for pair in BROKEN):
        yield TextWarning(
            "broken_encoding",
            f"looks like UTF-8 that was read as cp1252 and saved again ({BROKEN[0]}, {BROKEN[1]}); mend it",
        )
    odd = {character: count for character, count in text.odd.items() if character not in "\0\f"}
    if odd:
        first = next(iter(odd))
        yield TextWarning(
            "odd_characters",
            f"{sum(odd.values()):,} control, format or unassigned characters, {len(odd):,} different, such as "
            f"{character_name(first)}",
        )
    if text.vocab_size > MANY:
        yield TextWarning(
            "many_characters",
            f"{text.vocab_size:,} different characters, each with weights of its own: --bytes has 256, and takes as "
            "many steps as there are bytes; --min-count leaves rare ones out",
        )
    rare = text.rarer_than(10)
    if len(rare) > MIN_SAVED * text.vocab_size:
        yield TextWarning(
            "rare_characters",
            f"{len(rare):,} of {text.vocab_size:,} different characters occur less than 10 times: too rarely to be "
            "learnt; `--min-count 10` makes one unknown symbol of them",
        )
    forms = text.forms
    if forms and "NFC" not in forms.forms:
        kind = "NFD" if "NFD" in forms.forms else "in no normal form"
        yield TextWarning(
            "not_nfc",
            f"is {kind}: `--normalize NFC` makes {forms.nfc_characters:,} characters of {text.characters:,}, "
            f"{forms.nfc_vocab_size:,} different ones of {text.vocab_size:,}",
        )


def _is_common(pair: str, counts: dict[str, int]) -> bool:
    """Whether the first of two characters that seldom meet is as common as it would be if text was broken so."""
    return counts[pair[0]] * 1000 > sum(counts.values()) and all(character > "\x7f" for character in pair)


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.1f}%"
