"""`charrnn score`: what it prints, and what it refuses."""

import json
import re
from pathlib import Path

import pytest
from program import SMALL, TEXT, Charrnn

from charrnn.checkpoint import load


def test_score_without_text_is_of_the_held_out_part(charrnn: Charrnn, models: Path) -> None:
    result = charrnn("score", "text-lstm", "--json")
    facts = json.loads(result.text)
    saved = load(models / "text-lstm.safetensors").metadata.validation
    assert result.status == 0
    assert saved is not None
    assert facts["bits_per_char"] == saved.bits_per_char
    assert (facts["characters"], facts["part"], facts["rule"]) == (170, "validation", "static, full")
    assert "online" not in facts
    assert "bits/char" in result.err


def test_score_without_name_takes_the_newest(charrnn: Charrnn, models: Path) -> None:
    assert json.loads(charrnn("score", "--json").text)["kind"] == "ngram"


def test_score_of_another_text_is_of_all_of_it(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "other.txt").write_text(TEXT[:300][::-1], encoding="utf-8")
    facts = json.loads(charrnn("score", "text-lstm", "--text", "other.txt", "--json").text)
    assert (facts["characters"], facts["part"], facts["split"]) == (300, "all", "0/0/100")


@pytest.mark.parametrize("name", ["text-lstm", "text-tuned-3"])
def test_score_window_and_online_are_figures_of_their_own(charrnn: Charrnn, models: Path, name: str) -> None:
    facts = json.loads(charrnn("score", name, "--window", 16, "--online", "--json").text)
    assert facts["rule"] == "static, full"
    assert facts["window"]["rule"] == "static, window 16"
    assert facts["window"]["characters"] == 169
    assert facts["online"]["rule"] == "online, full"
    assert facts["online"]["bits_per_char"] != facts["bits_per_char"]


def test_score_of_a_mixture_works(charrnn: Charrnn, folder: Path) -> None:
    assert charrnn("train", "text.txt", *SMALL, "--with-ngram").status == 0
    facts = json.loads(charrnn("score", "--window", 16, "--online", "--json").text)
    assert facts["kind"] == "mixture"
    assert facts["online"]["bits_per_char"] > 0


def test_score_online_of_what_cannot_learn_is_refused(charrnn: Charrnn, models: Path) -> None:
    assert charrnn("ngram", "text.txt", "--smoothing", "longest").status == 0
    assert charrnn("score", "text-longest", "--online").failed_with(2, "text-longest (longest match) does not support")
    assert charrnn("score", "nothing").failed_with(1, "nothing: not found")


def test_score_perplexity_is_2_to_the_bits(charrnn: Charrnn, models: Path) -> None:
    result = charrnn("score", "text-lstm", "--window", 16, "--online", "--json")
    facts = json.loads(result.text)
    for one in (facts, facts["window"], facts["online"]):
        assert one["perplexity"] == pytest.approx(2 ** one["bits_per_char"])
    assert f"nats), perplexity {facts['perplexity']:.3f}\n" in result.err


OTHER = "To be,\tor not.\n\nThat is the question"


def test_score_lines_add_up_to_the_text(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "other.txt").write_text(OTHER.replace("\t", " "), encoding="utf-8")
    facts = json.loads(charrnn("score", "text-lstm", "--text", "other.txt", "--lines", "--json").text)
    lines = facts["lines"]
    assert [one["text"] for one in lines] == ["To be, or not.", "", "That is the question"]
    assert [(one["line"], one["characters"]) for one in lines] == [(1, 15), (2, 1), (3, 20)]
    assert sum(one["bits"] for one in lines) == pytest.approx(facts["bits_per_char"] * 36)
    assert lines[0]["bits_per_char"] == pytest.approx(lines[0]["bits"] / 15)
    assert lines[0]["perplexity"] == pytest.approx(2 ** lines[0]["bits_per_char"])
    whole = json.loads(charrnn("score", "text-lstm", "--text", "other.txt", "--json").text)
    assert "lines" not in whole
    assert whole["bits_per_char"] == pytest.approx(facts["bits_per_char"])


def test_score_lines_into_a_pipe_are_tab_separated(charrnn: Charrnn, folder: Path) -> None:
    """Into a pipe go the very characters; the numbers are those of the whole text's lines."""
    (folder / "tabs.txt").write_bytes((OTHER + "\x1b[2J\n").encode() * 20)
    assert charrnn("ngram", "tabs.txt", "--order", 3, "--out", "it").status == 0
    out = charrnn("score", "it", "--lines").text
    rows = [line.split("\t", 4) for line in out.removesuffix("\n").split("\n")]
    assert [int(row[0]) for row in rows] == list(range(55, 61))
    assert rows[-1][4] == "That is the question\x1b[2J"
    assert rows[-3][4] == "To be,\tor not."
    assert [row[1] for row in rows[-3:]] == ["15", "1", "25"]
    assert float(rows[-1][3]) == pytest.approx(float(rows[-1][2]) / 25, abs=1e-3)
    names = [
        line.split("\t")[:2]
        for line in charrnn("score", "it", "--text", "a.txt", "--text", "tabs.txt", "--lines").text.splitlines()
    ]
    assert names == []  # there is no a.txt
    (folder / "a.txt").write_text("not", encoding="utf-8")
    several = charrnn("score", "it", "--text", "a.txt", "--text", "tabs.txt", "--lines").text.splitlines()
    assert {line.split("\t")[0] for line in several} >= {"a.txt", "tabs.txt"}
    assert several[-1].split("\t")[1] == "1"  # a.txt, whose three characters are the more surprising ones


def test_score_lines_of_bytes_work(charrnn: Charrnn, folder: Path) -> None:
    (folder / "bytes.txt").write_bytes(b"caf\xe9 \xc3\xa9\nbar\n" * 30)
    assert charrnn("ngram", "bytes.txt", "--bytes", "--order", 2, "--out", "it").status == 0
    out = charrnn("score", "it", "--lines").out.split(b"\n")
    assert {row.split(b"\t")[-1] for row in out[1:-1]} == {b"caf\xe9 \xc3\xa9", b"bar"}
    assert json.loads(charrnn("score", "it", "--lines", "--json").text)["lines"][0]["text"] == "caf\udce9 é"


def test_score_several_texts_scores_each_by_itself(charrnn: Charrnn, models: Path, folder: Path) -> None:
    """They once were one text."""
    (folder / "like.txt").write_text(TEXT[:150], encoding="utf-8")
    (folder / "unlike.txt").write_text(TEXT[:150][::-1], encoding="utf-8")
    texts = [word for name in ("unlike.txt", "like.txt", "text.txt") for word in ("--text", name)]
    result = charrnn("score", "text-lstm", *texts, "--window", 8, "--json")
    texts = json.loads(result.text)
    scores = [one["bits_per_char"] for one in texts]
    assert scores == sorted(scores)
    by_name = {one["text"]: one for one in texts}
    assert by_name.keys() == {"like.txt", "unlike.txt", "text.txt"}
    alone = json.loads(charrnn("score", "text-lstm", "--text", "like.txt", "--window", 8, "--json").text)
    assert by_name["like.txt"] == alone
    assert (by_name["text.txt"]["part"], by_name["like.txt"]["part"]) == ("validation", "all")
    assert "window 8," in result.err
    assert "Each text separately, one full pass; best score first" in result.err


def test_score_of_training_text_says_so(charrnn: Charrnn, folder: Path) -> None:
    """A part of that text, under whatever name: only what was held out of it says anything."""
    words = "".join(f"{chr(97 + i % 26)}{i * i % 977} " for i in range(600))
    (folder / "whole.txt").write_text(words, encoding="utf-8")
    assert charrnn("ngram", "whole.txt", "--order", 3, "--out", "it").status == 0
    held_out = len(words) - int(len(words) * 0.9)
    (folder / "start.txt").write_text(words[:400], encoding="utf-8")
    (folder / "end.txt").write_text(words[-held_out - 100 :], encoding="utf-8")
    (folder / "short.txt").write_text(words[:100], encoding="utf-8")
    start, end, short = (
        charrnn("score", "it", "--text", f"{name}.txt", "--json") for name in ("start", "end", "short")
    )
    facts = [json.loads(one.text) for one in (start, end, short)]
    assert [(one["part"], one["characters"]) for one in facts] == [
        ("train", 400), ("validation", held_out), ("all", 100),
    ]  # fmt: skip
    assert facts[1]["bits_per_char"] == pytest.approx(
        json.loads(charrnn("score", "it", "--json").text)["bits_per_char"]
    )
    assert "start.txt is part of the training text of it; not comparable with unseen text" in start.err
    assert "the beginning of end.txt is part of the training text of it; only the held-out end is scored" in end.err
    (folder / "whole.txt").unlink()  # then nobody can know
    assert json.loads(charrnn("score", "it", "--text", "start.txt", "--json").text)["part"] == "all"


def test_score_on_a_terminal_shows_colours(
    charrnn: Charrnn, models: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They begin at 1 bit, and what they mean stands above; where there are none the text is not shown."""
    (folder / "other.txt").write_text(TEXT[:60] + "\n", encoding="utf-8")
    command = ("score", "text-lstm", "--text", "other.txt")
    assert "surprisal" not in charrnn(*command).err
    assert charrnn(*command, "--show", 9).err.endswith("--show has no effect: this output has no colors\n")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = charrnn(*command, "--show", 50)
    assert "8 and more" in shown.err
    assert "the first 50 of 61 characters (--show 61: all)" in shown.err
    assert plain(shown.err).replace("↵\n", "\n").endswith(f"\n{TEXT[:50]}\n")
    assert "\x1b[30;48;5;" in shown.err
    assert shown.out == b""
    assert "surprisal" not in charrnn(*command, "--show", 0).err
    assert plain(charrnn(*command, "--text", "text.txt", "--show", 9).err).count("surprisal") == 2
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[30;4" in charrnn(*command).err
    monkeypatch.setenv("NO_COLOR", "1")
    assert "surprisal" not in charrnn(*command).err


def plain(shown: str) -> str:
    """Without colours."""
    return re.sub("\x1b\\[[0-9;]*m", "", shown)


def test_score_lines_on_a_terminal_are_the_worst(
    charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most surprising ones, in a table that fits."""
    (folder / "many.txt").write_text("".join(f"{i} is the square of {i * i}\n" for i in range(400)), encoding="utf-8")
    assert charrnn("ngram", "many.txt", "--order", 3, "--out", "it").status == 0
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "50")
    result = charrnn("score", "it", "--lines")
    assert result.out == b""
    table = result.err.rsplit("bits/char", 1)[1].splitlines()[1:]
    assert len(table) == 21
    assert table[-1] == "The 20 most surprising of 38 lines; to get all lines, use --json or a pipe."
    assert all(len(row) <= 50 for row in table[:20])
    bits = [float(row.split()[3]) for row in table[:20]]
    assert bits == sorted(bits, reverse=True)
