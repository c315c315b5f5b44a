"""The ears: whose voice, from when to when, also below the engine's arrival tone and with gaps."""

import math
from array import array

import pytest

from dialer_engine.lab.ears import Ear, Heard, agreed, frequency, voice, without_signals
from dialer_engine.lab.tones import AGENT_VOICE, SILENCE, tone_frame

pytestmark = pytest.mark.unit
SAMPLES = 160


def sound(hertz: float, frames: int, amplitude: int = 7000, start: int = 0) -> list[bytes]:
    """`frames` consecutive frames of a sine."""
    samples = [
        int(amplitude * math.sin(2 * math.pi * hertz * n / 8000))
        for n in range(start * SAMPLES, (start + frames) * SAMPLES)
    ]
    return [array("h", samples[i : i + SAMPLES]).tobytes() for i in range(0, len(samples), SAMPLES)]


def mixed(one: list[bytes], other: list[bytes]) -> list[bytes]:
    """Two sounds at once."""
    return [
        array("h", (a + b for a, b in zip(array("h", x), array("h", y), strict=True))).tobytes()
        for x, y in zip(one, other, strict=True)
    ]


def listen(frames: list[bytes], start: float = 100.0) -> tuple[list[float], list[Heard], Ear]:
    """Let an ear hear frames 20 ms apart."""
    starts: list[float] = []
    ended: list[Heard] = []
    ear = Ear("agent", starts.append, ended.append)
    for index, frame in enumerate(frames):
        ear.frame(start + index * 0.02, frame)
        ear.tick(start + index * 0.02)
    return starts, ended, ear


@pytest.mark.parametrize("hertz", [1500, 1510, 1750, 2000, 2230, 2470, 2690])
def test_pitch_is_found_to_two_hertz(hertz: int) -> None:
    _, ended, ear = listen(sound(hertz, 30))
    ear.finish()
    assert ended[0].pitch == pytest.approx(hertz, abs=2)


def test_start_is_the_first_loud_frame() -> None:
    starts, _, _ = listen([SILENCE] * 5 + sound(2000, 5))
    assert starts == [pytest.approx(100.1)]


def test_silence_is_nobody() -> None:
    starts, ended, ear = listen([SILENCE] * 50)
    assert (starts, ended, ear.hearing) == ([], [], False)


def test_quiet_noise_is_nobody() -> None:
    assert voice(sound(2000, 1, amplitude=400)[0]) is None


def test_arrival_tone_is_not_a_customer() -> None:
    starts, _, _ = listen(sound(1000, 10, amplitude=9000))
    assert starts == []


@pytest.mark.parametrize("hertz", [1500, 2090, 2690])
def test_customer_is_heard_through_the_arrival_tone(hertz: int) -> None:
    frames = mixed(sound(hertz, 10), sound(1000, 10)) + sound(hertz, 10, start=10)
    starts, ended, ear = listen(frames)
    ear.finish()
    assert starts == [pytest.approx(100.0)]
    assert ended[0].pitch == pytest.approx(hertz, abs=3)


@pytest.mark.parametrize("hertz", [300, 600, 900, 1200])
def test_engines_other_signals_are_not_customers(hertz: int) -> None:
    starts, _, _ = listen(sound(hertz, 10, amplitude=9000))
    assert starts == []


def test_agents_own_voice_is_not_a_customer() -> None:
    assert voice(AGENT_VOICE) is None


def test_quarter_second_of_silence_ends_the_customer() -> None:
    starts, ended, ear = listen(sound(1900, 20) + [SILENCE] * 20)
    assert len(starts) == len(ended) == 1
    assert ended[0].first == pytest.approx(100.0)
    assert ended[0].last == pytest.approx(100.38)
    assert not ear.hearing


def test_short_gap_does_not_end_the_customer() -> None:
    _, ended, ear = listen(sound(1900, 20) + [SILENCE] * 8 + sound(1900, 20, start=28))
    assert ended == []
    assert ear.hearing


def test_two_customers_are_told_apart() -> None:
    _, ended, ear = listen(sound(1700, 30) + [SILENCE] * 20 + sound(2400, 30))
    ear.finish()
    assert [each.pitch for each in ended] == [pytest.approx(1700, abs=2), pytest.approx(2400, abs=2)]


def test_lost_frame_does_not_change_the_pitch() -> None:
    frames = sound(1840, 30)
    del frames[7], frames[12]
    _, ended, ear = listen(frames)
    ear.finish()
    assert ended[0].pitch == pytest.approx(1840, abs=2)


def test_finish_without_customer_reports_nothing() -> None:
    _, ended, ear = listen([SILENCE])
    ear.finish()
    assert ended == []


def test_frequency_needs_three_crossings() -> None:
    assert frequency([1, 2, 3, 2, 1]) is None


def test_notch_takes_1000_hertz_out_completely() -> None:
    assert max(abs(sample) for sample in without_signals(array("h", tone_frame(1000)))) <= 2


@pytest.mark.parametrize("hertz", [1500, 1990, 2690])
@pytest.mark.parametrize("signal", [300, 600, 900])
def test_customer_is_heard_through_a_signal_louder_than_the_voice(hertz: int, signal: int) -> None:
    frames = mixed(sound(hertz, 10), sound(signal, 10, amplitude=16000)) + sound(hertz, 10, start=10)
    starts, ended, ear = listen(frames)
    ear.finish()
    assert starts == [pytest.approx(100.0)]
    assert ended[0].pitch == pytest.approx(hertz, abs=3)


def test_pitch_is_what_most_frames_agree_on() -> None:
    assert agreed([1600.0, 2300.5, 2299.5, 2250.0, 2300.0, 1900.0]) == pytest.approx(2300)


def test_odd_number_of_bytes_is_survived() -> None:
    assert voice(sound(2000, 1)[0][:-1]) is not None
    assert voice(b"") is None
