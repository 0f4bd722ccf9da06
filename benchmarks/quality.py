"""Measure the quality that `charrnn train --minutes` reaches on Tiny Shakespeare, with and without n-grams.

    python benchmarks/quality.py tinyshakespeare.txt [--minutes 1 3 10] [--mixed-minutes 1 3 10]
        [--also "--epochs 5 --with-ngram" ...] [--out quality.json]

Prints a line of JSON per training. Each runs as a user would type it, in a process of its own:
`charrnn train TEXT --minutes M`, with and without `--with-ngram`, and with the options of each --also; the seconds are
those of the whole command. The checkpoint is then scored in one pass, in windows of 256 characters and online (unless
--static), and `charrnn compare` measures the novelty of 20,000 generated characters. The first row trains through the
Python API and measures the training time, without start-up and validations, until the validation loss is below 1.88
nats, where nanoGPT's CPU example stops. Takes twice the sum of the minutes, and a few minutes for scoring; online, each
network of an ensemble takes minutes.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from machine import machine

from charrnn import (
    CorpusConfig,
    ModelConfig,
    RecurrentModel,
    Streams,
    TrainingConfig,
    evaluate,
    read_corpus,
    train,
)

WINDOW = 256
"""Window length in characters."""
TARGET = 1.88
"""Validation loss of the first row, in nats per character."""
FIRST = ModelConfig(hidden_size=128, num_layers=1, embedding_size=64)
"""Network of the first row."""
FIRST_STEPS = 30
"""Number of steps between validations in the first row."""


def time_to_target(text: Path) -> dict[str, Any]:
    """Train until the validation loss is below the target, and return the seconds without validations."""
    corpus = read_corpus(text, CorpusConfig())
    config = TrainingConfig(steps=300)
    torch.manual_seed(config.seed)
    model = RecurrentModel(FIRST, len(corpus.vocabulary))
    streams = Streams(corpus.train.ids, config.batch_size, config.seq_length)
    seconds, started = 0.0, time.perf_counter()
    for step in train(model, streams, corpus.validation[:0], config):
        if step.number % FIRST_STEPS == 0:
            step.loss.item()
            seconds += time.perf_counter() - started
            score = evaluate(model, corpus.validation)
            if score.nats_per_char < TARGET:
                break
            started = time.perf_counter()
    return {
        "run": f"until {TARGET} nats",
        "model": str(model.config),
        "nats_per_char": score.nats_per_char,
        "bits_per_char": score.bits_per_char,
        "steps": step.number,
        "training_seconds": round(seconds, 1),
    }


def run(folder: Path, *words: str) -> Any:
    """Run a charrnn command, and return the JSON that it prints."""
    command = [sys.executable, "-m", "charrnn", *words, "--json"]
    return json.loads(subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE).stdout)


def row(folder: Path, text: Path, words: list[str], novelty_length: int, is_static: bool) -> dict[str, Any]:
    """Train as a user would, and return all scores of the checkpoint; the online score unless `is_static`."""
    started = time.perf_counter()
    trained = run(folder, "train", str(text), *words, "--out", "model", "--force")
    seconds = time.perf_counter() - started
    scored = run(folder, "score", "model", "--window", str(WINDOW), *["--online"] * (not is_static))
    compared = run(folder, "compare", "model", "--novelty-length", str(novelty_length))
    own_row = next(other for other in compared if other["checkpoint"] == "checkpoints/model.safetensors")
    return {
        "run": " ".join(["charrnn train", *words]),
        "seconds": round(seconds, 1),
        **{name: trained[name] for name in ("model", "steps", "parameters", "entries")},
        **{name: scored[name] for name in ("nats_per_char", "bits_per_char", "characters", "split", "rule")},
        "window": scored["window"],
        "online": scored.get("online"),
        "novelty": own_row["novelty"],
        "held_out_novelty": own_row["held_out_novelty"],
        "parts": {other["model"]: other["nats_per_char"] for other in compared if other["kind"] != trained["kind"]}
        if "--with-ngram" in words
        else {},
    }


def main() -> None:
    """Measure and print each row, and write the JSON file after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="Tiny Shakespeare")
    parser.add_argument("--minutes", nargs="*", default=["1", "3", "10"], help="time budgets without n-grams")
    parser.add_argument("--mixed-minutes", nargs="*", default=["1", "3", "10"], help="time budgets with --with-ngram")
    parser.add_argument("--also", nargs="*", default=[], help="options of one more training each, in quotes")
    parser.add_argument("--static", action="store_true", help="leave out the online scores")
    parser.add_argument("--novelty-length", type=int, default=20_000, help="generated characters for the novelty")
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    options = parser.parse_args()
    text = options.text.resolve()
    result: dict[str, Any] = {"machine": machine(), "rows": [time_to_target(text)]}
    print(json.dumps(result["rows"][-1]), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        runs = [["--minutes", minutes] for minutes in options.minutes]
        runs += [["--minutes", minutes, "--with-ngram"] for minutes in options.mixed_minutes]
        for words in (*runs, *map(shlex.split, options.also)):
            result["rows"].append(row(Path(folder), text, words, options.novelty_length, options.static))
            print(json.dumps(result["rows"][-1]), flush=True)
            if options.out:
                options.out.parent.mkdir(parents=True, exist_ok=True)
                options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
