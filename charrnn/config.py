"""Every setting, defined once: its type, default, help and check are part of the field.

The command line is made from these dataclasses (`cli/shared/options.py`); the library takes them as arguments.
A value that fails its check raises a UsageError that names the option as it is typed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from charrnn.errors import UsageError

Check = Callable[[Any], str | None]
"""A function of a value that is not None; returns what the value must be, or None if it is valid."""

CELLS = ["rnn", "lstm", "gru", "minlstm", "mingru"]
"""Names of the recurrent cells; a cell that is defined elsewhere adds its own (`models/rnn/cells.py`)."""
OPTIMIZERS = ("muon", "adamw")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
NORMAL_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
BYTES_VOCAB_SIZE = 256
DEFAULT_ORDER = 9
DEFAULT_BYTES_ORDER = 8
MAX_ORDER = 100
MIN_MEASURED_STEPS = 5
MAX_INT = 2**31 - 1
"""Largest integer that every library in use accepts."""
MAX_LAYERS = 1000
MAX_NETWORKS = 100
MAX_THREADS = 1024


def ge(low: float) -> Check:
    """A check that accepts finite numbers ≥ `low`."""
    return lambda value: None if low <= value < math.inf else f"must be {low} or more"


def int_range(low: int, high: int = MAX_INT) -> Check:
    """A check that accepts integers from `low` to `high`, both included."""
    return lambda value: None if low <= value <= high else f"must be from {low} to {high}"


def gt(low: float) -> Check:
    """A check that accepts finite numbers > `low`."""
    return lambda value: None if low < value < math.inf else f"must be more than {low}"


def fraction(value: float) -> str | None:
    """Accept numbers from 0 (included) to 1 (excluded)."""
    return None if 0 <= value < 1 else "must be 0 or more, and less than 1"


def positive_fraction(value: float) -> str | None:
    """Accept numbers from 0 (excluded) to 1 (included)."""
    return None if 0 < value <= 1 else "must be more than 0, and at most 1"


def not_empty(value: str) -> str | None:
    """Accept strings that are not empty."""
    return None if value else "must not be empty"


def all_not_empty(values: tuple[str, ...]) -> str | None:
    """Accept tuples of strings of which none is empty."""
    return None if all(values) else "must not be empty"


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
class OneOf:
    """A check that accepts the choices."""

    choices: Collection[str]

    def __call__(self, value: Any) -> str | None:
        """See Check."""
        return None if value in tuple(self.choices) else f"must be one of {', '.join(self.choices)}"


def option(
    default: Any, help: str, *flags: str, check: Check | None = None, escapes: bool = False, is_filter: bool = False
) -> Any:
    r"""A field with what the command line must know of it.

    Args:
        default: the value when nobody says otherwise.
        help: one sentence for `--help`.
        flags: the names on the command line; without any, `--` and the field's own name.
        check: see `Check`; it is not asked about None.
        escapes: whether \n and the like stand for characters on the command line.
        is_filter: whether it turns on a filter of sampling; such fields stand in the order in which filters apply.
    """
    return field(
        default=default,
        metadata={"help": help, "flags": flags, "check": check, "escapes": escapes, "is_filter": is_filter},
    )


def option_flags(spec: dataclasses.Field[Any]) -> tuple[str, ...]:
    """The names of a field on the command line, the main one first."""
    flags: tuple[str, ...] = spec.metadata["flags"]
    return flags or (f"--{spec.name.replace('_', '-')}",)


class ValidatedConfig:
    """Base class of configurations: the check of each field is applied when an instance is created."""

    def __post_init__(self) -> None:
        """Raise UsageError at the first field whose value fails its check."""
        for spec in dataclasses.fields(self):  # type: ignore[arg-type]
            value, check = getattr(self, spec.name), spec.metadata["check"]
            complaint = check(value) if check and value is not None else None
            if complaint:
                flag = option_flags(spec)[0].split("/")[0]
                raise UsageError(f"{flag} {value}: {complaint}")

    @classmethod
    def flag(cls, name: str) -> str:
        """The option of a field, as it is typed."""
        return next(option_flags(spec)[0] for spec in dataclasses.fields(cls) if spec.name == name)  # type: ignore[arg-type]


@dataclass(frozen=True)
class CorpusConfig(ValidatedConfig):
    """How a text is read and split: training part first, then validation, then test."""

    encoding: str = option("utf-8", "Encoding of the text.")
    bytes: bool = option(False, "Read raw bytes (a vocabulary of 256) instead of characters.", "--bytes")
    val_fraction: float = option(0.1, "Fraction of the text held out for validation.", check=fraction)
    test_fraction: float = option(0.0, "Fraction held out for a test, after the validation part.", check=fraction)
    normalize: str | None = option(
        None, f"Unicode normalization: {', '.join(NORMAL_FORMS)}.", check=OneOf(NORMAL_FORMS)
    )  # fmt: skip
    lower: bool = option(False, "Convert all letters to lower case.", "--lower")
    min_count: int | None = option(
        None, "Replace characters that occur fewer than N times by one unknown symbol, which is never sampled; such a "
        "model reads any text.",
        check=int_range(1),
    )  # fmt: skip
    document_separator: str | None = option(
        None, "Separator of documents, such as '\\n'. The model's state is reset at each document, in training, "
        "scoring and sampling. A separator is added to each of several files that does not end with one.",
        check=not_empty, escapes=True,
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Check also that something is left to train on, and that bytes are not read as characters."""
        super().__post_init__()
        if self.bytes:
            for name in ("normalize", "lower", "min_count"):
                if getattr(self, name):
                    raise UsageError(f"--{name.replace('_', '-')} cannot be combined with --bytes")
        if self.val_fraction + self.test_fraction >= 1:
            raise UsageError("--val-fraction and --test-fraction: nothing is left to train on")


@dataclass(frozen=True)
class ModelConfig(ValidatedConfig):
    """The recurrent network."""

    cell: str = option("lstm", f"The recurrent cell: {', '.join(CELLS)}.", check=OneOf(CELLS))
    num_layers: int = option(2, "How many layers of cells.", "--layers", check=int_range(1, MAX_LAYERS))
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
        check=int_range(1, MAX_NETWORKS),
    )  # fmt: skip

    def __str__(self) -> str:
        several = f" ({self.networks} networks)" if self.networks > 1 else ""
        return f"{self.cell} {self.num_layers}x{self.hidden_size}{several}"


Function = str | Callable[..., Any] | None
"""A function or a class, or "module:name" of one in charrnn/models/ngram/, which is imported when it is first used."""


@dataclass(frozen=True)
class Smoothing:
    """An n-gram smoothing: everything that the rest of the program needs to know of it.

    Exactly one of `discounts`, `levels` and `model` is set; it says how the smoothing is fitted.

    Attributes:
        name: the value of --smoothing.
        help: a description in a few words, for --help and for the legend of a table.
        discounts: fits the discounts (see smoothing/backoff.py) to the counts of all orders, the text, V and a
            progress callback.
        levels: turns the counts of all orders and V into weights and backoffs that no discounts can express.
        model: a class of models of its own, which has no order; see LongestMatchModel.
        counts_occurrences: whether lower orders count how often n-grams occur, not what stands before them.
        is_smoothed: whether every character has a probability above 0 everywhere.
        fit_steps: how many steps of progress `discounts` reports.
    """

    name: str
    help: str
    discounts: Function = None
    levels: Function = None
    model: Function = None
    counts_occurrences: bool = False
    is_smoothed: bool = True
    fit_steps: int = 0

    @property
    def supports_online(self) -> bool:
        """Whether a model can go on counting while it reads: discounts apply to any counts."""
        return self.discounts is not None

    @property
    def supports_prune(self) -> bool:
        """Whether n-grams can be left out: their probability goes to the order below."""
        return self.is_smoothed and self.has_order

    @property
    def has_order(self) -> bool:
        """Whether there is a longest n-gram."""
        return self.model is None

    @property
    def has_negative_weights(self) -> bool:
        """Whether a weight may be below 0, so that a character cannot be drawn from one order after the other."""
        return self.levels is not None


SMOOTHINGS = {
    smoothing.name: smoothing
    for smoothing in (
        Smoothing(
            "ml", "Goldberg's counts, not smoothed", discounts="smoothing.discounts:maximum_likelihood",
            counts_occurrences=True, is_smoothed=False,
        ),
        Smoothing(
            "stupid", "stupid back-off, normalised", levels="smoothing.stupid_backoff:stupid_backoff",
            counts_occurrences=True,
        ),
        Smoothing(
            "witten-bell", "Witten-Bell, interpolated", discounts="smoothing.discounts:witten_bell",
            counts_occurrences=True,
        ),
        Smoothing("kn", "Kneser-Ney, interpolated", discounts="smoothing.discounts:kneser_ney"),
        Smoothing("mkn", "modified Kneser-Ney, interpolated", discounts="smoothing.discounts:modified_kneser_ney"),
        Smoothing(
            "tuned", "modified Kneser-Ney with discounts fitted on the end of the training part",
            discounts="smoothing.tuned:fit_discounts", fit_steps=15,
        ),
        Smoothing(
            "longest", "what followed the longest context that occurs, of any length, not smoothed",
            model="longest.model:LongestMatchModel", is_smoothed=False,
        ),
    )
}  # fmt: skip
"""Every n-gram smoothing by its name, in the order of --help."""


@dataclass(frozen=True)
class NgramConfig(ValidatedConfig):
    """The n-gram model. `order` counts the predicted character: order 9 predicts from 8 characters."""

    order: int | None = option(
        None,
        "Length of the longest n-gram, predicted character included: Goldberg's order plus one "
        f"(default: {DEFAULT_ORDER}, with --bytes {DEFAULT_BYTES_ORDER}).",
        check=int_range(1, MAX_ORDER),
    )  # fmt: skip
    smoothing: str = option(
        "tuned",
        f"{'; '.join(f'{smoothing.name}: {smoothing.help}' for smoothing in SMOOTHINGS.values())}.",
        check=OneOf(SMOOTHINGS),
    )  # fmt: skip
    prune: int = option(
        0, "Prune n-grams of three characters and more with a count of N or less: a smaller model, slightly worse.",
        check=int_range(0),
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Check also what goes together."""
        super().__post_init__()
        if self.order and not self.method.has_order:
            raise UsageError(f"--order {self.order}: --smoothing {self.smoothing} has no order; leave it out")
        if self.prune and not self.method.supports_prune:
            raise UsageError(f"--prune {self.prune}: --smoothing {self.smoothing} has nothing to fall back on")

    @property
    def method(self) -> Smoothing:
        """The record of its smoothing."""
        return SMOOTHINGS[self.smoothing]

    def check_online(self, corpus: CorpusConfig | None = None) -> None:
        """Raise UsageError unless the model can go on counting while it reads a text."""
        if corpus and corpus.document_separator:
            raise UsageError("--online: goes on through all of a text, and documents begin anew; leave one of them out")
        if not self.method.supports_online:
            raise UsageError(f"--online: --smoothing {self.smoothing} does not support it; use another smoothing")

    def with_order(self, is_bytes: bool) -> NgramConfig:
        """The same with the default order in place of None."""
        if self.order or not self.method.has_order:
            return self
        return dataclasses.replace(self, order=DEFAULT_BYTES_ORDER if is_bytes else DEFAULT_ORDER)

    @property
    def name(self) -> str:
        """For a file."""
        parts = (self.smoothing, self.order, self.prune and f"prune-{self.prune}")
        return "-".join(str(part) for part in parts if part)

    def __str__(self) -> str:
        if not self.method.has_order:
            return f"{self.smoothing} match"
        pruned = f", pruned to {self.prune + 1}" if self.prune else ""
        return f"{self.smoothing} order {self.order}{pruned}"


@dataclass(frozen=True)
class MixtureConfig:
    """A network and the n-grams that it is mixed with."""

    network: ModelConfig
    counts: NgramConfig

    def __str__(self) -> str:
        return f"{self.network} with {self.counts}"


@dataclass(frozen=True)
class TrainingConfig(ValidatedConfig):
    """Truncated BPTT. At most one of `steps`, `epochs` and `minutes` is set."""

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
        check=OneOf(PRECISIONS),
    )  # fmt: skip
    threads: int | None = option(
        None, "Train with exactly N threads on a CPU, for results that are the same bit for bit each time (default: as "
        "many as are fastest, measured again when the load of the machine changes).",
        check=int_range(1, MAX_THREADS),
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


@dataclass(frozen=True)
class SamplingConfig(ValidatedConfig):
    """How a text is generated: when it ends, and the filters, whose fields stand in the order in which they apply.

    What a filter does is in `sampling/filters.py`.
    """

    length: int = option(1000, "How many characters to write, at most.", check=int_range(0))
    until: tuple[str, ...] = option(
        (), "End when this has been written, such as '\\n\\n'; may be said several times.", check=all_not_empty,
        escapes=True,
    )  # fmt: skip
    until_regex: str | None = option(None, "End when this regular expression has been written.", check=not_empty)
    seed: int | None = option(None, "Seed; a new one each time if not said.", check=int_range(0))
    allow: str | None = option(
        None, "Write these characters only, such as 'abc \\n'.", check=not_empty, escapes=True, is_filter=True
    )
    ban: str | None = option(None, "Never write these characters.", check=not_empty, escapes=True, is_filter=True)
    match: str | None = option(
        None, "Write what matches this regular expression, all of it: what cannot lead to a match is never written.",
        check=not_empty, is_filter=True,
    )  # fmt: skip
    repetition_penalty: float = option(
        1.0, "Divide the probabilities of the last characters by this; more than 1 repeats less.", check=gt(0),
        is_filter=True,
    )  # fmt: skip
    repetition_window: int = option(64, "How many last characters that are.", check=int_range(1))
    temperature: float = option(
        1.0, "Below 1 is more careful, above 1 is wilder; 0 takes the likeliest.", "--temp", "--temperature",
        check=ge(0), is_filter=True,
    )  # fmt: skip
    top_k: int | None = option(None, "Draw from the K likeliest characters.", check=int_range(1), is_filter=True)
    top_p: float | None = option(
        None,
        "Draw from the likeliest characters that make up this probability.",
        check=positive_fraction,
        is_filter=True,
    )
    min_p: float | None = option(
        None, "Draw from the characters that have at least this share of the likeliest one's probability.",
        check=positive_fraction, is_filter=True,
    )  # fmt: skip

    @classmethod
    def filter_order(cls) -> str:
        """The options of the filters, in the order in which they apply."""
        return ", ".join(option_flags(spec)[0] for spec in dataclasses.fields(cls) if spec.metadata["is_filter"])


@dataclass(frozen=True)
class CompletionConfig(SamplingConfig):
    """How the target of a line is drawn: as any text, but by default the likeliest, and until the line ends."""

    temperature: float = option(
        0.0, "0 takes the likeliest character each time; 1 draws as the model predicts.", "--temp", "--temperature",
        check=ge(0), is_filter=True,
    )  # fmt: skip
    length: int = option(500, "How many characters a target has at most.", check=int_range(0))


BASELINES = ("auto", "all", "none")


@dataclass(frozen=True)
class CompareConfig(ValidatedConfig):
    """What is measured where models are compared."""

    baselines: str = option(
        "auto", "Models to fit for the table: n-grams (tuned and modified Kneser-Ney, Goldberg's counts), and the best "
        "network interpolated with the best of them; auto: of a text of more than 20 million characters only the tuned "
        "n-grams.",
        check=OneOf(BASELINES),
    )  # fmt: skip
    online: bool = option(
        False, "Also compare models that learn while they read: dynamic evaluation, n-grams that go on counting, and "
        "the compressors bz2, xz and PPMd.",
    )  # fmt: skip
    structure: bool = option(
        False, "Also show where the best network differs from the best n-grams: with the last 8 to 512 characters "
        "alone, by the distance from a bracket, quote or tag to its close, and in indentation.",
    )  # fmt: skip
    limit: int = option(
        200_000, "Read at most N held-out characters for --online and --structure (0: all).", check=int_range(0)
    )
    prime: str = option(
        "", "Prompt of the samples, such as 'ROMEO:\\n' (default: a line end).", check=None, escapes=True
    )
    length: int = option(300, "Characters of each sample.", check=int_range(0))
    temperature: float = option(1.0, "Temperature of the samples.", "--temp", "--temperature", check=ge(0))
    seed: int = option(0, "Random seed of the samples, and of the places of --structure.", check=int_range(0))
    novelty_length: int = option(
        10_000, "Characters that each model generates to measure how much it copies from the training text (0: none).",
        check=int_range(0),
    )  # fmt: skip
    unknown: str = option(
        "error", "What to do with characters of the prompt that a model does not know: error, skip or replace.",
        check=OneOf(("error", "skip", "replace")),
    )  # fmt: skip


@dataclass(frozen=True)
class ScoreConfig(ValidatedConfig):
    """What is scored of a text beside its bits per character in one pass."""

    window: int | None = option(
        None, "Also score in independent windows of N characters, as models with a fixed context are scored.",
        check=int_range(1),
    )  # fmt: skip
    online: bool = option(
        False, "Also score while the model learns from what it has read: a network by dynamic evaluation, an n-gram "
        "model by counting on.",
    )  # fmt: skip
    lines: bool = option(
        False, "Also score each line: the most surprising ones on a terminal; into a pipe all of them, as number, "
        "characters, bits, bits per character and text, separated by tabs.",
    )  # fmt: skip
