"""`charrnn inspect`: show the contents of a checkpoint."""

from __future__ import annotations

from charrnn.cli.shared.options import CheckpointsArgument, JsonOption
from charrnn.errors import UsageError


def inspect(names: CheckpointsArgument = None, *, as_json: JsonOption = False) -> None:
    """Show the contents of a checkpoint.

    Its text, settings, scores, vocabulary, tensors, versions and checksums. No code from the file is run.

    For a text, use `charrnn data inspect`.
    """
    from charrnn.checkpoint.info import read_info
    from charrnn.cli.inspect.tables import show_checkpoint
    from charrnn.cli.shared.checkpoints import find_checkpoint
    from charrnn.cli.shared.locate import locate_checkpoint
    from charrnn.cli.shared.terminal import print_json, shell_quoted
    from charrnn.scoring.compare.rows import checkpoint_summary

    advice = f"try `charrnn data inspect {' '.join(map(shell_quoted, names or []))}`"
    paths = [locate_checkpoint(name, advice) for name in names or ()]
    if len(paths) > 1:
        raise UsageError("inspect: shows one checkpoint at a time; to compare several, use `charrnn compare NAME...`")
    listing = read_info(paths[0] if paths else find_checkpoint(None))
    if as_json:
        print_json({**checkpoint_summary(listing.checkpoint), **listing.as_json()})
    else:
        show_checkpoint(listing)
