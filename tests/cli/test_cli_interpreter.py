"""The interpreter's own switches: nothing depends on `assert`, and nothing warns."""

import subprocess
import sys
from pathlib import Path

CODE = """
import sys
from importlib.machinery import SourceFileLoader

load_bytecode, without_asserts = SourceFileLoader.get_code, set()


def get_code(loader, name):
    if name.partition(".")[0] != "charrnn":
        return load_bytecode(loader, name)
    without_asserts.add(name)
    return compile(loader.get_data(loader.path), loader.path, "exec", dont_inherit=True, optimize=1)


SourceFileLoader.get_code = get_code
from charrnn.cli.main import main

for words in (
    ("train", "text.txt", "--steps", "3", "--hidden", "8", "--batch-size", "2", "--out", "model"),
    ("sample", "model", "--length", "20"),
):
    sys.argv = ["charrnn", *words]
    try:
        main()
    except SystemExit as leave:
        assert leave.code == 0, words
assert {"charrnn.cli.main", "charrnn.models.rnn.model", "charrnn.training.loop"} <= without_asserts
"""
"""Compiles charrnn as `python -O` does; under that switch Python compiles PyTorch too, which takes ten seconds."""


def test_commands_without_asserts_and_with_warnings_as_errors_run(folder: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", CODE]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert b"Traceback" not in done.stderr
