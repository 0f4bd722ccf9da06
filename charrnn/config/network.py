"""The network, and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.config.option import OneOf, ValidatedConfig, fraction, ge, gt, int_range, option
from charrnn.errors import UsageError

CELLS = ["rnn", "lstm", "gru", "minlstm", "mingru"]
"""Names of the recurrent cells; a cell that is defined elsewhere adds its own (`models/rnn/cells.py`)."""
OPTIMIZERS = ("muon", "adamw")
MIN_MEASURED_STEPS = 5


@dataclass(frozen=True)
class ModelConfig(ValidatedConfig):
    """The recurrent network."""

    panel = "Model"
    cell: str = option("lstm", f"The recurrent cell: {', '.join(CELLS)}.", check=OneOf(CELLS))
    num_layers: int = option(2, "How many layers of cells.", "--layers", check=int_range(1, 1000))
    hidden_size: int = option(256, "Units in each layer.", "--hidden", check=int_range(1))
    embedding_size: int | None = option(
        None, "Numbers that stand for a character; as many as --hidden if not said.", "--embedding",
        check=int_range(1),
    )  # fmt: skip
    dropout: float = option(0.0, "Share of each layer's outputs set to zero in training.", check=fraction)
    residual: bool = option(
        True, "Add each layer's input to its output, where the widths agree.", "--residual/--no-residual"
    )  # fmt: skip
    networks: int = option(
        1, "How many such networks are trained, one after the other; the mean of their probabilities is the model.",
        check=int_range(1, 100),
    )  # fmt: skip

    def __str__(self) -> str:
        several = f" ({self.networks} networks)" if self.networks > 1 else ""
        return f"{self.cell} {self.num_layers}x{self.hidden_size}{several}"


def parse_replanned(value: str | None) -> tuple[tuple[int, int], ...]:
    """The pairs of `--replanned 300:1500,600:1200`: until step 300 the plan was 1500 steps, until step 600 it was 1200.

    Raises:
        ValueError: it is not of this form.
    """
    pairs = [tuple(map(int, pair.split(":"))) for pair in value.split(",")] if value else []
    return tuple((until, steps) for until, steps in pairs)


def valid_replanned(value: str) -> str | None:
    """Accept what `parse_replanned` reads, if its steps ascend."""
    try:
        pairs = parse_replanned(value)
    except ValueError:
        pairs = ()
    ends = [end for end, _ in pairs]
    is_valid = pairs and ends == sorted(set(ends)) and all(0 < end < steps for end, steps in pairs)
    return None if is_valid else "must be pairs STEP:STEPS in ascending order, such as 300:1500,600:1200"


@dataclass(frozen=True)
class TrainingConfig(ValidatedConfig):
    """Truncated BPTT. At most one of `steps`, `epochs` and `minutes` is set."""

    panel = "Training"
    steps: int | None = option(None, "How many steps to train, instead of --minutes.", check=int_range(1))
    replanned: str | None = option(
        None, "With --steps, repeat a --minutes run that changed its number of steps on the way: STEP:STEPS,..., as "
        "that run printed it (default: no change).",
        check=valid_replanned,
    )  # fmt: skip
    epochs: float | None = option(None, "How often to read the training part, instead of --minutes.", check=gt(0))
    minutes: float | None = option(
        None, "How long to take in all, final validation included. Size, dropout and batch are chosen for it, where "
        "they are not said. The default is 5 on a CPU, 2 on a GPU.",
        check=gt(0),
    )  # fmt: skip
    seq_length: int = option(64, "Characters per step that gradients flow through.", check=int_range(1))
    batch_size: int = option(32, "Streams of text read side by side.", check=int_range(1))
    optimizer: str = option(
        "muon", "muon: Muon for the matrices of the layers, AdamW for the rest; or adamw for all.",
        check=OneOf(OPTIMIZERS),
    )  # fmt: skip
    learning_rate: float = option(1.5e-2, "The learning rate at its highest.", check=gt(0))
    warmup_steps: int = option(100, "Steps until the learning rate is at its highest.", check=int_range(0))
    weight_decay: float = option(0.1, "The weight decay.", check=ge(0))
    grad_clip: float = option(1.0, "Largest norm of the gradient; 0 is no limit.", check=ge(0))
    validate_every: int | None = option(
        None, "Steps between validations. The default is 1000; with --minutes, what fits.",
        check=int_range(1),
    )  # fmt: skip
    freeze_layers: int = option(
        0, "How many of the layers, from the first, stay as they are; of use with --init-from.", check=int_range(0)
    )
    precision: str = option(
        "auto", "Of matrix products in training: float32, bfloat16, float16; auto: what the machine is fast at.",
        check=OneOf(("auto", "float32", "bfloat16", "float16")),
    )  # fmt: skip
    threads: int | None = option(
        None, "Train with exactly N threads on a CPU, for results that are the same bit for bit each time (default: as "
        "many as are fastest, measured again when the load of the machine changes).",
        check=int_range(1, 1024),
    )  # fmt: skip
    seed: int = option(0, "Seed of the first weights and of dropout.", check=int_range(0))

    def __post_init__(self) -> None:
        """Check also that the length of the training is said once."""
        super().__post_init__()
        if sum(value is not None for value in (self.steps, self.epochs, self.minutes)) > 1:
            raise UsageError("--steps, --epochs, --minutes: say at most one of them")
        if self.replanned and not self.steps:
            raise UsageError(f"--replanned {self.replanned}: needs the number of steps; add --steps N")
        if self.minutes and self.warmup_steps < MIN_MEASURED_STEPS:
            raise UsageError(
                f"--minutes measures the speed during the warm-up; say --warmup-steps {MIN_MEASURED_STEPS} or more"
            )
