"""What `score` shows: figures of a text or of several, and lines."""

from __future__ import annotations

import heapq
import sys
from collections.abc import Sequence

from rich.text import Text

from charrnn.cli.score.text import FITTED, Scored
from charrnn.cli.shared.tables import plain_table, show_table
from charrnn.cli.shared.terminal import console, field, one_line
from charrnn.cli.shared.texts import show_unknown
from charrnn.format import figure
from charrnn.scoring.evaluate import Score
from charrnn.scoring.lines import LineScore

MOST_LINES = 20
"""Of a table; all are in --json and in a pipe."""
NUMBERS, NAME, LEAST_TEXT = 40, 24, 10
"""Columns for the numbers of a line, for the name of its text, and, at least, for what it says."""


def show_text(scored: Scored) -> None:
    """Print the scores of one text."""
    part = scored.part
    field("text", f"{scored.corpus.source}: {len(part.ids):,} characters ({part.part}, split {part.split})")
    show_unknown(scored.corpus)
    _mind(scored)
    field("static", f"{_with_perplexity(scored.static)}, {part.rule.removeprefix('static, ')}")
    if scored.in_windows:
        field("windows", f"{_with_perplexity(scored.in_windows)}, each {scored.window} characters by themselves")
    if scored.online:
        how = "learning while it reads: no figure to compare with static ones"
        field("online", f"{_with_perplexity(scored.online)}, {how}")


def show_texts(ranked: Sequence[Scored]) -> None:
    """Print a table of several texts, in their order."""
    screen, first = console(), ranked[0]
    table = plain_table(collapse_padding=True)
    table.add_column("text", overflow="fold")
    headers = ["characters", "part", "bits/char", "nats/char", "perplexity"]
    headers += [f"window {first.window},\nbits/char"] * (first.window is not None)
    headers += ["online,\nbits/char"] * (first.online is not None)
    for header in headers:
        table.add_column(header, justify="right")
    for one in ranked:
        score = one.static
        cells = [f"{len(one.part.ids):,}", one.part.part]
        cells += [figure(score.bits_per_char), figure(score.nats_per_char), figure(score.perplexity, 3)]
        cells += [figure(other.bits_per_char) for other in (one.in_windows, one.online) if other]
        table.add_row(one_line(one.corpus.source), *cells)
    show_table(table)
    screen.print(f"\n{first.part.rule}, each text by itself; the least surprising first.", soft_wrap=True)
    for one in ranked:
        _mind(one)


def show_lines(texts: Sequence[Scored]) -> None:
    """Print the lines that are the most surprising by the character."""
    lines = [(one, line) for one in texts for line in one.lines()]
    # Short lines alone would be at the top; but what is the most surprising is for the reader to say.
    worst = heapq.nlargest(MOST_LINES, lines, key=lambda pair: pair[1].score.bits_per_char)
    table = plain_table(collapse_padding=True)
    if len(texts) > 1:
        table.add_column("text", overflow="fold", max_width=NAME)
    for header in ("line", "characters", "bits", "bits/char"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    screen = console()
    room = max(LEAST_TEXT, screen.width - NUMBERS - NAME * (len(texts) > 1))
    for one, line in worst:
        name = [one_line(one.corpus.source)] * (len(texts) > 1)
        numbers = (f"{line.line:,}", f"{line.score.characters:,}", figure(line.score.bits, 1))
        text = Text(one_line(one.text_of(line)).replace("\t", " "))
        text.truncate(room, overflow="ellipsis")
        table.add_row(*name, *numbers, figure(line.score.bits_per_char, 3), text)
    screen.print()
    show_table(table)
    if len(lines) > len(worst):
        what = f"The {len(worst)} most surprising of {len(lines):,} lines"
        screen.print(f"{what}; --json has all of them, and so has a pipe.", soft_wrap=True)


def print_lines(texts: Sequence[Scored]) -> None:
    """Print all lines on stdout, in their order: number, characters, bits, bits per character, text, with tabs between.

    The text's name comes first where there are several. Characters are written as they are.
    """
    sys.stdout.flush()
    for one in texts:
        name = f"{one_line(one.corpus.source)}\t" if len(texts) > 1 else ""
        for line in one.lines():
            cells = f"{name}{line.line}\t{_numbers(line)}\t{one.text_of(line)}\n"
            sys.stdout.buffer.write(cells.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def _numbers(line: LineScore) -> str:
    return f"{line.score.characters}\t{line.score.bits:.2f}\t{line.score.bits_per_char:.4f}"


def _with_perplexity(score: Score) -> str:
    return str(score) if score.impossible else f"{score}, perplexity {figure(score.perplexity, 3)}"


def _mind(scored: Scored) -> None:
    name = scored.model.name
    if scored.part.part == FITTED:
        source = one_line(scored.corpus.source)
        field("mind", f"{source} stands in what {name} was fitted on: no figure to compare with unseen texts")
    elif scored.corpus.sha256 != scored.model.facts.text.sha256 and len(scored.part.ids) < len(scored.corpus):
        field("mind", f"{scored.corpus.source} stands in what {name} was fitted on; only the held-out end is scored")
