"""`charrnn inspect`: what a text is like before it is trained on; what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.shared import shell_completion as completion
from charrnn.config import CorpusConfig
from charrnn.errors import CheckpointError, TextError, UsageError

if TYPE_CHECKING:
    from charrnn.text.stats.describe import Description
    from charrnn.text.stats.encoding import Guess

TORCH_SUFFIXES = (".pt", ".pth", ".ckpt", ".t7")
"""Of checkpoints of other programs; that they are not opened, and why, is said where checkpoints are read."""


def inspect(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT...|CHECKPOINT",
            help="Texts as `charrnn train` takes them, or a checkpoint; the newest in checkpoints/ if not said.",
            autocompletion=completion.texts_and_checkpoints,
            show_default=False,
        ),
    ] = None,
    *,
    corpus: CorpusConfig,
    advice: Annotated[
        bool,
        typer.Option(
            help="Say what 1, 5 and 30 minutes of training would buy on this machine, whose speed is measured."
        ),
    ] = True,
    device: Annotated[str, typer.Option(help="Where that would be: auto, cpu, cuda, cuda:1, mps.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
    context: typer.Context,
) -> None:
    """Say what a text is like, or what a checkpoint holds.

    Of a text: size, encoding (a guess if it is not UTF-8), characters, common, rare and odd, lines, normal form.

    And what stands in it twice, how it is split, what to mind, and which network some minutes would buy.

    However large it is, that takes little memory. What --json adds: every character with its count.

    Of a checkpoint: tensors, vocabulary, text, settings, scores, versions, checksums. Nothing in it is run.

    What is both the name of a text and of a checkpoint is told by its path.
    """
    from charrnn.cli.shared.checkpoints import FOLDER
    from charrnn.cli.shared.options import said

    if not names:
        from charrnn.checkpoint import newest

        return _inspect_checkpoint(newest(FOLDER), as_json)
    checkpoint = _checkpoint_of(names[0]) if len(names) == 1 else None
    if checkpoint:
        return _inspect_checkpoint(checkpoint, as_json)
    return _inspect_text(names, corpus, "encoding" in said(context), device if advice else None, as_json)


def _checkpoint_of(name: str) -> Path | None:
    """The checkpoint that a name means; None if it means a text.

    Raises:
        UsageError: it may mean both.
        CheckpointError, TextError: it means neither.
    """
    from glob import has_magic

    from charrnn.checkpoint import SUFFIX
    from charrnn.cli.shared.checkpoints import FOLDER
    from charrnn.cli.shared.texts import DATA
    from charrnn.text.datasets.registry import KNOWN_TEXTS
    from charrnn.text.datasets.registry import find as find_known

    here = Path(name)
    texts = [one for one in (here, DATA / name, DATA / f"{name}.txt") if one.is_file() and not _is_checkpoint(one)]
    checkpoints = [
        one for one in (here, FOLDER / name, FOLDER / f"{name}{SUFFIX}") if one.is_file() and _is_checkpoint(one)
    ]
    if texts and checkpoints:
        raise UsageError(f"{name}: is a text, {texts[0]}, and a checkpoint, {checkpoints[0]}; say which, by its path")
    if checkpoints:
        return checkpoints[0]
    if texts or find_known(name) or here.exists() or name == "-" or has_magic(name):
        return None
    if name.endswith(SUFFIX):
        raise CheckpointError(f"{name}: there is no such file, here or in {FOLDER}/; `charrnn train TEXT` makes them")
    raise TextError(
        f"{name}: there is no such text, here or in {DATA}/, and no such checkpoint in {FOLDER}/; "
        f"known texts, which are fetched by name: {', '.join(KNOWN_TEXTS)}"
    )


def _is_checkpoint(path: Path) -> bool:
    """Whether a file is called like a checkpoint, or begins like one: with the length of a header in JSON."""
    from charrnn.checkpoint import SUFFIX

    if path.suffix in (SUFFIX, *TORCH_SUFFIXES):
        return True
    try:
        with path.open("rb") as file:
            return file.read(9)[3:] == b"\0\0\0\0\0{"
    except OSError:
        return False  # reading it says what is wrong


def _inspect_checkpoint(path: Path, as_json: bool) -> None:
    from charrnn.checkpoint.info import list_contents
    from charrnn.cli.inspect.checkpoint import show_checkpoint
    from charrnn.cli.shared.terminal import print_json
    from charrnn.scoring.compare.rows import json_of

    listing = list_contents(path)
    if as_json:
        print_json({**json_of(listing.checkpoint), **listing.as_json()})
    else:
        show_checkpoint(listing)


def _inspect_text(names: Sequence[str], corpus: CorpusConfig, is_said: bool, device: str | None, as_json: bool) -> None:
    from charrnn.cli.inspect.text import show_advice, show_text
    from charrnn.cli.shared.terminal import print_json
    from charrnn.cli.shared.texts import locate_all
    from charrnn.text.stats.warnings import findings

    text, guess = _described(locate_all(names), corpus, is_said)
    found = list(findings(text))
    if not as_json:
        show_text(text, guess, found)
    result = {
        **text.as_json(),
        "encoding_is_sure": guess.is_sure if guess else None,
        "encoding_reason": guess.reason if guess else None,
        "findings": [one._asdict() for one in found],
        "advice": None,
    }
    if device and text.parts:
        from charrnn.cli.shared.devices import choose, try_features
        from charrnn.training.budget.estimate import advise

        where = choose(device)
        try_features(where, "graphs")
        advice = advise(text.parts["train"], text.vocab_size, where)
        result["advice"] = advice.as_json()
        if not as_json:
            show_advice(text, advice)
    if as_json:
        print_json(result)


def _described(paths: Sequence[Path], corpus: CorpusConfig, is_said: bool) -> tuple[Description, Guess | None]:
    """What a text is like, in the encoding that was said, or else in what it seems to be in; bytes where it is none."""
    from dataclasses import replace

    from charrnn.cli.shared.terminal import progress
    from charrnn.text.decode import check_encoding
    from charrnn.text.sources import described, sources_of
    from charrnn.text.stats.describe import describe
    from charrnn.text.stats.encoding import guess_encoding

    guess = None
    check_encoding(corpus.encoding)
    label = f"reading {described([path.name for path in paths])}"
    with progress(label, "B") as update, sources_of(paths, lambda done: update(done, 0)) as sources:
        size = sum(source.size for source in sources)
        if not corpus.bytes and not is_said:
            # Of several files the first that is no UTF-8 says what they are in: they are read alike.
            for source in sources:
                guess = guess_encoding(source.pieces(lambda done: update(done, size)), source.name)
                if guess.encoding != "utf-8":
                    break
            assert guess
            corpus = replace(corpus, encoding=guess.encoding) if guess.encoding else replace(corpus, bytes=True)
        return describe(sources, corpus, update), guess
