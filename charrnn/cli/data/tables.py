"""What `charrnn data` shows: the known texts, and what a text is like."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from charrnn.cli.shared.tables import plain_table, show_table
from charrnn.cli.shared.terminal import escape_control_chars, log, log_wrapped
from charrnn.config import ModelConfig
from charrnn.formatting import percent, plural, size
from charrnn.text.stats.duplicates import LONG_LINE, RUN
from charrnn.text.stats.unicode import FORMS
from charrnn.text.vocabulary import character_name

if TYPE_CHECKING:
    from charrnn.text.stats.describe import Description
    from charrnn.text.stats.warnings import TextWarning
    from charrnn.training.budget.estimate import Estimate

SHOWN_CHARACTERS, COLUMNS = 24, 4
"""The number of most frequent characters shown with their shares, and the columns of that table."""
SHOWN_NAMES = 5
"""The number of rare or odd characters shown by name."""
GIVEN_NAMES = {"\n": "newline", " ": "space", "\t": "tab", "\r": "return", "\xa0": "no-break space"}


def show_known_texts(rows: Sequence[dict[str, Any]]) -> None:
    """Print the known texts, on stderr."""
    table = plain_table("name", "size", "source", "licence", "in data/", padding=(0, 2, 0, 0))
    for row in rows:
        shown_size = size(row["bytes"]) if row["bytes"] else "varies"
        table.add_row(row["name"], shown_size, row["source"], row["licence"], "yes" if row["present"] else "no")
    show_table(table)
    log("`charrnn data NAME` fetches one; `charrnn train NAME` does so by itself.")


def show_description(text: Description, warnings: Sequence[TextWarning]) -> None:
    """Print what a text is like, on stderr."""
    _show_size(text)
    _show_characters(text)
    _show_lines(text)
    _show_repeats(text)
    sizes = ", ".join(f"{name} {size:,}" for name, size in text.parts.items() if size)
    log_wrapped("split", f"{text.split} ({sizes})" if sizes else "too short for one")
    for warning in warnings:
        log_wrapped("mind", warning.line)


def _show_size(text: Description) -> None:
    guess = text.guess
    log_wrapped(
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
    log_wrapped("encoding", why)


def _show_characters(text: Description) -> None:
    common = list(text.counts.items())[:SHOWN_CHARACTERS]
    log_wrapped(
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
        log_wrapped(
            "rare",
            f"once: {len(once):,}, less than 10 times: {len(ten):,} ({percent(share)} of the text)"
            + ("" if text.config.bytes else f"; --min-count 10 leaves {kept:,}, one of them for unknown ones"),
        )
        _show_names(ten)
    if text.odd and not text.config.bytes:
        log_wrapped("odd", f"{len(text.odd):,} control, format, private or unassigned characters")
        _show_names(text.odd)
    if text.forms:
        _show_forms(text)


def _show_names(counts: dict[str, int]) -> None:
    for character, count in list(counts.items())[-SHOWN_NAMES:]:
        log(f"{'':12}{character_name(character)}: {count:,}")
    if len(counts) > SHOWN_NAMES:
        log(f"{'':12}and {len(counts) - SHOWN_NAMES:,} more")


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
    log_wrapped("normal form", f"{is_in}{nfc}")
    log_wrapped("capitals", f"--lower leaves {text.lower_vocab_size:,} different characters of {len(text.counts):,}")


def _show_lines(text: Description) -> None:
    lines = text.lines
    ends = " and ".join(text.line_ends) or "none"
    log_wrapped(
        "lines",
        f"half have {lines.median_length:,} characters or fewer, nine of ten {lines.length_90:,}, the longest "
        f"{lines.longest:,}; {lines.blank:,} blank, {lines.trailing_space:,} end with white space"
        + ("" if text.config.bytes else f"; line ends {ends}"),
    )


def _show_repeats(text: Description) -> None:
    repeats = text.repeats
    sampled = "" if repeats.sampled == 1 else f" (estimated from one in {round(1 / repeats.sampled):,})"
    log_wrapped(
        "copies",
        f"{percent(repeats.runs)} of the runs of {RUN} characters stand elsewhere in it too, "
        f"{percent(repeats.lines)} of the lines of more than {LONG_LINE}{sampled}",
    )
    if repeats.held_out_runs is not None or repeats.held_out_lines is not None:
        log_wrapped(
            "held out",
            f"of what is held out, {percent(repeats.held_out_runs)} of the runs and "
            f"{percent(repeats.held_out_lines)} of the lines, those that differ, are in the training part",
        )


def show_advice(text: Description, speed: float, choices: Sequence[Estimate]) -> None:
    """Print what some minutes would buy, on stderr."""
    log_wrapped(
        "minutes",
        f"what `charrnn train` would choose, alone on this machine: {ModelConfig()} now reads "
        f"{speed:,.0f} characters a second",
    )
    table = plain_table(padding=(0, 1, 0, 0))
    for header in ("", "minutes", "model", "parameters", "dropout", "readings", "memory"):
        table.add_column(header, justify="left" if header == "model" else "right")
    for choice in choices:
        early = ", ends early" * choice.ends_early
        table.add_row(
            " " * 10, f"{choice.minutes:g}", str(choice.model), f"{choice.parameters / 1e6:.1f} M",
            f"{choice.model.dropout:g}",
            f"{choice.epochs:.2g}{early}", size(choice.memory),
        )  # fmt: skip
    show_table(table)
    disk = text.characters * (1 if text.vocab_size <= 256 else 2 if text.vocab_size <= 1 << 16 else 4)
    log_wrapped(
        "", f"Memory: weights and logits, beside Python's and PyTorch's. On the disk, while it runs: {size(disk)}."
    )


def _shown(character: str) -> str:
    """A character in a table, by its name or code where it cannot be seen by itself."""
    if character in GIVEN_NAMES:
        return GIVEN_NAMES[character]
    if unicodedata.category(character)[0] in "MZ":  # a mark would join the character before it; a space is not seen
        return f"U+{ord(character):04X}"
    return escape_control_chars(character)
