"""Self-contained HTML pages: template, style and script in one file, safe even with hostile texts.

All values are escaped, and control and format characters are shown as codes. The page's Content-Security-Policy allows
its own script and styles only, by their hashes: no other script, and no network.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import re
from importlib import resources
from pathlib import Path
from typing import Any

from charrnn import __version__
from charrnn.errors import CharRNNError, UsageError
from charrnn.files import atomic_write
from charrnn.text.sanitize import escape_control_chars

NEEDED = ("matplotlib", "jinja2")
GENERATOR = '<meta name="generator" content="charrnn'
"""The tag near the top of each page that identifies charrnn's pages."""
POLICY = "@policy@"
"""Placeholder for the policy, whose hashes are known only when the rest of the page is complete."""


def check_extra() -> None:
    """Raise UsageError if a package needed for pages is not installed."""
    missing = [name for name in NEEDED if not importlib.util.find_spec(name)]
    if missing:
        raise UsageError(f"pages need {' and '.join(missing)}; try `pip install {' '.join(NEEDED)}`")


def fill(template: str, values: dict[str, Any]) -> str:
    """Fill in a template of `templates/`, and add the style and the script.

    Args:
        template: file name of the template.
        values: variables of the template; all values except `Markup` are escaped.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup, escape

    def without_control_chars(value: object) -> object:
        return escape_control_chars(value, "↵") if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=without_control_chars, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["as_text"] = lambda text: escape(escape_control_chars(text))  # keeps line breaks
    page = environment.from_string(_read(template)).render(
        values,
        version=__version__,
        style=Markup(_read("style.css")),
        script=Markup(_read("attention.js") + _read("view.js")),
        policy=POLICY,
    )
    return page.replace(POLICY, _policy(page), 1)


def _read(name: str) -> str:
    return (resources.files("charrnn.report") / "templates" / name).read_text(encoding="utf-8")


def _policy(page: str) -> str:
    """Return the Content-Security-Policy that allows the page's own script and styles, and nothing else."""

    def hashes(tag: str) -> str:
        contents = dict.fromkeys(re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL))
        digests = (hashlib.sha256(content.encode()).digest() for content in contents)
        return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)

    sources = f"script-src {hashes('script')}; style-src {hashes('style')}"
    return f"default-src 'none'; {sources}; base-uri 'none'; form-action 'none'"


def is_page(path: Path) -> bool:
    """Return whether a file is a page made by charrnn."""
    try:
        with path.open("rb") as file:
            return GENERATOR.encode() in file.read(4096)
    except OSError:
        return False


def write(page: str, path: Path) -> None:
    """Write a page atomically.

    Raises:
        CharRNNError: the file cannot be written.
    """
    try:
        with atomic_write(path) as temporary:
            temporary.write_text(page, encoding="utf-8")
    except OSError as error:
        raise CharRNNError(f"{path}: cannot be written: {error.strerror}; choose another file with --out") from error
