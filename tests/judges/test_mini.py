"""The mini judge: the outputs of its extractors for real files, and the columns that read them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from bench.judges import ClipMedia, open_judge
from bench.mini_judges.front_end import (
    ACTION_NAMES,
    ACTION_OF,
    MATERIAL_NAMES,
    MATERIAL_OF,
)
from bench.mini_judges.weights import weights_hash
from bench.suite import PROFILES, select_computable
from bench.synthetic.dataset import render_clip
from bench.synthetic.scene import make_scene
from bench.types import Excerpt

SPLIT = "mini-heldout"
CLIPS = (1, 3)


@pytest.fixture(scope="module")
def media(tmp_path_factory) -> list[ClipMedia]:
    """Two clips as they are on disk, after H.264 and AAC; each is decoded once for all tests."""
    folder = tmp_path_factory.mktemp("clips")
    files = [folder / render_clip(folder, SPLIT, index)["file"] for index in CLIPS]
    return [ClipMedia(Excerpt(file, 0.0, 8.0), Excerpt(file, 0.0, 8.0)) for file in files]


@pytest.fixture(scope="module")
def features(media) -> Callable[[str], list]:
    """The features of both clips by the extractor of a name, computed once as one batch."""
    return cache(lambda name: embed(name, media))


def network(name: str):
    (extractor,) = (e for e in open_judge("mini", "strict").extractors if e.name == name)
    return extractor


def embed(name: str, clips) -> list:
    extractor = network(name)
    return list(extractor.open()([extractor.prepare(clip) for clip in clips]))


def test_the_mini_judge_computes_every_column_of_the_paper_without_any_official_weights():
    for profile, rows in PROFILES.items():
        judge = open_judge("mini", profile)
        ten = tuple(row for row in rows if not row.is_extra)
        assert len(ten) == 10
        assert select_computable(ten, judge) == ten
        assert {each.weights for each in judge.extractors} == {""}


def test_extractors_and_features_have_the_names_of_those_of_the_paper(features):
    names = [(e.name, e.modality, e.after) for e in open_judge("mini", "strict").extractors]
    papers = open_judge("paper", "strict", Path("w")).extractors
    assert names == [(e.name, e.modality, e.after) for e in papers][: len(names)]
    shapes = {"passt": (96,), "panns": (128,), "vggish": (8, 64)}
    for name, shape in shapes.items():
        first = features(name)[0]
        assert first["embedding"].shape == shape
        assert ("logits" in first) == (name != "vggish")


def test_versions_name_the_weights_that_are_shipped():
    for name in ("passt", "panns", "vggish"):
        assert weights_hash(name)[:12] in network(name).version
    assert weights_hash("synchformer")[:12] in network("sync").version


def test_versions_name_soxr_where_it_resamples_the_audio(monkeypatch):
    before = {each.name: each.version for each in open_judge("mini", "strict").extractors}
    installed = metadata.version("soxr")
    monkeypatch.setattr(metadata, "version", lambda name: f"{installed}.post1")
    after = {each.name: each.version for each in open_judge("mini", "strict").extractors}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == set(before) - {"imagebind_picture", "sync_picture"}
    assert {"onset", "passt", "sync"} <= changed


def test_features_do_not_depend_on_the_batch(media, features):
    for name in ("passt", "panns", "vggish", "imagebind_audio"):
        for clip, each in zip(features(name), media, strict=True):
            (alone,) = embed(name, [each])
            for feature, array in alone.items():
                np.testing.assert_allclose(clip[feature], array, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", ["passt", "panns"])
def test_the_class_of_a_clip_is_recognised_after_its_codec(name, features):
    predicted = [int(each["logits"].argmax()) for each in features(name)]
    classes = [(ACTION_NAMES[ACTION_OF[n]], MATERIAL_NAMES[MATERIAL_OF[n]]) for n in predicted]
    scenes = [make_scene(SPLIT, index) for index in CLIPS]
    assert classes == [(scene.action, scene.material) for scene in scenes]


def test_a_clip_on_disk_is_in_step_with_itself(media, features):
    sync = network("sync")
    prepared = [
        {**sync.prepare(clip), "sync_picture.tokens": video["tokens"]}
        for clip, video in zip(media, features("sync_picture"), strict=True)
    ]
    logits = np.stack([each["logits"] for each in sync.open()(prepared)])
    assert logits.shape == (2, 2, 21)
    assert (logits.argmax(axis=-1) == 10).all()


def test_the_video_of_a_clip_matches_its_own_audio_better(features):
    video, audio = (
        np.stack([each["embedding"] for each in features(f"imagebind_{modality}")])
        for modality in ("picture", "audio")
    )
    cosines = video @ audio.T
    assert np.diag(cosines).min() > np.diag(cosines[::-1]).max() + 0.2
