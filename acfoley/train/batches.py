"""From places to tensors, and all that is random about a step.

Every clip of a step has a generator of its own, seeded by the run's seed, the step, the clip's
position in the batch and its name. What is drawn for it depends on nothing else: not on what was
drawn before, not on the other clips, not on how many processes share the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from acfoley.network.conditions import Component, Features
from acfoley.params import FlowParams, SequenceLengths
from acfoley.sampling import logit_normal_times
from acfoley.train.corpus import Corpus, Row
from acfoley.train.recipe import Drops, Recipe, Reference
from bench.errors import BenchError
from bench.seeds import stable_seed

#: The network never sees a clip of the validation set with anything dropped.
NO_DROPS = Drops(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Batch:
    """B clips with all that a step needs, on one device.

    ``sound`` are raw latents ``[B, L, D]`` of targets, ``noise`` is where the flow starts, ``times
    [B]`` where it is; ``is_empty [B]`` marks, by component, clips that lack it or lose it here.
    """

    names: tuple[str, ...]
    audio: Tensor
    noise: Tensor
    times: Tensor
    features: Features
    is_empty: dict[Component, Tensor]

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on ``device``."""
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
class _Item:
    """One clip of a batch."""

    audio: Tensor
    noise: Tensor
    normal: Tensor
    features: dict[Component, Tensor | None]
    dropped: dict[Component, bool]


@dataclass(frozen=True)
class Batcher:
    """Makes batches of the clips of ``corpus`` for one kind of network."""

    corpus: Corpus
    recipe: Recipe

    def __post_init__(self) -> None:
        check_features(self.corpus, self.recipe)

    def training(self, rows: Sequence[Row], reference: Reference, step: int, first: int) -> Batch:
        """The batch of ``step``: ``rows`` stand at positions ``first``, ``first + 1``, ..."""
        seeds = [
            stable_seed("train", self.recipe.seed, step, first + number, row.name)
            for number, row in enumerate(rows)
        ]
        return self._batch(rows, reference, seeds, self.recipe.drops)

    def validation(self, rows: Sequence[Row]) -> Batch:
        """Clips under noise and at times that are theirs for ever, with references as in tests."""
        seeds = [stable_seed("validation", row.name) for row in rows]
        return self._batch(rows, "after", seeds, NO_DROPS)

    def _batch(
        self, rows: Sequence[Row], reference: Reference, seeds: Sequence[int], drops: Drops
    ) -> Batch:
        items = [
            self._item(row, reference, torch.Generator().manual_seed(seed), drops)
            for row, seed in zip(rows, seeds, strict=True)
        ]
        features, is_empty = _joined(items, self.recipe.params, self.corpus.window.lengths)
        normal = torch.stack([item.normal for item in items])
        return Batch(
            names=tuple(row.name for row in rows),
            audio=torch.stack([item.audio for item in items]),
            noise=torch.stack([item.noise for item in items]),
            times=logit_normal_times(normal, self.recipe.time_mean, self.recipe.time_scale),
            features=features,
            is_empty=is_empty,
        )

    def _item(
        self, row: Row, reference: Reference, generator: torch.Generator, drops: Drops
    ) -> _Item:
        """One clip; draws are made in one fixed order, whether they are needed or not."""
        normal = torch.randn((), generator=generator)
        dropped = _drawn(drops, torch.rand(5, generator=generator))
        choice = int(torch.randint(2**31, (), generator=generator))
        audio = self._sampled(row, "target", None, generator)
        noise = torch.randn(audio.shape, generator=generator)
        return _Item(
            audio=audio,
            noise=noise,
            normal=normal,
            features={
                "audio": self._reference(row, reference, choice, generator),
                "sync": self._found(row, "sync"),
                "video": self._found(row, "video"),
                "text": self._found(row, "text"),
            },
            dropped=dropped,
        )

    def _reference(
        self, row: Row, reference: Reference, choice: int, generator: torch.Generator
    ) -> Tensor | None:
        """The reference of a clip ``[L, D]``: the ``choice``-th of those inside, or that after."""
        params = self.recipe.params.reference
        if params is None:
            return None
        column = f"{reference}.{'mean' if params.encoder == 'vae' else 'embedding'}"
        if column not in row.places:
            return None
        number = choice % self.corpus.shapes[column][0] if reference == "inside" else None
        if params.encoder == "vae":
            return self._sampled(row, reference, number, generator)
        return torch.from_numpy(self.corpus.read(row, column, number))

    def _sampled(
        self, row: Row, name: str, number: int | None, generator: torch.Generator
    ) -> Tensor:
        """Latents ``[L, D]`` drawn from a posterior."""
        mean = torch.from_numpy(self.corpus.read(row, f"{name}.mean", number))
        std = torch.from_numpy(self.corpus.read(row, f"{name}.std", number))
        return mean + std * torch.randn(mean.shape, generator=generator)

    def _found(self, row: Row, name: Component) -> Tensor | None:
        return torch.from_numpy(self.corpus.read(row, name)) if name in row.places else None


def _drawn(drops: Drops, chances: Tensor) -> dict[Component, bool]:
    """Which components a clip loses, by five chances from 0 to 1."""
    rates = (drops.video, drops.text, drops.audio, drops.sync or 0.0, drops.everything)
    video, text, audio, sync, everything = (chances < torch.tensor(rates)).tolist()
    if drops.sync is None:
        sync = video
    lost: dict[Component, bool] = {"audio": audio, "sync": sync, "video": video, "text": text}
    return {name: is_lost or everything for name, is_lost in lost.items()}


def check_features(corpus: Corpus, recipe: Recipe) -> None:
    """Make sure that the network of ``recipe`` can be trained on ``corpus``, in all its stages.

    Raises:
        BenchError: a column that is needed is missing, or has another shape.
    """
    for name, expected in _expected_shapes(corpus, recipe).items():
        found = corpus.shapes.get(name)
        where = corpus.folders[0]
        if found is None and name.partition(".")[0] in ("sync", "video", "text"):
            continue
        if found is None:
            is_clap = name.endswith(".embedding")
            how = "`acfoley precompute --clap`" if is_clap else "an encoding that makes it"
            raise BenchError(
                f"{where} has no {name}, which this recipe needs: compute it with {how}"
            )
        tail = found[-len(expected) :]
        if any(want not in (None, have) for want, have in zip(expected, tail, strict=True)):
            wanted = ", ".join("any" if each is None else str(each) for each in expected)
            raise BenchError(
                f"{where} has {name} of {list(tail)}, the network of this recipe takes [{wanted}]"
            )


def _expected_shapes(corpus: Corpus, recipe: Recipe) -> dict[str, tuple[int | None, int]]:
    """Tokens and width of each column; None is any number of tokens."""
    params, lengths = recipe.params, corpus.window.lengths
    expected: dict[str, tuple[int | None, int]] = {
        "target.mean": (lengths.latents, params.latent_width),
        "target.std": (lengths.latents, params.latent_width),
        "sync": (lengths.sync_tokens, params.sync_width),
        "video": (lengths.clip_frames, params.clip_width),
        "text": (lengths.text_tokens, params.text_width),
    }
    if (reference := params.reference) is not None:
        parts = ("mean", "std") if reference.encoder == "vae" else ("embedding",)
        for kind in dict.fromkeys(stage.reference for stage in recipe.stages):
            expected.update({f"{kind}.{part}": (None, reference.width) for part in parts})
    return expected


def _joined(
    items: Sequence[_Item], params: FlowParams, lengths: SequenceLengths
) -> tuple[Features, dict[Component, Tensor]]:
    """Features of all clips, zeros where a clip lacks one, and which are to be replaced."""
    widths: dict[Component, tuple[int, int]] = {
        "sync": (lengths.sync_tokens, params.sync_width),
        "video": (lengths.clip_frames, params.clip_width),
        "text": (lengths.text_tokens, params.text_width),
    }
    found: dict[Component, Tensor] = {}
    is_empty: dict[Component, Tensor] = {}
    for name, shape in widths.items():
        found[name], is_empty[name] = _column(items, name, shape)
    if params.reference is not None:
        heard = [each for item in items if (each := item.features["audio"]) is not None]
        if heard:
            shape = (heard[0].shape[0], heard[0].shape[1])
            found["audio"], is_empty["audio"] = _column(items, "audio", shape)
    return Features(**found), is_empty


def _column(
    items: Sequence[_Item], name: Component, shape: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    known = [item.features[name] for item in items]
    stacked = torch.stack([torch.zeros(shape) if each is None else each for each in known])
    is_empty = [each is None or item.dropped[name] for each, item in zip(known, items, strict=True)]
    return stacked, torch.tensor(is_empty)
