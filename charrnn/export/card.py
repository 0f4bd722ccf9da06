"""A card for a checkpoint: Markdown in the form that model hubs show, with metadata in YAML at the top."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from charrnn import __version__
from charrnn.checkpoint import Checkpoint
from charrnn.config import SamplingConfig
from charrnn.formatting import duration, percent, plural
from charrnn.sampling.generate import generate
from charrnn.scoring.novelty import Novelty
from charrnn.text.documents import Documents
from charrnn.text.sanitize import escape_control_chars

SAMPLES, SAMPLE_LENGTH, TEMPERATURE = 2, 400, 0.8
"""Number, length in characters, and temperature of the samples."""


@dataclass(frozen=True)
class CardNovelty:
    """How much of a sample is copied, beside held-out text of the same length; see `scoring/novelty.py`."""

    sample: Novelty
    held_out: Novelty
    temperature: float


def make_card(checkpoint: Checkpoint, license_: str = "", novelty: CardNovelty | None = None) -> str:
    """Return the card.

    Args:
        checkpoint: the model.
        license_: the license of the training text, as the user states it; the card says so if there is none.
        novelty: how much the model copies; None if the training text is not at hand.
    """
    sections = [
        _front_matter(checkpoint, license_),
        f"# {checkpoint.name}\n\n{_summary(checkpoint)}",
        f"## Use\n\n{_use(checkpoint)}",
        f"## Training text\n\n{_text(checkpoint, license_)}",
        f"## Recipe\n\n{_recipe(checkpoint)}",
        f"## Scores\n\n{_scores(checkpoint, novelty)}",
        f"## Samples\n\n{_samples(checkpoint)}",
        f"## Limits\n\n{LIMITS}",
        f"*Written by charrnn {__version__}.*",
    ]
    return "\n\n".join(sections) + "\n"


LIMITS = (
    "The model predicts the next character of texts like its training text, and knows nothing else: what it writes is "
    "not true, and may repeat passages of the training text."
)


def _front_matter(checkpoint: Checkpoint, license_: str) -> str:
    kind = {"recurrent": "recurrent-network", "ngram": "n-grams", "mixture": "mixture"}[checkpoint.kind]
    validation = checkpoint.metadata.validation
    lines = [
        "---",
        "library_name: charrnn",
        "pipeline_tag: text-generation",
        f"tags: [text-generation, character-level, {kind}]",
        f"license_of_training_text: {json.dumps(license_ or 'not stated')}",
    ]
    if validation and validation.bits_per_char is not None:
        lines += [
            "model-index:",
            f"- name: {json.dumps(checkpoint.name)}",
            "  results:",
            "  - task: {type: text-generation}",
            f"    dataset: {{name: {json.dumps(_text_name(checkpoint))}, type: text, split: validation}}",
            f"    metrics: [{{type: bits_per_char, value: {validation.bits_per_char:.4f}}}]",
        ]
    return "\n".join([*lines, "---"])


def _text_name(checkpoint: Checkpoint) -> str:
    """The file names of the training text, without folders."""
    names = [PurePath(name).name for name in checkpoint.metadata.text.names]
    return ", ".join(map(escape_control_chars, names)) or "a string in Python"


def _summary(checkpoint: Checkpoint) -> str:
    vocabulary = checkpoint.vocabulary
    size = "256 bytes" if vocabulary.is_bytes else plural(len(vocabulary), "different character")
    return (
        f"A language model of characters ({checkpoint.description}), trained on {_text_name(checkpoint)} with "
        f"charrnn. It knows {size}. The file is {checkpoint.size / 1e6:.1f} MB of "
        "safetensors."
    )


def _use(checkpoint: Checkpoint) -> str:
    file = shlex.quote(checkpoint.path.name)
    return (
        f"```sh\ncharrnn sample {file} --temp {TEMPERATURE}\n```\n\n"
        "or in Python:\n\n"
        f"```python\nimport charrnn\n\nmodel = charrnn.load({checkpoint.path.name!r})\n"
        f"print(model.sample(length=500, temperature={TEMPERATURE}))\n```"
    )


def _text(checkpoint: Checkpoint, license_: str) -> str:
    text = checkpoint.metadata.text
    validation = checkpoint.metadata.validation
    rows = [
        ("name", _text_name(checkpoint)),
        ("SHA-256", f"`{text.sha256}`"),
        ("length", plural(text.characters, "character")),
        ("split", f"{validation.split} (training, validation, test; in percent)" if validation else "not recorded"),
        ("license", f"{license_} (as stated by the author of this card)" if license_ else "not stated"),
    ]
    return _table(("property", "value"), rows)


def _recipe(checkpoint: Checkpoint) -> str:
    metadata = checkpoint.metadata
    parts = []
    if metadata.command:
        parts.append(f"```sh\n{shlex.join(_without_folders(metadata.command))}\n```")
    rows = [("time", duration(metadata.fit_seconds)), ("device", metadata.device)]
    if metadata.step:
        rows.append(("steps", f"{metadata.step:,}"))
    if metadata.compute:
        rows.append(("computed with", str(metadata.compute)))
    rows.append(("versions", ", ".join(f"{name} {version}" for name, version in metadata.versions.items())))
    return "\n\n".join([*parts, _table(("property", "value"), rows)])


def _without_folders(command: tuple[str, ...]) -> list[str]:
    """The words of a command, with the program's name, and file names instead of absolute paths."""
    return ["charrnn", *(PurePath(word).name if PurePath(word).is_absolute() else word for word in command[1:])]


def _scores(checkpoint: Checkpoint, novelty: CardNovelty | None) -> str:
    validation = checkpoint.metadata.validation
    parts = []
    if validation is None:
        parts.append("The model was not scored.")
    elif validation.bits_per_char is None or validation.nats_per_char is None:
        parts.append(f"Infinite: {validation.impossible_share:.1%} of the held-out characters have probability 0.")
    else:
        rows = [
            ("bits per character", f"{validation.bits_per_char:.4f}"),
            ("nats per character", f"{validation.nats_per_char:.4f}"),
            ("characters", f"{validation.characters:,}"),
            ("rule", validation.rule),
        ]
        parts.append(f"Of held-out text, which the model was not trained on:\n\n{_table(('property', 'value'), rows)}")
    if novelty is None:
        parts.append("How much the model copies was not measured, because the training text was not at hand.")
    else:
        found = []
        for name, row in (
            (f"sample, temperature {novelty.temperature:g}", novelty.sample),
            ("held-out text", novelty.held_out),
        ):
            shares = (percent(share) for share in (row.novel_10, row.novel_20))
            found.append((name, *shares, f"{row.longest_copy:,}"))
        head = ("text", "new 10-grams", "new 20-grams", "longest copy, characters")
        length = f"{novelty.sample.characters:,}"
        parts.append(f"Novelty of {length} characters, compared with the training part:\n\n{_table(head, found)}")
    return "\n\n".join(parts)


def _samples(checkpoint: Checkpoint) -> str:
    vocabulary = checkpoint.vocabulary
    documents = Documents.of(checkpoint.metadata.text.corpus, vocabulary)
    parts = []
    for seed in range(1, 1 + SAMPLES):
        config = SamplingConfig(length=SAMPLE_LENGTH, temperature=TEMPERATURE, seed=seed)
        text = "".join(generate(checkpoint.model, vocabulary, config, documents=documents))
        fence = "`" * max(3, 1 + _longest_run(text, "`"))
        parts.append(
            f"Temperature {TEMPERATURE}, seed {seed}:\n\n{fence}text\n{escape_control_chars(text).strip()}\n{fence}"
        )
    return "\n\n".join(parts)


def _longest_run(text: str, character: str) -> int:
    longest = run = 0
    for other in text:
        run = run + 1 if other == character else 0
        longest = max(longest, run)
    return longest


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, rows)])
