"""`charrnn train`: fit a network to a text."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from typing import Annotated

import typer

from charrnn.cli.shared.options import DeviceOption, ForceOption, JsonOption, TextsArgument, complete_checkpoints
from charrnn.config import CorpusConfig, ModelConfig, TrainingConfig


def train(
    text: TextsArgument,
    *,
    corpus: CorpusConfig,
    model: ModelConfig,
    training: TrainingConfig,
    device: DeviceOption = "auto",
    out: Annotated[
        str | None,
        typer.Option(help="Name of the checkpoint; TEXT-CELL if not said, and of several files FIRST-and-N-more-CELL."),
    ] = None,
    force: ForceOption = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on where the training of that name was stopped, as if it had never been. Where there is none, "
            "begin.",
        ),
    ] = False,
    resume_from: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Resume the training that this checkpoint is of, such as checkpoints/NAME-last.safetensors.",
            autocompletion=complete_checkpoints,
        ),
    ] = None,
    init_from: Annotated[
        str | None,
        typer.Option(help="Begin with the weights of another checkpoint; characters that it does not know are added."),
    ] = None,
    save_every: Annotated[
        str, typer.Option(help="How often to save between validations: 500 steps, or 5m for minutes.")
    ] = "5m",
    with_ngram: Annotated[
        bool,
        typer.Option("--with-ngram", help="Mix the network with the n-grams of the same text: better than either."),
    ] = False,
    tensorboard: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Write the curves and samples also for TensorBoard, into DIR/NAME (needs `pip install tensorboard`).",
        ),
    ] = None,
    as_json: JsonOption = False,
    context: typer.Context,
) -> None:
    """Fit a recurrent network to a text.

    What is not said is chosen for the minutes there are: 5 on a CPU, 2 on a GPU, if no length is said.

    Keeps the best and the last state under checkpoints/. Ctrl-C saves and leaves; --resume goes on.

    A terminal that closes does the same, unless nohup is used; SIGUSR1 saves and goes on.
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
    how_often, where = start.parse_save_every(save_every), select_device(device)
    with connect() as group:
        with group.rank_zero_first():
            paths = locate_texts(text)
            path = checkpoints.checkpoint_path(out, f"{stem_of(paths)}-{model.cell}{'-ngram' * with_ngram}")
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
            check_gpu_features(where, "graphs", *(["triton"] if begin.model.cell.startswith("min") else []))
            started += time.perf_counter() - waited  # no part of the minutes
            run = RunContext(where, group, started, tuple(sys.argv), log)
            with restart.started_again_without_gpu(where, device, path, paths):
                status = train_on_screen(paths, path, begin, run, how_often, tensorboard, as_json)
    if status:
        raise typer.Exit(status)
