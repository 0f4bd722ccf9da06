"""The cells: `cell(x (B, T, D), state (B, S)) → (y (B, T, H), state (B, S))`.

Each cell processes a whole sequence at once, so that fast kernels (cuDNN, oneDNN, the scan) can be used. The docstrings
give the equations in the notation of the papers; σ is the logistic function, ⊙ the elementwise product. Cells keep no
state between calls. Under `torch.autocast`, matrix products use half precision; the output state has the precision of
the input state.

To add a cell, define a class: `class MyCell(Cell, name="mycell", label="My cell")`. All commands then accept its name.
"""

from charrnn.models.rnn.cells.attention import Attention
from charrnn.models.rnn.cells.base import CELLS, Cell, make_cell
from charrnn.models.rnn.cells.minimal import MinGRU, MinLSTM
from charrnn.models.rnn.cells.recurrent import GRU, LSTM, RNN

__all__ = ["CELLS", "GRU", "LSTM", "RNN", "Attention", "Cell", "MinGRU", "MinLSTM", "make_cell"]
