"""What a cluster has to offer for the engine of ``bench.engine.chunked``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.engine.settings import WorkerSettings

#: So many chunks per slot at least, and items per chunk at most.
CHUNKS_PER_SLOT = 4
MOST_ITEMS = 256


@dataclass(frozen=True)
class Layout:
    """How a back end shares out one map.

    - ``n_slots``: how many chunks are worked on at the same time at most.
    - ``n_submitted``: how many may be submitted, so that a slot that gets free has the next one.
    - ``workers``: how many processes share a chunk.
    - ``settings``: what those processes have and are given.
    - ``gpus``: how many GPUs those processes share; each sees one. 0 leaves them as they are.
    """

    n_slots: int
    n_submitted: int
    workers: int
    settings: WorkerSettings
    gpus: int = 0


def choose_chunk_size(items: Iterable[Any], layout: Layout) -> int:
    """Return how many items a chunk has; without a length of ``items``, enough for one model.

    At least a batch for every worker of a job, so that opening the model is worth it, and otherwise
    four chunks per slot, so that slow ones do not keep the others waiting.
    """
    batch = layout.settings.batch_size * layout.workers
    if not isinstance(items, Sized):
        return min(MOST_ITEMS, 8 * batch)
    per_slot = -(-max(1, len(items)) // layout.n_slots)
    return min(MOST_ITEMS, per_slot, max(batch, -(-per_slot // CHUNKS_PER_SLOT)))


class Backend(Protocol):
    """What has ``bench.engine.chunks.run_chunk`` executed elsewhere, or the parts of it."""

    @property
    def logs(self) -> Path | None:
        """The folder of logs, named and kept when something was lost, or else removed."""
        ...

    def layout(self, settings: WorkerSettings) -> Layout:
        """Return how a map with these settings is shared out."""
        ...

    def submit(self, jobs: Sequence[Path], settings: WorkerSettings) -> list[str]:
        """Submit job files, and return an id of each for messages."""
        ...

    def ended(self) -> list[tuple[str, str | None]]:
        """Return the ids that ended since the last call, and why those that failed did."""
        ...

    def waiting(self) -> str:
        """Return what it waits for, in words: ``3 jobs pending (Priority)``."""
        ...

    def cancel(self, ids: Sequence[str]) -> None:
        """Cancel jobs, those of an earlier process included, which it may not know."""
        ...

    def close(self) -> None:
        """Release everything; a later ``submit`` opens it again."""
        ...
