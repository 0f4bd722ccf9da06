"""Bits per character and copying of n-grams by their order: what makes Goldberg's point, and where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import NgramConfig, SamplingConfig
from charrnn.lab.experiment import LabContext, LabResult, Row, column, describe_text, held_out, title
from charrnn.models.ngram.fit import fit_ngram
from charrnn.report.figures import INK, SERIES, legend, new_figure
from charrnn.sampling.generate import generate
from charrnn.scoring.evaluate import evaluate
from charrnn.scoring.novelty import Novelty, TrainingText
from charrnn.scoring.surprisal import surprisals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMOOTHINGS = ("ml", "mkn", "tuned")
WRITERS = ("ml", "tuned")
"""What they write is judged."""
NAMES = {"ml": "Goldberg's counts", "mkn": "modified Kneser-Ney", "tuned": "tuned", "held-out": "held-out text"}
COLORS = dict(zip(NAMES, (*SERIES[:3], INK), strict=True))
JUDGED = ("novel_10", "novel_20", "novel_40", "longest_copy", "known_words", "known_word_pairs", "verbatim_lines")
COPYING = {"new": "novel_20", "copy": "longest_copy", "words": "known_words", "lines": "verbatim_lines"}
"""What the table shows of it; of `tuned` not the last, which are none."""


@dataclass(frozen=True)
class NgramsSize:
    """How large the experiment is; fixed, so that a seed gives one result.

    Attributes:
        orders: the predicted character counted.
        length: characters that each model writes to be judged.
    """

    orders: tuple[int, ...]
    length: int


SIZES = {
    "tiny": NgramsSize((1, 3), 200),
    "quick": NgramsSize((*range(1, 12), 13, 16, 21), 20_000),
    "full": NgramsSize((*range(1, 18), 21), 100_000),
}


def run(context: LabContext, size: NgramsSize) -> LabResult:
    """Fit, score and let write the n-grams of each order.

    Raises:
        TextError: nothing of the text is held out.
    """
    corpus = context.require_corpus()
    ids, vocab_size = held_out(corpus, 1), len(corpus.vocabulary)
    training = TrainingText(corpus.train.ids, corpus.vocabulary)
    rows: list[Row] = []
    for number, order in enumerate(size.orders):
        for which, smoothing in enumerate(SMOOTHINGS):
            model = fit_ngram(corpus.train.ids, vocab_size, NgramConfig(order, smoothing))
            row: dict[str, Any] = {"order": order, "smoothing": smoothing}
            score = evaluate(model, ids)
            row["bits_per_char"] = None if score.impossible else score.bits_per_char
            row["impossible_share"] = score.impossible_share
            row["floor"] = row["floored_bits_per_char"] = None
            if smoothing == "ml":
                probabilities = np.exp(-surprisals(model, ids))
                row["floor"] = best_floor(probabilities, vocab_size)
                row["floored_bits_per_char"] = floored_bits(probabilities, vocab_size, row["floor"])
            novelty = None
            if smoothing in WRITERS:
                config = SamplingConfig(length=size.length, seed=context.seed)
                written = "".join(generate(model, corpus.vocabulary, config))
                novelty = training.judge(corpus.vocabulary.encode(written))
            rows.append(row | _judged(novelty))
            done = number * len(SMOOTHINGS) + which + 1
            context.progress("n-grams", done, len(size.orders) * len(SMOOTHINGS))
    beside = dict.fromkeys(rows[0]) | {"smoothing": "held-out"}
    rows.append(beside | _judged(training.judge(ids[: size.length])))
    description = (
        f"{describe_text(corpus)}: bits per character of all {len(ids):,} held-out characters, one full pass, static. "
        f"Goldberg's counts (ml) have characters of probability 0, and so infinitely many bits; with a floor they are "
        f"(1−ε) p + ε / {vocab_size}, with the ε that is best for these very characters. Copying: {size.length:,} "
        f"characters written by each, seed {context.seed}, against the training part; order counts the predicted "
        "character."
    )
    table_note = (
        "In the table, of what ml and tuned wrote: new, share of runs of 20 characters that the training part lacks; "
        "copy, characters of the longest copy; lines, share of long lines that are copies; words, share that is known. "
        "text: the held-out text itself."
    )
    return LabResult(rows, _table(rows), description, _draw(rows), table_note=table_note)


def floored_bits(probabilities: NDArray[np.float64], vocab_size: int, floor: float) -> float:
    """Bits per character where a share ε of all probability is spread evenly: (1−ε) p + ε / V.

    Args:
        probabilities: (N,) of the characters of a text.
        vocab_size: V.
        floor: ε.
    """
    return float(-np.log2((1 - floor) * probabilities + floor / vocab_size).mean())


def best_floor(probabilities: NDArray[np.float64], vocab_size: int) -> float:
    """The ε that gives the fewest bits for a text, by halving: the bits are convex in ε."""
    low, high = 0.0, 1.0
    for _ in range(40):
        floor = (low + high) / 2
        mixed = (1 - floor) * probabilities + floor / vocab_size
        falls = ((1 / vocab_size - probabilities) / mixed).mean() > 0
        low, high = (floor, high) if falls else (low, floor)
    return (low + high) / 2


def _judged(novelty: Novelty | None) -> dict[str, Any]:
    return {name: getattr(novelty, name, None) for name in JUDGED}


def _table(rows: Sequence[Row]) -> list[list[str]]:
    table = [["order", "zeros", "ml", "ε", "mkn", "tuned", *(f"ml {name}" for name in COPYING)]]
    table[0] += [f"tuned {name}" for name in COPYING][:-1]
    for order in column(rows, "order", smoothing="ml"):
        ml, mkn, tuned = (row for row in rows if row["order"] == order)
        table.append(
            [f"{order}", f"{ml['impossible_share']:.1%}", f"{ml['floored_bits_per_char']:.3f}", f"{ml['floor']:.2f}"]
            + [f"{row['bits_per_char']:.3f}" for row in (mkn, tuned)]
            + [*_copying(ml), *_copying(tuned)[:-1]]
        )
    (beside,) = (row for row in rows if row["smoothing"] == "held-out")
    return [*table, ["text", *[""] * 5, *_copying(beside), *[""] * (len(COPYING) - 1)]]


def _copying(row: Row) -> list[str]:
    shares = {name: "-" if row[name] is None else f"{row[name]:.0%}" for name in COPYING.values()}
    return list((shares | {"longest_copy": f"{row['longest_copy']:,}"}).values())


def _draw(rows: Sequence[Row]) -> Figure:
    figure, axes = new_figure(7.0, 5.7, columns=2, rows=2)
    bits, zeros, novel, longest = axes
    orders = column(rows, "order", smoothing="ml")
    line(
        bits,
        orders,
        column(rows, "floored_bits_per_char", smoothing="ml"),
        "ml",
        "Goldberg's counts with the best floor",
    )
    for smoothing in ("mkn", "tuned"):
        line(bits, orders, column(rows, "bits_per_char", smoothing=smoothing), smoothing)
    title(bits, "bits per character, held out")
    legend(bits, "upper right")
    line(zeros, orders, [100 * share for share in column(rows, "impossible_share", smoothing="ml")], "ml")
    title(zeros, "held out: probability 0, %")
    zeros.set_ylim(0)
    legend(zeros, "lower right")
    for ax, name, scale in ((novel, "novel_20", 100), (longest, "longest_copy", 1)):
        for smoothing in WRITERS:
            values = [np.nan if value is None else scale * value for value in column(rows, name, smoothing=smoothing)]
            line(ax, orders, values, smoothing)
        (beside,) = column(rows, name, smoothing="held-out")
        if beside is not None:
            ax.axhline(scale * beside, color=INK, linewidth=1, linestyle="--", label=NAMES["held-out"])
    title(novel, "written: new runs of 20, %")
    novel.set_ylim(-3, 104)
    legend(novel, "lower left")
    title(longest, "written: longest copy")
    longest.set_yscale("log")
    for ax in axes:
        ax.set_xlabel("order")
        ax.set_xlim(0.5, max(orders) + 0.5)
        ax.set_xticks(range(1, max(orders) + 1, 4))
    return figure


def line(ax: Axes, orders: Sequence[int], values: Sequence[float], smoothing: str, label: str = "") -> None:
    """One line over the orders, in the smoothing's color."""
    color, marker = COLORS[smoothing], "os^"[SMOOTHINGS.index(smoothing)]
    ax.plot(orders, values, color=color, label=label or NAMES[smoothing], marker=marker, markersize=4, linewidth=1.6)
