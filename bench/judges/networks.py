"""The networks of the paper judge: what each hears or sees under each profile.

``av-benchmark`` keeps every choice of the published evaluator (hkchengrex/av-benchmark): the mean
of the whole file is removed before resampling, ImageBind hears the left channel of the whole file.
``strict`` gives every network the mono mix of the window and nothing else. CLAP, whose column is
an extra, hears the mono mix of the window under both, resampled as its own package does it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.checkpoints.registry import WEIGHTS
from bench.judges.batches import stacked, unstacked
from bench.judges.extractor import ClipMedia, Embed, Features, NetworkExtractor, Prepared
from bench.types import Audio, Waveform

if TYPE_CHECKING:
    from torch import Tensor

    from bench.backbones.imagebind import ImageBind
    from bench.backbones.synchformer import Synchformer

PUBLISHED = "av-benchmark"


class Setting(NamedTuple):
    """What a network is opened with."""

    profile: str
    checkpoint: Path
    device: str


@lru_cache(maxsize=1)
def _load_imagebind(setting: Setting) -> ImageBind:
    """Load the checkpoint once for both of its extractors: each would hold gigabytes of its own."""
    from bench.backbones import imagebind

    return imagebind.load_imagebind(setting.checkpoint, setting.device)


@lru_cache(maxsize=1)
def _load_synchformer(setting: Setting) -> Synchformer:
    """Load the checkpoint once for both of its extractors."""
    from bench.backbones import synchformer

    return synchformer.load_synchformer(setting.checkpoint, setting.device)


def _prepare_passt(setting: Setting, media: ClipMedia) -> Prepared:
    from bench.backbones import passt

    waveform = _mono(media, setting, passt.SAMPLE_RATE_HZ, remove_dc=True)
    return _only("images", passt.front_end(_batch(waveform)))


def _open_passt(setting: Setting) -> Embed:
    from bench.backbones import passt

    return _tagging(passt.load_passt(setting.checkpoint, setting.device), setting)


def _prepare_panns(setting: Setting, media: ClipMedia) -> Prepared:
    from bench.backbones import panns

    waveform = _mono(media, setting, panns.SAMPLE_RATE_HZ, remove_dc=True)
    return _only("images", panns.front_end(_batch(waveform)))


def _open_panns(setting: Setting) -> Embed:
    from bench.backbones import panns

    return _tagging(panns.load_panns(setting.checkpoint, setting.device), setting)


def _tagging(model: Callable[[Tensor], tuple[Tensor, Tensor]], setting: Setting) -> Embed:
    """What PaSST and PANNs have in common: log-mel images to an embedding and logits."""
    import torch

    @torch.inference_mode()
    def embed(prepared: Sequence[Prepared]) -> Sequence[Features]:
        embedding, logits = model(stacked(prepared, "images", setting.device))
        return unstacked({"embedding": embedding, "logits": logits})

    return embed


def _prepare_vggish(setting: Setting, media: ClipMedia) -> Prepared:
    from bench.backbones import vggish

    waveform = _mono(media, setting, vggish.SAMPLE_RATE_HZ, remove_dc=True)
    return _only("patches", vggish.front_end(_batch(waveform)))


def _open_vggish(setting: Setting) -> Embed:
    import torch

    from bench.backbones import vggish

    model = vggish.load_vggish(setting.checkpoint, setting.device)

    @torch.inference_mode()
    def embed(prepared: Sequence[Prepared]) -> Sequence[Features]:
        return unstacked({"embedding": model(stacked(prepared, "patches", setting.device))})

    return embed


def _prepare_imagebind_audio(setting: Setting, media: ClipMedia) -> Prepared:
    from bench.backbones import imagebind

    if setting.profile == PUBLISHED:
        mels = imagebind.reference_clips(_stereo(media.file(), imagebind.SAMPLE_RATE_HZ))
        return {"mels": mels.numpy()}
    waveform = _mono(media, setting, imagebind.SAMPLE_RATE_HZ, remove_dc=False)
    seconds = len(waveform) / imagebind.SAMPLE_RATE_HZ
    return _only("mels", imagebind.front_end(_batch(waveform), seconds))


def _open_imagebind_audio(setting: Setting) -> Embed:
    from bench.backbones import imagebind

    model = _load_imagebind(setting)

    def embed(prepared: Sequence[Prepared]) -> Sequence[Features]:
        return unstacked(imagebind.embed_audio(model, stacked(prepared, "mels", setting.device)))

    return embed


def _prepare_imagebind_picture(setting: Setting, media: ClipMedia) -> Prepared:
    from bench.backbones import imagebind
    from bench.media import three_crops

    pixels = media.frames(imagebind.FPS, imagebind.SIDE)
    return {"clips": imagebind.video_clips(three_crops(pixels, imagebind.SIDE)).numpy()}


def _open_imagebind_picture(setting: Setting) -> Embed:
    from bench.backbones import imagebind

    model = _load_imagebind(setting)

    def embed(prepared: Sequence[Prepared]) -> Sequence[Features]:
        return unstacked(imagebind.embed_video(model, stacked(prepared, "clips", setting.device)))

    return embed


def _prepare_sync_picture(setting: Setting, media: ClipMedia) -> Prepared:
    from bench.backbones import synchformer
    from bench.media import center_crop

    pixels = media.frames(synchformer.FRAMES_PER_S, synchformer.SIDE_PIXELS)
    # 30 MB for 8 s; as floats they would be 120.
    return {"pixels": np.ascontiguousarray(center_crop(pixels, synchformer.SIDE_PIXELS))}


def _open_sync_picture(setting: Setting) -> Embed:
    from bench.backbones import synchformer

    model = _load_synchformer(setting)

    def embed(prepared: Sequence[Prepared]) -> Sequence[Features]:
        # A clip is 24 segments, a batch by itself: the encoder takes a few of them at a time.
        answers = []
        for each in prepared:
            frames = synchformer.video_front_end(stacked([each], "pixels", setting.device))
            answers += unstacked({"tokens": synchformer.video_features(model, frames)})
        return answers

    return embed


def _prepare_sync(setting: Setting, media: ClipMedia) -> Prepared:
    from bench.backbones import synchformer

    waveform = _mono(media, setting, synchformer.SAMPLE_RATE_HZ, remove_dc=False)
    whole = int(synchformer.SAMPLE_RATE_HZ * media.window().seconds)
    filled = np.pad(waveform, (0, max(0, whole - len(waveform))))
    return _only("images", synchformer.front_end(_batch(filled)))


def _open_sync(setting: Setting) -> Embed:
    from bench.backbones import synchformer

    model = _load_synchformer(setting)

    def embed(prepared: Sequence[Prepared]) -> Sequence[Features]:
        audio = synchformer.audio_tokens(model, stacked(prepared, "images", setting.device))
        video = stacked(prepared, "sync_picture.tokens", setting.device)
        n_segments = min(video.shape[1], audio.shape[1])
        logits = synchformer.offset_logits(model, video[:, :n_segments], audio[:, :n_segments])
        return unstacked({"logits": logits})

    return embed


def _prepare_clap_audio(setting: Setting, media: ClipMedia) -> Prepared:
    from bench.backbones import clap

    return _only("log_mels", clap.front_end(_batch(media.signal(clap.SAMPLE_RATE_HZ))))


def _open_clap_audio(setting: Setting) -> Embed:
    from bench.backbones import clap

    tower = clap.load_clap_audio(setting.checkpoint, setting.device)

    def embed(prepared: Sequence[Prepared]) -> Sequence[Features]:
        return unstacked(clap.embed_audio(tower, stacked(prepared, "log_mels", setting.device)))

    return embed


def _prepare_clap_text(setting: Setting, media: ClipMedia) -> Prepared:
    # An object, for strings of unequal length are of unequal type and would share no batch.
    return {"prompt": np.array(media.prompt, dtype=object)}


def _open_clap_text(setting: Setting) -> Embed:
    from bench.backbones import clap

    folder = setting.checkpoint.parent
    tower = clap.load_clap_text(setting.checkpoint, setting.device)
    tokeniser = clap.load_tokeniser(*(folder / WEIGHTS[name].file for name in VOCABULARY))

    def embed(prepared: Sequence[Prepared]) -> Sequence[Features]:
        prompts = [str(each["prompt"]) for each in prepared]
        return unstacked(clap.embed_text(tower, tokeniser, prompts))

    return embed


class _Network(NamedTuple):
    name: str
    weights: str
    prepare: Callable[[Setting, ClipMedia], Prepared]
    open: Callable[[Setting], Embed]
    senses: Any = "sound"
    after: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


#: The files of CLAP's tokeniser.
VOCABULARY = ("roberta-vocab", "roberta-merges")

NETWORKS = (
    _Network("passt", "passt", _prepare_passt, _open_passt),
    _Network("panns", "panns", _prepare_panns, _open_panns),
    _Network("vggish", "vggish", _prepare_vggish, _open_vggish),
    _Network("imagebind_audio", "imagebind", _prepare_imagebind_audio, _open_imagebind_audio),
    _Network(
        "imagebind_picture",
        "imagebind",
        _prepare_imagebind_picture,
        _open_imagebind_picture,
        "picture",
    ),
    _Network("sync_picture", "synchformer", _prepare_sync_picture, _open_sync_picture, "picture"),
    _Network("sync", "synchformer", _prepare_sync, _open_sync, "both", ("sync_picture",)),
    _Network("clap_audio", "clap", _prepare_clap_audio, _open_clap_audio),
    _Network("clap_text", "clap", _prepare_clap_text, _open_clap_text, "prompt", (), VOCABULARY),
)

#: Raised when what this file gives to a network, or how the network answers, changes. The front
#: end of each backbone has a constant of its own, which stands beside its code.
PREPROCESSING = "1"


def network_extractors(profile: str, directory: Path, device: str) -> tuple[NetworkExtractor, ...]:
    """The extractors of all networks; nothing is loaded until one is opened."""
    return tuple(_extractor(row, profile, directory, device) for row in NETWORKS)


def _extractor(row: _Network, profile: str, directory: Path, device: str) -> NetworkExtractor:
    weights = WEIGHTS[row.weights]
    front_end = import_module(f"bench.backbones.{row.weights}").PREPROCESSING
    setting = Setting(profile, directory / weights.file, device)
    return NetworkExtractor(
        row.name,
        f"{PREPROCESSING}.{front_end}-{profile}-{weights.sha256[:12]}",
        row.senses,
        row.after,
        row.weights,
        row.also,
        prepare=partial(row.prepare, setting),
        open=partial(row.open, setting),
    )


def _mono(media: ClipMedia, setting: Setting, sample_rate_hz: int, *, remove_dc: bool) -> Waveform:
    from bench.media import prepare_evaluator_waveform

    # The file first: its window need not be decoded again.
    heard = media.file() if setting.profile == PUBLISHED else media.window()
    seconds = media.window().seconds
    return prepare_evaluator_waveform(heard, sample_rate_hz, seconds, remove_dc=remove_dc)


def _stereo(audio: Audio, sample_rate_hz: int) -> Tensor:
    from bench.media import resample

    samples = resample(audio.samples, audio.sample_rate_hz, sample_rate_hz, method="sinc_hann")
    return _tensor(samples)


def _tensor(array: np.ndarray) -> Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(array))


def _batch(array: np.ndarray) -> Tensor:
    return _tensor(array)[None]


def _only(name: str, batch: Tensor) -> Prepared:
    """The only clip of a batch, under a name."""
    return {name: batch[0].numpy()}
