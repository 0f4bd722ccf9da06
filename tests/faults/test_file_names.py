"""Texts and checkpoints whose names have a special meaning for a shell, a terminal or a program."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from program import SMALL, TEXT, Charrnn

from charrnn.checkpoint import load
from charrnn.cli.shared.terminal import shell_quoted

NAMES = {
    "space": "two  words.txt",
    "dash": "-novel.txt",
    "option": "--out=novel.txt",
    "line end": "a\nb.txt",
    "line ends alone": "\n\r\n",
    "quotes": 'it\'s "so" `echo` $HOME \\n.txt',
    "wild": "*?[a]{b,c};&|<>()!#~=%.txt",
    "tab and escape": "\ta\x1b[2J\x0712.txt",
    "letters": "čeština 日本語 🙂.txt",
    "direction": "a\u202eb\u2028c.txt",
    "not UTF-8": "caf\udce9.txt",  # as Python writes the bytes b"caf\xe9.txt"
    "hidden": ".txt",
}
has_names_of_bytes = sys.platform.startswith("linux")


def names(*chosen: str) -> pytest.MarkDecorator:
    """Parametrize a test with these names, including one that is not UTF-8 where file names are bytes."""
    return pytest.mark.parametrize("name", [NAMES[one] for one in chosen if has_names_of_bytes or one != "not UTF-8"])


def words_of(line: str) -> list[str]:
    """Return the words into which a shell splits a line that calls `charrnn`."""
    assert line.isprintable(), line
    said = subprocess.run(
        ["bash", "-c", f'charrnn() {{ printf "%s\\0" "$@"; }}; {line}'], capture_output=True, check=True
    )
    assert not said.stderr
    return said.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


@needs_bash
@names(*NAMES)
def test_quoted_name_survives_a_shell(name: str) -> None:
    (word,) = words_of(f"charrnn {shell_quoted(name)}")
    assert Path(word) == Path(name)
    assert not word.startswith("-")


@needs_bash
@names("option", "line end", "quotes", "tab and escape", "not UTF-8")
def test_odd_name_printed_commands_can_be_pasted(charrnn: Charrnn, folder: Path, name: str) -> None:
    """As the name of a text, and of a checkpoint."""
    (folder / name).write_text(TEXT, encoding="utf-8")
    result = charrnn("train", *SMALL, "--", name)
    assert result.status == 0, result.err
    network = field_of("next", result.err)
    assert charrnn(*words_of(network), "--length", 5).status == 0
    facts = load(Path(words_of(network)[1])).metadata
    assert facts.text.path == name
    assert name in facts.command
    counted = json.loads(charrnn("ngram", "--order", 2, "--json", "--", name).text)["checkpoint"]
    assert charrnn("score", counted).status == 0
    assert charrnn("score", f"--text={name}", "--", counted).status == 0
    assert charrnn("compare", "--length", 5, "--novelty-length", 5).status == 0
    assert charrnn("compare", "--length", 5, "--novelty-length", 0, f"--text={name}", "--", counted).status == 0


def field_of(label: str, err: str) -> str:
    """Return the text after a label."""
    (line,) = (line.removeprefix(label).strip() for line in err.splitlines() if line.startswith(f"{label} "))
    return line


@needs_bash
@names("dash", "line ends alone", "wild", "not UTF-8")
def test_odd_name_printed_resume_command_can_be_pasted(
    charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """With an odd name for both the checkpoint and the text."""
    from charrnn.training.monitor.monitor import Monitor
    from charrnn.training.step import StopFlag

    (folder / name).write_text(TEXT, encoding="utf-8")
    out = f"./{name}".replace("\udce9", "é")
    stops: list[StopFlag] = []
    made, updated = StopFlag.__init__, Monitor.update

    def make(stop: StopFlag) -> None:
        made(stop)
        stops.append(stop)

    def update(monitor: Monitor, *step: object) -> None:
        updated(monitor, *step)  # type: ignore[arg-type]
        stops[0].request(2)

    with monkeypatch.context() as patch:
        patch.setattr(StopFlag, "__init__", make)
        patch.setattr(Monitor, "update", update)
        stopped = charrnn("train", *SMALL, "--out", out, "--", name)
    assert stopped.status == 130
    resumed = charrnn(*words_of(field_of("resume with", stopped.err)))
    assert resumed.status == 0, resumed.err
    assert field_of("resumed", resumed.err).endswith(" s of training")
    assert load(Path(f"{out}.safetensors")).metadata.text.path == name


@pytest.mark.skipif(not has_names_of_bytes, reason="names of files are Unicode here")
def test_checkpoint_name_that_is_not_utf8_is_refused(charrnn: Charrnn, folder: Path) -> None:
    """Safetensors can write files with such names but not read them; an hour of training was once lost that way."""
    result = charrnn("train", "text.txt", *SMALL, "--out", "caf\udce9")
    assert result.failed_with(2, r"--out caf\xe9: not valid UTF-8; choose another name")
    (folder / "caf\udce9.txt").write_text(TEXT, encoding="utf-8")
    assert charrnn("ngram", "caf\udce9.txt", "--order", 2).status == 0
    assert [path.name for path in (folder / "checkpoints").glob("[!.]*")] == ["caf_-tuned-2.safetensors"]
    renamed = Path("caf\udce9.safetensors")
    (folder / "checkpoints" / "caf_-tuned-2.safetensors").rename(renamed)
    assert charrnn("sample", renamed).failed_with(
        1, r"caf\xe9.safetensors: safetensors cannot open a path that is not UTF-8", "rename the file"
    )
