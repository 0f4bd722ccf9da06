"""Fuzzing: very many damaged checkpoints, each of which gives a one-line error with the file, or a usable model."""

import dataclasses
import random
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from chance import OF_BYTES, OF_PARTS
from spoiling import corpus_in, whole_files

from charrnn.checkpoint import Checkpoint, load, load_resume_state
from charrnn.config import SamplingConfig
from charrnn.errors import CharRNNError, CheckpointError
from charrnn.models.language_model import next_log_probs
from charrnn.models.ngram import model as ngram
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.stepper import make_stepper
from charrnn.sampling.generate import generate
from charrnn.sampling.rng import CounterRNG
from charrnn.sampling.sampler import CounterTemperatureSampler
from charrnn.text.batches import Streams
from charrnn.text.corpus import Corpus
from charrnn.training.loop import Training
from charrnn.training.run_context import Run
from charrnn.training.state.checkpoint_manager import CheckpointManager
from charrnn.training.state.resume import open_training

SECONDS = 20
"""The time limit for one file, in seconds; usual is a hundredth."""
LONGEST_LINE = 600
MOST_GROWTH = 400 << 20
"""The limit for additional memory, in bytes, relative to the first files."""
FORBIDDEN = {"os.system", "os.exec", "pickle.find_class"}
"""Audit events of Python before running a program or unpickling."""


@dataclass
class Bench:
    """Intact files, a place for damaged ones, and the observations."""

    folder: Path
    files: dict[str, bytes]
    corpus: Corpus
    tried: int = 0
    accepted: int = 0
    resumed: int = 0
    slowest: float = 0.0
    watching: list[bool] = field(default_factory=lambda: [False])


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("bench")
    actual = Bench(folder, whole_files(), corpus_in(folder))

    def hook(event: str, _: object) -> None:
        if event in FORBIDDEN and actual.watching[0]:
            raise AssertionError(event)

    sys.addaudithook(hook)
    return actual


@contextmanager
def limits(bench: Bench) -> Iterator[None]:
    """Stop a test that hangs, and watch for anything that executes code."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"{SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    bench.watching[0] = True
    try:
        yield
    finally:
        bench.watching[0] = False
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def use(checkpoint: Checkpoint, chance: random.Random) -> None:
    """Read and generate a few characters with every method of a model."""
    model, size = checkpoint.model, len(checkpoint.vocabulary)
    tokens = torch.tensor([[chance.randrange(size) for _ in range(40)]])
    sampling = SamplingConfig(
        temperature=chance.choice((0.7, 1.0, 1.5)), length=8, seed=0, top_k=chance.choice((None, 3))
    )
    with torch.inference_mode():
        for act in (
            lambda: model(tokens),
            lambda: next_log_probs(model, tokens[:, :-1], tokens[:, 1:]),
            lambda: make_stepper(model, None, 40).draw_next(
                tokens[0].numpy(), CounterTemperatureSampler(1.0, CounterRNG(range(40)))
            ),
            lambda: list(generate(model, checkpoint.vocabulary, sampling)),
            lambda: list(generate(model, checkpoint.vocabulary, SamplingConfig(length=8, seed=0))),
        ):
            try:
                act()
            except CharRNNError as error:
                assert_line(error)


def resume(path: Path, bench: Bench) -> None:
    """Resume training for one step."""
    resumed = open_training(path)
    config, facts = dataclasses.replace(resumed.config, precision="float32"), resumed.resume_state.progress
    corpus = bench.corpus
    model = RecurrentModel(dataclasses.replace(facts.model, networks=1), len(corpus.vocabulary))
    checkpoints = CheckpointManager(bench.folder / "new.safetensors", Run(corpus, facts.model, config))
    streams = Streams(corpus.train.ids, config.batch_size, config.seq_length)
    checkpoints.begin(Training(model, streams, corpus.validation, config, plan=resumed.plan))
    resumed.restore(checkpoints)
    bench.resumed += 1
    next(checkpoints.training.steps(), None)


def assert_line(error: CharRNNError, path: Path | None = None) -> None:
    line = str(error)
    assert "\n" not in line
    assert len(line) < LONGEST_LINE
    assert path is None or line.startswith(f"{path}: ")


def judge(file: bytes, bench: Bench, chance: random.Random) -> None:
    """Loading may only raise CheckpointError, and using the model may only raise CharRNNError."""
    path = bench.folder / "spoiled.safetensors"
    path.write_bytes(file)
    begun = time.perf_counter()
    with limits(bench):
        try:
            use(load(path), chance)
            bench.accepted += 1
        except CheckpointError as error:
            assert_line(error, path)
        try:
            load_resume_state(path)
        except CheckpointError as error:
            assert_line(error, path)
        else:
            try:
                resume(path, bench)
            except CharRNNError as error:
                assert_line(error)
    bench.tried += 1
    bench.slowest = max(bench.slowest, time.perf_counter() - begun)


def fuzz(bench: Bench, examples: int) -> None:
    from hypothesis import HealthCheck, given, settings  # which takes a second of every process that collects tests
    from hypothesis import strategies as st

    @settings(
        max_examples=examples, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(
        name=st.sampled_from(sorted(bench.files)),
        part=st.none() | st.sampled_from(OF_PARTS),
        of_bytes=st.none() | st.sampled_from(OF_BYTES),
        is_large=st.booleans(),
        seed=st.integers(0, 2**64 - 1),
    )
    def one(
        name: str,
        part: Callable[[bytes, random.Random], bytes] | None,
        of_bytes: Callable[[bytes, random.Random], bytes] | None,
        is_large: bool,
        seed: int,
    ) -> None:
        chance, file = random.Random(seed), bench.files[name]
        if part:
            file = part(file, chance)
        if of_bytes and (part is None or chance.random() < 0.2):
            file = of_bytes(file, chance)
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            if is_large:  # as a file of gigabytes: the tables of n-grams are not looked through when it is loaded
                patch.setattr(ngram, "MAX_CHECKED_ENTRIES", 0)
                warnings.simplefilter("ignore", RuntimeWarning)  # of numbers that are none, as a probability is asked
            judge(file, bench, chance)

    one()


def test_undamaged_files_are_accepted(bench: Bench) -> None:
    before = dataclasses.replace(bench)
    for file in bench.files.values():
        judge(file, bench, random.Random(0))
    assert bench.accepted - before.accepted == len(bench.files)
    assert bench.resumed - before.resumed == 1


def test_100_damaged_files_give_checkpoint_errors(bench: Bench) -> None:
    fuzz(bench, 100)


@pytest.mark.slow
def test_100000_damaged_files_give_checkpoint_errors(bench: Bench) -> None:
    fuzz(bench, 1000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tried, accepted, resumed = bench.tried, bench.accepted, bench.resumed
    begun = time.perf_counter()
    fuzz(bench, 100_000)
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(
        f"\n{bench.tried - tried} files, {bench.accepted - accepted} accepted, {bench.resumed - resumed} resumed, "
        f"slowest {bench.slowest:.3f} s, {growth / 1024:.0f} MiB more, {time.perf_counter() - begun:.0f} s"
    )
    assert growth << 10 < MOST_GROWTH
