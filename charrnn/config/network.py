"""Settings of the network and of its training."""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.config.option import OneOf, SomeOf, ValidatedConfig, fraction, ge, gt, int_range, option
from charrnn.errors import UsageError

CELLS = ["rnn", "lstm", "gru", "minlstm", "mingru", "attention"]
"""Names of the cells. Defining a new cell adds its name (`models/rnn/cells`)."""
LAYERS = 2
"""Default number of layers."""
OPTIMIZERS = ("muon", "adamw")
MIN_MEASURED_STEPS = 5
"""The smallest number of warm-up steps in which --minutes can measure the training speed."""
CHOSEN = "default: chosen to fit --minutes; with --steps or --epochs"
"""The first words about the default of an option that `--minutes` chooses, for `--help`."""
MAX_NGRAM_ORDER = 8
"""The length of the longest n-grams that may have an embedding."""


def _ngram_order(value: int) -> str | None:
    return None if value == 0 or 2 <= value <= MAX_NGRAM_ORDER else f"must be 0 or a number from 2 to {MAX_NGRAM_ORDER}"


def check_layers(cell: str, num_layers: int) -> None:
    """Check a number of layers that was set explicitly.

    Raises:
        UsageError: `cell` has a name for each layer, and their number is another one.
    """
    names = len(cell.split(","))
    if names > 1 and num_layers != names:
        raise UsageError(f"--layers {num_layers}: --cell {cell} names {names} layers; leave out --layers")


@dataclass(frozen=True)
class ModelConfig(ValidatedConfig):
    """The recurrent network."""

    panel = "model"
    cell: str = option(
        "lstm", f"Cell: {', '.join(CELLS)}; or one for each layer, as in lstm,lstm,attention.", metavar="CELL",
        check=SomeOf(CELLS), is_common=True,
    )  # fmt: skip
    num_layers: int = option(
        LAYERS, f"Number of layers (default: {LAYERS}; with --cell attention and --minutes, chosen to fit).",
        "--layers", check=int_range(1, 1000), is_common=True,
    )  # fmt: skip
    hidden_size: int = option(
        256, f"Hidden size, in units per layer ({CHOSEN} 256).", "--hidden", check=int_range(1), is_common=True
    )
    embedding_size: int | None = option(
        None, f"Embedding size ({CHOSEN} the same as --hidden).", "--embedding", check=int_range(1)
    )
    ngram_embedding: int = option(
        0, "Give the network embeddings of frequent n-grams of 2 to N characters (default: chosen with --minutes and "
        "--with-ngram; else 0, none).",
        check=_ngram_order,
    )  # fmt: skip
    ngram_rows: int = option(
        1 << 18, "Maximum number of n-grams with an embedding; the most frequent ones.", check=int_range(1, 1 << 24)
    )
    ngram_dropout: float = option(
        0.0, f"Dropout probability of each embedding of an n-gram ({CHOSEN} 0).", metavar="P", check=fraction
    )
    dropout: float = option(0.0, f"Dropout probability ({CHOSEN} 0).", metavar="P", check=fraction)
    window: int = option(
        256,
        f"Characters that each character sees in attention: itself and the N-1 before it ({CHOSEN} 256).",
        check=int_range(1, 1 << 16),
    )
    residual: bool = option(
        True, "Add each layer's input to its output where their sizes match.", "--residual/--no-residual"
    )
    networks: int = option(
        1, f"Train an ensemble of N networks, one after another, and average their probabilities ({CHOSEN} 1).",
        check=int_range(1, 100),
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Also set the number of layers to the number of cells, if there are several."""
        super().__post_init__()
        if self.num_layers != LAYERS:
            check_layers(self.cell, self.num_layers)
        if "," in self.cell:
            object.__setattr__(self, "num_layers", len(self.cell.split(",")))

    @property
    def layer_cells(self) -> tuple[str, ...]:
        """The name of each layer's cell."""
        names = self.cell.split(",")
        return tuple(names * self.num_layers if len(names) == 1 else names)

    @property
    def attends(self) -> bool:
        """Whether a layer has attention."""
        return "attention" in self.layer_cells

    def __str__(self) -> str:
        ensemble = f" ({self.networks} networks)" if self.networks > 1 else ""
        ngrams = f" + {self.ngram_embedding}-grams" if self.ngram_embedding else ""
        return f"{self.cell} {self.num_layers}x{self.hidden_size}{ngrams}{ensemble}"


def parse_replanned(value: str | None) -> tuple[tuple[int, int], ...]:
    """Return the pairs of `--replanned 300:1500,600:1200`: planned were 1500 steps until step 300, 1200 until step 600.

    Raises:
        ValueError: the value does not have this form.
    """
    pairs = [tuple(map(int, pair.split(":"))) for pair in value.split(",")] if value else []
    return tuple((until, steps) for until, steps in pairs)


def valid_replanned(value: str) -> str | None:
    """Accept values that `parse_replanned` can read and whose steps ascend."""
    try:
        pairs = parse_replanned(value)
    except ValueError:
        pairs = ()
    ends = [end for end, _ in pairs]
    is_valid = pairs and ends == sorted(set(ends)) and all(0 < end < steps for end, steps in pairs)
    return None if is_valid else "must be pairs STEP:STEPS in ascending order, such as 300:1500,600:1200"


@dataclass(frozen=True)
class TrainingConfig(ValidatedConfig):
    """Settings of truncated backpropagation through time. At most one of `steps`, `epochs` and `minutes` is set."""

    panel = "training"
    steps: int | None = option(None, "Train for N steps (instead of --minutes).", check=int_range(1))
    replanned: str | None = option(
        None, "With --steps: repeat a --minutes run that changed its number of steps during training; pass the value "
        "that run printed.",
        metavar="STEP:STEPS,...", check=valid_replanned,
    )  # fmt: skip
    epochs: float | None = option(None, "Train for X epochs (instead of --minutes).", check=gt(0))
    minutes: float | None = option(
        None, "Train for X minutes in total, final validation included (default: 5 on a CPU, 2 on a GPU). Model size, "
        "embedding, dropout and batch size are chosen to fit, unless you set them.",
        check=gt(0), is_common=True,
    )  # fmt: skip
    seq_length: int = option(64, "Sequence length for truncated BPTT, in characters.", check=int_range(1))
    batch_size: int = option(32, f"Batch size: text streams trained in parallel ({CHOSEN} 32).", check=int_range(1))
    optimizer: str = option(
        "muon", "Optimizer. muon: Muon for the layers' weight matrices and AdamW for the rest; adamw: AdamW for all.",
        check=OneOf(OPTIMIZERS),
    )  # fmt: skip
    learning_rate: float = option(
        1.5e-2, "Peak learning rate (default: 0.015; with attention and --minutes, 0.01).", check=gt(0)
    )
    warmup_steps: int = option(100, "Warm up the learning rate over N steps.", check=int_range(0))
    weight_decay: float = option(0.1, "Weight decay.", check=ge(0))
    grad_clip: float = option(1.0, "Clip the gradient norm at X (0: off).", check=ge(0))
    validate_every: int | None = option(
        None, "Validate every N steps (default: 1000; with --minutes, chosen to fit).", check=int_range(1)
    )
    freeze_layers: int = option(0, "Freeze the first N layers (useful with --init-from).", check=int_range(0))
    precision: str = option(
        "auto", "Precision of matrix products in training: float32, bfloat16, float16, or auto (fastest on this "
        "machine).",
        metavar="TYPE", check=OneOf(("auto", "float32", "bfloat16", "float16")),
    )  # fmt: skip
    threads: int | None = option(
        None, "Use exactly N CPU threads, which makes results reproducible bit for bit (default: the fastest number, "
        "measured again when the load of the machine changes).",
        check=int_range(1, 1024),
    )  # fmt: skip
    seed: int = option(0, "Random seed (initial weights, dropout).", check=int_range(0), is_common=True)

    def __post_init__(self) -> None:
        """Also check options that depend on each other."""
        super().__post_init__()
        if sum(value is not None for value in (self.steps, self.epochs, self.minutes)) > 1:
            raise UsageError("--steps, --epochs and --minutes are mutually exclusive; use one of them")
        if self.replanned and not self.steps:
            raise UsageError(f"--replanned {self.replanned}: needs the number of steps; add --steps N")
        if self.minutes and self.warmup_steps < MIN_MEASURED_STEPS:
            raise UsageError(
                f"--warmup-steps {self.warmup_steps}: --minutes measures the speed during warm-up; use "
                f"{MIN_MEASURED_STEPS} or more"
            )
