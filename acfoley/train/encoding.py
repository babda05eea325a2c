"""Functions that make features of a clip, by the name of what they make.

An ``Encoding`` is a table of columns. Each gets a ``Source`` and returns named arrays, or None
where the clip lacks what it needs. Training reads these names:

    target.mean, target.std     [L, D]          posterior of the target's latents
    inside.mean, inside.std     [K, 87, D]      of K references from inside the target (Stage I)
    after.mean, after.std       [87, D]         of the reference after the target (Stage II)
    inside.embedding            [K, 1, D]       the same references as one vector each (CLAP)
    after.embedding             [1, D]
    video, sync, text           [L, D]          what the network is told besides

References are prepared as inference prepares those of users: peak to 0.95, zeros up to 89,088
samples. One that is silent cannot be: a clip without a reference is trained with the learned empty.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from acfoley.codec import Codec, Posterior
from acfoley.encoders.cache import ConditionEncoders
from acfoley.encoders.reference import PEAK, SILENT_PEAK, prepare_reference
from acfoley.params import SAMPLE_RATE_HZ
from acfoley.train.clips import TrainingClip
from acfoley.train.window import Span, Window
from bench.errors import MediaError
from bench.media import read_audio, resample
from bench.types import MAX_SHORTFALL_S, Audio, Waveform

log = logging.getLogger(__name__)

Array = npt.NDArray[np.float32]
#: How often places for references are drawn for each that is wanted, before silence wins.
N_TRIES = 4


class Source:
    """One clip, read when it is first asked for."""

    def __init__(self, clip: TrainingClip, window: Window) -> None:
        self.clip = clip
        self.window = window

    @cached_property
    def waveform(self) -> Waveform:
        """The sound ``[T]`` at 44.1 kHz: mean over channels, peak of the whole at 0.95.

        One that ends up to 0.1 s before its excerpt or its target is filled with zeros.

        Raises:
            MediaError: it cannot be read, or is silent.
        """
        audio = read_audio(self.clip.audio, mono=True, shortfall_s=MAX_SHORTFALL_S)
        peak = float(np.abs(audio.samples).max())
        if peak < SILENT_PEAK:
            raise MediaError(f"the resampled of {self.clip.audio.path} is silent: nothing to learn")
        loud = audio.samples[0] * np.float32(PEAK / peak)
        resampled = resample(loud, audio.sample_rate_hz, SAMPLE_RATE_HZ, "sinc_kaiser")
        n_missing = self.window.lengths.samples - len(resampled)
        is_filled = 0 < n_missing <= MAX_SHORTFALL_S * SAMPLE_RATE_HZ
        return np.pad(resampled, (0, n_missing)) if is_filled else resampled

    @property
    def target(self) -> Waveform:
        """The target ``[S]``; raises MediaError where the clip is shorter."""
        return self._cut(self.window.target(len(self.waveform)))

    @property
    def after(self) -> Waveform | None:
        """The reference after the target ``[89088]``; None where too little is left, or silence."""
        span = self.window.after(len(self.waveform))
        return None if span is None else _prepared(self._cut(span))

    def inside(self, n_crops: int) -> list[Waveform]:
        """``n_crops`` references ``[89088]`` from inside the target; none where all is silent."""
        self.window.target(len(self.waveform))
        found = []
        for number in range(N_TRIES * n_crops):
            span = self.window.inside(self.clip.name, number)
            if (reference := _prepared(self._cut(span))) is not None:
                found.append(reference)
            if len(found) == n_crops:
                break
        return [found[number % len(found)] for number in range(n_crops)] if found else []

    def _cut(self, span: Span) -> Waveform:
        return self.waveform[span.start : span.stop]


Column = Callable[[Source], Mapping[str, Array] | None]


@dataclass(frozen=True)
class Encoding:
    """Columns by name; ``identity`` names all that decides their values, files included."""

    identity: str
    columns: Mapping[str, Column]
    empty_text: Callable[[], Array]


def codec_target(codec: Codec) -> Column:
    """The posterior of the target."""
    return lambda source: _posterior("target", codec, [source.target])


def codec_inside(codec: Codec, n_crops: int) -> Column:
    """Posteriors of references from inside the target, each encoded by itself.

    Eight of them take less room than the features of the picture, and save every training process
    the codec and a second reading of every sound.
    """

    def column(source: Source) -> Mapping[str, Array] | None:
        crops = source.inside(n_crops)
        return _posterior("inside", codec, crops, is_many=True) if crops else None

    return column


def codec_after(codec: Codec) -> Column:
    """The posterior of the reference after the target."""

    def column(source: Source) -> Mapping[str, Array] | None:
        reference = source.after
        return None if reference is None else _posterior("after", codec, [reference])

    return column


def embedded(embed: Callable[[Audio], Array], n_crops: int) -> Column:
    """References as one vector each, by a function from sound to ``[D]`` (CLAP's, for example)."""

    def column(source: Source) -> Mapping[str, Array] | None:
        found: dict[str, Array] = {}
        if crops := source.inside(n_crops):
            found["inside.embedding"] = np.stack([_vector(embed, crop) for crop in crops])
        if (after := source.after) is not None:
            found["after.embedding"] = _vector(embed, after)
        return found or None

    return column


def published_columns(encoders: ConditionEncoders, codec: Codec, n_crops: int) -> dict[str, Column]:
    """The columns of AC-Foley, by the published encoders and codec."""

    def video(source: Source) -> Mapping[str, Array] | None:
        video, seconds = source.clip.video, source.window.seconds
        if video is None:
            return None
        return {"video": encoders.video(video, seconds).numpy()}

    def sync(source: Source) -> Mapping[str, Array] | None:
        video, seconds = source.clip.video, source.window.seconds
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


def encoded_by(
    encoders: ConditionEncoders, codec: Codec, n_crops: int, identity: str, *, is_embedded: bool
) -> Encoding:
    """The columns of AC-Foley by any encoders and codec; with ``is_embedded``, CLAP's besides."""

    def empty_text() -> Array:
        found: Array = encoders.prompts([""]).features[0].numpy()
        return found

    def embedding(audio: Audio) -> Array:
        found: Array = encoders.embedding(audio.samples[0]).numpy()
        return found

    columns = published_columns(encoders, codec, n_crops)
    if is_embedded:
        columns["embedding"] = embedded(embedding, n_crops)
    return Encoding(identity, columns, empty_text)


def made_by(encoding: Encoding, clip: TrainingClip, window: Window) -> dict[str, Array]:
    """All features of one clip.

    Raises:
        MediaError: its sound or picture cannot be used, or a feature is not finite.
    """
    source = Source(clip, window)
    found: dict[str, Array] = {}
    for column in encoding.columns.values():
        found.update(column(source) or {})
    for name, array in found.items():
        if not np.isfinite(array).all():
            raise MediaError(f"the feature {name} of {clip.name} has values that are not finite")
    return found


def _prepared(waveform: Waveform) -> Waveform | None:
    """A reference as inference hears it; None where it is silent."""
    if np.abs(waveform).max() < SILENT_PEAK:
        return None
    return prepare_reference(Audio(waveform[np.newaxis], SAMPLE_RATE_HZ))


def _posterior(
    name: str, codec: Codec, waveforms: list[Waveform], *, is_many: bool = False
) -> dict[str, Array]:
    found: Posterior = codec.encode(torch.from_numpy(np.stack(waveforms)))
    return {f"{name}.{part}": array for part, array in _arrays(found, is_many=is_many)}


def _arrays(posterior: Posterior, *, is_many: bool) -> Iterator[tuple[str, Array]]:
    for part, tensor in (("mean", posterior.mean), ("std", posterior.std)):
        array: Array = tensor.float().cpu().numpy()
        yield part, array if is_many else array[0]


def _vector(embed: Callable[[Audio], Array], waveform: Waveform) -> Array:
    """One embedding as a sequence of one token, ``[1, D]``."""
    return embed(Audio(waveform[np.newaxis], SAMPLE_RATE_HZ))[np.newaxis]
