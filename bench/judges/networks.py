"""The networks of the paper judge: what each hears or sees under each profile.

``av-benchmark`` keeps every choice of the published evaluator (hkchengrex/av-benchmark): the mean
of the whole file is removed before resampling, ImageBind hears the left channel of the whole file.
``strict`` gives every network the mono mix of the window and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.backbones.weights import WEIGHTS
from bench.judges.extractor import Extract, Extractor, Features, Stimulus
from bench.types import Audio, Waveform

if TYPE_CHECKING:
    from torch import Tensor

PUBLISHED = "av-benchmark"


class Setting(NamedTuple):
    """What a network is opened with."""

    profile: str
    checkpoint: Path
    device: str


def _open_passt(setting: Setting) -> Extract:
    from bench.backbones import passt

    model = passt.load_passt(setting.checkpoint, setting.device)
    return partial(_embed, setting, passt.SAMPLE_RATE_HZ, partial(passt.embed, model))


def _open_panns(setting: Setting) -> Extract:
    from bench.backbones import panns

    model = panns.load_panns(setting.checkpoint, setting.device)
    return partial(_embed, setting, panns.SAMPLE_RATE_HZ, partial(panns.embed, model))


def _open_vggish(setting: Setting) -> Extract:
    from bench.backbones import vggish

    model = vggish.load_vggish(setting.checkpoint, setting.device)
    return partial(_embed, setting, vggish.SAMPLE_RATE_HZ, partial(vggish.embed, model))


def _embed(
    setting: Setting,
    sample_rate_hz: int,
    embed: Callable[[Tensor], Mapping[str, Tensor]],
    stimulus: Stimulus,
) -> Features:
    return _arrays(embed(_batch(_mono(stimulus, setting, sample_rate_hz, remove_dc=True))))


def _open_imagebind_audio(setting: Setting) -> Extract:
    from bench.backbones import imagebind

    model = imagebind.load_imagebind(setting.checkpoint, setting.device)

    def extract(stimulus: Stimulus) -> Features:
        if setting.profile == PUBLISHED:
            mels = imagebind.reference_clips(_stereo(stimulus.file(), imagebind.SAMPLE_RATE_HZ))
            return _arrays(imagebind.embed_audio(model, mels[None]))
        waveform = _mono(stimulus, setting, imagebind.SAMPLE_RATE_HZ, remove_dc=False)
        seconds = len(waveform) / imagebind.SAMPLE_RATE_HZ
        mels = imagebind.front_end(_batch(waveform), seconds)
        return _arrays(imagebind.embed_audio(model, mels))

    return extract


def _open_imagebind_picture(setting: Setting) -> Extract:
    from bench.backbones import imagebind
    from bench.media import three_crops

    model = imagebind.load_imagebind(setting.checkpoint, setting.device)

    def extract(stimulus: Stimulus) -> Features:
        pixels = _frames(stimulus, imagebind.FPS, imagebind.SIDE)
        clips = imagebind.picture_clips(three_crops(pixels, imagebind.SIDE))
        return _arrays(imagebind.embed_picture(model, clips[None]))

    return extract


def _open_sync_picture(setting: Setting) -> Extract:
    from bench.backbones import synchformer
    from bench.media import center_crop

    encoder = synchformer.load_video_encoder(setting.checkpoint, setting.device)

    def extract(stimulus: Stimulus) -> Features:
        pixels = _frames(stimulus, synchformer.FRAMES_PER_S, synchformer.SIDE_PIXELS)
        frames = synchformer.video_front_end(_tensor(center_crop(pixels, synchformer.SIDE_PIXELS)))
        return {"tokens": synchformer.video_features(encoder, frames[None])[0].numpy()}

    return extract


def _open_sync(setting: Setting) -> Extract:
    from bench.backbones import synchformer

    model = synchformer.load_synchformer(setting.checkpoint, setting.device)

    def extract(stimulus: Stimulus) -> Features:
        waveform = _mono(stimulus, setting, synchformer.SAMPLE_RATE_HZ, remove_dc=False)
        whole = int(synchformer.SAMPLE_RATE_HZ * stimulus.window().seconds)
        filled = np.pad(waveform, (0, max(0, whole - len(waveform))))
        sound = synchformer.audio_features(model, _batch(filled))
        picture = _batch(stimulus.picture_features["sync_picture"]["tokens"])
        n_segments = min(picture.shape[1], sound.shape[1])
        logits = synchformer.offset_logits(model, picture[:, :n_segments], sound[:, :n_segments])
        return {"logits": logits[0].numpy()}

    return extract


class _Network(NamedTuple):
    name: str
    weights: str
    open: Callable[[Setting], Extract]
    senses: Any = "sound"
    after: tuple[str, ...] = ()


NETWORKS = (
    _Network("passt", "passt", _open_passt),
    _Network("panns", "panns", _open_panns),
    _Network("vggish", "vggish", _open_vggish),
    _Network("imagebind_audio", "imagebind", _open_imagebind_audio),
    _Network("imagebind_picture", "imagebind", _open_imagebind_picture, "picture"),
    _Network("sync_picture", "synchformer", _open_sync_picture, "picture"),
    _Network("sync", "synchformer", _open_sync, "both", ("sync_picture",)),
)

#: Raised when what a network is given, or how it answers, changes.
PREPROCESSING = "1"


def network_extractors(profile: str, directory: Path, device: str) -> tuple[Extractor, ...]:
    """The extractors of all networks; nothing is loaded until one is opened."""
    return tuple(_extractor(row, profile, directory, device) for row in NETWORKS)


def _extractor(row: _Network, profile: str, directory: Path, device: str) -> Extractor:
    weights = WEIGHTS[row.weights]
    setting = Setting(profile, directory / weights.file, device)
    return Extractor(
        row.name,
        f"{PREPROCESSING}-{profile}-{weights.sha256[:12]}",
        partial(row.open, setting),
        row.senses,
        row.after,
        row.weights,
    )


def _mono(
    stimulus: Stimulus, setting: Setting, sample_rate_hz: int, *, remove_dc: bool
) -> Waveform:
    from bench.media import reference_waveform

    window = stimulus.window()
    heard = stimulus.file() if setting.profile == PUBLISHED else window
    return reference_waveform(heard, sample_rate_hz, window.seconds, remove_dc=remove_dc)


def _stereo(audio: Audio, sample_rate_hz: int) -> Tensor:
    from bench.media import resample

    samples = resample(audio.samples, audio.sample_rate_hz, sample_rate_hz, method="sinc_hann")
    return _tensor(samples)


def _frames(stimulus: Stimulus, fps: float, short_side: int) -> np.ndarray:
    from bench.media import read_frames

    if stimulus.picture is None:
        raise ValueError("this stimulus has no picture")
    return read_frames(stimulus.picture, fps, short_side=short_side).pixels


def _tensor(array: np.ndarray) -> Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(array))


def _batch(array: np.ndarray) -> Tensor:
    return _tensor(array)[None]


def _arrays(batch: Mapping[str, Tensor]) -> Features:
    """The only clip of a batch, as NumPy arrays."""
    return {name: tensor[0].numpy() for name, tensor in batch.items()}
