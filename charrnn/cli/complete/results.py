"""What `charrnn complete` counts, prints and saves in addition to the targets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from charrnn.cli.shared.checkpoints import check_writable
from charrnn.cli.shared.terminal import log_field
from charrnn.errors import UsageError
from charrnn.formatting import plural
from charrnn.report.confusion import confusion_figure
from charrnn.report.figures import SUFFIXES, new_figure, save
from charrnn.sampling.complete import Accuracy, Completion
from charrnn.scoring.confusion import ConfusionMatrix, check_classes


@dataclass
class CompletionResults:
    """The completions of a file, and how many are right.

    Attributes:
        unfinished: the number of targets that did not end.
        completions: the completions as JSON objects; empty unless `keeps` is set.
        keeps: whether to keep the completions.
    """

    keeps: bool
    unfinished: int = 0
    accuracy: Accuracy = field(default_factory=Accuracy)
    confusion: ConfusionMatrix = field(default_factory=ConfusionMatrix)
    completions: list[dict[str, object]] = field(default_factory=list)

    def add(self, completion: Completion, expected: str | None) -> None:
        """Count a completion; `expected` is None if the target is unknown."""
        self.unfinished += not completion.finished
        if expected is not None:
            self.accuracy.add(completion.target, expected)
            self.confusion.add(completion.target, expected)
        if self.keeps:
            self.completions.append(asdict(completion))

    def show(self, length: int, with_accuracy: bool) -> None:
        """Print how many targets did not end within `length` characters, and how many are right."""
        if self.unfinished:
            targets = plural(self.unfinished, "target")
            log_field("unfinished", f"{targets} cut off after {length:,} characters; to allow more, use --length")
        if with_accuracy:
            log_field("accuracy", str(self.accuracy))
        if with_accuracy and (majority := self.confusion.majority):
            target, share = majority
            of_all = f"the most frequent of {len(self.confusion.classes)} targets"
            log_field("majority", f"{share:.2%} of lines would be right with {target!r} for all, {of_all}")

    def with_shares(self) -> dict[str, object]:
        """Return the completions and the accuracies as a JSON object."""
        majority = self.confusion.majority
        return {
            "lines": self.accuracy.lines,
            "line_accuracy": self.accuracy.of_lines,
            "character_accuracy": self.accuracy.of_characters,
            "majority_accuracy": majority[1] if majority else None,
            "completions": self.completions,
        }

    def save_confusion(self, path: Path, source: str, model: str) -> None:
        """Save the confusion matrix as a picture and, under the same name, as CSV.

        Raises:
            TextError: there are no targets, or too many different ones.
        """
        matrix = self.confusion
        check_classes(source, matrix.number, "remove --confusion")
        title = f"{model}: {matrix.accuracy:.1%} of {plural(matrix.total, 'line')} right"
        table = path.with_suffix(".csv")
        save(confusion_figure(matrix, title), path)
        matrix.write_csv(table)
        log_field("confusion", f"{path}, {table}")


def check_confusion(path: Path, source: str) -> None:
    """Raise an error now, not after the work, if the files of a confusion matrix cannot be saved."""
    if path.suffix not in SUFFIXES:
        raise UsageError(f"--confusion {path}: unknown picture format; use a name that ends in {' or '.join(SUFFIXES)}")
    table = path.with_suffix(".csv")
    if table.exists() and Path(source).exists() and table.samefile(source):
        raise UsageError(f"--confusion {path}: its table would overwrite {source}; use another name")
    new_figure()  # raises an error if matplotlib is missing
    for file in (path, table):
        check_writable(file, "--confusion")
