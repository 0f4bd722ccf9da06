"""Tables of `sample --novelty` and `compare` about what is copied from the training text."""

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
"""The maximum number of characters shown of a copy."""
CURVE_LENGTHS = (4, 6, 8, 10, 15, 20, 30, 50)
"""The n of the n-grams that have a column in the table of the novelty curve."""


def show_novelty(rows: Sequence[tuple[str, Novelty]], corpus: Corpus) -> None:
    """Print the table of named texts, and what its columns mean."""
    screen = console()
    table = figures_table(
        "text", "novel\n10-grams", "novel\n20-grams", "novel\n40-grams", "longest\ncopy", "known\nwords",
        "known\npairs", "copied\nlines",
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
        f"\n{' and '.join(f'{size:,}' for size in sizes)} characters, compared with the training part of "
        f"{one_line(corpus.source)} ({len(corpus.train):,} characters). Novel n-grams: share of n-character sequences "
        "that do not occur in the training part. Longest copy: characters of the longest passage that occurs there. "
        "Known words and pairs: share of words, and of pairs of words, that occur there. Copied lines: share of lines "
        f"of more than {LONG_LINE} characters that occur there."
    )


def show_curve(rows: Sequence[tuple[str, Novelty]]) -> None:
    """Print the share of n-grams of each length that is novel, as figures and as a line of bars."""
    table = figures_table("novel n-grams, n =", *map(str, CURVE_LENGTHS))
    table.add_column(f"{CURVE[0]} to {CURVE[-1]}", no_wrap=True)
    for name, novelty in rows:
        shares = dict(zip(CURVE, novelty.curve, strict=True))
        table.add_row(
            one_line(name), *(percent(shares[length], 0) for length in CURVE_LENGTHS), sparkline(novelty.curve)
        )
    show_table(table)


def show_sample(text: str, training: TrainingText, corpus: Corpus, is_marked: bool) -> None:
    """Print how much of a sample is copied, compared with equally much held-out text, and its longest copy."""
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
        screen.print(f"Red: copied from the training part, {LONG_COPY} characters or more in a row.")
    screen.print(
        f'The longest copy is "{one_line(copied)}", at character {at + 1:,} of the sample, '
        f"from line {line:,} of the text."
    )
