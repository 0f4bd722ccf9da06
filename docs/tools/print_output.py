"""Print the outputs that pages show: run the commands of outputs.py and write docs/output/NAME.txt.

    python docs/tools/print_output.py             # the short ones, in seconds
    python docs/tools/print_output.py train ...   # those of this name, and those before them in their session
    python docs/tools/print_output.py --all       # all, in minutes
    python docs/tools/print_output.py --check     # compare the short ones with the files; exit status 1 if they differ

Standard output and errors are printed as a pipe gets them, in their order. docs/output/printed.json has the version,
machine and date of each. Texts come from data/ of this repository or the folder of CHARRNN_TINYSHAKESPEARE; others are
fetched.
"""

from __future__ import annotations

import argparse
import difflib
import json
import multiprocessing
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from outputs import KNOWN_TEXTS, SESSIONS, Output, Session, find_output, mask

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "output"
PRINTED = FOLDER / "printed.json"
SHELL = set("|<>;&*?$`")
"""Characters that need a shell."""


def run_session(session: Session, names: set[str]) -> Iterator[tuple[Output, str]]:
    """Run a session in a temporary folder as far as the last of these outputs; yields each with its text."""
    wanted = [i for i, output in enumerate(session.outputs) if output.name in names]
    if not wanted:
        return
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        for name, text in session.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text in KNOWN_TEXTS:
                path.symlink_to(find_text(text))
            else:
                path.write_text(text, encoding="utf-8", errors="surrogateescape")
        for command in session.before:
            run_command(command, folder)
        for output in session.outputs[: wanted[-1] + 1]:
            parts = []
            for command in output.commands:
                text, status = run_command(command, folder)
                if bool(status) != output.fails:
                    raise SystemExit(f"{output.name}: `{command}` exited with {status}:\n{text}")
                parts.append(f"$ {command}\n{_trimmed(text)}")
            if output.name in names:
                yield output, "\n".join(parts)


def _trimmed(text: str) -> str:
    """Lines without blanks at their ends, and one line end at the end."""
    return "\n".join(line.rstrip() for line in text.rstrip("\n").split("\n")) + "\n"


def find_text(name: str) -> Path:
    """The file of a known text; it is fetched into data/ of this repository if it is in neither folder."""
    tiny = Path(os.environ.get("CHARRNN_TINYSHAKESPEARE", ROOT.parent / "shared" / "data" / "tinyshakespeare.txt"))
    paths = (ROOT / "data" / f"{name}.txt", tiny.with_name(f"{name}.txt"))
    if not any(path.is_file() for path in paths):
        run_command(f"charrnn data {name}", ROOT)
    return next(path for path in paths if path.is_file()).resolve()


def run_command(command: str, folder: Path) -> tuple[str, int]:
    """Run a command in a folder; returns what it prints, errors too, and its exit status."""
    if SHELL & set(command) or not command.startswith("charrnn "):
        with tempfile.TemporaryDirectory() as shims:
            shim = Path(shims, "charrnn")
            shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m charrnn "$@"\n', encoding="utf-8")
            shim.chmod(0o755)
            environment = {**_environment(), "PATH": f"{shims}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
            done = subprocess.run(
                ["bash", "-c", command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            )  # fmt: skip
        return done.stdout.decode(), done.returncode
    process_end, file_end = os.pipe()
    process = multiprocessing.get_context("fork").Process(target=_run_in_fork, args=(command, folder, file_end))
    process.start()
    os.close(file_end)
    with os.fdopen(process_end, "rb") as file:
        text = file.read().decode()
    process.join()
    return text, process.exitcode or 0


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "TERM")}
    return {**kept, "PYTHONUNBUFFERED": "1"}


def _run_in_fork(command: str, folder: Path, pipe: int) -> None:
    """Be the command: its imports are made already, which is most of the time that a short one takes."""
    from charrnn.cli.main import main

    os.chdir(folder)
    for name in ("COLUMNS", "LINES", "TERM"):
        os.environ.pop(name, None)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(pipe, 1)
    os.dup2(pipe, 2)
    os.close(pipe)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.stdout.reconfigure(write_through=True)
    sys.argv = shlex.split(command)
    main()


def machine_words() -> dict[str, str]:
    """The version, the date and the machine of an output, as pages quote them."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from machine import machine

    from charrnn import __version__

    values = machine()
    words = [
        f"{values['processor']} with {values['instruction_set']}",
        f"{values['cores']} cores",
        str(values["gpu"] or "no GPU"),
        f"Python {values['python']}",
        f"PyTorch {str(values['torch']).split('+')[0]}",
    ]
    return {"version": __version__, "date": datetime.now(UTC).date().isoformat(), "machine": ", ".join(words)}


def check(printed: Iterable[tuple[Output, str]]) -> list[str]:
    """The differences between outputs and their files, in what does not depend on the machine."""
    differences: list[str] = []
    for output, text in printed:
        path = FOLDER / f"{output.name}.txt"
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        before, after = mask(old, output).splitlines(), mask(text, output).splitlines()
        differences += difflib.unified_diff(before, after, str(path.relative_to(ROOT)), "printed now", lineterm="")
    return differences


def write(printed: Iterable[tuple[Output, str]]) -> None:
    """Write outputs to their files, each with its version, machine and date; not those where only times differ."""
    FOLDER.mkdir(exist_ok=True)
    words = machine_words()
    for output, text in printed:
        record = json.loads(PRINTED.read_text(encoding="utf-8")) if PRINTED.exists() else {}
        is_same = record.get(output.name, {}).get("version") == words["version"] and not check([(output, text)])
        if not is_same:
            (FOLDER / f"{output.name}.txt").write_text(text, encoding="utf-8")
            record[output.name] = words
            PRINTED.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print(f"docs/output/{output.name}.txt{' is current' if is_same else ''}", file=sys.stderr)


def main() -> int:
    """Print or compare the outputs that are named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true", help="also those that take minutes")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args()
    for name in options.names:
        find_output(name)  # raises KeyError
    for module in ("charrnn.api", "charrnn.cli.main", "charrnn.cli.train.session", "charrnn.text.stats.describe"):
        __import__(module)
    sessions = [session for session in SESSIONS if options.all or options.names or not session.is_long]
    names = set(options.names) or {output.name for session in sessions for output in session.outputs}
    printed = (pair for session in sessions for pair in run_session(session, names))
    if options.check:
        differences = check(printed)
        print("\n".join(differences))
        return int(bool(differences))
    write(printed)
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
