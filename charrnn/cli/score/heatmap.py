"""A text on a terminal, each character on a colour that says how surprising it was."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from charrnn.cli.shared.terminal import console, escape_control_chars
from charrnn.text.vocabulary import Vocabulary

BOUNDS = (1, 2, 4, 6, 8)
"""Bits at which the next colour begins; what is below the first has none."""
MANY_COLOURS = ("", "black on #fff3b0", "black on #fdc55f", "black on #f98e3c", "white on #d1431f", "white on #7d0f2b")
"""From pale to dark. Letters have a colour of their own too, so that they are read on dark and on light screens."""
FEW_COLOURS = ("", "black on cyan", "black on green", "black on yellow", "white on red", "white on magenta")
"""Where there are 16."""


def is_possible() -> bool:
    """Whether colours are seen on standard error."""
    screen = console()
    return screen.is_terminal and screen.color_system is not None and not screen.no_color


def show_surprisals(vocabulary: Vocabulary, ids: NDArray[Any], surprisals: NDArray[np.float64], of: int) -> None:
    """Print a text and what its colours mean.

    Args:
        vocabulary: of the text.
        ids: (n,) the beginning of a text.
        surprisals: (n,) nats.
        of: how many characters the text has.
    """
    screen = console()
    styles = FEW_COLOURS if screen.color_system == "standard" else MANY_COLOURS
    screen.print(_legend(styles), soft_wrap=True)
    if len(ids) < of:
        screen.print(f"{'':12}the first {len(ids):,} of {of:,} characters; --show {of} for all")
    text = Text()
    for piece, bits in _characters(vocabulary, ids, surprisals / math.log(2)):
        text.append(
            escape_control_chars(piece, "↵\n" if bits >= BOUNDS[0] else "\n"), styles[bisect_right(BOUNDS, bits)]
        )
    screen.print(text, soft_wrap=True, end="" if text.plain.endswith("\n") else "\n")


def _legend(styles: Sequence[str]) -> Text:
    names = [f"below {BOUNDS[0]}", *(f"{low}-{high}" for low, high in pairwise(BOUNDS))]
    legend = Text.assemble((f"{'surprisal':<12}", "bold"))
    for name, style in zip((*names, f"{BOUNDS[-1]} and more"), styles, strict=True):
        legend.append(f" {name} ", style)
        legend.append(" ")
    return legend.append("bits")


def _characters(vocabulary: Vocabulary, ids: NDArray[Any], bits: NDArray[np.float64]) -> Iterator[tuple[str, float]]:
    """Each character with its bits; those of the bytes that it is made of, where ids are bytes."""
    decode, total = vocabulary.decoder(), 0.0
    for token, token_bits in zip(ids.tolist(), bits.tolist(), strict=True):
        total += token_bits
        piece = decode(token)
        if piece:
            yield piece, total
            total = 0.0
