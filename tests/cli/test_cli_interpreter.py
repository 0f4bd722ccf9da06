"""The interpreter's own switches: nothing depends on `assert`, and nothing warns."""

import subprocess
import sys
from pathlib import Path

COMMANDS = (
    ("train", "text.txt", "--steps", "3", "--hidden", "8", "--batch-size", "2", "--out", "model"),
    ("sample", "model", "--length", "20"),
)


def test_commands_run_with_interpreter_switches(folder: Path) -> None:
    """Together: without bytecode of `-O` at hand, each command takes seconds."""
    for words in COMMANDS:
        command = [sys.executable, "-O", "-W", "error", "-m", "charrnn", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert b"Traceback" not in done.stderr
