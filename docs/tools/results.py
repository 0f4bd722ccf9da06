"""The table of results in the README, made from what `charrnn compare --json` printed."""

from __future__ import annotations

import json
from typing import Any

from console_blocks import FOLDER, machine_line
from tables import block, table

NAME = "compare-json"
COMMANDS = {
    "lstm": "`charrnn train shakespeare.txt --minutes 3`",
    "lstm-ngram": "`charrnn train shakespeare.txt --minutes 3 --with-ngram`",
    "tuned-9": "`charrnn ngram shakespeare.txt`",
}
"""The commands that made the checkpoints, by the end of their names; the others are baselines of the table."""
KINDS = {
    "mkn": "modified Kneser-Ney, as in KenLM",
    "ml": "Goldberg's counts, unsmoothed",
}


def results_table() -> str:
    """Models of Shakespeare's plays: bits per character, training time, and how much of their text is new."""
    path = FOLDER / f"{NAME}.txt"
    if not path.exists():
        return block("*Not printed yet.*")
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8").partition("\n")[2])
    cells = [cells for row in rows if (cells := _cells(row))]
    held_out = rows[0]["held_out_novelty"]
    cells.append(("held-out text", "", "", f"{held_out['novel_20']:.1%}", f"{held_out['longest_copy']}"))
    head = ("model", "bits per character", "training time", "new 20-grams", "longest copy")
    return table(head, cells, align="lrrrr").rstrip("\n") + "\n\n" + machine_line(NAME) + "\n"


def _cells(row: dict[str, Any]) -> tuple[str, ...] | None:
    ending = (row["checkpoint"] or "").rpartition("shakespeare-")[2].removesuffix(".safetensors")
    what = COMMANDS.get(ending) or KINDS.get(row["model"].split()[0])
    if what is None:  # the network within the mixture
        return None
    bits = f"{row['bits_per_char']:.3f}" if row["bits_per_char"] is not None else "∞"
    if row.get("impossible_share"):
        bits = f"∞ (probability 0 for {row['impossible_share']:.0%})"
    novelty = row["novelty"]
    return (
        f"{row['model']}: {what}", bits, f"{row['fit_seconds']:.0f} s", f"{novelty['novel_20']:.1%}",
        f"{novelty['longest_copy']}",
    )  # fmt: skip
