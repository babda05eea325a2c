"""The networks of the mini judge: small ones, trained on the mini world, under the paper's names.

Every profile gives them the same input: the mono mix of the window, and the centre of its frames.
Extractors and features have the names of the paper judge, so that the same columns read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.judges.extractor import ClipMedia, NetworkExtractor, Prepared
from bench.judges.rows import Batch, NetworkRow
from bench.mini_judges.weights import load_network, weights_hash

if TYPE_CHECKING:
    from torch import Tensor

#: Raised when the input of a network changes, or what is stored of its output. 2: frames resized as
#: by torchvision to the bit.
PREPROCESSING = "2"


def _prepare_audio(media: ClipMedia, profile: str, *, sample_rate_hz: int) -> Prepared:
    return {"waveform": media.signal(sample_rate_hz)}


def _prepare_grey(media: ClipMedia, profile: str) -> Prepared:
    from bench.mini_judges.front_end import FRAMES_PER_S, SIDE, grey_frames

    return {"grey": grey_frames(media.frames(FRAMES_PER_S, SIDE))}


def _prepare_stills(media: ClipMedia, profile: str) -> Prepared:
    from bench.mini_judges.front_end import FRAMES_PER_S, SIDE, colour_stills

    return {"stills": colour_stills(media.frames(FRAMES_PER_S, SIDE))}


def _embed_and_tag(network: Any, batch: Batch) -> Mapping[str, Tensor]:
    embedding, logits = network(batch.stack("waveform"))
    return {"embedding": embedding, "logits": logits}


def _embed_vggish(network: Any, batch: Batch) -> Mapping[str, Tensor]:
    return {"embedding": network(batch.stack("waveform"))}


def _embed_imagebind_audio(network: Any, batch: Batch) -> Mapping[str, Tensor]:
    return {"embedding": network.encode_audio(batch.stack("waveform"))}


def _embed_imagebind_video(network: Any, batch: Batch) -> Mapping[str, Tensor]:
    return {"embedding": network.encode_video(batch.stack("stills"))}


def _embed_sync_video(network: Any, batch: Batch) -> Mapping[str, Tensor]:
    return {"tokens": network.encode_video(batch.stack("grey"))}


def _embed_sync(network: Any, batch: Batch) -> Mapping[str, Tensor]:
    audio = network.encode_audio(batch.stack("waveform"))
    return {"logits": network.offset_logits(batch.stack("sync_picture.tokens"), audio)}


# ``media.signal`` resamples by soxr.
_SOXR = ("soxr",)
_AT_16K = partial(_prepare_audio, sample_rate_hz=16_000)
_AT_32K = partial(_prepare_audio, sample_rate_hz=32_000)

ROWS = (
    NetworkRow("passt", "passt", _AT_32K, load_network, _embed_and_tag, packages=_SOXR),
    NetworkRow("panns", "panns", _AT_16K, load_network, _embed_and_tag, packages=_SOXR),
    NetworkRow("vggish", "vggish", _AT_16K, load_network, _embed_vggish, packages=_SOXR),
    NetworkRow(
        "imagebind_audio",
        "imagebind",
        _AT_16K,
        load_network,
        _embed_imagebind_audio,
        packages=_SOXR,
    ),
    NetworkRow(
        "imagebind_picture",
        "imagebind",
        _prepare_stills,
        load_network,
        _embed_imagebind_video,
        "picture",
    ),
    NetworkRow(
        "sync_picture", "synchformer", _prepare_grey, load_network, _embed_sync_video, "picture"
    ),
    NetworkRow(
        "sync",
        "synchformer",
        _AT_16K,
        load_network,
        _embed_sync,
        "both",
        after=("sync_picture",),
        packages=_SOXR,
    ),
)


def mini_extractors(profile: str, device: str) -> tuple[NetworkExtractor, ...]:
    """Return the extractors of the small networks; nothing is loaded until one is opened."""
    return tuple(
        row.extractor(
            f"{PREPROCESSING}-{weights_hash(row.network)[:12]}", row.network, profile, device
        )
        for row in ROWS
    )
