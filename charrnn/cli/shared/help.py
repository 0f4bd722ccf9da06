"""The end of each command's help: examples, which a test runs, and exit statuses."""

from __future__ import annotations

from rich.markup import escape

FIRST_OPTIONS = {
    "train": (
        "minutes", "cell", "num_layers", "hidden_size", "with_ngram", "out", "resume", "force", "device", "seed",
    ),
    "sample": ("temperature", "prime", "length", "seed", "count", "until", "top_k", "top_p", "interactive", "device"),
}  # fmt: skip
"""The parameters that the help of a command lists first, in this order; others of the first panel follow."""
EXAMPLES = {
    "": (
        ("train shakespeare.txt --minutes 3", "fetch Shakespeare, train"),
        ("sample --temp 0.8", "generate text"),
        ("compare", "compare with n-grams"),
    ),
    "train": (
        ("train shakespeare.txt --minutes 3", "fetch Shakespeare, train"),
        ("train novel.txt --with-ngram", "mix with n-grams: better"),
        ("train 'letters/*.txt' --cell gru", "train on several files"),
        ("train novel.txt --resume", "continue a stopped run"),
        ("train novel.txt --init-from other-lstm", "fine-tune a model"),
    ),
    "sample": (
        ("sample --prime 'Once upon' --temp 0.8", "continue a prompt"),
        ("sample novel-lstm --seed 7", "choose a model and a seed"),
        (r"sample --count 5 --until '\n\n'", "generate 5 paragraphs"),
        ("sample --match '[A-Z][a-z]+' --count 20", "generate 20 names"),
        ("sample --interactive", "continue what you type"),
    ),
    "complete": (
        ("complete pairs-lstm words.txt > targets.txt", "complete each line"),
        ("complete pairs-lstm held-out.tsv --accuracy", "measure accuracy"),
        ("complete arrows-lstm words.txt --sep ' => '", "change the separator"),
    ),
    "ngram": (
        ("ngram novel.txt", "fit the best smoothing"),
        ("ngram novel.txt --order 7 --smoothing mkn", "choose the model"),
        ("ngram novel.txt --prune 1", "save a smaller model"),
    ),
    "score": (
        ("score novel-lstm", "score held-out text"),
        ("score novel-lstm --text a.txt --text b.txt", "score and rank texts"),
        ("score novel-lstm --text a.txt --lines", "score each line"),
        ("score novel-lstm --online", "learn while reading"),
        ("score her-lstm his-lstm --text letter.txt", "find the author"),
    ),
    "inspect": (
        ("inspect", "show the newest checkpoint"),
        ("inspect novel-lstm --json", "print everything as JSON"),
        ("inspect novel-lstm --card > card.md", "write a model card"),
    ),
    "compare": (
        ("compare --prime 'Once upon' --temp 0.8", "compare all models"),
        ("compare novel-lstm --online", "add adaptive models"),
        ("compare python-lstm --structure", "see where they differ"),
        ("compare --out table.csv", "save the table"),
    ),
    "view": (
        ("view novel-lstm --open", "open the report"),
        ("view --text letter.txt --out letter.html", "show another text"),
    ),
    "export": (
        ("export novel-lstm", "write novel-lstm.html"),
        ("export novel-lstm novel-tuned-9", "two models side by side"),
        ("export novel-lstm --to novel.onnx", "write an ONNX graph"),
    ),
    "serve": (
        ("serve", "serve the newest model"),
        ("serve novel-lstm --port 8080", "choose a model and a port"),
    ),
    "lab": (
        ("lab", "list the experiments"),
        ("lab vanishing --quick", "run one in minutes"),
        ("lab ngrams --text novel.txt --out novel-lab", "use your own text"),
    ),
    "data": (
        ("data", "list the known texts"),
        ("data shakespeare", "fetch one of them"),
        ("data inspect novel.txt", "check a text first"),
    ),
    "data list": (
        ("data list", "list the known texts"),
        ("data list --json", "print the list as JSON"),
    ),
    "data fetch": (("data fetch shakespeare", "save data/shakespeare.txt"),),
    "data inspect": (
        ("data inspect novel.txt", "check a text first"),
        ("data inspect 'letters/*.txt' --no-advice", "skip the speed test"),
        ("data inspect novel.txt --json", "count every character"),
    ),
}
"""For each command, example command lines without `charrnn`, and what they do; "" is charrnn itself."""
EXIT_STATUS = (
    "\n\nExit status: 0 on success, 1 if a text, checkpoint or model cannot be used, 2 for wrong usage, 130 after "
    "Ctrl-C, 143 after SIGTERM.\n\n"
    "Generated text and JSON go to standard output; tables, progress and warnings to standard error."
)


def help_epilog(command: str) -> str:
    """Return the end of a command's help: one example per line, as wide as an 80-column terminal at most."""
    examples = [(f"charrnn {words}", purpose) for words, purpose in EXAMPLES[command]]
    width = max(len(words) for words, _ in examples)
    lines = (
        f"  {escape(words)}{' ' * (width - len(words))}  [dim]# {escape(purpose)}[/]" for words, purpose in examples
    )
    # The first line is empty because typer removes the indentation that all lines after the first one share.
    return "\n".join(["", "[bold]Examples:[/]", *lines])
