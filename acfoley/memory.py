"""How much memory a model will take, and the refusal when it is not there."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch

from acfoley.network.flow_network import FlowNetwork
from acfoley.params import FlowParams
from bench.errors import BenchError

GIBIBYTE = 2**30
#: Weights of the published codec (autoencoder and vocoder) and encoders (CLIP, Synchformer's video
#: half), float32.
CODEC_BYTES = 4 * (305_479_938 + 122_155_368)
ENCODER_BYTES = 4 * (986_714_881 + 122_440_704)
#: The half of CLAP that hears, which one preset has besides.
CLAP_BYTES = 4 * 68_611_864
#: What is computed on the way: frames, tokens and the vocoder's last layers; per clip of 8 s.
WORK_BYTES = GIBIBYTE
WORK_BYTES_PER_SECOND = GIBIBYTE // 16


@dataclass(frozen=True)
class Need:
    """Bytes by what they are for; in ``takes_turns`` only the largest part is there at a time."""

    network: int
    codec: int
    encoders: int
    work: int
    takes_turns: bool = False

    @property
    def total(self) -> int:
        """All that is there at the same time."""
        parts = self.network, self.codec, self.encoders
        return (max(parts) if self.takes_turns else sum(parts)) + self.work

    def __str__(self) -> str:
        parts = {
            "network": self.network,
            "codec": self.codec,
            "encoders": self.encoders,
            "work": self.work,
        }
        listed = ", ".join(f"{name} {size / GIBIBYTE:.1f}" for name, size in parts.items())
        turns = ", one at a time" if self.takes_turns else ""
        return f"{self.total / GIBIBYTE:.1f} GiB ({listed}{turns})"


def estimate_need(
    params: FlowParams,
    dtype: torch.dtype,
    seconds: float,
    *,
    n_clips: int = 1,
    low_memory: bool = False,
) -> Need:
    """What generating ``n_clips`` of ``seconds`` at once needs, with the published encoders.

    With ``low_memory`` network, codec and encoders are on the device one after another.
    """
    with torch.device("meta"):
        n_values = sum(tensor.numel() for tensor in FlowNetwork(params).state_dict().values())
    return Need(
        network=n_values * dtype.itemsize,
        codec=CODEC_BYTES,
        encoders=ENCODER_BYTES + params.uses_clap * CLAP_BYTES,
        work=WORK_BYTES + int(n_clips * seconds * WORK_BYTES_PER_SECOND),
        takes_turns=low_memory,
    )


def require_memory(need: Need, device: torch.device) -> None:
    """Make sure that ``need`` fits on ``device``.

    Raises:
        BenchError: it does not; the message says what is needed, what is free, and what helps.
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
    """Memory that can be had on ``device`` now."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)
