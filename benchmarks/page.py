"""Measure the page of `charrnn export` in headless chromium, compared with `charrnn sample` on the same machine.

    pip install selenium      # and chromium with its driver, from the system
    python benchmarks/page.py [--out benchmarks/results/page-cpu.json]

For each model (random weights; n-grams of a random text): the size of the page, the milliseconds until it can write,
the characters a second that its thread writes, with and without what was expected at each character, and the longest
time in milliseconds in which the page answered nothing while it wrote. `ours` is sampling one text in Python on one
thread, in turns with the page; `ratio` is the median over rounds of the page's speed divided by Python's.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from machine import machine
from sampling import VOCABULARY, ours

from charrnn import ModelConfig, NgramConfig, RecurrentModel, SamplingConfig
from charrnn.checkpoint import Checkpoint, Model
from charrnn.checkpoint.metadata import DatasetInfo, Metadata
from charrnn.config import CorpusConfig
from charrnn.export.fit import fit_page_model
from charrnn.export.page import make_page
from charrnn.models.ngram.fit import fit_ngram
from charrnn.text.documents import TextSpan

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

Row = dict[str, Any]
SHAPES = (("lstm", 2, 192), ("lstm", 3, 512), ("gru", 2, 256), ("mingru", 2, 256), ("attention", 4, 128))
QUICK_SHAPES = (("lstm", 2, 8), ("attention", 1, 8))
SECONDS = 2.0
"""Seconds that a page writes in a round."""
WRITE = """
const [message, seconds, done] = arguments;
const bytes = (id) => Uint8Array.from(atob(document.getElementById(id).textContent.trim()), (c) => c.charCodeAt(0));
const worker = new Worker(URL.createObjectURL(new Blob([document.getElementById("engine").textContent])));
let count = 0, started = 0, longest = 0, last = 0, isDone = false;
const tick = () => {
  const now = performance.now();
  longest = Math.max(longest, now - last);
  last = now;
  if (!isDone) setTimeout(tick, 0);
};
worker.onmessage = ({ data }) => {
  if (data.error) done({ error: data.error });
  if (data.ready) { started = last = performance.now(); tick(); worker.postMessage({ task: 1, write: message }); }
  if (data.characters) { count += data.characters.length; worker.postMessage({ read: true }); }
  if (started && performance.now() - started > 1000 * seconds || data.done) {
    isDone = true;
    worker.terminate();
    done({ speed: 1000 * count / (performance.now() - started), longest });
  }
};
worker.postMessage({ load: { model: bytes("model-0"), kernels: bytes("kernels") } });
"""


@contextmanager
def opened_chrome() -> Iterator[Chrome]:
    """Open headless chromium, and close it at the end."""
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for option in ("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"):
            options.add_argument(option)
        chrome = Chrome(options, ChromeService(shutil.which("chromedriver") or ""))
        chrome.set_script_timeout(60)
        try:
            yield chrome
        finally:
            chrome.quit()


def models(is_quick: bool) -> Iterator[tuple[str, Model]]:
    """Yield models with their names."""
    for cell, layers, width in QUICK_SHAPES if is_quick else SHAPES:
        torch.manual_seed(0)
        yield f"{cell} {layers}x{width}", RecurrentModel(ModelConfig(cell, layers, width), len(VOCABULARY)).eval()
    length = 1000 if is_quick else 300_000
    ids = np.random.default_rng(0).zipf(1.3, length).astype(np.int64) % len(VOCABULARY)
    yield "n-grams of order 6", fit_ngram(ids, len(VOCABULARY), NgramConfig(order=6))


def measure(chrome: Chrome, name: str, model: Model, rounds: int, seconds: float) -> Row:
    """Measure the page of a model."""
    text = DatasetInfo("benchmark.txt", "0" * 64, 0, CorpusConfig())
    checkpoint = Checkpoint(model, VOCABULARY, Metadata(text, 1.0, "cpu"), Path(f"{name}.safetensors"), 0)
    fitted = fit_page_model(checkpoint, TextSpan(np.arange(100) % len(VOCABULARY)), 100_000_000)
    row: Row = {"model": name, "bits_of_a_weight": 8 if fitted.encoding == "i8" else 16}
    rates: dict[str, list[float]] = {"page": [], "page_explained": [], "ours": []}
    opening, pauses = [], []
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(make_page([fitted], SamplingConfig()), encoding="utf-8")
        row["megabytes"] = round(page.stat().st_size / 1e6, 2)
        for _ in range(rounds):
            started = time.perf_counter()
            chrome.get(page.as_uri())
            while chrome.execute_script("return document.getElementById('write').disabled"):
                time.sleep(0.005)
            opening.append(1000 * (time.perf_counter() - started))
            for key, explain in (("page", False), ("page_explained", True)):
                settings = {"prompt": "", "temperature": 0.8, "topP": 1, "seed": 0, "length": 10**7, "explain": explain}
                found = chrome.execute_async_script(WRITE, settings, seconds)
                rates[key].append(found["speed"])
            pauses.append(found["longest"])
            length = max(20, int(rates["page"][0] * seconds / 4))
            started = time.perf_counter()
            ours(model, 1, length)
            rates["ours"].append(length / (time.perf_counter() - started))
    row |= {"milliseconds_to_open": round(statistics.median(opening)), "longest_pause": round(max(pauses))}
    row["chars_per_second"] = {key: round(statistics.median(found)) for key, found in rates.items()}
    pairs = zip(rates["page"], rates["ours"], strict=True)
    row["ratio"] = round(statistics.median(mine / python for mine, python in pairs), 2)
    return row


def main(arguments: list[str] | None = None) -> None:
    """Measure and print each row, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each model")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to test the program; figures mean nothing")
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    options = parser.parse_args(arguments)
    rows = []
    torch.set_num_threads(1)
    with opened_chrome() as chrome:
        browser = f"{chrome.capabilities['browserName']} {chrome.capabilities['browserVersion']}"
        for name, model in models(options.quick):
            row = measure(
                chrome, name, model, 1 if options.quick else options.rounds, 0.2 if options.quick else SECONDS
            )
            rows.append(row)
            print(json.dumps(row), flush=True)
    if options.out:
        result = {"machine": machine(), "browser": browser, "rows": rows}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
