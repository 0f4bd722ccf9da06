"""A text in the terminal, each character colored by its surprisal."""

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
"""The lower bound of each color, in bits; characters below the first bound are not colored."""
MANY_COLORS = ("", "black on #fff3b0", "black on #fdc55f", "black on #f98e3c", "white on #d1431f", "white on #7d0f2b")
"""Colors from pale to dark, with a foreground color each, so that they are legible on dark and on light terminals."""
FEW_COLORS = ("", "black on cyan", "black on green", "black on yellow", "white on red", "white on magenta")
"""Colors of terminals that have only 16."""


def is_possible() -> bool:
    """Whether standard error is a terminal with colors, and NO_COLOR is not set."""
    screen = console()
    return screen.is_terminal and screen.color_system is not None and not screen.no_color


def show_surprisals(vocabulary: Vocabulary, ids: NDArray[Any], surprisals: NDArray[np.float64], of: int) -> None:
    """Print the beginning of a text, colored by surprisal, and a legend.

    Args:
        vocabulary: the vocabulary of the text.
        ids: (n,) the first characters of the text.
        surprisals: (n,) their surprisal, in nats.
        of: the number of characters of the text.
    """
    screen = console()
    styles = FEW_COLORS if screen.color_system == "standard" else MANY_COLORS
    screen.print(_legend(styles), soft_wrap=True)
    if len(ids) < of:
        screen.print(f"{'':12}the first {len(ids):,} of {of:,} characters (--show {of}: all)")
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
    """Yield each character with its bits; if ids are bytes, the sum over the bytes of a character."""
    decode, total = vocabulary.decoder(), 0.0
    for token, token_bits in zip(ids.tolist(), bits.tolist(), strict=True):
        total += token_bits
        piece = decode(token)
        if piece:
            yield piece, total
            total = 0.0
