"""Estimate the memory that a model needs, and refuse before loading where it is not free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from acfoley.network.flow_network import FlowNetwork
from acfoley.params import FlowParams
from bench.errors import BenchError

GIBIBYTE = 2**30
#: Weights of the published codec (autoencoder and vocoder) and encoders (CLIP, Synchformer's video
#: half): numbers of values, float32.
CODEC_BYTES = 4 * (305_479_938 + 122_155_368)
ENCODER_BYTES = 4 * (986_714_881 + 122_440_704)
#: The audio encoder of CLAP, which one preset uses as well.
CLAP_BYTES = 4 * 68_611_864
#: Activations: frames, tokens and the vocoder's last layers. The second term grows with the number
#: of clips and their length: the vocoder's layers at the full sample rate dominate it.
WORK_BYTES = GIBIBYTE
WORK_BYTES_PER_SECOND = GIBIBYTE // 16
#: Of the free memory of a GPU: the rest is for what falls between blocks, and for kernels that take
#: more room for larger batches.
USABLE_SHARE = 0.85


#: What encoders may take in another thread while clips are generated: 32 frames of CLIP, or 12
#: segments of Synchformer, with what falls between them.
ENCODER_WORK_BYTES = 2 * GIBIBYTE


@dataclass(frozen=True)
class Need:
    """Bytes by use.

    With ``is_sequential`` network, codec and encoders are on the device one after another, so only
    the largest of them counts.
    """

    network: int
    codec: int
    encoders: int
    work: int
    is_sequential: bool = False

    @property
    def total(self) -> int:
        """The most bytes that are used at the same time."""
        parts = self.network, self.codec, self.encoders
        return (max(parts) if self.is_sequential else sum(parts)) + self.work

    def __str__(self) -> str:
        parts = {
            "network": self.network,
            "codec": self.codec,
            "encoders": self.encoders,
            "work": self.work,
        }
        listed = ", ".join(f"{name} {size / GIBIBYTE:.1f}" for name, size in parts.items())
        suffix = ", one at a time" if self.is_sequential else ""
        return f"{self.total / GIBIBYTE:.1f} GiB ({listed}{suffix})"


def estimate_need(
    params: FlowParams,
    dtype: torch.dtype,
    seconds: float,
    *,
    n_clips: int = 1,
    low_memory: bool = False,
) -> Need:
    """Estimate what generating ``n_clips`` of ``seconds`` at once needs, with published encoders.

    With ``low_memory`` network, codec and encoders are on the device one after another.
    """
    # On the meta device tensors have shapes and no memory: counting 1.08 billion values is free.
    with torch.device("meta"):
        n_values = sum(tensor.numel() for tensor in FlowNetwork(params).state_dict().values())
    return Need(
        network=n_values * dtype.itemsize,
        codec=CODEC_BYTES,
        encoders=ENCODER_BYTES + params.uses_clap * CLAP_BYTES,
        work=WORK_BYTES + int(n_clips * seconds * WORK_BYTES_PER_SECOND),
        is_sequential=low_memory,
    )


def require_memory(need: Need, device: torch.device) -> None:
    """Make sure that ``need`` fits on ``device``.

    Raises:
        BenchError: it does not; the message has the need, the free memory, and what helps.
    """
    free = free_bytes(device)
    if need.total > free:
        helps = ["a smaller --preset", "fewer --seconds"]
        if device.type != "cpu":
            helps = ["--low-memory", "--dtype bfloat16", *helps]
        raise BenchError(
            f"generating needs about {need} and {device} has {free / GIBIBYTE:.1f} GiB free: "
            f"use {' or '.join(helps)}"
        )


def free_bytes(device: torch.device) -> int:
    """Return the bytes that can be allocated on ``device`` now."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    import psutil  # only here: a GPU needs no more than torch

    return int(psutil.virtual_memory().available)


def measure_batch(work: Callable[[int], object], device: torch.device) -> int:
    """Return how many clips fit on a GPU at once, from the peaks of ``work(1)`` and ``work(2)``.

    Nothing else may use the GPU meanwhile: it would count. Room for encoders is left.
    """
    peaks = []
    for n_clips in (1, 2):
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        try:
            work(n_clips)
        except torch.OutOfMemoryError:
            return 1  # if one does not fit either, generating it says so
        torch.cuda.synchronize(device)
        peaks.append(torch.cuda.max_memory_allocated(device) - before)
    torch.cuda.empty_cache()  # what torch keeps for itself would count as used
    return fitting_batch(peaks[0], peaks[1], free_bytes(device) - ENCODER_WORK_BYTES)


def fitting_batch(one: int, two: int, free: int) -> int:
    """Return how many clips fit into ``free`` bytes if one takes ``one`` and two take ``two``.

    Each further clip is taken to need what the second does. At least 1.

    >>> fitting_batch(3 * 2**30, 4 * 2**30, 20 * 2**30)
    15
    """
    per_clip = max(1, two - one)
    return max(1, int((USABLE_SHARE * free - (one - per_clip)) // per_clip))
