"""Streams of contiguous text for truncated BPTT."""

import numpy as np
import pytest
import torch

from charrnn.errors import TextError
from charrnn.text.batches import Streams


def test_streams_rows_continue_where_they_ended() -> None:
    ids = np.arange(50, dtype=np.uint8)
    streams = Streams(ids, batch_size=4, seq_length=5)
    for step in range(40):  # several times around
        inputs, targets = streams.batch(step)
        assert inputs.shape == targets.shape == (4, 5)
        assert inputs.dtype == targets.dtype == torch.int64
        assert torch.equal(targets, (inputs + 1) % 50)
        following, _ = streams.batch(step + 1)
        assert torch.equal(following[:, 0], targets[:, -1])


def test_streams_read_every_character_once_an_epoch() -> None:
    streams = Streams(np.arange(60), batch_size=3, seq_length=5)
    assert streams.steps_per_epoch == 4
    seen = torch.cat([streams.batch(step)[0].flatten() for step in range(4)])
    assert sorted(seen.tolist()) == list(range(60))


def test_streams_shrink_to_short_texts() -> None:
    streams = Streams(np.arange(100), batch_size=16, seq_length=64)
    assert (streams.batch_size, streams.seq_length) == (1, 64)
    streams = Streams(np.arange(2), batch_size=16, seq_length=64)
    assert [part.tolist() for part in streams.batch(0)] == [[[0], [1]], [[1], [0]]]
    streams = Streams(np.arange(300), batch_size=16, seq_length=64)
    assert (streams.batch_size, streams.seq_length) == (4, 64)


def test_streams_of_one_character_raise() -> None:
    with pytest.raises(TextError, match="too few characters to train on: found 1, need at least 2"):
        Streams(np.zeros(1), 1, 1)
