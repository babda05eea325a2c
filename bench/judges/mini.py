"""The networks of the mini judge: small ones, taught on the mini world, under the paper's names.

Every profile gives them the same: the mono mix of the window, and the middle of its picture. What
they answer has the names that the paper's networks use, so that the same columns read them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.judges.batches import stacked, unstacked
from bench.judges.extractor import ClipMedia, Embed, Features, NetworkExtractor, Prepared
from bench.mini_judges.weights import load_network, weights_hash

if TYPE_CHECKING:
    from torch import Tensor, nn

#: Raised when what a network is given, or how it answers, changes.
PREPROCESSING = "1"

#: Answers of a network to what was prepared of a batch, by name.
Answer = Callable[[Any, Callable[[str], "Tensor"]], dict[str, "Tensor"]]


def _hear(sample_rate_hz: int, media: ClipMedia) -> Prepared:
    return {"sound": media.signal(sample_rate_hz)}


def _see_grey(media: ClipMedia) -> Prepared:
    from bench.mini_judges.models.frames import FRAMES_PER_S, SIDE, grey_frames

    return {"grey": grey_frames(media.frames(FRAMES_PER_S, SIDE))}


def _see_stills(media: ClipMedia) -> Prepared:
    from bench.mini_judges.models.frames import FRAMES_PER_S, SIDE, colour_stills

    return {"stills": colour_stills(media.frames(FRAMES_PER_S, SIDE))}


def _tags(network: Any, given: Callable[[str], Tensor]) -> dict[str, Tensor]:
    embedding, logits = network(given("sound"))
    return {"embedding": embedding, "logits": logits}


def _patches(network: Any, given: Callable[[str], Tensor]) -> dict[str, Tensor]:
    return {"embedding": network(given("sound"))}


def _heard(network: Any, given: Callable[[str], Tensor]) -> dict[str, Tensor]:
    return {"embedding": network.encode_audio(given("sound"))}


def _seen(network: Any, given: Callable[[str], Tensor]) -> dict[str, Tensor]:
    return {"embedding": network.encode_video(given("stills"))}


def _sync_picture(network: Any, given: Callable[[str], Tensor]) -> dict[str, Tensor]:
    return {"tokens": network.encode_video(given("grey"))}


def _sync(network: Any, given: Callable[[str], Tensor]) -> dict[str, Tensor]:
    heard, seen = network.encode_audio(given("sound")), given("sync_picture.tokens")
    return {"logits": network.offset_logits(seen, heard)}


class _Row(NamedTuple):
    name: str
    network: str
    prepare: Callable[[ClipMedia], Prepared]
    answer: Answer
    senses: Any = "sound"
    after: tuple[str, ...] = ()


ROWS = (
    _Row("passt", "passt", partial(_hear, 32_000), _tags),
    _Row("panns", "panns", partial(_hear, 16_000), _tags),
    _Row("vggish", "vggish", partial(_hear, 16_000), _patches),
    _Row("imagebind_audio", "imagebind", partial(_hear, 16_000), _heard),
    _Row("imagebind_picture", "imagebind", _see_stills, _seen, "picture"),
    _Row("sync_picture", "synchformer", _see_grey, _sync_picture, "picture"),
    _Row("sync", "synchformer", partial(_hear, 16_000), _sync, "both", ("sync_picture",)),
)


def mini_extractors(device: str) -> tuple[NetworkExtractor, ...]:
    """The extractors of the small networks; nothing is loaded until one is opened."""
    return tuple(
        NetworkExtractor(
            row.name,
            f"{PREPROCESSING}-{weights_hash(row.network)[:12]}",
            row.senses,
            row.after,
            prepare=row.prepare,
            open=partial(_open, row, device),
        )
        for row in ROWS
    )


@cache
def _load(network: str, device: str) -> nn.Module:
    """Load a network once for all extractors that are parts of it."""
    return load_network(network, device)


def _open(row: _Row, device: str) -> Embed:
    import torch

    network = _load(row.network, device)

    @torch.inference_mode()
    def embed(prepared: Sequence[Prepared]) -> Sequence[Features]:
        return unstacked(row.answer(network, partial(stacked, prepared, device=device)))

    return embed
