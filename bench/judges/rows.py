"""Rows of network extractors: how both judges with networks describe, load and batch them.

row.prepare(media, profile) -> arrays of one clip      decode, resample, front end
row.load(source, device) -> network                    once per checkpoint and device
row.embed(network, batch) -> tensors [B, ...] by name  of a batch of clips
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

from bench.judges.extractor import (
    Embed,
    Features,
    Modality,
    NetworkExtractor,
    Prepared,
    name_versions,
)

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """The prepared arrays of some clips, for the network on ``device``."""

    clips: Sequence[Prepared]
    device: str

    def stack(self, name: str) -> Tensor:
        """The arrays of this name of all clips, ``[B, ...]`` on the device."""
        return stack_batch(self.clips, name, self.device)


@dataclass(frozen=True)
class NetworkRow:
    """One extractor with a network, before profile, checkpoint and device are chosen.

    ``network`` names the checkpoint (paper) or the small network (mini); the other fields are those
    of ``Extractor``. Functions are module-level ones, for rows are pickled into workers.
    ``packages`` decide what ``prepare`` returns: their versions are part of the extractor's.
    """

    name: str
    network: str
    prepare: Callable[..., Prepared]  # of the media and ``profile=...``
    load: Callable[[Any, str], Any]
    embed: Callable[[Any, Batch], Mapping[str, Tensor]]
    modality: Modality = "sound"
    after: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    def extractor(
        self, version: str, source: Any, profile: str, device: str, weights: str = ""
    ) -> NetworkExtractor:
        """Return the extractor; its network is loaded from ``source`` when it is opened."""
        return NetworkExtractor(
            self.name,
            "-".join([version, *name_versions(self.packages)]),
            self.modality,
            self.after,
            weights,
            self.also,
            prepare=partial(self.prepare, profile=profile),
            open=partial(_open, self, source, device),
        )


def _open(row: NetworkRow, source: Any, device: str) -> Embed:
    import torch

    network = load_once(row.load, source, device)

    @torch.inference_mode()
    def embed(prepared: Sequence[Prepared]) -> Sequence[Features]:
        return split_batch(row.embed(network, Batch(prepared, device)))

    return embed


# Networks by the function, the source and the device that they were loaded with. Weak, so that a
# network leaves memory with the last extractor that uses it.
_loaded: WeakValueDictionary[tuple[object, ...], Any] = WeakValueDictionary()


def load_once(load: Callable[[Any, str], Any], source: Any, device: str) -> Any:
    """Load a network, or return the one that another extractor has loaded from the same source.

    ImageBind serves two extractors, and so does Synchformer: a copy for each would cost 2.9 GB.
    """
    key = (load, source, device)
    network = _loaded.get(key)
    if network is None:
        network = _loaded[key] = load(source, device)
    return network


def stack_batch(prepared: Sequence[Prepared], name: str, device: str) -> Tensor:
    """Stack the arrays of this name of all clips: ``[B, ...]`` on ``device``.

    A GPU copies them from pinned memory, asynchronously.
    """
    import torch

    batch = torch.from_numpy(np.stack([each[name] for each in prepared]))
    if torch.device(device).type == "cuda":
        return batch.pin_memory().to(device, non_blocking=True)
    return batch.to(device)


def split_batch(outputs: Mapping[str, Tensor]) -> list[Features]:
    """Split tensors ``[B, ...]`` by name into the features of each clip, on the CPU."""
    arrays = {name: tensor.cpu().numpy() for name, tensor in outputs.items()}
    n_clips = len(next(iter(arrays.values())))
    # Copies: a view of one clip would keep the arrays of the full batch in memory.
    return [{name: array[i].copy() for name, array in arrays.items()} for i in range(n_clips)]
