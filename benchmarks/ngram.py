"""Measure speed and quality of the n-gram model, compared with KenLM, Python dictionaries and PPMd.

    python benchmarks/ngram.py tinyshakespeare.txt [--lmplz PATH] [--large FILE ...] [--out results.json]

Prints a line of JSON per figure. Programs that are compared alternate in one run; ratios are medians over rounds.
  KenLM         lmplz with `-S 1G --discount_fallback`, if its path is given, on one long line with spaces between
                characters. Its time is that of the process, which also reads the text and writes an ARPA file; ours is
                the time of counting and smoothing in memory.
  dictionaries  interpolated Kneser-Ney in plain Python
  PPMd          an adaptive compressor, if `pyppmd` is installed
Each large FILE is counted in a process of its own to record its peak memory; `bytes:FILE` reads the file as bytes.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from machine import machine

from charrnn import CorpusConfig, NgramConfig, SamplingConfig, evaluate, fit_ngram, load, read_corpus
from charrnn.checkpoint import save
from charrnn.checkpoint.metadata import DatasetInfo, Metadata
from charrnn.config import SMOOTHINGS
from charrnn.models.language_model import State
from charrnn.models.ngram.fit import NgramCounts
from charrnn.models.ngram.model import NgramModel
from charrnn.sampling.generate import generate, start_batch
from charrnn.scoring.compressors import bits_after, ppmd
from charrnn.scoring.evaluate import evaluate_online
from charrnn.scoring.novelty import TrainingText
from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary import Vocabulary

Row = dict[str, Any]


def quality(corpus: Corpus) -> Iterator[Row]:
    """Measure bits per character of the validation part, static and online."""
    size = len(corpus.vocabulary)
    configs = [NgramConfig(smoothing=name) for name in SMOOTHINGS]
    configs += [NgramConfig(order=order, smoothing="mkn") for order in range(3, 9)]
    configs += [NgramConfig(order=7, smoothing=name) for name in ("ml", "stupid", "witten-bell", "kn", "tuned")]
    configs += [NgramConfig(order=21, smoothing="ml"), NgramConfig(prune=1), NgramConfig(prune=2)]
    for config in configs:
        started = time.perf_counter()
        model = fit_ngram(corpus.train.ids, size, config)
        fitted = time.perf_counter()
        score = evaluate(model, corpus.validation)
        yield {
            "figure": "static",
            "model": str(model.config),
            "bits_per_char": None if score.impossible else score.bits_per_char,
            "impossible_share": score.impossible_share,
            "entries": model.entries,
            "fit_seconds": fitted - started,
        }
    for smoothing in SMOOTHINGS.values():
        if not (smoothing.supports_online and smoothing.is_smoothed):
            continue
        counts = NgramCounts.of(corpus.train.ids, size, NgramConfig(smoothing=smoothing.name))
        started = time.perf_counter()
        score = evaluate_online(counts, corpus.validation.ids)
        seconds = time.perf_counter() - started
        yield {
            "figure": "online",
            "model": str(counts.config),
            "bits_per_char": score.bits_per_char,
            "seconds": seconds,
        }
    yield from compressed(corpus)


def compressed(corpus: Corpus) -> Iterator[Row]:
    """Measure PPMd: the bits by which the validation part lengthens the compressed training part."""
    for compressor in map(ppmd, (5, 6, 7)):
        if compressor.is_installed:
            bits = bits_after(compressor, corpus.train.ids, corpus.validation.ids, corpus.vocabulary)
            yield {"figure": "online", "model": compressor.name, "bits_per_char": bits / len(corpus.validation)}


def fitting(corpus: Corpus, lmplz: Path | None, rounds: int) -> Iterator[Row]:
    """Measure fitting order 7 to the training part: charrnn and each peer alternate."""
    size = len(corpus.vocabulary)
    text = corpus.vocabulary.decode(corpus.train.ids)

    def ours() -> None:
        fit_ngram(corpus.train.ids, size, NgramConfig(order=7, smoothing="mkn"))

    peers: dict[str, Callable[[], object]] = {"dictionaries of counts": lambda: dictionaries(text, 7)}
    with tempfile.TemporaryDirectory() as folder:
        if lmplz:
            words, arpa = Path(folder) / "words", Path(folder) / "arpa"
            words.write_text(" ".join({" ": "▁", "\n": "⏎"}.get(c, c) for c in text) + "\n", encoding="utf-8")
            command = [str(lmplz), "-o", "7", "--discount_fallback", "-S", "1G", "-T", folder]
            command += ["--text", str(words), "--arpa", str(arpa)]
            peers["lmplz"] = lambda: subprocess.run(command, capture_output=True, check=True)
        ours()
        for name, peer in peers.items():
            pairs = [(seconds(ours), seconds(peer)) for _ in range(rounds)]
            yield {
                "figure": "fit, order 7",
                "against": name,
                "seconds": statistics.median(own for own, _ in pairs),
                "peer_seconds": statistics.median(peers for _, peers in pairs),
                "ratio": statistics.median(peers / own for own, peers in pairs),
                "rounds": rounds,
            }


def dictionaries(text: str, order: int) -> list[dict[str, dict[str, float]]]:
    """Fit interpolated Kneser-Ney in plain Python: P_k = weight + backoff · P_{k−1} for each context."""
    counts = Counter(text[i : i + order] for i in range(len(text) - order + 1))
    levels = []
    for _ in range(order):
        contexts: dict[str, dict[str, int]] = {}
        for gram, count in counts.items():
            contexts.setdefault(gram[:-1], {})[gram[-1]] = count
        ones, twos = (sum(count == n for count in counts.values()) for n in (1, 2))
        discount = ones / (ones + 2 * twos) if ones and twos else 0.5
        level = {}
        for context, children in contexts.items():
            total = sum(children.values())
            level[context] = {"": discount * len(children) / total}
            for character, count in children.items():
                level[context][character] = (count - discount) / total
        levels.append(level)
        counts = Counter(gram[1:] for gram in counts)
    return levels


def using(corpus: Corpus, rounds: int) -> Iterator[Row]:
    """Measure scoring, sampling and loading with the default model."""
    fitted = fit_ngram(corpus.train.ids, len(corpus.vocabulary), NgramConfig())
    assert isinstance(fitted, NgramModel)
    model = fitted
    characters = len(corpus.validation)
    scoring = statistics.median(seconds(lambda: evaluate(model, corpus.validation)) for _ in range(rounds))
    yield {"figure": "scoring", "microseconds_per_char": 1e6 * scoring / characters}
    for temperature in (1.0, 0.8, 0.5, 0.2, 1.5):
        rate = sampling_speed(model, corpus.vocabulary, temperature, 1, 100_000 if temperature == 1 else 20_000, rounds)
        yield {"figure": "sampling, one stream", "temperature": temperature, "chars_per_second": rate}
    for temperature in (1.0, 0.8):
        rate = sampling_speed(model, corpus.vocabulary, temperature, 1024, 100, rounds)
        yield {"figure": "sampling, 1,024 streams", "temperature": temperature, "chars_per_second": rate}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save(path, model, corpus.vocabulary, Metadata(DatasetInfo.of(corpus), 0.0, "cpu"))
        yield opening(path, rounds)
    training_text = corpus.train.ids, corpus.vocabulary
    text = "".join(generate(model, corpus.vocabulary, SamplingConfig(length=100_000, seed=0)))
    sample = corpus.vocabulary.encode(text)
    judging = statistics.median(seconds(lambda: TrainingText(*training_text).judge(sample)) for _ in range(rounds))
    yield {"figure": "novelty of 100,000 characters", "seconds": judging, "of_characters": len(corpus.train)}


def sampling_speed(
    model: NgramModel, vocabulary: Vocabulary, temperature: float, batch: int, length: int, rounds: int
) -> float:
    """Return the sampling speed of a batch of texts in characters per second."""
    config = SamplingConfig(temperature=temperature, length=length, seed=0)

    def sample() -> None:
        generator = start_batch(model, vocabulary, config, count=batch)
        while not generator.finished:
            generator.step()

    return median_rate([batch * length / seconds(sample) for _ in range(rounds)])


def opening(path: Path, rounds: int) -> Row:
    """Measure loading a saved model and predicting one character, and the size of the file."""

    def once() -> State:
        return load(path).model(torch.zeros(1, 1, dtype=torch.int64))[1]

    once()
    model = load(path).model
    assert isinstance(model, NgramModel)
    entries = [len(order) for order in model.orders]
    contexts = sum(entries[:-1])
    size = path.stat().st_size
    arrays = {name: array for order in model.orders[-1:] for name, array in vars(order).items()}
    return {
        "figure": "file",
        "opened_in_milliseconds": 1e3 * statistics.median(seconds(once) for _ in range(rounds)),
        "bytes": size,
        "entries_of_the_highest_order": entries[-1],
        "contexts": contexts,
        "bytes_per_entry_of_the_highest_order": (arrays["tokens"].nbytes + arrays["weights"].nbytes) / entries[-1],
        "bytes_per_entry_in_all": size / sum(entries),
    }


def large(name: str, smoothing: str, prune: int) -> Row:
    """Count a large text in this process, score at most a million characters, save and load."""
    path = Path(name.removeprefix("bytes:"))
    corpus = read_corpus(path, CorpusConfig(bytes=name.startswith("bytes:")))
    started = time.perf_counter()
    model = fit_ngram(corpus.train.ids, len(corpus.vocabulary), NgramConfig(smoothing=smoothing, prune=prune))
    fitted = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    part = corpus.validation[: 1 << 20]
    started = time.perf_counter()
    score = evaluate(model, part)
    scored = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        save(file, model, corpus.vocabulary, Metadata(DatasetInfo.of(corpus), 0.0, "cpu"))
        opened = opening(file, 5)
    return {
        **opened,
        "figure": "large text",
        "text": path.name,
        "characters": len(corpus),
        "different": len(corpus.vocabulary),
        "model": str(model.config),
        "fit_seconds": fitted,
        "largest_memory_gb": memory / 1e9,
        "entries": model.entries,
        "bits_per_char_of_the_first_million": score.bits_per_char,
        "microseconds_per_char": 1e6 * scored / len(part),
    }


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that a function takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def median_rate(rates: list[float]) -> int:
    """Return the median of speeds, rounded to a whole number."""
    return round(statistics.median(rates))


def main() -> None:
    """Measure and print each figure, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="Tiny Shakespeare")
    parser.add_argument("--lmplz", type=Path, help="path of KenLM's lmplz")
    parser.add_argument("--large", nargs="*", default=[], metavar="FILE", help="large texts to count")
    parser.add_argument("--smoothing", nargs="*", default=["mkn", "tuned"], help="smoothings for the large texts")
    parser.add_argument("--prune", type=int, default=0, help="pruning of the large texts' n-grams")
    parser.add_argument("--rounds", type=int, default=9, help="timed runs of each program")
    parser.add_argument("--one-large", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.one_large:
        print(json.dumps(large(options.one_large, options.smoothing[0], options.prune)))
        return
    corpus = read_corpus(options.text, CorpusConfig())
    rows: list[Row] = []

    def add(row: Row) -> None:
        rows.append({name: rounded(value) for name, value in row.items()})
        print(json.dumps(rows[-1]), flush=True)

    for part in (fitting(corpus, options.lmplz, options.rounds), using(corpus, options.rounds), quality(corpus)):
        for row in part:
            add(row)
    for name in options.large:
        for smoothing in options.smoothing:
            command = [sys.executable, __file__, str(options.text), "--one-large", name, "--smoothing", smoothing]
            done = subprocess.run([*command, "--prune", str(options.prune)], capture_output=True, text=True, check=True)
            add(json.loads(done.stdout))
    if options.out:
        result = {"machine": machine(), "text_sha256": corpus.sha256, "rows": rows}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def rounded(value: object) -> object:
    """Round a number to five significant digits, more than any of the figures has."""
    return float(f"{value:.5g}") if isinstance(value, float) and math.isfinite(value) else value


if __name__ == "__main__":
    main()
