"""Short tones that an agent hears, made by sox from the bundle as 8 kHz mono 16-bit wav."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dialer_engine.pbx.bundle import Bundle
from dialer_engine.pbx.prompts import TOOL_SECONDS, PromptError
from dialer_engine.settings.home import public_directory


@dataclass(frozen=True, slots=True)
class Tone:
    """One sine: frequency in Hz, length in seconds, level below full scale in dB."""

    hertz: int
    seconds: float
    level_db: int = -12


AGENT_TONES: Mapping[str, Tone] = {
    "arrived": Tone(1000, 0.12),
    "noted": Tone(800, 0.08, -16),
    "cancelled": Tone(450, 0.16, -16),
    "refused": Tone(300, 0.3),
    "shown": Tone(600, 0.25, -14),
}
"""A customer is there; a disposition or the wish of a pause was taken; that wish was taken back; a key has no meaning
now; a contact is on show."""


def make_tones(bundle: Bundle, directory: Path) -> None:
    """Make every tone of AGENT_TONES as DIRECTORY/tone-NAME.wav unless it is there. Raises PromptError."""
    public_directory(directory)
    for name, tone in AGENT_TONES.items():
        target = directory / f"tone-{name}.wav"
        if not target.exists():
            _make(bundle, tone, target)


def _make(bundle: Bundle, tone: Tone, target: Path) -> None:
    partial = target.with_name(f".{target.stem}.{os.getpid()}.wav")
    shape = ("synth", str(tone.seconds), "sine", str(tone.hertz), "fade", "0.005", "0", "0.005")
    command = bundle.command(
        "sox", "-n", "-r", "8000", "-c", "1", "-b", "16", str(partial), *shape, "gain", str(tone.level_db)
    )
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=TOOL_SECONDS, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode != 0:
        partial.unlink(missing_ok=True)
        raise PromptError(f"{target}: the tone cannot be made: {done.stderr.strip() or 'sox failed'}")
    partial.chmod(0o644)
    partial.replace(target)
