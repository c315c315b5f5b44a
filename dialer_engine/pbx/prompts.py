"""What callers and agents hear: spoken by espeak-ng, or an operator's own wav, as 8 kHz mono 16-bit wav.

Asterisk plays that format to a telephone line without any conversion. A prompt's version is a digest of what
it says and how, so that the call record can name exactly what was played; a prompt that exists in its version
is not made again.
"""

import hashlib
import os
import re
import subprocess
import wave
from collections.abc import Mapping
from pathlib import Path

from dialer_engine.pbx.bundle import Bundle
from dialer_engine.settings.home import public_directory

VOICE = "en-us"
WORDS_PER_MINUTE = 145
WORD_GAP = 2
FORMAT = ("-D", "-r", "8000", "-c", "1", "-b", "16", "-e", "signed-integer")
EFFECTS = ("norm", "-3")
MIN_SECONDS = 0.2
MAX_SECONDS = 60.0
TOOL_SECONDS = 60.0
VERSION_LENGTH = 12

STANDARD: Mapping[str, str] = {
    "removed": "You have been taken off the list. Good bye.",
    "not-running": "The dialer is not running. Please try again in a minute.",
    "not-dialable": "This number cannot be dialed from here. Dial one, zero, zero to go on duty.",
    "on-duty": "You are on duty.",
    "paused": "Paused.",
    "ready": "Ready again.",
}


class PromptError(Exception):
    """A prompt cannot be made; the text names the file or text and the reason."""


def drop_message_text(company: str, callback_e164: str, seller: str | None = None) -> str:
    """The message for an answered call without an agent: purpose, on whose behalf, number, opt-out key."""
    behalf = f" on behalf of {seller}" if seller and seller != company else ""
    return (
        f"Hello. This was a call from {company}{behalf}, for telemarketing purposes. "
        f"To be taken off the calling list, press 9 now, or call {spoken_number(callback_e164)}. "
        "Once more: press 9 to be taken off the list. Good bye."
    )


def spoken_number(e164: str) -> str:
    """A US or Canadian number as it is read aloud: digit by digit, in its usual groups."""
    digits = e164.removeprefix("+1")
    if not re.fullmatch(r"\+1[0-9]{10}", e164):
        raise PromptError(f"{e164!r} is not a US or Canadian number such as +12105550100")
    return ", ".join(" ".join(group) for group in (digits[:3], digits[3:6], digits[6:]))


def prompt_version(text: str) -> str:
    """The version of a spoken text: a digest of the text, the voice and the speed."""
    return _digest(f"{VOICE}/{WORDS_PER_MINUTE}/{text}".encode())


def make_prompt(bundle: Bundle, text: str, target: Path) -> str:
    """Speak `text` into the wav `target` unless it is there in this version; return the version."""
    if not text.strip():
        raise PromptError(f"{target.name}: there is no text to speak")
    version = prompt_version(text)
    if _current(target, version):
        return version
    voice = ("-v", VOICE, "-s", str(WORDS_PER_MINUTE), "-g", str(WORD_GAP))
    speech = _run(bundle, "espeak-ng", *voice, "--stdin", "--stdout", given=text.encode())
    _convert(bundle, target, version, "-t", "wav", "--ignore-length", "-", given=speech)
    return version


def import_prompt(bundle: Bundle, source: Path, target: Path) -> str:
    """Convert an operator's recording into the wav `target` unless it is there; return its version."""
    version = recording_version(source)
    if _current(target, version):
        return version
    _check_recording(bundle, source)
    _convert(bundle, target, version, str(source.absolute()))
    return version


def recording_version(source: Path) -> str:
    """The version of an operator's recording: a digest of its file. Raises PromptError."""
    try:
        return _digest(source.read_bytes())
    except OSError as error:
        raise PromptError(f"{source}: cannot be read ({error.strerror})") from error


def make_standard_prompts(bundle: Bundle, directory: Path) -> dict[str, str]:
    """Make every standard prompt as DIRECTORY/NAME.wav; return each one's version by name."""
    return {name: make_prompt(bundle, text, directory / f"{name}.wav") for name, text in STANDARD.items()}


def wav_seconds(path: Path) -> float:
    """The length of a wav file in seconds."""
    with wave.open(str(path), "rb") as recording:
        return recording.getnframes() / recording.getframerate()


def _check_recording(bundle: Bundle, source: Path) -> None:
    try:
        seconds = float(_run(bundle, "sox", "--info", "-D", str(source.absolute())))
    except PromptError as error:
        raise PromptError(f"{source}: is not a recording that can be played ({error})") from error
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise PromptError(
            f"{source}: lasts {seconds:.1f} s, allowed are {MIN_SECONDS} to {MAX_SECONDS:.0f} s"
        )


def _convert(bundle: Bundle, target: Path, version: str, *source: str, given: bytes = b"") -> None:
    public_directory(target.parent)
    partial = target.with_name(f".{target.stem}.{os.getpid()}.wav")
    try:
        _run(bundle, "sox", *source, *FORMAT, str(partial), *EFFECTS, given=given)
        partial.chmod(0o644)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    _note(target).write_text(version)


def _current(target: Path, version: str) -> bool:
    note = _note(target)
    return target.exists() and note.exists() and note.read_text() == version


def _note(target: Path) -> Path:
    return target.with_suffix(".version")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:VERSION_LENGTH]


def _run(bundle: Bundle, program: str, *arguments: str, given: bytes = b"") -> bytes:
    command = bundle.command(program, *arguments)
    environment = os.environ | bundle.environment
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, env=environment, timeout=TOOL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PromptError(f"{program} cannot be run: {error}") from error
    if done.returncode != 0:
        raise PromptError(_last_line(done.stderr) or f"{program} ended with status {done.returncode}")
    return done.stdout


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
