"""`charrnn sample`: the text alone on stdout, whatever is in it; primes; checkpoints that are none."""

import os
import sys
from pathlib import Path

import pytest
from processes import shown_on_a_terminal, start
from program import Charrnn


def test_sample_writes_only_the_text_to_stdout(charrnn: Charrnn, models: Path) -> None:
    for model in ("text-lstm", "text-tuned-3", models / "text-lstm.safetensors"):
        result = charrnn("sample", model, "--length", 30, "--prime", "To be", "--seed", 1)
        assert result.status == 0
        assert result.text.startswith("To be")
        assert len(result.text) == 35
        assert result.err.count("\n") == 1
        assert "seed 1" in result.err


def test_sample_by_default_takes_newest_checkpoint_and_new_seed(charrnn: Charrnn, models: Path) -> None:
    os.utime(models / "text-lstm.safetensors", (1, 1))
    first, second = (charrnn("sample", "--length", 200) for _ in range(2))
    assert first.err.startswith("checkpoints/text-tuned-3.safetensors: tuned order 3, temperature 1, seed ")
    assert first.text != second.text
    seed = first.err.split()[-1]
    assert charrnn("sample", "--length", 200, "--seed", seed).text == first.text


def test_sample_at_temperature_0_is_deterministic(charrnn: Charrnn, models: Path) -> None:
    words = ("sample", "text-tuned-3", "--length", 40)
    assert charrnn(*words, "--temp", 0).text == charrnn(*words, "--temperature", 0).text
    assert charrnn(*words, "--top-k", 1).text == charrnn(*words, "--temp", 0).text
    only = charrnn(*words, "--top-p", 1e-9, "--seed", 1).text  # of two that are as likely, another than above perhaps
    assert charrnn(*words, "--top-p", 1e-9, "--seed", 2).text == only


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--length", "-1"], "--length -1"),
        (["--temp", "nan"], "--temp nan"),
        (["--temp", "-1"], "--temp -1"),
        (["--top-k", "0"], "--top-k 0"),
        (["--top-p", "0"], "--top-p 0"),
        (["--top-p", "1.5"], "--top-p 1.5"),
        (["--seed", "-1"], "--seed -1"),
        (["--unknown", "guess"], "--unknown guess: must be one of error, skip, replace"),
        (["--prime", "a", "--prime-file", "text.txt"], "--prime and --prime-file are mutually exclusive"),
        (["--device", "abacus"], "--device abacus"),
        (
            ["--encoding", "latin-1"],
            "--encoding latin-1: has no effect without --prime-file; remove it",
        ),
        (["--encoding", "latin-1", "--prime", "a"], "--encoding latin-1: has no effect without --prime-file"),
        (["--save-state", "file"], "--save-state: no such option; to continue a text later, save the text"),
        (["--load-state", "file"], "--load-state: no such option; to continue a text, pass it with --prime-file FILE"),
    ],
)
def test_sample_with_invalid_option_exits_with_2(charrnn: Charrnn, models: Path, words: list[str], part: str) -> None:
    assert charrnn("sample", "text-tuned-3", *words).failed_with(2, part)


def test_sample_unknown_prompt_character_fails_or_is_skipped(charrnn: Charrnn, models: Path) -> None:
    words = ("sample", "text-tuned-3", "--prime", "To be\nor é é", "--length", 5)
    assert charrnn(*words).failed_with(1, "'é' (U+00E9", "line 2, column 4, and 1 more", "--unknown skip")
    for unknown in ("skip", "replace"):
        result = charrnn(*words, "--unknown", unknown)
        assert result.status == 0
        assert result.text.startswith("To be\nor é é")
    skipped = charrnn(*words[:3], "Toé", "--unknown", "skip", "--length", 40, "--seed", 1).text[3:]
    assert skipped == charrnn(*words[:3], "To", "--length", 40, "--seed", 1).text[2:]


def test_sample_prime_file_reads_file_and_stdin(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "prime.txt").write_bytes(b"To be,\nor")
    words = ("sample", "text-tuned-3", "--length", 20, "--seed", 1)
    expected = charrnn(*words, "--prime", "To be,\nor").out
    assert charrnn(*words, "--prime-file", "prime.txt").out == expected
    assert charrnn(*words, "--prime-file", "-", stdin=b"To be,\nor").out == expected
    assert charrnn(*words, "--prime-file", "-").out == charrnn(*words).out


def test_sample_prime_file_with_bom_and_crlf_is_normalized(charrnn: Charrnn, models: Path, folder: Path) -> None:
    r"""A file with Windows line ends, or a byte-order mark, once was refused: the model does not know \r."""
    (folder / "prime.txt").write_bytes(b"\xef\xbb\xbfTo be,\r\nor")
    words = ("sample", "text-tuned-3", "--length", 20, "--seed", 1)
    assert charrnn(*words, "--prime-file", "prime.txt").out == charrnn(*words, "--prime", "To be,\nor").out


def test_sample_with_unreadable_prime_file_fails(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "binary").write_bytes(b"To \xff")
    missing = charrnn("sample", "--prime-file", "none")
    assert missing.failed_with(1, "--prime-file none: cannot be read", "use a text file")
    assert charrnn("sample", "--prime-file", folder).failed_with(1, "Is a directory")
    assert charrnn("sample", "--prime-file", "binary").failed_with(1, "0xFF (a byte that is not UTF-8)", "column 4")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_sample_with_endless_prime_file_fails(charrnn: Charrnn, models: Path) -> None:
    """It once was read until there was no memory left. A pipe is welcome, as long as it ends."""
    assert charrnn("sample", "--prime-file", "/dev/zero").failed_with(1, "/dev/zero: longer than 10,000,000 bytes")


def test_sample_of_bytes_writes_them_unchanged(charrnn: Charrnn, folder: Path) -> None:
    """A model of bytes once refused a prime that is no UTF-8, though such bytes are all that it knows."""
    raw = bytes([255, 10, 13, 195, 169, 128, 0, 27]) * 100
    (folder / "raw.bin").write_bytes(raw)
    assert charrnn("ngram", "raw.bin", "--bytes", "--order", 5).status == 0
    (folder / "prime.bin").write_bytes(raw[:16])
    result = charrnn("sample", "--prime-file", "prime.bin", "--length", 80, "--temp", 0)
    assert result.out == raw[:96]


def test_sample_novelty_is_shown_after_an_unchanged_text(charrnn: Charrnn, models: Path) -> None:
    words = ("sample", "text-lstm", "--length", 200, "--seed", 1, "--prime", "To")
    result = charrnn(*words, "--novelty")
    assert result.status == 0
    assert result.out == charrnn(*words).out
    lines = result.err.splitlines()
    assert [line.split("  ")[0] for line in lines[4:6]] == ["sample", "held-out text"]
    assert lines[5].split()[2:] == ["0%", "0%", "0%", "170", "100%", "100%", "100%"]  # the text repeats itself
    assert lines[7].startswith("200 and 170 characters, compared with the training part of text.txt (1,530 ")
    assert 'The longest copy is "' in result.err
    assert "Red: " not in result.err


def test_sample_novelty_without_training_text_fails(charrnn: Charrnn, models: Path, folder: Path) -> None:
    """And says so before anything is written."""
    words = ("sample", "text-lstm", "--novelty", "--length", 30)
    (folder / "text.txt").rename(folder / "moved.txt")
    assert charrnn(*words).failed_with(1, "text.txt: not found, here or in data/")
    (folder / "text.txt").write_text("To be\n" * 300, encoding="utf-8")
    message = "text.txt: not the training text of text-lstm; pass the original text with --text"
    assert charrnn(*words).failed_with(1, message)
    assert charrnn(*words, "--text", "moved.txt").status == 0
    assert charrnn(*words[:2], "--text", "moved.txt").failed_with(
        2, "--text moved.txt: has no effect without --novelty"
    )
    assert charrnn(*words[:3], "--length", 0).failed_with(2, "--length 0: --novelty needs some text")


def test_sample_novelty_without_held_out_text_shows_the_sample_alone(charrnn: Charrnn) -> None:
    assert charrnn("ngram", "text.txt", "--order", 3, "--val-fraction", 0).status == 0
    result = charrnn("sample", "--novelty", "--length", 30)
    assert result.status == 0
    assert "held-out" not in result.err


def test_sample_without_checkpoint_fails(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("sample").failed_with(1, "checkpoints/: contains no checkpoint; create one with `charrnn train")
    assert charrnn("sample", "none").failed_with(1, "none: not found; `charrnn train TEXT` creates")
    (folder / "checkpoints").write_text("a file", encoding="utf-8")
    assert charrnn("sample").failed_with(1, "checkpoints/: contains no checkpoint")


def test_sample_of_another_file_fails(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("sample", folder).failed_with(1, "is a folder; use a .safetensors file in it")
    assert charrnn("sample", "text.txt").failed_with(2, "text.txt is a text, not a checkpoint")
    (folder / "text.txt").rename("text.safetensors")
    assert charrnn("sample", "text.safetensors").failed_with(1, "text.safetensors: not a safetensors file")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_sample_novelty_on_terminal_marks_copies_red(charrnn: Charrnn, folder: Path) -> None:
    """In a harmless form all the same; and not where the user wants no colours."""
    line = "nobler in the mind\x1b to suffer\n"
    (folder / "red.txt").write_text(line * 40, encoding="utf-8")
    assert charrnn("ngram", "red.txt", "--order", 5).status == 0
    command = ("sample", "--novelty", "--length", 40, "--temp", 0, "--prime", "no")
    text = (line * 2)[2:42].replace("\x1b", "\\x1b")
    shown = shown_on_a_terminal(folder, [command], TERM="xterm").decode()
    assert "\nno\x1b[31mb\x1b[0m\x1b[31ml\x1b[0m" in shown
    assert f"\nno{text}\n" in shown.replace("\x1b[31m", "").replace("\x1b[0m", "")
    assert f"\nno{text}\n" in shown_on_a_terminal(folder, [command], TERM="xterm", NO_COLOR="1").decode()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_sample_on_terminal_escapes_control_characters(charrnn: Charrnn, folder: Path) -> None:
    """Into a pipe they are written as they are."""
    (folder / "harmful.txt").write_bytes(b"\x1b[31m\x07\xe2\x80\xae\n" * 50)
    assert charrnn("ngram", "harmful.txt", "--order", 4).status == 0
    assert charrnn("sample", "--length", 8, "--temp", 0).out == b"\x1b[31m\x07\xe2\x80\xae\n"
    shown = shown_on_a_terminal(folder, [("sample", "--length", 8, "--temp", 0)], TERM="xterm", NO_COLOR="1")
    assert shown.endswith(b"\n\\x1b[31m\\x07\\u202e\n\n")


def test_sample_into_closed_pipe_exits_with_0(models: Path, folder: Path) -> None:
    """`charrnn sample | head -c 20` once had status 1, which typer gives; with `set -o pipefail` a script stopped."""
    os.mkfifo(folder / "pipe")
    sampling = start(folder, "sample", "text-tuned-3", "--length", 100_000_000, out=folder / "pipe")
    with (folder / "pipe").open("rb") as reader:
        assert len(reader.read(20)) == 20
    sampling.join(60)
    assert sampling.exitcode == 0
    assert (folder / "err.txt").read_text().count("\n") == 1


def test_sample_with_the_removed_precision_option_says_that_it_was_removed(charrnn: Charrnn) -> None:
    assert charrnn("sample", "--precision", "int8").failed_with(2, "charrnn no longer supports int8")
