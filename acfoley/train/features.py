"""Functions that compute the features of a clip, by the name of what they return.

An ``Encoding`` is a table of such columns. Each takes a ``Source`` and returns named arrays, or
None where the clip has no such component. Training reads these names:

    target.mean, target.std     [L, D]          posterior of the target's latents
    inside.mean, inside.std     [K, 87, D]      of K references from inside the target (Stage I)
    after.mean, after.std       [87, D]         of the reference after the target (Stage II)
    inside.embedding            [K, 1, D]       the same references as one vector each (CLAP)
    after.embedding             [1, D]
    video, sync, text           [L, D]          the other conditions of the network

References are prepared as at inference: peak at 0.95, zeros up to 89,088 samples (87 latents). A
silent reference cannot be scaled to a peak, and is left out; a clip without any reference is
trained with the learned empty feature.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from acfoley.codec import Codec
from acfoley.encoders.cache import ConditionEncoders
from acfoley.encoders.reference import PEAK, SILENT_PEAK, prepare_reference
from acfoley.params import SAMPLE_RATE_HZ
from acfoley.train.clips import TrainingClip
from acfoley.train.crops import CropLayout, Span
from bench.errors import MediaError
from bench.media import read_audio, resample
from bench.types import MAX_SHORTFALL_S, Audio, Waveform

log = logging.getLogger(__name__)

Array = npt.NDArray[np.float32]
#: Random spans that are tried for each wanted reference, since some may be silent.
N_TRIES = 4


class Source:
    """The audio and video of one clip, read when they are first needed."""

    def __init__(self, clip: TrainingClip, layout: CropLayout) -> None:
        self.clip = clip
        self.layout = layout

    @cached_property
    def waveform(self) -> Waveform:
        """The audio ``[T]`` at 44.1 kHz: mean over channels, peak of the full clip at 0.95.

        Audio that ends up to 0.1 s before its excerpt or its target is filled with zeros.

        Raises:
            MediaError: it cannot be read, or is silent.
        """
        audio = read_audio(self.clip.audio, mono=True, shortfall_s=MAX_SHORTFALL_S)
        peak = float(np.abs(audio.samples).max())
        if peak < SILENT_PEAK:
            raise MediaError(f"the audio of {self.clip.audio.path} is silent: nothing to learn")
        # As at inference the peak is that of the file, before resampling overshoots it.
        scaled = audio.samples[0] * np.float32(PEAK / peak)
        resampled = resample(scaled, audio.sample_rate_hz, SAMPLE_RATE_HZ, "sinc_kaiser")
        # A longer gap stays: the layout refuses such a clip, and its message has the length.
        n_missing = self.layout.lengths.samples - len(resampled)
        is_filled = 0 < n_missing <= MAX_SHORTFALL_S * SAMPLE_RATE_HZ
        return np.pad(resampled, (0, n_missing)) if is_filled else resampled

    @property
    def target(self) -> Waveform:
        """The target ``[S]``; raises MediaError where the clip is shorter."""
        return self._cut(self.layout.target(len(self.waveform)))

    @property
    def after(self) -> Waveform | None:
        """The reference after the target ``[89088]``; None where it is too short or silent."""
        span = self.layout.after(len(self.waveform))
        return None if span is None else _prepare_unless_silent(self._cut(span))

    def inside(self, n_crops: int) -> list[Waveform]:
        """Return ``n_crops`` references ``[89088]`` from inside the target; [] where all is silent.

        Where fewer spans have audio, some references occur more than once.
        """
        # Refuses a clip that is shorter than its target: spans would leave the waveform.
        self.layout.target(len(self.waveform))
        found: list[Waveform] = []
        for number in range(N_TRIES * n_crops):
            span = self.layout.inside(self.clip.name, number)
            if (reference := _prepare_unless_silent(self._cut(span))) is not None:
                found.append(reference)
            if len(found) == n_crops:
                break
        return [found[number % len(found)] for number in range(n_crops)] if found else []

    def _cut(self, span: Span) -> Waveform:
        return self.waveform[span.start : span.stop]


Column = Callable[[Source], Mapping[str, Array] | None]


@dataclass(frozen=True)
class Encoding:
    """Columns by name; ``identity`` names all that decides their values, weights included."""

    identity: str
    columns: Mapping[str, Column]
    empty_text: Callable[[], Array]


def codec_target(codec: Codec) -> Column:
    """Return the column of the target's posterior."""

    def column(source: Source) -> Mapping[str, Array]:
        posterior = _encode_waveforms("target", codec, [source.target])
        return {name: array[0] for name, array in posterior.items()}

    return column


def codec_inside(codec: Codec, n_crops: int) -> Column:
    """Return the column of the posteriors of references from inside the target.

    Storing the posteriors of eight references takes less space than the features of the video, and
    training then needs neither the codec nor the audio files.
    """

    def column(source: Source) -> Mapping[str, Array] | None:
        crops = source.inside(n_crops)
        return _encode_waveforms("inside", codec, crops) if crops else None

    return column


def codec_after(codec: Codec) -> Column:
    """Return the column of the posterior of the reference after the target."""

    def column(source: Source) -> Mapping[str, Array] | None:
        if (reference := source.after) is None:
            return None
        posterior = _encode_waveforms("after", codec, [reference])
        return {name: array[0] for name, array in posterior.items()}

    return column


def embedding_column(embed: Callable[[Audio], Array], n_crops: int) -> Column:
    """Return the column of references as one vector each, by an embedding such as CLAP's.

    ``embed`` maps audio to ``[D]``; a vector is stored as a sequence of one token, ``[1, D]``.
    """

    def embed_one(waveform: Waveform) -> Array:
        return embed(Audio(waveform[np.newaxis], SAMPLE_RATE_HZ))[np.newaxis]

    def column(source: Source) -> Mapping[str, Array] | None:
        found: dict[str, Array] = {}
        if crops := source.inside(n_crops):
            found["inside.embedding"] = np.stack([embed_one(crop) for crop in crops])
        if (after := source.after) is not None:
            found["after.embedding"] = embed_one(after)
        return found or None

    return column


def published_columns(encoders: ConditionEncoders, codec: Codec, n_crops: int) -> dict[str, Column]:
    """Return the columns of AC-Foley, by ``encoders`` and ``codec``."""

    def video(source: Source) -> Mapping[str, Array] | None:
        video, seconds = source.clip.video, source.layout.seconds
        if video is None:
            return None
        return {"video": encoders.video(video, seconds).numpy()}

    def sync(source: Source) -> Mapping[str, Array] | None:
        video, seconds = source.clip.video, source.layout.seconds
        if video is None:
            return None
        return {"sync": encoders.sync_features(video, seconds).numpy()}

    def text(source: Source) -> Mapping[str, Array] | None:
        prompt = source.clip.prompt.strip()
        if not prompt:
            return None
        found = encoders.prompts([prompt])
        for message in found.messages:
            log.warning("%s: %s", source.clip.name, message)
        return {"text": found.features[0].numpy()}

    return {
        "target": codec_target(codec),
        "inside": codec_inside(codec, n_crops),
        "after": codec_after(codec),
        "video": video,
        "sync": sync,
        "text": text,
    }


def build_encoding(
    encoders: ConditionEncoders, codec: Codec, n_crops: int, identity: str, *, is_embedded: bool
) -> Encoding:
    """Return the columns of AC-Foley by any encoders and codec; CLAP's too with ``is_embedded``."""

    def empty_text() -> Array:
        found: Array = encoders.prompts([""]).features[0].numpy()
        return found

    def embedding(audio: Audio) -> Array:
        found: Array = encoders.embedding(audio.samples[0]).numpy()
        return found

    columns = published_columns(encoders, codec, n_crops)
    if is_embedded:
        columns["embedding"] = embedding_column(embedding, n_crops)
    return Encoding(identity, columns, empty_text)


def encode_clip(encoding: Encoding, clip: TrainingClip, layout: CropLayout) -> dict[str, Array]:
    """Return all features of one clip by name.

    Raises:
        MediaError: its audio or video cannot be used, or a feature is not finite.
    """
    source = Source(clip, layout)
    found: dict[str, Array] = {}
    for column in encoding.columns.values():
        found.update(column(source) or {})
    # Found here it costs one clip; in training it would stop the run.
    for name, array in found.items():
        if not np.isfinite(array).all():
            raise MediaError(f"the feature {name} of {clip.name} has values that are not finite")
    return found


def _prepare_unless_silent(waveform: Waveform) -> Waveform | None:
    """Prepare a reference ``[T]`` as inference does; None where it is silent."""
    if np.abs(waveform).max() < SILENT_PEAK:
        return None
    return prepare_reference(Audio(waveform[np.newaxis], SAMPLE_RATE_HZ))


def _encode_waveforms(name: str, codec: Codec, waveforms: list[Waveform]) -> dict[str, Array]:
    """Return the mean and deviation ``[N, L, D]`` of the posteriors of N waveforms ``[T]``."""
    posterior = codec.encode(torch.from_numpy(np.stack(waveforms)))
    parts = {"mean": posterior.mean, "std": posterior.std}
    return {f"{name}.{part}": tensor.float().cpu().numpy() for part, tensor in parts.items()}
