"""The reference of the Python API: public names by subject, and where mkdocstrings inserts their documentation."""

from __future__ import annotations

import importlib
import inspect

from tables import block, code, escape, table, tidy

import charrnn

SUBJECTS: dict[str, tuple[str, ...]] = {
    "Fit, load, score, compare": ("fit", "load", "score", "compare", "attribute", "TextModel"),
    "Building blocks": (
        "read_corpus", "Vocabulary", "Streams", "LanguageModel", "RecurrentModel", "NgramModel", "train", "fit_ngram",
        "evaluate", "generate",
    ),
    "Errors": ("CharRNNError",),
    "Results": (
        "charrnn.scoring.evaluate.Score",
        "charrnn.pipeline.score.TextScore",
        "charrnn.pipeline.compare.Comparison",
        "charrnn.scoring.attribution.Attribution",
        "charrnn.training.step.StepResult",
        "charrnn.checkpoint.metadata.Metadata",
        "charrnn.text.corpus.Corpus",
    ),
    "Generation in detail": (
        "charrnn.pipeline.text_generator.TextGenerator",
        "charrnn.sampling.filters.Filter",
    ),
    "Extensions": ("charrnn.models.rnn.cells.Cell", "charrnn.config.ngram.Smoothing"),
}  # fmt: skip
"""Heading → names of `charrnn`, or paths of what is below it."""
SETTINGS = "Configurations"


def python_api() -> str:
    """The body of the page: for each subject a table of names, and the directives of mkdocstrings in comments.

    Raises:
        ValueError: a public name of charrnn is in no subject.
    """
    configs = [name for name in charrnn.__all__ if name.endswith("Config")]
    listed = {*configs, "__version__", *(name for names in SUBJECTS.values() for name in names)}
    missing = set(charrnn.__all__) - listed
    if missing:
        raise ValueError(f"docs/tools/python_api.py: no subject has {', '.join(sorted(missing))}")
    rows = [
        (f"[{code(f'charrnn.{name}')}](settings.md#{name.lower()})", summary(f"charrnn.{name}")) for name in configs
    ]
    lines = [f"## {SETTINGS}", table(("configuration", "what it has"), rows)]
    for subject, names in SUBJECTS.items():
        paths = [name if "." in name else f"charrnn.{name}" for name in names]
        lines += [f"## {subject}", table(("name", "what it is"), [(code(path), summary(path)) for path in paths])]
        lines += [f"<!-- ::: {path} -->\n" for path in paths]
    return tidy(block(*lines))


def summary(path: str) -> str:
    """The first sentence of what a name of Python documents."""
    module, _, name = path.rpartition(".")
    text = inspect.getdoc(getattr(importlib.import_module(module), name)) or ""
    return escape(" ".join(text.split("\n\n")[0].split()))
