"""Requests of the completions API: defaults, limits, one line for every mistake; stop strings across characters."""

from typing import Any

import pytest

from charrnn.serve.batcher import Character
from charrnn.serve.requests import HeldBack, Limits, RequestError, answer, choice, parse

LIMITS = Limits(prompt=20, length=50)


def test_empty_request_has_the_defaults() -> None:
    request = parse({}, LIMITS)
    assert (request.prompts, request.count, request.stops, request.stream) == (("",), 1, (), False)
    (config,) = request.configs
    assert (config.length, config.temperature, config.top_p) == (50, 1.0, None)
    assert parse(dict.fromkeys(("prompt", "n", "stop", "seed", "logprobs", "top_p")), LIMITS).count == 1


def test_request_has_a_text_for_each_prompt_and_number() -> None:
    body = {"prompt": ["a", "b"], "n": 2, "seed": 5, "max_tokens": 7, "stop": "\n", "temperature": 0, "top_p": 0.5}
    request = parse(body, LIMITS)
    assert [config.seed for config in request.configs] == [5, 6, 5, 6]
    assert {(c.length, c.until, c.temperature, c.top_p) for c in request.configs} == {(7, ("\n",), 0.0, 0.5)}


def test_neutral_and_ignored_parameters_are_accepted() -> None:
    body = {"best_of": 1, "frequency_penalty": 0, "logit_bias": {}, "suffix": None, "user": "x", "model": "m"}
    assert parse({**body, "stream_options": {"include_usage": True}}, LIMITS).includes_usage


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "the body must be a JSON object"),
        ({"prompt": 3}, "prompt: must be a string or a list of strings"),
        ({"prompt": [1, 2]}, "prompt: must be a string or a list of strings"),
        ({"prompt": []}, "prompt: has 0 strings; must have 1 to 64"),
        ({"prompt": "x" * 21}, "prompt: has 21 characters; the limit is 20"),
        ({"n": 0}, "n: must be a whole number from 1 to 128"),
        ({"n": 100, "prompt": ["a", "b"]}, "n: asks for 200 texts; the limit is 128"),
        ({"n": True}, "n: must be a whole number"),
        ({"max_tokens": 51}, "max_tokens: must be a whole number from 0 to 50"),
        ({"temperature": "hot"}, "temperature: must be a number from 0 to 2"),
        ({"temperature": float("nan")}, "temperature: must be a number from 0 to 2"),
        ({"top_p": 1.5}, "top_p: must be a number from 0 to 1"),
        ({"stop": ["a"] * 5}, "stop: has 5 strings; must have 1 to 4"),
        ({"stop": ""}, "stop: must not be empty"),
        ({"stream": "yes"}, "stream: must be true or false"),
        ({"logprobs": 6}, "logprobs: must be a whole number from 0 to 5"),
        ({"seed": -1}, "seed: must be a whole number from 0"),
        ({"best_of": 3}, "best_of: is not supported; leave it out"),
        ({"colour": 1}, "colour: is not a known parameter"),
    ],
)
def test_mistake_is_one_line_that_names_the_parameter(body: Any, message: str) -> None:
    with pytest.raises(RequestError) as error:
        parse(body, LIMITS)
    assert message in str(error.value)
    assert error.value.as_json()["error"]["type"] == "invalid_request_error"
    assert error.value.status == 400


def held(text: str, *stops: str) -> tuple[list[str], str]:
    """What becomes free with each character, and at the end."""
    holder = HeldBack(stops)
    free = ["".join(part.text for part in holder.add(Character(character))) for character in text]
    is_stopped = any(text.endswith(stop) for stop in stops)
    return free, "".join(part.text for part in holder.end(is_stopped))


def test_stop_string_is_not_part_of_the_text() -> None:
    assert held("ab\n\n", "\n\n") == (["a", "b", "", ""], "")


def test_beginning_of_a_stop_string_is_sent_once_it_is_not_one() -> None:
    assert held("a\nb", "\n\n") == (["a", "", "\nb"], "")
    assert held("a\n", "\n\n") == (["a", ""], "\n")
    assert held("xa", "a", "xay") == (["", ""], "x")
    assert held("aab", "aac") == (["", "", "aab"], "")


def test_without_stop_strings_nothing_is_held_back() -> None:
    assert held("abc") == (["a", "b", "c"], "")


def test_choice_has_offsets_and_finite_probabilities() -> None:
    characters = [Character("é", -0.5, (("é", -0.5), ("a", float("-inf")))), Character(""), Character("b", -1.0)]
    part = choice(2, characters, "length", has_logprobs=True, offset=10)
    assert (part["text"], part["index"], part["finish_reason"]) == ("éb", 2, "length")
    assert part["logprobs"]["text_offset"] == [10, 11, 11]
    assert part["logprobs"]["token_logprobs"] == [-0.5, None, -1.0]
    assert part["logprobs"]["top_logprobs"] == [{"é": -0.5, "a": -9999.0}, None, {}]
    assert choice(0, characters, None, has_logprobs=False)["logprobs"] is None


def test_answer_counts_characters() -> None:
    assert answer("id", "m", [], (3, 4))["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert "usage" not in answer("id", "m", [])
