"""What is on a page that writes, of `charrnn export` or of `charrnn serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


def element(chrome: Chrome, name: str) -> Any:
    return chrome.find_element("id", name)


def texts(chrome: Chrome, kind: str = "written") -> list[str]:
    """The texts of the columns, without the prompt."""
    fields = "[...document.querySelectorAll('.' + arguments[0])]"
    text = "(field) => [...field.querySelectorAll('i')].map((i) => i.textContent).join('')"
    found: list[str] = chrome.execute_script(f"return {fields}.map({text})", kind)
    return found


def finish(chrome: Chrome) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(chrome, 20).until(lambda _: not element(chrome, "stop").is_enabled())
