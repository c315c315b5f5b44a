"""Prompts: what is said, that it is sound in Asterisk's format, and what a bad recording is answered."""

import array
import wave
from collections.abc import Sequence
from pathlib import Path

import pytest

from dialer_engine.pbx.bundle import Bundle, install_bundle
from dialer_engine.pbx.prompts import (
    MAX_SECONDS,
    STANDARD,
    PromptError,
    drop_message_text,
    import_prompt,
    make_prompt,
    make_standard_prompts,
    prompt_version,
    spoken_number,
    wav_seconds,
)
from dialer_engine.settings.home import home

pytestmark = pytest.mark.asterisk

NUMBER = "+12105550100"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """The installed bundle."""
    return install_bundle(home())


def samples(path: Path) -> Sequence[int]:
    """The samples of a wav, which must be what a telephone line carries."""
    with wave.open(str(path), "rb") as recording:
        assert (recording.getframerate(), recording.getnchannels(), recording.getsampwidth()) == (8000, 1, 2)
        return array.array("h", recording.readframes(recording.getnframes()))


def recorded(path: Path, seconds: float, rate: int = 44_100, channels: int = 2) -> Path:
    """A recording as an operator would bring it: a square wave in studio quality."""
    with wave.open(str(path), "wb") as recording:
        recording.setnchannels(channels)
        recording.setsampwidth(2)
        recording.setframerate(rate)
        period = [8000] * (rate // 880) + [-8000] * (rate // 880)
        tone = (period * (int(rate * seconds) // len(period) + 1))[: int(rate * seconds)]
        recording.writeframes(array.array("h", [value for value in tone for _ in range(channels)]).tobytes())
    return path


def test_the_drop_message_says_what_the_law_asks() -> None:
    text = drop_message_text("Acme Roofing", NUMBER, None)
    for part in ("Acme Roofing", "telemarketing purposes", "2 1 0, 5 5 5, 0 1 0 0", "press 9"):
        assert part in text
    assert "on behalf of" not in text


def test_the_drop_message_names_the_seller_when_it_is_another() -> None:
    assert "from Best Calls on behalf of Acme Roofing," in drop_message_text(
        "Best Calls", NUMBER, "Acme Roofing"
    )
    assert "on behalf" not in drop_message_text("Acme", NUMBER, "Acme")


@pytest.mark.parametrize("number", ["2105550100", "+44123456789", "+1210555010x", "", "+121055501000"])
def test_only_north_american_numbers_are_spoken(number: str) -> None:
    with pytest.raises(PromptError, match="not a US or Canadian number"):
        spoken_number(number)


def test_versions_follow_the_text() -> None:
    assert prompt_version("a") == prompt_version("a") != prompt_version("b")
    assert len(prompt_version("a")) == 12


def test_the_drop_message_is_audible_and_short(bundle: Bundle, tmp_path: Path) -> None:
    target = tmp_path / "drop.wav"
    make_prompt(bundle, drop_message_text("Acme Roofing", NUMBER, None), target)
    loudest = max(abs(value) for value in samples(target))
    assert 15_000 < loudest < 32_000
    assert 8 < wav_seconds(target) < 30


def test_the_speech_begins_at_once(bundle: Bundle, tmp_path: Path) -> None:
    make_prompt(bundle, "Hello.", tmp_path / "hello.wav")
    first = next(at for at, value in enumerate(samples(tmp_path / "hello.wav")) if abs(value) > 500)
    assert first / 8000 < 0.25


def test_a_prompt_in_its_version_is_not_made_again(bundle: Bundle, tmp_path: Path) -> None:
    target = tmp_path / "p.wav"
    version = make_prompt(bundle, "One.", target)
    before = target.stat().st_mtime_ns
    assert make_prompt(bundle, "One.", target) == version
    assert target.stat().st_mtime_ns == before


def test_a_changed_text_replaces_the_prompt(bundle: Bundle, tmp_path: Path) -> None:
    target = tmp_path / "p.wav"
    first, length = make_prompt(bundle, "One.", target), wav_seconds(target)
    second = make_prompt(bundle, "One and two and three and four.", target)
    assert second != first
    assert wav_seconds(target) > length


def test_a_lost_file_is_made_again(bundle: Bundle, tmp_path: Path) -> None:
    target = tmp_path / "p.wav"
    make_prompt(bundle, "One.", target)
    target.unlink()
    make_prompt(bundle, "One.", target)
    assert wav_seconds(target) > 0.2


def test_text_is_never_taken_for_an_option_or_markup(bundle: Bundle, tmp_path: Path) -> None:
    make_prompt(bundle, "--version <break/> $(touch x) Ángel & Söhne", tmp_path / "odd.wav")
    assert wav_seconds(tmp_path / "odd.wav") > 1.0


def test_an_empty_text_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"p.wav: there is no text"):
        make_prompt(bundle, " \n", tmp_path / "p.wav")


def test_all_standard_prompts_are_made_and_readable(bundle: Bundle, tmp_path: Path) -> None:
    versions = make_standard_prompts(bundle, tmp_path / "sounds")
    assert versions.keys() == STANDARD.keys()
    for name in STANDARD:
        path = tmp_path / "sounds" / f"{name}.wav"
        assert path.stat().st_mode & 0o044 == 0o044
        assert 0.3 < wav_seconds(path) < 10


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (8000, 1), (16_000, 1)])
def test_an_operators_recording_is_converted(
    bundle: Bundle, tmp_path: Path, rate: int, channels: int
) -> None:
    source = recorded(tmp_path / "own.wav", 2.0, rate, channels)
    version = import_prompt(bundle, source, tmp_path / "out.wav")
    assert len(version) == 12
    assert max(samples(tmp_path / "out.wav")) > 10_000
    assert abs(wav_seconds(tmp_path / "out.wav") - 2.0) < 0.05


def test_a_pdf_is_not_a_recording(bundle: Bundle, tmp_path: Path) -> None:
    source = tmp_path / "message.wav"
    source.write_bytes(b"%PDF-1.7\n" + bytes(500))
    with pytest.raises(PromptError, match=r"message.wav: is not a recording that can be played"):
        import_prompt(bundle, source, tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()


def test_a_cut_off_header_is_not_a_recording(bundle: Bundle, tmp_path: Path) -> None:
    source = tmp_path / "cut.wav"
    source.write_bytes(recorded(tmp_path / "own.wav", 1.0).read_bytes()[:20])
    with pytest.raises(PromptError, match=r"cut.wav: is not a recording"):
        import_prompt(bundle, source, tmp_path / "out.wav")


def test_a_missing_recording_is_named(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"gone.wav: cannot be read \(No such file"):
        import_prompt(bundle, tmp_path / "gone.wav", tmp_path / "out.wav")


@pytest.mark.parametrize("seconds", [0.05, MAX_SECONDS + 1])
def test_a_recording_of_senseless_length_is_refused(bundle: Bundle, tmp_path: Path, seconds: float) -> None:
    source = recorded(tmp_path / "own.wav", seconds, 8000, 1)
    with pytest.raises(PromptError, match=r"own.wav: lasts .* allowed are 0.2 to 60 s"):
        import_prompt(bundle, source, tmp_path / "out.wav")


def test_nothing_half_made_is_left(bundle: Bundle, tmp_path: Path) -> None:
    directory = tmp_path / "sounds"
    make_prompt(bundle, "One.", directory / "p.wav")
    assert {path.name for path in directory.iterdir()} == {"p.wav", "p.version"}
