"""The checked-in ARI models are those of the bundled Asterisk."""

import pytest

from dialer_engine.pbx.ari.generate import MODELS_FILE, generate
from dialer_engine.pbx.bundle import Bundle

pytestmark = pytest.mark.asterisk


def test_regenerating_gives_the_same_bytes(bundle: Bundle) -> None:
    assert generate(bundle.api_docs).encode() == MODELS_FILE.read_bytes()
