"""charrnn in a few lines of Python: `load` and `fit` give a model that writes and scores text.

    import charrnn

    model = charrnn.fit(Path("novel.txt"), charrnn.ModelConfig(cell="gru"), charrnn.TrainingConfig(minutes=3))
    print(model.sample("Once upon", length=200, temperature=0.8))
    print(model.score("What a strange sentence."))
    model.save("novel.safetensors")
    model = charrnn.load("novel.safetensors")

It is a shell over the modules below it, as the command line is.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import torch

from charrnn.checkpoint import Checkpoint, Model, save
from charrnn.checkpoint import load as load_checkpoint
from charrnn.checkpoint.metadata import Facts, TextFacts
from charrnn.config import CorpusConfig, ModelConfig, NgramConfig, SamplingConfig, TrainingConfig
from charrnn.errors import TextError, UsageError
from charrnn.models.ngram.fit import fit_ngram
from charrnn.pipeline.networks import NetworkTraining, TrainingStart
from charrnn.sampling.batch import Writing
from charrnn.sampling.generate import begin, stream
from charrnn.scoring.evaluate import Score, evaluate, facts_of
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.documents import Documents
from charrnn.text.normalize import prepared
from charrnn.text.sources import STANDARD_INPUT
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.ensemble import SaveEvery
from charrnn.training.run import RunContext
from charrnn.training.step import StepResult

if TYPE_CHECKING:
    from typing_extensions import Unpack

IN_NOTEBOOK = "ipykernel"
"""The module that is loaded where Python runs in a notebook."""


class Settings(TypedDict, total=False):
    """The fields of SamplingConfig, where it says what they mean."""

    temperature: float
    top_k: int | None
    top_p: float | None
    min_p: float | None
    repetition_penalty: float
    repetition_window: int
    allow: str | None
    ban: str | None
    length: int
    until: tuple[str, ...]
    until_regex: str | None
    match: str | None
    seed: int | None


@dataclass(frozen=True)
class TextModel:
    """A model that was fitted to a text, with its characters and its history.

    Attributes:
        checkpoint: all of it.
    """

    checkpoint: Checkpoint

    @property
    def model(self) -> Model:
        """The language model: tokens and state to logits and state."""
        return self.checkpoint.model

    @property
    def vocabulary(self) -> Vocabulary:
        """Its characters."""
        return self.checkpoint.vocabulary

    @property
    def facts(self) -> Facts:
        """How it came to be: text, settings, validation score."""
        return self.checkpoint.facts

    def __str__(self) -> str:
        return self.checkpoint.description

    def sample(self, prime: str = "", **settings: Unpack[Settings]) -> str:
        r"""Write a text.

        Args:
            prime: what it goes on from; it is not repeated.
            settings: see SamplingConfig; `length=200`, `temperature=0.8`, `seed=1`, `until=("\n",)` and so on.

        Raises:
            TextError: the prime has a character that the model does not know.
            UsageError: a setting makes no sense.
            ModelError: no character can be written.
        """
        return "".join(self.stream(prime, **settings))

    def stream(self, prime: str = "", **settings: Unpack[Settings]) -> Iterator[str]:
        """Write a text, character by character; see `sample`."""
        return stream(self._writing(prime, 1, settings))

    def samples(self, count: int, prime: str = "", **settings: Unpack[Settings]) -> list[str]:
        """Write several texts side by side, with the seeds from `seed` on; each is the one that `sample` gives for it.

        Args:
            count: how many.
            prime: what all go on from.
            settings: see SamplingConfig.
        """
        writing = self._writing(prime, count, settings)
        while not writing.is_over:
            writing.step()
        return [text.written for text in writing.texts]

    def score(self, text: str | Path) -> Score:
        """How well it predicts a text, statically; `.bits_per_char` is the unit of quality.

        Args:
            text: the text itself, or the path of a file.

        Raises:
            TextError: it is empty, cannot be read, or has characters that the model does not know.
        """
        corpus = _read(text, self.facts.text.corpus, self.vocabulary)
        return evaluate(self.model, corpus.ids, documents=corpus.documents)

    def save(self, path: str | Path) -> None:
        """Write it to a file, which the command line reads too.

        Raises:
            CheckpointError: it cannot be written.
        """
        save(Path(path), self.model, self.vocabulary, self.facts)

    def _writing(self, prime: str, count: int, settings: Settings) -> Writing:
        corpus = self.facts.text.corpus
        prime = prime if self.vocabulary.is_bytes else prepared(prime, corpus)
        documents = Documents.of(corpus, self.vocabulary)
        return begin(self.model, self.vocabulary, SamplingConfig(**settings), prime, documents=documents, count=count)


def load(path: str | Path, device: str | torch.device = "cpu") -> TextModel:
    """Open a checkpoint.

    Args:
        path: a safetensors file that `charrnn train`, `charrnn ngram` or `TextModel.save` has made.
        device: where a network goes.

    Raises:
        CheckpointError: it cannot be read, is no checkpoint, or does not hold what it says.
    """
    return TextModel(load_checkpoint(Path(path), torch.device(device)))


def fit(
    text: str | Path,
    model: ModelConfig | NgramConfig | None = None,
    training: TrainingConfig | None = None,
    corpus: CorpusConfig | None = None,
    device: str | torch.device = "cpu",
    on_step: Callable[[StepResult], None] = lambda step: None,
    progress: bool | None = None,
) -> TextModel:
    """Fit a model to a text: what `charrnn train` and `charrnn ngram` do; without a word, but for a bar in a notebook.

    Args:
        text: the text itself, or the path of a file.
        model: a network, or n-grams; an LSTM, if not given.
        training: how a network is fitted, and for how long; five minutes, if not given. What differs from the defaults
            stays as it is, the rest is chosen for the time there is; see training/budget/auto_config.py.
        corpus: how the text is read and split.
        device: where a network is fitted, and stays.
        on_step: called with each step of a network.
        progress: whether to show a bar while a network is trained; if not given, in a notebook.

    Returns:
        The best state by the validation part, which the model was not fitted on; its score is in `facts.validation`.

    Raises:
        TextError: the text cannot be used.
        UsageError: settings make no sense.
    """
    started = time.perf_counter()
    source = _read(text, corpus or CorpusConfig())
    if isinstance(model, NgramConfig):
        if training is not None:
            raise UsageError("training: n-grams are counted; leave it out")
        return _counted(source, model, started)
    where = torch.device(device)
    return _trained(source, model or ModelConfig(), training or TrainingConfig(), where, started, on_step, progress)


def _read(text: str | Path, config: CorpusConfig, vocabulary: Vocabulary | None = None) -> Corpus:
    """A file; or a text, which goes through a temporary one, for that is how texts are read."""
    if isinstance(text, Path):
        return read_corpus(text, config, vocabulary)
    with tempfile.TemporaryDirectory(prefix="charrnn-") as folder:
        path = Path(folder) / "text"
        encoding = "utf-8" if config.bytes else config.encoding
        path.write_bytes(text.encode(encoding, "surrogateescape" if config.bytes else "strict"))
        try:
            corpus = read_corpus(path, config, vocabulary)
        except TextError as error:
            raise TextError(str(error).replace(str(path), "the text")) from None
        return replace(corpus, name="text", paths=(STANDARD_INPUT,))


def _counted(source: Corpus, config: NgramConfig, started: float) -> TextModel:
    model = fit_ngram(source.train, len(source.vocabulary), config.with_order(source.config.bytes))
    seconds, validation = time.perf_counter() - started, None
    if len(source.validation):
        score = evaluate(model, source.validation, documents=source.documents)
        validation = facts_of(score, source.split, documents=source.documents is not None)
    facts = Facts(TextFacts.of(source), seconds, "cpu", validation)
    size = sum(tensor.nbytes for tensor in model.tensors().values())
    return TextModel(Checkpoint(model, source.vocabulary, facts, Path("text"), size))


def _trained(
    source: Corpus,
    model: ModelConfig,
    training: TrainingConfig,
    where: torch.device,
    started: float,
    on_step: Callable[[StepResult], None],
    progress: bool | None,
) -> TextModel:
    from tqdm.auto import tqdm  # loads asyncio, which loading a model need not wait for

    explicit = _changed(model) | _changed(training)
    context, start = RunContext(where, started=started), TrainingStart(source.config, model, training, explicit)
    with tempfile.TemporaryDirectory(prefix="charrnn-") as folder:
        path = Path(folder) / "text.safetensors"
        fitted = NetworkTraining(path, source, start, context)
        networks = fitted.run.model.networks
        if progress is None:
            progress = IN_NOTEBOOK in sys.modules
        with tqdm(desc=str(fitted.run.model), unit="step", disable=not progress) as bar:
            for step in fitted.steps(SaveEvery(seconds=None)):
                on_step(step)
                if step.plan and bar.total is None:
                    bar.reset(step.plan.steps * networks)
                    bar.n = step.number - 1
                bar.update()
        return load(path, where)


def _changed(config: Any) -> frozenset[str]:
    """The fields that are not what they are by default."""
    return frozenset(spec.name for spec in dataclasses.fields(config) if getattr(config, spec.name) != spec.default)
