"""The outputs that pages show: which commands print them, in which folder. Data alone; `print_output.py` runs them.

To add one, add an `Output` to a session, or a session; then `python docs/tools/print_output.py NAME`, and show it in a
page with `console("NAME")`. The commands of a session run in one folder, one after the other, so an output may use the
models of those before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Output:
    """What some commands print, kept as docs/output/NAME.txt.

    Attributes:
        name: of the file.
        commands: as a user types them; those with `|` or `>` are run by a shell.
        varies: regular expressions of what depends on the machine or the day, besides times and speeds; the tests do
            not compare it.
        fails: whether the commands are errors.
    """

    name: str
    commands: tuple[str, ...]
    varies: tuple[str, ...] = ()
    fails: bool = False


@dataclass(frozen=True)
class Session:
    """Outputs that are printed one after the other, in one folder.

    Attributes:
        outputs: the outputs.
        files: file → its text, or the name of a known text, such as "tinyshakespeare", which is linked.
        before: commands that are run first, and not shown.
        is_long: whether it takes minutes; the tests then run it only with `-m slow`.
    """

    outputs: tuple[Output, ...]
    files: dict[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    is_long: bool = False

    def __str__(self) -> str:
        return self.outputs[0].name


KNOWN_TEXTS = ("shakespeare", "tinyshakespeare", "names")
NUMBERS = r"∞|[<>]?[\d,.]*\d%?"
"""All numbers: of a network, whose weights depend on the processor."""
TIMES = (
    r"[\d,.]+ (?:s|ms|µs|seconds?|minutes?)\b",
    r"[\d,.]+ chars/s",
    r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?(?:Z|\+\d\d:\d\d)?)?",
    r"\b\d+\.\d+\.\d+(?:\+\w+)?",
)
"""What depends on the machine in any output: times, speeds, dates and versions."""

CAPTION_OPTIONS = r"--document-separator '\n' --hidden 128 --seq-length 140 --batch-size 16 --steps 1500"
"""How the networks of the guide to captions are trained."""

SESSIONS = (
    Session(
        files={"data/shakespeare.txt": "shakespeare"},
        outputs=(
            Output("train", ("charrnn train shakespeare.txt --minutes 3",)),
            Output("sample", ('charrnn sample --temp 0.8 --prime "ROMEO:" --length 400 --seed 1',)),
            Output("ngram", ("charrnn ngram shakespeare.txt",)),
            Output("mixture", ("charrnn train shakespeare.txt --minutes 3 --with-ngram",)),
            Output("compare", ('charrnn compare --prime "ROMEO:" --temp 0.8',)),
            Output("compare-json", ("charrnn compare --novelty-length 100000 --temp 0.8 --json 2> /dev/null",)),
            Output("score", ("charrnn score shakespeare-lstm --online --window 256",)),
            Output("inspect", ("charrnn inspect shakespeare-lstm",)),
        ),
        is_long=True,
    ),
    Session(
        files={"data/tinyshakespeare.txt": "tinyshakespeare"},
        outputs=(
            Output(
                "tutorial-goldberg-5",
                (
                    "charrnn ngram tinyshakespeare --smoothing ml --order 5 --force",
                    "charrnn sample tinyshakespeare-ml-5 --length 300 --seed 1",
                ),
            ),
            Output(
                "tutorial-goldberg-21",
                (
                    "charrnn ngram tinyshakespeare --smoothing ml --order 21 --force",
                    "charrnn sample tinyshakespeare-ml-21 --length 300 --seed 1",
                    "charrnn sample tinyshakespeare-ml-21 --length 300 --seed 1 --novelty",
                ),
            ),
            Output(
                "tutorial-ngram",
                (
                    "charrnn ngram tinyshakespeare --force",
                    "charrnn sample tinyshakespeare-tuned-9 --temp 0.8 --length 300 --seed 1",
                ),
            ),
            Output("tutorial-train", ("charrnn train tinyshakespeare --minutes 3 --force",)),
            Output(
                "tutorial-temperature",
                tuple(
                    rf'charrnn sample tinyshakespeare-lstm --temp {temp} --prime "ROMEO:\n" --length 200 --seed 1'
                    for temp in (0.2, 0.8, 1.5)
                ),
            ),
            Output("tutorial-compare", (r'charrnn compare --prime "ROMEO:\n" --temp 0.8',)),
        ),
        is_long=True,
    ),
    Session(
        before=("ln -s $PYTHONPATH/docs docs", "python docs/examples/captions.py"),
        outputs=(
            Output("captions-example", (r"head -1 captions-train.tsv | tr '/\t' '\n\n'",)),
            Output(
                "captions-lstm",
                (
                    rf"charrnn train captions-train.tsv --cell lstm {CAPTION_OPTIONS}",
                    "charrnn complete captions-train-lstm captions-held-out.tsv --accuracy > lstm.txt",
                ),
            ),
            Output(
                "captions-attention",
                (
                    rf"charrnn train captions-train.tsv --cell lstm,attention {CAPTION_OPTIONS}",
                    "charrnn complete captions-train-lstm-attention captions-held-out.tsv --accuracy > attention.txt",
                    "head -2 captions-held-out.tsv | charrnn complete captions-train-lstm-attention --with-source "
                    r"2> /dev/null | tr '/\t' '\n\n'",
                ),
            ),
        ),
        is_long=True,
    ),
    Session(
        files={"data/names.txt": "names"},
        before=("tail -n 735 data/names.txt > held-out.tsv",),
        outputs=(
            Output(
                "names-train",
                (r"charrnn train names --document-separator '\n' --test-fraction 0.1 --minutes 3",),
            ),
            Output(
                "names-complete",
                ("charrnn complete names-lstm held-out.tsv --accuracy --confusion languages.png > predicted.txt",),
            ),
            Output(
                "names-ngram",
                (
                    r"charrnn ngram names --document-separator '\n' --test-fraction 0.1",
                    "charrnn complete names-tuned-9 held-out.tsv --accuracy > predicted-ngrams.txt",
                ),
            ),
        ),
        is_long=True,
    ),
    Session(
        files={"data/tinyshakespeare.txt": "tinyshakespeare"},
        before=(
            "head -c 200000 data/tinyshakespeare.txt > her.txt",
            "tail -c 203000 data/tinyshakespeare.txt | head -c 200000 > his.txt",
            "tail -c 3000 data/tinyshakespeare.txt > letter.txt",
            "charrnn ngram her.txt --min-count 2 --out her",
            "charrnn ngram his.txt --min-count 2 --out his",
        ),
        outputs=(
            Output("authorship", ("charrnn score her his --text letter.txt",)),
            Output("lab-list", ("charrnn lab",)),
        ),
    ),
    Session(
        files={
            "data/tinyshakespeare.txt": "tinyshakespeare",
            "letter.txt": "To be, or not to be: that is the question.\n",
        },
        outputs=(
            Output("data-inspect", ("charrnn data inspect tinyshakespeare.txt --no-advice",)),
            Output("ngram-short", ("charrnn ngram tinyshakespeare.txt --order 6",)),
            Output("sample-short", ('charrnn sample --prime "ROMEO:" --length 200 --temp 0.8 --seed 1',)),
            Output("score-short", ("charrnn score", "charrnn score --text letter.txt")),
            Output("inspect-ngram", ("charrnn inspect",), varies=(r"[\d,]+ bytes$", r"in .*? on cpu.*")),
        ),
    ),
    Session(
        files={"data/tinyshakespeare.txt": "tinyshakespeare", "latin.txt": "caf\udce9\n" * 50},
        before=(
            "charrnn ngram tinyshakespeare.txt --order 3",
            "charrnn train tinyshakespeare.txt --steps 1 --hidden 8",
        ),
        outputs=(
            Output("error-text", ("charrnn train novel.txt",), fails=True),
            Output("error-encoding", ("charrnn train latin.txt",), fails=True),
            Output("error-exists", ("charrnn train tinyshakespeare.txt --minutes 3",), fails=True),
            Output("error-checkpoint", ("charrnn sample shakespeare-lstm",), fails=True),
            Output("error-option", ("charrnn sample --temprature 0.8", "charrnn sample --temp warm"), fails=True),
            Output("error-character", ("charrnn sample --prime 'naïve'",), fails=True),
        ),
    ),
)  # fmt: skip


def mask(text: str, output: Output) -> str:
    """An output without what depends on the machine, as the tests compare it."""
    for pattern in (*output.varies, *TIMES):
        text = re.sub(pattern, "…", text, flags=re.MULTILINE)
    return re.sub(r" {2,}", "  ", text)


def find_output(name: str) -> Output:
    """An output by its name.

    Raises:
        KeyError: no output has this name.
    """
    for session in SESSIONS:
        for output in session.outputs:
            if output.name == name:
                return output
    raise KeyError(name)
