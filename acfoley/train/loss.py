"""The loss of a batch, the loss of held-out clips, and what stops a run: a loss that is not finite.

Conditional flow matching on normalised latents (paper, section 3.1): with noise x0, latents x1 and
time t, the network gets ``(1 - t) x0 + t x1`` and predicts the velocity ``x1 - x0``; the loss of a
clip is the mean squared error over ``[L, D]``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from acfoley.network.conditions import drop_components
from acfoley.network.flow_network import FlowNetwork
from acfoley.params import SequenceLengths
from acfoley.sampling import flow_loss, interpolate
from acfoley.train.collate import Batch, Collator
from acfoley.train.distributed import ProcessGroup
from bench.errors import RunError, format_names
from bench.io import write_json

N_NAMED = 5


class FlowMatchingLoss(nn.Module):
    """The network together with its loss.

    It is one module because DistributedDataParallel synchronises gradients of what its wrapped
    module's ``forward`` computes, and conditions and velocity are two calls of the network.
    """

    def __init__(self, network: FlowNetwork, lengths: SequenceLengths, *, bfloat16: bool) -> None:
        super().__init__()
        self.network = network
        self.lengths = lengths
        self.is_bfloat16 = bfloat16

    def forward(self, batch: Batch) -> Tensor:
        """Return the loss of each clip, float32 ``[B]``."""
        network = self.network
        audio = network.normalise(batch.audio)
        latents = interpolate(batch.noise, audio, batch.times)
        device = latents.device.type
        with torch.autocast(device, dtype=torch.bfloat16, enabled=self.is_bfloat16):
            # What a clip does not have, or loses by dropout, becomes the learned empty feature. The
            # empty reference is used even where no clip of the batch has a reference, so that every
            # batch reaches every weight: DistributedDataParallel waits for the gradient of each.
            empty = network.empty_features(len(batch.names), self.lengths)
            if (reference := batch.features.audio) is not None:
                # One learned vector is the empty reference, whatever the number of tokens.
                empty = replace(empty, audio=network.empty_audio_feat.expand(reference.shape))
            features = drop_components(batch.features, empty, batch.is_empty)
            conditions = network.conditions(features, self.lengths)
            velocity = network(latents, batch.times, conditions)
        return flow_loss(velocity.float(), batch.noise, audio)


@torch.no_grad()
def compute_held_out_loss(
    loss: FlowMatchingLoss, held_out: Collator, batch_size: int, processes: ProcessGroup
) -> float:
    """Return the mean loss of all held-out clips, whose noise and times never change.

    Each process computes its share, in batches of ``batch_size``.
    """
    clips = held_out.dataset.clips[processes.rank :: processes.size]
    total = 0.0
    for start in range(0, len(clips), batch_size):
        batch = held_out.validation(clips[start : start + batch_size]).to(processes.device)
        total += loss(batch).double().sum().item()
    return processes.sum(total) / len(held_out.dataset.clips)


@dataclass(frozen=True)
class StepLosses:
    """Losses by clip of one process at one step, and the norm of the gradients of all processes."""

    batches: Sequence[Batch]
    by_clip: Sequence[Tensor]
    gradient_norm: float


def require_finite(
    losses: StepLosses, step: int, stage: str, run: Path, processes: ProcessGroup
) -> None:
    """Check that the gradients are finite, before the step reaches the weights.

    Raises:
        RunError: they are not; the message names the clips whose loss is not finite, or else those
            of the batch. ``stopped-<step>.json`` in the folder of the run lists all of them.
    """
    # The norm is that of the summed gradients, the same in all processes: all stop at this step.
    if math.isfinite(losses.gradient_norm):
        return
    names = [name for batch in losses.batches for name in batch.names]
    is_finite = torch.cat(list(losses.by_clip)).isfinite().tolist()
    bad = processes.gather([n for n, good in zip(names, is_finite, strict=True) if not good])
    batch = processes.gather(names)
    path = run / f"stopped-{step:08d}.json"
    if processes.is_first:
        write_json(path, {"step": step, "stage": stage, "not_finite": bad, "batch": batch})
    processes.wait()
    named = format_names(bad or batch, N_NAMED)
    what = "the loss of" if bad else "no loss, but a gradient in the batch of"
    raise RunError(
        f"training stopped at step {step}: not finite is {what} {named} (see {path}); the "
        "last checkpoint is from before it: remove the clips, or lower the learning rate"
    )
