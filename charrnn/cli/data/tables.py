"""Output of `charrnn data`: the known texts, and statistics of a text."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from charrnn.cli.shared.tables import plain_table, show_table
from charrnn.cli.shared.terminal import escape_control_chars, log, log_wrapped
from charrnn.config import ModelConfig
from charrnn.formatting import percent, plural, shares_in_words, size, split_in_words
from charrnn.text.stats.unicode import FORMS
from charrnn.text.vocabulary import character_name

if TYPE_CHECKING:
    from charrnn.text.stats.describe import Description
    from charrnn.text.stats.warnings import TextWarning
    from charrnn.training.budget.estimate import Estimate

SHOWN_CHARACTERS, COLUMNS = 24, 4
"""The number of most frequent characters shown with their shares, and the number of columns of their table."""
SHOWN_NAMES = 5
"""The number of rare or odd characters shown by name."""
GIVEN_NAMES = {"\n": "newline", " ": "space", "\t": "tab", "\r": "return", "\xa0": "no-break space"}
"""Names of invisible characters in the table of frequent characters."""


def show_known_texts(rows: Sequence[dict[str, Any]]) -> None:
    """Print the table of known texts on stderr."""
    table = plain_table("name", "size", "source", "license", "in data/", padding=(0, 2, 0, 0))
    for row in rows:
        shown_size = size(row["bytes"]) if row["bytes"] else "varies"
        table.add_row(row["name"], shown_size, row["source"], row["licence"], "yes" if row["present"] else "no")
    show_table(table)
    log("`charrnn data NAME` fetches a text into data/; `charrnn train NAME` also fetches it if needed.")


def show_description(text: Description, warnings: Sequence[TextWarning]) -> None:
    """Print the statistics of a text, and warnings, on stderr."""
    _show_size(text)
    _show_characters(text)
    _show_lines(text)
    _show_repeats(text)
    log_wrapped("split", split_in_words(text.split, text.parts) or "none: the text is too short")
    for warning in warnings:
        log_wrapped("warning", warning.line)


def _show_size(text: Description) -> None:
    guess = text.guess
    log_wrapped(
        "text",
        f"{text.source}: {size(text.size)}, {plural(text.characters, 'character')}, "
        f"{plural(text.lines.number, 'line')}",
    )
    if text.config.bytes:
        line = f"not recognized: {guess.reason}; use --bytes to train" if guess else "none: read as bytes (--bytes)"
    elif guess and guess.is_sure and text.config.encoding == "utf-8":
        line = guess.reason
    elif guess:
        line = f"{text.config.encoding}, {guess.reason}; use --encoding {text.config.encoding} to train"
    else:
        line = f"{text.config.encoding} (--encoding)"
    log_wrapped("encoding", line)


def _show_characters(text: Description) -> None:
    common = list(text.counts.items())[:SHOWN_CHARACTERS]
    shown = f"the {len(common)} most frequent" if len(common) < len(text.counts) else "all of them"
    log_wrapped(
        "characters",
        f"{len(text.counts):,} distinct, entropy {text.entropy:.3f} bits per character (without context); {shown}:",
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
        occur = f"{plural(len(once), 'character')} occur{'s' * (len(once) == 1)} only once"
        log_wrapped(
            "rare",
            f"{occur}, {len(ten):,} fewer than 10 times ({percent(share)} of the text)"
            + ("" if text.config.bytes else f"; --min-count 10 leaves {kept:,}, including the unknown symbol"),
        )
        _show_names(ten)
    if text.odd and not text.config.bytes:
        kinds = "control, format, private-use or unassigned"
        log_wrapped("odd", f"{len(text.odd):,} distinct {kinds} character{'s' * (len(text.odd) != 1)}")
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
        names = f"{', '.join(FORMS)} (--normalize would change nothing)"
    else:
        names = " and ".join(forms.forms) or "none"
    nfc = (
        "" if "NFC" in forms.forms
        else f"; with --normalize NFC: {forms.nfc_characters:,} characters, {forms.nfc_vocab_size:,} distinct"
    )  # fmt: skip
    log_wrapped("normal form", f"{names}{nfc}")
    log_wrapped("case", f"--lower leaves {text.lower_vocab_size:,} of {len(text.counts):,} distinct characters")


def _show_lines(text: Description) -> None:
    lines = text.lines
    ends = " and ".join(text.line_ends) or "none"
    log_wrapped(
        "lines",
        f"median length {plural(lines.median_length, 'character')}, 90% have at most {lines.length_90:,}, "
        f"the longest has {lines.longest:,}; {lines.blank:,} blank, {lines.trailing_space:,} with trailing white space"
        + ("" if text.config.bytes else f"; line ends: {ends}"),
    )


def _show_repeats(text: Description) -> None:
    repeats = text.repeats
    sampled = "" if repeats.sampled == 1 else f" (estimated from one in {round(1 / repeats.sampled):,})"
    repeated, known = shares_in_words(repeats.by_name), shares_in_words(repeats.held_out_by_name)
    if repeated:
        log_wrapped("repeats", f"{repeated} occur more than once{sampled}")
    if known:
        log_wrapped("overlap", f"{known} also occur in the training part{sampled}")


def show_advice(text: Description, speed: float, choices: Sequence[Estimate]) -> None:
    """Print what `charrnn train` would choose for some budgets of time, on stderr."""
    log_wrapped(
        "estimate",
        "`charrnn train --minutes N` would choose these models, if this machine has no other work "
        f"({ModelConfig()} now trains at {speed:,.0f} chars/s):",
    )
    table = plain_table(padding=(0, 1, 0, 0))
    for header in ("", "minutes", "model", "parameters", "dropout", "epochs", "memory"):
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
        "", f"Memory: for weights and logits, in addition to Python and PyTorch. Temporary disk space: {size(disk)}."
    )


def _shown(character: str) -> str:
    """Return a character as shown in a table: by its name or code if the character alone is not visible."""
    if character in GIVEN_NAMES:
        return GIVEN_NAMES[character]
    if unicodedata.category(character)[0] in "MZ":  # a mark would join the preceding character; a space is invisible
        return f"U+{ord(character):04X}"
    return escape_control_chars(character)
