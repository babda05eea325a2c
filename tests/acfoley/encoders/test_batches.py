"""Conditions encoded together: each clip once, for the same audio as one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from acfoley.encoders.files import FeatureFiles
from acfoley.generate import Job, Model, Settings
from acfoley.mini.variants import open_mini
from bench.errors import MediaError
from bench.media import write_video
from bench.types import Audio, Excerpt, parse_condition
from tests.acfoley.fakes import fake_model, work_of

KINDS = ("video", "sync", "text", "reference", "embedding")
#: Masks of Table 6, the full row included.
MASKS = ("", "audio", "sync", "video", "text")
QUICK = Settings(n_steps=1)


def noise(seed: int) -> Audio:
    samples = np.random.default_rng(seed).normal(0, 0.1, (1, 44_100)).clip(-1, 1)
    return Audio(samples.astype(np.float32), 44_100)


def write_clip(path: Path, shade: int) -> Excerpt:
    rng = np.random.default_rng(shade)
    frames = (rng.integers(0, shade, (48, 64, 3), dtype=np.uint8) for _ in range(45))
    write_video(path, frames, 25)
    return Excerpt(path)


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    """Three clips of one length and one of another."""
    return [
        Job(
            seconds=1.0 if number < 3 else 1.5,
            seed=number,
            video=write_clip(tmp_path / f"{number}.mp4", 60 * (number + 1)),
            prompt=f"striking {['wood', 'metal', 'glass', 'wood'][number]}",
            reference=noise(number),
        )
        for number in range(4)
    ]


def files(root: Path) -> FeatureFiles:
    return FeatureFiles(dict.fromkeys(KINDS, "weights"), "cpu", root)


def encoded(model: Model) -> dict[str, int]:
    """Clips that were encoded, and calls for frames of video."""
    return {name: n for name, n in work_of(model).items() if name != "decode"}


def generate_all(model: Model, jobs: Sequence[Job]) -> None:
    for job in jobs:
        model.generate_batch([job], QUICK)


def test_clips_of_one_length_are_encoded_in_one_call_and_each_once(jobs):
    model = fake_model()
    model.prepare([*jobs, jobs[0]])
    expected = {"videos": 2, "video": 4, "decoded video": 4, "sync": 4, "text": 3, "encode": 4}
    assert encoded(model) == expected
    model.prepare(jobs)
    generate_all(model, jobs)
    assert encoded(model) == expected


def test_the_rows_of_table_6_encode_each_clip_once(jobs, tmp_path):
    work = []
    for mask in MASKS:
        # Each row is a run of its own, by a process of its own.
        model, settings = fake_model(files=files(tmp_path)), Settings(1, mask=parse_condition(mask))
        model.prepare(jobs, settings)
        for job in jobs:
            model.generate_batch([job], settings)
        work.append({name: encoded(model).get(name, 0) for name in ("video", "sync", "encode")})
    assert work == [{"video": 4, "sync": 4, "encode": 4}] + [dict.fromkeys(work[0], 0)] * 4


def test_the_references_of_table_7_encode_each_video_once(jobs, tmp_path):
    total = {"video": 0, "sync": 0, "encode": 0}
    for number in range(6):
        model = fake_model(files=files(tmp_path))
        row = [
            replace(job, reference=None if number == 5 else noise(10 * number + job.seed))
            for job in jobs
        ]
        model.prepare(row)
        generate_all(model, row)
        total = {name: n + encoded(model).get(name, 0) for name, n in total.items()}
    assert total == {"video": 4, "sync": 4, "encode": 4 * 5}


def test_what_is_masked_is_not_encoded(jobs):
    model = fake_model()
    model.prepare(jobs, replace(QUICK, mask=parse_condition("video,audio")))
    assert encoded(model) == {"sync": 4, "text": 3}


def test_features_of_the_mini_encoders_and_audio_are_those_of_single_clips(jobs, home):
    alone, together = open_mini(), open_mini()
    for model in (alone, together):
        model.encoders._files = None
    together.prepare(jobs)
    for job in jobs:
        for kind in ("video", "sync"):
            one, other = (
                getattr(each.encoders, kind)(job.video, job.seconds) for each in (alone, together)
            )
            assert one.shape == other.shape
            torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
        posteriors = [
            each.encoders.reference(job.reference, "published") for each in (alone, together)
        ]
        torch.testing.assert_close(posteriors[0].mean, posteriors[1].mean, rtol=0, atol=1e-4)
        assert posteriors[0].mean.shape == posteriors[1].mean.shape
    # Griffin-Lim enlarges what rounding changes: latents are compared, which it decodes.
    found = {}
    for name, model in (("alone", alone), ("together", together)):
        kept: list[torch.Tensor] = []
        model._decode = lambda latents, seconds, kept=kept: kept.append(latents) or [noise(0)]
        generate_all(model, jobs[:2])
        found[name] = kept
    for one, other in zip(found["alone"], found["together"], strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4)
    assert not torch.allclose(found["alone"][0], found["alone"][1], atol=0.1)


def test_lists_of_jobs_are_encoded_together_on_a_gpu(jobs, monkeypatch):
    model = fake_model()
    monkeypatch.setattr(model, "_batches", lambda jobs: [[0, 1, 2], [3]])
    model.generate(jobs, QUICK)
    assert encoded(model)["videos"] == 1  # three together, and one by itself
    assert encoded(model)["video"] == 4


def test_more_clips_than_are_usually_kept_are_still_encoded_once(jobs, monkeypatch):
    model = fake_model()
    model.encoders._n_kept = 2
    model.prepare(jobs)
    generate_all(model, jobs)
    assert encoded(model)["video"] == 4


def test_a_clip_that_cannot_be_decoded_is_refused_as_when_it_is_generated(jobs, tmp_path):
    broken = replace(jobs[1], video=Excerpt(tmp_path / "none.mp4"))
    model = fake_model()
    with pytest.raises(MediaError, match=r"cannot read .*none\.mp4"):
        model.prepare([jobs[0], broken])
    with pytest.raises(MediaError, match=r"cannot read .*none\.mp4"):
        model.generate_batch([broken], QUICK)


def test_networks_that_take_turns_are_left_alone(jobs):
    model = fake_model(visiting=torch.device("cpu"))
    model.prepare(jobs)
    assert encoded(model) == {}
