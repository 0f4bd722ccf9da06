"""Every setting, defined once: type, default, help, metavar and check are part of the field.

`cli/shared/config_options.py` turns the fields of these dataclasses into command-line options; the library takes the
dataclasses as arguments. A value that fails its check raises a UsageError that names the command-line option.
"""

from charrnn.config.network import CELLS, OPTIMIZERS, ModelConfig, TrainingConfig, parse_replanned
from charrnn.config.ngram import SMOOTHINGS, Function, MixtureConfig, NgramConfig, Smoothing
from charrnn.config.option import MAX_INT, OneOf, ValidatedConfig, option, option_flags
from charrnn.config.sampling import CompletionConfig, SamplingConfig
from charrnn.config.scoring import CompareConfig, ScoreConfig
from charrnn.config.text import BYTES_VOCAB_SIZE, NORMAL_FORMS, CorpusConfig

__all__ = [
    "BYTES_VOCAB_SIZE", "CELLS", "MAX_INT", "NORMAL_FORMS", "OPTIMIZERS", "SMOOTHINGS", "CompareConfig",
    "CompletionConfig", "CorpusConfig", "Function", "MixtureConfig", "ModelConfig", "NgramConfig", "OneOf",
    "SamplingConfig", "ScoreConfig", "Smoothing", "TrainingConfig", "ValidatedConfig", "option", "option_flags",
    "parse_replanned",
]  # fmt: skip
