"""The server on loopback: answers, streams, errors with one line, tokens, clients that go away, and draining."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from export_models import checkpoint_of, make

from charrnn.config import SamplingConfig
from charrnn.sampling.generate import generate
from charrnn.serve.batcher import Batcher
from charrnn.serve.requests import Limits
from charrnn.serve.server import MAX_BODY, ModelServer, is_loopback

LIMITS = Limits(prompt=100, length=5000, seconds=20, texts=16)


@contextlib.contextmanager
def serving(
    token: str | None = None, kinds: tuple[str, ...] = ("lstm",), limits: Limits = LIMITS
) -> Iterator[ModelServer]:
    batchers = {}
    for kind in kinds:
        batchers[kind] = Batcher(checkpoint_of(make(kind)), limits.texts)
        batchers[kind].start()
    server = ModelServer(("127.0.0.1", 0), batchers, b"<html>", limits, token)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        assert server.drain(10)


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with serving(kinds=("lstm", "mkn")) as server:
        yield server


def ask(
    server: ModelServer, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=20)
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    given = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    with contextlib.closing(connection):
        connection.request(method, path, data, given)
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())


def complete(server: ModelServer, **body: Any) -> dict[str, Any]:
    status, data, _ = ask(server, "POST", "/v1/completions", body)
    assert status == 200, data
    answer: dict[str, Any] = json.loads(data)
    return answer


def events(data: bytes) -> list[Any]:
    lines = data.decode().strip().split("\n\n")
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def expected(server: ModelServer, kind: str, prompt: str, **settings: Any) -> str:
    checkpoint = server.batchers[kind].checkpoint
    return "".join(generate(checkpoint.model, checkpoint.vocabulary, SamplingConfig(**settings), prompt))


@pytest.mark.parametrize("kind", ["lstm", "mkn"])
def test_completion_is_the_text_of_the_model(server: ModelServer, kind: str) -> None:
    answer = complete(server, model=kind, prompt="The ", max_tokens=40, seed=3, temperature=0.7)
    (choice,) = answer["choices"]
    assert choice["text"] == expected(server, kind, "The ", length=40, seed=3, temperature=0.7)
    assert choice["finish_reason"] == "length"
    assert answer["usage"] == {"prompt_tokens": 4, "completion_tokens": 40, "total_tokens": 44}
    assert answer["object"] == "text_completion"


def test_stream_has_the_same_text_in_pieces(server: ModelServer) -> None:
    body = {
        "prompt": "The ",
        "max_tokens": 60,
        "seed": 1,
        "stream": True,
        "n": 2,
        "stream_options": {"include_usage": True},
    }
    status, data, headers = ask(server, "POST", "/v1/completions", body)
    assert status == 200
    assert headers["Content-Type"].startswith("text/event-stream")
    *parts, last = events(data)
    assert last["usage"]["completion_tokens"] == 120
    for index in (0, 1):
        pieces = [part["choices"][0] for part in parts if part["choices"][0]["index"] == index]
        assert "".join(piece["text"] for piece in pieces) == expected(server, "lstm", "The ", length=60, seed=1 + index)
        assert [piece["finish_reason"] for piece in pieces if piece["finish_reason"]] == ["length"]


def test_stop_echo_and_probabilities(server: ModelServer) -> None:
    text = expected(server, "lstm", "The ", length=200, seed=2)
    stop = text[50:53]
    answer = complete(server, prompt="The ", max_tokens=200, seed=2, stop=stop, echo=True, logprobs=2)
    (choice,) = answer["choices"]
    assert choice["text"] == "The " + text[: text.index(stop)]
    assert choice["finish_reason"] == "stop"
    assert len(choice["logprobs"]["tokens"]) == len(choice["text"])
    assert choice["logprobs"]["token_logprobs"][0] is None
    assert all(value <= 0 for value in choice["logprobs"]["token_logprobs"][1:])
    assert {len(best) for best in choice["logprobs"]["top_logprobs"][1:]} == {2}


def test_other_addresses(server: ModelServer) -> None:
    assert ask(server, "GET", "/")[1] == b"<html>"
    assert json.loads(ask(server, "GET", "/health")[1]) == {"status": "ok", "texts": 0}
    models = json.loads(ask(server, "GET", "/v1/models")[1])
    assert [model["id"] for model in models["data"]] == ["lstm", "mkn"]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "words"),
    [
        ("GET", "/nothing", None, {}, 404, "GET /nothing: not served"),
        ("GET", "/v1/completions", None, {}, 405, "not served; try POST"),
        ("POST", "/v1/completions", b"{", {}, 400, "the body is not JSON"),
        ("POST", "/v1/completions", b"[" * 100_000, {}, 400, "the body is not JSON"),
        ("POST", "/v1/completions", {"prompt": "€"}, {}, 400, "does not know the character '€'"),
        ("POST", "/v1/completions", {"prompt": "€", "stream": True}, {}, 400, "does not know the character '€'"),
        ("POST", "/v1/completions", {"model": "gpt"}, {}, 404, "model 'gpt': not served; use lstm, mkn"),
        ("POST", "/v1/completions", {"max_tokens": 10**9}, {}, 400, "max_tokens: must be a whole number from 0 to 5,"),
        ("POST", "/v1/completions", {}, {"Content_Type": "text/plain"}, 415, "must be application/json"),
        ("POST", "/v1/completions", b"x" * (MAX_BODY + 1), {}, 413, "the limit is 1,048,576"),
        ("GET", "/health", None, {"Host": "evil.example"}, 403, "Host evil.example: not served; use localhost"),
        ("POST", "/v1/completions", {"n": 17}, {}, 429, "too many texts are being written"),
    ],
)  # fmt: skip
def test_mistake_is_one_line_with_a_status(
    server: ModelServer, method: str, path: str, body: object, headers: dict[str, str], status: int, words: str
) -> None:
    try:
        found, data, _ = ask(server, method, path, body, **headers)
    except (ConnectionError, http.client.BadStatusLine):
        assert status == 413  # the server has answered and closed while the body was being sent
        return
    assert found == status
    message = json.loads(data)["error"]["message"]
    assert words in message
    assert "\n" not in message


def test_token_is_required() -> None:
    with serving(token="secret") as server:
        assert ask(server, "POST", "/v1/completions", {})[0] == 401
        assert ask(server, "POST", "/v1/completions", {}, Authorization="Bearer wrong")[0] == 401
        body = {"max_tokens": 1}
        assert ask(server, "POST", "/v1/completions", body, Authorization="Bearer secret")[0] == 200
        assert ask(server, "GET", "/", Host="model.example")[0] == 200


def test_client_that_goes_away_stops_its_text() -> None:
    with serving(limits=Limits(length=10**7, seconds=60)) as server:
        batcher = server.batchers["lstm"]
        for stream in (True, False):
            body = json.dumps({"max_tokens": 10**7, "stream": stream}).encode()
            with socket.create_connection(("127.0.0.1", server.server_address[1])) as connection:
                headers = ("Host: localhost", "Content-Type: application/json", f"Content-Length: {len(body)}")
                head = "\r\n".join(("POST /v1/completions HTTP/1.1", *headers, "", ""))
                connection.sendall(head.encode() + body)
                until(lambda: batcher.jobs == 1)
                if stream:
                    assert connection.recv(100)
            until(lambda: batcher.jobs == 0)


def until(condition: Any, seconds: float = 20) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_many_clients_at_once_all_get_their_text() -> None:
    with serving(limits=Limits(texts=64)) as server:
        answers: dict[int, str] = {}

        def client(seed: int) -> None:
            answers[seed] = complete(server, prompt="The ", max_tokens=50, seed=seed)["choices"][0]["text"]

        clients = [threading.Thread(target=client, args=(seed,)) for seed in range(64)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join(60)
        assert answers == {seed: expected(server, "lstm", "The ", length=50, seed=seed) for seed in range(64)}


def test_drain_lets_texts_end() -> None:
    with serving(limits=Limits(length=10**6, seconds=1.0)) as server:
        found: list[tuple[int, bytes, dict[str, str]]] = []
        thread = threading.Thread(
            target=lambda: found.append(ask(server, "POST", "/v1/completions", {"max_tokens": 10**6}))
        )
        thread.start()
        until(lambda: server.batchers["lstm"].jobs == 1)
        assert server.drain(10)
        thread.join(10)
        assert found[0][0] == 200
        assert json.loads(found[0][1])["choices"][0]["finish_reason"] == "length"
        assert ask(server, "POST", "/v1/completions", {})[0] == 429


@pytest.mark.parametrize(
    ("host", "is_it"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False)]
)
def test_loopback(host: str, is_it: bool) -> None:
    assert is_loopback(host) == is_it


def test_client_of_openai_writes_streams_and_reads_errors(server: ModelServer) -> None:
    openai = pytest.importorskip("openai")
    with openai.OpenAI(
        base_url=f"http://127.0.0.1:{server.server_address[1]}/v1", api_key="none", max_retries=0
    ) as client:
        assert [model.id for model in client.models.list()] == ["lstm", "mkn"]
        settings = {"model": "lstm", "prompt": "The ", "max_tokens": 40, "seed": 3, "temperature": 0.7}
        text = expected(server, "lstm", "The ", length=40, seed=3, temperature=0.7)
        whole = client.completions.create(**settings, logprobs=2)
        assert whole.choices[0].text == text
        assert len(whole.choices[0].logprobs.token_logprobs) == 40
        assert whole.usage.completion_tokens == 40
        parts = list(client.completions.create(**settings, stream=True))
        assert "".join(part.choices[0].text for part in parts) == text
        assert parts[-1].choices[0].finish_reason == "length"
        with pytest.raises(openai.BadRequestError, match="max_tokens: must be a whole number from 0 to 5,000"):
            client.completions.create(**{**settings, "max_tokens": 10**6})
        with pytest.raises(openai.NotFoundError, match="use lstm, mkn"):
            client.completions.create(**{**settings, "model": "gpt"})
