"""The training loop: steps, curves, checkpoints, snapshots, validation.

    train(recipe, Data([folder], held_out=[other]), run_folder)

<run>/run.json                     the recipe and what it ran on
<run>/log.csv, validation.csv      the curves
<run>/checkpoint-00012000.safetensors, averages/   see ``checkpoint`` and ``snapshots``

Started by torchrun, every process takes its part of each batch. On a CPU, and with as many threads
and processes, a run that was killed and goes on ends with the same bits as one that was not.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn

from acfoley.network.flow_network import FlowNetwork
from acfoley.train import log
from acfoley.train.batches import Batch, Batcher
from acfoley.train.checkpoint import (
    Progress,
    State,
    checkpoints,
    load_checkpoint,
    save_checkpoint,
    trainable,
)
from acfoley.train.corpus import Corpus
from acfoley.train.ema import PowerAverages
from acfoley.train.feed import Feed, Share
from acfoley.train.guard import Losses, require_finite
from acfoley.train.objective import Objective
from acfoley.train.recipe import Recipe
from acfoley.train.settings import Data, Report, Settings
from acfoley.train.snapshots import save_snapshots
from acfoley.train.start import about_run, data_digest, first_network, new_optimiser
from acfoley.train.validation import held_out_loss
from acfoley.train.world import World
from bench.errors import RunError
from bench.io import require_folder, write_json


def train(
    recipe: Recipe,
    data: Data,
    run: Path,
    settings: Settings | None = None,
    *,
    world: World | None = None,
    initial: FlowNetwork | None = None,
) -> FlowNetwork:
    """Train, or go on training, and return the network as it is after the last step.

    ``initial`` is a network to begin with instead of a drawn one; it keeps its own statistics of
    latents and its own empty text. A run that is finished is returned as it is.

    Raises:
        RunError: the folder holds a run that was not to be resumed, or one of another recipe or
            other clips; or the loss was no longer a number.
        BenchError: the data do not fit the recipe.
    """
    world = world or World(0, 1, torch.device("cpu"))
    with _locked(run, world):
        trainer = Trainer(recipe, data, run, settings or Settings(), world, initial)
        trainer.run_to_end()
    return trainer.network


class Trainer:
    """One process of a run."""

    def __init__(
        self,
        recipe: Recipe,
        data: Data,
        run: Path,
        settings: Settings,
        world: World,
        initial: FlowNetwork | None = None,
    ) -> None:
        self.recipe, self.settings, self.world, self.run = recipe, settings, world, run
        self.last = recipe.n_steps if settings.until is None else recipe.end_of(settings.until)
        corpus = Corpus(data.folders)
        batcher = Batcher(corpus, recipe)
        self.feed = Feed(batcher, Share(world.rank, world.size, settings.n_accumulated))
        self.held_out = Batcher(Corpus(data.held_out), recipe) if data.held_out else None
        self.network = first_network(recipe, corpus, initial, world.device)
        self.own = Objective(self.network, corpus.window.lengths, bfloat16=recipe.bfloat16)
        self.objective: nn.Module = self.own
        if world.size > 1:
            self.objective = nn.parallel.DistributedDataParallel(self.own)
        self.weights = trainable(self.network)
        self.optimiser = new_optimiser(recipe, self.weights, world.device)
        self.averages = PowerAverages(self.weights, recipe.sigmas)
        self.state = State(self.network, self.optimiser, self.averages)
        self.data = data_digest(corpus)
        self.progress = self._begin()
        if settings.compile:
            self.network.compile()
        if world.is_first:
            self.curve = log.Curve(run / "log.csv", log.TRAINING, self.progress.step)
            self.validation = log.Curve(run / "validation.csv", log.VALIDATION, self.progress.step)
            write_json(run / "run.json", about_run(recipe, data, corpus, world))

    def run_to_end(self) -> None:
        """Every step that is left."""
        began, first = time.monotonic(), self.progress.step
        since, n_since = began, 0
        for step, batches in self.feed.from_step(first, self.last):
            loss, norm = self._step(step, batches)
            progress = self.progress
            self.progress = Progress(step + 1, progress.loss_sum + loss, progress.n_losses + 1)
            now, n_since = time.monotonic(), n_since + 1
            rate = n_since * self.recipe.batch_size / max(now - since, 1e-9)
            pace = (now - began) / (step + 1 - first)
            self._report(step, loss, rate, pace * (self.last - step - 1))
            if (step + 1) % self.settings.log_every == 0:
                self._log(norm, rate)
                since, n_since = now, 0
            self._keep()
        self.world.wait()

    def _begin(self) -> Progress:
        """Where the run is; a folder that holds a run must be meant to be gone on with."""
        found = checkpoints(self.run)
        if not found:
            return Progress()
        step, path = list(found.items())[-1]
        if not self.settings.resume:
            raise RunError(
                f"{self.run} holds a run that is at step {step}: go on with --resume, or use "
                "another folder"
            )
        return load_checkpoint(path, self.state, self.recipe, self.data)

    def _step(self, step: int, batches: Sequence[Batch]) -> tuple[float, float]:
        """One update of the weights: the mean loss of all clips, and the norm of the gradients."""
        stage, _ = self.recipe.stage_at(step)
        by_clip = []
        for number, batch in enumerate(batches):
            with self._alone(is_last=number == len(batches) - 1):
                losses: Tensor = self.objective(batch.to(self.world.device))
                (losses.mean() / len(batches)).backward()  # type: ignore[no-untyped-call]
            by_clip.append(losses.detach())
        largest = self.recipe.optimiser.largest_gradient
        norm = nn.utils.clip_grad_norm_(self.weights.values(), largest).item()
        require_finite(Losses(batches, by_clip, norm), step, stage.name, self.run, self.world)
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.schedule.rate(step)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.averages.update(step + 1, self.weights)
        return self.world.mean(torch.cat(by_clip).mean().item()), norm

    def _alone(self, *, is_last: bool) -> AbstractContextManager[None]:
        """Gradients of all but the last part stay in this process."""
        if is_last or not isinstance(self.objective, nn.parallel.DistributedDataParallel):
            return nullcontext()
        alone: AbstractContextManager[None] = self.objective.no_sync()
        return alone

    def _report(self, step: int, loss: float, rate: float, seconds_left: float) -> None:
        if self.world.is_first:
            stage, _ = self.recipe.stage_at(step)
            learning_rate = self.recipe.schedule.rate(step)
            self.settings.on_step(
                Report(step + 1, self.last, stage.name, loss, learning_rate, rate, seconds_left)
            )

    def _log(self, norm: float, rate: float) -> None:
        """A row of the curve: the mean loss since the row before."""
        progress = self.progress
        if self.world.is_first:
            stage, _ = self.recipe.stage_at(progress.step - 1)
            self.curve.add(
                step=progress.step,
                stage=stage.name,
                loss=repr(progress.loss_sum / progress.n_losses),
                learning_rate=self.recipe.schedule.rate(progress.step - 1),
                gradient_norm=repr(norm),
                clips_per_second=f"{rate:.2f}",
            )
        self.progress = Progress(progress.step)

    def _keep(self) -> None:
        """Validation, snapshots and a checkpoint, where they are due."""
        step, settings = self.progress.step, self.settings
        stage, within = self.recipe.stage_at(step - 1)
        is_end = step == self.last or within + 1 == stage.n_steps
        if self.held_out is not None and (step % settings.validate_every == 0 or is_end):
            self._validate(self.held_out, stage.name)
        if self.world.is_first and (step % self.recipe.snapshot_every == 0 or is_end):
            dtype = torch.float16 if settings.snapshot_dtype == "float16" else torch.float32
            save_snapshots(self.run, self.network, self.averages, step, dtype)
        if self.world.is_first and (step % settings.checkpoint_every == 0 or is_end):
            save_checkpoint(
                self.run, self.state, self.progress, self.recipe, self.data, settings.keep
            )

    def _validate(self, held_out: Batcher, stage: str) -> None:
        size = max(self.recipe.batch_size // self.feed.share.n_parts, 1)
        loss = held_out_loss(self.own, held_out, size, self.world)
        if self.world.is_first:
            step, n_clips = self.progress.step, len(held_out.corpus.rows)
            self.validation.add(step=step, stage=stage, loss=repr(loss), n_clips=n_clips)
            self.settings.on_validation(step, self.network)


@contextmanager
def _locked(run: Path, world: World) -> Iterator[None]:
    """Make the folder of a run, and keep other runs out of it."""
    require_folder(run)
    if not world.is_first:
        yield
        return
    try:
        with FileLock(run / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise RunError(f"{run} is being trained in by another process") from error
