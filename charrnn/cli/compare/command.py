"""`charrnn compare`: compare models side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli.shared.options import ENCODING, DeviceOption, JsonOption, TextOption, checkpoints_argument, in_panel
from charrnn.config import CompareConfig
from charrnn.errors import UsageError


def compare(
    names: Annotated[
        list[str] | None, checkpoints_argument("the newest one in checkpoints/, and all others of the same text")
    ] = None,
    *,
    text: TextOption = None,
    config: CompareConfig,
    encoding: Annotated[str | None, in_panel(ENCODING, "comparison")] = None,
    device: DeviceOption = "auto",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Also save the tables as a CSV file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare models on the same held-out text.

    Without a NAME: the newest checkpoint, and all others in checkpoints/ that were trained on the same text.

    Also fits n-gram baselines, and interpolates the best network with the best n-grams.

    --json prints a list of rows; with --online or --structure, an object with static, online and structure.
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
        raise UsageError(f"--out {out}: is a folder, or its folder does not exist; use a file such as table.csv")
    torch_device = select_device(device)
    if names:
        models = [load(path, torch_device) for path in locate_checkpoints(names, "compare")]
    else:
        first = load(find_checkpoint(None), torch_device)
        log(f"comparing all models of {first.metadata.text.source} in {CHECKPOINT_FOLDER}/")
        models = [first, *load_alike(first, list_checkpoints(CHECKPOINT_FOLDER), torch_device, log)]
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
