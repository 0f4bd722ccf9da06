"""The page of `charrnn serve` in a real browser: it writes what the server writes, and shows what was expected."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from export_models import checkpoint_of, make
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from written_page import element, finish, texts

from charrnn.config import SamplingConfig
from charrnn.export.page import served_page
from charrnn.sampling.generate import generate
from charrnn.serve.batcher import Batcher
from charrnn.serve.requests import Limits
from charrnn.serve.server import ModelServer

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::ResourceWarning")]
TOKEN = "secret"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a server with a network and n-grams, and a token."""
    checkpoints = [checkpoint_of(make(kind), name=kind) for kind in ("lstm", "mkn")]
    batchers = {checkpoint.name: Batcher(checkpoint, 100) for checkpoint in checkpoints}
    for batcher in batchers.values():
        batcher.start()
    server = ModelServer(("127.0.0.1", 0), batchers, served_page(checkpoints).encode(), Limits(), TOKEN)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()
    assert server.drain(10)


@pytest.fixture
def page(chrome: Chrome, address: str) -> Iterator[Chrome]:
    """The page; the browser's log must be empty at the end."""
    chrome.get(f"{address}?token={TOKEN}")
    chrome.get_log("browser")  # type: ignore[no-untyped-call]
    WebDriverWait(chrome, 20).until(lambda _: element(chrome, "write").is_enabled())
    yield chrome
    assert chrome.get_log("browser") == []  # type: ignore[no-untyped-call]


def expected(kind: str, prompt: str, seed: int, length: int = 500) -> str:
    checkpoint = checkpoint_of(make(kind))
    config = SamplingConfig(temperature=0.8, seed=seed, length=length)
    return "".join(generate(checkpoint.model, checkpoint.vocabulary, config, prompt))


def test_page_writes_what_the_server_writes(page: Chrome) -> None:
    element(page, "prompt").send_keys("The ")
    element(page, "write").click()
    finish(page)
    assert texts(page) == [expected(kind, "The ", 0) for kind in ("lstm", "mkn")]
    element(page, "more").click()
    finish(page)
    assert [len(text) for text in texts(page)] == [1000, 1000]


def test_page_stops_and_measures_a_text(page: Chrome) -> None:
    element(page, "length").clear()
    element(page, "length").send_keys("10000")
    element(page, "write").click()
    element(page, "stop").click()
    finish(page)
    element(page, "own").send_keys("The king")
    WebDriverWait(page, 20).until(lambda _: texts(page, "read") == ["The king"] * 2)


def test_page_shows_an_error_of_the_server(page: Chrome) -> None:
    element(page, "prompt").send_keys("€")
    element(page, "write").click()
    status = page.find_element("css selector", ".status")
    WebDriverWait(page, 20).until(lambda _: "does not know the character" in status.text)
    assert element(page, "write").is_enabled()
    page.get_log("browser")  # type: ignore[no-untyped-call]  # the browser notes the status 400


def test_page_without_the_token_says_so(chrome: Chrome, address: str) -> None:
    chrome.get(address)
    WebDriverWait(chrome, 20).until(lambda _: element(chrome, "write").is_enabled())
    element(chrome, "write").click()
    status = chrome.find_element("css selector", ".status")
    WebDriverWait(chrome, 20).until(lambda _: "the token is missing or wrong" in status.text)
