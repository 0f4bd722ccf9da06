"""`charrnn train --resume`: which training is meant, and whether it is the one that the other options describe."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from charrnn.checkpoint import LAST, PREVIOUS, SUFFIX
from charrnn.cli.checkpoints import find as find_file
from charrnn.cli.terminal import field, say
from charrnn.config import CorpusConfig, ModelConfig, TrainingConfig, flags_of
from charrnn.errors import UsageError
from charrnn.training.resuming import Resumed, find, open_training
from charrnn.training.several import SaveEvery


def begun(path: Path, file: str | None) -> tuple[Path, Resumed | None]:
    """The training to go on with, and where its best checkpoint is; None where none was begun.

    Args:
        path: of the best checkpoint, if no file is said.
        file: that was said after --resume.
    """
    if file is None:
        resumed = find(path)
        if resumed is None:
            say(f"nothing to resume at {path}: begins")
        return path, resumed
    last = find_file(file)
    stem = last.name.removesuffix(SUFFIX)
    for ending in (LAST, PREVIOUS):
        if stem.endswith(ending):
            return last.with_name(stem.removesuffix(ending) + SUFFIX), open_training(last)
    resumed = find(last)
    return last, resumed or open_training(last)


def refuse_changes(
    resumed: Resumed, said: frozenset[str], corpus: CorpusConfig, model: ModelConfig, training: TrainingConfig
) -> None:
    """Raise UsageError where an option was said that differs from how the training was begun."""
    pairs = (
        (corpus, resumed.checkpoint.facts.text.corpus), (model, resumed.ongoing.facts.model), (training, resumed.config)
    )  # fmt: skip
    for given, begun_with in pairs:
        for spec in dataclasses.fields(given):
            new, old = getattr(given, spec.name), getattr(begun_with, spec.name)
            if spec.name in said and new != old:
                raise UsageError(
                    f"{flags_of(spec)[0]} {new}: the training was begun with {old}, and a resumed one goes on as it "
                    f"was; leave it out, or say --init-from {resumed.checkpoint.path} to begin anew"
                )


def show_resumed(resumed: Resumed) -> None:
    """Say where the training goes on."""
    facts = resumed.ongoing.facts
    of = f"/{facts.plan[0]}" if facts.plan else ""
    which = f"network {facts.finished + 1}/{facts.model.networks}, " if facts.model.networks > 1 else ""
    field("resumed", f"{resumed.checkpoint.path}: after {which}step {facts.number}{of}, {facts.seconds:.0f} s")


def parse_save_every(value: str) -> SaveEvery:
    """`500`, steps, or `5m`, minutes.

    Raises:
        UsageError: it is neither.
    """
    try:
        if value.endswith("m") and 0 < float(value[:-1]) < float("inf"):
            return SaveEvery(seconds=60 * float(value[:-1]))
        if int(value) > 0:
            return SaveEvery(steps=int(value))
    except ValueError:
        pass
    raise UsageError(f"--save-every {value}: must be a number of steps, such as 500, or of minutes, such as 5m")
