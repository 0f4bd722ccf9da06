"""The command itself: usage, help, version, streams that are closed or full."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from program import Charrnn

from charrnn import __version__
from charrnn.cli.main import make_command
from charrnn.cli.shared.help import EXAMPLES


def test_version_prints_the_version(charrnn: Charrnn) -> None:
    """`charrnn --version` once said "Missing command": the option was read, but its function never ran."""
    result = charrnn("--version")
    assert (result.status, result.text) == (0, f"{__version__}\n")


def test_charrnn_without_command_prints_where_to_start_and_exits_2(charrnn: Charrnn) -> None:
    """It once printed all of the help, which does not tell a newcomer which command to type first."""
    result = charrnn()
    assert result.status == 2
    assert result.err == ""
    lines = result.text.splitlines()
    assert 6 <= len(lines) <= 12
    assert max(map(len, lines)) <= 80
    commands = [line.split("#")[0].split() for line in lines if line.startswith("    charrnn ")]
    assert commands[0] == ["charrnn", "train", "shakespeare.txt", "--minutes", "3"]
    assert {words[1] for words in commands} <= set(make_command().commands)
    assert "`charrnn --help` lists all commands" in result.text


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["nonsense"], "nonsense: no such command; try `charrnn --help`"),
        (["smaple"], "smaple: no such command; did you mean sample?"),
        (["--nonsense"], "--nonsense: no such option; try `charrnn --help`"),
        (["train"], "no text given; try `charrnn train shakespeare.txt` (fetches Shakespeare's plays) or a text"),
        (["train", "--minutes", "3"], "train: no text given; try `charrnn train shakespeare.txt`"),
        (["data", "inspect"], "data inspect: no text given; try `charrnn data inspect shakespeare.txt`"),
        (["data", "fetch"], "data fetch: no name given; try `charrnn data fetch shakespeare`"),
        (["train", "text.txt", "--nonsense"], "--nonsense: no such option; try `charrnn train --help`"),
        (["train", "text.txt", "--hiden", "3"], "--hiden: no such option; did you mean --hidden?"),
        (["sample", "text-lstm", "another.txt"], "another.txt: unexpected argument; try `charrnn sample --help`"),
        (["train", "text.txt", "--steps"], "--steps: needs a value; try `charrnn train --help`"),
        (["sample", "--json=1"], "--json: does not take a value; try `charrnn sample --help`"),
        (["train", "text.txt", "--steps", "many"], "--steps many: must be an integer; try `charrnn train --help`"),
        (["train", "text.txt", "--dropout", "some"], "--dropout some: must be a number; try `charrnn train --help`"),
        (["train", "text.txt", "--steps", "-1"], "--steps -1: must be 1 or more"),
        (["sample", "--count", "0"], "--count 0: must be 1 or more"),
        (["sample", "--best-of", "-1"], "--best-of -1: must be 1 or more"),
        (["sample", "--beam", "0"], "--beam 0: must be 1 or more"),
        (["complete", "--batch-size", "0"], "--batch-size 0: must be 1 or more"),
        (["lab", "memory", "--seed", "-1"], "--seed -1: must be 0 or more"),
        (["score", "--show", "-1"], "--show -1: must be 0 or more"),
        (["view", "--length", "20001"], "--length 20001: must be from 2 to 20000"),
        (["train", "text.txt", "--steps", "1", "--minutes", "1"], "--minutes are mutually exclusive"),
        (["train", "text.txt", "--learning-rate", "nan"], "--learning-rate nan"),
        (["train", "text.txt", "--learning-rate", "inf"], "--learning-rate inf"),
        (["train", "text.txt", "--val-fraction", "1"], "--val-fraction 1"),
        (["train", "text.txt", "--val-fraction", ".5", "--test-fraction", ".5"], "no text is left to train on"),
        (["train", "text.txt", "--cell", "brain"], "--cell brain: must be one of rnn, lstm"),
        (["train", "text.txt", "--device", "abacus"], "--device abacus: not available on this machine; available: "),
        (["train", "text.txt", "--out", "."], "--out .: is a folder"),
        (["ngram", "text.txt", "--order", "0"], "--order 0"),
        (["ngram", "text.txt", "--order", "101"], "--order 101: must be from 1 to 100"),
        (["ngram", "text.txt", "--smoothing", "iron"], "--smoothing iron"),
        (["ngram", "text.txt", "--smoothing", "longest", "--order", "3"], "--smoothing longest has no order"),
        (["ngram", "text.txt", "--smoothing", "ml", "--prune", "1"], "--prune 1: --smoothing ml does not support it"),
        (["ngram", "text.txt", "--smoothing", "stupid", "--online"], "--smoothing stupid does not support it"),
        (["ngram", "text.txt", "--encoding", "hex"], "--encoding hex: unknown encoding"),
        (["ngram", "text.txt", "--encoding", "undefined"], "--encoding undefined: unknown encoding"),
        (["ngram", "text.txt", "--out", "there/"], "--out there/: is a folder; pass a file name, such as there/text-"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line_and_exits_2(charrnn: Charrnn, folder: Path, words: list[str], part: str) -> None:
    result = charrnn(*words)
    assert part in " ".join(result.err.split())
    assert result.status == 2
    assert not result.out
    assert [line for line in result.err.splitlines() if line.startswith("charrnn: ")] == result.err.splitlines()[-1:]
    assert not list(folder.glob("checkpoints/[!.]*"))


@pytest.mark.parametrize("command", ["sample", "complete", "score", "compare", "inspect", "view"])
def test_without_a_checkpoint_the_error_names_the_command_that_makes_one(charrnn: Charrnn, command: str) -> None:
    assert charrnn(command).failed_with(1, "`charrnn train shakespeare.txt`")


@pytest.mark.parametrize("command", sorted(EXAMPLES))
def test_help_fits_80_columns(charrnn: Charrnn, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Each example is on one line: it once was wrapped, with an empty line after it."""
    monkeypatch.setenv("COLUMNS", "80")
    result = charrnn(*command.split(), "--help")
    assert result.status == 0
    assert max(map(len, result.text.splitlines())) <= 80
    assert "…" not in result.text  # nothing was cut off to fit


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        ("train", "[OPTIONS] TEXT..."),
        ("sample", "[OPTIONS] [NAME]"),
        ("complete", "[OPTIONS] [NAME] [FILE]"),
        ("compare", "[OPTIONS] [NAME]..."),
        ("lab", "[OPTIONS] [NAME]"),
        ("data fetch", "[OPTIONS] NAME"),
        ("data inspect", "[OPTIONS] TEXT..."),
    ],
)
def test_usage_writes_arguments_in_one_way(charrnn: Charrnn, words: str, usage: str) -> None:
    lines = [line.strip() for line in charrnn(*words.split(), "--help").text.splitlines()]
    assert f"Usage: charrnn {words} {usage}" in lines


def test_help_says_what_goes_to_which_stream(charrnn: Charrnn) -> None:
    """It once said that results go to standard output: tables do not."""
    shown = " ".join(charrnn("--help").text.split())
    assert "text and JSON go to standard output; tables, progress and warnings to standard error." in shown


@pytest.mark.parametrize("command", ["train", "sample"])
def test_help_shows_the_ten_common_options_first(charrnn: Charrnn, command: str) -> None:
    common, *advanced = re.split(r"─ Advanced: [a-z ]+ ─", charrnn(command, "--help").text.partition("─ Options ─")[2])
    assert len(re.findall(r"^│ --(?!help)", common, flags=re.MULTILINE)) == 10
    assert {"--device", "--seed"} <= set(re.findall(r"--[a-z]+", common))
    assert len(advanced) >= 3


def test_help_names_values_and_has_no_types(charrnn: Charrnn) -> None:
    """Flags once took a `<bool>`, and everything else a `<str>`, `<int>` or `<float>`."""
    for command in EXAMPLES:
        assert "<" not in charrnn(*command.split(), "--help").text, command
    commands = make_command().commands
    for command in (*commands.values(), *commands["data"].commands.values()):
        for parameter in command.params:
            assert getattr(parameter, "is_flag", False) or parameter.metavar, parameter.name
    assert re.search(r"--minutes +X +Train for X minutes", charrnn("train", "--help").text)
    assert re.search(r"--optimizer +muon\|adamw +Optimizer", charrnn("train", "--help").text)


def test_help_imports_nothing_heavy() -> None:
    code = """
import contextlib, io, sys
from charrnn.cli.main import main
for words in ([], ["train"], ["sample"], ["ngram"], ["compare"], ["data"]):
    sys.argv = ["charrnn", *words, "--help"]
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as shown:
        main()
    assert "Usage: charrnn" in shown.getvalue(), words
sys.exit(bool({"torch", "numpy", "tqdm", "matplotlib"} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_python_m_charrnn_runs(folder: Path) -> None:
    ran = subprocess.run([sys.executable, "-m", "charrnn", "--version"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{__version__}\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_one_line(folder: Path) -> None:
    """`charrnn ... > /dev/full` once ended with a traceback at the interpreter's exit, and status 120."""
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "charrnn", "--version"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert ran.returncode == 1
    assert (
        ran.stderr == b"charrnn: the output: No space left on device; free some disk space, or write to another disk\n"
    )


def test_closed_standard_streams_are_no_error(folder: Path) -> None:
    """`charrnn ... >&- 2>&- <&-` once was an AttributeError: closed streams are None in Python."""
    command = f"exec '{sys.executable}' -m charrnn --version >&- 2>&- <&-"
    assert os.waitstatus_to_exitcode(os.system(command)) == 0


def test_out_of_memory_is_one_line(charrnn: Charrnn, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--hidden 1000000` once was a traceback: PyTorch has no exception of its own for too little memory."""

    def read(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 16 TB")

    monkeypatch.setattr("charrnn.cli.shared.texts.read", read)
    assert charrnn("ngram", "text.txt").failed_with(1, "out of memory; reduce --hidden")


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("complete words.txt --checkpoint text-lstm", "charrnn complete NAME FILE"),
        ("score text-lstm text.txt", "try `charrnn score text-lstm --text text.txt`"),
        ("inspect text.txt", "try `charrnn data inspect text.txt`"),
        ("inspect text.txt --device cpu", "use `charrnn data inspect TEXT`"),
        ("sample --save-state x", "pass it with --prime-file"),
        ("sample --load-state x", "--prime-file FILE"),
        ("sample --precision int8", "--precision: no such option; remove it: charrnn no longer supports int8"),
        ("train text.txt --resume=checkpoints/text-lstm.safetensors", "use --resume-from FILE"),
        ("train text.txt --resume checkpoints/text-lstm.safetensors", "--resume-from checkpoints/text-lstm"),
    ],
)
def test_old_spelling_is_one_line_with_the_new_one(charrnn: Charrnn, models: Path, words: str, advice: str) -> None:
    wrong = charrnn(*words.split())
    assert wrong.failed_with(2, advice)
    assert "did you mean" not in wrong.err
