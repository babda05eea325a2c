from __future__ import annotations

import importlib.util
import math
import sys

import numpy as np
import pytest
import soundfile

from bench.metrics import mcd
from bench.metrics.mcd import (
    DECIBELS,
    default_envelope,
    mcd_c1,
    mel_cepstra,
    mel_cepstra_c1,
    mel_cepstral_distortion,
    steady_envelope,
    stft_envelope,
    world_envelope,
)

PAIRS = [("c_gt", "c_pred"), ("c_gt", "c_few"), ("c_gt", "c_silence"), ("c_dense", "c_start")]
#: The rate at which delays of less than a frame are made.
FINE_HZ = 88_200
REAL_PAIRS = [("v1_gt", "v1_predA"), ("v2_gt", "v1_gt"), ("v2_gt", "v2_predA")]


def cepstra_of(waveform):
    return mel_cepstra(world_envelope(waveform))


def c1_cepstra_of(waveform):
    return mel_cepstra_c1(world_envelope(waveform))


def noise(rng, seconds: float = 1.0, rms: float = 0.1):
    return rng.normal(size=int(22_050 * seconds)) * rms


def plain_cepstra(waveform, sample_rate_hz: int) -> np.ndarray:
    """The plain definition of the goldens at 44.1 kHz: unit-energy Blackman frames, pysptk."""
    import pysptk

    assert sample_rate_hz == 44_100
    frames = np.lib.stride_tricks.sliding_window_view(waveform, 1_024)[::220]
    window = np.blackman(1_025)[:-1]
    windowed = np.ascontiguousarray(frames * window / np.sqrt(np.square(window).sum()))
    return pysptk.sptk.mcep(
        windowed, order=24, alpha=0.544, maxiter=30, threshold=0.001, etype=1, eps=1e-8, itype=0
    )


@pytest.mark.parametrize(("true", "generated"), PAIRS)
def test_the_package_gives_the_same_distortion_on_synthetic_audio(
    true, generated, waveforms, package_golden
):
    expected = float(package_golden[f"{true}|{generated}.pymcd_dtw"])
    found = mel_cepstral_distortion(cepstra_of(waveforms[true]), cepstra_of(waveforms[generated]))
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("true", "generated"), REAL_PAIRS)
def test_the_package_gives_the_same_distortion_on_real_audio(
    true, generated, real_waveforms, mcd_golden
):
    first, second = cepstra_of(real_waveforms[true]), cepstra_of(real_waveforms[generated])
    plain, warped, _ = mcd_golden[f"f64_{true}|{generated}.pymcd_plain_dtw_dtwsl"]
    assert mel_cepstral_distortion(first, second) == pytest.approx(warped, abs=1e-6)
    frame_by_frame = DECIBELS * np.linalg.norm(first - second, axis=1).mean()
    assert frame_by_frame == pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize("name", ["v1_gt", "v1_predA"])
def test_cepstra_of_real_audio_are_those_of_the_package(name, real_waveforms, mcd_golden):
    cepstra = cepstra_of(real_waveforms[name])
    assert len(cepstra) == mcd_golden[f"{name}.pymcd_mcep22050.frames"]
    assert np.allclose(cepstra[::4], mcd_golden[f"{name}.pymcd_mcep22050.every4"], atol=1e-6)
    assert np.allclose(cepstra.mean(0), mcd_golden[f"f64_{name}.pymcd_mcep22050.mean"], atol=1e-9)


def test_cepstra_are_bit_for_bit_what_pysptk_gives_for_all_frames_at_once(waveforms):
    import pysptk

    envelope = world_envelope(waveforms["c_start"])
    expected = pysptk.sptk.mcep(
        envelope, order=13, alpha=0.65, maxiter=0, etype=1, eps=1e-8, min_det=0.0, itype=3
    )
    assert mel_cepstra(envelope).tobytes() == expected.tobytes()


def test_cepstra_of_the_second_definition_are_those_of_pysptk(waveforms):
    import pysptk

    envelope = world_envelope(waveforms["c_gt"])
    expected = pysptk.conversion.sp2mc(envelope + 1e-10, order=24, alpha=0.455)
    assert np.allclose(mel_cepstra_c1(envelope), expected, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("make", [mel_cepstra, mel_cepstra_c1])
def test_equal_frames_have_equal_cepstra_however_many_there_are(make, rng):
    # The path through silence depends on it: there every distance must be 0, not a rounding error.
    frame = np.exp(rng.normal(size=257))
    found = {row.tobytes() for n in (1, 2, 5, 64, 400) for row in make(np.tile(frame, (n, 1)))}
    assert len(found) == 1


def test_the_envelope_is_bit_for_bit_that_of_the_complete_world_analysis(waveforms):
    import pyworld

    for name in ("c_gt", "c_start"):
        waveform = waveforms[name].astype(np.float64)
        _, expected, _ = pyworld.wav2world(waveform, 22_050, fft_size=512, frame_period=5.0)
        assert np.array_equal(world_envelope(waveform), expected)


def test_the_envelope_has_a_frame_every_five_milliseconds(rng):
    assert world_envelope(noise(rng, 2.0)).shape == (401, 257)
    assert stft_envelope(noise(rng, 2.0)).shape == (401, 257)


def test_the_golden_distortion_of_the_plain_definition_is_reproduced(mcd_golden):
    true, generated = (
        mcd_golden[f"{name}.mcep16000.every4"][::2] for name in ("v1_gt", "v1_predA")
    )
    _, warped, _ = mcd_golden["f64_mcd_every8_first_pair_plain_dtw_cost"]
    assert mcd_c1(true, generated) == pytest.approx(warped, abs=1e-3)


def test_the_plain_definition_is_reproduced_from_real_audio_on(shared, mcd_golden):
    cepstra = [
        plain_cepstra(*soundfile.read(shared / f"golden/media/{name}.flac"))
        for name in ("v2_gt", "v1_gt")
    ]
    assert np.allclose(cepstra[0][::4], mcd_golden["v2_gt.mcep44100.every4"], atol=1e-3)
    _, warped, _ = mcd_golden["f64_v2_gt|v1_gt.mcd44100_plain_dtw_cost"]
    assert mcd_c1(*cepstra) == pytest.approx(warped, abs=1e-3)


def test_the_constant_is_that_of_the_goldens(mcd_golden):
    assert pytest.approx(float(mcd_golden["f64_constant"]), rel=1e-15) == DECIBELS


def test_silence_is_all_floor():
    for envelope in (np.zeros((3, 257)), world_envelope(np.zeros(22_050))):
        cepstra = mel_cepstra(envelope)
        assert np.allclose(cepstra[:, 0], math.log(1e-8) / 2, atol=1e-9)
        assert np.allclose(cepstra[:, 1:], 0.0, atol=1e-9)
        cepstra = mel_cepstra_c1(envelope)
        assert np.allclose(cepstra[:, 0], math.log(1e-10) / 2, atol=1e-5)
        assert np.allclose(cepstra[:, 1:], 0.0, atol=1e-5)


def test_the_distortion_of_silence_from_silence_is_zero():
    silence = np.zeros(22_050)
    assert mel_cepstral_distortion(cepstra_of(silence), cepstra_of(silence)) == 0.0
    assert mcd_c1(c1_cepstra_of(silence), c1_cepstra_of(silence)) == 0.0


def test_noise_under_the_floor_counts_as_silence(rng):
    quiet, silence = cepstra_of(noise(rng, rms=0.001)), cepstra_of(np.zeros(22_050))
    assert mel_cepstral_distortion(silence, quiet) < 0.01
    louder = cepstra_of(noise(rng, rms=0.01))
    assert 2.0 < mel_cepstral_distortion(silence, louder) < 5.0


def test_the_distortion_of_audio_from_itself_is_zero(waveforms):
    envelope = world_envelope(waveforms["c_gt"])
    assert mel_cepstral_distortion(mel_cepstra(envelope), mel_cepstra(envelope)) == 0.0
    assert mcd_c1(mel_cepstra_c1(envelope), mel_cepstra_c1(envelope)) == 0.0


def test_a_power_spectrum_read_as_amplitude_doubles_the_cepstra(rng):
    import pysptk

    power = np.exp(rng.normal(size=(20, 257)).cumsum(axis=1) / 20)
    settings = {"order": 13, "alpha": 0.65, "maxiter": 0, "etype": 0, "min_det": 0.0}
    as_power = pysptk.sptk.mcep(power, itype=4, **settings)
    assert np.allclose(mel_cepstra(power) / as_power, 2.0, atol=1e-3)


def test_halving_the_power_shifts_only_the_level_coefficient():
    # White power far above the floor: c0 is ln(power), because power is read as amplitude.
    loud, quiet = mel_cepstra(np.full((4, 257), 1.0)), mel_cepstra(np.full((4, 257), 0.25))
    assert mel_cepstral_distortion(loud, quiet) == pytest.approx(DECIBELS * math.log(4), rel=1e-6)
    loud, quiet = mel_cepstra_c1(np.full((4, 257), 1.0)), mel_cepstra_c1(np.full((4, 257), 0.25))
    assert mcd_c1(loud, quiet) == pytest.approx(0.0, abs=1e-9)


def test_halving_the_level_of_real_audio_costs_eight_decibels(real_waveforms):
    audio = real_waveforms["v1_gt"]
    reported = mel_cepstral_distortion(cepstra_of(audio), cepstra_of(0.5 * audio))
    assert reported == pytest.approx(8.4, abs=0.5)
    assert mcd_c1(c1_cepstra_of(audio), c1_cepstra_of(0.5 * audio)) < 0.5


def test_a_coefficient_that_differs_by_one_is_the_constant_in_decibels():
    true = np.zeros((5, 25))
    generated = true.copy()
    generated[:, 3] = 1.0
    assert mcd_c1(true, generated) == pytest.approx(6.141851463713754)
    assert mel_cepstral_distortion(true, generated) == pytest.approx(6.141851463713754)


def test_the_constant_turns_a_distance_of_cepstra_into_that_of_their_spectra_in_decibels(rng):
    true, generated = rng.normal(size=(2, 24))
    angles = (np.arange(4_096) + 0.5) * np.pi / 4_096
    cosines = np.cos(np.outer(np.arange(1, 25), angles))
    levels_db = [20 * np.log10(np.exp(cepstrum @ cosines)) for cepstrum in (true, generated)]
    expected = np.sqrt(np.square(levels_db[0] - levels_db[1]).mean())
    assert DECIBELS * np.linalg.norm(true - generated) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("package", "compute"), [("pysptk", mel_cepstra), ("pyworld", world_envelope)]
)
def test_a_missing_package_is_named_with_the_extra_that_installs_it(monkeypatch, package, compute):
    for name in (package, f"{package}.sptk"):
        monkeypatch.setitem(sys.modules, name, None)
    given = np.ones((2, 257)) if package == "pysptk" else np.ones(1_000)
    with pytest.raises(
        ImportError, match=rf"MCD needs the package {package}: .*foley-bench\[mcd\]"
    ):
        compute(given)


def test_the_level_coefficient_counts_in_one_definition_only():
    true = np.zeros((5, 25))
    generated = true.copy()
    generated[:, 0] = 1.0
    assert mel_cepstral_distortion(true, generated) == pytest.approx(6.141851463713754)
    assert mcd_c1(true, generated) == 0.0


def test_stretching_time_costs_nothing_where_frames_repeat(rng):
    true = rng.normal(size=(40, 25)).cumsum(axis=0)
    assert mcd_c1(true, np.repeat(true, 4, axis=0)) == 0.0


def test_more_noise_is_further_away(waveforms, rng):
    audio, true = waveforms["c_dense"], c1_cepstra_of(waveforms["c_dense"])
    hiss = rng.normal(size=len(audio))
    distances = [mcd_c1(true, c1_cepstra_of(audio + level * hiss)) for level in (1e-3, 1e-2, 1e-1)]
    assert distances == sorted(distances)
    assert distances[0] > 0


def test_the_periodogram_is_a_rough_stand_in_for_world(rng):
    # White noise of variance v has a periodogram of mean v in every bin, whatever the window.
    assert stft_envelope(noise(rng, 20.0))[5:-5].mean() == pytest.approx(0.01, rel=0.02)


def test_distortions_from_the_periodogram_are_like_those_from_world(real_waveforms):
    first, second = real_waveforms["v2_gt"], real_waveforms["v1_gt"]
    world = mel_cepstral_distortion(cepstra_of(first), cepstra_of(second))
    approximate = mel_cepstral_distortion(
        mel_cepstra(stft_envelope(first)), mel_cepstra(stft_envelope(second))
    )
    assert world - 5.0 < approximate < world


def test_the_default_envelope_is_that_of_world_if_it_is_installed(monkeypatch):
    assert default_envelope() == "world"
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert default_envelope() == "stft"
    assert mcd.ENVELOPES["stft"] is stft_envelope


@pytest.mark.parametrize("make", [world_envelope, stft_envelope])
def test_a_waveform_shorter_than_a_window_is_refused(make):
    with pytest.raises(ValueError, match="has 100 values, at least 512 are needed"):
        make(np.zeros(100))


@pytest.mark.parametrize("make", [mel_cepstra, mel_cepstra_c1])
def test_an_envelope_of_another_width_is_refused(make):
    with pytest.raises(ValueError, match=r"\[N, 257\] without negative values, got \[3, 513\]"):
        make(np.zeros((3, 513)))


def test_a_spectrum_in_decibels_is_refused():
    with pytest.raises(ValueError, match="with minimum -40"):
        mel_cepstra(np.full((3, 257), -40.0))


def test_cepstra_of_two_orders_are_refused():
    with pytest.raises(ValueError, match="got 14 and 25 values per frame"):
        mel_cepstral_distortion(np.zeros((3, 14)), np.zeros((3, 25)))


def delayed(delay_s: float, kind: str) -> np.ndarray:
    """2 s of audio at 22,050 Hz, delayed by any time that 88.2 kHz resolves."""
    from scipy.signal import resample_poly

    rng = np.random.default_rng(3)
    audio = rng.normal(0, 0.1, 2 * FINE_HZ)
    if kind == "bursts":
        times = np.arange(2 * FINE_HZ) / FINE_HZ
        audio *= np.exp(-30 * (times % 0.25)) * (times % 0.25 > 0)
    late = round(delay_s * FINE_HZ)
    return resample_poly(np.concatenate([np.zeros(late), audio])[: len(audio)], 1, 4)


@pytest.mark.parametrize("source", ["world", "stft"])
@pytest.mark.parametrize("kind", ["noise", "bursts"])
@pytest.mark.parametrize("delay_s", [0.001, 0.0025, 0.0075, 0.0125])
def test_the_strict_distortion_of_a_copy_late_by_any_delay_is_small(source, kind, delay_s):
    found = [
        mel_cepstra_c1(steady_envelope(delayed(late, kind), source)) for late in (0.0, delay_s)
    ]
    assert mcd_c1(*found) < 0.8


def test_the_published_distortion_takes_half_a_frame_for_another_timbre():
    half, whole = (
        mel_cepstral_distortion(
            *(mel_cepstra(world_envelope(delayed(late, "noise"))) for late in (0.0, delay_s))
        )
        for delay_s in (0.0025, 0.005)
    )
    assert half > 5.0
    assert whole < 0.5


def test_another_timbre_stays_far_apart_in_steady_envelopes():
    from scipy.signal import lfilter

    audio = delayed(0.0, "bursts")
    darker = lfilter([0.3], [1.0, -0.7], audio)
    found = [mel_cepstra_c1(steady_envelope(each, "world")) for each in (audio, darker)]
    assert mcd_c1(*found) > 4.0


@pytest.mark.parametrize("seconds", [0.3, 1.0, 1.999])
def test_a_steady_envelope_has_as_many_frames_as_its_source(seconds):
    audio = delayed(0.0, "noise")[: int(seconds * 22_050)]
    assert steady_envelope(audio, "world").shape == world_envelope(audio).shape


def test_an_unknown_source_is_refused():
    with pytest.raises(ValueError, match=r"one of \['stft', 'world'\], got 'mel'"):
        steady_envelope(np.zeros(22_050), "mel")
