"""Features of clips, made when they are first asked for and kept for what comes after.

The same picture under five references or four masks is looked at once, the same prompt is read
once, the same reference heard once.
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from acfoley.codec import Codec, Posterior
from acfoley.encoders import PromptFeatures
from acfoley.encoders.reference import Length, prepare_reference
from bench.types import Audio, Excerpt, Waveform

log = logging.getLogger(__name__)

Value = TypeVar("Value")
#: Features of a clip take about a megabyte.
N_KEPT = 128


class Encodes(Protocol):
    """What pictures and prompts are encoded by; ``acfoley.encoders.Encoders`` is one."""

    def video(self, video: Excerpt, seconds: float) -> Tensor:
        """What a picture shows, ``[F, D]``; raises MediaError where it is missing or too short."""

    def movement(self, video: Excerpt, seconds: float) -> Tensor:
        """When something happens in it, ``[S, D]``; raises as ``video`` does."""

    def prompts(self, prompts: list[str]) -> PromptFeatures:
        """Prompts to ``[B, 77, D]``."""

    def embedding(self, waveform: Waveform) -> Tensor:
        """What a sound ``[T]`` at 44.1 kHz is, as one vector ``[D]``."""

    def to(self, device: torch.device | str) -> Any:
        """Move what there is to move."""


class FeatureMaker:
    """Features by clip, each ``[1, L, D]``; the last ``n_kept`` of them are kept.

    ``visiting`` names the device that encoders and codec move to for their work and leave after
    it; None lets them stay where they are.
    """

    def __init__(
        self,
        encoders: Encodes,
        codec: Codec,
        *,
        visiting: torch.device | None = None,
        n_kept: int = N_KEPT,
    ) -> None:
        self._encoders, self._codec = encoders, codec
        self._visiting, self._n_kept = visiting, n_kept
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def video(self, video: Excerpt, seconds: float) -> Tensor:
        """What CLIP sees; raises MediaError where the picture is missing or too short."""

        def make() -> Tensor:
            with self.at_work(self._encoders):
                return self._encoders.video(video, seconds)[None]

        return self._remembered(("video", _identity(video), seconds), make)

    def sync(self, video: Excerpt, seconds: float) -> Tensor:
        """What Synchformer sees; raises MediaError where the picture is missing or too short."""

        def make() -> Tensor:
            with self.at_work(self._encoders):
                return self._encoders.movement(video, seconds)[None]

        return self._remembered(("sync", _identity(video), seconds), make)

    def text(self, prompt: str) -> Tensor | None:
        """What CLIP reads; None for no prompt, which the network has a feature of its own for."""
        if not prompt.strip():
            return None

        def make() -> Tensor:
            with self.at_work(self._encoders):
                found = self._encoders.prompts([prompt])
            for message in found.messages:
                log.warning("%s", message)
            return found.features

        return self._remembered(("text", prompt), make)

    def reference(self, audio: Audio, length: Length) -> Posterior:
        """What the codec hears; raises MediaError where the sound is empty, silent or too long."""

        def make() -> Posterior:
            waveform = torch.from_numpy(prepare_reference(audio, length))[None]
            with self.at_work(self._codec):
                return self._codec.encode(waveform)

        return self._remembered(("reference", *_sound_identity(audio), length), make)

    def embedding(self, audio: Audio, length: Length) -> Tensor:
        """What the sound is, as one vector ``[1, 1, D]``; raises as ``reference`` does."""

        def make() -> Tensor:
            waveform = prepare_reference(audio, length)
            with self.at_work(self._encoders):
                return self._encoders.embedding(waveform)[None, None]

        return self._remembered(("embedding", *_sound_identity(audio), length), make)

    def at_work(self, part: Encodes | Codec | torch.nn.Module) -> AbstractContextManager[None]:
        """While open, ``part`` is on the device that it visits."""
        return nullcontext() if self._visiting is None else _visit(part, self._visiting)

    def _remembered(self, key: Hashable, make: Callable[[], Value]) -> Value:
        if key not in self._kept:
            self._kept[key] = make()
        self._kept.move_to_end(key)
        while len(self._kept) > self._n_kept:
            self._kept.popitem(last=False)
        found: Value = self._kept[key]
        return found


@contextmanager
def _visit(part: Any, device: torch.device) -> Iterator[None]:
    part.to(device)
    try:
        yield
    finally:
        part.to("cpu")
        torch.cuda.empty_cache()


def _sound_identity(audio: Audio) -> tuple[Hashable, ...]:
    digest = hashlib.sha256(audio.samples.tobytes()).hexdigest()
    return digest, audio.samples.shape, audio.sample_rate_hz


def _identity(video: Excerpt) -> Hashable:
    """The file as it is now, and the window."""
    about = video.path.stat() if video.path.is_file() else None
    state = None if about is None else (about.st_size, about.st_mtime_ns)
    return str(video.path), state, video.start_s, video.seconds
