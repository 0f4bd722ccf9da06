"""What `sample --novelty` and `compare` show of what is copied from the training text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from charrnn.cli.shared.tables import figures_table, show_table
from charrnn.cli.shared.terminal import console, one_line
from charrnn.formatting import percent, sparkline
from charrnn.scoring.novelty import CURVE, LONG_COPY, LONG_LINE, Novelty, TrainingText

if TYPE_CHECKING:
    from charrnn.text.corpus import Corpus

MAX_QUOTED = 50
"""The most characters of a copy that are shown."""
CURVE_LENGTHS = (4, 6, 8, 10, 15, 20, 30, 50)
"""Lengths of runs that have a column in the table of the curve."""


def show_novelty(rows: Sequence[tuple[str, Novelty]], corpus: Corpus) -> None:
    """Print a table of texts by their names, and what its columns mean."""
    screen = console()
    table = figures_table(
        "text", "novel\n10-grams", "novel\n20-grams", "novel\n40-grams", "longest\ncopy", "known\nwords",
        "known\npairs", "verbatim\nlines",
    )  # fmt: skip
    for name, novelty in rows:
        table.add_row(
            one_line(name),
            *(percent(share) for share in (novelty.novel_10, novelty.novel_20, novelty.novel_40)),
            f"{novelty.longest_copy:,}",
            *(percent(share) for share in (novelty.known_words, novelty.known_word_pairs, novelty.verbatim_lines)),
        )
    show_table(table)
    sizes = sorted({novelty.characters for _, novelty in rows}, reverse=True)
    screen.print(
        f"\n{' and '.join(f'{size:,}' for size in sizes)} characters against the training part of "
        f"{one_line(corpus.source)} ({len(corpus.train):,} characters). Novel: not in it; known, verbatim: in it; "
        f"lines: those of more than {LONG_LINE} characters."
    )


def show_curve(rows: Sequence[tuple[str, Novelty]]) -> None:
    """Print what share of runs of each length is novel, in figures and as a line of bars."""
    table = figures_table("novel runs of", *map(str, CURVE_LENGTHS))
    table.add_column(f"{CURVE[0]} to {CURVE[-1]}", no_wrap=True)
    for name, novelty in rows:
        shares = dict(zip(CURVE, novelty.curve, strict=True))
        table.add_row(
            one_line(name), *(percent(shares[length], 0) for length in CURVE_LENGTHS), sparkline(novelty.curve)
        )
    show_table(table)


def show_sample(text: str, training: TrainingText, corpus: Corpus, is_marked: bool) -> None:
    """Print what of a text is copied beside what of as much held-out text is, and the longest copy with its places."""
    screen = console()
    screen.print()
    ids = training.vocabulary.encode(text)
    novelty = training.judge(ids)
    rows = [("sample", novelty)]
    held_out = corpus.ids[len(corpus.train) :][: len(ids)]
    if len(held_out):
        rows.append(("held-out text", training.judge(held_out)))
    show_novelty(rows, corpus)
    at, from_, length = novelty.longest_copy_at, novelty.longest_copy_from, novelty.longest_copy
    line = 1 + np.count_nonzero(np.isin(corpus.ids[:from_], corpus.vocabulary.encode("\n", unknown="skip")))
    copied = corpus.vocabulary.decode(ids[at : at + min(length, MAX_QUOTED)].tolist()) + "..." * (length > MAX_QUOTED)
    if is_marked:
        screen.print(f"Red: copies of {LONG_COPY} characters and more.")
    screen.print(
        f'Longest copy: "{one_line(copied)}", at character {at + 1:,} of the sample, from line {line:,} of the text.'
    )
