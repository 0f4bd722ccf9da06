"""Texts that join and leave: each is the same as if it were written alone."""

import queue
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from export_models import TEXT, VOCABULARY, checkpoint_of, make

from charrnn.config import SamplingConfig
from charrnn.sampling.generate import generate
from charrnn.serve.batcher import MAX_SIDE_BY_SIDE, Batcher, Character, Finished, Job
from charrnn.text.documents import Documents

KINDS = ("lstm", "several cells", "mkn", "mixture")


@pytest.fixture(params=KINDS)
def batcher(request: pytest.FixtureRequest) -> Iterator[Batcher]:
    yield from started(Batcher(checkpoint_of(make(request.param)), 100))


def started(batcher: Batcher) -> Iterator[Batcher]:
    batcher.start()
    yield batcher
    batcher.close()
    batcher.join(10)
    assert not batcher.is_alive()


def result(job: Job) -> tuple[str, str]:
    """The text of a job, and why it ended."""
    parts: list[str] = []
    while True:
        event = job.events.get(timeout=20)
        if isinstance(event, Finished):
            return "".join(parts), event.error or event.reason
        parts.append(event.text)


def alone(batcher: Batcher, prompt: str, config: SamplingConfig, documents: Documents | None = None) -> str:
    checkpoint = batcher.checkpoint
    return "".join(generate(checkpoint.model, checkpoint.vocabulary, config, prompt, documents=documents))


def test_texts_side_by_side_equal_texts_alone(batcher: Batcher) -> None:
    """With different prompts, lengths, temperatures, filters and seeds, submitted at different times."""
    rng = np.random.default_rng(0)
    jobs = []
    for seed in range(40):
        prompt = TEXT[: int(rng.integers(0, 30))] if seed % 3 else ""
        config = SamplingConfig(
            length=int(rng.integers(1, 60)), temperature=float(rng.choice([0, 0.7, 1])), seed=seed,
            top_p=0.8 if seed % 4 == 1 else None, until=("sat",) if seed % 5 == 2 else (),
        )  # fmt: skip
        jobs.append(Job(prompt, config, likeliest=3 if seed % 7 == 3 else None))
        assert batcher.submit(jobs[-1:])
        time.sleep(0.002 * (seed % 3))
    for job in jobs:
        text, reason = result(job)
        assert text == alone(batcher, job.prompt, job.config)
        assert reason == ("length" if len(text) == job.config.length else "stop")


def test_texts_of_documents_start_again_after_each() -> None:
    checkpoint = checkpoint_of(make("gru"), documents="\n")
    documents = Documents.of(checkpoint.metadata.text.corpus, VOCABULARY)
    for batcher in started(Batcher(checkpoint, 10)):
        jobs = [Job("The", SamplingConfig(length=120, seed=seed)) for seed in range(4)]
        batcher.submit(jobs)
        for job in jobs:
            assert result(job)[0] == alone(batcher, "The", job.config, documents)


def test_more_texts_than_fit_wait_for_their_turn() -> None:
    for batcher in started(Batcher(checkpoint_of(make("rnn")), 1000)):
        jobs = [Job("", SamplingConfig(length=3, seed=seed)) for seed in range(3 * MAX_SIDE_BY_SIDE)]
        assert batcher.submit(jobs)
        assert {len(result(job)[0]) for job in jobs} == {3}
        assert batcher.jobs == 0


def test_too_many_jobs_are_refused_as_a_whole() -> None:
    batcher = Batcher(checkpoint_of(make("rnn")), 3)
    jobs = [Job("", SamplingConfig(length=3, seed=0)) for _ in range(4)]
    assert not batcher.submit(jobs)
    assert batcher.jobs == 0
    assert batcher.submit(jobs[:3])
    assert not batcher.submit(jobs[3:])
    batcher.close()
    assert not batcher.submit([])
    batcher.run()  # ends when all are done
    assert [result(job)[1] for job in jobs[:3]] == ["length"] * 3


def test_cancelled_and_late_texts_end(batcher: Batcher) -> None:
    long = SamplingConfig(length=10**6, seed=0)
    cancelled, late = Job("", long), Job("", long, deadline=time.monotonic() + 0.2)
    batcher.submit([cancelled, late])
    assert isinstance(cancelled.events.get(timeout=20), Character)
    cancelled.is_cancelled = True
    assert result(cancelled)[1] == "stop"
    text, reason = result(late)
    assert (reason, 0 < len(text) < 10**6) == ("length", True)


def test_unknown_characters_are_an_error_of_that_text_alone(batcher: Batcher) -> None:
    bad, good = Job("€", SamplingConfig(length=5, seed=0)), Job("", SamplingConfig(length=5, seed=0))
    batcher.submit([bad, good])
    assert "does not know the character '€'" in result(bad)[1]
    assert result(good)[1] == "length"


def test_echo_with_probabilities_scores_the_prompt(batcher: Batcher) -> None:
    prompt = TEXT[50:90]
    job = Job(prompt, SamplingConfig(length=0, seed=0), likeliest=2, echo=True)
    batcher.submit([job])
    characters = []
    while isinstance(event := job.events.get(timeout=20), Character):
        characters.append(event)
    assert "".join(character.text for character in characters) == prompt
    assert characters[0].log_prob is None
    tokens = torch.from_numpy(VOCABULARY.encode(prompt))[None]
    log_probs = torch.log_softmax(batcher.checkpoint.model(tokens)[0][0].double(), -1).detach()
    for place, character in enumerate(characters[1:], 1):
        assert character.log_prob == pytest.approx(float(log_probs[place - 1, tokens[0, place]]), abs=1e-4)
        assert len(character.likeliest) == 2
    with pytest.raises(queue.Empty):
        job.events.get_nowait()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_error_of_the_thread_ends_all_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug must not let clients wait forever."""
    batcher = Batcher(checkpoint_of(make("lstm")), 100)
    jobs = [Job("", SamplingConfig(length=10, seed=seed)) for seed in range(MAX_SIDE_BY_SIDE + 3)]
    batcher.submit(jobs)
    monkeypatch.setattr(batcher, "_step", lambda group: 1 / 0)
    batcher.start()
    assert {result(job)[1] for job in jobs} == {"the server has an error; see its output"}
    batcher.join(10)
    assert not batcher.is_alive()
    assert not batcher.submit(jobs)
