"""From clips to tensors, and everything random in a step.

Every clip of a step has its own generator, seeded by the run's seed, the step, the clip's position
in the batch and its name. Its random numbers do not depend on earlier steps, on the other clips or
on how many processes share the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from acfoley.network.conditions import Component, Features
from acfoley.params import FlowParams, SequenceLengths
from acfoley.sampling import logit_normal_times
from acfoley.train.dataset import DatasetClip, FeatureDataset
from acfoley.train.recipe import ConditionDropout, Recipe, Reference
from bench.errors import BenchError
from bench.seeds import stable_seed

#: Held-out clips keep all components.
NO_DROPOUT = ConditionDropout(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Batch:
    """The inputs of a step for B clips, on one device.

    ``audio [B, L, D]`` are raw latents of the targets, ``noise [B, L, D]`` the start of the flow,
    ``times [B]`` its time in (0, 1). ``is_empty [B]`` marks, for each component, the clips that do
    not have it or lose it by dropout.
    """

    names: tuple[str, ...]
    audio: Tensor
    noise: Tensor
    times: Tensor
    features: Features
    is_empty: dict[Component, Tensor]

    def to(self, device: torch.device | str) -> Batch:
        """Return the same batch on ``device``."""
        if torch.device(device).type == "cpu":
            return self
        return replace(
            self,
            audio=self.audio.to(device),
            noise=self.noise.to(device),
            times=self.times.to(device),
            features=self.features.to(device),
            is_empty={name: each.to(device) for name, each in self.is_empty.items()},
        )


@dataclass(frozen=True)
class _Example:
    """One clip of a batch; ``normal`` is the random number that its time is made of."""

    audio: Tensor
    noise: Tensor
    normal: Tensor
    features: dict[Component, Tensor | None]
    is_dropped: dict[Component, bool]


@dataclass(frozen=True)
class Collator:
    """Makes batches of the clips of ``dataset`` for the network of ``recipe``.

    Raises:
        BenchError: the features do not fit the network.
    """

    dataset: FeatureDataset
    recipe: Recipe

    def __post_init__(self) -> None:
        # For all stages at once: what is missing in the last one would stop a run after days.
        check_features(self.dataset, self.recipe)

    def training(
        self, clips: Sequence[DatasetClip], reference: Reference, step: int, first: int
    ) -> Batch:
        """Return the part of the batch at ``step`` that starts at the position ``first``."""
        seeds = [
            stable_seed("train", self.recipe.seed, step, first + number, clip.name)
            for number, clip in enumerate(clips)
        ]
        return self._batch(clips, reference, seeds, self.recipe.dropout)

    def validation(self, clips: Sequence[DatasetClip]) -> Batch:
        """Return clips with noise and times that never change, and references as in tests."""
        seeds = [stable_seed("validation", clip.name) for clip in clips]
        return self._batch(clips, "after", seeds, NO_DROPOUT)

    def _batch(
        self,
        clips: Sequence[DatasetClip],
        reference: Reference,
        seeds: Sequence[int],
        dropout: ConditionDropout,
    ) -> Batch:
        examples = [
            self._example(clip, reference, torch.Generator().manual_seed(seed), dropout)
            for clip, seed in zip(clips, seeds, strict=True)
        ]
        features, is_empty = _stack(examples, self.recipe.params, self.dataset.layout.lengths)
        normal = torch.stack([each.normal for each in examples])
        return Batch(
            names=tuple(clip.name for clip in clips),
            audio=torch.stack([each.audio for each in examples]),
            noise=torch.stack([each.noise for each in examples]),
            times=logit_normal_times(normal, self.recipe.time_mean, self.recipe.time_scale),
            features=features,
            is_empty=is_empty,
        )

    def _example(
        self,
        clip: DatasetClip,
        reference: Reference,
        generator: torch.Generator,
        dropout: ConditionDropout,
    ) -> _Example:
        # Random numbers are drawn in one fixed order, needed or not, so that recipes which differ
        # in dropout or reference still have the same times. The choice is drawn from a range that
        # does not depend on the number of references.
        normal = torch.randn((), generator=generator)
        is_dropped = _draw_dropout(dropout, torch.rand(5, generator=generator))
        choice = int(torch.randint(2**31, (), generator=generator))
        audio = self._sample_posterior(clip, "target", None, generator)
        noise = torch.randn(audio.shape, generator=generator)
        features: dict[Component, Tensor | None] = {
            "audio": self._reference(clip, reference, choice, generator)
        }
        others: tuple[Component, ...] = ("sync", "video", "text")
        for name in others:
            is_there = name in clip.column_index
            features[name] = torch.from_numpy(self.dataset.read(clip, name)) if is_there else None
        return _Example(audio, noise, normal, features, is_dropped)

    def _reference(
        self, clip: DatasetClip, reference: Reference, choice: int, generator: torch.Generator
    ) -> Tensor | None:
        """Return the reference of a clip ``[L, D]``, of K inside ones the ``choice % K``-th."""
        params = self.recipe.params.reference
        if params is None:
            return None
        column = f"{reference}.{'mean' if params.encoder == 'vae' else 'embedding'}"
        if column not in clip.column_index:
            return None
        number = choice % self.dataset.shapes[column][0] if reference == "inside" else None
        if params.encoder == "vae":
            return self._sample_posterior(clip, reference, number, generator)
        return torch.from_numpy(self.dataset.read(clip, column, number))

    def _sample_posterior(
        self, clip: DatasetClip, name: str, number: int | None, generator: torch.Generator
    ) -> Tensor:
        """Draw latents ``[L, D]`` from a posterior: mean + std * z."""
        mean = torch.from_numpy(self.dataset.read(clip, f"{name}.mean", number))
        std = torch.from_numpy(self.dataset.read(clip, f"{name}.std", number))
        return mean + std * torch.randn(mean.shape, generator=generator)


def _draw_dropout(dropout: ConditionDropout, uniform: Tensor) -> dict[Component, bool]:
    """Return which components a clip loses, by five ``uniform`` random numbers in [0, 1)."""
    rates = (dropout.video, dropout.text, dropout.audio, dropout.sync or 0.0, dropout.everything)
    video, text, audio, sync, everything = (uniform < torch.tensor(rates)).tolist()
    if dropout.sync is None:
        sync = video
    lost: dict[Component, bool] = {"audio": audio, "sync": sync, "video": video, "text": text}
    return {name: is_lost or everything for name, is_lost in lost.items()}


def check_features(dataset: FeatureDataset, recipe: Recipe) -> None:
    """Check that the network of ``recipe`` can be trained on ``dataset`` in all its stages.

    Raises:
        BenchError: a required column is missing, or has another shape.
    """
    for name, expected in _expected_shapes(dataset, recipe).items():
        found = dataset.shapes.get(name)
        folder = dataset.folders[0]
        if found is None and name.partition(".")[0] in ("sync", "video", "text"):
            # Clips of audio alone: all of them are trained with the learned empty feature.
            continue
        if found is None:
            is_clap = name.endswith(".embedding")
            how = "`acfoley precompute --clap`" if is_clap else "an encoding that makes it"
            raise BenchError(
                f"{folder} has no {name}, which this recipe needs: compute it with {how}"
            )
        # Columns of references from inside the target have an axis of K before these.
        tail = found[-len(expected) :]
        if any(want not in (None, have) for want, have in zip(expected, tail, strict=True)):
            wanted = ", ".join("any" if each is None else str(each) for each in expected)
            raise BenchError(
                f"{folder} has {name} of {list(tail)}, the network of this recipe takes [{wanted}]"
            )


def _expected_shapes(dataset: FeatureDataset, recipe: Recipe) -> dict[str, tuple[int | None, int]]:
    """Return tokens and width of each column; None is any number of tokens."""
    params, lengths = recipe.params, dataset.layout.lengths
    latents = (lengths.latents, params.latent_width)
    expected: dict[str, tuple[int | None, int]] = {"target.mean": latents, "target.std": latents}
    for name, shape in _condition_shapes(params, lengths).items():
        expected[name] = shape
    if (reference := params.reference) is not None:
        parts = ("mean", "std") if reference.encoder == "vae" else ("embedding",)
        for kind in dict.fromkeys(stage.reference for stage in recipe.stages):
            expected.update({f"{kind}.{part}": (None, reference.width) for part in parts})
    return expected


def _condition_shapes(
    params: FlowParams, lengths: SequenceLengths
) -> dict[Component, tuple[int, int]]:
    """Return tokens and width of the features of video, sync and text."""
    return {
        "sync": (lengths.sync_tokens, params.sync_width),
        "video": (lengths.clip_frames, params.clip_width),
        "text": (lengths.text_tokens, params.text_width),
    }


def _stack(
    examples: Sequence[_Example], params: FlowParams, lengths: SequenceLengths
) -> tuple[Features, dict[Component, Tensor]]:
    """Return the features of all clips, and which of them the learned empty ones replace.

    A missing component is zeros, which the loss replaces before the network gets them.
    """
    shapes = _condition_shapes(params, lengths)
    if params.reference is not None:
        # The number of tokens is the data's. One column has one shape, so the first clip suffices.
        references = [each for one in examples if (each := one.features["audio"]) is not None]
        if references:
            shapes["audio"] = (references[0].shape[0], references[0].shape[1])
    stacked: dict[Component, Tensor] = {}
    is_empty: dict[Component, Tensor] = {}
    for name, shape in shapes.items():
        found = [each.features[name] for each in examples]
        stacked[name] = torch.stack([torch.zeros(shape) if f is None else f for f in found])
        is_empty[name] = torch.tensor(
            [f is None or e.is_dropped[name] for f, e in zip(found, examples, strict=True)]
        )
    return Features(**stacked), is_empty
