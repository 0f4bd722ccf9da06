"""Linear interpolation: several language models as one, by the weighted mean of their probabilities.

Networks trained on the same text from different initial weights make different mistakes, and predictions they agree on
are right more often (Hansen and Salamon 1990; for language models, Zaremba et al. 2014, section 4.4). The same mean
works for any models with one vocabulary, such as a network and an n-gram model (Jelinek and Mercer 1980).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import accumulate, pairwise

import numpy as np
import torch
from torch import Tensor, nn

from charrnn.config import ModelConfig
from charrnn.models.language_model import LanguageModel, State, next_log_probs
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.stepper import Logits, Stepper, Tokens, log_softmax, make_stepper


class InterpolatedModel(nn.Module):
    """The weighted mean of two or more models with one vocabulary; its state is the concatenation of their states.

    Args:
        models: the models. All networks are on one device.
        weights: one per model, positive, with sum 1; None for an ensemble: networks of one shape, with equal weights.

    Attributes:
        networks: the models that are networks; all of them in an ensemble.
    """

    def __init__(self, models: Sequence[LanguageModel], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.models, self.weights = list(models), weights
        self.networks = nn.ModuleList(model for model in models if isinstance(model, nn.Module))
        self.vocab_size = models[0].vocab_size
        if weights is not None:  # an ensemble must not be a ScoresNext: it has no faster way than its logits
            self.next_log_probs = self._next_log_probs

    @property
    def config(self) -> ModelConfig:
        """The configuration of an ensemble: that of each network, with the number of networks."""
        first = self.models[0]
        if self.weights is not None or not isinstance(first, RecurrentModel):
            raise AttributeError("config: only an ensemble of networks has a configuration")
        return replace(first.config, networks=len(self.models))

    @property
    def device(self) -> torch.device:
        """The device of the logits: that of the networks, or the CPU if some models are not networks."""
        is_all = len(self.networks) == len(self.models)
        return next(self.parameters()).device if is_all else torch.device("cpu")

    @property
    def parameter_count(self) -> int:
        """The number of weights of all networks."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def entries(self) -> int | None:
        """The number of stored n-grams; None without n-gram models."""
        return sum(getattr(model, "entries", None) or 0 for model in self.models) or None

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        def read(model: LanguageModel, before: State | None) -> tuple[Tensor, State]:
            logits, after = model(tokens, before)
            return torch.log_softmax(logits.float().to(self.device), -1), after

        return self._mean_of(read, state)

    def _next_log_probs(self, tokens: Tensor, targets: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Implement `language_model.next_log_probs`; n-gram models then need not compute all V logits."""

        def score(model: LanguageModel, before: State | None) -> tuple[Tensor, State]:
            log_probs, after = next_log_probs(model, tokens, targets, before)
            return log_probs.float().to(self.device), after

        return self._mean_of(score, state)

    def make_stepper(self, state: State | None, batch_size: int) -> Stepper:
        pairs = zip(self.models, self._split(state), strict=True)
        return InterpolatedStepper([make_stepper(model, part, batch_size) for model, part in pairs], self._log_weights)

    @property
    def _log_weights(self) -> list[float]:
        if self.weights is None:
            return [-math.log(len(self.models))] * len(self.models)
        return [math.log(weight) for weight in self.weights]

    def _mean_of(
        self, read: Callable[[LanguageModel, State | None], tuple[Tensor, State]], state: State | None
    ) -> tuple[Tensor, State]:
        """Return the log of the weighted mean of the probabilities that `read` returns, and the state."""
        pairs = [read(model, part) for model, part in zip(self.models, self._split(state), strict=True)]
        after = tuple(part for _, parts in pairs for part in parts)
        log_probs = [log_prob for log_prob, _ in pairs]
        if self.weights is None:
            return torch.logsumexp(torch.stack(log_probs), 0) - math.log(len(log_probs)), after
        weighted = [part + weight for part, weight in zip(log_probs, self._log_weights, strict=True)]
        return torch.logsumexp(torch.stack(weighted), 0), after

    def _split(self, state: State | None) -> list[State | None]:
        """Return the state of each model."""
        if state is None:
            return [None] * len(self.models)
        return [state[begin:end] for begin, end in pairwise(accumulate(self._state_lengths, initial=0))]

    @cached_property
    def _state_lengths(self) -> list[int]:
        """The number of tensors in each model's state."""
        token = torch.zeros(1, 1, dtype=torch.int64)
        with torch.inference_mode():
            return [len(model(token)[1]) for model in self.models]


class InterpolatedStepper(Stepper):
    """The steppers of several models, interpolated with the given log-weights."""

    def __init__(self, steppers: Sequence[Stepper], log_weights: Sequence[float]) -> None:
        self.steppers, self.log_weights = steppers, log_weights

    @property
    def state(self) -> State | None:
        states = [stepper.state for stepper in self.steppers]
        return None if None in states else tuple(part for state in states for part in state or ())

    def read(self, tokens: Tokens) -> Logits:
        pairs = zip(self.steppers, self.log_weights, strict=True)
        weighted = [log_softmax(part.read(tokens)) + weight for part, weight in pairs]
        with np.errstate(invalid="ignore"):  # see log_softmax
            log_probs: Logits = np.logaddexp.reduce(weighted)
        return log_probs


Network = RecurrentModel | InterpolatedModel
"""A network, or an ensemble of networks."""


def ensemble_of(networks: Sequence[RecurrentModel]) -> Network:
    """Return networks of one shape as one model; a single network is returned unchanged."""
    return networks[0] if len(networks) == 1 else InterpolatedModel(networks)


def make_network(config: ModelConfig, vocab_size: int) -> Network:
    """Return a new network, or ensemble, for a configuration."""
    single = replace(config, networks=1)
    return ensemble_of([RecurrentModel(single, vocab_size) for _ in range(config.networks)])
