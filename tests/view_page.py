"""What is on a page of `charrnn view`: its words, the data of its script, and the weights of attention in them."""

import base64
import itertools
import json
import re
from typing import Any

import numpy as np


def data_of(page: str) -> dict[str, Any]:
    (block,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, flags=re.DOTALL)
    data: dict[str, Any] = json.loads(block)
    return data


def words_of(page: str) -> str:
    """What is read on a page, in one line."""
    shown = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", shown).split())


def weights_of(layer: dict[str, Any]) -> list[list[dict[int, float]]]:
    """Distance → weight, for each character and head of a layer, as the page's script reads them."""
    counts, skipped, roots = (
        np.frombuffer(base64.b64decode(layer[key]), kind)
        for key, kind in (("counts", "<u2"), ("distances", f"<u{layer['width']}"), ("weights", "<u1"))
    )
    ends = np.concatenate(([0], counts.cumsum(dtype=np.int64)))
    rows = [
        dict(zip((skipped[begin:end].astype(int) + 1).tolist(), ((roots[begin:end] / 255) ** 2).tolist(), strict=True))
        for begin, end in itertools.pairwise(ends)
    ]
    return [rows[i : i + layer["heads"]] for i in range(0, len(rows), layer["heads"])]
