"""MMAudio as a system gives the arrays of the reference, by the path that a run takes.

``System.open`` reads a checkpoint of the official layout, from where ``acfoley fetch`` puts it, and
the function that it returns is given requests. Only features and noise are those of the arrays, the
steps fewer, and the narrow arrays are of a network with fewer weights.
"""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import acfoley.generate
import acfoley.loading
import acfoley.params
import bench.checkpoints.verify
from acfoley.encoders import PromptFeatures
from acfoley.generate import DEFAULT, Job
from acfoley.memory import GIBIBYTE, estimate_need
from acfoley.network.weights import preset_params
from acfoley.params import FlowParams, sequence_lengths
from acfoley.sampling import Noise
from baselines.acfoley import official_weights
from bench.checkpoints.registry import weights_directory
from bench.errors import BenchError, MissingError
from bench.plugins import open_system
from bench.types import Condition, Excerpt, Request
from tests.acfoley.fakes import FakeCodec, fake_model
from tests.acfoley.seeded import MMAUDIO_GAIN, NARROW, draw, write_checkpoint
from tests.baselines.calls import generate_one

Ask = Callable[..., Request]
PRESETS = {
    "mmaudio-small-44k": "small_44k",
    "mmaudio-medium-44k": "medium_44k",
    "mmaudio-large-44k": "large_44k",
    "mmaudio-large-44k-v2": "large_44k_v2",
}
N_CLIPS = 2


@dataclass
class ArrayEncoders:
    """The features of clip i of the arrays, which the names of videos and prompts end in."""

    tag: str
    n_clips: int

    def video(self, video: Excerpt, seconds: float) -> Tensor:
        return draw(f"{self.tag}/clip", (self.n_clips, 64, 1024))[int(video.path.stem)]

    def sync_features(self, video: Excerpt, seconds: float) -> Tensor:
        return draw(f"{self.tag}/sync", (self.n_clips, 192, 768))[int(video.path.stem)]

    def prompts(self, prompts: list[str]) -> PromptFeatures:
        text = draw(f"{self.tag}/text", (self.n_clips, 77, 1024))
        found = [text[int(prompt)] for prompt in prompts]
        return PromptFeatures(torch.stack(found), ())

    def to(self, device: torch.device | str) -> ArrayEncoders:
        return self


@dataclass
class RecordingCodec(FakeCodec):
    """Keeps the latents that it is given to decode."""

    decoded: list[Tensor] = field(default_factory=list)

    def decode(self, latents: Tensor) -> Tensor:
        self.decoded.append(latents)
        return super().decode(latents)


@pytest.fixture
def opening(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RecordingCodec]]:
    """Write the files of a preset under drawn weights, and give it the features of the arrays."""

    def prepare(preset: str, params: FlowParams, tag: str, n_clips: int) -> RecordingCodec:
        monkeypatch.setitem(acfoley.params.PRESETS, preset, params)
        flow, *others = official_weights(preset)
        flow.parent.mkdir(parents=True, exist_ok=True)
        write_checkpoint(flow, params, MMAUDIO_GAIN)
        for path in others:
            path.write_bytes(b"weights of codec and encoders")
        # Drawn files have other checksums than the official ones, whose layout is what is tried.
        monkeypatch.setattr(bench.checkpoints.verify, "is_verified", lambda *_: True)
        codec = RecordingCodec()
        monkeypatch.setattr(acfoley.loading, "load_codec", lambda *_: codec)
        encoders = ArrayEncoders(tag, n_clips)
        monkeypatch.setattr(acfoley.loading, "load_encoders", lambda *_, **__: encoders)
        monkeypatch.setattr(acfoley.loading, "FeatureFiles", lambda *_: None)
        return codec

    yield prepare
    for path in weights_directory().glob("*"):
        path.unlink()


def request_of(index: int) -> Request:
    """The request of clip ``index`` of the arrays; its seed is the index too."""
    return Request(f"clip-{index}", 8.0, index, Excerpt(Path(f"/{index}.mp4")), prompt=str(index))


class ArrayNoise(Noise):
    """The noise of the arrays, whose clip is the seed."""

    def __init__(self, seed: int, **options: object) -> None:
        super().__init__(seed)
        self._clip = seed

    def latents(self, n_latents: int, width: int = 40) -> Tensor:
        return draw("flow/x0", (N_CLIPS, n_latents, width))[self._clip : self._clip + 1]


@pytest.mark.parametrize(
    ("name", "version"), [("mmaudio-small-44k", 1), ("mmaudio-large-44k-v2", 2)]
)
def test_samples_are_those_of_the_reference(name, version, opening, shared, monkeypatch):
    codec = opening(
        PRESETS[name], replace(NARROW, version=version, reference=None), "flow", N_CLIPS
    )
    monkeypatch.setattr(acfoley.generate, "Noise", ArrayNoise)
    five_steps = partial(acfoley.generate.Settings, n_steps=5)
    monkeypatch.setattr(acfoley.generate, "Settings", five_steps)
    generate = open_system(name).open("cpu")
    audios = generate([request_of(index) for index in range(N_CLIPS)])
    golden = np.load(shared / "golden" / f"flow_small_v{version}.npz")["euler5"]
    np.testing.assert_allclose(torch.cat(codec.decoded).numpy(), golden, atol=5e-4)
    # The codec makes 345 latents of 1,024 samples.
    assert sequence_lengths(8.0).samples == 353_280
    assert [audio.samples.shape for audio in audios] == [(1, 352_800)] * N_CLIPS


@pytest.mark.slow
@pytest.mark.timeout(1800)
@torch.inference_mode()
def test_the_full_size_opens_as_the_system_does_and_has_the_velocity_of_the_reference(
    opening, shared
):
    name = "mmaudio-large-44k-v2"
    opening(PRESETS[name], acfoley.params.PRESETS[PRESETS[name]], "flow_large", 1)
    (model,) = open_system(name).open("cpu").args
    features = model._encode(Job(8.0, 0, request_of(0).video, "0"), Noise(0), DEFAULT, print)
    # The array has a velocity at 0.5, where no step of Euler's method from 0 is without others.
    velocity = model.network(
        draw("flow_large/latent", (1, 345, 40)),
        torch.tensor([0.5]),
        model._project(features, sequence_lengths(8.0)),
    )
    golden = np.load(shared / "golden" / "flow_large_44k_v2.npz")["flow"]
    np.testing.assert_allclose(velocity.numpy(), golden, atol=1e-4)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """A narrow network between fakes instead of the published one; lists what was opened."""
    asked: list[tuple[object, ...]] = []

    def open_model(*arguments: object, **options: object) -> acfoley.generate.Model:
        asked.append(arguments)
        return fake_model(replace(NARROW, reference=None))

    monkeypatch.setattr(acfoley.loading, "open_model", open_model)
    return asked


@pytest.mark.parametrize("name", PRESETS)
def test_each_size_opens_its_own_official_file(name, home, opened):
    system = open_system(name)
    pickle.loads(pickle.dumps(system)).open("cpu")  # noqa: S301 - our own bytes
    assert opened[0][0] == PRESETS[name]
    assert system.weights()[0].name == f"mmaudio_{PRESETS[name]}.pth"
    assert system.lacks() == f"weights: acfoley fetch --preset {PRESETS[name]}"
    for path in system.weights():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert system.lacks() == ""


@pytest.mark.parametrize("name", PRESETS)
def test_missing_weights_are_one_line_with_the_command_that_fetches_them(name, home):
    with pytest.raises(MissingError, match=rf"`acfoley fetch --preset {PRESETS[name]}"):
        open_system(name).open("cpu")


def test_it_samples_as_published(opened, ask: Ask, monkeypatch):
    system, steps = open_system("mmaudio-large-44k"), []
    euler = acfoley.generate.euler

    def count(velocity, noise, n_steps, on_step):
        steps.append(n_steps)
        return euler(velocity, noise, 1, on_step)

    monkeypatch.setattr(acfoley.generate, "euler", count)
    generate = system.open("cpu")
    assert generate_one(generate, ask(system)).samples.shape == (1, round(2.5 * 44_100))
    assert steps == [25]
    assert generate.model.guidance == 4.5


def test_audio_depends_on_seed_and_masks_and_reads_no_reference(opened, ask: Ask, monkeypatch):
    quick = partial(acfoley.generate.Settings, n_steps=1)
    monkeypatch.setattr(acfoley.generate, "Settings", quick)
    system = open_system("mmaudio-large-44k")
    assert ask(system).reference is None
    assert system.masks == {"sync", "video", "text"}
    generate = system.open("cpu")
    changes = [{}, {"seed": 9}, *({"condition": Condition(frozenset({m}))} for m in system.masks)]
    made = [generate_one(generate, ask(system, **change)).samples for change in changes]
    for one, other in itertools.combinations(made, 2):
        assert not np.allclose(one, other, atol=1e-4)


def test_a_request_without_a_video_is_refused_by_the_name_of_its_clip(opened, ask: Ask):
    system = open_system("mmaudio-medium-44k")
    with pytest.raises(BenchError, match="'test_000000'"):
        generate_one(system.open("cpu"), ask(system, video=None))


@pytest.mark.parametrize(("name", "preset"), PRESETS.items())
def test_the_declared_memory_holds_a_full_batch(name, preset):
    system = open_system(name)
    n_clips = system.batch_size_on("cuda")
    need = estimate_need(preset_params(preset), torch.bfloat16, 8.0, n_clips=n_clips)
    assert 0.9 < need.total / GIBIBYTE / system.device_memory_gib <= 1.0


def test_the_second_version_is_noted_to_have_worse_distances():
    assert "worse in Frechet distances" in open_system("mmaudio-large-44k-v2").caveat
    assert open_system("mmaudio-large-44k").caveat == ""


def test_the_size_of_16_khz_is_refused_with_the_way_to_its_samples():
    system = open_system("mmaudio-small-16k")
    assert "codec of 16 kHz" in system.lacks()
    with pytest.raises(MissingError, match="--model precomputed:ARCHIVE"):
        system.open("cpu")
