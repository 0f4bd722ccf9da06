"""How `charrnn train` begins: with options alone, where another training was stopped, or with another's weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from charrnn.checkpoint import Checkpoint, load
from charrnn.cli.shared import terminal
from charrnn.cli.shared.checkpoints import check_writable
from charrnn.cli.shared.checkpoints import find_checkpoint as find_file
from charrnn.cli.shared.config_options import format_option
from charrnn.cli.shared.locate import is_local
from charrnn.config import ValidatedConfig, option_flags
from charrnn.errors import UsageError
from charrnn.paths import CHECKPOINT_SUFFIX
from charrnn.pipeline import fit_networks as networks
from charrnn.pipeline.fit_networks import TrainingStart
from charrnn.text.datasets.registry import find_known_text
from charrnn.training.distributed import ProcessGroup
from charrnn.training.ensemble import SaveEvery
from charrnn.training.state.init_from import SHAPE_FIELDS, initial_network
from charrnn.training.state.resume import find_training, open_training


def resume(start: TrainingStart, path: Path, file: str | None, group: ProcessGroup) -> TrainingStart:
    """Continue where the training of `path`, or of the file of --resume-from, was stopped; `start` where there is none.

    Raises:
        UsageError: an explicit option differs from how the training was begun.
        CheckpointError: the checkpoint cannot be read, or is no training.
    """
    is_state = file is not None and find_file(file) != path
    resumed = None if is_state else find_training(path, group)
    if resumed is None and file:
        resumed = open_training(find_file(file), group)
    if resumed is None:
        terminal.log(f"nothing to resume at {path}: begins")
        return start
    restarted = networks.resume(start, resumed)
    anew = f"--init-from {terminal.shell_quoted(resumed.checkpoint.path)}"
    _refuse_changes(
        start, restarted, start.explicit,
        f"it was begun with {{}}, and goes on as it was; leave it out, or say {anew} to begin anew",
    )  # fmt: skip
    return restarted


def initialize_from(start: TrainingStart, name: str, group: ProcessGroup) -> TrainingStart:
    """Begin with the weights of a checkpoint, which decide the shape of the network and whether bytes are read.

    Raises:
        UsageError: an explicit option says another shape.
        CheckpointError: there are no such weights.
    """
    path = find_file(name)
    checkpoint = load(path) if group.is_rank_zero else None
    with group.broadcast_file(path) as file:
        checkpoint = checkpoint or load(file or path)
    initialized = networks.initialize_from(start, checkpoint)
    decided = start.explicit & {*SHAPE_FIELDS, "bytes"}
    _refuse_changes(start, initialized, decided, f"{checkpoint.path} has {{}}; leave it out")
    return initialized


def show_start(start: TrainingStart) -> None:
    """Print where a training begins, unless it does so with nothing."""
    if isinstance(start.begin_from, Checkpoint):
        config, known = initial_network(start.begin_from).config, f"{len(start.begin_from.vocabulary)} characters"
        terminal.log_field("weights", f"from another checkpoint, {config}, which knows {known}")
    if start.resumed:
        facts = start.resumed.resume_state.progress
        of = f"/{facts.plan[0]}" if facts.plan else ""
        which = f"network {facts.finished + 1}/{facts.model.networks}, " if facts.model.networks > 1 else ""
        where = f"after {which}step {facts.number}{of}, {facts.seconds:.0f} s"
        terminal.log_field("resumed", f"{start.resumed.checkpoint.path}: {where}")


def refuse_resume_file(texts: Sequence[str], resume: bool) -> None:
    """Raise UsageError where a text is a checkpoint, as in `--resume NAME`, which is --resume-from now."""
    for text in texts:
        is_text = is_local(text) or find_known_text(text)
        if text.endswith(CHECKPOINT_SUFFIX) or (not is_text and find_file(text).is_file()):
            option = "--resume " * resume
            name = terminal.shell_quoted(text)
            raise UsageError(f"{option}{text}: is a checkpoint and no text; use --resume-from {name}")


def parse_save_every(value: str) -> SaveEvery:
    """`500`, steps, or `5m`, minutes.

    Raises:
        UsageError: it is neither.
    """
    try:
        if value.endswith("m") and 0 < float(value[:-1]) < float("inf"):
            return timedelta(minutes=float(value[:-1]))
        if int(value) > 0:
            return int(value)
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"--save-every {value}: must be a number of steps, such as 500, or of minutes, such as 5m")


def _refuse_changes(start: TrainingStart, begun: TrainingStart, explicit: frozenset[str], message: str) -> None:
    """Raise UsageError where an explicit option differs from the one that holds."""
    pairs: list[tuple[ValidatedConfig, ValidatedConfig]] = [
        (start.corpus, begun.corpus), (start.model, begun.model), (start.training, begun.training)
    ]  # fmt: skip
    for options, begun_options in pairs:
        for spec in dataclasses.fields(options):  # type: ignore[arg-type]
            new, old = getattr(options, spec.name), getattr(begun_options, spec.name)
            if spec.name in explicit and new != old:
                raise UsageError(
                    f"{option_flags(spec)[0]} {format_option(spec, new)}: {message.format(format_option(spec, old))}"
                )


def check_tensorboard(folder: str | None, path: Path) -> None:
    """Raise an error now, not after the training has begun, where TensorBoard's records cannot be written."""
    if folder is not None:
        from charrnn.training.monitor.tensorboard import check_installed

        check_installed()
        check_writable(Path(folder) / path.stem / path.name, "--tensorboard")
