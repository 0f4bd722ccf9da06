"""How many of the targets that a model wrote are those that were wanted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Accuracy:
    """Counts of lines and characters, all and right.

    A character is right if the same one is wanted at its place. A target that is too long or too short has as many
    wrong ones more.
    """

    lines: int = 0
    right_lines: int = 0
    characters: int = 0
    right_characters: int = 0

    def add(self, target: str, wanted: str) -> None:
        """Count a line."""
        self.lines += 1
        self.right_lines += target == wanted
        self.characters += max(len(target), len(wanted))
        self.right_characters += sum(a == b for a, b in zip(target, wanted, strict=False))

    @property
    def of_lines(self) -> float:
        """The share of lines that are right, all of them; 1 if there is none."""
        return self.right_lines / self.lines if self.lines else 1.0

    @property
    def of_characters(self) -> float:
        """The share of characters that are right; 1 if there is none."""
        return self.right_characters / self.characters if self.characters else 1.0

    def __str__(self) -> str:
        return (
            f"{self.of_lines:.2%} of {self.lines:,} lines exactly right, "
            f"{self.of_characters:.2%} of {self.characters:,} characters"
        )
