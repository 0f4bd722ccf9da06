"""Networks whose layers have weights of 8 bits, so that each character reads a quarter of the memory.

Each row of a matrix has a scale, and so has each vector that it is multiplied with (as Jacob et al. 2018, but symmetric
and without training for it). Embedding, first products, head, sums, gates and states stay in single precision.
"""

from __future__ import annotations

import torch
from torch import Tensor

from charrnn.errors import ModelError
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.kernels.native_network import PackedNetwork
from charrnn.models.language_model import LanguageModel, State
from charrnn.models.mixture import MixtureModel, MixtureStepper
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.rnn.native import PackedStepper, packed, read
from charrnn.models.stepper import Stepper, stepper


def rounded(model: LanguageModel) -> LanguageModel:
    """The same model with such weights.

    Args:
        model: any language model; counts stay as they are, and so does a model that has no network.

    Raises:
        ModelError: there is no C compiler here, or a network is not on a CPU.
    """
    if isinstance(model, InterpolatedModel) and model.weights is None:
        networks = [rounded(network) for network in model.networks]  # type: ignore[arg-type]
        return InterpolatedModel(networks, [1 / len(networks)] * len(networks))
    if isinstance(model, MixtureModel):
        return RoundedMixture(model)
    return RoundedModel(model) if isinstance(model, RecurrentModel) else model


class RoundedModel:
    """A network with rounded weights.

    Args:
        model: the network.
    """

    def __init__(self, model: RecurrentModel) -> None:
        self.model, self.vocab_size = model, model.vocab_size
        self._network()

    def __call__(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """See LanguageModel.__call__; row after row."""
        state = self.model.empty_state(len(tokens)) if state is None else state
        network = self._network()
        rows = [read(network, tokens[i : i + 1], tuple(part[i : i + 1] for part in state)) for i in range(len(tokens))]
        after = zip(*(end for _, end in rows), strict=True)
        return torch.cat([logits for logits, _ in rows]), tuple(map(torch.cat, after))

    def stepper(self, state: State | None, batch_size: int) -> Stepper:
        """See `stepping.stepper`."""
        return PackedStepper(self._network(), state, batch_size)

    def _network(self) -> PackedNetwork:
        network = packed(self.model, is_rounded=True)
        if network is None:
            raise ModelError("--precision int8: needs a C compiler, and a model on the CPU; leave it out")
        return network


class RoundedMixture:
    """A mixture whose network has rounded weights.

    Args:
        model: the mixture.
    """

    def __init__(self, model: MixtureModel) -> None:
        self.model, self.vocab_size, self.network = model, model.vocab_size, rounded(model.network)

    def __call__(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """See LanguageModel.__call__."""
        before = (None, None) if state is None else (state[:-1], state[-1:])
        logits, of_network = self.network(tokens, before[0])
        log_probs, of_counts = self.model.counts(tokens, before[1])
        return self.model.mix(torch.log_softmax(logits, -1), log_probs), (*of_network, *of_counts)

    def stepper(self, state: State | None, batch_size: int) -> Stepper:
        """See `stepping.stepper`."""
        before = (None, None) if state is None else (state[:-1], state[-1:])
        return MixtureStepper(
            stepper(self.network, before[0], batch_size),
            stepper(self.model.counts, before[1], batch_size),
            self.model.gate,
        )
