"""`charrnn sample --interactive`: the model continues each line that is typed, and keeps its state.

In a pipe, standard output gets only the generated text.
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

HELP = """TEXT          continue this text (\\n: line break, //: slash at the beginning)
(empty line)  continue the text so far
/undo         remove the last line and its continuation
/retry        replace the last continuation by another one
/temp 0.5     set the temperature
/length 200   set the number of characters to generate
/seed 7       set the random seed (without a number: a random one)
/reset        clear the text so far
/help         show this list
/quit         quit, as Ctrl-D does"""
"""The answer to /help."""
PROMPT = "> "
"""The prompt of a terminal."""


class Repl:
    """The text so far: the lines that were typed, and their continuations by the model.

    Args:
        generator: the model and its settings.
    """

    def __init__(self, generator: TextGenerator) -> None:
        self.generator, self.config = generator, generator.config
        (self.state,) = generator.begins()
        self.turns: list[tuple[GenerationState, GenerationState]] = []
        """The state before each line, and the state after reading the line, before its continuation."""
        self.commands: dict[str, Callable[[str], None]] = {
            "/undo": self._undo,
            "/retry": self._retry,
            "/temp": lambda word: self._set("temperature", word, float),
            "/length": lambda word: self._set("length", word, int),
            "/seed": self._seed,
            "/reset": self._reset,
            "/help": lambda word: _log_lines(HELP),
        }

    def answer(self, line: str) -> None:
        """Run a command, or continue the text with a line.

        Raises:
            CharRNNError: the line is no valid command or text; nothing has changed.
        """
        if line.startswith("/") and not line.startswith("//"):
            name, _, word = line.partition(" ")
            if name not in self.commands:
                raise UsageError(f"{name}: unknown command; try /help, or type // to begin a text with a slash")
            self.commands[name](word.strip())
            return
        typed = self.generator.prepare(unescaped(line.removeprefix("/") if line.startswith("//") else line))
        self._generate(self.state, self.generator.advance(self.state, typed))

    def _generate(self, before: GenerationState, after: GenerationState) -> None:
        """Generate a continuation; Ctrl-C ends the continuation, not the session."""
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
            raise UsageError("/undo: nothing to undo")
        self.state, _ = self.turns.pop()
        log(f"the text now ends with {self._end()}" if self.state.ids else "the text is now empty")

    def _retry(self, word: str) -> None:
        if not self.turns:
            raise UsageError("/retry: nothing to retry; type a text first")
        before, after = self.turns.pop()
        # Continue the random numbers: those of the old continuation would repeat it.
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
        log("the text is now empty")

    def _set(self, name: str, word: str, kind: Callable[[str], float]) -> None:
        self.config = self._checked(name, word, kind)
        log(f"{name} {getattr(self.config, name):g}")

    def _checked(self, name: str, word: str, kind: Callable[[str], float]) -> SamplingConfig:
        try:
            changes: dict[str, Any] = {name: kind(word)}
            return replace(self.config, **changes)
        except ValueError:
            raise UsageError(f"/{name[:4] if name == 'temperature' else name} {word}: expected a number") from None

    def _end(self) -> str:
        return repr(self.generator.vocabulary.decode(self.state.ids[-40:]))


def run_repl(generator: TextGenerator) -> None:
    """Answer each line of standard input."""
    repl = Repl(generator)
    temperature = f"temperature {generator.config.temperature:g}"
    log(f"{generator.description}, {temperature}, seed {generator.seed}; type /help for a list of commands")
    for line in _lines():
        if line.strip() == "/quit":
            break
        try:
            repl.answer(line)
        except CharRNNError as error:
            log(f"charrnn: {error}")


def _log_lines(text: str) -> None:
    for line in text.splitlines():
        log(line)


def _lines() -> Iterator[str]:
    """Yield the lines of standard input; on a terminal with a prompt, editing and a history."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        for raw in sys.stdin.buffer:
            yield raw.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")
        return
    with suppress(ImportError):  # not available on all systems; gives `input` arrow keys and a history
        import readline  # noqa: F401
    while True:
        try:
            yield input(PROMPT)
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            log("press Ctrl-D or type /quit to quit")
