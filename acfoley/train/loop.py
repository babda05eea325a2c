"""The training loop: steps, logs, checkpoints, snapshots, validation; and the settings of a run.

    train(recipe, TrainingData([folder], held_out=[other]), run_folder)

<run>/run.json                     the recipe, the data and the device
<run>/log.csv, validation.csv      losses by step
<run>/checkpoint-00012000.safetensors, averages/   see ``checkpoint`` and ``ema``

Started by torchrun, each process computes its share of every batch. On a CPU, with equally many
threads and processes, a resumed run ends with the same bits as an uninterrupted one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn

from acfoley.network.flow_network import FlowNetwork
from acfoley.train.checkpoint import (
    Progress,
    State,
    build_network,
    build_optimiser,
    data_digest,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
    trainable_weights,
)
from acfoley.train.collate import Batch, Collator
from acfoley.train.dataset import FeatureDataset
from acfoley.train.distributed import ProcessGroup
from acfoley.train.ema import PowerFunctionEma, save_snapshots
from acfoley.train.loader import BatchLoader, BatchShare
from acfoley.train.log import TRAINING_COLUMNS, VALIDATION_COLUMNS, CsvLog, OnStep, StepReport
from acfoley.train.loss import (
    FlowMatchingLoss,
    StepLosses,
    compute_held_out_loss,
    require_finite,
)
from acfoley.train.recipe import Recipe
from bench.errors import RunError
from bench.io import require_folder, write_json


@dataclass(frozen=True)
class TrainingData:
    """Folders of features: those to train on, and those whose loss is only computed."""

    folders: Sequence[Path]
    held_out: Sequence[Path] = ()


#: Called after each validation with the step and the network, on the first process.
OnValidation = Callable[[int, FlowNetwork], None]


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a run that change its result by rounding at most.

    ``until`` is the name of the last stage to train. ``keep`` is the number of checkpoints that are
    kept. ``log_every``, ``validate_every`` and ``checkpoint_every`` count steps.
    """

    until: str | None = None
    n_accumulated: int = 1
    log_every: int = 50
    validate_every: int = 1_000
    checkpoint_every: int = 1_000
    keep: int = 3
    snapshot_dtype: Literal["float32", "float16"] = "float32"
    compile: bool = False
    resume: bool = False
    on_step: OnStep = field(default=lambda report: None)
    on_validation: OnValidation = field(default=lambda step, network: None)

    def __post_init__(self) -> None:
        counts = (
            self.n_accumulated,
            self.log_every,
            self.validate_every,
            self.checkpoint_every,
            self.keep,
        )
        if min(counts) < 1:
            raise RunError(
                "parts of a batch, steps between rows, validations and checkpoints, and the number "
                f"of checkpoints that are kept, must be 1 or more, not {counts}"
            )


def train(
    recipe: Recipe,
    data: TrainingData,
    run: Path,
    settings: TrainingSettings | None = None,
    *,
    processes: ProcessGroup | None = None,
    initial: FlowNetwork | None = None,
) -> FlowNetwork:
    """Train, or resume training, and return the network after the last step.

    ``initial`` is a network to start with instead of a randomly initialised one; it keeps its own
    statistics of latents and its own empty text. A finished run returns its network unchanged.

    Raises:
        RunError: the folder has a run and ``resume`` is not set, or one of another recipe or of
            other clips; or a loss or gradient was not finite.
        BenchError: the data do not fit the recipe.
    """
    processes = processes or ProcessGroup(0, 1, torch.device("cpu"))
    require_folder(run)
    lock = FileLock(run / ".lock", timeout=0)
    # One lock for all processes of a run: those of torchrun belong together.
    if processes.is_first:
        try:
            lock.acquire()
        except Timeout as error:
            raise RunError(f"{run} is being trained in by another process") from error
    try:
        trainer = Trainer(recipe, data, run, settings or TrainingSettings(), processes, initial)
        trainer.run_to_end()
    finally:
        lock.release()
    return trainer.network


class Trainer:
    """One process of a run."""

    def __init__(
        self,
        recipe: Recipe,
        data: TrainingData,
        run: Path,
        settings: TrainingSettings,
        processes: ProcessGroup,
        initial: FlowNetwork | None = None,
    ) -> None:
        self.recipe, self.settings, self.processes, self.run = recipe, settings, processes, run
        self.last = recipe.n_steps if settings.until is None else recipe.end_of(settings.until)
        dataset = FeatureDataset(data.folders)
        share = BatchShare(processes.rank, processes.size, settings.n_accumulated)
        self.loader = BatchLoader(Collator(dataset, recipe), share)
        self.held_out = Collator(FeatureDataset(data.held_out), recipe) if data.held_out else None
        self.network = build_network(recipe, dataset, initial, processes.device)
        self.loss = FlowMatchingLoss(self.network, dataset.layout.lengths, bfloat16=recipe.bfloat16)
        # Same loss; called through the wrapper, gradients are averaged over all processes.
        self.synced_loss: nn.Module = self.loss
        if processes.size > 1:
            self.synced_loss = nn.parallel.DistributedDataParallel(self.loss)
        self.weights = trainable_weights(self.network)
        self.optimiser = build_optimiser(recipe, self.weights, processes.device)
        self.averages = PowerFunctionEma(self.weights, recipe.sigmas)
        self.state = State(self.network, self.optimiser, self.averages)
        self.data = data_digest(dataset)
        self.progress = self._begin()
        if settings.compile:
            self.network.compile()
        if processes.is_first:
            step = self.progress.step
            self.log = CsvLog(run / "log.csv", TRAINING_COLUMNS, step)
            self.validation_log = CsvLog(run / "validation.csv", VALIDATION_COLUMNS, step)
            about = {
                "recipe": recipe.as_json(),
                "recipe_digest": recipe.digest(),
                "features": dataset.store.identity,
                "folders": [str(folder) for folder in data.folders],
                "held_out": [str(folder) for folder in data.held_out],
                "n_clips": len(dataset.clips),
                "n_processes": processes.size,
                "device": str(processes.device),
                "torch": torch.__version__,
            }
            write_json(run / "run.json", about)

    def run_to_end(self) -> None:
        """Carry out all remaining steps."""
        began, first = time.monotonic(), self.progress.step
        since, n_since = began, 0
        for step, batches in self.loader.iterate(first, self.last):
            loss, norm = self._step(step, batches)
            progress = self.progress
            self.progress = Progress(step + 1, progress.loss_sum + loss, progress.n_losses + 1)
            now, n_since = time.monotonic(), n_since + 1
            # The rate is that of the steps since the last row, for the log; the time that is left
            # comes from the pace of all steps, which does not jump.
            rate = n_since * self.recipe.batch_size / max(now - since, 1e-9)
            pace = (now - began) / (step + 1 - first)
            if self.processes.is_first:
                stage, _ = self.recipe.stage_at(step)
                lr, seconds_left = self.recipe.schedule.rate(step), pace * (self.last - step - 1)
                report = StepReport(step + 1, self.last, stage.name, loss, lr, rate, seconds_left)
                self.settings.on_step(report)
            if (step + 1) % self.settings.log_every == 0:
                self._write_log(norm, rate)
                since, n_since = now, 0
            self._save()
        self.processes.wait()

    def _begin(self) -> Progress:
        """Load the last checkpoint, if the folder has one, and return its progress."""
        found = list_checkpoints(self.run)
        if not found:
            return Progress()
        # Refused unless asked for: an old folder named by mistake would be trained further.
        step, path = list(found.items())[-1]
        if not self.settings.resume:
            raise RunError(
                f"{self.run} has a run that is at step {step}: go on with --resume, or use "
                "another folder"
            )
        return load_checkpoint(path, self.state, self.recipe, self.data)

    def _step(self, step: int, batches: Sequence[Batch]) -> tuple[float, float]:
        """Update the weights; return the mean loss of all clips and the norm of the gradients."""
        stage, _ = self.recipe.stage_at(step)
        by_clip = []
        for number, batch in enumerate(batches):
            # Gradients stay in this process for all accumulated parts except the last.
            wrapper, is_last = self.synced_loss, number == len(batches) - 1
            context: AbstractContextManager[None] = nullcontext()
            if isinstance(wrapper, nn.parallel.DistributedDataParallel) and not is_last:
                context = wrapper.no_sync()
            with context:
                losses: Tensor = self.synced_loss(batch.to(self.processes.device))
                # Parts have equally many clips, so the mean of their means is that of all clips.
                (losses.mean() / len(batches)).backward()  # type: ignore[no-untyped-call]
            by_clip.append(losses.detach())
        largest = self.recipe.optimiser.largest_gradient
        norm = nn.utils.clip_grad_norm_(self.weights.values(), largest).item()
        step_losses = StepLosses(batches, by_clip, norm)
        require_finite(step_losses, step, stage.name, self.run, self.processes)
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.schedule.rate(step)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.averages.update(step + 1, self.weights)
        mean = self.processes.sum(torch.cat(by_clip).mean().item()) / self.processes.size
        return mean, norm

    def _write_log(self, norm: float, rate: float) -> None:
        """Write a row of the log, with the mean loss since the row before, and start a new mean."""
        progress = self.progress
        if self.processes.is_first:
            stage, _ = self.recipe.stage_at(progress.step - 1)
            # ``repr`` has all digits: a resumed run is compared with an uninterrupted one by them.
            self.log.add(
                step=progress.step,
                stage=stage.name,
                loss=repr(progress.loss_sum / progress.n_losses),
                learning_rate=self.recipe.schedule.rate(progress.step - 1),
                gradient_norm=repr(norm),
                clips_per_second=f"{rate:.2f}",
            )
        self.progress = Progress(progress.step)

    def _save(self) -> None:
        """Validate and write snapshots and a checkpoint, each where it is due.

        All three are due at the end of a stage, too.
        """
        step, settings = self.progress.step, self.settings
        stage, within = self.recipe.stage_at(step - 1)
        is_end = step == self.last or within + 1 == stage.n_steps
        if self.held_out is not None and (step % settings.validate_every == 0 or is_end):
            size = max(self.recipe.batch_size // self.loader.share.n_parts, 1)
            loss = compute_held_out_loss(self.loss, self.held_out, size, self.processes)
            if self.processes.is_first:
                n_clips = len(self.held_out.dataset.clips)
                self.validation_log.add(
                    step=step, stage=stage.name, loss=repr(loss), n_clips=n_clips
                )
                settings.on_validation(step, self.network)
        if self.processes.is_first and (step % self.recipe.snapshot_every == 0 or is_end):
            dtype = torch.float16 if settings.snapshot_dtype == "float16" else torch.float32
            save_snapshots(self.run, self.network, self.averages, step, dtype)
        # The checkpoint comes last: a run killed before it repeats the step, and the validation and
        # the snapshots with it.
        if self.processes.is_first and (step % settings.checkpoint_every == 0 or is_end):
            save_checkpoint(
                self.run, self.state, self.progress, self.recipe, self.data, settings.keep
            )
