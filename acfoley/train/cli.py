"""``acfoley precompute``, ``train`` and ``ema``. Heavy imports are inside the functions."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from acfoley.train.recipe import RECIPES, find_recipe, set_borders
from bench.errors import BenchError, MissingError, format_names
from bench.terminal import print_line, print_notice

if TYPE_CHECKING:
    from acfoley.train.clips import ClipList
    from acfoley.train.loop import TrainingData, TrainingSettings
    from acfoley.train.recipe import Recipe
    from acfoley.train.shards import Part

NAMES = ", ".join(RECIPES)
N_NAMED = 5

Folders = Annotated[
    list[Path], typer.Option("--data", help="Folders of features; repeat for several.")
]


def precompute(
    out: Annotated[Path, typer.Option(help="The folder to write features to.")],
    list_: Annotated[
        Path | None,
        typer.Option("--list", help="CSV or TSV: file, and prompt, name, start_s, score."),
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="A manifest that `bench data prepare` wrote.")
    ] = None,
    split: Annotated[str, typer.Option(help="The split of --manifest: train or test.")] = "train",
    seconds: Annotated[float, typer.Option(help="Length of targets, 2 to 30 s.")] = 8.0,
    crops: Annotated[int, typer.Option(help="References cut from inside each target.")] = 8,
    part: Annotated[
        str, typer.Option(help="0/4: the first quarter of the clips, for one of 4 processes.")
    ] = "0/1",
    half: Annotated[bool, typer.Option("--half/--full", help="Store float16, or float32.")] = True,
    clap: Annotated[
        bool, typer.Option("--clap", help="Also embed references, for the recipe clap-encoder.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare the checksums of the shards in --out.")
    ] = False,
    weights: Annotated[
        Path | None,
        typer.Option(help="The folder of official files.", show_default="$BENCH_HOME/weights"),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1.")] = "cpu",
) -> None:
    """Encode clips for training, once: latents, references, CLIP, sync and text features.

    The same command again encodes what is missing, failed clips included. Exit code 1 if clips
    failed, 2 if the command itself cannot be carried out.
    """
    from acfoley.train.clips import CropLayout
    from acfoley.train.features import open_published
    from acfoley.train.log import clip_progress
    from acfoley.train.precompute import ShardOptions
    from acfoley.train.precompute import precompute as precompute_clips
    from bench.checkpoints.registry import weights_directory

    # First: it needs neither a list nor weights nor a device.
    if verify:
        _verify(out)
        return
    listed = _read_clips(list_, manifest, split)
    layout = CropLayout(seconds)
    writing = ShardOptions(parse_part(part), dtype="float16" if half else "float32")
    encoding = open_published(weights or weights_directory(), device, crops, has_clap=clap)
    with clip_progress() as on_clip:
        summary = precompute_clips(listed, encoding, out, layout, writing, on_clip)
    for name, error in list(summary.failed.items())[:N_NAMED]:
        print_notice(f"  {name}: {error}")
    if summary.failed:
        print_notice(
            f"{len(summary.failed)} clips failed, with their reasons in "
            f"{out / f'{writing.part}-failures.jsonl'}; the same command tries them again"
        )
    print_line(f"{out}: {summary.n_encoded} of {summary.n_clips} clips are encoded")
    # 1, not 2: the other clips are encoded, and training can begin without the failed ones.
    raise typer.Exit(1 if summary.failed else 0)


def train(
    data: Folders,
    out: Annotated[Path, typer.Option(help="The folder of the run.")],
    preset: Annotated[str, typer.Option(help=f"The recipe: {NAMES}.")] = "acfoley",
    stage: Annotated[
        str | None, typer.Option(help="Train up to the end of: overlap, non-overlap, finetune.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run in the folder.")] = False,
    held_out: Annotated[
        list[Path] | None, typer.Option(help="Features of clips to validate on.")
    ] = None,
    borders: Annotated[
        str | None, typer.Option(help="Ends of the stages: 100000,220000,260000.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Clips of one step, of all processes together.")
    ] = None,
    accumulate: Annotated[int, typer.Option(help="Parts that a batch is computed in.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Of weights, order and noise.")] = None,
    warm_start: Annotated[
        Path | None, typer.Option(help="A checkpoint of MMAudio of the same size to begin with.")
    ] = None,
    log_every: Annotated[int, typer.Option(help="Steps between rows of the log.")] = 50,
    validate_every: Annotated[int, typer.Option(help="Steps between validations.")] = 1_000,
    checkpoint_every: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 1_000,
    keep: Annotated[int, typer.Option(help="Number of checkpoints to keep.")] = 3,
    snapshot_every: Annotated[
        int | None, typer.Option(help="Steps between snapshots of the averages.")
    ] = None,
    half_snapshots: Annotated[
        bool, typer.Option("--half-snapshots", help="Store averages as float16.")
    ] = False,
    compile_: Annotated[bool, typer.Option("--compile", help="Compile the network.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1.")] = "cpu",
) -> None:
    """Train the flow network; on many GPUs with `torchrun --nproc-per-node N -m acfoley train`."""
    from acfoley.train.loop import TrainingData, TrainingSettings

    recipe = find_recipe(preset)
    if borders is not None:
        recipe = set_borders(recipe, _parse_borders(borders))
    recipe = replace(
        recipe,
        batch_size=recipe.batch_size if batch_size is None else batch_size,
        seed=recipe.seed if seed is None else seed,
        snapshot_every=recipe.snapshot_every if snapshot_every is None else snapshot_every,
    )
    settings = TrainingSettings(
        until=stage,
        n_accumulated=accumulate,
        log_every=log_every,
        validate_every=validate_every,
        checkpoint_every=checkpoint_every,
        keep=keep,
        snapshot_dtype="float16" if half_snapshots else "float32",
        compile=compile_,
        resume=resume,
    )
    _train(recipe, TrainingData(data, held_out or ()), out, settings, warm_start, device)


def ema(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    target: Annotated[float, typer.Option(help="Relative width of the average.")] = 0.05,
    step: Annotated[int | None, typer.Option(help="After how many steps; all.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .safetensors file; in RUN.")
    ] = None,
) -> None:
    """Compute an average of the weights, of any width, from the snapshots of a run."""
    from acfoley.train.ema import synthesise

    path = output or run / f"weights-{target:g}.safetensors"
    used = synthesise(run, target, path, step=step)
    for snapshot, weight in used:
        print_notice(f"{weight:+.6f}  {snapshot.path.name}")
    print_line(f"{path}: relative width {target:g}, use it with --checkpoint")


def parse_part(text: str) -> Part:
    """Return ``1/4`` as the second of four parts.

    Raises:
        BenchError: the text has another form, or the part does not exist.
    """
    from acfoley.train.shards import Part

    index, slash, n_parts = text.partition("/")
    if not (slash and index.isdigit() and n_parts.isdigit()):
        raise BenchError(f"--part is {text!r}, write it as 0/4: the first of four")
    return Part(int(index), int(n_parts))


def _verify(folder: Path) -> None:
    """Compare the checksums of all shards; BenchError where one differs or none exists."""
    from acfoley.train.shards import damaged_shards, shard_tables

    tables = shard_tables(folder)
    if not tables:
        raise MissingError(f"{folder} has no features: make them with `acfoley precompute`")
    if damaged := damaged_shards(folder):
        names = format_names((path.name for path in damaged), N_NAMED)
        raise BenchError(
            f"{len(damaged)} of {len(tables)} shards in {folder} are damaged ({names}): remove "
            "each with its .json and run `acfoley precompute` again"
        )
    print_line(f"{folder}: {len(tables)} shards are as they were written")


def _read_clips(list_file: Path | None, manifest: Path | None, split: str) -> ClipList:
    from acfoley.train.clips import read_list, read_prepared

    if list_file is not None and manifest is None:
        return read_list(list_file)
    if manifest is not None and list_file is None:
        return read_prepared(manifest, split)
    raise BenchError("name the clips with --list FILE or with --manifest FILE, not with both")


def _parse_borders(text: str) -> tuple[int, int, int]:
    found = [part.strip() for part in text.split(",")]
    if len(found) != 3 or not all(part.isdigit() for part in found):
        raise BenchError(f"--borders is {text!r}, write it as 100000,220000,260000")
    first, second, last = map(int, found)
    return first, second, last


def _train(
    recipe: Recipe,
    data: TrainingData,
    run: Path,
    settings: TrainingSettings,
    warm_start: Path | None,
    device: str,
) -> None:
    import torch

    from acfoley.network.weights import open_warm
    from acfoley.train.distributed import join_process_group
    from acfoley.train.log import training_progress
    from acfoley.train.loop import train as train_network

    # RMSNorm of bfloat16 by float32 weights is intended; it only has no fused kernel.
    warnings.filterwarnings("ignore", message="Mismatch dtype between input and weight")
    with join_process_group(device) as processes:
        if processes.device.type == "cuda":
            # TF32 for the few products that autocast leaves in float32.
            torch.set_float32_matmul_precision("high")
        # Every process opens the same file: DistributedDataParallel begins with equal weights.
        initial = None
        if warm_start is not None:
            reference = recipe.params.reference
            if reference is None:
                raise BenchError("a warm start is for recipes with a reference")
            # MMAudio has the same blocks and no reference, whose layers begin at random.
            mmaudio = replace(recipe.params, reference=None)
            initial = open_warm(warm_start, mmaudio, reference, recipe.seed)
        progress = training_progress(settings.log_every) if processes.is_first else nullcontext()
        with progress as on_step:
            if on_step is not None:
                settings = replace(settings, on_step=on_step)
            train_network(recipe, data, run, settings, processes=processes, initial=initial)
        if processes.is_first:
            print_line(f"{run} is trained; weights: acfoley ema --target 0.05 {run}")
