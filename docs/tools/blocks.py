"""The fenced blocks of a page, and the commands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FENCE = re.compile(
    r"(?P<comments>(?:^[ ]*<!--(?:(?!-->).)*-->[ ]*\n\s*)*)"
    r"^(?P<indent>[ ]*)(?P<ticks>```+)(?P<language>[\w+-]*)[^\n]*\n(?P<body>.*?)^(?P=indent)(?P=ticks)[ ]*$\n?",
    re.MULTILINE | re.DOTALL,
)
"""A fenced block, with the comments directly before it."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        language: the word after the backticks.
        body: its lines.
        comment: the comments directly before it.
    """

    language: str
    body: str
    comment: str = ""

    @property
    def is_run(self) -> bool:
        """Whether the tests of the page run it: not after `<!-- not run: reason -->`, and not what cog printed."""
        return "<!-- not run:" not in self.comment and "[[[cog" not in self.comment

    def commands(self) -> list[str]:
        """The commands in the block, without comments: lines after `$ ` in a console, all lines of a script."""
        text = re.sub(r"\\\n\s*(?:> )?", "", self.body)
        lines = text.splitlines()
        if self.language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        elif self.language in ("bash", "sh"):
            lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
        else:
            return []
        return [re.split(r"\s+#\s", line)[0].strip() for line in lines]


def blocks(markdown: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for match in FENCE.finditer(markdown):
        indent = len(match["indent"])
        body = "".join(line[indent:] for line in match["body"].splitlines(keepends=True))
        yield Block(match["language"], body, match["comments"])
