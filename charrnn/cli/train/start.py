"""Starting points of `charrnn train`: options only, an interrupted run to resume, or another checkpoint's weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import typer

from charrnn.checkpoint import Checkpoint, load
from charrnn.cli.shared import terminal
from charrnn.cli.shared.checkpoints import check_writable, find_checkpoint
from charrnn.cli.shared.config_options import explicit_options, format_option
from charrnn.cli.shared.locate import is_local, locate_checkpoint
from charrnn.config import ValidatedConfig, option_flags
from charrnn.config.network import check_layers
from charrnn.errors import UsageError
from charrnn.formatting import duration, plural
from charrnn.paths import CHECKPOINT_SUFFIX
from charrnn.pipeline import fit_networks as networks
from charrnn.pipeline.fit_networks import TrainingStart
from charrnn.text.datasets.registry import find_known_text
from charrnn.training.distributed import ProcessGroup
from charrnn.training.ensemble import SaveEvery
from charrnn.training.state.init_from import SHAPE_FIELDS, initial_network
from charrnn.training.state.resume import find_training, open_training


def resume(start: TrainingStart, path: Path, file: str | None, group: ProcessGroup) -> TrainingStart:
    """Resume the training of `path`, or of the file of --resume-from; return `start` if there is nothing to resume.

    Raises:
        UsageError: an explicit option differs from that of the interrupted run.
        CheckpointError: the checkpoint cannot be read, or holds no training state.
    """
    state = find_resume_file(file) if file is not None else None
    resumed = find_training(path, group) if state in (None, path) else None
    if resumed is None and state:
        resumed = open_training(state, group)
    if resumed is None:
        terminal.log(f"no checkpoint to resume at {path}; starting a new run")
        return start
    begun = networks.resume(start, resumed)
    anew = f"--init-from {terminal.shell_quoted(resumed.checkpoint.path)}"
    _refuse_changes(
        start, begun, start.explicit,
        f"the run to resume uses {{}}; remove the option, or start a new run from the same weights with {anew}",
    )  # fmt: skip
    return begun


def find_resume_file(name: str) -> Path:
    """Find the file of --resume-from.

    Raises:
        UsageError: the file is a text.
        CheckpointError: there is no such file, but one with a similar name.
    """
    return locate_checkpoint(name, "--resume-from needs a checkpoint, such as checkpoints/NAME-last.safetensors")


def initialize_from(start: TrainingStart, name: str, group: ProcessGroup) -> TrainingStart:
    """Start from the weights of a checkpoint, which also decides the network's shape and whether bytes are read.

    Raises:
        UsageError: an explicit option contradicts the checkpoint's shape, or the file is a text.
        CheckpointError: the checkpoint cannot be read, or holds no network.
    """
    path = locate_checkpoint(name, "--init-from needs a checkpoint, such as checkpoints/NAME.safetensors")
    checkpoint = load(path) if group.is_rank_zero else None
    with group.broadcast_file(path) as file:
        checkpoint = checkpoint or load(file or path)
    initialized = networks.initialize_from(start, checkpoint)
    decided = start.explicit & {*SHAPE_FIELDS, "bytes"}
    _refuse_changes(start, initialized, decided, f"{checkpoint.path} uses {{}}; remove the option")
    return initialized


def show_start(start: TrainingStart) -> None:
    """Print which checkpoint a training starts from, if there is one."""
    if isinstance(start.begin_from, Checkpoint):
        network, vocabulary = initial_network(start.begin_from), start.begin_from.vocabulary
        size = "256 bytes" if vocabulary.is_bytes else plural(len(vocabulary), "character")
        terminal.log_field("weights", f"from {start.begin_from.path}: {network.config}, vocabulary of {size}")
    if start.resumed:
        progress = start.resumed.resume_state.progress
        total = f"/{progress.plan[0]}" if progress.plan else ""
        which = f"network {progress.finished + 1}/{progress.model.networks}, " if progress.model.networks > 1 else ""
        position = f"after {which}step {progress.number}{total}, {duration(progress.seconds)} of training"
        terminal.log_field("resumed", f"{start.resumed.checkpoint.path}: {position}")


def refuse_resume_file(texts: Sequence[str], resume: bool) -> None:
    """Raise UsageError if a text is a checkpoint, as in `--resume NAME`, which is now `--resume-from NAME`."""
    for text in texts:
        is_text = is_local(text) or find_known_text(text)
        if text.endswith(CHECKPOINT_SUFFIX) or (not is_text and find_checkpoint(text).is_file()):
            option = "--resume " * resume
            name = terminal.shell_quoted(text)
            advice = f"to resume it, use `charrnn train TEXT --resume-from {name}`"
            raise UsageError(f"{option}{text}: is a checkpoint, not a text; {advice}")


def refuse_other_layers(context: typer.Context, cell: str) -> None:
    """Raise UsageError if --layers was typed and differs from the number of cells in --cell.

    The configuration cannot tell the default of --layers from the same number, typed.
    """
    if "num_layers" in explicit_options(context):
        check_layers(cell, context.params["num_layers"])


def parse_save_every(value: str) -> SaveEvery:
    """Parse the value of --save-every: steps, such as `500`, or minutes, such as `5m`.

    Raises:
        UsageError: the value is neither.
    """
    try:
        if value.endswith("m") and 0 < float(value[:-1]) < float("inf"):
            return timedelta(minutes=float(value[:-1]))
        if int(value) > 0:
            return int(value)
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"--save-every {value}: expected a number of steps, such as 500, or of minutes, such as 5m")


def _refuse_changes(start: TrainingStart, begun: TrainingStart, explicit: frozenset[str], message: str) -> None:
    """Raise UsageError if an explicit option differs from that of the checkpoint that the training starts from."""
    pairs: list[tuple[ValidatedConfig, ValidatedConfig]] = [
        (start.corpus, begun.corpus), (start.model, begun.model), (start.training, begun.training)
    ]  # fmt: skip
    for options, begun_options in pairs:
        for spec in dataclasses.fields(options):  # type: ignore[arg-type]
            new, old = getattr(options, spec.name), getattr(begun_options, spec.name)
            if spec.name in explicit and new != old:
                raise UsageError(f"{_as_typed(spec, new)}: {message.format(_as_typed(spec, old))}")


def _as_typed(spec: dataclasses.Field[Any], value: Any) -> str:
    """Return an option with its value, as it is typed; `no --option` for an option that is not set."""
    flag, _, negative = option_flags(spec)[0].partition("/")
    if value is None or value is False:
        return negative or f"no {flag}"
    return flag if value is True else f"{flag} {format_option(spec, value)}"


def check_tensorboard(folder: str | None, path: Path) -> None:
    """Raise an error now, before the training begins, if TensorBoard's records cannot be written."""
    if folder is not None:
        from charrnn.training.monitor.tensorboard import check_installed

        check_installed()
        check_writable(Path(folder) / path.stem / path.name, "--tensorboard")
