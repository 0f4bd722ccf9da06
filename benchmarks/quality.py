"""What `charrnn train --minutes` reaches on Tiny Shakespeare, by itself and mixed with n-grams.

    python benchmarks/quality.py tinyshakespeare.txt [--minutes 1 3 10] [--mixed-minutes 1 3 10] [--out quality.json]

Each row is what a user types, in a process of its own: `charrnn train TEXT --minutes M`, with and without
`--with-ngram`; the seconds are those of the whole command. Then its checkpoint is scored: one full pass, windows of 256
characters, online, and, by `charrnn compare`, what 20,000 characters that it writes copy from the training text. The
first row is a short run through the library: how long training takes, start-up and validation apart, until the full
validation is below 1.88 nats, where nanoGPT's recipe for a CPU stops. Twice the minutes, and a few for scoring.
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
TARGET = 1.88
FIRST = ModelConfig(hidden_size=128)
FIRST_STEPS = 60
"""How often the first row looks at the validation part, in steps."""


def time_to_target(text: Path) -> dict[str, Any]:
    """Seconds of training until the validation part scores below the target."""
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
    """The JSON that a command of charrnn prints."""
    command = [sys.executable, "-m", "charrnn", *words, "--json"]
    return json.loads(subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE).stdout)


def row(folder: Path, text: Path, minutes: str, extra: list[str], novelty_length: int) -> dict[str, Any]:
    """One training as a user would start it, and all its scores."""
    started = time.perf_counter()
    trained = run(folder, "train", str(text), "--minutes", minutes, "--out", "model", "--force", *extra)
    seconds = time.perf_counter() - started
    scored = run(folder, "score", "model", "--window", str(WINDOW), "--online")
    compared = run(folder, "compare", "model", "--novelty-length", str(novelty_length))
    written = next(one for one in compared if one["checkpoint"] == "checkpoints/model.safetensors")
    return {
        "run": " ".join(["charrnn train --minutes", minutes, *extra]),
        "seconds": round(seconds, 1),
        **{name: trained[name] for name in ("model", "steps", "parameters", "entries")},
        **{name: scored[name] for name in ("nats_per_char", "bits_per_char", "characters", "split", "rule")},
        "window": scored["window"],
        "online": scored["online"],
        "novelty": written["novelty"],
        "held_out_novelty": written["held_out_novelty"],
        "parts": {one["model"]: one["nats_per_char"] for one in compared if one["kind"] != trained["kind"]}
        if "--with-ngram" in extra
        else {},
    }


def main() -> None:
    """Run, print a line a row, and write the JSON after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--minutes", nargs="*", default=["1", "3", "10"])
    parser.add_argument("--mixed-minutes", nargs="*", default=["1", "3", "10"], help="the same with --with-ngram")
    parser.add_argument("--novelty-length", type=int, default=20_000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    text = options.text.resolve()
    result: dict[str, Any] = {"machine": machine(), "rows": [time_to_target(text)]}
    print(json.dumps(result["rows"][-1]), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        runs: list[tuple[str, list[str]]] = [(minutes, []) for minutes in options.minutes]
        runs += [(minutes, ["--with-ngram"]) for minutes in options.mixed_minutes]
        for minutes, extra in runs:
            result["rows"].append(row(Path(folder), text, minutes, extra, options.novelty_length))
            print(json.dumps(result["rows"][-1]), flush=True)
            if options.out:
                options.out.parent.mkdir(parents=True, exist_ok=True)
                options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
