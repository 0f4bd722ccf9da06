"""How `charrnn sample` writes: one text as it is drawn, several, the best, the likeliest; as text or as JSON."""

from __future__ import annotations

import math
import os
import stat
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from charrnn.cli.sample.models import Blended
from charrnn.cli.shared.novelty import show_sample
from charrnn.cli.shared.terminal import BAR_DELAY, bar, print_json, progress, say, visible
from charrnn.cli.shared.texts import read_fitted_on
from charrnn.config import SamplingConfig
from charrnn.errors import UsageError
from charrnn.sampling.batch import Writing
from charrnn.sampling.beam import Found, beam_search
from charrnn.sampling.generate import stream
from charrnn.sampling.likelihood import likeliest, log_probs_of
from charrnn.sampling.state import Mark, read_on
from charrnn.sampling.stopping import check_until
from charrnn.scoring.novelty import index_training_text
from charrnn.text.normalize import prepared

RED, PLAIN = "\x1b[31m", "\x1b[0m"
BETWEEN = "-" * 15 + "\n"
"""The line between two texts."""
SIDE_BY_SIDE = 1024
"""Texts that are written at once."""


@dataclass
class Source:
    """With what is written, and from where.

    Attributes:
        blend: the model.
        config: how; its seed is a number.
        prime: what comes first.
        unknown: what to do with characters of it that the model does not know.
        state: the file of a text to go on with.
        is_seeded: whether the seed was said: then a text that goes on does so with it.
    """

    blend: Blended
    config: SamplingConfig
    prime: str
    unknown: str
    state: str | None
    is_seeded: bool
    loaded: list[Mark] = field(init=False)

    def __post_init__(self) -> None:
        """Read the state, if there is one, and the prime as texts are read."""
        check_until(self.config, self.blend.vocabulary)
        self.prime = self.prepared(self.prime)
        self.loaded = self.blend.load(Path(self.state)) if self.state else []

    @property
    def seed(self) -> int:
        """Of the first text."""
        assert self.config.seed is not None
        return self.loaded[0].seed if self.loaded and not self.is_seeded else self.config.seed

    @property
    def count(self) -> int:
        """Of the texts to go on with; one, if there are none."""
        return max(1, len(self.loaded))

    def prepared(self, text: str) -> str:
        """What is typed as `read_corpus` would read it, which is all that a model of characters knows."""
        if self.blend.vocabulary.is_bytes:
            return text
        plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        found = prepared(plain, self.blend.first.facts.text.corpus)
        form = self.blend.vocabulary.known_form(found)
        if form:
            say(f"the prime was converted to {form}, the form in which the model knows its accents")
            found = unicodedata.normalize(form, found)
        return found

    def marks(self, count: int) -> list[Mark]:
        """Where texts begin; the prime is read once for all that begin anew."""
        ids = self.blend.vocabulary.encode(self.prime, self.unknown).tolist()
        if self.loaded:
            seeded = [mark.with_seed(self.seed + i) if self.is_seeded else mark for i, mark in enumerate(self.loaded)]
            return [self.read_on(mark, ids) for mark in seeded]
        after = self.read_on(Mark.start(self.blend.vocabulary, self.seed), ids)
        return [after.with_seed(self.seed + i) for i in range(count)]

    def read_on(self, mark: Mark, ids: Sequence[int]) -> Mark:
        """The place after more characters."""
        return read_on(self.blend.model, mark, ids, self.blend.documents)

    def one_mark(self) -> Mark:
        """The same of one text.

        Raises:
            UsageError: the state is of several.
        """
        if self.count > 1:
            raise UsageError(f"--load-state {self.state}: holds {self.count} texts, where one is wanted; name another")
        return self.marks(1)[0]

    def writing(self, marks: Sequence[Mark]) -> Writing:
        """Texts that go on from there."""
        return Writing(self.blend.model, self.blend.vocabulary, self.config, marks, self.blend.documents)

    def say(self, how: str) -> None:
        """Say with what is written."""
        begun = f", goes on from {self.state}" if self.state else ""
        say(f"{self.blend.description}, {how}{begun}")

    def written(self, mark: Mark) -> str:
        """What was written up to there."""
        return self.blend.vocabulary.decode(mark.ids[mark.begin :])

    def as_json(self, before: Mark, after: Mark) -> dict[str, Any]:
        """One text, from where it began, under the names that all of charrnn's JSON uses."""
        blend = self.blend
        found = log_probs_of(blend.model, blend.vocabulary, after, blend.documents)
        log_probs = found[len(before.ids) - after.begin :].tolist()
        nats = -math.fsum(log_probs) / len(log_probs) if log_probs else None
        return {
            **self.blend.as_json(),
            "temperature": self.config.temperature,
            "prime": self.prime,
            "text": self.blend.vocabulary.decode(after.ids[len(before.ids) :]),
            "characters": len(log_probs),
            "seed": after.seed,
            "nats_per_char": nats,
            "bits_per_char": None if nats is None else nats / math.log(2),
            "log_probs": log_probs,
        }


def show_one(source: Source, novelty: bool, text: str | None) -> list[Mark]:
    """Write one text, as it is drawn; where it ends."""
    model, length = source.blend.first, source.config.length
    writing = source.writing(source.marks(1))
    corpus = read_fitted_on(model, text) if novelty else None
    training = index_training_text(corpus, progress) if corpus else None
    source.say(f"temperature {source.config.temperature:g}, seed {source.seed}")
    write = writer()
    write(source.prime, False)
    characters = stream(writing)
    pieces: Iterable[tuple[str, bool]] = ((character, False) for character in characters)
    is_marked = training is not None and _has_colours()
    if training and is_marked:
        pieces = training.mark_copies(characters)
    written = []
    # A bar where the text goes to a file: on a screen the text itself shows how far it is.
    with bar(length, "writing", "char", delay=BAR_DELAY, hidden=not is_file(sys.stdout)) as shown:
        for piece, is_copied in pieces:
            write(piece, is_copied)
            shown.update()
            if training:
                written.append(piece)
    write("\n" if sys.stdout.isatty() else "", False)
    if corpus and training:
        show_sample("".join(written), training, corpus, is_marked)
    return writing.marks


def show_several(source: Source, count: int, as_json: bool) -> list[Mark]:
    """Write texts side by side, the first as it is drawn; where they end."""
    begins = source.marks(count)
    last = f" to {begins[-1].seed}" if len(begins) > 1 else ""
    source.say(f"temperature {source.config.temperature:g}, seed {begins[0].seed}{last}")
    write, shown = writer(), 0
    ends: list[Mark] = []
    for writing, pieces in _all(source, begins, hidden=not as_json and sys.stdout.isatty()):
        for row, piece in pieces:
            if not as_json and row == 0 and not ends:
                if not shown:
                    write(source.prime, False)
                    shown = 1
                write(piece, False)
        ends += writing.marks
    if as_json:
        found = [source.as_json(before, after) for before, after in zip(begins, ends, strict=True)]
        print_json(found[0] if len(found) == 1 else found)
        return ends
    for i, (before, after) in enumerate(zip(begins, ends, strict=True)):
        text = source.blend.vocabulary.decode(after.ids[len(before.ids) :])
        if i or not shown:
            write(f"{source.prime}{text}", False)
        is_last = i == len(ends) - 1
        write("" if text.endswith("\n") or (is_last and not sys.stdout.isatty()) else "\n", False)
        write("" if is_last else BETWEEN, False)
    return ends


def show_best(source: Source, count: int, as_json: bool) -> list[Mark]:
    """Write several texts and show the one that the model finds likeliest; where it ends."""
    begins, ends = source.marks(count), []
    for writing, pieces in _all(source, begins):
        for _ in pieces:
            pass
        ends += writing.marks
    blend = source.blend
    best = likeliest(blend.model, blend.vocabulary, ends, blend.documents)
    source.say(f"temperature {source.config.temperature:g}, seed {ends[best].seed}, the likeliest of {count}")
    _show_whole(source, begins[best], ends[best], as_json)
    return [ends[best]]


def show_likeliest(source: Source, width: int, as_json: bool) -> list[Mark]:
    """Look for the likeliest text and show it; where it begins and ends, without a state to go on from."""
    begin = source.one_mark()
    found: Found | None = None
    blend = source.blend
    with bar(source.config.length, "searching", "char", delay=BAR_DELAY) as shown:
        for step in beam_search(blend.model, blend.vocabulary, source.config, begin, width, blend.documents):
            found = step
            shown.update()
    assert found is not None
    source.say(f"beam of {width}, log-probability {found.log_prob:.4g} nats")
    _show_whole(source, begin, found.mark, as_json)
    return [found.mark]


def _show_whole(source: Source, before: Mark, after: Mark, as_json: bool) -> None:
    if as_json:
        print_json(source.as_json(before, after))
        return
    end = "\n" if sys.stdout.isatty() else ""
    writer()(f"{source.prime}{source.blend.vocabulary.decode(after.ids[len(before.ids) :])}{end}", False)


def _all(
    source: Source, begins: Sequence[Mark], hidden: bool = False
) -> Iterator[tuple[Writing, Iterator[tuple[int, str]]]]:
    """Texts, as many at once as are good side by side, and their characters as they come; with a bar, unless hidden."""
    with bar(len(begins) * source.config.length, "writing", "char", delay=BAR_DELAY, hidden=hidden) as shown:

        def pieces(writing: Writing) -> Iterator[tuple[int, str]]:
            while not writing.is_over:
                step = writing.step()
                shown.update(len(step))
                yield from step

        for first in range(0, len(begins), SIDE_BY_SIDE):
            writing = source.writing(begins[first : first + SIDE_BY_SIDE])
            yield writing, pieces(writing)


def is_file(stream: TextIO) -> bool:
    """Whether what is written there goes to a file."""
    return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)


def writer() -> Callable[[str, bool], None]:
    """To a terminal, what a person can read, perhaps in red; to a pipe or a file, the very characters in UTF-8."""
    if sys.stdout.isatty():
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal that cannot show é shows ?

        def write(text: str, is_red: bool) -> None:
            sys.stdout.write(f"{RED}{visible(text)}{PLAIN}" if is_red else visible(text))
            sys.stdout.flush()
    else:

        def write(text: str, is_red: bool) -> None:
            sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
            sys.stdout.buffer.flush()

    return write


def _has_colours() -> bool:
    """Whether standard output is a terminal that has them, and its user wants them (NO_COLOR)."""
    from rich.console import Console

    screen = Console(file=sys.stdout)
    return sys.stdout.isatty() and screen.color_system is not None and not screen.no_color
