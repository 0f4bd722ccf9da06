"""Settings and their checks."""

import pytest

from charrnn.config import CorpusConfig, ModelConfig, NgramConfig, TrainingConfig
from charrnn.errors import UsageError


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (ModelConfig, {"cell": "transformer"}, "--cell transformer: must be one of rnn, lstm, gru, minlstm, mingru"),
        (ModelConfig, {"num_layers": 0}, "--layers 0: must be from 1 to 1000"),
        (ModelConfig, {"hidden_size": 0}, "--hidden 0"),
        (ModelConfig, {"embedding_size": 0}, "--embedding 0"),
        (ModelConfig, {"dropout": 1.0}, "--dropout 1: must be at least 0 and less than 1"),
        (NgramConfig, {"order": 0}, "--order 0"),
        (NgramConfig, {"smoothing": "laplace"}, "--smoothing laplace: must be one of ml, stupid"),
        (CorpusConfig, {"val_fraction": 1.0}, "--val-fraction 1"),
        (TrainingConfig, {"batch_size": 0}, "--batch-size 0: must be 1 or more"),
        (TrainingConfig, {"seed": 2**64}, "--seed 18446744073709551616: must be from 0 to"),
        (TrainingConfig, {"learning_rate": 0.0}, "--learning-rate 0: must be more than 0"),
        (TrainingConfig, {"learning_rate": float("inf")}, "--learning-rate inf"),
        (TrainingConfig, {"grad_clip": float("nan")}, "--grad-clip nan"),
        (TrainingConfig, {"steps": 5, "minutes": 1.0}, "--steps, --epochs and --minutes are mutually exclusive"),
        (TrainingConfig, {"minutes": 1.0, "warmup_steps": 0}, "--warmup-steps 0: .* use 5 or more"),
    ],
)
def test_invalid_values_raise_usage_error(config: type, values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        config(**values)


def test_default_values_pass_their_checks() -> None:
    for config in (CorpusConfig, ModelConfig, NgramConfig, TrainingConfig):
        config()
