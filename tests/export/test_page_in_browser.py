"""The page that `charrnn export` writes, in a real browser: predictions and texts as in Python, and its controls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from browser import emulate
from export_models import KINDS, TEXT, VOCABULARY, checkpoint_of, make
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from written_page import element, finish, texts

from charrnn.checkpoint import Checkpoint
from charrnn.config import SamplingConfig
from charrnn.export.fit import PageModel, fit_page_model
from charrnn.export.page import make_page
from charrnn.sampling.generate import generate
from charrnn.text.documents import Documents, TextSpan
from charrnn.text.vocabulary import Vocabulary

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::ResourceWarning")]

RUN = """
const [number, message, done] = arguments;
const bytes = (id) => Uint8Array.from(atob(document.getElementById(id).textContent.trim()), (c) => c.charCodeAt(0));
const worker = new Worker(URL.createObjectURL(new Blob([document.getElementById("engine").textContent])));
const characters = [];
let unknown = [];
worker.onmessage = ({ data }) => {
  if (data.error) done({ error: data.error });
  if (data.ready) worker.postMessage({ task: 1, ...message });
  if (data.unknown) unknown = data.unknown;
  if (data.characters) { characters.push(...data.characters); worker.postMessage({ read: true }); }
  if (data.done) { worker.terminate(); done({ characters, unknown }); }
};
worker.postMessage({ load: { model: bytes(`model-${number}`), kernels: bytes("kernels") } });
"""


@pytest.fixture(scope="module")
def page_models() -> dict[str, PageModel]:
    """A page model of each kind, nothing pruned."""
    span = TextSpan(VOCABULARY.encode(TEXT[:400]))
    return {kind: fit_page_model(checkpoint_of(make(kind)), span, 10**7) for kind in KINDS}


@pytest.fixture(scope="module")
def everything(page_models: dict[str, PageModel], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with all of them."""
    path = tmp_path_factory.mktemp("page") / "everything.html"
    path.write_text(make_page(list(page_models.values()), SamplingConfig()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def opened(chrome: Chrome, everything: Path) -> Chrome:
    chrome.get(everything.as_uri())
    chrome.set_script_timeout(60)
    return chrome


def run(chrome: Chrome, number: int, **message: Any) -> list[dict[str, Any]]:
    """Let the engine of the page answer a message, and return the characters."""
    answer = chrome.execute_async_script(RUN, number, message)
    assert "error" not in answer, answer["error"]
    characters: list[dict[str, Any]] = answer["characters"]
    return characters


def written(chrome: Chrome, number: int, **settings: Any) -> str:
    given = {"prompt": "", "temperature": 0.8, "topP": 1, "seed": 7, "length": 300, "explain": True, **settings}
    return "".join(character["text"] for character in run(chrome, number, write=given))


def in_python(model: PageModel, prompt: str, checkpoint: Checkpoint | None = None, **settings: Any) -> str:
    checkpoint = checkpoint or model.checkpoint
    config = SamplingConfig(**{"temperature": 0.8, "seed": 7, "length": 300, **settings})
    documents = Documents.of(checkpoint.metadata.text.corpus, checkpoint.vocabulary)
    return "".join(generate(model.model, checkpoint.vocabulary, config, prompt, documents=documents))


@pytest.mark.parametrize("kind", KINDS)
def test_page_predicts_what_python_predicts(opened: Chrome, page_models: dict[str, PageModel], kind: str) -> None:
    """Log-probabilities of a text agree within 0.001, and all distributions have the same likeliest characters."""
    number, model = list(page_models).index(kind), page_models[kind]
    text = TEXT[100:400]
    characters = run(opened, number, score=text)
    assert "".join(character["text"] for character in characters) == text
    tokens = torch.from_numpy(VOCABULARY.encode(text))[None]
    with torch.inference_mode():
        log_probs = torch.log_softmax(model.model(tokens)[0][0].double(), -1).numpy()
    assert "bits" not in characters[0]
    for place, character in enumerate(characters[1:], 1):
        expected = log_probs[place - 1, tokens[0, place]]
        if np.isfinite(expected):
            assert -character["bits"] * np.log(2) == pytest.approx(
                expected, abs=1e-3, rel=1e-5
            )  # of −184, float32 has 5 digits
        likeliest = {VOCABULARY.symbols[i]: p for i, p in enumerate(np.exp(log_probs[place - 1]))}
        for name, p in character["expected"]:
            assert p == pytest.approx(likeliest[name], abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_page_writes_what_python_writes(opened: Chrome, page_models: dict[str, PageModel], kind: str) -> None:
    """Greedy for 1,000 characters; and at three temperatures and with top-p, with the same random numbers."""
    number, model = list(page_models).index(kind), page_models[kind]
    assert written(opened, number, temperature=0, length=1000, prompt="The ") == in_python(
        model, "The ", temperature=0, length=1000
    )
    for temperature, seed in ((0.4, 1), (0.8, 2), (1.0, 12345), (1.5, 2**31 - 1)):
        actual = written(opened, number, temperature=temperature, seed=seed)
        assert actual == in_python(model, "", temperature=temperature, seed=seed)
    assert written(opened, number, topP=0.7, prompt="the king") == in_python(model, "the king", top_p=0.7)


def open_page(chrome: Chrome, path: Path, *models: PageModel, **words: str) -> None:
    path.write_text(make_page(models, SamplingConfig(temperature=0.8, length=200, seed=3), **words), encoding="utf-8")
    emulate(chrome, "light")
    chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chrome.get_log("browser")  # type: ignore[no-untyped-call]
    chrome.get(path.as_uri())
    WebDriverWait(chrome, 20).until(lambda _: element(chrome, "write").is_enabled())


@pytest.fixture
def pair(chrome: Chrome, page_models: dict[str, PageModel], tmp_path: Path) -> Iterator[Chrome]:
    """A page with a network and n-grams; the browser's log must be empty at the end."""
    open_page(chrome, tmp_path / "pair.html", page_models["lstm"], page_models["mkn"])
    yield chrome
    assert chrome.get_log("browser") == []  # type: ignore[no-untyped-call]


def test_page_writes_goes_on_and_writes_again(pair: Chrome, page_models: dict[str, PageModel]) -> None:
    models = page_models["lstm"], page_models["mkn"]
    element(pair, "prompt").send_keys("The ")
    element(pair, "write").click()
    finish(pair)
    assert texts(pair) == [in_python(model, "The ", seed=3, length=200) for model in models]
    element(pair, "own").send_keys("the cat")  # another text in between does not change what goes on
    WebDriverWait(pair, 20).until(lambda _: texts(pair, "read") == ["the cat"] * 2)
    element(pair, "more").click()
    finish(pair)
    assert texts(pair) == [in_python(model, "The ", seed=3, length=400) for model in models]
    element(pair, "again").click()
    finish(pair)
    assert element(pair, "seed").get_property("value") == "4"
    assert texts(pair) == [in_python(model, "The ", seed=4, length=200) for model in models]


def test_page_stops(pair: Chrome) -> None:
    pair.execute_script("document.getElementById('length').max = 1e7")  # more than is written until the click
    element(pair, "length").clear()
    element(pair, "length").send_keys("10000000")
    element(pair, "write").click()
    WebDriverWait(pair, 20).until(lambda _: all(texts(pair)))
    element(pair, "stop").click()
    lengths = [len(text) for text in texts(pair)]
    assert max(lengths) < 10_000_000
    assert pair.execute_async_script("setTimeout(arguments[0], 300)") is None
    assert [len(text) for text in texts(pair)] == lengths
    element(pair, "more").click()
    WebDriverWait(pair, 20).until(lambda _: len(texts(pair)[0]) > lengths[0])
    element(pair, "stop").click()


def test_page_shows_what_was_expected(pair: Chrome) -> None:
    element(pair, "own").send_keys("The king")
    WebDriverWait(pair, 20).until(lambda _: texts(pair, "read") == ["The king"] * 2)
    statuses = [status.text for status in pair.find_elements(By.CSS_SELECTOR, ".read-status")]
    assert all("8 characters, " in status and "bits per character" in status for status in statuses)
    field = pair.find_elements(By.CSS_SELECTOR, ".read")[1]
    field.send_keys(Keys.HOME)
    assert element(pair, "panel").text == "T: the first character is not predicted."
    field.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert "bits). Expected: " in element(pair, "panel").text
    assert element(pair, "panel").text.startswith("e (")


def test_page_says_which_characters_it_does_not_know(pair: Chrome) -> None:
    element(pair, "prompt").send_keys("Thé €ing")
    element(pair, "write").click()
    finish(pair)
    status = pair.find_element(By.CSS_SELECTOR, ".status").text
    assert status.startswith("The model does not know “é”, “€”; left out. 200 characters")


def test_page_shows_hostile_characters_as_text(chrome: Chrome, tmp_path: Path) -> None:
    symbols = "</script><b>\u202e\u0000\u2028&\"'`\n" + "ab"
    vocabulary = Vocabulary(sorted(set(symbols)))
    ids = vocabulary.encode(symbols * 30)
    from charrnn.config import NgramConfig
    from charrnn.models.ngram.fit import fit_ngram

    model = fit_ngram(ids, len(vocabulary), NgramConfig(order=6))
    page_model = fit_page_model(checkpoint_of(model, vocabulary=vocabulary), None, 10**6)
    open_page(chrome, tmp_path / "hostile.html", page_model, prompt="</textarea><script>", title="<img src=x>\u202e")
    element(chrome, "write").click()
    finish(chrome)
    (text,) = texts(chrome)
    assert "</script><b>\\u{202e}\\u{0}\\u{2028}&\"'`\n" in text
    assert chrome.find_elements(By.CSS_SELECTOR, "main b:not(.prompt), img") == []
    assert chrome.find_element(By.TAG_NAME, "h1").text == "<img src=x>\\u202e"
    assert chrome.get_log("browser") == []  # type: ignore[no-untyped-call]


def test_page_of_bytes_and_documents_writes_what_python_writes(chrome: Chrome, tmp_path: Path) -> None:
    vocabulary = Vocabulary(None)
    ids = vocabulary.encode("Zoë\nJürgen\nMax\n" * 30)
    from charrnn.config import NgramConfig
    from charrnn.models.ngram.fit import fit_ngram

    checkpoint = checkpoint_of(fit_ngram(ids, 256, NgramConfig(order=4)), "\n", vocabulary)
    page_model = fit_page_model(checkpoint, None, 10**6)
    open_page(chrome, tmp_path / "bytes.html", page_model)
    element(chrome, "prompt").send_keys("Jü")
    element(chrome, "write").click()
    finish(chrome)
    expected = in_python(page_model, "Jü", seed=3, length=200)
    expected = expected.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    expected = re.sub(r"[\0-\b\v\f\r\x0e-\x1f\x7f-\x9f]", lambda match: f"\\u{{{ord(match[0]):x}}}", expected)
    assert texts(chrome)[0].rstrip("\ufffd") == expected.rstrip("\ufffd")  # the last character may be incomplete


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_has_no_accessibility_violations(pair: Chrome, scheme: str) -> None:
    emulate(pair, scheme)
    pair.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    try:
        pair.refresh()
        WebDriverWait(pair, 20).until(lambda _: element(pair, "write").is_enabled())
        element(pair, "own").send_keys("the king")
        element(pair, "write").click()
        WebDriverWait(pair, 20).until(lambda _: all(texts(pair)))
        finish(pair)
        pair.find_element(By.CSS_SELECTOR, ".written").send_keys(Keys.END)
        pair.execute_script((resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8"))
        results: dict[str, Any] = pair.execute_async_script("axe.run().then(arguments[0])")
    finally:
        pair.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})
    violations = [(rule["id"], [node["html"][:200] for node in rule["nodes"][:3]]) for rule in results["violations"]]
    assert violations == []


@pytest.mark.parametrize(("width", "height"), [(360, 740), (820, 1180), (1440, 900)])
def test_page_fits_every_screen(pair: Chrome, width: int, height: int) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 900}
    pair.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    element(pair, "write").click()
    finish(pair)
    assert pair.execute_script("return document.documentElement.scrollWidth") <= width


def test_page_makes_no_requests(pair: Chrome) -> None:
    names = pair.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in names if not name.startswith("blob:")] == []
    policy = pair.find_element(By.CSS_SELECTOR, "meta[http-equiv]").get_attribute("content") or ""
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy
