"""docs/guides/recipes.md under test: its commands are run, one after the other, in one folder."""

import gzip
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from program import Charrnn

ROOT = Path(__file__).parents[1]
RECIPES = (ROOT / "docs" / "guides" / "recipes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```console\n(.*?)^```", RECIPES, flags=re.MULTILINE | re.DOTALL)
LINES = [line.removeprefix("$ ").split("  #")[0] for block in BLOCKS for line in block.splitlines()]
CUT = {"--minutes": ("--steps", "3", "--hidden", "8", "--layers", "1"), "--steps": ("--steps", "3"), "--hidden": ()}
"""What takes minutes, and what stands for it here."""


def cut(words: list[str]) -> list[str]:
    """A command that trains for a moment, and measures no speed."""
    found: list[str] = []
    rest = iter(words)
    for word in rest:
        if words[0] == "train" and word in CUT:
            next(rest)
            found += CUT[word]
        else:
            found.append(word)
    return [*found, "--no-advice"] if words[:2] == ["data", "inspect"] else found


def write_texts(folder: Path) -> None:
    """What the recipes take for granted."""
    prose = (
        "The end: the old man and the sea. Why? Because it is true, yes. No, Is the end of Jim Quick was dozy! & é\n"
    )
    (folder / "novel.txt").write_text(prose * 30, encoding="utf-8")
    (folder / "names.txt").write_text("Ann\nBob\nCarolyn\nDan\n" * 30, encoding="utf-8")
    (folder / "letters").mkdir()
    for name in "ab":
        (folder / "letters" / f"{name}.txt").write_text(f"Dear {name}, the old man.\n" * 20, encoding="utf-8")
    (folder / "more.txt.gz").write_bytes(gzip.compress(prose.encode() * 10))
    (folder / "data").mkdir()
    (folder / "data" / "shakespeare.txt").write_text(prose.replace(" ", " x") * 2 + prose, encoding="utf-8")
    shutil.copytree(ROOT / "docs" / "examples", folder / "docs" / "examples")


def test_recipe_commands_run(charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrnn.training.fit_mixture.STEPS", 60)
    write_texts(folder)
    written: dict[str, str] = {}
    for line in LINES:
        command, _, file = line.partition(" > ")
        before, _, command = f" | {command}".rpartition(" | ")
        words = shlex.split(command)
        if words == ["charrnn", "data", "shakespeare"]:
            continue  # it needs a network, and the text is there
        if words[0] == "python":
            monkeypatch.setattr(sys, "argv", words[1:])
            runpy.run_path(words[1], run_name="__main__")
            continue
        assert words[0] == "charrnn", line
        typed = piped(before.removeprefix(" | "), folder)
        result = charrnn(*cut(words[1:]), stdin=typed)
        assert result.status == 0, f"{line}: {result.err}"
        if file:
            (folder / file).write_bytes(result.out)
        written[line] = result.text
    whole, several = (written[line] for line in again())
    assert several.endswith(f"\n{'-' * 15}\n{whole}")


def again() -> list[str]:
    """The two commands that write the same text."""
    (block,) = [block for block in BLOCKS if "--seed 5 --count 3" in block]
    return [line.removeprefix("$ ") for line in block.splitlines()]


def piped(before: str, folder: Path) -> bytes:
    """What the beginning of a pipe gives."""
    if not before:
        return b""
    words = shlex.split(before)
    if words[0] == "printf":
        return words[1].replace("\\n", "\n").encode()
    assert words[0] == "cat", before
    return b"".join(path.read_bytes() for word in words[1:] for path in sorted(folder.glob(word)))
