"""The inputs of each network of the paper judge, under each profile; the networks are fakes."""

from __future__ import annotations

import gc
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import backbones
from bench.backbones import imagebind, panns, synchformer
from bench.checkpoints.registry import OFFICIAL_FILES
from bench.engine import InlineEngine
from bench.errors import MediaError
from bench.judges import ClipMedia, open_judge
from bench.media import prepare_evaluator_waveform, read_audio, write_audio, write_video
from bench.pipeline.extract import extract_features
from bench.pipeline.roles import Pair, Scoring
from bench.pipeline.score import score_pairs
from bench.suite import PROFILES
from bench.types import Audio, Clip, Excerpt

PUBLISHED, STRICT = "av-benchmark", "strict"


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Excerpt:
    """8 s of a 10 s stereo file whose channels differ and whose end is off centre."""
    folder, rng = tmp_path_factory.mktemp("audio"), np.random.default_rng(20260)
    samples = rng.normal(0, 0.05, (2, 441_000)).astype(np.float32)
    samples[:, 400_000:] += 0.3
    samples[1] *= 0.5
    write_audio(folder / "audio.flac", Audio(samples.clip(-1, 1), 44_100))
    return Excerpt(folder / "audio.flac", 0.0, 8.0)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Excerpt:
    path = tmp_path_factory.mktemp("video") / "video.mp4"
    return Excerpt(write_frames(path, 250), 0.0, 8.0)


def write_frames(path: Path, n_frames: int) -> Path:
    """Small frames, each a little brighter than the one before."""
    frames = (np.full((60, 80, 3), 40 + i % 180, dtype=np.uint8) for i in range(n_frames))
    write_video(path, frames, 25)
    return path


def prepared(name: str, profile: str, media: ClipMedia):
    """Return the inputs of one network of the paper judge for a clip."""
    (extractor,) = (e for e in open_judge("paper", profile, Path("w")).extractors if e.name == name)
    return extractor.prepare(media)


def extracted(pair: Pair, scoring: Scoring):
    """The keys of a pair whose features are in the stores now."""
    (outcome,) = extract_features([pair], scoring, InlineEngine())
    assert outcome.failure is None
    return outcome.value


def scored(pair: Pair, keys, scoring: Scoring):
    (outcome,) = score_pairs([(pair, keys)], scoring, InlineEngine())
    return outcome.value


def panns_images(waveform: np.ndarray) -> np.ndarray:
    return panns.front_end(torch.from_numpy(waveform)[None])[0].numpy()


def test_the_published_profile_processes_the_full_file_before_it_is_cut(audio):
    images = prepared("panns", PUBLISHED, ClipMedia(audio))["images"]
    whole = read_audio(Excerpt(audio.path))
    waveform = prepare_evaluator_waveform(whole, 16_000, 8.0, remove_dc=True)
    assert np.array_equal(images, panns_images(waveform))
    assert images.shape == (801, 64)


def test_the_strict_profile_uses_the_window_and_nothing_else(audio):
    images = prepared("panns", STRICT, ClipMedia(audio))["images"]
    waveform = prepare_evaluator_waveform(read_audio(audio), 16_000, 8.0, remove_dc=True)
    assert np.array_equal(images, panns_images(waveform))
    assert not np.array_equal(images, prepared("panns", PUBLISHED, ClipMedia(audio))["images"])


def test_a_window_that_starts_later_is_treated_as_a_file_of_its_own(audio):
    later = Excerpt(audio.path, 1.0, 8.0)
    waveform = prepare_evaluator_waveform(read_audio(later), 16_000, 8.0, remove_dc=True)
    images = prepared("panns", PUBLISHED, ClipMedia(later))["images"]
    assert np.array_equal(images, panns_images(waveform))


def test_imagebind_gets_all_channels_of_the_file_or_the_mono_window(audio, monkeypatch):
    waveform: dict[str, torch.Tensor] = {}

    def reference_clips(samples, gaps):
        assert gaps == imagebind.PINNED_GAPS
        waveform["channels"] = samples
        return torch.zeros(3, 128, 204)

    def front_end(waveforms, seconds, gaps):
        assert gaps == imagebind.PINNED_GAPS
        waveform["mono"] = waveforms
        return torch.zeros(1, 3, 128, 204)

    monkeypatch.setattr(imagebind, "reference_clips", reference_clips)
    monkeypatch.setattr(imagebind, "front_end", front_end)
    prepared("imagebind_audio", PUBLISHED, ClipMedia(audio))
    assert waveform["channels"].shape == (2, 160_000)
    prepared("imagebind_audio", STRICT, ClipMedia(audio))
    assert waveform["mono"].shape == (1, 128_000)


def test_imagebind_gets_nine_pairs_of_frames(video):
    clips = prepared("imagebind_picture", PUBLISHED, ClipMedia(None, video))["clips"]
    assert clips.shape == (9, 3, 2, 224, 224)


@pytest.mark.parametrize("n_frames", [200, 199, 198])
def test_a_video_a_little_shorter_than_its_window_repeats_its_last_frame(tmp_path, n_frames):
    window = Excerpt(write_frames(tmp_path / "video.mp4", n_frames), 0.0, 8.0)
    pixels = prepared("sync_picture", PUBLISHED, ClipMedia(None, window))["pixels"]
    assert pixels.shape == (200, 224, 224, 3)
    assert all(np.array_equal(frame, pixels[n_frames - 1]) for frame in pixels[n_frames:])


def test_a_video_short_by_more_than_a_tenth_of_a_second_is_refused(tmp_path):
    window = Excerpt(write_frames(tmp_path / "video.mp4", 197), 0.0, 8.0)
    with pytest.raises(MediaError, match="197 frames, 200 are needed"):
        ClipMedia(None, window).frames(25, 224)


@pytest.fixture
def synchformer_stand_in(monkeypatch):
    """A Synchformer whose video tokens count frames and whose logits choose class 12."""
    given: dict[str, torch.Tensor] = {}

    def video_features(encoder, frames):
        given["frames"] = frames
        return torch.full((1, 24, 8, 768), 7.0)

    def front_end(waveforms):
        given["waveforms"] = waveforms
        return torch.zeros(1, 24, 128, 66)

    def audio_tokens(model, images):
        return torch.zeros(1, 24, 6, 768)

    def offset_logits(model, video, audio):
        given["video"] = video
        return torch.eye(21)[12].expand(1, 2, 21).clone()

    monkeypatch.setattr(synchformer, "load_synchformer", lambda *_: torch.nn.Identity())
    monkeypatch.setattr(synchformer, "video_features", video_features)
    monkeypatch.setattr(synchformer, "front_end", front_end)
    monkeypatch.setattr(synchformer, "audio_tokens", audio_tokens)
    monkeypatch.setattr(synchformer, "offset_logits", offset_logits)
    return given


def test_desync_compares_the_sample_with_the_stored_video(audio, video, synchformer_stand_in, home):
    metrics = tuple(row for row in PROFILES[PUBLISHED] if row.name == "desync")
    scoring = Scoring(metrics, open_judge("paper", PUBLISHED, Path("w")), None)
    pair = Pair(Clip("clip", audio, 8.0, video=video), audio)
    keys = extracted(pair, scoring)
    assert synchformer_stand_in["frames"].shape == (1, 200, 3, 224, 224)
    assert synchformer_stand_in["waveforms"].shape == (1, 128_000)
    assert float(synchformer_stand_in["video"].mean()) == 7.0
    generated = scoring.load("generated", pair.clip, keys, ["sync"])
    assert metrics[0].score({}, generated) == pytest.approx(0.4)


def test_a_video_is_encoded_once_for_all_systems(audio, video, synchformer_stand_in, home):
    metrics = tuple(row for row in PROFILES[PUBLISHED] if row.name == "desync")
    scoring = Scoring(metrics, open_judge("paper", PUBLISHED, Path("w")), None)
    clip = Clip("clip", audio, 8.0, video=video)
    extracted(Pair(clip, audio), scoring)
    del synchformer_stand_in["frames"]
    extracted(Pair(clip, Excerpt(audio.path, 1.0, 8.0)), scoring)
    assert "frames" not in synchformer_stand_in
    assert "waveforms" in synchformer_stand_in


def test_without_video_desync_is_not_scored(audio, synchformer_stand_in, home):
    metrics = tuple(row for row in PROFILES[PUBLISHED] if row.name in {"desync", "onset_acc"})
    scoring = Scoring(metrics, open_judge("paper", PUBLISHED, Path("w")), None)
    pair = Pair(Clip("clip", audio, 8.0), audio)
    keys = extracted(pair, scoring)
    assert synchformer_stand_in == {}
    scores = scored(pair, keys, scoring)
    assert scores["desync"] is None
    assert scores["onset_acc"] == 1.0


def test_a_clip_that_a_network_cannot_encode_keeps_its_other_columns(audio, home):
    names = {"kl_passt", "onset_acc"}
    metrics = tuple(row for row in PROFILES[PUBLISHED] if row.name in names)
    scoring = Scoring(metrics, open_judge("paper", PUBLISHED, Path("w")), None)
    too_long = Excerpt(audio.path, 0.0, 9.99), 10.5  # PaSST encodes at most 10 s
    pair = Pair(Clip("clip", too_long[0], too_long[1]), too_long[0])
    keys = extracted(pair, scoring)
    scores = scored(pair, keys, scoring)
    assert scores["kl_passt"] is None
    assert scores["onset_acc"] == 1.0


def test_a_sample_a_frame_short_has_as_many_segments_as_its_video(
    tmp_path, video, synchformer_stand_in, home
):
    samples = np.zeros((1, 352_359), np.float32)  # 7.99 s
    write_audio(tmp_path / "short.flac", Audio(samples, 44_100))
    short = Excerpt(tmp_path / "short.flac", 0.0, 8.0)
    metrics = tuple(row for row in PROFILES[PUBLISHED] if row.name == "desync")
    scoring = Scoring(metrics, open_judge("paper", PUBLISHED, Path("w")), None)
    extracted(Pair(Clip("clip", short, 8.0, video=video), short), scoring)
    assert synchformer_stand_in["waveforms"].shape == (1, 128_000)


def test_features_that_are_not_finite_fail_their_clip_and_are_not_kept(audio, monkeypatch, home):
    broken = torch.full((1, 2048), torch.nan), torch.zeros(1, 527)
    monkeypatch.setattr(panns, "load_panns", lambda checkpoint, device: lambda images: broken)
    metrics = tuple(row for row in PROFILES[PUBLISHED] if row.name == "kl_panns")
    scoring = Scoring(metrics, open_judge("paper", PUBLISHED, Path("w")), None)
    pair = Pair(Clip("clip", audio, 8.0), audio)
    (outcome,) = extract_features([pair], scoring, InlineEngine())
    assert outcome.failure.message == "panns gave values that are not finite"
    kept = {path.relative_to(home).parts[2] for path in (home / "features").rglob("*.safetensors")}
    assert kept == {"audio_remarks"}


@pytest.mark.parametrize(
    ("backbone", "extractor"),
    [
        ("passt", "passt"),
        ("panns", "panns"),
        ("vggish", "vggish"),
        ("imagebind", "imagebind_picture"),
        ("synchformer", "sync"),
        ("clap", "clap_audio"),
    ],
)
def test_a_changed_front_end_makes_features_of_its_own(backbone, extractor, monkeypatch):
    (before,) = open_judge("paper", PUBLISHED, Path("w")).select([extractor])[-1:]
    monkeypatch.setitem(backbones.PREPROCESSING, backbone, "another")
    (after,) = open_judge("paper", PUBLISHED, Path("w")).select([extractor])[-1:]
    assert before.version != after.version


def test_changed_vocabulary_makes_features_of_prompts_of_their_own(monkeypatch):
    clap_text = ["clap_text"]
    (before,) = open_judge("paper", PUBLISHED, Path("w")).select(clap_text)
    for name in ("roberta-vocab", "roberta-merges"):
        with monkeypatch.context() as patch:
            changed = replace(OFFICIAL_FILES[name], sha256="0" * 64)
            patch.setitem(OFFICIAL_FILES, name, changed)
            (after,) = open_judge("paper", PUBLISHED, Path("w")).select(clap_text)
        assert before.version != after.version


def test_versions_name_soxr_where_it_resamples_the_audio(monkeypatch):
    before = {
        each.name: each.version for each in open_judge("paper", PUBLISHED, Path("w")).extractors
    }
    monkeypatch.setattr(metadata, "version", lambda name: "99")
    after = {
        each.name: each.version for each in open_judge("paper", PUBLISHED, Path("w")).extractors
    }
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"clap_audio", "onset", "cepstra", "cepstra_c1", "spectrum"} & set(before)
    assert after["clap_audio"].endswith("-soxr-99")


def test_two_extractors_of_one_checkpoint_load_it_once(monkeypatch):
    loaded = []

    def load(name: str):
        loaded.append(name)
        return torch.nn.Identity()

    monkeypatch.setattr(imagebind, "load_imagebind", lambda *_: load("imagebind"))
    monkeypatch.setattr(synchformer, "load_synchformer", lambda *_: load("synchformer"))
    judge = open_judge("paper", PUBLISHED, Path("w"))
    names = ["imagebind_audio", "imagebind_picture", "sync", "sync_picture"]
    opened = [extractor.open() for extractor in judge.select(names)]
    assert sorted(loaded) == ["imagebind", "synchformer"]
    del opened
    gc.collect()
    judge.select(["sync"])[-1].open()
    assert loaded.count("synchformer") == 2, "a network leaves memory with its last extractor"
