"""What each network of the paper judge is given, under each profile; the networks are stand-ins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.backbones import imagebind, panns, synchformer
from bench.judges import Stimulus, open_judge
from bench.media import read_audio, reference_waveform, write_audio, write_video
from bench.runs.score import Pair, Scoring, _open_extraction, _open_scoring
from bench.suite import PROFILES
from bench.types import Audio, Clip, Excerpt

PUBLISHED, STRICT = "av-benchmark", "strict"


@pytest.fixture
def sound(tmp_path: Path, rng: np.random.Generator) -> Excerpt:
    """8 s of a 10 s stereo file whose channels differ and whose end is off centre."""
    samples = rng.normal(0, 0.05, (2, 441_000)).astype(np.float32)
    samples[:, 400_000:] += 0.3
    samples[1] *= 0.5
    write_audio(tmp_path / "sound.flac", Audio(samples.clip(-1, 1), 44_100))
    return Excerpt(tmp_path / "sound.flac", 0.0, 8.0)


@pytest.fixture
def picture(tmp_path: Path) -> Excerpt:
    frames = (np.full((240, 320, 3), 40 + i % 180, dtype=np.uint8) for i in range(250))
    write_video(tmp_path / "picture.mp4", frames, 25)
    return Excerpt(tmp_path / "picture.mp4", 0.0, 8.0)


def opened(name: str, profile: str):
    """The function of one extractor of the paper judge."""
    (extractor,) = (e for e in open_judge("paper", profile, Path("w")).extractors if e.name == name)
    return extractor.open()


@pytest.fixture
def heard_by_panns(monkeypatch):
    """The waveforms that PANNs is given."""
    heard: list[torch.Tensor] = []

    def embed(model, waveforms):
        heard.append(waveforms)
        return {"embedding": torch.zeros(1, 2048), "logits": torch.zeros(1, 527)}

    monkeypatch.setattr(panns, "load_panns", lambda checkpoint, device: None)
    monkeypatch.setattr(panns, "embed", embed)
    return heard


def test_the_published_profile_hears_the_whole_file_before_it_is_cut(sound, heard_by_panns):
    features = opened("panns", PUBLISHED)(Stimulus(sound))
    whole = read_audio(Excerpt(sound.path))
    expected = reference_waveform(whole, 16_000, 8.0, remove_dc=True)
    assert np.array_equal(heard_by_panns[0][0].numpy(), expected)
    assert features["embedding"].shape == (2048,)
    assert features["logits"].shape == (527,)


def test_the_strict_profile_hears_the_window_and_nothing_else(sound, heard_by_panns):
    opened("panns", STRICT)(Stimulus(sound))
    expected = reference_waveform(read_audio(sound), 16_000, 8.0, remove_dc=True)
    assert np.array_equal(heard_by_panns[0][0].numpy(), expected)
    assert abs(float(heard_by_panns[0].mean())) < 1e-4


def test_a_window_that_starts_later_is_heard_as_if_it_had_been_cut_out(sound, heard_by_panns):
    opened("panns", PUBLISHED)(Stimulus(Excerpt(sound.path, 1.0, 8.0)))
    cut = read_audio(Excerpt(sound.path, 1.0, 8.0))
    expected = reference_waveform(cut, 16_000, 8.0, remove_dc=True)
    assert np.array_equal(heard_by_panns[0][0].numpy(), expected)


@pytest.fixture
def heard_by_imagebind(monkeypatch):
    """What ImageBind's front ends are given."""
    heard: dict[str, torch.Tensor] = {}

    def reference_clips(samples):
        heard["channels"] = samples
        return torch.zeros(3, 128, 204)

    def front_end(waveforms, seconds):
        heard["mono"] = waveforms
        return torch.zeros(1, 3, 128, 204)

    monkeypatch.setattr(imagebind, "load_imagebind", lambda checkpoint, device: None)
    monkeypatch.setattr(imagebind, "reference_clips", reference_clips)
    monkeypatch.setattr(imagebind, "front_end", front_end)
    answer = {"embedding": torch.zeros(1, 1024)}
    monkeypatch.setattr(imagebind, "embed_audio", lambda model, mels: answer)
    return heard


def test_imagebind_hears_all_channels_of_the_file_or_the_mono_window(sound, heard_by_imagebind):
    opened("imagebind_audio", PUBLISHED)(Stimulus(sound))
    assert heard_by_imagebind["channels"].shape == (2, 160_000)
    opened("imagebind_audio", STRICT)(Stimulus(sound))
    assert heard_by_imagebind["mono"].shape == (1, 128_000)


def test_imagebind_sees_nine_pairs_of_frames(picture, monkeypatch):
    seen: list[torch.Tensor] = []

    def embed_picture(model, clips):
        seen.append(clips)
        return {"embedding": torch.zeros(1, 1024)}

    monkeypatch.setattr(imagebind, "load_imagebind", lambda checkpoint, device: None)
    monkeypatch.setattr(imagebind, "embed_picture", embed_picture)
    opened("imagebind_picture", PUBLISHED)(Stimulus(None, picture))
    assert seen[0].shape == (1, 9, 3, 2, 224, 224)


@pytest.fixture
def synchformer_stand_in(monkeypatch):
    """A Synchformer whose picture tokens count frames and whose logits choose class 12."""
    given: dict[str, torch.Tensor] = {}

    def video_features(encoder, frames):
        given["frames"] = frames
        return torch.full((1, 24, 8, 768), 7.0)

    def audio_features(model, waveforms):
        given["waveforms"] = waveforms
        return torch.zeros(1, 24, 6, 768)

    def offset_logits(model, video, audio):
        given["video"] = video
        return torch.eye(21)[12].expand(1, 2, 21).clone()

    monkeypatch.setattr(synchformer, "load_synchformer", lambda checkpoint, device: None)
    monkeypatch.setattr(synchformer, "load_video_encoder", lambda checkpoint, device: None)
    monkeypatch.setattr(synchformer, "video_features", video_features)
    monkeypatch.setattr(synchformer, "audio_features", audio_features)
    monkeypatch.setattr(synchformer, "offset_logits", offset_logits)
    return given


def test_desync_compares_the_sample_with_the_stored_picture(
    sound, picture, synchformer_stand_in, home
):
    metrics = tuple(row for row in PROFILES[PUBLISHED] if row.name == "desync")
    scoring = Scoring(metrics, open_judge("paper", PUBLISHED, Path("w")), None)
    pair = Pair(Clip("clip", sound, 8.0, picture=picture), sound)
    keys = _open_extraction(scoring)(pair)["keys"]
    assert synchformer_stand_in["frames"].shape == (1, 200, 3, 224, 224)
    assert synchformer_stand_in["waveforms"].shape == (1, 128_000)
    assert float(synchformer_stand_in["video"].mean()) == 7.0
    generated = scoring.load("generated", pair.clip, keys, ["sync"])
    assert metrics[0].score({}, generated) == pytest.approx(0.4)


def test_a_picture_is_looked_at_once_for_all_systems(sound, picture, synchformer_stand_in, home):
    metrics = tuple(row for row in PROFILES[PUBLISHED] if row.name == "desync")
    scoring = Scoring(metrics, open_judge("paper", PUBLISHED, Path("w")), None)
    clip = Clip("clip", sound, 8.0, picture=picture)
    _open_extraction(scoring)(Pair(clip, sound))
    del synchformer_stand_in["frames"]
    _open_extraction(scoring)(Pair(clip, Excerpt(sound.path, 1.0, 8.0)))
    assert "frames" not in synchformer_stand_in
    assert "waveforms" in synchformer_stand_in


def test_without_a_picture_desync_is_not_scored(sound, synchformer_stand_in, home):
    metrics = tuple(row for row in PROFILES[PUBLISHED] if row.name in {"desync", "onset_acc"})
    scoring = Scoring(metrics, open_judge("paper", PUBLISHED, Path("w")), None)
    pair = Pair(Clip("clip", sound, 8.0), sound)
    keys = _open_extraction(scoring)(pair)["keys"]
    assert synchformer_stand_in == {}
    scores = _open_scoring(scoring)((pair, keys))["scores"]
    assert scores["desync"] is None
    assert scores["onset_acc"] == 1.0


def test_a_clip_that_a_network_cannot_hear_keeps_its_other_columns(sound, home):
    names = {"kl_passt", "onset_acc"}
    metrics = tuple(row for row in PROFILES[PUBLISHED] if row.name in names)
    scoring = Scoring(metrics, open_judge("paper", PUBLISHED, Path("w")), None)
    too_long = Excerpt(sound.path, 0.0, 9.99), 10.5  # PaSST hears 10 s
    pair = Pair(Clip("clip", too_long[0], too_long[1]), too_long[0])
    keys = _open_extraction(scoring)(pair)["keys"]
    scores = _open_scoring(scoring)((pair, keys))["scores"]
    assert scores["kl_passt"] is None
    assert scores["onset_acc"] == 1.0


def test_a_sample_a_frame_short_has_as_many_segments_as_its_picture(
    tmp_path, picture, synchformer_stand_in, home
):
    samples = np.zeros((1, 352_359), np.float32)  # 7.99 s
    write_audio(tmp_path / "short.flac", Audio(samples, 44_100))
    short = Excerpt(tmp_path / "short.flac", 0.0, 8.0)
    metrics = tuple(row for row in PROFILES[PUBLISHED] if row.name == "desync")
    scoring = Scoring(metrics, open_judge("paper", PUBLISHED, Path("w")), None)
    _open_extraction(scoring)(Pair(Clip("clip", short, 8.0, picture=picture), short))
    assert synchformer_stand_in["waveforms"].shape == (1, 128_000)


def test_features_that_are_not_finite_fail_their_clip_and_are_not_kept(sound, monkeypatch, home):
    from bench.errors import BenchError

    broken = {"embedding": torch.full((1, 2048), torch.nan), "logits": torch.zeros(1, 527)}
    monkeypatch.setattr(panns, "load_panns", lambda checkpoint, device: None)
    monkeypatch.setattr(panns, "embed", lambda model, waveforms: broken)
    metrics = tuple(row for row in PROFILES[PUBLISHED] if row.name == "kl_panns")
    scoring = Scoring(metrics, open_judge("paper", PUBLISHED, Path("w")), None)
    with pytest.raises(BenchError, match="panns gave values that are not finite"):
        _open_extraction(scoring)(Pair(Clip("clip", sound, 8.0), sound))
    assert not list((home / "features").rglob("*.safetensors"))
