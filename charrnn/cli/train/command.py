"""`charrnn train`: train a network on a text."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from typing import Annotated

import typer

from charrnn.cli.shared.options import (
    JSON,
    DeviceOption,
    ForceOption,
    TextsArgument,
    advanced,
    complete_checkpoints,
    in_panel,
)
from charrnn.config import CorpusConfig, ModelConfig, TrainingConfig


def train(
    text: TextsArgument,
    *,
    training: TrainingConfig,
    model: ModelConfig,
    with_ngram: Annotated[
        bool,
        typer.Option(
            "--with-ngram", help="Also fit n-grams, and mix the network with them: better than either model alone."
        ),
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the checkpoint (default: TEXT-CELL, as in novel-lstm)."),
    ] = None,
    force: ForceOption = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Resume the interrupted run of this text and cell, or of --out NAME. Without such a run, start one.",
        ),
    ] = False,
    device: DeviceOption = "auto",
    resume_from: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Resume the run that saved this checkpoint, such as checkpoints/NAME-last.safetensors.",
            autocompletion=complete_checkpoints,
            rich_help_panel=advanced("checkpoints"),
        ),
    ] = None,
    init_from: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Fine-tune: initialize the weights from another checkpoint. New characters are added to its "
            "vocabulary.",
            autocompletion=complete_checkpoints,
            rich_help_panel=advanced("checkpoints"),
        ),
    ] = None,
    save_every: Annotated[
        str,
        typer.Option(
            metavar="N|Xm",
            help="Also save between validations, every N steps (such as 500) or X minutes (such as 5m).",
            rich_help_panel=advanced("checkpoints"),
        ),
    ] = "5m",
    corpus: CorpusConfig,
    tensorboard: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Also log curves and samples for TensorBoard, to DIR/NAME (needs `pip install tensorboard`).",
            rich_help_panel=advanced("output"),
        ),
    ] = None,
    as_json: Annotated[bool, in_panel(JSON, "output")] = False,
    context: typer.Context,
) -> None:
    """Train a recurrent network on a text.

    Saves the best and the latest state of the network in checkpoints/.

    Ctrl-C saves the state and stops; --resume continues. Closing the terminal does the same, except under nohup.
    SIGUSR1 saves the state without stopping.
    """
    started = time.perf_counter()
    from charrnn.checkpoint.io import best_path
    from charrnn.cli.shared import checkpoints
    from charrnn.cli.shared.config_options import explicit_options
    from charrnn.cli.shared.devices import check_gpu_features, select_device
    from charrnn.cli.shared.locate import locate_texts
    from charrnn.cli.shared.terminal import log
    from charrnn.cli.train import restart, start
    from charrnn.cli.train.session import train_on_screen
    from charrnn.pipeline.fit_networks import TrainingStart
    from charrnn.text.sources import stem_of
    from charrnn.training.distributed import connect
    from charrnn.training.run_context import RunContext

    start.refuse_resume_file(text, resume)
    start.refuse_other_layers(context, model.cell)
    save_interval, torch_device = start.parse_save_every(save_every), select_device(device)
    with connect() as group:
        with group.rank_zero_first():
            paths = locate_texts(text)
            path = checkpoints.checkpoint_path(
                out, f"{stem_of(paths)}-{model.cell.replace(',', '-')}{'-ngram' * with_ngram}"
            )
            path = best_path(start.find_resume_file(resume_from)) if resume_from else path
            checkpoints.check_writable(path)
            start.check_tensorboard(tensorboard, path)
        with checkpoints.locked(path) if group.is_rank_zero else nullcontext():
            begin = TrainingStart(corpus, model, training, explicit_options(context), with_ngram)
            if group.is_restarted() or resume or resume_from:
                begin = start.resume(begin, path, resume_from, group)
            if not begin.resumed:
                if group.is_rank_zero:
                    checkpoints.refuse_to_overwrite(path, force, is_training=True)
                if init_from:
                    begin = start.initialize_from(begin, init_from, group)
            waited = time.perf_counter()
            check_gpu_features(torch_device, "graphs", *(["triton"] if "min" in begin.model.cell else []))
            started += time.perf_counter() - waited  # not counted in --minutes
            run = RunContext(torch_device, group, started, tuple(sys.argv), log)
            with restart.started_again_without_gpu(torch_device, device, path, paths):
                status = train_on_screen(paths, path, begin, run, save_interval, tensorboard, as_json)
    if status:
        raise typer.Exit(status)
