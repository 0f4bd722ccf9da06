"""What the defaults of `charrnn train` reach on Tiny Shakespeare.

    python benchmarks/quality.py tinyshakespeare.txt [--out benchmarks/results/quality.json]

About five minutes on two cores. The figure to reach for the network is 1.442 nats per character after 4,000 steps,
which a plain recipe gave on another day: LSTM 2x256, residual, batch 16 x 64, AdamW 4e-3 with a cosine.
"""

from __future__ import annotations

import argparse
import json
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
    read_corpus,
    train,
)
from charrnn.scoring.evaluate import facts_of
from charrnn.text.corpus import Corpus


def network(corpus: Corpus, config: TrainingConfig) -> dict[str, Any]:
    """Train with the defaults; validated once, at the end, so nothing is chosen by validation."""
    torch.manual_seed(config.seed)
    model = RecurrentModel(ModelConfig(), len(corpus.vocabulary))
    streams = Streams(corpus.train, config.batch_size, config.seq_length)
    started = time.perf_counter()
    *_, last = train(model, streams, corpus.validation, config)
    assert last.score
    return {
        "model": "defaults of charrnn train",
        **vars(facts_of(last.score, corpus.split)),
        "parameters": model.parameter_count,
        "steps": last.number,
        "seed": config.seed,
        "fit_seconds": round(time.perf_counter() - started, 1),
    }


def main() -> None:
    """Run, print a line a model, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    corpus = read_corpus(options.text, CorpusConfig())
    rows = []
    for seed in range(options.seeds):
        config = TrainingConfig(steps=options.steps, validate_every=options.steps, seed=seed)
        rows.append(network(corpus, config))
        print(json.dumps(rows[-1]), flush=True)
    if options.out:
        result = {"machine": machine(), "text_sha256": corpus.sha256, "rows": rows}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
