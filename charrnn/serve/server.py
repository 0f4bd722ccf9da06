"""The HTTP server: the page, the list of models, and completions, as one answer or as a stream of events."""

from __future__ import annotations

import contextlib
import hmac
import http.server
import ipaddress
import json
import queue
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from charrnn import __version__
from charrnn.serve.batcher import Batcher, Character, Finished, Job
from charrnn.serve.requests import (
    AnsweredText,
    CompletionRequest,
    HeldBack,
    Limits,
    RequestError,
    answer,
    answer_id,
    choice,
    parse,
)

MAX_BODY = 1 << 20
"""Maximum size of a request's body in bytes."""
IDLE_SECONDS = 30.0
"""Seconds after which a connection without data is closed."""
LOOK_SECONDS = 0.25
"""Seconds between two looks whether the client is still there."""
PAUSE = 0.02
"""Seconds between two looks for new characters; what was written meanwhile is sent at once."""
MAX_CONNECTIONS = 512
"""Maximum number of connections at a time."""


class ModelServer(http.server.ThreadingHTTPServer):
    """The server of one or several models.

    Args:
        address: host and port; port 0 takes a free one.
        batchers: the models by name, the default one first.
        page: the page at `/`.
        limits: limits for requests.
        token: what a client must send as `Authorization: Bearer TOKEN`; None to let any program of this computer in.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], batchers: Mapping[str, Batcher], page: bytes, limits: Limits, token: str | None
    ) -> None:
        self.batchers, self.page, self.limits, self.token = batchers, page, limits, token
        self.connections = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._requests, self._lock = 0, threading.Lock()
        self.started = int(time.time())
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread; a connection too many is closed."""
        if not self.connections.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Be silent about clients that went away; anything else is a bug, and its traceback is printed."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def drain(self, seconds: float) -> bool:
        """Take no more texts, and wait until all are written and sent; return whether they are."""
        for batcher in self.batchers.values():
            batcher.close()
        until = time.monotonic() + seconds
        while self._requests and time.monotonic() < until:
            time.sleep(0.05)
        for batcher in self.batchers.values():  # a thread that computes while the interpreter ends would abort it
            batcher.join(max(0.0, until - time.monotonic()))
        return not self._requests

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Count a request for texts until it is answered."""
        with self._lock:
            self._requests += 1
        try:
            yield
        finally:
            with self._lock:
                self._requests -= 1


class Handler(http.server.BaseHTTPRequestHandler):
    """The handler of one connection."""

    server: ModelServer
    server_version = f"charrnn/{__version__}"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: prompts are nobody's business."""

    def do_GET(self) -> None:
        """Answer GET."""
        self._answer({"/": self._page, "/health": self._health, "/v1/models": self._models})

    def do_POST(self) -> None:
        """Answer POST."""
        self._answer({"/v1/completions": self._completions})

    def _answer(self, routes: Mapping[str, Any]) -> None:
        try:
            self._check_host()
            path = urlsplit(self.path).path
            known = {"/", "/health", "/v1/models", "/v1/completions"}
            if path not in routes:
                status = HTTPStatus.METHOD_NOT_ALLOWED if path in known else HTTPStatus.NOT_FOUND
                raise RequestError(f"{self.command} {path[:100]}: not served; try POST /v1/completions", status=status)
            if path.startswith("/v1/"):
                self._check_token()
            with self.server.answering():
                routes[path]()
        except RequestError as error:
            self._send_json(error.as_json(), error.status)
        except (BrokenPipeError, ConnectionError, TimeoutError):
            self.close_connection = True

    def _check_host(self) -> None:
        """Refuse names of other hosts, so that a foreign page cannot reach a local server (DNS rebinding)."""
        if self.server.token is not None:
            return
        host = self.headers.get("Host", "")
        name = urlsplit(f"//{host}").hostname or ""
        if not is_loopback(name):
            raise RequestError(f"Host {host[:100]}: not served; use localhost", status=HTTPStatus.FORBIDDEN)

    def _check_token(self) -> None:
        token = self.server.token
        if token is None:
            return
        sent = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if not hmac.compare_digest(sent.encode(), token.encode()):
            raise RequestError(
                "Authorization: the token is missing or wrong; send `Authorization: Bearer TOKEN`",
                status=HTTPStatus.UNAUTHORIZED,
            )

    def _page(self) -> None:
        self._send(self.server.page, "text/html; charset=utf-8")

    def _health(self) -> None:
        self._send_json({"status": "ok", "texts": sum(batcher.jobs for batcher in self.server.batchers.values())})

    def _models(self) -> None:
        data = [
            {"id": name, "object": "model", "created": self.server.started, "owned_by": "charrnn"}
            for name in self.server.batchers
        ]
        self._send_json({"object": "list", "data": data})

    def _completions(self) -> None:
        body = self._body()
        name = body.get("model") if isinstance(body, Mapping) else None
        batchers = self.server.batchers
        if name is not None and name not in batchers:
            raise RequestError(f"model {name!r:.100}: not served; use {', '.join(batchers)}", "model", 404)
        batcher = batchers[name] if name is not None else next(iter(batchers.values()))
        request = parse(body, self.server.limits)
        deadline = time.monotonic() + self.server.limits.seconds
        prompts = [prompt for prompt in request.prompts for _ in range(request.count)]
        jobs = [
            Job(prompt, config, request.likeliest, request.echo, deadline)
            for prompt, config in zip(prompts, request.configs, strict=True)
        ]
        if not batcher.submit(jobs):
            raise RequestError(
                "too many texts are being written; try again in a moment", status=HTTPStatus.TOO_MANY_REQUESTS
            )
        answered = batcher.checkpoint.name
        try:
            if request.stream:
                self._stream(request, jobs, answered)
            else:
                self._whole(request, jobs, answered)
        finally:
            for job in jobs:
                job.is_cancelled = True

    def _body(self) -> object:
        """Read a request's body.

        Raises:
            RequestError: it is too long, or not JSON.
        """
        # A page of another origin can send texts and forms without asking, but not JSON.
        if self.headers.get_content_type() != "application/json":
            self.close_connection = True
            raise RequestError("Content-Type: must be application/json", status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self.close_connection = True
            raise RequestError("Content-Length: is missing", status=HTTPStatus.LENGTH_REQUIRED)
        if int(length) > MAX_BODY:
            self.close_connection = True
            raise RequestError(
                f"the body has {int(length):,} bytes; the limit is {MAX_BODY:,}",
                status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
        data = self.rfile.read(int(length))
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise RequestError("the body is not JSON") from None

    def _events(
        self, request: CompletionRequest, jobs: Sequence[Job]
    ) -> Iterator[tuple[int, list[Character], str | None]]:
        """Yield the number of a text, its next characters, and at the end why it ended, as they are written.

        Raises:
            RequestError: a text failed.
            ConnectionError: the client went away.
        """
        held = [HeldBack(request.stops) for _ in jobs]
        waiting = dict(enumerate(jobs))
        looked = time.monotonic()
        while waiting:
            for number in list(waiting):
                characters: list[Character] = []
                end: Finished | None = None
                while end is None:
                    try:
                        event = waiting[number].events.get_nowait()
                    except queue.Empty:
                        break
                    if isinstance(event, Finished):
                        end = event
                    else:
                        characters += held[number].add(event)
                if end is not None:
                    if end.reason == "error":
                        raise RequestError(end.error, "prompt")
                    if end.reason == "failure":
                        raise RequestError(end.error, status=HTTPStatus.INTERNAL_SERVER_ERROR)
                    characters += held[number].end(end.reason == "stop")
                    del waiting[number]
                if characters or end is not None:
                    yield number, characters, end.reason if end else None
            if time.monotonic() - looked > LOOK_SECONDS:
                looked = time.monotonic()
                self._check_client()
            if waiting:
                time.sleep(PAUSE)

    def _check_client(self) -> None:
        """Raise ConnectionError if the client has closed the connection."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        if readable and not self.connection.recv(1, socket.MSG_PEEK):
            raise ConnectionAbortedError

    def _whole(self, request: CompletionRequest, jobs: Sequence[Job], model: str) -> None:
        """Send one answer with all texts."""
        texts = [AnsweredText(index) for index in range(len(jobs))]
        for number, characters, reason in self._events(request, jobs):
            texts[number].characters += characters
            texts[number].finish_reason = reason
        has_logprobs = request.likeliest is not None
        choices = [choice(text.index, text.characters, text.finish_reason, has_logprobs) for text in texts]
        written = sum(len(text.characters) for text in texts)
        self._send_json(answer(answer_id(), model, choices, self._usage(request, written)))

    def _stream(self, request: CompletionRequest, jobs: Sequence[Job], model: str) -> None:
        """Send server-sent events, one for each piece of a text."""
        identity, written = answer_id(), 0
        lengths = [0] * len(jobs)
        events = self._events(request, jobs)
        first = next(events)  # an error of the prompt is still an answer with a status
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        has_logprobs = request.likeliest is not None
        try:
            for number, characters, reason in _chain(first, events):
                part = choice(number, characters, reason, has_logprobs, lengths[number])
                lengths[number] += len(part["text"])
                written += len(characters)
                self._send_event(answer(identity, model, [part]))
        except RequestError as error:
            self._send_event(error.as_json())
        else:
            if request.includes_usage:
                self._send_event(answer(identity, model, [], self._usage(request, written)))
        self.wfile.write(b"data: [DONE]\n\n")

    @staticmethod
    def _usage(request: CompletionRequest, written: int) -> tuple[int, int]:
        prompt = sum(map(len, request.prompts))
        return prompt, written - prompt * request.count if request.echo else written

    def _send_event(self, body: object) -> None:
        self.wfile.write(f"data: {json.dumps(body)}\n\n".encode())
        self.wfile.flush()

    def _send_json(self, body: object, status: int = HTTPStatus.OK) -> None:
        self._send(json.dumps(body).encode() + b"\n", "application/json", status)

    def _send(self, data: bytes, kind: str, status: int = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self.send_header("Retry-After", "1")
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def is_loopback(host: str) -> bool:
    """Return whether an address or name means this computer alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
