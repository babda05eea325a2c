"""What the commands of training do: settings from what a user typed, then one call each."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import typer

from acfoley.network.flow_network import FlowNetwork
from acfoley.train.clips import ClipList, open_split, read_list
from acfoley.train.display import clip_progress, training_progress
from acfoley.train.loop import train
from acfoley.train.precompute import Summary, Writing, precompute
from acfoley.train.presets import recipe_named, with_borders
from acfoley.train.recipe import Recipe
from acfoley.train.settings import Data, Settings
from acfoley.train.shards import Part, StoredType, damaged_shards, shard_tables
from acfoley.train.window import Window
from acfoley.train.world import open_world
from bench.checkpoints.registry import weights_directory
from bench.errors import BenchError, MissingError, first_few
from bench.terminal import print_line, print_notice

N_NAMED = 5


@dataclass(frozen=True)
class Encoded:
    """What ``precompute`` is asked for, as typed."""

    list_file: Path | None
    split: str | None
    out: Path
    seconds: float
    n_crops: int
    part: str
    is_half: bool
    weights: Path | None
    device: str
    has_clap: bool = False


@dataclass(frozen=True)
class Changes:
    """What a user changes of a recipe; None leaves it."""

    borders: str | None = None
    batch_size: int | None = None
    seed: int | None = None
    snapshot_every: int | None = None


def precompute_command(order: Encoded) -> None:
    """Encode what is not there yet, and say what became of it; exit 1 where clips failed.

    Raises:
        BenchError: what is asked for is not there.
    """
    from acfoley.train.published import open_published

    listed = chosen_clips(order.list_file, order.split)
    window = Window(order.seconds)
    dtype: StoredType = "float16" if order.is_half else "float32"
    writing = Writing(parse_part(order.part), dtype=dtype)
    directory = order.weights or weights_directory()
    encoding = open_published(directory, order.device, order.n_crops, has_clap=order.has_clap)
    with clip_progress() as on_clip:
        summary = precompute(listed, encoding, order.out, window, writing, on_clip)
    _tell(summary, order.out / f"{writing.part}-failures.jsonl")


def verify_command(folder: Path) -> None:
    """Compare the checksums of all shards.

    Raises:
        BenchError: a shard is damaged, or there is none.
    """
    tables = shard_tables(folder)
    if not tables:
        raise MissingError(f"{folder} holds no features: make them with `acfoley precompute`")
    if damaged := damaged_shards(folder):
        names = first_few((path.name for path in damaged), N_NAMED)
        raise BenchError(
            f"{len(damaged)} of {len(tables)} shards in {folder} are damaged ({names}): remove "
            "each with its .json and run `acfoley precompute` again"
        )
    print_line(f"{folder}: {len(tables)} shards are as they were written")


def chosen_clips(list_file: Path | None, split: str | None) -> ClipList:
    """The clips of a list or of a split.

    Raises:
        BenchError: there is neither, or both, or they cannot be listed.
    """
    if list_file is not None and split is None:
        return read_list(list_file)
    if split is not None and list_file is None:
        return open_split(split)
    raise BenchError("name the clips with --list FILE or with --split NAME:FOLDER, not with both")


def parse_part(text: str) -> Part:
    """``1/4`` as the second of four.

    Raises:
        BenchError: it is not written so.
    """
    index, slash, n_parts = text.partition("/")
    if not (slash and index.isdigit() and n_parts.isdigit()):
        raise BenchError(f"--part is {text!r}, write it as 0/4: the first of four")
    return Part(int(index), int(n_parts))


def chosen_recipe(preset: str, changes: Changes) -> Recipe:
    """The recipe of a preset with what a user changes.

    Raises:
        BenchError: there is no such preset, or a value is none.
    """
    recipe = recipe_named(preset)
    if changes.borders is not None:
        recipe = with_borders(recipe, parse_borders(changes.borders))
    return replace(
        recipe,
        batch_size=_given(changes.batch_size, recipe.batch_size),
        seed=_given(changes.seed, recipe.seed),
        snapshot_every=_given(changes.snapshot_every, recipe.snapshot_every),
    )


def parse_borders(text: str) -> tuple[int, int, int]:
    """``100000,220000,260000`` as numbers.

    Raises:
        BenchError: these are not three whole numbers.
    """
    found = [part.strip() for part in text.split(",")]
    if len(found) != 3 or not all(part.isdigit() for part in found):
        raise BenchError(f"--borders is {text!r}, write it as 100000,220000,260000")
    first, second, last = map(int, found)
    return first, second, last


def train_command(
    recipe: Recipe, data: Data, run: Path, settings: Settings, warm: Path | None, device: str
) -> None:
    """Train, show how it goes, and say what comes next."""
    # Normalisation of bfloat16 by float32 weights is meant; only its fused kernel is not there.
    warnings.filterwarnings("ignore", message="Mismatch dtype between input and weight")
    with open_world(device) as world:
        if world.device.type == "cuda":
            torch.set_float32_matmul_precision("high")
        initial = None if warm is None else open_warm_start(warm, recipe)
        shown = training_progress(settings.log_every) if world.is_first else nullcontext()
        with shown as on_step:
            if on_step is not None:
                settings = replace(settings, on_step=on_step)
            train(recipe, data, run, settings, world=world, initial=initial)
        if world.is_first:
            print_line(f"{run} is trained; weights: acfoley ema --target 0.05 {run}")


def open_warm_start(checkpoint: Path, recipe: Recipe) -> FlowNetwork:
    """AC-Foley that begins as an MMAudio of the same size.

    Raises:
        BenchError: the recipe knows no reference, or the checkpoint is of another size.
    """
    from acfoley.weights import open_warm

    reference = recipe.params.reference
    if reference is None:
        raise BenchError("a warm start is for recipes with a reference sound")
    return open_warm(checkpoint, replace(recipe.params, reference=None), reference, recipe.seed)


def _tell(summary: Summary, failures: Path) -> None:
    """Say how many clips are encoded; name those that are not, and exit with 1 where there are."""
    for name, error in list(summary.failed.items())[:N_NAMED]:
        print_notice(f"  {name}: {error}")
    if summary.failed:
        print_notice(
            f"{len(summary.failed)} clips failed, with their reasons in {failures}; "
            "the same command tries them again"
        )
    print_line(f"{failures.parent}: {summary.n_encoded} of {summary.n_clips} clips are encoded")
    raise typer.Exit(1 if summary.failed else 0)


def _given(value: int | None, default: int) -> int:
    return default if value is None else value
