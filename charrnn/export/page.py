"""A page that writes text with models, in one file: no network, no installation.

The page has the models, a script that reads them and computes their predictions, and the C code of the networks as
WebAssembly. Its Content-Security-Policy allows this script alone, by its hash, and no request to anywhere.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib import resources
from pathlib import PurePath
from typing import Any

from charrnn.checkpoint import Checkpoint
from charrnn.config import SamplingConfig
from charrnn.export.fit import PageModel
from charrnn.formatting import percent, plural
from charrnn.report.page import render

ENGINE = (
    "arrays.js", "philox.js", "kernels.js", "attention.js", "network.js", "ngrams.js", "models.js", "sampler.js",
    "session.js", "worker.js",
)  # fmt: skip
"""The files of the script that computes predictions, in order."""


def make_page(models: Sequence[PageModel], config: SamplingConfig, prompt: str = "", title: str = "") -> str:
    """Return the page.

    Args:
        models: the models, side by side.
        config: the settings at first: temperature, seed, length.
        prompt: the text of the prompt at first.
        title: the title; by default the names of the models.
    """
    from markupsafe import Markup

    columns = [
        {
            "description": model.checkpoint.description,
            "name": model.checkpoint.name,
            "facts": facts(model),
            "data": Markup(base64.b64encode(model.data).decode()),
        }
        for model in models
    ]
    values = {
        "kernels": Markup(base64.b64encode(_engine("kernels.wasm")).decode()),
        "engine": Markup("".join(_engine(name).decode() for name in ENGINE)),
        "script": Markup(_engine("page.js").decode()),
        "note": "Everything runs on this page: nothing is sent, and nothing is loaded.",
    }
    checkpoints = [model.checkpoint for model in models]
    values |= _shown(checkpoints, columns, config, prompt, title)
    return render(_engine("page.html").decode(), values, "'wasm-unsafe-eval'", "worker-src blob:")


def served_page(checkpoints: Sequence[Checkpoint]) -> str:
    """Return the page of `charrnn serve`, whose texts the server writes."""
    from markupsafe import Markup

    columns = [
        {"description": checkpoint.description, "name": checkpoint.name, "facts": _origin(checkpoint), "data": None}
        for checkpoint in checkpoints
    ]
    values = {
        "kernels": None,
        "engine": None,
        "script": Markup(_engine("remote.js").decode() + _engine("page.js").decode()),
        "note": "The texts are written by the server that sent this page.",
    }
    values |= _shown(checkpoints, columns, SamplingConfig(temperature=0.8, length=500, seed=0), "", "")
    return render(_engine("page.html").decode(), values, rules="connect-src 'self'")


def _shown(
    checkpoints: Sequence[Checkpoint],
    columns: Sequence[dict[str, Any]],
    config: SamplingConfig,
    prompt: str,
    title: str,
) -> dict[str, Any]:
    """Return the values of the template that both kinds of pages have."""
    from markupsafe import Markup

    return {
        "title": title or " and ".join(dict.fromkeys(checkpoint.name for checkpoint in checkpoints)),
        "lede": _lede(len(checkpoints)),
        "prompt": prompt,
        "temperature": f"{config.temperature:g}",
        "seed": config.seed or 0,
        "length": config.length,
        "models": columns,
        "style": Markup(_engine("page.css").decode()),
    }


def overhead() -> int:
    """Return the approximate size of a page without models, in bytes."""
    names = (*ENGINE, "page.css", "page.js", "page.html")
    return sum(len(_engine(name)) for name in names) + len(_engine("kernels.wasm")) * 4 // 3 + 4096


def facts(model: PageModel) -> list[str]:
    """Return what a reader of the page should know about a model, one sentence each."""
    found = _origin(model.checkpoint)
    if model.has_network:
        found.append(f"Weights are rounded to {8 if model.encoding == 'i8' else 16} bits.")
    if model.kept is not None and model.kept < 1:
        found.append(f"{model.kept:.0%} of its n-grams are on this page: those that matter most.")
    if model.rows is not None and model.rows < 1:
        found.append(f"{model.rows:.0%} of its embeddings of n-grams are on this page: those that matter most.")
    if model.loss is not None:
        found.append(
            f"Fitting the model to the page cost {max(0.0, model.loss):.4f} bits per character, measured on "
            f"{model.measured}."
        )
    found.append(
        "A seed gives the same random numbers as in charrnn sample; the text is the same until the first character at "
        "which the rounding matters."
    )
    return found


def _origin(checkpoint: Checkpoint) -> list[str]:
    """Return on what a model was trained, and how well it predicts."""
    text, score = checkpoint.metadata.text, checkpoint.metadata.validation
    names = ", ".join(PurePath(name).name for name in text.names)  # folders are nobody's business
    found = [f"Trained on {names or 'a text without a file'}, {plural(text.characters, 'character')}."]
    if score and score.bits_per_char is not None:
        found.append(f"{score.bits_per_char:.3f} bits per character of held-out text.")
    elif score:
        found.append(f"{percent(score.impossible_share)} of the characters of held-out text have probability 0.")
    return found


def _lede(count: int) -> str:
    noun = "a language model of characters writes" if count == 1 else "language models of characters write"
    return f"Type a beginning, and {noun} on, one character at a time."


def _engine(name: str) -> bytes:
    return (resources.files("charrnn.export") / "engine" / name).read_bytes()
