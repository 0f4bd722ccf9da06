"""Measure what attention changes: the same texts, the same minutes, networks of different cells, and n-grams.

    python benchmarks/architectures.py TEXT [TEXT ...] [--cells lstm mingru lstm,attention attention]
        [--minutes 1 3 10] [--out architectures.json]

Prints a line of JSON per model, after the name of the text. Each training is a whole command, `charrnn train TEXT
--cell CELL --minutes M`, in a process of its own; the checkpoint is then scored in windows of 256 characters too, as
nanoGPT's figures are, and a sample of 300 characters is kept. Results in the --out file are kept, and models that it
has are not trained again, so the trainings (the minutes times the cells times the texts) can be run in several parts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import machine

CELLS = ("lstm", "mingru", "lstm,attention", "attention")
WINDOW = 256
"""Length of a window in characters."""
SAMPLE = ("--temp", "0.8", "--length", "300", "--seed", "1")


def charrnn(folder: Path, *words: str) -> Any:
    """Run a charrnn command, and return what it prints: parsed, with --json."""
    done = subprocess.run([sys.executable, "-m", "charrnn", *words], cwd=folder, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout) if "--json" in words else done.stdout.decode()


def row(folder: Path, text: Path, words: list[str]) -> dict[str, Any]:
    """Train or fit a model, score it, and return its row."""
    started = time.perf_counter()
    printed = charrnn(folder, *words, "--out", "model", "--force", "--json")
    seconds = time.perf_counter() - started
    scored = charrnn(folder, "score", "model", "--window", str(WINDOW), "--json")
    described = ("model", "steps", "parameters", "entries")
    measured = ("nats_per_char", "bits_per_char", "characters", "rule", "window")  # training may score a part only
    return {
        "run": " ".join(["charrnn", words[0], text.stem, *words[2:]]),
        "text": text.stem,
        "seconds": round(seconds, 1),
        **{name: printed[name] for name in described if name in printed},
        **{name: scored[name] for name in measured},
        "sample": charrnn(folder, "sample", "model", *SAMPLE),
    }


def main() -> None:
    """Measure and print each row, and write the JSON file after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path, nargs="+", help="texts, such as tinyshakespeare.txt")
    parser.add_argument("--cells", nargs="*", default=CELLS, help="values of --cell")
    parser.add_argument("--minutes", nargs="*", default=["1", "3", "10"], help="time budgets")
    parser.add_argument("--out", type=Path, help="JSON file for the results; models that it has are not trained again")
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": machine(), "rows": []}
    if options.out and options.out.exists():
        result["rows"] = json.loads(options.out.read_text(encoding="utf-8"))["rows"]
    with tempfile.TemporaryDirectory() as folder:
        for text in [path.resolve() for path in options.texts]:
            runs = [["ngram", str(text)]] + [
                ["train", str(text), "--cell", cell, "--minutes", minutes]
                for minutes in options.minutes
                for cell in options.cells
            ]
            for words in runs:
                if " ".join(["charrnn", words[0], text.stem, *words[2:]]) in {old["run"] for old in result["rows"]}:
                    continue
                result["rows"].append(row(Path(folder), text, words))
                print(text.stem, json.dumps(result["rows"][-1]), flush=True)
                if options.out:
                    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
