"""Features on disk: encoded once for all systems and masks, never stale, checked when read."""

from __future__ import annotations

import logging
import resource
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

from acfoley.encoders.files import Entry, FeatureFiles
from acfoley.generate import Job, Model, Settings
from acfoley.params import CLAP_REFERENCE
from bench.media import write_video
from bench.types import Audio, Excerpt, parse_condition
from tests.acfoley.fakes import fake_model, work_of
from tests.acfoley.seeded import NARROW

QUICK = Settings(n_steps=2)
KINDS = ("video", "sync", "text", "reference", "embedding")


def files(root: Path, **changes: str) -> FeatureFiles:
    return FeatureFiles({**dict.fromkeys(KINDS, "weights"), **changes}, "cpu", root)


def model_with(features: FeatureFiles, **changes: object) -> Model:
    return fake_model(replace(NARROW, **changes), files=features)


def encoded(model: Model) -> dict[str, int]:
    """The number of calls of each encoder."""
    return {name: n for name, n in work_of(model).items() if name != "decode"}


def write(path: Path, shade: int) -> Excerpt:
    write_video(path, (np.full((48, 64, 3), shade, np.uint8) for _ in range(45)), 25)
    return Excerpt(path)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 44_100)).clip(-1, 1)
    audio = Audio(noise.astype(np.float32), 44_100)
    video = write(tmp_path / "clip.mp4", 90)
    return Job(seconds=1.5, seed=3, video=video, prompt="a dog", reference=audio)


def test_other_systems_masks_seeds_and_copies_call_no_encoder(job, tmp_path):
    first = model_with(files(tmp_path / "features"))
    first.generate([job], QUICK)
    assert encoded(first) == {"video": 1, "sync": 1, "text": 1, "encode": 1}
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(job.video.path.read_bytes())
    second = model_with(files(tmp_path / "features"))
    for mask in ("", "audio", "sync", "video", "text"):
        settings = replace(QUICK, mask=parse_condition(mask))
        second.generate([replace(job, seed=9, video=Excerpt(copy))], settings)
    assert encoded(second) == {}


def test_a_reference_has_a_file_per_encoder(job, tmp_path):
    model_with(files(tmp_path / "features")).generate([job], QUICK)
    other = model_with(files(tmp_path / "features"), reference=CLAP_REFERENCE)
    other.generate([job], QUICK)
    assert encoded(other) == {"embedding": 1}


def test_audio_is_the_same_to_the_bit_without_with_and_from_the_cache(job, tmp_path):
    (plain,) = fake_model().generate([job], QUICK)
    for _ in range(2):
        (cached,) = model_with(files(tmp_path / "features")).generate([job], QUICK)
        assert np.array_equal(cached.samples, plain.samples)


def test_changed_bytes_windows_and_weights_are_encoded_again(job, tmp_path):
    root = tmp_path / "features"
    model_with(files(root)).generate([job], QUICK)
    write(job.video.path, 180)
    changed = model_with(files(root))
    changed.generate([job], QUICK)
    assert encoded(changed) == {"video": 1, "sync": 1}
    later = model_with(files(root))
    later.generate([replace(job, video=Excerpt(job.video.path, 0.2))], QUICK)
    assert encoded(later) == {"video": 1, "sync": 1}
    retrained = model_with(files(root, sync="other weights"))
    retrained.generate([job], QUICK)
    assert encoded(retrained) == {"sync": 1}


def test_a_damaged_file_is_computed_again_with_a_note(job, tmp_path, caplog):
    root = tmp_path / "features"
    (expected,) = model_with(files(root)).generate([job], QUICK)
    for path in root.rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:100])
    repaired = model_with(files(root))
    with caplog.at_level(logging.WARNING):
        (audio,) = repaired.generate([job], QUICK)
    assert encoded(repaired) == {"video": 1, "sync": 1, "text": 1, "encode": 1}
    assert np.array_equal(audio.samples, expected.samples)
    assert [("are damaged" in each.message) for each in caplog.records] == [True] * 4
    again = model_with(files(root))
    again.generate([job], QUICK)
    assert encoded(again) == {}


def test_a_folder_that_cannot_be_written_costs_time_only(job, tmp_path, caplog):
    (tmp_path / "features").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        (audio,) = model_with(files(tmp_path / "features")).generate([job], QUICK)
    assert audio.samples.any()
    assert all("cannot keep the features" in each.message for each in caplog.records)
    assert len(caplog.records) == 4


def test_a_full_disk_costs_time_only(tmp_path, caplog):
    features = files(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        features.save("video", "ab12", Entry({"features": torch.ones(10_000)}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ["cannot keep the features" in each.message for each in caplog.records] == [True]
    assert features.load("video", "ab12") is None
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_file_that_cannot_be_read_is_noted_and_computed_again(tmp_path, caplog):
    features = files(tmp_path)
    features.path("video", "ab12").mkdir(parents=True)
    assert features.load("video", "ab12") is None
    assert ["cannot read the features" in each.message for each in caplog.records] == [True]


def test_notes_of_a_cut_prompt_are_kept_with_its_features(job, tmp_path, caplog):
    long = replace(job, prompt="dog " * 30)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            model_with(files(tmp_path / "features")).generate([long], QUICK)
    assert [each.message.endswith("was cut") for each in caplog.records] == [True, True]


def test_kinds_without_weights_are_not_kept_on_disk(tmp_path):
    features = FeatureFiles({"video": "weights"}, "cpu", tmp_path)
    features.save("text", "ab12", Entry({"features": torch.ones(1)}))
    assert features.load("text", "ab12") is None
    assert list(tmp_path.iterdir()) == []


def test_a_gpu_has_files_of_its_own_of_the_precision_it_has_now(tmp_path):
    cpu, gpu = (FeatureFiles({"video": "w"}, device, tmp_path) for device in ("cpu", "cuda:1"))
    assert cpu.path("video", "ab") == tmp_path / "video" / "w-1-cpu" / "ab" / "ab.safetensors"
    assert (
        gpu.path("video", "ab") == tmp_path / "video" / "w-1-cuda-no-tf32" / "ab" / "ab.safetensors"
    )


def test_another_version_of_soxr_encodes_again_what_it_resamples(tmp_path, monkeypatch):
    before = files(tmp_path)
    monkeypatch.setattr(metadata, "version", lambda name: "99")
    after = files(tmp_path)
    is_same = {kind: before.path(kind, "ab") == after.path(kind, "ab") for kind in KINDS}
    assert is_same == {kind: kind != "embedding" for kind in KINDS}
    assert after.path("embedding", "ab").parents[1].name == "weights-1-cpu-soxr-99"


def test_many_writers_of_one_file_leave_it_complete(tmp_path):
    features, entry = files(tmp_path), Entry({"features": torch.arange(50_000.0)})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: features.save("video", "ab12", entry), range(40)))
    found = features.load("video", "ab12")
    assert found is not None
    assert torch.equal(found.tensors["features"], entry.tensors["features"])
    assert len(list(tmp_path.rglob("*"))) == 4
