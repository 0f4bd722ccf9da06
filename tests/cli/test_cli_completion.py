"""Shell completion, and the examples at the end of each command's help."""

import shlex
from pathlib import Path

import pytest
from program import SMALL, Charrnn

from charrnn.cli.main import make_command
from charrnn.cli.shared.help import EXAMPLES
from charrnn.cli.shared.options import COMPLETE_VARIABLE
from charrnn.lab import ngrams, vanishing

SHORTER = {
    "train": (*SMALL, "--force"),
    "sample": ("--length", "50"),
    "complete": ("--length", "20"),
    "compare": ("--length", "10", "--novelty-length", "0"),
    "view": ("--length", "50", "--no-compare"),
    "serve": ("--port", "0"),
    "data inspect": ("--no-advice",),
}
"""Options that make a command quick."""


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("sa", {"sample"}),
        ("sample te", {"text-lstm", "text-lstm-last", "text-tuned-3"}),
        ("sample checkpoints/text-t", {"checkpoints/text-tuned-3.safetensors"}),
        ("compare text-t", {"text-tuned-3"}),
        ("train te", {"text.txt"}),
        ("train sh", {"shakespeare"}),
        ("ngram ./te", {"./text.txt"}),
        ("inspect text", {"text-lstm", "text-lstm-last", "text-tuned-3"}),
        ("data inspect text", {"text.txt"}),
        ("view text-t", {"text-tuned-3"}),
        ("data p", {"python"}),
        ("data fetch p", {"python"}),
        ("data i", {"inspect"}),
        ("lab me", {"memory"}),
        ("train text.txt --cell min", {"minlstm", "mingru"}),
        ("ngram text.txt --smoothing t", {"tuned"}),
        ("sample --until-", {"--until-regex"}),
        ("sample nothing", set()),
        ("train no/such/folder/", set()),
    ],
)
def test_tab_completes_names_and_files(
    charrnn: Charrnn, models: Path, monkeypatch: pytest.MonkeyPatch, typed: str, offered: set[str]
) -> None:
    monkeypatch.setenv(COMPLETE_VARIABLE, "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"charrnn {typed}")
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split())))
    result = charrnn()
    assert result.status == 0
    assert set(result.text.split()) == offered


def test_show_completion_prints_a_script(charrnn: Charrnn) -> None:
    assert "complete" in charrnn("--show-completion", "bash").text


def write_example_inputs(folder: Path) -> None:
    """Write the files that the examples name."""
    prose = 'The (old) man and the "sea": why? Once upon a time, Ann was there.\n' * 40
    pairs = "".join(f"{word}s\t{word}\n" for word in ("time", "man", "sea", "son")) * 40
    names = ("novel", "other", "her", "his", "python", "a", "b", "letter", "data/shakespeare", "data/tinyshakespeare")
    for subfolder in ("data", "letters"):
        (folder / subfolder).mkdir()
    for name in (*names, "letters/1", "letters/2"):
        (folder / f"{name}.txt").write_text(prose, encoding="utf-8")
    (folder / "pairs.txt").write_text(pairs, encoding="utf-8")
    (folder / "held-out.tsv").write_text(pairs[:20], encoding="utf-8")
    (folder / "arrows.txt").write_text(pairs.replace("\t", " => "), encoding="utf-8")
    (folder / "words.txt").write_text("times\nmans\n", encoding="utf-8")


def test_every_command_has_examples() -> None:
    commands = make_command().commands
    assert set(EXAMPLES) == {"", *commands, *(f"data {name}" for name in commands["data"].commands)}


@pytest.mark.parametrize("command", sorted(EXAMPLES))
def test_help_ends_with_examples_of_the_command(charrnn: Charrnn, command: str) -> None:
    help_lines = charrnn(*command.split(), "--help").text.splitlines()
    lines = [" ".join(line.split()) for line in help_lines[help_lines.index(f"{' Examples:':80}") + 1 :]]
    expected = [f"charrnn {words} # {purpose}" for words, purpose in EXAMPLES[command]]
    assert lines[: len(expected)] == expected
    assert all(words.startswith(command) for words, _ in EXAMPLES[command])


def test_help_examples_run(charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, one after another in one folder, with shorter trainings and less output."""
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("charrnn.serve.server.ModelServer.serve_forever", lambda server, poll_interval: None)
    for experiment in (vanishing, ngrams):
        monkeypatch.setattr(experiment, "SIZES", dict.fromkeys(("quick", "full"), experiment.SIZES["tiny"]))
    write_example_inputs(folder)
    for name in ("novel", "other", "her", "his", "python", "pairs", "arrows"):
        assert charrnn("train", f"{name}.txt", *SMALL).status == 0
    for line in dict.fromkeys(words for examples in EXAMPLES.values() for words, _ in examples):
        words = shlex.split(line.partition(" > ")[0].replace("--minutes 3", ""))
        result = charrnn(*words, *SHORTER.get(words[0], ()), *SHORTER.get(" ".join(words[:2]), ()), stdin=b"The man\n")
        assert result.status == 0, f"{line}: {result.err}"
    assert len(opened) == 1


def test_help_explains_exit_statuses(charrnn: Charrnn) -> None:
    assert "Exit status: 0 on success, 1 if a text" in charrnn("--help").text
