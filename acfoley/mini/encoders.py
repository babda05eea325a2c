"""The encoders of the mini model, in the roles of CLIP, Synchformer and CLAP.

Video and audio are encoded by three small networks (``encoder_networks``); the prompt has a fixed
random vector per word, whose meaning the flow network learns.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from acfoley.encoders import PromptFeatures
from acfoley.mini.encoder_networks import SAMPLE_RATE_HZ as ENCODER_RATE_HZ
from acfoley.mini.encoder_networks import SIDE_PIXELS, AudioEncoder, MotionEncoder, VideoEncoder
from acfoley.mini.weights_files import ENCODER_FILES, load_weights, weights_hash
from acfoley.params import (
    CLIP_FPS,
    MINI_TEXT_WIDTH,
    SAMPLE_RATE_HZ,
    SYNC_FPS,
    TEXT_TOKENS,
    sequence_lengths,
)
from bench.media import center_crop, read_frames, resample
from bench.seeds import stable_seed
from bench.types import MAX_SHORTFALL_S, Excerpt, Pixels, Waveform


class MiniEncoders:
    """Three frozen networks; all features are float32 on the CPU."""

    def __init__(self, video: VideoEncoder, motion: MotionEncoder, audio: AudioEncoder) -> None:
        self._video, self._motion, self._audio = video, motion, audio

    @torch.inference_mode()
    def video(self, video: Excerpt, seconds: float) -> Tensor:
        """Encode frames at 8 fps: ``[int(8 seconds), 64]``.

        Raises:
            MediaError: there is no video, or it ends more than 0.1 s before ``seconds``.
        """
        frames = torch.from_numpy(_read_square_frames(video, CLIP_FPS, seconds))
        features: Tensor = self._video(frames.to(self._device)[None])[0]
        return features.cpu()

    @torch.inference_mode()
    def sync_features(self, video: Excerpt, seconds: float) -> Tensor:
        """Encode motion at about 24 tokens per second: ``[8 S, 96]``.

        Features at 25 fps are interpolated to the middle of each token.

        Raises:
            MediaError: there is no video, or it ends more than 0.1 s before ``seconds``.
        """
        pixels = _read_square_frames(video, SYNC_FPS, seconds)
        # The network was trained on whole grey levels.
        grey = np.round(pixels.mean(axis=-1, dtype=np.float32)).astype(np.uint8)
        frames = self._motion(torch.from_numpy(grey).to(self._device)[None]).transpose(1, 2)
        n_tokens = sequence_lengths(seconds).sync_tokens
        tokens = functional.interpolate(frames, n_tokens, mode="linear", align_corners=False)
        return tokens[0].T.cpu()

    def prompts(self, prompts: list[str]) -> PromptFeatures:
        """Give every word its vector, then zeros: ``[B, 77, 32]``.

        Words beyond the 77th are cut, which a message reports.
        """
        features, messages = torch.zeros(len(prompts), TEXT_TOKENS, MINI_TEXT_WIDTH), []
        for row, prompt in zip(features, prompts, strict=True):
            words = re.findall(r"\w+", prompt.lower())
            if cut := words[TEXT_TOKENS:]:
                messages.append(f"the prompt is too long: cut from {cut[0]!r} on")
            for index, word in enumerate(words[:TEXT_TOKENS]):
                row[index] = torch.from_numpy(_word_vector(word))
        return PromptFeatures(features, tuple(messages))

    @torch.inference_mode()
    def embedding(self, waveform: Waveform) -> Tensor:
        """Encode ``waveform [T]`` at 44.1 kHz as one vector ``[64]`` of unit length.

        The network was trained to match audio with video: the vector describes what makes the
        sound, and little of its timbre.
        """
        resampled = resample(waveform, SAMPLE_RATE_HZ, ENCODER_RATE_HZ, "soxr_hq")
        vectors: Tensor = self._audio(torch.from_numpy(resampled).to(self._device)[None])
        return vectors[0].cpu()

    def to(self, device: torch.device | str) -> MiniEncoders:
        """Move all networks and return the encoders."""
        for network in (self._video, self._motion, self._audio):
            network.to(device)
        return self

    @property
    def _device(self) -> torch.device:
        return next(self._video.parameters()).device


def load_mini_encoders(device: torch.device | str = "cpu") -> MiniEncoders:
    """Return the encoders with the weights of the package, frozen, in single precision.

    Raises:
        MissingError: a file of the package is missing.
        BenchError: a file is damaged or of another network.
    """
    with torch.device("meta"):
        networks = VideoEncoder(), MotionEncoder(), AudioEncoder()
    for network, name in zip(networks, ENCODER_FILES.values(), strict=True):
        load_weights(network, name)
    return MiniEncoders(*networks).to(device)


def encoders_identity() -> str:
    """Return a name that changes with the weights of the encoders."""
    return "-".join(weights_hash(name)[:12] for name in ENCODER_FILES.values())


def _read_square_frames(video: Excerpt, fps: int, seconds: float) -> Pixels:
    """Read the middle squares of the frames of the first ``seconds``, ``[F, 64, 64, 3]`` uint8."""
    # Whole frames only, as the network's tokens are counted (``sequence_lengths``).
    excerpt = replace(video, seconds=int(fps * seconds) / fps)
    frames = read_frames(excerpt, fps, short_side=SIDE_PIXELS, shortfall_s=MAX_SHORTFALL_S)
    return np.ascontiguousarray(center_crop(frames.pixels, SIDE_PIXELS))


@cache
def _word_vector(word: str) -> Waveform:
    """A vector of unit variance, random but determined by the word."""
    rng = np.random.default_rng(stable_seed("word", word))
    return rng.standard_normal(MINI_TEXT_WIDTH).astype(np.float32)
