"""The published encoders of video, prompt and, for one preset, of the reference.

    encoders = load_encoders(clip_file, synchformer_file, device)
    video = encoders.video(excerpt, seconds=8)            # [64, 1024]
    sync = encoders.sync_features(excerpt, seconds=8)     # [192, 768]
    text = encoders.prompts(["dog barking"]).features     # [1, 77, 1024]

and, loaded with the file of CLAP, for networks that take references as its embeddings:

    vector = encoders.embedding(waveform)                 # [512]

Each clip is encoded by itself, so that its features depend on nothing else and can be cached
(``cache``). References are prepared by ``reference`` and encoded by the codec, or by CLAP.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from acfoley.encoders.clip import image_features, load_clip, text_features, token_batch, tokenise
from acfoley.encoders.frames import clip_frames, sync_frames
from acfoley.params import SAMPLE_RATE_HZ
from bench.backbones.clap import SAMPLE_RATE_HZ as CLAP_RATE_HZ
from bench.backbones.clap import embed_audio, front_end, load_clap_audio
from bench.backbones.synchformer import VideoEncoder, load_video_encoder, video_features
from bench.errors import BenchError
from bench.media import resample
from bench.types import Excerpt, Waveform


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
        return image_features(self.clip, clip_frames(video, seconds))

    def sync_features(self, video: Excerpt, seconds: float) -> Tensor:
        """Encode the motion of the first ``seconds`` by Synchformer: ``[8 S, 768]``.

        8 tokens for each of its overlapping segments of 0.64 s, (int(25 seconds) - 16) // 8 + 1 of
        them, one after another.

        Raises:
            MediaError: there is no video, or it ends more than 0.1 s before ``seconds``.
        """
        # The network gives segments [B, S, 8, 768]; the flow network reads one sequence of tokens.
        frames = sync_frames(video, seconds)
        return video_features(self.sync, frames[None])[0].flatten(0, 1)

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
