"""Sounds that the simulated agents send, as 20 ms frames of 16-bit audio at 8 kHz."""

from __future__ import annotations

import math
from array import array

from dialer_engine.lab.audiosocket import FRAME_BYTES

SAMPLES = FRAME_BYTES // 2
RATE = 8000
AGENT_VOICE_HZ = 250
AMPLITUDE = 9000


def tone_frame(hertz: int, amplitude: int = AMPLITUDE) -> bytes:
    """One frame of a sine; seamless when repeated if the frequency is a multiple of 50 Hz."""
    wave = (int(amplitude * math.sin(2 * math.pi * hertz * n / RATE)) for n in range(SAMPLES))
    return array("h", wave).tobytes()


SILENCE = bytes(FRAME_BYTES)
AGENT_VOICE = tone_frame(AGENT_VOICE_HZ)
