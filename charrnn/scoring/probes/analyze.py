"""All measurements inside one network, on one text, that a page of `charrnn view` shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from charrnn.models.rnn.model import RecurrentModel
from charrnn.progress import Progress, no_progress
from charrnn.scoring.probes.attention import HeadWeights, measure_attention
from charrnn.scoring.probes.features import compute_features
from charrnn.scoring.probes.gates import Saturation, measure_saturation
from charrnn.scoring.probes.states import Plane, project_states
from charrnn.scoring.probes.traces import Trace, record_states
from charrnn.scoring.probes.units import UnitMatch, match_units
from charrnn.text.documents import TextSpan


@dataclass(frozen=True)
class NetworkAnalysis:
    """Measurements inside a network, on N characters.

    Attributes:
        trace: the states.
        matches: for each feature of the text, the unit that tracks it best.
        plane: the states of the top layer, projected onto two principal components.
        gates: how often the gates are saturated; empty for a network without recurrent layers.
        attention: where each layer with attention looks.
    """

    trace: Trace
    matches: tuple[UnitMatch, ...]
    plane: Plane
    gates: tuple[Saturation, ...]
    attention: tuple[HeadWeights, ...] = ()


def analyze_network(
    network: RecurrentModel,
    text: TextSpan,
    characters: Sequence[str],
    shown: int = 0,
    progress: Progress = no_progress,
) -> NetworkAnalysis:
    """Analyze a network on a text.

    Args:
        network: the network.
        text: (N,) ids.
        characters: the same text, one `str` for each id.
        shown: the number of characters for which single weights of attention are kept.
        progress: progress callback, in characters; the text is read twice, with attention three times.
    """
    readings = 2 + network.config.attends
    states = record_states(network, text, lambda done, total: progress(done, readings * total))
    read = len(states.values)
    text, characters = text[:read], characters[:read]
    gates = measure_saturation(network, text, lambda done, total: progress(total + done, readings * total))
    attention = measure_attention(
        network, text, characters, shown, lambda done, total: progress(2 * total + done, readings * total)
    )
    matches = match_units(states.values, compute_features(characters))
    return NetworkAnalysis(states, matches, project_states(states.values[:, states.top]), gates, attention)
