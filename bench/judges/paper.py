"""The networks of the paper judge, and the input that each gets under each profile.

``av-benchmark`` keeps every choice of the published evaluator (hkchengrex/av-benchmark): the mean
of the full file is removed before resampling, and ImageBind gets the left channel of the full file.
``strict`` gives every network the mono mix of the window and nothing else. CLAP, whose column is
not in the paper, gets the mono mix of the window under both, resampled as its own package does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import backbones
from bench.checkpoints.registry import OFFICIAL_FILES
from bench.judges.extractor import ClipMedia, Extractor, NetworkExtractor, Prepared
from bench.judges.rows import Batch, NetworkRow
from bench.types import Waveform

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bench.backbones.imagebind import ImageBind
    from bench.backbones.synchformer import Synchformer

PUBLISHED = "av-benchmark"

#: Raised when the code of this file changes what a network gets or what is stored of its output.
#: The front end of each backbone has a version of its own; both are part of cache keys.
PREPROCESSING = "1"

#: ImageBind's audio in other windows: ``with_release_windows``.
RELEASE_WINDOWS = "imagebind_audio_release"

#: The files of CLAP's tokeniser.
VOCABULARY = ("roberta-vocab", "roberta-merges")


def _load(source: tuple[str, Path], device: str) -> nn.Module:
    """Load a backbone from its checkpoint; every backbone but CLAP has one ``load_<name>``."""
    name, checkpoint = source
    load: Callable[[Path, str], nn.Module]
    load = getattr(import_module(f"bench.backbones.{name}"), f"load_{name}")
    return load(checkpoint, device)


# --- PaSST, PANNs, VGGish


def _prepare_log_mel(media: ClipMedia, profile: str, *, backbone: str) -> Prepared:
    network = import_module(f"bench.backbones.{backbone}")
    waveform = _read_mono(media, profile, network.SAMPLE_RATE_HZ, remove_dc=True)
    return {"images": network.front_end(_to_batch(waveform))[0].numpy()}


def _embed_and_tag(network: Any, batch: Batch) -> Mapping[str, Tensor]:
    embedding, logits = network(batch.stack("images"))
    return {"embedding": embedding, "logits": logits}


def _embed_vggish(network: Any, batch: Batch) -> Mapping[str, Tensor]:
    return {"embedding": network(batch.stack("images"))}


# --- ImageBind


def _prepare_imagebind_audio(
    media: ClipMedia, profile: str, *, is_release: bool = False
) -> Prepared:
    from bench.backbones import imagebind
    from bench.media import resample

    rate_hz = imagebind.SAMPLE_RATE_HZ
    gaps = imagebind.RELEASE_GAPS if is_release else imagebind.PINNED_GAPS
    if profile == PUBLISHED:
        file = media.file()
        samples = resample(file.samples, file.sample_rate_hz, rate_hz, method="sinc_hann")
        return {"mels": imagebind.reference_clips(_to_tensor(samples), gaps).numpy()}
    waveform = _read_mono(media, profile, rate_hz, remove_dc=False)
    mels = imagebind.front_end(_to_batch(waveform), len(waveform) / rate_hz, gaps)
    return {"mels": mels[0].numpy()}


def _prepare_imagebind_video(media: ClipMedia, profile: str) -> Prepared:
    from bench.backbones import imagebind
    from bench.media import three_crops

    pixels = media.frames(imagebind.FPS, imagebind.SIDE)
    return {"clips": imagebind.video_clips(three_crops(pixels, imagebind.SIDE)).numpy()}


def _embed_imagebind_audio(network: ImageBind, batch: Batch) -> Mapping[str, Tensor]:
    from bench.backbones import imagebind

    return imagebind.embed_audio(network, batch.stack("mels"))


def _embed_imagebind_video(network: ImageBind, batch: Batch) -> Mapping[str, Tensor]:
    from bench.backbones import imagebind

    return imagebind.embed_video(network, batch.stack("clips"))


# --- Synchformer


def _prepare_sync_video(media: ClipMedia, profile: str) -> Prepared:
    from bench.backbones import synchformer
    from bench.media import center_crop

    pixels = media.frames(synchformer.FRAMES_PER_S, synchformer.SIDE_PIXELS)
    # 30 MB for 8 s; as floats they would be 120.
    return {"pixels": np.ascontiguousarray(center_crop(pixels, synchformer.SIDE_PIXELS))}


def _prepare_sync(media: ClipMedia, profile: str) -> Prepared:
    from bench.backbones import synchformer

    rate_hz = synchformer.SAMPLE_RATE_HZ
    waveform = _read_mono(media, profile, rate_hz, remove_dc=False)
    # A sample that ends within the tolerance is padded: it gets as many segments as its video.
    n_missing = int(rate_hz * media.window().seconds) - len(waveform)
    padded = np.pad(waveform, (0, max(0, n_missing)))
    return {"images": synchformer.front_end(_to_batch(padded))[0].numpy()}


def _embed_sync_video(network: Synchformer, batch: Batch) -> Mapping[str, Tensor]:
    import torch

    from bench.backbones import synchformer

    # Clip by clip, for one has 24 segments and its frames are 120 MB of floats. The encoder itself
    # takes a few segments at a time.
    tokens = [
        synchformer.video_features(network, synchformer.video_front_end(pixels[None]))
        for pixels in batch.stack("pixels")
    ]
    return {"tokens": torch.cat(tokens)}


def _embed_sync(network: Synchformer, batch: Batch) -> Mapping[str, Tensor]:
    from bench.backbones import synchformer

    audio = synchformer.audio_tokens(network, batch.stack("images"))
    video = batch.stack("sync_picture.tokens")
    # Only the segments that both sides have.
    n_segments = min(video.shape[1], audio.shape[1])
    logits = synchformer.offset_logits(network, video[:, :n_segments], audio[:, :n_segments])
    return {"logits": logits}


# --- CLAP


def _prepare_clap_audio(media: ClipMedia, profile: str) -> Prepared:
    from bench.backbones import clap

    waveform = media.signal(clap.SAMPLE_RATE_HZ)
    return {"log_mels": clap.front_end(_to_batch(waveform))[0].numpy()}


def _prepare_clap_text(media: ClipMedia, profile: str) -> Prepared:
    # As an object: strings of unequal length have unequal dtypes, and only arrays of one shape and
    # dtype share a batch.
    return {"prompt": np.array(media.prompt, dtype=object)}


def _load_clap_audio(source: tuple[str, Path], device: str) -> nn.Module:
    from bench.backbones import clap

    return clap.load_clap_audio(source[1], device)


@dataclass(frozen=True, eq=False)
class _TextEncoder:
    tower: nn.Module
    tokeniser: Any


def _load_clap_text(source: tuple[str, Path], device: str) -> _TextEncoder:
    from bench.backbones import clap

    _, checkpoint = source
    files = (checkpoint.parent / OFFICIAL_FILES[name].file for name in VOCABULARY)
    return _TextEncoder(clap.load_clap_text(checkpoint, device), clap.load_tokeniser(*files))


def _embed_clap_audio(network: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
    from bench.backbones import clap

    return clap.embed_audio(network, batch.stack("log_mels"))


def _embed_clap_text(network: _TextEncoder, batch: Batch) -> Mapping[str, Tensor]:
    from bench.backbones import clap

    # Not batch.stack: tensors hold no text.
    prompts = [str(each["prompt"]) for each in batch.clips]
    return clap.embed_text(network.tower, network.tokeniser, prompts)


_PASST, _PANNS, _VGGISH = (
    partial(_prepare_log_mel, backbone=name) for name in ("passt", "panns", "vggish")
)

ROWS = (
    NetworkRow("passt", "passt", _PASST, _load, _embed_and_tag),
    NetworkRow("panns", "panns", _PANNS, _load, _embed_and_tag),
    NetworkRow("vggish", "vggish", _VGGISH, _load, _embed_vggish),
    NetworkRow(
        "imagebind_audio", "imagebind", _prepare_imagebind_audio, _load, _embed_imagebind_audio
    ),
    NetworkRow(
        "imagebind_picture",
        "imagebind",
        _prepare_imagebind_video,
        _load,
        _embed_imagebind_video,
        "picture",
    ),
    NetworkRow(
        "sync_picture", "synchformer", _prepare_sync_video, _load, _embed_sync_video, "picture"
    ),
    NetworkRow(
        "sync", "synchformer", _prepare_sync, _load, _embed_sync, "both", after=("sync_picture",)
    ),
    NetworkRow(
        "clap_audio",
        "clap",
        _prepare_clap_audio,
        _load_clap_audio,
        _embed_clap_audio,
        packages=("soxr",),
    ),
    NetworkRow(
        "clap_text",
        "clap",
        _prepare_clap_text,
        _load_clap_text,
        _embed_clap_text,
        "prompt",
        also=VOCABULARY,
    ),
)


def paper_extractors(profile: str, directory: Path, device: str) -> tuple[NetworkExtractor, ...]:
    """Return the extractors of all networks; nothing is loaded until one is opened."""
    extractors = []
    for row in ROWS:
        weights = OFFICIAL_FILES[row.network]
        front_end = backbones.PREPROCESSING[row.network]
        # All that decides a feature: this file, the front end, the profile, and the files that are
        # read. A package that resamples is added by the row.
        files = (weights, *(OFFICIAL_FILES[name] for name in row.also))
        digests = "-".join(file.digest[:12] for file in files)
        version = f"{PREPROCESSING}.{front_end}-{profile}-{digests}"
        source = row.network, directory / weights.file
        extractors.append(row.extractor(version, source, profile, device, row.network))
    return tuple(extractors)


def with_release_windows(extractors: Iterable[Extractor], profile: str) -> NetworkExtractor:
    """Return ImageBind's audio extractor with the windows of pytorchvideo's release 0.1.5.

    It is for comparisons: windows of 8 s start at 0, 2 and 4 s, and seconds 6 to 8 are not read.
    """
    (pinned,) = (
        each
        for each in extractors
        if each.name == "imagebind_audio" and isinstance(each, NetworkExtractor)
    )
    prepare = partial(_prepare_imagebind_audio, profile=profile, is_release=True)
    return replace(pinned, name=RELEASE_WINDOWS, prepare=prepare)


def _read_mono(media: ClipMedia, profile: str, sample_rate_hz: int, *, remove_dc: bool) -> Waveform:
    from bench.media import prepare_evaluator_waveform

    # The file first: its window is cut from it then, instead of being decoded again.
    audio = media.file() if profile == PUBLISHED else media.window()
    seconds = media.window().seconds
    return prepare_evaluator_waveform(audio, sample_rate_hz, seconds, remove_dc=remove_dc)


def _to_batch(waveform: Waveform) -> Tensor:
    return _to_tensor(waveform)[None]


def _to_tensor(array: np.ndarray) -> Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(array))
