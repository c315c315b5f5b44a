"""The modes by the name a campaign file uses."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from dialer_engine.core.pacing.lessons import Lessons
from dialer_engine.core.pacing.model import Pacer
from dialer_engine.core.pacing.power import Power
from dialer_engine.core.pacing.predictive import Predictive
from dialer_engine.core.pacing.preview import Preview
from dialer_engine.core.pacing.progressive import Progressive

MODES: Mapping[str, Callable[[], Pacer]] = MappingProxyType(
    {"preview": Preview, "progressive": Progressive, "power": Power, "predictive": Predictive}
)


def make_pacer(mode: str, lessons: Lessons | None = None) -> Pacer:
    """Return a fresh pacer for a mode's name, which learns with others if it learns; refuse one not in `MODES`."""
    if mode not in MODES:
        raise ValueError(f"unknown pacing mode {mode!r}; modes are {', '.join(MODES)}")
    made = MODES[mode]
    return made(lessons) if made is Predictive else made()
