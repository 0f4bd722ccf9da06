"""`charrnn sample --interactive`: the model goes on from what is typed, line after line, and keeps its state.

It works in a pipe too: then nothing but what the model generates goes to standard output.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from charrnn.cli.shared.config_options import unescaped
from charrnn.cli.shared.terminal import log, text_writer
from charrnn.config import SamplingConfig
from charrnn.errors import CharRNNError, UsageError
from charrnn.pipeline.text_generator import TextGenerator
from charrnn.sampling.generate import new_seed, stream
from charrnn.sampling.state import GenerationState

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


class Repl:
    """The text so far, which grows by what is typed and what the model makes of it.

    Args:
        generator: the model and its settings.
    """

    def __init__(self, generator: TextGenerator) -> None:
        self.generator, self.config = generator, generator.config
        (self.state,) = generator.begins()
        self.turns: list[tuple[GenerationState, GenerationState]] = []
        """Where the text was before each line, and where after it was read, before anything was generated."""
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
        typed = self.generator.prepare(unescaped(line.removeprefix("/") if line.startswith("//") else line))
        self._generate(self.state, self.generator.advance(self.state, typed))

    def _generate(self, before: GenerationState, after: GenerationState) -> None:
        """Generate, as far as it gets: Ctrl-C ends the text, not the session."""
        batch = self.generator.batch([after], self.config)
        write = text_writer()
        self.turns.append((before, after))
        try:
            for piece in stream(batch):
                write(piece)
        except KeyboardInterrupt:
            log("")
        finally:
            (self.state,) = batch.states
            write("" if batch.sequences[0].text.endswith("\n") else "\n")

    def _undo(self, word: str) -> None:
        if not self.turns:
            raise UsageError("/undo: there is nothing to forget")
        self.state, _ = self.turns.pop()
        log(f"goes on after {self._end()}")

    def _retry(self, word: str) -> None:
        if not self.turns:
            raise UsageError("/retry: nothing was written yet; type something first")
        before, after = self.turns.pop()
        # The numbers that come next, not those that the text which is forgotten was drawn with.
        self._generate(before, replace(after, seed=self.state.seed, position=self.state.position))

    def _seed(self, word: str) -> None:
        seed = new_seed() if not word else self._checked("seed", word, int).seed
        assert seed is not None
        self.state = self.state.with_seed(seed)
        log(f"seed {seed}")

    def _reset(self, word: str) -> None:
        start = GenerationState.start(self.generator.vocabulary, self.state.seed)
        self.state = replace(start, position=self.state.position)
        self.turns.clear()
        log("everything is forgotten")

    def _set(self, name: str, word: str, kind: Callable[[str], float]) -> None:
        self.config = self._checked(name, word, kind)
        log(f"{name} {getattr(self.config, name):g}")

    def _checked(self, name: str, word: str, kind: Callable[[str], float]) -> SamplingConfig:
        try:
            changes: dict[str, Any] = {name: kind(word)}
            return replace(self.config, **changes)
        except ValueError:
            raise UsageError(f"/{name[:4] if name == 'temperature' else name} {word}: must be a number") from None

    def _end(self) -> str:
        end = self.generator.vocabulary.decode(self.state.ids[-40:])
        return repr(end) if self.state.ids else "nothing"


def run_repl(generator: TextGenerator) -> None:
    """Answer each line of standard input."""
    repl = Repl(generator)
    temperature = f"temperature {generator.config.temperature:g}"
    log(f"{generator.description}, {temperature}, seed {generator.seed}; /help says what can be typed")
    for line in _lines():
        if line.strip() == "/quit":
            break
        try:
            repl.answer(line)
        except CharRNNError as error:
            log(f"charrnn: {error}")


def _say_lines(text: str) -> None:
    for line in text.splitlines():
        log(line)


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
            log("Ctrl-D or /quit leaves")
