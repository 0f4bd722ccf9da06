"""The fastest stepper for a model: in C, as CUDA graphs, the model's own, or by its logits."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from charrnn.models.language_model import LanguageModel, State
from charrnn.models.rnn.cuda_graph import CudaGraphStepper
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.rnn.native import NativeStepper
from charrnn.models.stepper import PlainStepper, Stepper


@runtime_checkable
class MakesStepper(Protocol):
    """A model with a stepper of its own."""

    def stepper(self, state: State | None, batch_size: int) -> Stepper:
        """See the function of the same name."""


def stepper(model: LanguageModel, state: State | None = None, batch_size: int = 1) -> Stepper:
    """What reads and samples from a model, character by character.

    Args:
        model: any language model; a network must be in evaluation mode, and its weights stay as they are.
        state: as for the model itself; None before the first character. It is not changed.
        batch_size: B.
    """
    if isinstance(model, RecurrentModel):
        if model.device.type == "cuda":
            return CudaGraphStepper(model, state, batch_size)
        native = model.native()
        return PlainStepper(model, state) if native is None else NativeStepper(native, state, batch_size)
    if isinstance(model, MakesStepper):
        return model.stepper(state, batch_size)
    return PlainStepper(model, state)
