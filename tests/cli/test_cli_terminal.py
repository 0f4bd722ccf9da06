"""What goes to the screen does nothing to it."""

import pytest

from charrnn.cli.shared.terminal import (
    console,
    escape_control_chars,
    log,
    log_field,
    one_line,
    print_json,
    progress,
    progress_bar,
    shell_quoted,
)

HARMFUL = "\x1b[31m\x07\x08\r\x00\x9b\x7f\u202e\udcff\ue000"


def test_visible_escapes_control_characters() -> None:
    shown = r"\x1b[31m\x07\x08\x0d\x00\x9b\x7f\u202e\xff\ue000"
    assert escape_control_chars(HARMFUL) == shown
    assert escape_control_chars("a\tb é 日本 😀\n") == "a\tb é 日本 😀\n"
    assert escape_control_chars("\U000e0001") == r"\U000e0001"
    assert escape_control_chars(shown) == shown


def test_one_line_replaces_line_breaks() -> None:
    assert one_line("a\nb\x07") == r"a↵b\x07"
    assert escape_control_chars("a\nb", line_end=" ") == "a b"


def test_visible_escapes_unicode_line_separators() -> None:
    assert escape_control_chars("a\u2028b\u2029\x85") == r"a\u2028b\u2029\x85"


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("novel.txt", "novel.txt"),
        ("a novel's.txt", "'a novel'\"'\"'s.txt'"),
        ("-novel.txt", "./-novel.txt"),
        ("-", "-"),
        ("é.txt", "'é.txt'"),
        ("a\n\x1b1'\\.txt", r"$'a\012\0331\'\\.txt'"),
        ("-\u202e\udcff", r"$'./-\342\200\256\377'"),
    ],
)
def test_quoted_word_is_safe_in_a_shell(word: str, shown: str) -> None:
    assert shell_quoted(word) == shown
    assert escape_control_chars(shown) == shown


def test_print_json_writes_infinity_as_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1.5, float("inf"), float("nan")], "b": ("é\n\udcff", None, True)})
    assert capsys.readouterr().out == r'{"a": [1.5, null, null], "b": ["\u00e9\n\udcff", null, true]}' + "\n"


def test_console_does_not_replace_emoji_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """Rich made a cat of :cat: in what a model had written, and in names."""
    console().print(":cat: [red]")
    assert capsys.readouterr().err == ":cat: [red]\n"


def test_stderr_lines_have_no_line_breaks(capsys: pytest.CaptureFixture[str]) -> None:
    log("a\nb")
    log_field("label", "a\nb")
    assert capsys.readouterr().err == "a↵b\nlabel       a↵b\n"


def test_stderr_lines_escape_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    """Names of files and texts in checkpoints reach these lines; their escape sequences once reached the terminal."""
    log(f"say {HARMFUL}")
    log_field("label", f"field {HARMFUL}")
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"say {escape_control_chars(HARMFUL)}\nlabel       field {escape_control_chars(HARMFUL)}\n"


def test_long_stderr_lines_are_not_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    log("word " * 100)
    assert capsys.readouterr().err.count("\n") == 1


def test_bars_appear_on_a_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("reading", "B") as update:
        update(1, 2)
        update(2, 2)
    with progress_bar(10, "x", "step") as shown:
        shown.update()
    assert capsys.readouterr() == ("", "")


def test_bar_labels_escape_control_characters(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress_bar(1, "\x1b[2J\n", "step") as shown:
        shown.update()
    err = capsys.readouterr().err
    assert r"\x1b[2J↵" in err
    assert "\x1b[2J" not in err
