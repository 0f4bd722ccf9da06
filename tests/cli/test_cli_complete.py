"""`charrnn complete`: targets on stdout, line for line; what stands in a file of lines; accuracy."""

import contextlib
import json
import os
import shutil
from pathlib import Path

import pytest
from program import Charrnn, status_of

PAIRS = {"one": "eins", "two": "zwei", "three": "drei", "four": "vier", "five": "fünf"}
LINES = "".join(f"{source}\t{target}\n" for source, target in PAIRS.items())
SOURCES = "".join(f"{source}\n" for source in PAIRS)
TARGETS = "".join(f"{target}\n" for target in PAIRS.values())


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pairs.tsv and n-grams that know its lines by heart, and another one of bytes."""
    folder = tmp_path_factory.mktemp("fitted")
    with contextlib.chdir(folder):
        Path("pairs.tsv").write_text(LINES * 20, encoding="utf-8")
        assert status_of("ngram", "pairs.tsv", "--bytes", "--smoothing", "mkn", "--out", "bytes") == 0
        assert status_of("ngram", "pairs.tsv", "--smoothing", "mkn", "--out", "pairs") == 0
    return folder / "checkpoints"


@pytest.fixture(autouse=True)
def _models(folder: Path, fitted: Path) -> None:
    shutil.copytree(fitted, folder / "checkpoints")
    (folder / "sources.txt").write_text(SOURCES, encoding="utf-8")
    (folder / "pairs.tsv").write_text(LINES, encoding="utf-8")


def test_complete_file_or_stdin_writes_targets(charrnn: Charrnn) -> None:
    """In the order of the sources, whatever the batches; the newest checkpoint is named."""
    for words in (["sources.txt"], ["pairs.tsv"], ["sources.txt", "--batch-size", 2], ["sources.txt", "--sep", "\t"]):
        result = charrnn("complete", "pairs", *words)
        assert result.status == 0
        assert result.text == TARGETS
        before = "with the line 'four\\tvier\\n' before each source"
        assert result.err == f"checkpoints/pairs.safetensors: mkn order 9, {before}\n"
    for words in ([], ["pairs", "-"], ["pairs", "--batch-size", 1], ["bytes"]):
        assert charrnn("complete", *words, stdin=SOURCES.encode()).text == TARGETS
    assert charrnn("complete", "pairs", "sources.txt", "--with-source").text == LINES
    assert charrnn("complete", stdin=b"").out == b""


@pytest.mark.parametrize("name", ["pairs", "bytes"])
def test_complete_accepts_all_line_ends(charrnn: Charrnn, name: str) -> None:
    """What is empty stays so, and the last line needs no end."""
    words = ("complete", name)
    assert charrnn(*words, stdin=b"one\r\n\r\nfive\r\n").text == "eins\n\nfünf\n"
    assert charrnn(*words, stdin=b"\none\n\n\ntwo").text == "\neins\n\n\nzwei\n"
    if name == "pairs":
        assert charrnn(*words, stdin=b"\xef\xbb\xbfone\n").text == "eins\n"


def test_complete_accuracy_counts_lines_and_characters(charrnn: Charrnn, folder: Path) -> None:
    exact = "accuracy    100.00% of 5 lines exactly right, 100.00% of 20 characters"
    for name in ("pairs", "bytes"):
        result = charrnn("complete", name, "pairs.tsv", "--accuracy")
        assert result.text == TARGETS
        assert result.err.splitlines()[-1] == exact
    wrong = LINES.replace("eins", "ein").replace("zwei", "zwo!") + "\n"
    result = charrnn("complete", "--accuracy", stdin=wrong.encode())
    assert result.text == TARGETS + "\n"
    assert "60.00% of 5 lines exactly right, 85.00% of 20 characters" in result.err
    missing = charrnn("complete", "pairs", "--accuracy", "sources.txt")
    assert missing.failed_with(1, r"sources.txt: line 1 has no '\t' followed by a target; remove --accuracy")


def test_complete_json_has_completions_and_shares(charrnn: Charrnn) -> None:
    found = json.loads(charrnn("complete", "pairs", "sources.txt", "--json").out)
    assert [list(line) for line in found] == [["source", "target", "log_prob", "finished"]] * 5
    assert {line["source"]: line["target"] for line in found} == PAIRS
    assert all(-9 < line["log_prob"] < 0 and line["finished"] for line in found)
    result = charrnn("complete", "pairs", "pairs.tsv", "--json", "--accuracy", "--length", 4)
    counted = json.loads(result.out)
    completions = counted.pop("completions")
    assert counted == {"lines": 5, "line_accuracy": 1, "character_accuracy": 1, "majority_accuracy": None}
    assert [line["target"] for line in completions] == list(PAIRS.values())
    assert not any(line["finished"] for line in completions)
    assert "unfinished  5 targets cut off after 4 characters; to allow more, use --length" in result.err


def test_complete_with_sampling_options_applies_them(charrnn: Charrnn) -> None:
    words = ("complete", "pairs", "sources.txt", "--temp", 2)
    first = charrnn(*words, "--seed", 1)
    assert "mkn order 9, temperature 2, seed 1, with the line" in first.err
    assert charrnn(*words, "--seed", 1, "--batch-size", 1).text == first.text
    assert charrnn(*words, "--seed", 2).text != first.text
    # The second line has the seed after the first one's.
    assert charrnn("complete", "--temp", 2, "--seed", 2, stdin=b"two\n").text == first.text.splitlines(True)[1]
    assert charrnn("complete", "pairs", "--ban", "f", "sources.txt").text.splitlines()[:4] == TARGETS.splitlines()[:4]
    assert charrnn("complete", "--match", "[a-z]{2}", stdin=b"one\n").text == "ei\n"
    unmet = charrnn("complete", "pairs", "--match", "q+", "sources.txt")
    assert (unmet.status, unmet.out) == (1, b"")
    assert unmet.err.splitlines()[1].startswith("charrnn: --match q+: cannot be matched")


def test_complete_with_long_separator_writes_targets(charrnn: Charrnn, folder: Path) -> None:
    (folder / "arrows.txt").write_text(LINES.replace("\t", "\t=> ") * 20, encoding="utf-8")
    assert charrnn("ngram", "arrows.txt", "--smoothing", "mkn").status == 0
    assert charrnn("complete", "arrows-mkn-9", "sources.txt", "--sep", r"\x09=> ").text == TARGETS
    assert charrnn("complete", "--sep", r"\t=> ", "--with-source", stdin=b"two\n").text == "two\t=> zwei\n"


def test_complete_source_in_another_form_is_normalized(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("ngram", "pairs.tsv", "--lower", "--normalize", "NFC", "--smoothing", "mkn").status == 0
    assert charrnn("complete", "--with-source", stdin="FÜNF\tÜ\n".encode()).text.startswith("fünf\t")


def test_complete_unknown_characters_fail_or_are_skipped(charrnn: Charrnn, folder: Path) -> None:
    """In a file, before anything is written; the line is named."""
    (folder / "unknown.txt").write_bytes(b"one\ntwo\n\ntw\xc3\xa9o\n")
    words = ("complete", "pairs", "unknown.txt")
    assert charrnn(*words).failed_with(1, "'é' (U+00E9", "at line 4, column 3", "--unknown skip")
    result = charrnn(*words, "--unknown", "skip", "--with-source")
    assert result.text == "one\teins\ntwo\tzwei\n\t\ntwéo\tzwei\n"
    assert charrnn(*words, "--unknown", "replace").text.startswith("eins\nzwei\n\n")
    assert charrnn(*words, "--unknown", "guess").failed_with(2, "--unknown guess: must be one of")
    assert charrnn("complete", stdin=b"tw\xffo\n").failed_with(1, "0xFF (a byte that is not UTF-8)")


@pytest.mark.parametrize(
    ("words", "status", "parts"),
    [
        (["--sep", ""], 2, ["--sep ''", "must be text without line ends"]),
        (["--sep", r"\n"], 2, [r"--sep '\n'"]),
        (["--sep", r"\q"], 2, [r"\q: not an escape sequence"]),
        (["--sep", "|"], 1, ["the model does not know '|' (U+007C", "or use another --sep"]),
        (["--temp", "-1"], 2, ["--temp -1"]),
        (["--batch-size", "0"], 2, ["--batch-size"]),
        (["--match", "("], 2, ["--match (: invalid regular expression"]),
        (["--ban", r"\n", "--allow", r"\n"], 2, ["--allow, --ban: no character is left to generate"]),
        (["--checkpoint", "pairs"], 2, ["--checkpoint", "the checkpoint comes first: charrnn complete NAME FILE"]),
    ],
)
def test_complete_with_invalid_option_fails(charrnn: Charrnn, words: list[str], status: int, parts: list[str]) -> None:
    assert charrnn("complete", "pairs", "sources.txt", *words).failed_with(status, *parts)


@pytest.mark.parametrize(
    ("words", "status", "part"),
    [
        (["none", "sources.txt"], 1, "none: not found"),
        (["pairs", "none.txt"], 1, "none.txt: cannot be read: No such file or directory; use a file of sources"),
        (["pairs", "checkpoints"], 1, "checkpoints: cannot be read: Is a directory"),
        (["sources.txt"], 2, "a text, not a checkpoint; the checkpoint comes first: charrnn complete NAME sources.txt"),
        (["sources.txt", "pairs"], 2, "the checkpoint comes first: charrnn complete pairs sources.txt"),
    ],
)
def test_complete_with_wrong_names_fails(charrnn: Charrnn, words: list[str], status: int, part: str) -> None:
    assert charrnn("complete", *words).failed_with(status, part)


def test_complete_with_model_of_plain_text_fails(charrnn: Charrnn, folder: Path) -> None:
    (folder / "plain.txt").write_text("To be, or not to be" * 20, encoding="utf-8")
    assert charrnn("ngram", "plain.txt", "--smoothing", "mkn").status == 0
    assert charrnn("complete", "plain-mkn-9", "sources.txt").failed_with(
        1, r"the model does not know '\t' (U+0009)", "train a model on"
    )


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_complete_with_endless_line_fails(charrnn: Charrnn) -> None:
    assert charrnn("complete", "pairs", "/dev/zero").failed_with(
        1, "/dev/zero: line 1 is longer than 1,000,000 characters"
    )


def test_complete_pipe_line_by_line_writes_targets_before_a_mistake(charrnn: Charrnn) -> None:
    """Its lines are completed as they come, so what was right before a mistake is written."""
    reader, writer = os.pipe()
    os.write(writer, b"one\n\ntwo\n\xc3\xa9\n")
    os.close(writer)
    result = charrnn("complete", "pairs", f"/dev/fd/{reader}", "--batch-size", 1)
    os.close(reader)
    assert (result.status, result.text) == (1, "eins\n\nzwei\n")
    assert "at line 4, column 1" in result.err


def test_complete_with_model_of_documents_starts_each_line_from_nothing(charrnn: Charrnn) -> None:
    """A network that had read line after line wrote 14% of the targets right from nothing, and 97% after a line."""
    assert charrnn("ngram", "pairs.tsv", "--smoothing", "mkn", "--document-separator", r"\n").status == 0
    result = charrnn("complete", "pairs-mkn-9", "sources.txt")
    assert result.err == "checkpoints/pairs-mkn-9.safetensors: mkn order 9\n"
    assert result.text.count("\n") == 5


def test_complete_with_network_is_independent_of_batch_size(charrnn: Charrnn) -> None:
    """Whatever it has learned: batches do not show."""
    assert charrnn("train", "pairs.tsv", "--hidden", 8, "--layers", 1, "--steps", 3, "--out", "net").status == 0
    words = ("complete", "net", "sources.txt", "--length", 12)
    result = charrnn(*words)
    assert result.status == 0
    assert result.text.count("\n") == 5
    assert charrnn(*words, "--batch-size", 2).text == result.text
