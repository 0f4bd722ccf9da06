"""All measurements inside one network, on one text, that a page of `charrnn view` shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from charrnn.models.rnn.model import RecurrentModel
from charrnn.progress import Progress
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
        gates: how often the gates are saturated.
    """

    trace: Trace
    matches: tuple[UnitMatch, ...]
    plane: Plane
    gates: tuple[Saturation, ...]


def analyze_network(
    network: RecurrentModel,
    text: TextSpan,
    characters: Sequence[str],
    progress: Progress | None = None,
) -> NetworkAnalysis:
    """Analyze a network on a text.

    Args:
        network: the network.
        text: (N,) ids.
        characters: the same text, one `str` for each id.
        progress: progress callback, in characters; the text is read twice.
    """
    report = progress or (lambda done, total: None)
    states = record_states(network, text, lambda done, total: report(done, 2 * total))
    read = len(states.values)
    gates = measure_saturation(network, text[:read], lambda done, total: report(total + done, 2 * total))
    matches = match_units(states.values, compute_features(characters[:read]))
    return NetworkAnalysis(states, matches, project_states(states.values[:, states.top]), gates)
