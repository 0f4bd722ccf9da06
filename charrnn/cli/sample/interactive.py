"""`charrnn sample --interactive`: the model goes on from what is typed, line after line, and keeps its state.

It works in a pipe too: then nothing but what the model writes goes to standard output.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from charrnn.cli.sample.output import Source, writer
from charrnn.cli.shared.escapes import unescaped
from charrnn.cli.shared.terminal import say
from charrnn.config import SamplingConfig
from charrnn.errors import CharRNNError, UsageError
from charrnn.sampling.generate import new_seed, stream
from charrnn.sampling.state import Mark

HELP = """TEXT            is read as it is, without the end of the line, and written on; \\n is a line end, // a slash
(nothing)       goes on writing
/undo           forget the last line and what came of it
/retry          write something else after it
/temp 0.5       another temperature
/length 200     how many characters are written
/seed 7         other random numbers from here on
/reset          forget everything
/help           this
/quit           leave, as the end of the input does"""
PROMPT = "> "


class Conversation:
    """What was said so far.

    Args:
        source: the model, and how it writes.
        begin: where it begins.
    """

    def __init__(self, source: Source, begin: Mark) -> None:
        self.source, self.config = source, source.config
        self.mark = self.first = begin
        self.turns: list[tuple[Mark, Mark]] = []
        """Where the text was before each line, and where after it was read, before anything was written."""
        self.commands: dict[str, Callable[[str], None]] = {
            "/undo": self._undo,
            "/retry": self._retry,
            "/temp": lambda word: self._set("temperature", word, float),
            "/length": lambda word: self._set("length", word, int),
            "/seed": self._seed,
            "/reset": self._reset,
            "/help": lambda word: _say_lines(HELP),
        }

    def answer(self, line: str) -> None:
        """Do what a line says: a command, or what the model goes on from.

        Raises:
            CharRNNError: it cannot be done; nothing has changed.
        """
        if line.startswith("/") and not line.startswith("//"):
            name, _, word = line.partition(" ")
            if name not in self.commands:
                raise UsageError(f"{name}: there is no such command; /help shows them, and // begins a text with /")
            self.commands[name](word.strip())
            return
        typed = self.source.prepared(unescaped(line.removeprefix("/") if line.startswith("//") else line))
        ids = self.source.blend.vocabulary.encode(typed, self.source.unknown).tolist()
        self._go_on(self.mark, self.source.read_on(self.mark, ids))

    def _go_on(self, before: Mark, after: Mark) -> None:
        """Write, as far as it gets: Ctrl-C ends the text, not the conversation."""
        writing = replace(self.source, config=self.config, state=None).writing([after])
        write = writer()
        self.turns.append((before, after))
        try:
            for piece in stream(writing):
                write(piece, False)
        except KeyboardInterrupt:
            say("")
        finally:
            (self.mark,) = writing.marks
            write("" if writing.texts[0].written.endswith("\n") else "\n", False)

    def _undo(self, word: str) -> None:
        if not self.turns:
            raise UsageError("/undo: there is nothing to forget")
        self.mark, _ = self.turns.pop()
        say(f"goes on after {self._end()}")

    def _retry(self, word: str) -> None:
        if not self.turns:
            raise UsageError("/retry: nothing was written yet; type something first")
        before, after = self.turns.pop()
        # The numbers that come next, not those that the text which is forgotten was drawn with.
        self._go_on(before, replace(after, seed=self.mark.seed, position=self.mark.position))

    def _seed(self, word: str) -> None:
        seed = new_seed() if not word else self._checked("seed", word, int).seed
        assert seed is not None
        self.mark = self.mark.with_seed(seed)
        say(f"seed {seed}")

    def _reset(self, word: str) -> None:
        self.mark = replace(Mark.start(self.source.blend.vocabulary, self.mark.seed), position=self.mark.position)
        self.turns.clear()
        say("everything is forgotten")

    def _set(self, name: str, word: str, kind: Callable[[str], float]) -> None:
        self.config = self._checked(name, word, kind)
        say(f"{name} {getattr(self.config, name):g}")

    def _checked(self, name: str, word: str, kind: Callable[[str], float]) -> SamplingConfig:
        try:
            changes: dict[str, Any] = {name: kind(word)}
            return replace(self.config, **changes)
        except ValueError:
            raise UsageError(f"/{name[:4] if name == 'temperature' else name} {word}: must be a number") from None

    def _end(self) -> str:
        written = self.source.blend.vocabulary.decode(self.mark.ids[-40:])
        return repr(written) if self.mark.ids else "nothing"


def converse(source: Source) -> list[Mark]:
    """Answer each line of standard input; where the text is at the end."""
    begin = source.one_mark()
    conversation = Conversation(source, begin)
    source.say(f"temperature {source.config.temperature:g}, seed {begin.seed}; /help says what can be typed")
    for line in _lines():
        if line.strip() == "/quit":
            break
        try:
            conversation.answer(line)
        except CharRNNError as error:
            say(f"charrnn: {error}")
    return [conversation.mark]


def _say_lines(text: str) -> None:
    for line in text.splitlines():
        say(line)


def _lines() -> Iterator[str]:
    """What is typed, with a history, on a terminal; the lines of a pipe or a file."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        for raw in sys.stdin.buffer:
            yield raw.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")
        return
    with suppress(ImportError):  # it is not on all systems; with it `input` knows arrow keys and earlier lines
        import readline  # noqa: F401
    while True:
        try:
            yield input(PROMPT)
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            say("Ctrl-D or /quit leaves")
