"""What the report page plays: written once, again where something changed, and not half."""

from __future__ import annotations

import errno
import os
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.errors import BenchError
from bench.media import probe, read_audio, write_aac, write_audio
from bench.pipeline import page_media
from bench.pipeline.page_media import PageClip, clip_key, export_media, find_peaks, is_finished
from bench.types import Audio, Clip, Excerpt
from tests.reports.test_page import read_script

RATE_HZ = 22_050


def bursts(times: list[float], seconds: float = 3.0, rate_hz: int = RATE_HZ) -> Audio:
    samples = np.random.default_rng(0).normal(0, 1e-4, round(seconds * rate_hz)).astype(np.float32)
    for time in times:
        start = round(time * rate_hz)
        samples[start : start + 1500] += (
            0.5 * np.sin(np.arange(1500) / 4) * np.exp(-np.arange(1500) / 300)
        )
    return Audio(samples[np.newaxis], rate_hz)


@pytest.fixture
def page_clip(tmp_path, clicks_folder) -> PageClip:
    video = clicks_folder / "clip_000000.mp4"
    sample = tmp_path / "sample.flac"
    write_audio(sample, bursts([0.5, 1.5]))
    clip = Clip(
        "clip", Excerpt(video, 0.0, 3.0), 3.0, Excerpt(video, 0.0, 3.0), Excerpt(video, 4.0, 2.0),
        truth={"hits": [0.5, 1.5]},
    )  # fmt: skip
    return PageClip(clip, (sample, tmp_path / "missing.flac"))


def export(out: Path, *clips: PageClip) -> dict[str, str]:
    return export_media(out, clips, 0, lambda *counts: None)


def test_a_clip_has_video_audio_waveform_onsets_and_spectrogram(tmp_path, page_clip):
    assert export(tmp_path / "out", page_clip) == {}
    name, found = read_script(tmp_path / "out" / page_media.script_path(page_clip))
    assert name == "clip clip"
    assert found["events"] == [0.5, 1.5]
    assert set(found["tracks"]) == {"true", "reference", "run0", "run1"}
    run = found["tracks"]["run0"]
    assert run["onsets"] == pytest.approx([0.5, 1.5], abs=0.06)
    low, high = run["peaks"]
    assert len(low) == len(high) == page_media.N_PEAKS
    assert max(high) == pytest.approx(45, abs=5)
    with Image.open(tmp_path / "out" / run["spectrogram"]) as image:
        pixels = np.asarray(image.convert("RGB")).astype(float).sum(axis=(0, 2))
    # The bursts are the bright columns.
    assert np.argmax(pixels) / len(pixels) == pytest.approx(0.5 / 3, abs=0.03)
    assert probe(tmp_path / "out" / found["video"]["file"]).audio is None
    assert found["tracks"]["reference"]["seconds"] == 2.0


def test_a_sample_that_is_missing_costs_the_clip_nothing_else(tmp_path, page_clip):
    export(tmp_path / "out", page_clip)
    _, found = read_script(tmp_path / "out" / page_media.script_path(page_clip))
    error = found["tracks"]["run1"]["error"]
    assert "missing.flac" in error
    assert str(tmp_path) not in error
    assert "audio" in found["tracks"]["run0"]


def test_what_is_finished_is_not_made_again_and_what_changed_is(tmp_path, page_clip, monkeypatch):
    out = tmp_path / "out"
    assert not is_finished(out, page_clip)
    export(out, page_clip)
    assert is_finished(out, page_clip)
    other = PageClip(page_clip.clip, page_clip.samples[:1])
    assert not is_finished(out, other)
    write_audio(page_clip.samples[0], bursts([1.0]))
    assert not is_finished(out, page_clip)
    export(out, page_clip)
    monkeypatch.setattr(page_media, "FORMAT", page_media.FORMAT + 1)
    assert not is_finished(out, page_clip)


def test_a_clip_that_was_interrupted_is_not_finished(tmp_path, page_clip, monkeypatch):
    def stop(*given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(page_media, "write_video", stop)
    with pytest.raises(KeyboardInterrupt):
        export(tmp_path / "out", page_clip)
    assert list((tmp_path / "out" / "media").rglob("*.m4a"))
    assert not is_finished(tmp_path / "out", page_clip)


def test_a_full_disk_ends_the_export_in_one_sentence(tmp_path, page_clip, monkeypatch):
    def fill(*given):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(page_media, "write_aac", fill)
    with pytest.raises(BenchError, match="the disk of .* is full: free some space"):
        export(tmp_path / "out", page_clip)


def test_media_that_do_not_fit_are_refused_before_any_is_written(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(page_media.shutil, "disk_usage", lambda path: usage(9, 9, 10**9))
    page_media.require_space(tmp_path, 10**8)
    with pytest.raises(BenchError, match="the media need about 2,000 MB and .* has 1,000 MB free"):
        page_media.require_space(tmp_path, 2 * 10**9)


def test_a_clip_that_fails_is_named(tmp_path, page_clip, monkeypatch):
    def fail(*given):
        raise ValueError("odd")

    monkeypatch.setattr(page_media, "find_peaks", fail)
    assert export(tmp_path / "out", page_clip) == {"clip": "ValueError: odd"}
    assert not is_finished(tmp_path / "out", page_clip)


def test_peaks_are_the_extremes_of_each_part():
    waveform = np.zeros(4800, np.float32)
    waveform[15], waveform[4799] = -0.5, 1.25
    low, high = find_peaks(waveform)
    assert (low[1], high[1], high[-1]) == (-50, 0, 100)
    assert find_peaks(np.float32([0.1, -0.2])) == [[10, -20], [10, -20]]


def test_silence_has_a_dark_spectrogram():
    assert page_media.draw_spectrogram(np.zeros(44_100, np.float32)).max() < 30


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 50_000])
def test_aac_starts_where_the_samples_do(tmp_path, rate_hz):
    audio = bursts([0.5], 1.0, rate_hz)
    write_aac(tmp_path / "a.m4a", audio)
    found = read_audio(Excerpt(tmp_path / "a.m4a", 0.0, 1.0), mono=True, shortfall_s=0.01)
    position = int(np.argmax(np.abs(found.samples[0]))) / found.sample_rate_hz
    expected = int(np.argmax(np.abs(audio.samples[0]))) / rate_hz
    assert position == pytest.approx(expected, abs=0.001)


def test_the_name_of_a_clip_is_no_path():
    keys = {clip_key(name) for name in ("a", "A", "../a", "x" * 999, "\udce9")}
    assert len(keys) == 5
    assert all(key.isalnum() and len(key) == 20 for key in keys)
