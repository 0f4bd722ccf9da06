"""The interpreter's own switches: nothing depends on `assert`, and nothing warns."""

import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = (
    ("train", "text.txt", "--steps", "3", "--hidden", "8", "--batch-size", "2", "--out", "model"),
    ("sample", "model", "--length", "20"),
)


@pytest.mark.parametrize("switch", [("-O",), ("-W", "error")], ids=["optimized", "warnings are errors"])
def test_commands_under_a_switch(switch: tuple[str, ...], folder: Path) -> None:
    for words in COMMANDS:
        command = [sys.executable, *switch, "-m", "charrnn", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert b"Traceback" not in done.stderr
