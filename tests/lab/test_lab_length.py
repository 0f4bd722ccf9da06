"""`charrnn lab length`: the peers compute what they should, and all have their turn."""

import pytest
import torch
from torch import nn

from charrnn.lab.experiment import LabContext
from charrnn.lab.length import CELLS, OURS, SIZES, SteppedMinGRU, TorchLayer, WrittenOutGRU, run
from charrnn.models.rnn.cells import GRU, MinGRU

B, T, D, H = 2, 5, 3, 4


def test_stepped_mingru_matches_mingru() -> None:
    stepped, ours = SteppedMinGRU(D, H), MinGRU(D, H)
    stepped.load_state_dict(ours.state_dict())
    x, state = torch.randn(B, T, D), torch.randn(B, H)
    for found, wanted in zip(stepped(x, state), ours(x, state), strict=True):
        torch.testing.assert_close(found, wanted)


def test_torch_layer_matches_the_cell() -> None:
    theirs, ours = TorchLayer(nn.GRU, D, H), GRU(D, H)
    theirs.load_state_dict(ours.state_dict())
    x, state = torch.randn(B, T, D), torch.randn(B, H)
    for found, wanted in zip(theirs(x, state), ours(x, state), strict=True):
        torch.testing.assert_close(found, wanted)


def test_written_out_gru_matches_its_equations() -> None:
    """The reset gate works on the state, as in Cho et al. 2014; where it is open, both forms of a GRU are the same."""
    written, core = WrittenOutGRU(D, H), GRU(D, H)
    w, u, b, c = core.core.all_weights[0]
    with torch.no_grad():
        b[:H] = 50.0  # r = 1
        written.reset_and_update.weight.copy_(torch.cat((w[: 2 * H], u[: 2 * H]), 1))
        written.reset_and_update.bias.copy_((b + c)[: 2 * H])
        written.candidate.weight.copy_(torch.cat((w[2 * H :], u[2 * H :]), 1))
        written.candidate.bias.copy_((b + c)[2 * H :])
    x, state = torch.randn(B, T, D), torch.randn(B, H)
    for found, wanted in zip(written(x, state), core(x, state), strict=True):
        torch.testing.assert_close(found, wanted)


def test_length_has_a_row_for_each_cell_and_length() -> None:
    size = SIZES["tiny"]
    result = run(LabContext(), size)
    assert len(result.rows) == 2 * len(size.lengths) * len(CELLS)
    assert list(result.rows[0]) == ["part", "length", "cell", "seconds", "chars_per_second", "times_the_scan"]
    for row in result.rows:
        assert row["chars_per_second"] == pytest.approx(size.batch_size * row["length"] / row["seconds"])
        assert row["times_the_scan"] == 1 or row["cell"] != OURS
    assert "threads of" in result.caption or "thread of" in result.caption
