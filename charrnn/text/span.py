"""A stretch of a text together with what separates its documents, so that the two are never passed apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.text.documents import Documents


@dataclass(frozen=True, eq=False)
class TextSpan:
    """A stretch of an encoded text.

    Slices are spans of the same kind. Where a text is documents, each span begins a document, even if it is cut out of
    the middle of one.

    Attributes:
        ids: (N,) the characters; it may be memory-mapped, and a slice copies nothing.
        documents: what separates documents, each of which a model reads from the beginning; None where the text is one.
    """

    ids: NDArray[Any]
    documents: Documents | None = None

    @classmethod
    def of(cls, text: TextSpan | NDArray[Any] | Sequence[int]) -> TextSpan:
        """A span as it is; ids as a span without documents."""
        return text if isinstance(text, TextSpan) else cls(np.asarray(text))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, part: slice) -> TextSpan:
        """A stretch of the span.

        Raises:
            ValueError: the slice leaves characters out, or turns them round.
        """
        if part.step not in (None, 1):
            raise ValueError(f"a span has a step of 1, found {part.step}")
        return TextSpan(self.ids[part], self.documents)

    @property
    def starts(self) -> NDArray[np.int64]:
        """(D,) where documents begin, rising from 0; the beginning alone where the text is one."""
        return self.documents.starts(self.ids) if self.documents else np.zeros(1, np.int64)
