"""What the mini network is told about a clip, in the places of CLIP, Synchformer and CLAP.

Pictures and movement are seen by the small networks that also judge (``bench.mini_judges``), as
the published model is told the time by the network that judges it; words have drawn vectors, which
the network learns the meaning of.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from acfoley.encoders import PromptFeatures
from acfoley.params import (
    CLIP_FPS,
    MINI_TEXT_WIDTH,
    SAMPLE_RATE_HZ,
    SYNC_FPS,
    TEXT_TOKENS,
    sequence_lengths,
)
from bench.media import center_crop, read_frames, resample
from bench.mini_judges.models.frames import SIDE, grey_frames
from bench.mini_judges.models.imagebind import Imagebind
from bench.mini_judges.models.synchformer import Synchformer
from bench.mini_judges.weights import load_network, weights_hash
from bench.seeds import stable_seed
from bench.types import MAX_SHORTFALL_S, Excerpt, Pixels, Waveform

EAR_RATE_HZ = 16_000


class MiniEncoders:
    """The small ImageBind and Synchformer, frozen; all features are float32 on the CPU."""

    def __init__(self, imagebind: Imagebind, synchformer: Synchformer) -> None:
        self.imagebind = imagebind
        self.synchformer = synchformer

    @torch.inference_mode()
    def video(self, video: Excerpt, seconds: float) -> Tensor:
        """What ImageBind sees in each frame at 8 fps: ``[int(8 seconds), 64]``.

        Raises:
            MediaError: there is no video, or it ends before ``seconds``.
        """
        stills = torch.from_numpy(center_crop(_pixels(video, CLIP_FPS, seconds), SIDE))
        seen: Tensor = self.imagebind.encode_frames(stills.to(_device(self.imagebind))[None])[0]
        return seen.cpu()

    @torch.inference_mode()
    def movement(self, video: Excerpt, seconds: float) -> Tensor:
        """What Synchformer sees at 24 places per second: ``[8 S, 96]``.

        Its features of a frame stand beside those of the time around it; both are taken between
        frames, at the middle of each token.

        Raises:
            MediaError: there is no video, or it ends before ``seconds``.
        """
        grey = torch.from_numpy(grey_frames(_pixels(video, SYNC_FPS, seconds)))
        each = self.synchformer.encode_frames(grey.to(_device(self.synchformer))[None])
        around = self.synchformer.video_context(each.transpose(1, 2))
        frames = torch.cat([each, around], dim=-1).transpose(1, 2)
        tokens = functional.interpolate(
            frames, sequence_lengths(seconds).sync_tokens, mode="linear", align_corners=False
        )
        return tokens[0].T.cpu()

    def prompts(self, prompts: list[str]) -> PromptFeatures:
        """A vector for every word, zeros after the last: ``[B, 77, 32]``.

        Words beyond the 77th are cut, which a message says.
        """
        found, messages = torch.zeros(len(prompts), TEXT_TOKENS, MINI_TEXT_WIDTH), []
        for features, prompt in zip(found, prompts, strict=True):
            words = re.findall(r"\w+", prompt.lower())
            if cut := words[TEXT_TOKENS:]:
                messages.append(f"the prompt is too long: cut from {cut[0]!r} on")
            for place, word in enumerate(words[:TEXT_TOKENS]):
                features[place] = torch.from_numpy(_meaning(word))
        return PromptFeatures(found, tuple(messages))

    @torch.inference_mode()
    def embedding(self, waveform: Waveform) -> Tensor:
        """What ImageBind hears in ``waveform [T]`` at 44.1 kHz, as one vector ``[64]``.

        It was taught with pictures: it tells what sounds, and little of how.
        """
        heard = resample(waveform, SAMPLE_RATE_HZ, EAR_RATE_HZ, "soxr_hq")
        audio = torch.from_numpy(heard).to(_device(self.imagebind))[None]
        found: Tensor = self.imagebind.encode_audio(audio)[0]
        return found.cpu()

    def to(self, device: torch.device | str) -> MiniEncoders:
        """Move both networks and return the encoders."""
        self.imagebind.to(device)
        self.synchformer.to(device)
        return self


def load_mini_encoders(device: torch.device | str = "cpu") -> MiniEncoders:
    """The encoders with the weights of the package."""
    networks = load_network("imagebind", device), load_network("synchformer", device)
    return MiniEncoders(cast(Imagebind, networks[0]), cast(Synchformer, networks[1]))


def encoders_identity() -> str:
    """Changes with the weights of the encoders."""
    return "-".join(weights_hash(name)[:12] for name in ("imagebind", "synchformer"))


def _pixels(video: Excerpt, fps: int, seconds: float) -> Pixels:
    """Frames of the first ``seconds``, the short side as the networks see it."""
    excerpt = replace(video, seconds=int(fps * seconds) / fps)
    return read_frames(excerpt, fps, short_side=SIDE, shortfall_s=MAX_SHORTFALL_S).pixels


@cache
def _meaning(word: str) -> Waveform:
    """A vector of unit variance, drawn from the word."""
    rng = np.random.default_rng(stable_seed("word", word))
    return rng.standard_normal(MINI_TEXT_WIDTH).astype(np.float32)


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device
