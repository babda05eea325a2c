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
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from acfoley.codec import Codec
from acfoley.codec.autoencoder import AUTOENCODER_44K, load_autoencoder
from acfoley.codec.griffin_lim import GriffinLim
from acfoley.encoders import load_encoders
from acfoley.encoders.cache import ConditionEncoders
from acfoley.encoders.encoders import PEAK, SILENT_PEAK, prepare_reference
from acfoley.official import require_clap, require_official
from acfoley.params import SAMPLE_RATE_HZ
from acfoley.train.clips import CropLayout, Span, TrainingClip
from bench.backbones.requirements import usable_device
from bench.errors import BenchError, MediaError
from bench.media import read_audio, resample
from bench.types import MAX_SHORTFALL_S, Audio, Waveform

log = logging.getLogger(__name__)

Array = npt.NDArray[np.float32]
#: Increased when the features of the same file change.
VERSION = "acfoley-1"
#: References from inside the target that are encoded for each clip.
N_CROPS = 8
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
        span = self.layout.target(len(self.waveform))
        return self.waveform[span.start : span.stop]

    @property
    def after(self) -> Waveform | None:
        """The reference after the target ``[89088]``; None where it is too short or silent."""
        span = self.layout.after(len(self.waveform))
        return None if span is None else self._reference(span)

    def inside(self, n_crops: int) -> Waveform | None:
        """Return ``n_crops`` references ``[K, 89088]`` from inside the target; None if all silent.

        Where fewer spans have audio, some references occur more than once.
        """
        # Refuses a clip that is shorter than its target: spans would leave the waveform.
        self.layout.target(len(self.waveform))
        found: list[Waveform] = []
        for number in range(N_TRIES * n_crops):
            span = self.layout.inside(self.clip.name, number)
            if (reference := self._reference(span)) is not None:
                found.append(reference)
            if len(found) == n_crops:
                break
        if not found:
            return None
        # All clips have K references, since a column is one array: it has one shape.
        return np.stack([found[number % len(found)] for number in range(n_crops)])

    def _reference(self, span: Span) -> Waveform | None:
        """Prepare a reference ``[89088]`` as inference does; None where it is silent."""
        waveform = self.waveform[span.start : span.stop]
        if np.abs(waveform).max() < SILENT_PEAK:
            return None
        return prepare_reference(Audio(waveform[np.newaxis], SAMPLE_RATE_HZ))


Column = Callable[[Source], Mapping[str, Array] | None]


@dataclass(frozen=True)
class Encoding:
    """Columns by name; ``identity`` names all that decides their values, weights included."""

    identity: str
    columns: Mapping[str, Column]
    empty_text: Callable[[], Array]


def codec_columns(codec: Codec, n_crops: int) -> dict[str, Column]:
    """Return the columns of posteriors: of targets, and of references inside and after them.

    Storing the posteriors of eight references takes less space than the features of the video, and
    training then needs neither the codec nor the audio files.
    """

    def encode(name: str, waveforms: Waveform | None) -> Mapping[str, Array] | None:
        """Mean and deviation ``[L, D]`` of a waveform ``[T]``, ``[K, L, D]`` of ``[K, T]``."""
        if waveforms is None:
            return None
        posterior = codec.encode(torch.from_numpy(np.atleast_2d(waveforms)))
        arrays = {"mean": posterior.mean, "std": posterior.std}
        found = {f"{name}.{part}": each.float().cpu().numpy() for part, each in arrays.items()}
        return {key: each if waveforms.ndim == 2 else each[0] for key, each in found.items()}

    return {
        "target": lambda source: encode("target", source.target),
        "inside": lambda source: encode("inside", source.inside(n_crops)),
        "after": lambda source: encode("after", source.after),
    }


def embedding_column(embed: Callable[[Waveform], Array], n_crops: int) -> Column:
    """Return the column of references as one vector each, by an embedding such as CLAP's.

    ``embed`` maps a prepared reference ``[89088]`` to ``[D]``; a vector is stored as a sequence of
    one token, ``[1, D]``.
    """

    def column(source: Source) -> Mapping[str, Array] | None:
        found: dict[str, Array] = {}
        if (crops := source.inside(n_crops)) is not None:
            found["inside.embedding"] = np.stack([embed(crop)[np.newaxis] for crop in crops])
        if (after := source.after) is not None:
            found["after.embedding"] = embed(after)[np.newaxis]
        return found or None

    return column


def condition_columns(encoders: ConditionEncoders) -> dict[str, Column]:
    """Return the columns of video and prompt."""

    def video(source: Source) -> Mapping[str, Array] | None:
        video, seconds = source.clip.video, source.layout.seconds
        if video is None:
            return None
        return {
            "video": encoders.video(video, seconds).numpy(),
            "sync": encoders.sync_features(video, seconds).numpy(),
        }

    def text(source: Source) -> Mapping[str, Array] | None:
        # No column for an empty prompt: one array for all clips would store the same features again
        # and again, which ``empty.safetensors`` has once.
        prompt = source.clip.prompt.strip()
        if not prompt:
            return None
        found = encoders.prompts([prompt])
        for message in found.messages:
            log.warning("%s: %s", source.clip.name, message)
        return {"text": found.features[0].numpy()}

    return {"video": video, "text": text}


def build_encoding(
    encoders: ConditionEncoders, codec: Codec, n_crops: int, identity: str, *, is_embedded: bool
) -> Encoding:
    """Return the columns of AC-Foley by any encoders and codec; CLAP's too with ``is_embedded``."""
    columns = {**codec_columns(codec, n_crops), **condition_columns(encoders)}
    if is_embedded:
        columns["embedding"] = embedding_column(lambda w: encoders.embedding(w).numpy(), n_crops)
    return Encoding(identity, columns, lambda: encoders.prompts([""]).features[0].numpy())


def open_published(
    directory: Path, device: str = "cpu", n_crops: int = N_CROPS, *, has_clap: bool = False
) -> Encoding:
    """Return the encoding that AC-Foley is trained on, its networks on ``device``.

    With ``has_clap`` references are also embedded by CLAP, for the recipe ``clap-encoder``.

    Raises:
        MissingError: a file is missing; the message names the command that fetches it.
        BenchError: a file is not the official one, the device does not exist, or ``n_crops`` is
            below 1.
    """
    if n_crops < 1:
        raise BenchError(f"at least 1 reference is cut from inside a target, not {n_crops}")
    own = usable_device(device)
    # Any path as flow network: features need none, so that its file is not asked for.
    paths = require_official("acfoley", directory, flow=Path("not needed"))
    clap = require_clap(directory) if has_clap else None
    # Encoding needs no vocoder; Griffin-Lim has no weights to load.
    codec = Codec(load_autoencoder(paths.autoencoder, own, AUTOENCODER_44K), GriffinLim())
    encoders = load_encoders(paths.clip, paths.synchformer, own, clap=clap)

    # The words of the identity are stored with the features: they stay as they are.
    clap_suffix = ", embedded by CLAP" if has_clap else ""
    identity = f"{VERSION}, {n_crops} references inside{clap_suffix}"
    return build_encoding(encoders, codec, n_crops, identity, is_embedded=has_clap)


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
