"""How `charrnn train` begins: anew, where another training was stopped, or with the weights of another checkpoint."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, replace
from pathlib import Path

from charrnn.checkpoint import LAST, PREVIOUS, SUFFIX, load
from charrnn.cli.shared import terminal
from charrnn.cli.shared.checkpoints import find as find_file
from charrnn.cli.shared.options import typed
from charrnn.config import Checked, CorpusConfig, ModelConfig, TrainingConfig, flags_of
from charrnn.errors import UsageError
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.distributed import ProcessGroup
from charrnn.training.ensemble import SaveEvery
from charrnn.training.state.init_from import SHAPE, Start
from charrnn.training.state.resume import Resumed, find, open_training


@dataclass(frozen=True)
class Beginning:
    """What is trained, and from where.

    Attributes:
        corpus: how the text is read.
        model: the network, or networks.
        training: how they are fitted.
        said: the fields that the user, or the checkpoint that is begun with, decides.
        with_ngram: whether a mixture is made.
        resumed: a training that goes on.
        start: weights of another one.
    """

    corpus: CorpusConfig
    model: ModelConfig
    training: TrainingConfig
    said: frozenset[str]
    with_ngram: bool
    resumed: Resumed | None = field(default=None)
    start: Start | None = field(default=None)

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The characters that are known before the text is read."""
        if self.resumed:
            return self.resumed.checkpoint.vocabulary
        return self.start.vocabulary if self.start else None

    def go_on(self, path: Path, file: str | None, group: ProcessGroup) -> Beginning:
        """Where the training of `path` was stopped; as it is where none was begun.

        Args:
            path: of its best checkpoint.
            file: that was said after --resume.
            group: the processes that go on together.

        Raises:
            UsageError: an option was said that differs from how it was begun.
            CheckpointError: it cannot be read, or is no training.
        """
        is_state = file is not None and find_file(file) != path
        resumed = None if is_state else find(path, group)
        if resumed is None and file:
            resumed = open_training(find_file(file), group)
        if resumed is None:
            terminal.say(f"nothing to resume at {path}: begins")
            return self
        facts = resumed.ongoing.facts
        begun = replace(
            self,
            corpus=resumed.checkpoint.facts.text.corpus,
            model=facts.model,
            training=resumed.config,
            with_ngram=facts.with_ngram,
            resumed=resumed,
        )
        anew = f"--init-from {terminal.quoted(resumed.checkpoint.path)}"
        for mine, its in ((self.corpus, begun.corpus), (self.model, begun.model), (self.training, begun.training)):
            _refuse_changes(
                mine, its, self.said,
                f"it was begun with {{}}, and goes on as it was; leave it out, or say {anew} to begin anew",
            )  # fmt: skip
        return begun

    def start_from(self, name: str, group: ProcessGroup) -> Beginning:
        """Anew, with the weights of a checkpoint, which decide the shape of the network and whether bytes are read.

        Raises:
            UsageError: another shape was said.
            CheckpointError: there are no such weights.
        """
        path = find_file(name)
        checkpoint = load(path) if group.is_rank_zero else None
        with group.broadcast_file(path) as file:
            checkpoint = checkpoint or load(file or path)
        start = Start.of(checkpoint)
        shape = {one: getattr(start.config, one) for one in SHAPE}
        model = replace(self.model, **shape)
        corpus = replace(self.corpus, bytes=checkpoint.vocabulary.is_bytes)
        message = f"{checkpoint.path} has {{}}; leave it out"
        _refuse_changes(self.model, model, self.said & SHAPE, message)
        _refuse_changes(self.corpus, corpus, self.said & {"bytes"}, message)
        return replace(self, corpus=corpus, model=model, said=self.said | SHAPE, start=start)

    def show(self) -> None:
        """Say where it begins, unless it does so with nothing."""
        if self.start:
            known = f"{len(self.start.vocabulary)} characters"
            terminal.field("weights", f"from another checkpoint, {self.start.config}, which knows {known}")
        if self.resumed:
            facts = self.resumed.ongoing.facts
            of = f"/{facts.plan[0]}" if facts.plan else ""
            which = f"network {facts.finished + 1}/{facts.model.networks}, " if facts.model.networks > 1 else ""
            where = f"after {which}step {facts.number}{of}, {facts.seconds:.0f} s"
            terminal.field("resumed", f"{self.resumed.checkpoint.path}: {where}")


def best_path(file: str | None, path: Path) -> Path:
    """Where the best checkpoint of a training goes.

    Args:
        file: that was said after --resume: one of its checkpoints.
        path: where it goes if none was.
    """
    return _best_of(file) if file else path


def save_every(value: str) -> SaveEvery:
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


def _best_of(file: str) -> Path:
    path = find_file(file)
    stem = path.name.removesuffix(SUFFIX)
    for ending in (LAST, PREVIOUS):
        stem = stem.removesuffix(ending)
    return path.with_name(stem + SUFFIX)


def _refuse_changes(given: Checked, begun: Checked, said: frozenset[str], message: str) -> None:
    """Raise UsageError where a field was said that is another one there."""
    for spec in dataclasses.fields(given):  # type: ignore[arg-type]
        new, old = getattr(given, spec.name), getattr(begun, spec.name)
        if spec.name in said and new != old:
            raise UsageError(f"{flags_of(spec)[0]} {typed(spec, new)}: {message.format(typed(spec, old))}")
