"""What a description of a text means for who is going to train on it: each finding one line, with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from charrnn.text.stats.describe import Description
from charrnn.text.stats.duplicates import LONG_LINE, RUN
from charrnn.text.vocabulary import name_of

SHORT = 50_000
"""Characters; n-grams beat a minute's network in the first 10,000 and 30,000 of Tiny Shakespeare, see
docs/experiments.md."""
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
LEAST_SEPARATORS = 3
LEAST_SAVED = 0.25
"""The share of a vocabulary that is worth an option."""
BROKEN = ("â€", "Ã©", "Ã¤", "Ã¼", "Ã¶")
"""What UTF-8 looks like that was read as cp1252, and saved again."""


class Finding(NamedTuple):
    """What was found: its name, and the line."""

    name: str
    line: str


def findings(text: Description) -> Iterator[Finding]:
    """What is worth saying of a text, the gravest first."""
    yield from _of_length(text)
    yield from _of_repeats(text)
    yield from _of_lines(text)
    yield from _of_characters(text)


def _of_length(text: Description) -> Iterator[Finding]:
    if not text.parts:
        yield Finding("too_short", "too short to train on: nothing would be left; bring some thousands of characters")
    elif text.parts["train"] < SHORT:
        yield Finding(
            "short",
            f"short: from less than {SHORT:,} characters n-grams learn more than a network does, and at once; "
            "`charrnn ngram`, or `charrnn train --with-ngram` for both",
        )
    if text.characters > LARGE:
        yield Finding(
            "large",
            "large: a network reads it from the disk, but n-grams take memory, 9.1 GB for 1 GB of source code; "
            "`charrnn ngram --prune 1` writes a smaller file",
        )


def _of_repeats(text: Description) -> Iterator[Finding]:
    found = text.repeats
    if max(found.runs or 0, found.lines or 0) > REPEATED:
        yield Finding(
            "duplicates",
            f"mostly copies: of runs of {RUN} characters {_percent(found.runs)} stand elsewhere too, of lines of more "
            f"than {LONG_LINE} {_percent(found.lines)}; take them out, or it is learnt by heart",
        )
    if max(found.held_out_runs or 0, found.held_out_lines or 0) > LEAKED:
        yield Finding(
            "held_out_is_known",
            f"scores will be too good: {_percent(found.held_out_runs)} of the held-out runs of {RUN} characters, "
            f"{_percent(found.held_out_lines)} of the long lines, are in the training part too",
        )


def _of_lines(text: Description) -> Iterator[Finding]:
    lines = text.lines
    if lines.longest > LONG:
        yield Finding(
            "long_line",
            f"a line of {lines.longest:,} characters: data rather than text, or line ends were lost; look at it",
        )
    separator = next(iter(lines.separators), None)
    if separator and lines.separators[separator] >= LEAST_SEPARATORS:
        yield Finding(
            "documents",
            f"may be several documents: {lines.separators[separator]:,} lines are {separator!r}; "
            f"`--document-separator` tells where one ends",
        )
    elif text.counts.get("\f", 0) >= LEAST_SEPARATORS and not text.config.bytes:
        yield Finding(
            "documents",
            f"may be several documents or pages: {text.counts[chr(12)]:,} form feeds; `--document-separator` tells "
            "where one ends",
        )
    if "CR" in text.line_ends or len(text.line_ends) > 1:
        yield Finding("line_ends", f"line ends are {' and '.join(text.line_ends)}; all are read as one newline")
    if lines.number and lines.trailing_space > lines.number / 10:
        yield Finding(
            "trailing_space", f"{lines.trailing_space:,} lines end with white space, which the model learns to write"
        )


def _of_characters(text: Description) -> Iterator[Finding]:
    counts = text.counts
    if counts.get("\0", 0):
        yield Finding(
            "binary", f"{counts[chr(0)]:,} zero characters: no text, or in another --encoding; or say --bytes"
        )
    if counts.get("\ufffd", 0):
        yield Finding(
            "replacement",
            f"{counts[chr(0xFFFD)]:,} characters are U+FFFD: it may have been read in a wrong encoding and saved so",
        )
    if text.config.bytes:
        return
    if any(all(counts.get(one, 0) > 2 for one in pair) and _is_common(pair, counts) for pair in BROKEN):
        yield Finding(
            "broken_encoding",
            f"looks like UTF-8 that was read as cp1252 and saved again ({BROKEN[0]}, {BROKEN[1]}); mend it",
        )
    odd = {character: count for character, count in text.odd.items() if character not in "\0\f"}
    if odd:
        first = next(iter(odd))
        yield Finding(
            "odd_characters",
            f"{sum(odd.values()):,} control, format or unassigned characters, {len(odd):,} different, such as "
            f"{name_of(first)}",
        )
    if text.vocab_size > MANY:
        yield Finding(
            "many_characters",
            f"{text.vocab_size:,} different characters, each with weights of its own: --bytes has 256, and takes as "
            "many steps as there are bytes; --min-count leaves rare ones out",
        )
    rare = text.rarer_than(10)
    if len(rare) > LEAST_SAVED * text.vocab_size:
        yield Finding(
            "rare_characters",
            f"{len(rare):,} of {text.vocab_size:,} different characters occur less than 10 times: too rarely to be "
            "learnt; `--min-count 10` makes one unknown symbol of them",
        )
    forms = text.forms
    if forms and "NFC" not in forms.forms:
        kind = "NFD" if "NFD" in forms.forms else "in no normal form"
        yield Finding(
            "not_nfc",
            f"is {kind}: `--normalize NFC` makes {forms.nfc_characters:,} characters of {text.characters:,}, "
            f"{forms.nfc_vocab_size:,} different ones of {text.vocab_size:,}",
        )


def _is_common(pair: str, counts: dict[str, int]) -> bool:
    """Whether the first of two characters that seldom meet is as common as it would be if text was broken so."""
    return counts[pair[0]] * 1000 > sum(counts.values()) and all(one > "\x7f" for one in pair)


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.1f}%"
