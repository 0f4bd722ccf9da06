"""`charrnn compare`: models side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli.shared.options import CheckpointsArgument, DeviceOption, EncodingOption, JsonOption, TextOption
from charrnn.config import CompareConfig
from charrnn.errors import UsageError


def compare(
    names: CheckpointsArgument = None,
    *,
    text: TextOption = None,
    encoding: EncodingOption = None,
    config: CompareConfig,
    device: DeviceOption = "auto",
    out: Annotated[Path | None, typer.Option(help="Also write the rows of the tables to this CSV file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare models on the same held-out characters.

    Without a name: the newest checkpoint, and all others in checkpoints/ that were trained on the same text.

    Adds n-gram baselines fitted on the same training part, and the best network interpolated with the best of them.

    --json prints the rows; with --online or --structure, one object: static, online, structure.
    """
    from charrnn.checkpoint import list_checkpoints, load
    from charrnn.cli.compare.structure import show_structure
    from charrnn.cli.compare.tables import show, show_copies, show_online, show_samples
    from charrnn.cli.shared.checkpoints import find_checkpoint
    from charrnn.cli.shared.devices import select_device
    from charrnn.cli.shared.locate import locate_checkpoints
    from charrnn.cli.shared.terminal import log, print_json, progress
    from charrnn.cli.shared.texts import read_texts_or_training_text, read_training_text
    from charrnn.paths import CHECKPOINT_FOLDER
    from charrnn.pipeline.compare import Comparison, load_alike
    from charrnn.scoring.compare.columns import write_csv

    if out and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise UsageError(f"--out {out}: is a folder, or in none that there is; name a file, such as table.csv")
    where = select_device(device)
    if names:
        models = [load(path, where) for path in locate_checkpoints(names, "compare")]
    else:
        first = load(find_checkpoint(None), where)
        log(f"comparing all models of {first.metadata.text.source} in {CHECKPOINT_FOLDER}/")
        models = [first, *load_alike(first, list_checkpoints(CHECKPOINT_FOLDER), where, log)]
    corpus = read_texts_or_training_text(models[0], text, encoding)
    comparison = Comparison(models, corpus, config, read_training_text, progress, log)
    if not as_json:
        show(comparison)
        show_online(comparison.online)
        show_copies(comparison)
        if comparison.structure:
            show_structure(comparison.structure, len(comparison.split.text))
        show_samples(comparison)
    else:
        tables = comparison.as_json()
        print_json(tables if config.online or config.structure else tables["static"])
    if out:
        write_csv(out, [*comparison.rows, *comparison.online])
