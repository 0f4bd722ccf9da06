"""charrnn in a few lines of Python: `load` and `fit` give a model that writes and scores text.

    import charrnn

    model = charrnn.fit(Path("novel.txt"), charrnn.ModelConfig(cell="gru"), charrnn.TrainingConfig(minutes=3))
    print(model.sample("Once upon", length=200, temperature=0.8))
    print(model.score("What a strange sentence."))
    print(charrnn.compare([model]).as_json())
    model.save("novel.safetensors")
    model = charrnn.load("novel.safetensors")

It is a shell over the modules below it, as the command line is. A text is a string, the text itself, or the path of a
file; a model is a `TextModel`, or the path of a checkpoint, whose network goes to `device`.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from charrnn.checkpoint import Checkpoint, Model, save
from charrnn.checkpoint import load as load_checkpoint
from charrnn.checkpoint.metadata import Metadata
from charrnn.config import (
    CompareConfig,
    CorpusConfig,
    ModelConfig,
    NgramConfig,
    SamplingConfig,
    ScoreConfig,
    TrainingConfig,
)
from charrnn.errors import UsageError
from charrnn.formatting import plural
from charrnn.pipeline.compare import Comparison
from charrnn.pipeline.fit_networks import NetworkTraining, TrainingStart
from charrnn.pipeline.fit_ngrams import fit_ngrams
from charrnn.pipeline.read_text import find_training_text, read_text, read_text_or_training_text, read_training_text
from charrnn.pipeline.score import TextScore, score_text
from charrnn.pipeline.text_generator import TextGenerator
from charrnn.progress import ProgressBars, no_bar
from charrnn.sampling.batch import BatchGenerator
from charrnn.sampling.generate import stream
from charrnn.scoring.attribution import Attribution, config_for
from charrnn.scoring.attribution import attribute as attribute_text
from charrnn.scoring.evaluate import Score, evaluate
from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.run_context import RunContext
from charrnn.training.step import StepResult

IN_NOTEBOOK = "ipykernel"
"""The module that is loaded where Python runs in a notebook."""


@dataclass(frozen=True)
class TextModel:
    """A model that was fitted to a text, with its characters and its history."""

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
    def metadata(self) -> Metadata:
        """How it came to be: text, settings, validation score."""
        return self.checkpoint.metadata

    def __str__(self) -> str:
        return self.checkpoint.description

    def sample(self, prime: str = "", config: SamplingConfig | None = None, **settings: Any) -> str:
        r"""Generate a text.

        Args:
            prime: the prompt, which is not repeated.
            config: the settings; the default ones, if not given.
            settings: fields of SamplingConfig, instead of those in `config`: `length=200`, `temperature=0.8`,
                `seed=1`, `until=("\n",)` and so on.

        Raises:
            TextError: the prompt has a character that the model does not know.
            UsageError: a setting makes no sense.
            ModelError: no character can be generated.
            TypeError: there is no such setting.
        """
        return "".join(self.stream(prime, config, **settings))

    def stream(self, prime: str = "", config: SamplingConfig | None = None, **settings: Any) -> Iterator[str]:
        """Generate a text, character by character; see `sample`."""
        return stream(self._start_batch(prime, 1, config, settings))

    def samples(self, count: int, prime: str = "", config: SamplingConfig | None = None, **settings: Any) -> list[str]:
        """Generate texts side by side, with the seeds from `seed` on; each is what `sample` gives for its seed."""
        batch = self._start_batch(prime, count, config, settings)
        while not batch.finished:
            batch.step()
        return [sequence.text for sequence in batch.sequences]

    def score(self, text: str | Path) -> Score:
        """How well it predicts a text, statically; `.bits_per_char` is the unit of quality.

        Raises:
            TextError: it is empty, cannot be read, or has characters that the model does not know.
        """
        corpus = read_text(text, self.metadata.text.corpus, self.vocabulary)
        return evaluate(self.model, corpus.span)

    def save(self, path: str | Path) -> None:
        """Write it to a file, which the command line reads too.

        Raises:
            CheckpointError: it cannot be written.
        """
        save(Path(path), self.model, self.vocabulary, self.metadata)

    def _start_batch(
        self, prime: str, count: int, config: SamplingConfig | None, settings: dict[str, Any]
    ) -> BatchGenerator:
        generator = TextGenerator(self.checkpoint, replace(config or SamplingConfig(), **settings), prime)
        return generator.batch(generator.begins(count))


def load(path: str | Path, device: str | torch.device = "cpu") -> TextModel:
    """Open a checkpoint: a file that `charrnn train`, `charrnn ngram` or `TextModel.save` has made.

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
        text: what to learn from.
        model: a network, or n-grams; an LSTM, if not given.
        training: how a network is fitted, and for how long; five minutes, if not given. What differs from the defaults
            stays as it is, the rest is chosen for the time there is; see training/budget/auto_config.py.
        corpus: how the text is read and split.
        device: where a network is fitted, and stays.
        on_step: called with each step of a network.
        progress: whether to show a bar while a network is trained; if not given, in a notebook.

    Returns:
        The best state by the validation part; its score there is in `metadata.validation`.

    Raises:
        TextError: the text cannot be used.
        UsageError: settings make no sense.
    """
    started = time.perf_counter()
    if not isinstance(model, ModelConfig | NgramConfig | None):
        raise UsageError(f"model: pass a ModelConfig or an NgramConfig, not {type(model).__name__}")
    source = read_text(text, corpus or CorpusConfig())
    if isinstance(model, NgramConfig):
        if training is not None:
            raise UsageError("training: n-grams are counted; leave it out")
        return TextModel(fit_ngrams(source, model).checkpoint)
    where = torch.device(device)
    return _trained(source, model or ModelConfig(), training or TrainingConfig(), where, started, on_step, progress)


def compare(
    models: Sequence[TextModel | str | Path],
    text: str | Path | None = None,
    config: CompareConfig | None = None,
    device: str | torch.device = "cpu",
    bars: ProgressBars = no_bar,
) -> Comparison:
    """Compare models, one at least, on the same held-out characters: what `charrnn compare` does.

    If no text is given, it is the one that the first model was fitted on. The tables `rows`, `online` and `structure`
    are each measured when they are first asked for; `as_json()` has all.

    Raises:
        TextError: the text cannot be used.
        ModelError: the models cannot be compared, or nothing of the text is held out.
        UsageError: there is no model, or the configuration asks for what these models or this text do not have.
    """
    checkpoints = _checkpoints(models, 1, device)
    corpus = read_text_or_training_text(checkpoints[0], text)
    return Comparison(checkpoints, corpus, config or CompareConfig(), read_training_text, bars)


def score(
    model: TextModel | str | Path,
    text: str | Path | None = None,
    config: ScoreConfig | None = None,
    device: str | torch.device = "cpu",
    bars: ProgressBars = no_bar,
) -> TextScore:
    """Score a text with a model, in bits per character: what `charrnn score` does with one checkpoint.

    If no text is given, it is the held-out part of the one that the model was fitted on.

    Raises:
        TextError: the text cannot be used.
        ModelError: nothing of the text is held out.
        UsageError: the configuration asks for what the model cannot do.
    """
    checkpoint = _checkpoint(model, device)
    corpus = read_text_or_training_text(checkpoint, text)
    return score_text(checkpoint, corpus, config or ScoreConfig(), find_training_text, read_training_text, bars)


def attribute(
    models: Sequence[TextModel | str | Path], text: str | Path, device: str | torch.device = "cpu"
) -> Attribution:
    """Find which of two models or more a text is likeliest under: what `charrnn score` does with several checkpoints.

    Raises:
        TextError: no character of it is known to all models.
        ModelError: a model was fitted on all of the text, or the models read texts differently.
        UsageError: there are fewer than two models.
    """
    checkpoints = _checkpoints(models, 2, device)
    return attribute_text(checkpoints, read_text(text, config_for(checkpoints)), find_training_text)


def _checkpoints(
    models: Sequence[TextModel | str | Path], minimum: int, device: str | torch.device
) -> list[Checkpoint]:
    is_list = not isinstance(models, TextModel | str | Path)
    checkpoints = [_checkpoint(model, device) for model in models] if is_list else []
    if len(checkpoints) < minimum:
        raise UsageError(f"models: pass a list of at least {plural(minimum, 'model')}")
    return checkpoints


def _checkpoint(model: TextModel | str | Path, device: str | torch.device) -> Checkpoint:
    return model.checkpoint if isinstance(model, TextModel) else load(model, device).checkpoint


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

    fields = ((config, spec) for config in (model, training) for spec in dataclasses.fields(config))
    explicit = frozenset(spec.name for config, spec in fields if getattr(config, spec.name) != spec.default)
    context, start = RunContext(where, started=started), TrainingStart(source.config, model, training, explicit)
    with tempfile.TemporaryDirectory(prefix="charrnn-") as folder:
        path = Path(folder) / "text.safetensors"
        fitted = NetworkTraining(path, source, start, context)
        networks = fitted.run.model.networks
        if progress is None:
            progress = IN_NOTEBOOK in sys.modules
        with tqdm(desc=str(fitted.run.model), unit="step", disable=not progress) as bar:
            for step in fitted.steps(save_every=None):
                on_step(step)
                if step.plan and bar.total is None:
                    bar.reset(step.plan.steps * networks)
                    bar.n = step.number - 1
                bar.update()
        return load(path, where)
