"""charrnn: train, sample and compare character-level language models (recurrent networks and n-grams).

Public names are imported on first access, so `import charrnn` is fast and does not load PyTorch.
"""

from __future__ import annotations

TYPE_CHECKING = False
"""True for type checkers; like `typing.TYPE_CHECKING`, but `typing` takes longer to import than this file."""

__version__ = "0.1.0"

_MODULES = {
    "CompareConfig": "charrnn.config.scoring",
    "CorpusConfig": "charrnn.config.text",
    "ModelConfig": "charrnn.config.network",
    "NgramConfig": "charrnn.config.ngram",
    "SamplingConfig": "charrnn.config.sampling",
    "ScoreConfig": "charrnn.config.scoring",
    "TrainingConfig": "charrnn.config.network",
    "CharRNNError": "charrnn.errors",
    "LanguageModel": "charrnn.models.language_model",
    "NgramModel": "charrnn.models.ngram.model",
    "RecurrentModel": "charrnn.models.rnn.model",
    "Streams": "charrnn.text.batches",
    "Vocabulary": "charrnn.text.vocabulary",
    "evaluate": "charrnn.scoring.evaluate",
    "fit_ngram": "charrnn.models.ngram.fit",
    "generate": "charrnn.sampling.generate",
    "attribute": "charrnn.api",
    "compare": "charrnn.api",
    "fit": "charrnn.api",
    "load": "charrnn.api",
    "score": "charrnn.api",
    "TextModel": "charrnn.api",
    "read_corpus": "charrnn.text.corpus",
    "train": "charrnn.training.loop",
}

if TYPE_CHECKING:
    from typing import Any

    from charrnn.api import TextModel, attribute, compare, fit, load, score
    from charrnn.config import (
        CompareConfig,
        CorpusConfig,
        ModelConfig,
        NgramConfig,
        SamplingConfig,
        ScoreConfig,
        TrainingConfig,
    )
    from charrnn.errors import CharRNNError
    from charrnn.models.language_model import LanguageModel
    from charrnn.models.ngram.fit import fit_ngram
    from charrnn.models.ngram.model import NgramModel
    from charrnn.models.rnn.model import RecurrentModel
    from charrnn.sampling.generate import generate
    from charrnn.scoring.evaluate import evaluate
    from charrnn.text.batches import Streams
    from charrnn.text.corpus import read_corpus
    from charrnn.text.vocabulary import Vocabulary
    from charrnn.training.loop import train

__all__ = [
    "CharRNNError",
    "CompareConfig",
    "CorpusConfig",
    "LanguageModel",
    "ModelConfig",
    "NgramConfig",
    "NgramModel",
    "RecurrentModel",
    "SamplingConfig",
    "ScoreConfig",
    "Streams",
    "TextModel",
    "TrainingConfig",
    "Vocabulary",
    "__version__",
    "attribute",
    "compare",
    "evaluate",
    "fit",
    "fit_ngram",
    "generate",
    "load",
    "read_corpus",
    "score",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'charrnn' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__
