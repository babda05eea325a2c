"""The published encoders of video, prompt and, for one preset, of the reference.

    encoders = load_encoders(clip_file, synchformer_file, device)
    video = encoders.video(excerpt, seconds=8)            # [64, 1024]
    sync = encoders.sync_features(excerpt, seconds=8)     # [192, 768]
    text = encoders.prompts(["dog barking"]).features     # [1, 77, 1024]

and, loaded with the file of CLAP, for networks that take references as its embeddings:

    vector = encoders.embedding(waveform)                 # [512]

Each clip is encoded by itself, so that its features depend on nothing else and can be cached
(``cache``). References are prepared by ``prepare_reference`` and encoded by the codec, or by CLAP.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from acfoley.encoders.clip import (
    clip_frames,
    image_features,
    load_clip,
    text_features,
    token_batch,
    tokenise,
)
from acfoley.params import REFERENCE_SAMPLES, SAMPLE_RATE_HZ, SAMPLES_PER_LATENT, SYNC_FPS
from bench.backbones.clap import SAMPLE_RATE_HZ as CLAP_RATE_HZ
from bench.backbones.clap import embed_audio, front_end, load_clap_audio
from bench.backbones.synchformer import SIDE_PIXELS as SYNC_SIDE
from bench.backbones.synchformer import (
    VideoEncoder,
    load_video_encoder,
    video_features,
    video_front_end,
)
from bench.errors import BenchError, MediaError
from bench.media import center_crop, read_frames, resample
from bench.types import MAX_SHORTFALL_S, Audio, Excerpt, Waveform

Length = Literal["published", "whole"]

PEAK = 0.95
#: Audio whose peak is lower is silent: normalising it would raise its noise to full scale.
SILENT_PEAK = 1e-6
SHORTEST_S, LONGEST_S = 0.1, 30.0


@dataclass(frozen=True, eq=False)
class PromptFeatures:
    """CLIP's ``features [B, 77, 1024]``; ``messages`` name the words of prompts that were cut."""

    features: Tensor
    messages: tuple[str, ...]


class Encoders:
    """CLIP, the video half of Synchformer and, if needed, the audio half of CLAP.

    All are frozen; all features are float32 on the CPU.
    """

    def __init__(self, clip: nn.Module, sync: VideoEncoder, clap: nn.Module | None = None) -> None:
        self.clip = clip
        self.sync = sync
        self.clap = clap

    def video(self, video: Excerpt, seconds: float) -> Tensor:
        """Encode the frames of the first ``seconds`` by CLIP: ``[int(8 seconds), 1024]``.

        Raises:
            MediaError: there is no video, or it ends more than 0.1 s before ``seconds``.
        """
        return self.videos(self.video_frames(video, seconds)[None])[0]

    def video_frames(self, video: Excerpt, seconds: float) -> Tensor:
        """Decode what ``videos`` takes, in any thread; raises as ``video``."""
        return clip_frames(video, seconds)

    def videos(self, frames: Tensor) -> Tensor:
        """Encode frames of several videos, ``[B, F, 3, 384, 384]``, by CLIP: ``[B, F, 1024]``."""
        features = image_features(self.clip, frames.flatten(0, 1))
        return features.reshape(*frames.shape[:2], -1)

    def sync_features(self, video: Excerpt, seconds: float) -> Tensor:
        """Encode the motion of the first ``seconds`` by Synchformer: ``[8 S, 768]``.

        8 tokens for each of its overlapping segments of 0.64 s, (int(25 seconds) - 16) // 8 + 1 of
        them, one after another.

        Raises:
            MediaError: there is no video, or it ends more than 0.1 s before ``seconds``.
        """
        return self.syncs(self.sync_frames(video, seconds)[None])[0]

    def sync_frames(self, video: Excerpt, seconds: float) -> Tensor:
        """Decode what ``syncs`` takes, in any thread; raises as ``sync_features``."""
        return sync_frames(video, seconds)

    def syncs(self, frames: Tensor) -> Tensor:
        """Encode motion of several videos, ``[B, F, 3, 224, 224]``: ``[B, 8 S, 768]``."""
        # The network gives segments [B, S, 8, 768]; the flow network reads one sequence of tokens.
        return video_features(self.sync, frames).flatten(1, 2)

    def prompts(self, prompts: list[str]) -> PromptFeatures:
        """Encode ``prompts`` by CLIP; "" is the empty prompt."""
        tokens = [tokenise(prompt) for prompt in prompts]
        features = text_features(self.clip, token_batch(tokens))
        messages = tuple(each.message for each in tokens if each.message)
        return PromptFeatures(features, messages)

    def embedding(self, waveform: Waveform) -> Tensor:
        """Encode a prepared reference ``[T]`` at 44.1 kHz by CLAP: ``[512]`` of length 1.

        CLAP takes 10 s: shorter audio is repeated, longer audio cut.

        Raises:
            BenchError: the encoders were loaded without CLAP.
        """
        if self.clap is None:
            raise BenchError("these encoders have no CLAP: load them with its checkpoint")
        # By the method that librosa loads files with, as for every embedding of the judges.
        resampled = resample(waveform, SAMPLE_RATE_HZ, CLAP_RATE_HZ, "soxr_hq")
        log_mels = front_end(torch.from_numpy(resampled)[None])
        device = next(self.clap.parameters()).device
        return embed_audio(self.clap, log_mels.to(device))["embedding"][0].cpu()

    def to(self, device: torch.device | str) -> Encoders:
        """Move all networks and return the encoders."""
        for network in (self.clip, self.sync, self.clap):
            if network is not None:
                network.to(device)
        return self


def load_encoders(
    clip: Path,
    synchformer: Path,
    device: torch.device | str = "cpu",
    *,
    clap: Path | None = None,
) -> Encoders:
    """Return those of ``open_clip_pytorch_model.bin`` and ``synchformer_state_dict.pth``.

    ``clap`` is ``music_speech_audioset_epoch_15_esc_89.98.pt``, if references are encoded by it.

    Raises:
        MissingError: a file is not there.
        BenchError: a file is damaged or another one.
    """
    audio = None if clap is None else load_clap_audio(clap, device)
    return Encoders(load_clip(clip, device), load_video_encoder(synchformer, device), audio)


def sync_frames(video: Excerpt, seconds: float) -> Tensor:
    """The first ``int(25 seconds)`` frames at 25 fps as float32 ``[F, 3, 224, 224]`` in [-1, 1].

    The short side is resized to 224 (bicubic) and the centre is cropped.

    Raises:
        MediaError: there is no video, or it ends more than 0.1 s before ``seconds``.
    """
    excerpt = replace(video, seconds=int(SYNC_FPS * seconds) / SYNC_FPS)
    frames = read_frames(excerpt, SYNC_FPS, short_side=SYNC_SIDE, shortfall_s=MAX_SHORTFALL_S)
    return video_front_end(torch.from_numpy(center_crop(frames.pixels, SYNC_SIDE)))


# Reference audio, prepared as the published model encodes it.
#
# In its order: mean over channels; the peak of all samples brought to 0.95; 44.1 kHz through a
# Kaiser sinc of width 64; the first 89,088 samples (2.02 s, 87 latents), zeros after a shorter one.
#
# The paper claims references of any length. The network takes the mean of their latents, so that
# ``length="whole"`` encodes all of 0.1 to 30 s, with zeros only to fill the last latent. The
# published length is the default.
#
# Source: paper, section 3.2; the inference code of its release.


def prepare_reference(audio: Audio, length: Length = "published") -> Waveform:
    """Return ``[T]`` at 44.1 kHz: 89,088 samples, or a multiple of 1,024 for ``whole``.

    Raises:
        MediaError: the audio is empty, silent, shorter than 0.1 s, silent in its first 2.02 s, or,
            for ``whole``, longer than 30 s.
    """
    if not audio.samples.size:
        raise MediaError("the reference audio is empty: give at least 0.1 s")
    if audio.seconds < SHORTEST_S:
        raise MediaError(
            f"the reference audio lasts {audio.seconds:.3f} s, at least {SHORTEST_S:g} s are needed"
        )
    if length == "whole" and audio.seconds > LONGEST_S:
        raise MediaError(
            f"the reference audio lasts {audio.seconds:.1f} s, at most {LONGEST_S:g} s can "
            "be used: cut it, or leave out --whole-reference to use its first 2.02 s"
        )
    mono = audio.mono()
    peak = np.abs(mono).max()
    if peak < SILENT_PEAK:
        raise MediaError(
            f"the reference audio is silent (peak {peak:.1g} of full scale): give louder audio, or "
            "none"
        )
    # The peak is that of the file, before resampling overshoots it.
    loud = mono * np.float32(PEAK / peak)
    waveform = resample(loud, audio.sample_rate_hz, SAMPLE_RATE_HZ, "sinc_kaiser")
    if length == "whole":
        return np.pad(waveform, (0, -len(waveform) % SAMPLES_PER_LATENT))
    start = waveform[:REFERENCE_SAMPLES]
    if np.abs(start).max() < SILENT_PEAK:
        raise MediaError(
            "the reference audio is silent in its first 2.02 s, which alone are used: cut off the "
            "silence, or use all of it by --whole-reference"
        )
    return np.pad(start, (0, REFERENCE_SAMPLES - len(start)))
