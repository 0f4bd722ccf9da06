"""Requests in the form of OpenAI's completions API, checked, and the answers to them."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from charrnn.config import SamplingConfig
from charrnn.errors import CharRNNError
from charrnn.sampling.generate import new_seed
from charrnn.serve.batcher import Character

MAX_PROMPTS, MAX_TEXTS, MAX_STOPS, MAX_LIKELIEST = 64, 128, 4, 5
"""Maximum numbers of prompts, of texts, of stop strings, and of most likely characters in a request."""
MAX_SEED = (1 << 63) - 1 - MAX_TEXTS
"""Maximum seed of the first text; the others of a request follow it."""
DEFAULT_LENGTH = 200
"""The number of characters written if the request does not say."""
NEUTRAL: dict[str, tuple[object, ...]] = {
    "best_of": (None, 1),
    "frequency_penalty": (None, 0, 0.0),
    "logit_bias": (None, {}),
    "presence_penalty": (None, 0, 0.0),
    "suffix": (None, ""),
}
"""Parameters that are not supported, with the values that mean the same without them."""
IGNORED = ("user", "stream_options", "model")
"""Parameters that do not change the text."""


class RequestError(CharRNNError):
    """A request that cannot be answered.

    Args:
        message: what is wrong.
        parameter: the name of the parameter, if one is to blame.
        status: the HTTP status.
    """

    def __init__(self, message: str, parameter: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.parameter, self.status = parameter, status

    def as_json(self) -> dict[str, Any]:
        """Return the body of the answer."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {"message": str(self), "type": kind, "param": self.parameter, "code": None}}


@dataclass(frozen=True)
class Limits:
    """Limits of a server.

    Attributes:
        prompt: the maximum number of characters in a prompt.
        length: the maximum number of characters to write in a text.
        seconds: the maximum time for a text.
        texts: the maximum number of texts, written and waiting.
    """

    prompt: int = 10_000
    length: int = 10_000
    seconds: float = 120.0
    texts: int = 256


@dataclass(frozen=True)
class CompletionRequest:
    """A request.

    Attributes:
        prompts: the prompts.
        count: the number of texts for each prompt.
        configs: the settings of each text, of the first prompt first; they differ in their seeds.
        stops: strings at which a text ends; they are not part of it.
        stream: whether to send each character as soon as it is written.
        includes_usage: whether a stream ends with the numbers of characters.
        likeliest: how many of the most likely characters to send with each; None for no probabilities.
        echo: whether a text starts with its prompt.
    """

    prompts: tuple[str, ...]
    count: int
    configs: tuple[SamplingConfig, ...]
    stops: tuple[str, ...]
    stream: bool
    includes_usage: bool
    likeliest: int | None
    echo: bool


def parse(body: object, limits: Limits) -> CompletionRequest:
    """Check the body of a request, parsed from JSON.

    Raises:
        RequestError: it is not valid, or exceeds a limit; the message names the parameter.
    """
    if not isinstance(body, Mapping):
        raise RequestError('the body must be a JSON object, such as {"prompt": "The "}')
    fields = _Fields(body)
    prompts = fields.texts("prompt", [""], MAX_PROMPTS)
    for prompt in prompts:
        if len(prompt) > limits.prompt:
            raise RequestError(f"prompt: has {len(prompt):,} characters; the limit is {limits.prompt:,}", "prompt")
    count = fields.integer("n", 1, 1, MAX_TEXTS)
    if count * len(prompts) > MAX_TEXTS:
        raise RequestError(f"n: asks for {count * len(prompts)} texts; the limit is {MAX_TEXTS}", "n")
    length = fields.integer("max_tokens", min(DEFAULT_LENGTH, limits.length), 0, limits.length)
    stops = fields.texts("stop", [], MAX_STOPS)
    if "" in stops:
        raise RequestError("stop: must not be empty", "stop")
    temperature, top_p = fields.number("temperature", 1.0, 0, 2), fields.number("top_p", 1.0, 0, 1)
    seed = fields.integer("seed", None, 0, MAX_SEED)
    first = new_seed() if seed is None else seed
    configs = tuple(
        SamplingConfig(
            length=length,
            until=tuple(stops),
            seed=first + number,
            temperature=temperature,
            top_p=None if top_p == 1 else max(top_p, 1e-9),
        )
        for _ in prompts
        for number in range(count)
    )
    options = body.get("stream_options")
    request = CompletionRequest(
        tuple(prompts),
        count,
        configs,
        tuple(stops),
        fields.flag("stream"),
        isinstance(options, Mapping) and bool(options.get("include_usage")),
        fields.integer("logprobs", None, 0, MAX_LIKELIEST),
        fields.flag("echo"),
    )
    fields.check_rest()
    return request


class _Fields:
    """The parameters of a request, taken one by one; null means the default."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.body, self.taken = body, set(IGNORED)

    def _take(self, name: str) -> Any:
        self.taken.add(name)
        return self.body.get(name)

    def texts(self, name: str, default: list[str], most: int) -> list[str]:
        """A string, or a list of strings."""
        value = self._take(name)
        if value is None:
            return default
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
            raise RequestError(f"{name}: must be a string or a list of strings", name)
        if not values or len(values) > most:
            raise RequestError(f"{name}: has {len(values)} strings; must have 1 to {most}", name)
        return values

    def integer(self, name: str, default: Any, low: int, high: int) -> Any:
        """An integer."""
        value = self._take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise RequestError(f"{name}: must be a whole number from {low:,} to {high:,}", name)
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number."""
        value = self._take(name)
        if value is None:
            return default
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not is_number or not low <= value <= high:
            raise RequestError(f"{name}: must be a number from {low:g} to {high:g}", name)
        return float(value)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._take(name)
        if value not in (None, True, False):
            raise RequestError(f"{name}: must be true or false", name)
        return bool(value)

    def check_rest(self) -> None:
        """Raise RequestError for a parameter that is unknown, or that would change the text."""
        for name, value in self.body.items():
            if name in self.taken or any(value == neutral for neutral in NEUTRAL.get(name, ())):
                continue
            what = "is not supported; leave it out" if name in NEUTRAL else "is not a known parameter"
            raise RequestError(f"{name!s:.50}: {what}", str(name)[:50])


class HeldBack:
    """The end of a text that may be the beginning of a stop string, which is not part of the text.

    Args:
        stops: the stop strings.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self.stops, self.held = stops, list[Character]()

    def add(self, character: Character) -> list[Character]:
        """Add a character, and return those that certainly belong to the text."""
        self.held.append(character)
        text = "".join(part.text for part in self.held)
        length = max((_overlap(text, stop) for stop in self.stops), default=0)
        free = []
        while self.held and len(text) - len(self.held[0].text) >= length:
            text = text[len(self.held[0].text) :]
            free.append(self.held.pop(0))
        return free

    def end(self, is_stopped: bool) -> list[Character]:
        """Return the rest of the text, without the stop string that ended it."""
        text = "".join(part.text for part in self.held)
        left = len(text) - max((len(stop) for stop in self.stops if is_stopped and text.endswith(stop)), default=0)
        free = []
        for part in self.held:
            left -= len(part.text)
            if left >= 0:
                free.append(part)
        return free


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that is a beginning of `stop`."""
    return next((n for n in range(min(len(text), len(stop)), 0, -1) if text.endswith(stop[:n])), 0)


@dataclass
class AnsweredText:
    """One text of an answer."""

    index: int
    characters: list[Character] = field(default_factory=list)
    finish_reason: str | None = None


def answer_id() -> str:
    """Return a new id for an answer."""
    return f"cmpl-{secrets.token_hex(12)}"


def answer(
    identity: str, model: str, choices: Sequence[dict[str, Any]], usage: tuple[int, int] | None = None
) -> dict[str, Any]:
    """Return an answer, or a part of a stream.

    Args:
        identity: the id of the answer.
        model: the name of the model.
        choices: see `choice`.
        usage: the numbers of characters of the prompts and of the texts.
    """
    body: dict[str, Any] = {
        "id": identity,
        "object": "text_completion",
        "created": int(time.time()),
        "model": model,
        "choices": list(choices),
    }
    if usage is not None:
        prompt, written = usage
        body["usage"] = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
    return body


def choice(
    index: int, characters: Sequence[Character], finish_reason: str | None, has_logprobs: bool, offset: int = 0
) -> dict[str, Any]:
    """Return a text, or the next part of it.

    Args:
        index: the number of the text.
        characters: its characters.
        finish_reason: why it ended; None if it goes on.
        has_logprobs: whether to add probabilities.
        offset: the number of characters of the text before this part.
    """
    logprobs = None
    if has_logprobs:
        offsets, at = [], offset
        for character in characters:
            offsets.append(at)
            at += len(character.text)
        logprobs = {
            "tokens": [character.text for character in characters],
            "token_logprobs": [_finite(character.log_prob) for character in characters],
            "top_logprobs": [
                {text: _finite(value) for text, value in character.likeliest}
                if character.log_prob is not None
                else None
                for character in characters
            ],
            "text_offset": offsets,
        }
    text = "".join(character.text for character in characters)
    return {"text": text, "index": index, "logprobs": logprobs, "finish_reason": finish_reason}


def _finite(value: float | None) -> float | None:
    """JSON has no infinity; −9999 stands for probability 0, as in other servers of this API."""
    return value if value is None or math.isfinite(value) else -9999.0
