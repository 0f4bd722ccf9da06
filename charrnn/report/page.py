"""Self-contained HTML pages: template, style and script in one file, safe even with hostile texts.

All values are escaped, and control and format characters are shown as codes. The page's Content-Security-Policy allows
its own script and styles only, by their hashes: no other script, and no network.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from pathlib import Path
from typing import Any

from charrnn import __version__
from charrnn.errors import CharRNNError
from charrnn.files import atomic_write
from charrnn.text.sanitize import escape_control_chars

GENERATOR = '<meta name="generator" content="charrnn'
"""The tag near the top of each page that identifies charrnn's pages."""
POLICY = "@policy@"
"""Placeholder for the policy, whose hashes are known only when the rest of the page is complete."""


def fill(template: str, values: dict[str, Any]) -> str:
    """Fill in a template of `templates/`, and add the style and the script.

    Args:
        template: file name of the template.
        values: variables of the template; all values except `Markup` are escaped.
    """
    from markupsafe import Markup

    parts = {"style": Markup(_read("style.css")), "script": Markup(_read("attention.js") + _read("view.js"))}
    return render(_read(template), {**values, **parts})


def render(template: str, values: dict[str, Any], scripts: str = "", rules: str = "") -> str:
    """Fill in a template, and add the policy.

    Args:
        template: the template.
        values: its variables; all values except `Markup` are escaped.
        scripts: what `script-src` allows besides the page's own script.
        rules: further rules of the policy.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup, escape

    def without_control_chars(value: object) -> object:
        return escape_control_chars(value, "↵") if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=without_control_chars, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["as_text"] = lambda text: escape(escape_control_chars(text))  # keeps line breaks
    page = environment.from_string(template).render(values, version=__version__, policy=POLICY)
    return page.replace(POLICY, _policy(page, scripts, rules), 1)


def _read(name: str) -> str:
    return (resources.files("charrnn.report") / "templates" / name).read_text(encoding="utf-8")


def _policy(page: str, scripts: str, rules: str) -> str:
    """Return the Content-Security-Policy that allows the page's own script and styles, and what the arguments allow."""

    def hashes(tag: str) -> str:
        contents = dict.fromkeys(re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL))
        digests = (hashlib.sha256(content.encode()).digest() for content in contents)
        return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)

    sources = " ".join(["script-src", hashes("script"), *scripts.split()]), f"style-src {hashes('style')}"
    return "; ".join(["default-src 'none'", *sources, *filter(None, [rules]), "base-uri 'none'", "form-action 'none'"])


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
