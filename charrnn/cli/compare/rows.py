"""The rows of `charrnn compare`: each model measured, with bars; and what two of them are together."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from charrnn.checkpoint import Checkpoint
from charrnn.cli.shared.terminal import progress
from charrnn.config import SamplingConfig
from charrnn.errors import UsageError
from charrnn.pipeline.networks import TIP_NETWORK_WEIGHT as NETWORK_SHARE
from charrnn.scoring.compare.baselines import Blend, Compared
from charrnn.scoring.compare.rows import Copying, HeldOut, Row, best_of, measure
from charrnn.scoring.structure.report import Structure
from charrnn.scoring.structure.run import structure_of


@dataclass(frozen=True)
class Measuring:
    """How all of them are measured.

    Attributes:
        part: what is scored.
        sampling: how they write.
        prime: what they write after.
        unknown: what to do with its unknown characters.
        copying: how they are judged for what they copy, if they are.
    """

    part: HeldOut
    sampling: SamplingConfig
    prime: str
    unknown: str
    copying: Copying | None

    def row(self, model: Compared, is_baseline: bool = False) -> Row:
        """Score a model and let it write, with bars."""
        scoring, writing = progress(f"scoring {model.name}", "char"), progress(f"{model.name} writes", "char")
        with scoring as scored, writing as written:
            row = measure(model, self.part, self.prime, self.sampling, self.unknown, self.copying, scored, written)
        return replace(row, is_baseline=is_baseline)

    def rows(
        self, models: Sequence[Compared], fitted: Sequence[Compared], is_mixed: bool
    ) -> tuple[list[Row], Blend | None]:
        """Models, what was fitted for the table alone, and perhaps the best two mixed; the best first.

        Returns:
            The rows, and the mixture that one of them is of, if there is one.
        """
        rows = [self.row(model) for model in models] + [self.row(model, is_baseline=True) for model in fitted]
        together = blend_of(rows) if is_mixed else None
        if together:
            rows.append(self.row(together, is_baseline=True))
        return sorted(rows, key=lambda row: row.score.nats_per_char), together


def blend_of(rows: Sequence[Row]) -> Blend | None:
    """The best network with the best n-grams; None if there is a mixture, or not both."""
    network, counts = best_of(rows, "recurrent"), best_of(rows, "ngram")
    if not network or not counts or any(row.checkpoint.kind == "mixture" for row in rows):
        return None
    assert isinstance(network.checkpoint, Checkpoint)
    assert isinstance(counts.checkpoint, Checkpoint)
    return Blend(network.checkpoint, counts.checkpoint, NETWORK_SHARE)


def structure_in(rows: Sequence[Row], part: HeldOut, limit: int, seed: int) -> tuple[str, str, Structure]:
    """Where the best network differs from the best n-grams, with a bar; and what both are.

    Args:
        rows: of all models.
        part: what they were scored on.
        limit: of the characters that are read; 0: all.
        seed: of the places at which contexts are cut.

    Raises:
        UsageError: there is no network, or there are no n-grams that give all characters a probability.
    """
    network, counts = best_of(rows, "recurrent"), best_of(rows, "ngram")
    if not network or not counts:
        lacking = "n-grams that give every character a probability are" if network else "a network is"
        raise UsageError(f"--structure: compares a network with n-grams, and {lacking} missing; leave it out")
    with progress("looking where they differ", "char") as update:
        found = structure_of(
            network.checkpoint.model, counts.checkpoint.model, part.ids[: limit or None], network.checkpoint.vocabulary,
            seed=seed, progress=update,
        )  # fmt: skip
    return network.checkpoint.description, counts.checkpoint.description, found


def check_out(path: Path) -> None:
    """Raise UsageError where no file can be, before anything is measured."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UsageError(f"--out {path}: is a folder, or in none that there is; name a file, such as table.csv")


COLUMNS = (
    "model", "checkpoint", "kind", "is_baseline", "bits_per_char", "nats_per_char", "impossible_share", "characters",
    "split", "part", "rule", "parameters", "entries", "bytes", "fit_seconds", "chars_per_second",
    "sampling_chars_per_second", "how", "seconds", "device", "version",
)  # fmt: skip


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as CSV: static ones and online ones differ by their rule."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
