"""What a shell offers, and what help says at its end."""

import shlex
from pathlib import Path

import pytest
from program import Charrnn

from charrnn.cli.main import make_command
from charrnn.cli.shared.help import EXAMPLES
from charrnn.cli.shared.options import COMPLETE_VARIABLE


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


@pytest.mark.parametrize("command", sorted(make_command().commands))
def test_help_examples_are_valid_command_lines(charrnn: Charrnn, command: str) -> None:
    """Each example is one of this command, with options that it has."""
    shown = " ".join(charrnn(command, "--help").text.split())
    known = make_command().commands[command]
    options = {flag for parameter in known.params for flag in parameter.opts}
    assert EXAMPLES[command]
    for words, what in EXAMPLES[command]:
        name, *rest = shlex.split(words)
        assert name == command
        assert {word for word in rest if word.startswith("-")} <= options
        assert f"charrnn {words} # {what}" in shown


def test_help_explains_exit_statuses(charrnn: Charrnn) -> None:
    assert "Exit status: 0; 1 if a text" in charrnn("--help").text
