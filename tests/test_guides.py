"""Pages of docs/getting-started and docs/guides under test: their commands and Python blocks are run, page by page.

Lines after `$ ` of console blocks, and the bash blocks of the tutorial, are run in order in one folder, with training
cut to a few steps; not a block after a comment `<!-- not run: reason -->`. `test_docs.py` runs docs/guides/python.md.
"""

import contextlib
import gzip
import io
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from blocks import blocks
from program import Charrnn, Outcome

ROOT = Path(__file__).parents[1]
FOLDERS = ("getting-started", "guides")
PAGES = {f"{folder}/{path.stem}": path for folder in FOLDERS for path in sorted((ROOT / "docs" / folder).glob("*.md"))}
"""The pages by their names."""
PROSE = "The end: the old man and the sea. Why? Because it is true, yes. No, Is the end of Jim Quick was dozy! & é\n"
CLASSES = "".join(f"{name}{i % 9}\t{language}\n" for i in range(800) for name, language in (("Ann", "x"), ("Bo", "y")))
TEXTS = ("shakespeare", "tinyshakespeare", "names")
"""Known texts that are in data/ of the folder."""
REPLACED = ("--minutes", "--steps", "--epochs", "--hidden")
"""Options of `train` that say how much is computed."""


def cut(words: list[str]) -> list[str]:
    """A command that trains for a moment, measures no speed, and opens no browser."""
    if words[0] == "train" and not {"--help", "--resume-from"} & set(words):
        kept = []
        rest = iter(words)
        for word in rest:
            if word in REPLACED:
                next(rest)
            else:
                kept.append(word)
        has_layers = "--layers" in words or any("," in word for word in words)  # as in --cell lstm,attention
        size = [] if "--init-from" in words else ["--hidden", "8", *([] if has_layers else ["--layers", "1"])]
        return [*kept, "--steps", "3", *size]
    if words[:2] == ["data", "inspect"]:
        return [*words, "--no-advice"] if "--no-advice" not in words else words
    return [word for word in words if word != "--open"]


def write_texts(folder: Path) -> None:
    """The files that the pages take for granted, besides text.txt."""
    (folder / "novel.txt").write_text(PROSE * 30, encoding="utf-8")
    (folder / "names.txt").write_text("Ann\nBob\nCarolyn\nDan\n" * 30, encoding="utf-8")
    (folder / "letters").mkdir()
    for name in "ab":
        (folder / "letters" / f"{name}.txt").write_text(f"The old man and {name}.\n" * 20, encoding="utf-8")
    (folder / "more.txt.gz").write_bytes(gzip.compress(PROSE.encode() * 10))
    (folder / "data").mkdir()
    for name in TEXTS:
        text = PROSE.replace(" ", " x") * 2 + PROSE + "ROMEO:\nAnd so I tell you, the glove is mine.\n"
        (folder / "data" / f"{name}.txt").write_text(text if name != "names" else CLASSES, encoding="utf-8")
    shutil.copytree(ROOT / "docs" / "examples", folder / "docs" / "examples")


def run_line(line: str, charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Outcome | None:
    """Run a command line: of charrnn or python in this process, what is around them in pipes by a shell."""
    command, _, file = line.partition(" > ")
    parts = command.split(" | ")
    result: Outcome | None = None
    data = b""
    for part in parts:
        words = shlex.split(part)
        if words[:3] == ["charrnn", "data", "fetch"] or (words[:2] == ["charrnn", "data"] and words[-1] in TEXTS):
            continue  # it needs a network, and the text is there
        if words[0] == "charrnn":
            result = charrnn(*expanded(cut(words[1:]), part), stdin=data)
            assert result.status == 0, f"{line}: {result.err}"
            data = result.out
        elif words[0] == "python" and words[1].startswith("docs/examples/"):
            monkeypatch.setattr(sys, "argv", words[1:])
            runpy.run_path(words[1], run_name="__main__")
        elif words[0] in ("cat", "echo", "printf", "head", "tail", "ls", "wc", "grep", "sort", "zcat"):
            done = subprocess.run(["bash", "-c", part], cwd=folder, input=data, stdout=subprocess.PIPE, check=True)
            data = done.stdout
        else:
            pytest.fail(f"{line}: the tests cannot run this; put `<!-- not run: reason -->` before the block")
    if file:
        (folder / file.strip()).write_bytes(data)
    return result


def expanded(words: list[str], command: str) -> list[str]:
    """The words with patterns that are not quoted replaced by the files that they match, as a shell does."""
    found = []
    for word in words:
        is_pattern = "*" in word and f"'{word}'" not in command and f'"{word}"' not in command
        found += [str(path) for path in sorted(Path().glob(word))] if is_pattern else [word]
    return found


def run_page(page: Path, charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Run all blocks of a page; returns the standard output of each command line."""
    written: dict[str, str] = {}
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page.read_text(encoding="utf-8")):
        if not block.is_run or "<!-- page only -->" in block.comment:
            continue
        is_commands = block.language == "console" or (block.language == "bash" and page.stem == "tutorial")
        for line in block.commands() if is_commands else ():
            result = run_line(line, charrnn, folder, monkeypatch)
            if result:
                written[line] = result.text
        if block.language == "python":
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(block.body, str(page), "exec"), names)
    return written


@pytest.mark.docs
@pytest.mark.parametrize("page", [name for name in PAGES if name != "guides/python"])
def test_commands_of_page_run(page: str, charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrnn.training.fit_mixture.STEPS", 60)
    write_texts(folder)
    run_page(PAGES[page], charrnn, folder, monkeypatch)


@pytest.mark.docs
def test_seed_gives_the_third_of_several_texts_again(
    charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the guide to sampling says: `--seed 7` is the third text of `--seed 5 --count 3`."""
    write_texts(folder)
    charrnn("ngram", "novel.txt", "--order", "3")
    options = ("--length", 200)
    alone = charrnn("sample", "--seed", 7, *options).text
    assert charrnn("sample", "--seed", 5, "--count", 3, *options).text.endswith(f"\n{'-' * 15}\n{alone}")
