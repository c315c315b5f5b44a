"""The modes by the name a campaign file uses."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from dialer_engine.core.pacing.model import Pacer
from dialer_engine.core.pacing.power import Power
from dialer_engine.core.pacing.predictive import Predictive
from dialer_engine.core.pacing.preview import Preview
from dialer_engine.core.pacing.progressive import Progressive

MODES: Mapping[str, Callable[[], Pacer]] = MappingProxyType(
    {"preview": Preview, "progressive": Progressive, "power": Power, "predictive": Predictive}
)


def make_pacer(mode: str) -> Pacer:
    """Return a fresh pacer for a mode's name; refuse a name that is not in `MODES`."""
    if mode not in MODES:
        raise ValueError(f"unknown pacing mode {mode!r}; modes are {', '.join(MODES)}")
    return MODES[mode]()
