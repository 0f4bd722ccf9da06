"""`charrnn ngram`: count a text, and score what was held out."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.config import CorpusConfig, NgramConfig
from charrnn.errors import CheckpointError

if TYPE_CHECKING:
    from charrnn.checkpoint import Checkpoint
    from charrnn.text.corpus import Corpus


def ngram(
    text: Annotated[
        str,
        typer.Argument(help="A text file, or a known text (see `charrnn data`).", show_default=False),
    ],
    *,
    corpus: CorpusConfig,
    model: NgramConfig,
    out: Annotated[
        str | None,
        typer.Option(help="Name of the checkpoint; TEXT-SMOOTHING-ORDER if not said.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a checkpoint of something else.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Count the character n-grams of a text: the baseline.

    Prints the held-out score, and saves a checkpoint that `sample` and `compare` take like any other.
    """
    from charrnn.checkpoint import save
    from charrnn.cli.checkpoints import check_writable, place, refuse_to_overwrite
    from charrnn.cli.terminal import field
    from charrnn.cli.texts import locate, read, show_text
    from charrnn.scoring.compare import json_of

    text_path = locate(text)
    path = place(out, f"{text_path.stem}-{model.smoothing}-{model.order}")
    check_writable(path)
    source = read(text_path, corpus)
    refuse_to_overwrite(path, force or _is_same(path, source, model))
    show_text(source)
    fitted, score = fit(source, model, path)
    save(path, fitted.model, fitted.vocabulary, fitted.facts)
    result = json_of(dataclasses.replace(fitted, size=path.stat().st_size))
    field("model", f"{fitted.description}, {result['entries']:,} n-grams")
    field("fit", f"{fitted.facts.fit_seconds:.2f} s")
    field("validation", f"{score}")
    field("checkpoint", f"{path}, {result['bytes'] / 1e6:.1f} MB")
    if as_json:
        print(json.dumps(result))


def fit(source: Corpus, config: NgramConfig, path: Path) -> tuple[Checkpoint, str]:
    """Count the training part and score the validation part, with bars."""
    from charrnn.checkpoint import Checkpoint
    from charrnn.cli.terminal import progress
    from charrnn.facts import Facts, TextFacts
    from charrnn.models.ngram.model import NgramModel
    from charrnn.scoring.evaluate import evaluate, facts_of

    started = time.perf_counter()
    with progress("counting", "order") as update:
        fitted = NgramModel.fit(source.train, len(source.vocabulary), config, update)
    seconds = time.perf_counter() - started
    validation, shown = None, "none was held out"
    if len(source.validation):
        with progress("scoring", "char") as update:
            score = evaluate(fitted, source.validation, progress=update)
        validation, shown = facts_of(score, source.split), str(score)
    facts = Facts(TextFacts.of(source), seconds, "cpu", validation, command=tuple(sys.argv))
    size = sum(tensor.nbytes for tensor in fitted.tensors().values())
    return Checkpoint(fitted, source.vocabulary, facts, path, size), shown


def _is_same(path: Path, source: Corpus, config: NgramConfig) -> bool:
    """Whether the checkpoint holds what is about to be counted: then nothing is lost by writing it again."""
    from charrnn.checkpoint import load
    from charrnn.facts import TextFacts

    if not path.exists():
        return True
    try:
        old = load(path)
    except CheckpointError:
        return False
    text, now = old.facts.text, TextFacts.of(source)
    return old.model.config == config and (text.sha256, text.corpus) == (now.sha256, now.corpus)
