"""`charrnn lab length`: the competing cells are correct, and every cell is timed."""

import pytest
import torch
from torch import nn

from charrnn.lab.experiment import LabContext
from charrnn.lab.length import CELLS, OURS, SIZES, LoopMinGRU, PlainGRU, TorchLayer, run
from charrnn.models.rnn.cells import GRU, MinGRU

B, T, D, H = 2, 5, 3, 4


def test_loop_mingru_matches_mingru() -> None:
    stepped, ours = LoopMinGRU(D, H), MinGRU(D, H)
    stepped.load_state_dict(ours.state_dict())
    x, state = torch.randn(B, T, D), torch.randn(B, H)
    for actual, expected in zip(stepped(x, state), ours(x, state), strict=True):
        torch.testing.assert_close(actual, expected)


def test_torch_layer_matches_the_cell() -> None:
    theirs, ours = TorchLayer(nn.GRU, D, H), GRU(D, H)
    theirs.load_state_dict(ours.state_dict())
    x, state = torch.randn(B, T, D), torch.randn(B, H)
    for actual, expected in zip(theirs(x, state), ours(x, state), strict=True):
        torch.testing.assert_close(actual, expected)


def test_plain_gru_matches_the_gru_with_open_reset_gates() -> None:
    """The reset gate is applied to the state, as in Cho et al. 2014; while open, both forms of a GRU are equal."""
    written, core = PlainGRU(D, H), GRU(D, H)
    w, u, b, c = core.core.all_weights[0]
    with torch.no_grad():
        b[:H] = 50.0  # r = 1
        written.reset_and_update.weight.copy_(torch.cat((w[: 2 * H], u[: 2 * H]), 1))
        written.reset_and_update.bias.copy_((b + c)[: 2 * H])
        written.candidate.weight.copy_(torch.cat((w[2 * H :], u[2 * H :]), 1))
        written.candidate.bias.copy_((b + c)[2 * H :])
    x, state = torch.randn(B, T, D), torch.randn(B, H)
    for actual, expected in zip(written(x, state), core(x, state), strict=True):
        torch.testing.assert_close(actual, expected)


def test_length_has_a_row_for_each_cell_and_length() -> None:
    size = SIZES["tiny"]
    result = run(LabContext(), size)
    assert len(result.rows) == 2 * len(size.lengths) * len(CELLS)
    assert list(result.rows[0]) == ["part", "length", "cell", "seconds", "chars_per_second", "times_the_scan"]
    for row in result.rows:
        assert row["chars_per_second"] == pytest.approx(size.batch_size * row["length"] / row["seconds"])
        assert row["times_the_scan"] == 1 or row["cell"] != OURS
    assert "threads of" in result.caption or "thread of" in result.caption
