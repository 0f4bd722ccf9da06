"""The Python API: fit or load a model, generate text with it, score texts, and compare models.

```python
from pathlib import Path

import charrnn

model = charrnn.fit(Path("novel.txt"), charrnn.ModelConfig(cell="gru"), charrnn.TrainingConfig(minutes=3))
print(model.sample("Once upon", length=200, temperature=0.8))
print(model.score("What a strange sentence.").bits_per_char)
model.save("novel.safetensors")

model = charrnn.load("novel.safetensors")
ngrams = charrnn.fit(Path("novel.txt"), charrnn.NgramConfig())
for row in charrnn.compare([model, ngrams]).rows:
    print(row.checkpoint.description, row.score.bits_per_char)
```

Wherever a function takes a text, a string is the text itself and a `pathlib.Path` is a file. Wherever it takes a model,
pass a `TextModel` or the path of a checkpoint. Errors are subclasses of `charrnn.CharRNNError`.
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
"""Name of a module that is loaded if Python runs in a notebook."""


@dataclass(frozen=True)
class TextModel:
    """A fitted model with its vocabulary and metadata; `fit` and `load` return one.

    Attributes:
        checkpoint: the model as it is stored in a file.
    """

    checkpoint: Checkpoint

    @property
    def model(self) -> Model:
        """The language model, a function `model(tokens, state)` that returns logits and the next state."""
        return self.checkpoint.model

    @property
    def vocabulary(self) -> Vocabulary:
        """The characters of the model."""
        return self.checkpoint.vocabulary

    @property
    def metadata(self) -> Metadata:
        """The origin of the model: text, split, settings, training time and validation score."""
        return self.checkpoint.metadata

    def __str__(self) -> str:
        return self.checkpoint.description

    def sample(self, prime: str = "", config: SamplingConfig | None = None, **settings: Any) -> str:
        r"""Generate a text.

        ```python
        model.sample("Once upon", length=200, temperature=0.8, seed=1)
        ```

        Args:
            prime: the prompt, which is not part of the result.
            config: sampling settings (default: `SamplingConfig()`).
            settings: fields of `SamplingConfig` that replace those of `config`, such as `length=200`,
                `temperature=0.8`, `seed=1` or `until=("\n",)`.

        Returns:
            The generated text.

        Raises:
            TextError: the prompt has a character that is not in the vocabulary.
            UsageError: a setting is not valid.
            ModelError: no character can be generated.
            TypeError: a setting does not exist.
        """
        return "".join(self.stream(prime, config, **settings))

    def stream(self, prime: str = "", config: SamplingConfig | None = None, **settings: Any) -> Iterator[str]:
        """Generate a text and yield it character by character; see `sample`."""
        return stream(self._start_batch(prime, 1, config, settings))

    def samples(self, count: int, prime: str = "", config: SamplingConfig | None = None, **settings: Any) -> list[str]:
        """Generate several texts in one batch.

        Args:
            count: number of texts; text i is the one that `sample` returns for the seed `seed` + i.
            prime: the prompt of all texts, which is not part of the results.
            config: sampling settings, see `sample`.
            settings: fields of `SamplingConfig`, see `sample`.
        """
        batch = self._start_batch(prime, count, config, settings)
        while not batch.finished:
            batch.step()
        return [sequence.text for sequence in batch.sequences]

    def score(self, text: str | Path) -> Score:
        """Score a text with fixed weights or counts; lower `bits_per_char` is better.

        ```python
        model.score("What a strange sentence.").bits_per_char
        ```

        The function `charrnn.score` has more: scores in windows, online, and by line.

        Raises:
            TextError: the text is empty, cannot be read, or has characters that are not in the vocabulary.
        """
        corpus = read_text(text, self.metadata.text.corpus, self.vocabulary)
        return evaluate(self.model, corpus.span)

    def save(self, path: str | Path) -> None:
        """Save the model as a checkpoint, for `load` and all commands.

        Raises:
            CheckpointError: the file cannot be written.
        """
        save(Path(path), self.model, self.vocabulary, self.metadata)

    def _start_batch(
        self, prime: str, count: int, config: SamplingConfig | None, settings: dict[str, Any]
    ) -> BatchGenerator:
        generator = TextGenerator(self.checkpoint, replace(config or SamplingConfig(), **settings), prime)
        return generator.batch(generator.begins(count))


def load(path: str | Path, device: str | torch.device = "cpu") -> TextModel:
    """Load a checkpoint that `charrnn train`, `charrnn ngram` or `TextModel.save` has written.

    Args:
        path: the path of the checkpoint.
        device: the device for a network; n-gram models stay on the CPU.

    Raises:
        CheckpointError: the file cannot be read, is not a checkpoint, or is damaged.
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
    """Fit a network or n-grams to a text, as `charrnn train` and `charrnn ngram` do.

    ```python
    lstm = charrnn.fit(Path("novel.txt"), training=charrnn.TrainingConfig(minutes=3))
    gru = charrnn.fit(
        Path("novel.txt"),
        charrnn.ModelConfig(cell="gru", hidden_size=128),
        charrnn.TrainingConfig(epochs=4),
        on_step=lambda step: print(step.number, step.loss.item()),
    )
    ngrams = charrnn.fit(Path("novel.txt"), charrnn.NgramConfig(order=6))
    ```

    Args:
        text: the text to learn from.
        model: a network or n-grams (default: an LSTM).
        training: length and settings of a network's training (default: 5 minutes on a CPU, 2 on a GPU). With a time
            budget, fields of `model` and `training` that have their default values are chosen to fit it, as for
            `charrnn train --minutes`.
        corpus: how the text is read and split.
        device: the device to train a network on; the result stays there.
        on_step: called after each training step of a network.
        progress: whether to show a progress bar while a network is trained (default: only in a notebook).

    Returns:
        The model with the best validation score, which is in `metadata.validation`.

    Raises:
        TextError: the text cannot be read, or is too short.
        UsageError: a setting is not valid.
        DivergedError: the training loss diverged repeatedly.
    """
    started = time.perf_counter()
    if not isinstance(model, ModelConfig | NgramConfig | None):
        raise UsageError(f"model: pass a ModelConfig or an NgramConfig, not {type(model).__name__}")
    source = read_text(text, corpus or CorpusConfig())
    if isinstance(model, NgramConfig):
        if training is not None:
            raise UsageError("training: has no effect with an NgramConfig; remove it")
        return TextModel(fit_ngrams(source, model).checkpoint)
    network, training = model or ModelConfig(), training or TrainingConfig()
    return _train_network(source, network, training, torch.device(device), started, on_step, progress)


def compare(
    models: Sequence[TextModel | str | Path],
    text: str | Path | None = None,
    config: CompareConfig | None = None,
    device: str | torch.device = "cpu",
    bars: ProgressBars = no_bar,
) -> Comparison:
    """Compare models on the same held-out characters, as `charrnn compare` does.

    ```python
    comparison = charrnn.compare(["lstm.safetensors", "ngram.safetensors"], config=charrnn.CompareConfig(online=True))
    for row in comparison.rows:
        print(row.checkpoint.name, row.score.bits_per_char)
    ```

    Args:
        models: at least one model.
        text: the text to compare on (default: the text that the first model was fitted on).
        config: the columns and tables to compute.
        device: the device for networks loaded from checkpoints.
        bars: makes progress bars.

    Returns:
        The comparison. Its tables `rows`, `online` and `structure` are computed on first access; `as_json()` has all.

    Raises:
        TextError: the text cannot be read.
        ModelError: the models have different vocabularies, or no part of the text is held out.
        UsageError: `models` is empty, or the configuration does not fit these models or this text.
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
    """Score a text with a model, as `charrnn score` does with one checkpoint.

    ```python
    result = charrnn.score(model, Path("sequel.txt"), charrnn.ScoreConfig(lines=True))
    print(result.bits_per_char)
    for line in result.lines():
        print(line.line, line.score.bits_per_char)
    ```

    Args:
        model: the model.
        text: the text (default: the held-out part of the text that the model was fitted on).
        config: scores to compute in addition to the static one: online, in windows, by line.
        device: the device for a network loaded from a checkpoint.
        bars: makes progress bars.

    Raises:
        TextError: the text cannot be read.
        ModelError: no part of the text is held out.
        UsageError: the model does not support a requested score.
    """
    checkpoint = _checkpoint(model, device)
    corpus = read_text_or_training_text(checkpoint, text)
    return score_text(checkpoint, corpus, config or ScoreConfig(), find_training_text, read_training_text, bars)


def attribute(
    models: Sequence[TextModel | str | Path], text: str | Path, device: str | torch.device = "cpu"
) -> Attribution:
    """Find the model that gives a text the highest likelihood, as `charrnn score` does with several checkpoints.

    ```python
    result = charrnn.attribute(["austen.safetensors", "melville.safetensors"], Path("unknown.txt"))
    for (checkpoint, _), posterior in zip(result.ranked, result.posteriors):
        print(checkpoint.name, posterior)
    ```

    Args:
        models: at least two models, such as one for each author.
        text: the text to attribute.
        device: the device for networks loaded from checkpoints.

    Raises:
        TextError: no character of the text is in the vocabularies of all models.
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


def _train_network(
    source: Corpus,
    model: ModelConfig,
    training: TrainingConfig,
    device: torch.device,
    started: float,
    on_step: Callable[[StepResult], None],
    progress: bool | None,
) -> TextModel:
    from tqdm.auto import tqdm  # imported here, because it loads asyncio and would make loading a model slower

    fields = ((config, spec) for config in (model, training) for spec in dataclasses.fields(config))
    explicit = frozenset(spec.name for config, spec in fields if getattr(config, spec.name) != spec.default)
    context, start = RunContext(device, started=started), TrainingStart(source.config, model, training, explicit)
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
        return load(path, device)
