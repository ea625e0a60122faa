"""The app without its identity endpoint, in short: at a cold start, and while tokens end under load."""

from pathlib import Path

import pytest

from tests.faults.sign_in.__main__ import measured, wrong
from tests.kit.running_relay import IMPATIENT

_SOON = {name: IMPATIENT[name] for name in IMPATIENT if name.startswith("AzureFunctionsJobHost")}
_LIFE, _SECONDS = 20, 25.0
"""A link of Event Hubs asks for another token at a tenth of its life, in whole seconds."""
_KEPT = 3
"""Tokens at a time: the app's for storage and for hubs, and the host's."""


@pytest.mark.runs_the_app
def test_a_cold_start_without_the_endpoint_heals_and_tokens_that_end_under_load_fail_nothing(tmp_path: Path) -> None:
    found = measured(tmp_path, outage=8.0, load=_SECONDS, life=_LIFE, out=(0.0, 0.0), settings=_SOON)
    assert wrong(found) == []
    assert found["coldStart"]["asked"] > 0
    lives = found["load"]["elapsed"] / _LIFE
    assert _KEPT < found["load"]["tokens"] <= _KEPT * 2 * (lives + 1)
    assert found["load"]["uploads"] > 0
