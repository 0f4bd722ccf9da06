"""What `charrnn inspect` shows of a text."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from charrnn.cli.shared.tables import plain_table, show_table
from charrnn.cli.shared.terminal import paragraph, say, visible
from charrnn.format import percent, plural, size
from charrnn.text.stats.duplicates import LONG_LINE, RUN
from charrnn.text.stats.unicode import FORMS
from charrnn.text.vocabulary import name_of

if TYPE_CHECKING:
    from charrnn.text.stats.describe import Description
    from charrnn.text.stats.encoding import Guess
    from charrnn.text.stats.warnings import Finding
    from charrnn.training.budget.estimate import Advice

TOP = 24
"""Characters that are shown with their shares."""
COLUMNS = 4
SOME = 5
"""Rare characters that are shown by name."""
GIVEN_NAMES = {"\n": "newline", " ": "space", "\t": "tab", "\r": "return", "\xa0": "no-break space"}


def show_text(text: Description, guess: Guess | None, found: Sequence[Finding]) -> None:
    """Print what a text is like, on stderr."""
    _showsize(text, guess)
    _show_characters(text)
    _show_lines(text)
    _show_repeats(text)
    sizes = ", ".join(f"{name} {size:,}" for name, size in text.parts.items() if size)
    paragraph("split", f"{text.split} ({sizes})" if sizes else "too short for one")
    for one in found:
        paragraph("mind", one.line)


def _showsize(text: Description, guess: Guess | None) -> None:
    paragraph(
        "text",
        f"{text.source}: {size(text.size)}, {plural(text.characters, 'character')}, "
        f"{plural(text.lines.number, 'line')}",
    )
    if text.config.bytes:
        why = f"none: {guess.reason}; say --bytes to train" if guess else "read as bytes"
    elif guess and guess.is_sure and text.config.encoding == "utf-8":
        why = guess.reason
    elif guess:
        why = f"{guess.reason}: {text.config.encoding}; say --encoding {text.config.encoding} to train"
    else:
        why = f"{text.config.encoding}, as was said"
    paragraph("encoding", why)


def _show_characters(text: Description) -> None:
    common = list(text.counts.items())[:TOP]
    paragraph(
        "characters",
        f"{len(text.counts):,} different, entropy {text.entropy:.3f} bits per character (each by itself); "
        + (f"the commonest {len(common)}:" if len(common) < len(text.counts) else "all of them:"),
    )
    table = plain_table(show_header=False, padding=(0, 2, 0, 0))
    rows = -(-len(common) // COLUMNS)
    for begin in range(rows):
        cells = [f"{_shown(character)} {percent(count / text.characters)}" for character, count in common[begin::rows]]
        table.add_row(" " * 10, *cells)
    show_table(table)
    once, ten = text.rarer_than(2), text.rarer_than(10)
    if ten:
        share = sum(ten.values()) / text.characters
        kept = text.vocab_size - len(ten) + 1
        paragraph(
            "rare",
            f"once: {len(once):,}, less than 10 times: {len(ten):,} ({percent(share)} of the text)"
            + ("" if text.config.bytes else f"; --min-count 10 leaves {kept:,}, one of them for unknown ones"),
        )
        _show_names(ten)
    if text.odd and not text.config.bytes:
        paragraph("odd", f"{len(text.odd):,} control, format, private or unassigned characters")
        _show_names(text.odd)
    if text.forms:
        _show_forms(text)


def _show_names(counts: dict[str, int]) -> None:
    for character, count in list(counts.items())[-SOME:]:
        say(f"{'':12}{name_of(character)}: {count:,}")
    if len(counts) > SOME:
        say(f"{'':12}and {len(counts) - SOME:,} more")


def _show_forms(text: Description) -> None:
    forms = text.forms
    assert forms
    if len(forms.forms) == len(FORMS):
        is_in = "any: no character of it could be written otherwise"
    else:
        is_in = " and ".join(forms.forms) or "none"
    nfc = (
        "" if "NFC" in forms.forms
        else f"; --normalize NFC: {forms.nfc_characters:,} characters, {forms.nfc_vocab_size:,} different"
    )  # fmt: skip
    paragraph("normal form", f"{is_in}{nfc}")
    paragraph("capitals", f"--lower leaves {text.lower_vocab_size:,} different characters of {len(text.counts):,}")


def _show_lines(text: Description) -> None:
    lines = text.lines
    ends = " and ".join(text.line_ends) or "none"
    paragraph(
        "lines",
        f"half have {lines.median_length:,} characters or fewer, nine of ten {lines.length_90:,}, the longest "
        f"{lines.longest:,}; {lines.blank:,} blank, {lines.trailing_space:,} end with white space"
        + ("" if text.config.bytes else f"; line ends {ends}"),
    )


def _show_repeats(text: Description) -> None:
    found = text.repeats
    sampled = "" if found.sampled == 1 else f" (estimated from one in {round(1 / found.sampled):,})"
    paragraph(
        "copies",
        f"{percent(found.runs)} of the runs of {RUN} characters stand elsewhere in it too, "
        f"{percent(found.lines)} of the lines of more than {LONG_LINE}{sampled}",
    )
    if found.held_out_runs is not None or found.held_out_lines is not None:
        paragraph(
            "held out",
            f"of what is held out, {percent(found.held_out_runs)} of the runs and {percent(found.held_out_lines)} of "
            "the lines, those that differ, are in the training part",
        )


def show_advice(text: Description, advice: Advice) -> None:
    """Print what some minutes would buy, on stderr."""
    paragraph(
        "minutes",
        f"what `charrnn train` would choose, alone on this machine: {advice.measured} now reads "
        f"{advice.chars_per_second:,.0f} characters a second",
    )
    table = plain_table(padding=(0, 1, 0, 0))
    for header in ("", "minutes", "model", "parameters", "dropout", "readings", "memory"):
        table.add_column(header, justify="left" if header == "model" else "right")
    for one in advice.choices:
        early = ", ends early" * one.ends_early
        table.add_row(
            " " * 10, f"{one.minutes:g}", str(one.model), f"{one.parameters / 1e6:.1f} M", f"{one.model.dropout:g}",
            f"{one.epochs:.2g}{early}", size(one.memory),
        )  # fmt: skip
    show_table(table)
    disk = text.characters * (1 if text.vocab_size <= 256 else 2 if text.vocab_size <= 1 << 16 else 4)
    paragraph(
        "", f"Memory: weights and logits, beside Python's and PyTorch's. On the disk, while it runs: {size(disk)}."
    )


def _shown(character: str) -> str:
    """A character in a table: visible, and told by its name where it is none that is seen."""
    if character in GIVEN_NAMES:
        return GIVEN_NAMES[character]
    if unicodedata.category(character)[0] == "M":
        return f"U+{ord(character):04X}"  # it would join what stands before it
    if unicodedata.category(character)[0] == "Z":
        return f"U+{ord(character):04X}"
    return visible(character)
