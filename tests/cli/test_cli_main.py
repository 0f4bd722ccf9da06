"""The command itself: usage, help, version, streams that are closed or full."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from program import Charrnn

from charrnn import __version__

COMMANDS = ("train", "sample", "ngram", "compare", "data")


def test_version_prints_the_version(charrnn: Charrnn) -> None:
    """`charrnn --version` once said "Missing command": the option was read, but its function never ran."""
    result = charrnn("--version")
    assert (result.status, result.text) == (0, f"{__version__}\n")


def test_charrnn_without_command_prints_help_and_exits_2(charrnn: Charrnn) -> None:
    """It once added the line "charrnn:  Try `charrnn --help`." to the help."""
    result = charrnn()
    assert result.status == 2
    assert "Usage: charrnn" in result.text
    assert result.err == ""


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["nonsense"], "No such command 'nonsense'; try `charrnn --help`"),
        (["--nonsense"], "--nonsense"),
        (["train"], "Missing argument"),
        (["train", "text.txt", "--nonsense"], "try `charrnn train --help`"),
        (["sample", "text-lstm", "another.txt"], "another.txt"),
        (["train", "text.txt", "--steps"], "--steps"),
        (["train", "text.txt", "--steps", "many"], "'--steps'"),
        (["train", "text.txt", "--steps", "-1"], "--steps -1: must be from 1 to"),
        (["sample", "--count", "0"], "--count 0: must be from 1 to 2147483647"),
        (["sample", "--best-of", "-1"], "--best-of -1: must be from 1 to"),
        (["sample", "--beam", "0"], "--beam 0: must be from 1 to"),
        (["complete", "--batch-size", "0"], "--batch-size 0: must be from 1 to"),
        (["lab", "memory", "--seed", "-1"], "--seed -1: must be from 0 to"),
        (["score", "--show", "-1"], "--show -1: must be from 0 to"),
        (["view", "--length", "20001"], "--length 20001: must be from 2 to 20000"),
        (["train", "text.txt", "--steps", "1", "--minutes", "1"], "say at most one of them"),
        (["train", "text.txt", "--learning-rate", "nan"], "--learning-rate nan"),
        (["train", "text.txt", "--learning-rate", "inf"], "--learning-rate inf"),
        (["train", "text.txt", "--val-fraction", "1"], "--val-fraction 1.0"),
        (["train", "text.txt", "--val-fraction", ".5", "--test-fraction", ".5"], "nothing is left to train on"),
        (["train", "text.txt", "--cell", "brain"], "--cell brain: must be one of rnn, lstm"),
        (["train", "text.txt", "--device", "abacus"], "--device abacus: not available on this machine; available: "),
        (["train", "text.txt", "--out", "."], "--out .: is a folder"),
        (["ngram", "text.txt", "--order", "0"], "--order 0"),
        (["ngram", "text.txt", "--order", "101"], "--order 101: must be from 1 to 100"),
        (["ngram", "text.txt", "--smoothing", "iron"], "--smoothing iron"),
        (["ngram", "text.txt", "--smoothing", "longest", "--order", "3"], "--smoothing longest has no order"),
        (["ngram", "text.txt", "--smoothing", "ml", "--prune", "1"], "--smoothing ml has nothing to fall back on"),
        (["ngram", "text.txt", "--smoothing", "stupid", "--online"], "--smoothing stupid does not support it"),
        (["ngram", "text.txt", "--encoding", "hex"], "--encoding hex: there is no such encoding"),
        (["ngram", "text.txt", "--encoding", "undefined"], "--encoding undefined: there is no such encoding"),
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


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_fits_80_columns(charrnn: Charrnn, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = charrnn(*command, "--help")
    assert result.status == 0
    assert max(map(len, result.text.splitlines())) <= 80
    assert "…" not in result.text  # nothing was cut off to fit
    for name in COMMANDS if not command else ():
        assert f" {name} " in result.text


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


def test_help_groups_options(charrnn: Charrnn) -> None:
    shown = charrnn("train", "--help").text
    assert shown.index("─ Text ─") < shown.index("--val-fraction") < shown.index("─ Model ─") < shown.index("--cell")
    assert shown.index("--cell") < shown.index("─ Training ─") < shown.index("--learning-rate")


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
    assert ran.stderr == b"charrnn: the output: No space left on device; make room, or write elsewhere\n"


def test_closed_standard_streams_are_no_error(folder: Path) -> None:
    """`charrnn ... >&- 2>&- <&-` once was an AttributeError: closed streams are None in Python."""
    command = f"exec '{sys.executable}' -m charrnn --version >&- 2>&- <&-"
    assert os.waitstatus_to_exitcode(os.system(command)) == 0


def test_out_of_memory_is_one_line(charrnn: Charrnn, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--hidden 1000000` once was a traceback: PyTorch has no exception of its own for too little memory."""

    def read(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 16 TB")

    monkeypatch.setattr("charrnn.cli.shared.texts.read", read)
    assert charrnn("ngram", "text.txt").failed_with(1, "not enough memory; say a smaller --hidden")


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("complete words.txt --checkpoint text-lstm", "charrnn complete NAME FILE"),
        ("score text-lstm text.txt", "try `charrnn score text-lstm --text text.txt`"),
        ("inspect text.txt", "try `charrnn data inspect text.txt`"),
        ("inspect text.txt --device cpu", "use `charrnn data inspect TEXT`"),
        ("sample --save-state x", "pass it with --prime-file"),
        ("sample --load-state x", "--prime-file FILE"),
        ("sample --precision int8", "int8 weights was removed"),
        ("train text.txt --resume=checkpoints/text-lstm.safetensors", "use --resume-from FILE"),
        ("train text.txt --resume checkpoints/text-lstm.safetensors", "use --resume-from checkpoints/text-lstm"),
    ],
)
def test_old_spelling_is_one_line_with_the_new_one(charrnn: Charrnn, models: Path, words: str, advice: str) -> None:
    wrong = charrnn(*words.split())
    assert wrong.failed_with(2, advice)
    assert "Possible options" not in wrong.err
