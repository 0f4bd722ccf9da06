"""Fill the generated parts of README and of all pages: `python docs/tools/update.py`, or with --check, only compare.

Exit status 1 if a page was stale and --check is given.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cogapp import Cog

TOOLS = Path(__file__).parent
ROOT = TOOLS.parents[1]


def pages() -> list[Path]:
    """README and all pages of docs/ that have generated parts."""
    paths = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [path for path in paths if "[[[cog" in path.read_text(encoding="utf-8")]


def run_cog(*options: str) -> int:
    """Run cog on all pages; returns its exit status."""
    names = [str(path.relative_to(ROOT)) for path in pages()]
    return int(Cog().main(["cog", "-I", str(TOOLS), "-n", "UTF-8", *options, *names]))


def main(words: list[str]) -> int:
    """Fill or compare all generated parts."""
    return run_cog("--check", "--diff") if words == ["--check"] else run_cog("-r")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
