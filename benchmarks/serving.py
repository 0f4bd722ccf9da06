"""Load `charrnn serve` with 64 clients at once, compared with `charrnn sample --count 64` of the same model.

    python benchmarks/serving.py [--out benchmarks/results/serving-cpu.json]

Each client sends one request over loopback and reads its stream to the end. The server runs in a process of its own,
and so does `sample`; the two take turns. `lost` counts texts that did not arrive whole, `ratio` is the median over
rounds of the characters a second of all clients together divided by those of `sample`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import torch
from machine import machine
from sampling import VOCABULARY

from charrnn import ModelConfig, RecurrentModel
from charrnn.checkpoint.io import save
from charrnn.checkpoint.metadata import DatasetInfo, Metadata
from charrnn.config import CorpusConfig

CLIENTS = 64
Row = dict[str, Any]


def start_server(path: Path) -> tuple[subprocess.Popen[str], int]:
    """Start `charrnn serve` with a model, and return the process and its port."""
    command = [sys.executable, "-m", "charrnn", "serve", str(path), "--port", "0", "--max-length", "100000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    for line in process.stderr:
        found = re.search(r":(\d+)/v1/completions", line)
        if found:
            return process, int(found[1])
    raise RuntimeError("the server did not start")


def client(port: int, seed: int, length: int, received: dict[int, int]) -> None:
    """Read the stream of one text, and note its length."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    body = {"max_tokens": length, "temperature": 0.8, "seed": seed, "stream": True}
    connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
    text = ""
    for line in connection.getresponse():
        if line.startswith(b"data: {"):
            text += "".join(choice["text"] for choice in json.loads(line[6:])["choices"])
    received[seed] = len(text)
    connection.close()


def all_clients(port: int, length: int) -> tuple[float, int]:
    """Let all clients read at once; return the seconds until the last has its text, and how many texts were lost."""
    received: dict[int, int] = {}
    threads = [threading.Thread(target=client, args=(port, seed, length, received)) for seed in range(CLIENTS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    return seconds, sum(received.get(seed) != length for seed in range(CLIENTS))


SAMPLE = """
import sys, time, charrnn
from charrnn.sampling.generate import start_batch
model = charrnn.load(sys.argv[1])
for line in sys.stdin:
    config = charrnn.SamplingConfig(length=int(line), temperature=0.8, seed=0)
    started = time.perf_counter()
    batch = start_batch(model.model, model.vocabulary, config, count=int(sys.argv[2]))
    while not batch.finished:
        batch.step()
    print(time.perf_counter() - started, flush=True)
"""
"""What `charrnn sample --count N` does after it has loaded the model; each line on standard input is a length."""


def measure(cell: str, layers: int, width: int, length: int, rounds: int) -> Row:
    """Measure one model."""
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(cell, layers, width), len(VOCABULARY)).eval()
    metadata = Metadata(DatasetInfo("benchmark.txt", "0" * 64, 1, CorpusConfig()), 1.0, "cpu")
    rates: dict[str, list[float]] = {"serve": [], "sample": []}
    lost = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save(path, model, VOCABULARY, metadata)
        server, port = start_server(path)
        command = [sys.executable, "-c", SAMPLE, str(path), str(CLIENTS)]
        sampler = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert sampler.stdin
        assert sampler.stdout
        for number in range(rounds + 1):  # the first round warms both up
            seconds, missing = all_clients(port, length)
            sampler.stdin.write(f"{length}\n")
            sampler.stdin.flush()
            pair = {"serve": seconds, "sample": float(sampler.stdout.readline())}
            lost += missing
            for name, value in pair.items() if number else ():
                rates[name].append(CLIENTS * length / value)
        sampler.stdin.close()
        server.send_signal(signal.SIGTERM)
        with server, sampler:
            status = server.wait(60)
    row: Row = {"model": f"{cell} {layers}x{width}", "clients": CLIENTS, "characters": length, "lost": lost}
    row |= {"exit_status": status, "chars_per_second": {k: round(statistics.median(v)) for k, v in rates.items()}}
    pairs = zip(rates["serve"], rates["sample"], strict=True)
    row["ratio"] = round(statistics.median(serve / sample for serve, sample in pairs), 2)
    return row


def main(arguments: list[str] | None = None) -> None:
    """Measure and print each row, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of each model")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to test the program; figures mean nothing")
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    options = parser.parse_args(arguments)
    rows = []
    for cell, layers, width in (("lstm", 1, 8),) if options.quick else (("lstm", 2, 192), ("lstm", 3, 512)):
        rows.append(measure(cell, layers, width, 20 if options.quick else 1000, 1 if options.quick else options.rounds))
        print(json.dumps(rows[-1]), flush=True)
    if options.out:
        result = {"machine": machine(), "cores": os.cpu_count(), "rows": rows}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
