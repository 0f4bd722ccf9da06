"""Fill the generated parts of README and of all pages, and write the tutorial's notebook.

python docs/tools/update.py
python docs/tools/update.py --check    # compare only; exit status 1 if a file is stale or missing
"""

from __future__ import annotations

import sys
from pathlib import Path

from cogapp import Cog
from outputs import SESSIONS
from tutorial import NOTEBOOK, is_current, write_notebook

TOOLS = Path(__file__).parent
ROOT = TOOLS.parents[1]


def pages() -> list[Path]:
    """README and all pages of docs/ that have generated parts."""
    paths = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [path for path in paths if "[[[cog" in path.read_text(encoding="utf-8")]


def run_cog(*options: str) -> int:
    """Run cog on all pages; returns its exit status."""
    names = [str(path) for path in pages()]
    return int(Cog().main(["cog", "-I", str(TOOLS), "-n", "UTF-8", "--verbosity=1", *options, *names]))


def unprinted() -> list[str]:
    """The outputs that are listed, but were not printed yet."""
    outputs = [output.name for session in SESSIONS for output in session.outputs]
    return [name for name in outputs if not (ROOT / "docs" / "output" / f"{name}.txt").exists()]


def main(words: list[str]) -> int:
    """Fill or compare all generated parts."""
    if words == ["--check"]:
        complaints = [
            f"docs/output/{name}.txt: not printed yet; run docs/tools/print_output.py" for name in unprinted()
        ]
        if not is_current():
            complaints.append(f"{NOTEBOOK}: stale; run docs/tools/update.py")
        print("".join(f"{line}\n" for line in complaints), end="")
        return run_cog("--check", "--diff") or int(bool(complaints))
    status = run_cog("-r")
    if write_notebook():
        print(f"{NOTEBOOK}: written")
    return status


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
