"""Features of clips on disk, for every later run."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor

from bench.io import atomic_path, bench_home

log = logging.getLogger(__name__)

#: Raise it when decoding, the preparation of frames or of references, or an encoder changes.
PREPROCESSING = "1"
#: Kinds whose audio soxr resamples: its version is part of their folder's name. References for the
#: codec pass the windowed sinc of ``bench.media`` instead.
RESAMPLED_BY_SOXR = ("embedding",)


@dataclass(frozen=True, eq=False)
class Entry:
    """Named tensors, float32 on the CPU, and what was noted when they were computed."""

    tensors: Mapping[str, Tensor]
    messages: tuple[str, ...] = ()


class FeatureFiles:
    """Features on disk: ``$BENCH_HOME/features/acfoley/<kind>/<encoder>/<key>.safetensors``.

    ``identities`` name the weights that make each kind of features; a kind without one is not kept
    on disk. The folder of an encoder also names the version of the preprocessing, the kind of
    device, since a GPU rounds otherwise than a CPU, with its precision, and, for
    ``RESAMPLED_BY_SOXR``, the version of soxr.
    Any number of processes may write at once: they write the same, and each file appears whole.
    """

    def __init__(
        self, identities: Mapping[str, str], device: torch.device | str, root: Path | None = None
    ) -> None:
        self._root = bench_home() / "features" / "acfoley" if root is None else root
        kind_of_device = torch.device(device).type
        precision = "" if kind_of_device == "cpu" else "-no-tf32"  # GPUs once rounded to TF32 here
        suffix = f"{PREPROCESSING}-{kind_of_device}{precision}"
        soxr = f"-soxr-{metadata.version('soxr')}"
        self._folders = {
            kind: f"{identity}-{suffix}{soxr if kind in RESAMPLED_BY_SOXR else ''}"
            for kind, identity in identities.items()
        }

    def path(self, kind: str, key: str) -> Path | None:
        """Return the file of these features, whether it exists or not; None where none is kept."""
        if kind not in self._folders:
            return None
        # 256 folders by the first two digits of the key: no folder gets slow to list.
        return self._root / kind / self._folders[kind] / key[:2] / f"{key}.safetensors"

    def load(self, kind: str, key: str) -> Entry | None:
        """Read features; None where there are none, or where they cannot be read (with a note)."""
        from safetensors import SafetensorError, safe_open

        if (path := self.path(kind, key)) is None:
            return None
        try:
            with safe_open(path, "pt") as file:
                # ``file`` has ``keys`` and is no mapping: it cannot be iterated over.
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                messages = tuple(json.loads((file.metadata() or {})["messages"]))
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("cannot read the features %s: %s", path, error)
            return None
        except (SafetensorError, KeyError, ValueError) as error:
            log.warning("the features %s are damaged (%s) and are computed again", path, error)
            return None
        return Entry(tensors, messages)

    def save(self, kind: str, key: str, entry: Entry) -> None:
        """Write features; a disk that is full or read-only costs time later, and a note now."""
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        if (path := self.path(kind, key)) is None:
            return
        try:
            # JSON: the metadata of safetensors are strings.
            with atomic_path(path) as temporary:
                save_file(dict(entry.tensors), temporary, {"messages": json.dumps(entry.messages)})
        except (OSError, SafetensorError) as error:  # the latter where the disk gets full
            log.warning("cannot keep the features %s: %s", path, error)
