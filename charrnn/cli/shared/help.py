"""What the help of a command ends with, and advice on options that charrnn once had."""

from __future__ import annotations

import sys
from dataclasses import fields

from rich.markup import escape

from charrnn.config import CorpusConfig, option_flags

EXAMPLES = {
    "train": (
        ("train novel.txt --minutes 10", "a network as good as ten minutes make it"),
        ("train 'letters/*.txt' --with-ngram --out letters", "several files, mixed with their n-grams"),
        ("train novel.txt --resume", "goes on where it was stopped"),
        ("train novel.txt --tensorboard runs", "curves for TensorBoard; checkpoints/novel-lstm.jsonl has them anyway"),
    ),
    "sample": (
        ("sample --temp 0.8 --prime 'Once upon' --seed 7", "a text that can be had again"),
        ("sample --count 5 --until '\\n\\n'", "five paragraphs"),
        ("sample --match '[A-Z][a-z]+ [A-Z][a-z]+' --count 20", "names"),
        ("sample --interactive", "goes on from what is typed"),
    ),
    "complete": (
        ("complete pairs-lstm words.txt > targets.txt", "a target for each line"),
        ("complete pairs-lstm held-out.tsv --accuracy", "and how many are right"),
        ("complete arrows-lstm words.txt --sep ' => ' --json", "another separator; with log-probabilities"),
    ),
    "ngram": (
        ("ngram novel.txt", "tuned, order 9"),
        ("ngram novel.txt --order 7 --smoothing mkn", "as KenLM's"),
    ),
    "score": (
        ("score novel-lstm", "what was held out"),
        ("score novel-lstm --text other.txt --online", "another text; and learning while it reads"),
        ("score novel-lstm --text a.txt --text b.txt", "several texts, the least surprising first"),
        ("score novel-lstm --text other.txt --lines", "line by line"),
        ("score her-lstm his-lstm --text letter.txt", "who wrote this?"),
    ),
    "inspect": (
        ("inspect novel-lstm", "its tensors, settings and scores"),
        ("inspect novel-lstm --json", "all of it, for other programs"),
    ),
    "compare": (
        ("compare --prime 'Once upon' --temp 0.8", "all models of a text beside n-grams, and mixed with them"),
        ("compare novel-lstm --online", "also what learns while it reads: bz2, xz and PPMd too"),
        ("compare python-lstm --structure", "where the network wins: brackets, indentation, memory"),
        ("compare --out table.csv --json > table.json", "for other programs"),
    ),
    "view": (
        ("view novel-lstm --open", "a page to look at it, in the browser"),
        ("view novel-lstm --text letters.txt --out letters.html", "reading another text"),
    ),
    "lab": (
        ("lab", "which experiments there are"),
        ("lab vanishing --quick", "the lecture's curve in some minutes: lab/vanishing.png"),
        ("lab ngrams --text novel.txt --out novel-lab", "on a text of your own"),
    ),
    "data": (
        ("data", "the known texts"),
        ("data shakespeare", "fetches one"),
        ("data inspect novel.txt", "before training on it"),
    ),
    "data list": (
        ("data list", "the known texts, and which are in data/"),
        ("data list --json", "for other programs"),
    ),
    "data fetch": (("data fetch shakespeare", "into data/; then `charrnn train shakespeare`"),),
    "data inspect": (
        ("data inspect novel.txt", "before training on it"),
        ("data inspect 'letters/*.txt' --no-advice", "several files as one text, without measuring the speed"),
        ("data inspect novel.txt --json", "every character with its count, for other programs"),
    ),
}
"""For each command, example command lines without `charrnn`, and what they do."""
EXIT_STATUS = (
    "Exit status: 0; 1 if a text, a checkpoint or a model cannot be used; 2 after wrong usage; 130 after Ctrl-C, 143 "
    "after SIGTERM, with all saved. Sampled text and JSON go to standard output; tables, progress and warnings to "
    "standard error."
)
INSPECT_TEXT = "use `charrnn data inspect TEXT`"
OLD_OPTIONS: dict[tuple[str, str], str] = {
    **{("inspect", flag): INSPECT_TEXT for flag in ("--advice", "--no-advice", "--device", "--minutes")},
    **{("inspect", flag): INSPECT_TEXT for spec in fields(CorpusConfig) for flag in option_flags(spec)},
    ("train", "--resume"): "use --resume-from FILE",
    ("sample", "--precision"): "sampling with int8 weights was removed; leave the option out",
    ("sample", "--save-state"): "it was removed; to continue a text later, save it, and pass it with --prime-file",
    ("sample", "--load-state"): "it was removed; continue a text with --prime-file FILE",
    ("complete", "--checkpoint"): "the checkpoint comes first: charrnn complete NAME FILE",
}
"""(command, option) → what to type instead; such as ("sample", "--old"): "use --new"."""


def help_epilog(command: str) -> str:
    """The end of a command's help."""
    lines = (escape(f"charrnn {words}  # {what}") for words, what in EXAMPLES.get(command, ()))
    return "\n\n".join(lines)


def advice_on(error: Exception) -> str | None:
    """What to type instead of an option that a command no longer has; None if it never had it."""
    context = getattr(error, "ctx", None)
    command = context.command_path.removeprefix("charrnn ") if context else "".join(sys.argv[1:2])
    return OLD_OPTIONS.get((command, getattr(error, "option_name", "")))
