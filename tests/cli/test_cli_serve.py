"""`charrnn serve`: a process that answers, and ends without losing a text; and mistakes in one line."""

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from program import Charrnn


@contextmanager
def served(*words: str) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """Run the command, and yield the process, its port and the address of its page."""
    command = [sys.executable, "-m", "charrnn", "serve", *words, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        page = ""
        for line in process.stderr:
            if line.startswith("page"):
                page = line.split()[-1]
            if line.startswith("API"):
                break
        found = re.search(r":(\d+)/", page)
        assert found
        try:
            yield process, int(found[1]), page
        finally:
            process.kill()


def ask(port: int, method: str, path: str, body: object = None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    data = None if body is None else json.dumps(body)
    connection.request(method, path, data, {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_server_answers_and_drains_after_sigterm(models: Path, charrnn: Charrnn) -> None:
    expected = charrnn("sample", "text-lstm", "--length", 30, "--seed", 4, "--prime", "To be", "--temp", 0.8).text
    with served("text-lstm", "text-tuned-3", "--max-length", "100000") as (process, port, _):
        assert b'data-name="text-tuned-3"' in ask(port, "GET", "/")[1]
        settings = {"model": "text-lstm", "prompt": "To be", "seed": 4, "temperature": 0.8}
        status, data = ask(port, "POST", "/v1/completions", {**settings, "max_tokens": 30, "echo": True})
        assert status == 200
        assert json.loads(data)["choices"][0]["text"] == expected.removesuffix("\n")
        found: list[tuple[int, bytes]] = []
        body = {**settings, "max_tokens": 20_000}
        client = threading.Thread(target=lambda: found.append(ask(port, "POST", "/v1/completions", body)))
        client.start()
        while not found and json.loads(ask(port, "GET", "/health")[1])["texts"] == 0:
            pass
        process.send_signal(signal.SIGTERM)
        client.join(60)
        assert found[0][0] == 200
        assert len(json.loads(found[0][1])["choices"][0]["text"]) == 20_000
        assert process.wait(20) == 0


def test_token_is_printed_and_needed(models: Path) -> None:
    with served("text-tuned-3", "--token", "new") as (process, port, page):
        token = page.partition("?token=")[2]
        assert len(token) > 20
        assert ask(port, "POST", "/v1/completions", {})[0] == 401
        assert ask(port, "POST", "/v1/completions", {"max_tokens": 3}, Authorization=f"Bearer {token}")[0] == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--host", "0.0.0.0"), "--host 0.0.0.0: other computers could use the models; add --token new"),
        (("--max-seconds", 0), "--max-seconds 0: must be more than 0"),
        (("--max-seconds", "nan"), "--max-seconds nan: must be more than 0"),
        (("--port", 70_000), "--port"),
        (("text-lstm",), "two models have the same name"),
    ],
)
def test_mistake_is_one_line(charrnn: Charrnn, models: Path, words: tuple[object, ...], message: str) -> None:
    assert charrnn("serve", "text-lstm", *words).failed_with(2, message)
