"""What commands are tested with: small enough that each test takes a moment."""

import pytest


@pytest.fixture(autouse=True)
def quick_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gates of mixtures that are fitted in a tenth of a second; how good they are is asked in tests of mixing."""
    monkeypatch.setattr("charrnn.training.fit_mixture.STEPS", 60)
