"""`charrnn sample`: filters, stops, several texts, searches, mixtures, JSON, and interactive mode."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from processes import shown_on_a_terminal
from program import Charrnn, Outcome

DASHES = "-" * 15


def written(result: Outcome) -> str:
    assert result.status == 0, result.err
    return result.text


def checkpoint_summary(result: Outcome) -> Any:
    return json.loads(written(result))


@pytest.mark.parametrize("model", ["text-lstm", "text-tuned-3"])
def test_sample_count_equals_each_seed_alone(charrnn: Charrnn, models: Path, model: str) -> None:
    words = ("sample", model, "--temp", 0.8, "--prime", "To")
    together = written(charrnn(*words, "--length", 60, "--seed", 5, "--count", 3)).split(f"\n{DASHES}\n")
    for i, text in enumerate(together):
        alone = written(charrnn(*words, "--length", 60, "--seed", 5 + i))
        assert text == alone
    assert len(set(together)) == 3


def test_sample_filters_restrict_the_text(charrnn: Charrnn, models: Path) -> None:
    words = ("sample", "text-lstm", "--length", 300, "--seed", 1, "--temp", 3)
    plain = written(charrnn(*words))
    assert {"t", "e"} <= set(plain)
    assert not set("te\n") & set(written(charrnn(*words, "--ban", r"te\n")))
    assert set(written(charrnn(*words, "--allow", "ao "))) == set("ao ")
    assert written(charrnn(*words, "--min-p", 1)) == written(charrnn(*words, "--top-k", 1))
    least = written(charrnn(*words, "--repetition-penalty", 1e30, "--repetition-window", 20))
    assert all(least[i] not in least[max(0, i - 20) : i] for i in range(300))


def test_sample_until_ends_the_text(charrnn: Charrnn, models: Path) -> None:
    words = ("sample", "text-tuned-3", "--seed", 1)
    plain = written(charrnn(*words))
    assert written(charrnn(*words, "--until", r"\n")) == plain[: plain.index("\n") + 1]
    first = min(plain.index(end) + len(end) for end in ("in the", "\n", "er "))
    assert written(charrnn(*words, "--until", "in the", "--until", r"\n", "--until", "er ")) == plain[:first]
    ended = re.search(r"[a-z]+,", plain)
    assert ended
    assert written(charrnn(*words, "--until-regex", "[a-z]+,")) == plain[: ended.end()]
    assert written(charrnn(*words, "--until", "qqqqq", "--length", 50)) == plain[:50]
    assert charrnn(*words, "--until", "").failed_with(2, "--until", "must not be empty")
    assert charrnn(*words, "--until-regex", "a*").failed_with(2, "--until-regex a*: matches the empty string")
    assert charrnn(*words, "--until-regex", "(").failed_with(2, "--until-regex (: invalid regular expression")


@pytest.mark.parametrize("model", ["text-lstm", "text-tuned-3"])
def test_sample_match_gives_matching_texts(charrnn: Charrnn, models: Path, model: str) -> None:
    """Even from a model that was trained for three steps: what cannot lead to a match is not written."""
    pattern = r"(To|Or) [a-z]{2,6}( [a-z]+)*\."
    result = charrnn("sample", model, "--match", pattern, "--count", 5, "--seed", 1, "--length", 2000)
    for text in written(result).split(f"\n{DASHES}\n"):
        assert re.fullmatch(pattern, text)


@pytest.mark.parametrize(
    ("words", "status", "part"),
    [
        (["--match", "To zebra"], 1, "--match To zebra: cannot be matched after 'To '"),
        (["--match", "[a-z ]+Q"], 1, "--match [a-z ]+Q: not matched after 50 characters; use a larger --length"),
        (["--match", "("], 2, "--match (: invalid regular expression"),
        (["--match", "T.*", "--ban", "T"], 1, "--match T.*: cannot be matched after ''"),
        (["--allow", "é"], 2, "no character is left to generate"),
        (["--ban", r"\q"], 2, r"\q: not an escape sequence"),
        (["--count", "2", "--beam", "2"], 2, "--count and --beam are mutually exclusive"),
        (["--beam", "2", "--temp", "0.5"], 2, "--temp has no effect with --beam; remove one of them"),
        (["--count", "2", "--novelty"], 2, "--count and --novelty"),
        (["--json", "--interactive"], 2, "--json and --interactive"),
        (["--mix", "text-lstm"], 2, "--mix text-lstm: must be a checkpoint and a weight"),
        (["--mix", "text-lstm:1"], 2, "--mix text-lstm:1: must be"),
        (["--mix", "text-lstm:0.5", "--mix", "text-lstm:0.5"], 2, "leaves no weight for the first model"),
        (["--mix", "nothing:0.5"], 1, "nothing: not found"),
    ],
)
def test_sample_with_conflicting_options_fails(
    charrnn: Charrnn, models: Path, words: list[str], status: int, part: str
) -> None:
    result = charrnn("sample", "text-tuned-3", "--length", 50, *words)
    assert result.status == status
    line = result.err.splitlines()[-1]
    assert line.startswith("charrnn: ")
    assert part in line


def test_sample_beam_json_has_no_seed(charrnn: Charrnn, models: Path) -> None:
    """It once had a random one, though nothing is drawn."""
    assert charrnn("sample", "text-tuned-3", "--beam", 2, "--length", 3, "--json").json()["seed"] is None
    assert charrnn("sample", "text-tuned-3", "--best-of", 1, "--length", 3, "--seed", 7, "--json").json()["seed"] == 7


def test_sample_beam_is_at_least_as_likely_as_greedy(charrnn: Charrnn, models: Path) -> None:
    words = ("sample", "text-tuned-3", "--prime", "W", "--length", 30, "--json")
    greedy = checkpoint_summary(charrnn(*words, "--temp", 0))
    wide = checkpoint_summary(charrnn(*words, "--beam", 20))
    assert wide["nats_per_char"] <= greedy["nats_per_char"] + 1e-9
    assert checkpoint_summary(charrnn(*words, "--beam", 1))["text"] == greedy["text"]
    ended = written(charrnn("sample", "text-tuned-3", "--prime", "W", "--beam", 5, "--until", r"\n"))
    assert ended.count("\n") == 1
    assert written(charrnn("sample", "text-lstm", "--beam", 3, "--match", "a|bb")) in ("a", "bb")


def test_sample_best_of_is_the_likeliest_of_count(charrnn: Charrnn, models: Path) -> None:
    words = ("sample", "text-lstm", "--length", 40, "--seed", 3, "--json")
    all_of_them = checkpoint_summary(charrnn(*words, "--count", 4))
    best = checkpoint_summary(charrnn(*words, "--best-of", 4))
    assert best == min(all_of_them, key=lambda text: text["nats_per_char"])
    result = charrnn(*words[:-1], "--best-of", 4)
    assert written(result) == best["text"]
    assert f"seed {best['seed']}, the likeliest of 4" in result.err


def test_sample_json_has_text_seed_and_log_probs(charrnn: Charrnn, models: Path) -> None:
    found = checkpoint_summary(charrnn("sample", "text-tuned-3", "--length", 20, "--seed", 4, "--temp", 0.5, "--json"))
    assert found["text"] == written(charrnn("sample", "text-tuned-3", "--length", 20, "--seed", 4, "--temp", 0.5))
    assert (found["seed"], found["characters"], found["temperature"]) == (4, 20, 0.5)
    assert len(found["log_probs"]) == 20
    assert max(found["log_probs"]) <= 0
    assert found["nats_per_char"] == pytest.approx(-sum(found["log_probs"]) / 20)
    assert found["bits_per_char"] == pytest.approx(found["nats_per_char"] / math.log(2))
    several = checkpoint_summary(charrnn("sample", "--length", 5, "--count", 2, "--json", "--seed", 7))
    assert [one["seed"] for one in several] == [7, 8]
    empty = checkpoint_summary(charrnn("sample", "--length", 0, "--json"))
    assert (empty["text"], empty["nats_per_char"]) == ("", None)


def test_sample_mix_averages_checkpoints(charrnn: Charrnn, models: Path) -> None:
    """Nearly all of one is that one, and half of a model is the whole of it."""
    words = ("--length", 60, "--seed", 2, "--top-k", 100)  # which n-grams draw as all others, by their logits
    lstm, tuned = (written(charrnn("sample", name, *words)) for name in ("text-lstm", "text-tuned-3"))
    mixed = charrnn("sample", "text-lstm", "--mix", "text-tuned-3:0.5", *words)
    assert written(mixed) not in (lstm, tuned)
    assert "lstm 1x8 (50%) and checkpoints/text-tuned-3.safetensors: tuned order 3 (50%)" in mixed.err
    assert written(charrnn("sample", "text-lstm", "--mix", "text-tuned-3:0.9999999", *words)) == tuned
    assert written(charrnn("sample", "text-tuned-3", "--mix", "text-tuned-3:0.5", *words)) == tuned


def test_sample_mix_of_different_vocabularies_fails(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "other.txt").write_text("xyz " * 100, encoding="utf-8")
    charrnn("ngram", "other.txt", "--order", 2)
    result = charrnn("sample", "text-lstm", "--mix", "other-tuned-2:0.5")
    assert result.failed_with(1, "--mix other-tuned-2: has a different vocabulary (4 characters) than text-lstm (24)")


def test_sample_interactive_in_pipe_answers_each_line(charrnn: Charrnn, models: Path) -> None:
    """What is written goes to stdout, all else to stderr; the state is kept from line to line."""

    def talk(*lines: str, length: int = 12) -> Outcome:
        stdin = "".join(f"{line}\n" for line in lines).encode()
        return charrnn("sample", "text-tuned-3", "--interactive", "--length", length, "--seed", 1, stdin=stdin)

    whole = written(charrnn("sample", "text-tuned-3", "--prime", "To", "--length", 24, "--seed", 1))[2:]
    assert written(talk("To", "")).replace("\n", "") == whole.replace("\n", "")
    assert written(talk("To", "be", "/undo", "")) == written(talk("To", "be")) + written(talk("To", ""))[13:]
    again = written(talk("To", "/retry")).encode()
    assert again[:12] != again[13:25]
    assert written(talk("To", "/temp 0", "", "/reset", "To", "/reset", "To")).splitlines()[-1]
    assert "temperature 0.5\n" in talk("/temp 0.5").err
    cold = written(talk("/temp 0", "To", "/retry"))
    assert cold[: len(cold) // 2] == cold[len(cold) // 2 :]
    assert written(talk("/seed 9", "To")) == written(talk("/length 12", "/seed 9", "To", "/quit", "To"))
    assert len(written(talk("/length 5", "W"))) == 6
    primed = charrnn("sample", "text-tuned-3", "--prime", "To be\nor", "--length", 12, "--seed", 1)
    assert written(talk(r"To be\nor")).rstrip("\n") == written(primed)[8:].rstrip("\n")
    for line, part in (
        ("/undo", "/undo: nothing to undo"),
        ("/retry", "nothing to retry"),
        ("/temp", "/temp : expected a number"),
        ("/temp -1", "--temp -1: must be 0 or more"),
        ("/nothing", "/nothing: unknown command"),
        ("//", "does not know the character '/'"),
        ("é", "does not know the character 'é'"),
    ):
        result = talk(line, "To")
        assert part in result.err
        assert written(result) == written(talk("To")), line
    assert "/retry        replace the last continuation" in talk("/help").err


def test_sample_never_generates_the_unknown_symbol(charrnn: Charrnn, folder: Path) -> None:
    """Four characters of ten are one symbol, which the model finds likely."""
    (folder / "rare.txt").write_text("".join(f"aab{chr(0x4E00 + i)}{chr(0x5E00 + i)}" for i in range(200)), "utf-8")
    assert charrnn("ngram", "rare.txt", "--min-count", 2, "--order", 3).status == 0
    for words in (
        [],
        ["--temp", 0],
        ["--temp", 5],
        ["--beam", 3],
        ["--count", 2],
        ["--match", "[^q]*"],
        ["--top-k", 1],
    ):
        text = written(charrnn("sample", *words, "--length", 100))
        assert set(text.replace(DASHES, "")) <= set("ab\n"), words


def test_sample_interactive_on_terminal_has_a_history(models: Path, folder: Path) -> None:
    """With arrow keys for earlier lines."""
    up = b"\x1b[A"
    typed = b"To be\n/temp 0\n" + up + up + b"\n" + b"/undo\n/quit\n"
    command = ("sample", "text-tuned-3", "--interactive", "--length", 8, "--seed", 1, "--temp", 0)
    shown = shown_on_a_terminal(folder, [command], typed, TERM="xterm").decode()
    assert "; type /help for a list of commands\n" in shown
    assert shown.count("> ") >= 5
    assert shown.count("temperature 0\n") == 1
    again = shown[shown.index("temperature 0\n") :]
    assert "To be" in again
    assert "the text now ends with 'To be" in again
