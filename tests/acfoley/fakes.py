"""Fakes of codec and encoders: their contracts without weights; they count their calls."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import torch
from torch import Tensor

from acfoley.codec import Posterior
from acfoley.encoders import PromptFeatures
from acfoley.encoders.clip import clip_frames
from acfoley.encoders.encoders import sync_frames
from acfoley.encoders.files import FeatureFiles
from acfoley.generate import Model
from acfoley.network.initialise import new_network
from acfoley.params import FlowParams
from bench.types import Excerpt, Waveform
from tests.acfoley.seeded import ACFOLEY_GAIN, NARROW, draw, seeded_state


@dataclass
class FakeEncoders:
    """Features drawn from the inputs; ``counts`` has the number of calls."""

    counts: Counter[str] = field(default_factory=Counter)
    devices: list[str] = field(default_factory=list)

    def video(self, video: Excerpt, seconds: float) -> Tensor:
        self.counts["video"] += 1
        frames = clip_frames(video, seconds)
        return draw(f"video {frames.mean():.4f}", (len(frames), 1024))

    def sync_features(self, video: Excerpt, seconds: float) -> Tensor:
        self.counts["sync"] += 1
        frames = sync_frames(video, seconds)
        n_segments = (len(frames) - 16) // 8 + 1
        return draw(f"sync {frames.mean():.4f}", (8 * n_segments, 768))

    def video_frames(self, video: Excerpt, seconds: float) -> Tensor:
        self.counts["decoded video"] += 1
        return clip_frames(video, seconds)

    def videos(self, frames: Tensor) -> Tensor:
        self.counts["videos"] += 1
        self.counts["video"] += len(frames)
        return torch.stack([draw(f"video {each.mean():.4f}", (len(each), 1024)) for each in frames])

    def sync_frames(self, video: Excerpt, seconds: float) -> Tensor:
        return sync_frames(video, seconds)

    def syncs(self, frames: Tensor) -> Tensor:
        self.counts["sync"] += len(frames)
        n_segments = (frames.shape[1] - 16) // 8 + 1
        return torch.stack(
            [draw(f"sync {each.mean():.4f}", (8 * n_segments, 768)) for each in frames]
        )

    def prompts(self, prompts: list[str]) -> PromptFeatures:
        self.counts["text"] += 1
        cut = tuple(f"{prompt!r} was cut" for prompt in prompts if len(prompt) > 77)
        return PromptFeatures(torch.cat([draw(prompt, (1, 77, 1024)) for prompt in prompts]), cut)

    def embedding(self, waveform: Waveform) -> Tensor:
        self.counts["embedding"] += 1
        return draw(f"embedding {waveform.std():.6f}", (512,))

    def to(self, device: torch.device | str) -> FakeEncoders:
        self.devices.append(str(device))
        return self


@dataclass
class FakeCodec:
    """Latents are levels of 1,024 samples each, and the other way round."""

    counts: Counter[str] = field(default_factory=Counter)
    devices: list[str] = field(default_factory=list)

    def encode(self, waveforms: Tensor) -> Posterior:
        self.counts["encode"] += len(waveforms)
        mean = waveforms.reshape(len(waveforms), -1, 1024)[..., :40]
        return Posterior(mean, torch.full_like(mean, 0.5))

    def decode(self, latents: Tensor) -> Tensor:
        self.counts["decode"] += 1
        return torch.tanh(latents.mean(-1)).repeat_interleave(1024, dim=1)

    def to(self, device: torch.device | str) -> FakeCodec:
        self.devices.append(str(device))
        return self


def fake_model(
    params: FlowParams = NARROW,
    visiting: torch.device | None = None,
    files: FeatureFiles | None = None,
) -> Model:
    """A seeded narrow network between the fakes."""
    network = new_network(params, seed=0)
    network.load_state_dict(seeded_state(params, ACFOLEY_GAIN))
    network.eval().requires_grad_(False)
    return Model(network, FakeCodec(), FakeEncoders(), visiting=visiting, files=files)


def work_of(model: Model) -> Counter[str]:
    """The number of calls of each part."""
    cached = model.encoders
    return cached._encoders.counts + cached._codec.counts
