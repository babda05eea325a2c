"""Train all weights of the mini model: ``make mini-weights``, or one or more variants.

    python -m acfoley.mini.train [VARIANT...]

Clips are rendered, the codec is fitted, features are computed, and one network is trained per core.
Clips are files in ``$BENCH_HOME/data/mini-train``, H.264 and AAC as those for testing are. Finished
parts are kept in ``$BENCH_HOME/mini-acfoley``, so that a run that was killed goes on. The encoders
are not trained here: their weights are part of the package.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from acfoley.mini.variants import (
    CODEC,
    ENCODER_FILES,
    VARIANTS,
    open_mini_codec,
    ship,
    variant_recipe,
    weights_hash,
    weights_path,
)
from acfoley.train.clips import ClipList, TrainingClip
from acfoley.train.log import StepReport
from bench.engine import Engine, core_count, open_engine
from bench.errors import BenchError
from bench.io import bench_home
from bench.synthetic.dataset import Row, render_split, start_directory, write_manifest
from bench.synthetic.scene import label, make_scene
from bench.terminal import print_notice
from bench.types import Excerpt

Item = TypeVar("Item")

#: Scenes of a split of their own: no split for testing has any of them.
SPLIT = "mini-train"
N_CLIPS = 1_800
#: Audio and video of the mini world always match.
SCORE = 1.0
#: Number of clips that the codec is fitted to, and of those that are held out from training.
N_CODEC_CLIPS = 600
N_HELD_OUT = 60
#: Relative width of the post-hoc average of weights that is shipped.
SIGMA = 0.05
#: References per target that Stage I draws from.
N_CROPS = 6
REPORT_EVERY = 100


def clips_folder() -> Path:
    """Return the folder of the clips."""
    return bench_home() / "data" / SPLIT


def render_clips(n_clips: int, engine: Engine) -> Iterator[Row]:
    """Render the first ``n_clips`` clips; those that are there and complete are kept.

    Raises:
        BenchError: a clip could not be rendered.
    """
    folder, rows = clips_folder(), []
    start_directory(folder)
    for row in render_split(folder, SPLIT, n_clips, engine):
        rows.append(row)
        yield row
    write_manifest(folder, rows)


def list_clips(n_clips: int) -> ClipList:
    """List the first ``n_clips`` clips, whether they are rendered or not."""
    clips, folder = [], clips_folder()
    for index in range(n_clips):
        scene = make_scene(SPLIT, index)
        excerpt = Excerpt(folder / f"{scene.name}.mp4")  # audio and video are in one file
        clips.append(TrainingClip(scene.name, excerpt, excerpt, label(scene), SCORE))
    return ClipList(tuple(clips))


@dataclass(frozen=True)
class Work:
    """The folder of intermediate results: features depend on the codec, runs on their recipe."""

    folder: Path

    def features(self, name: str) -> Path:
        """The folder of features of the clips of ``training`` or ``held-out``."""
        return self.folder / f"features-{weights_hash(CODEC)[:12]}" / name

    def run(self, variant: str) -> Path:
        """The folder of a training run."""
        digest = variant_recipe(variant).digest()
        return self.folder / f"runs-{weights_hash(CODEC)[:12]}" / f"{variant}-{digest[:8]}"


def main(names: Sequence[str], workers: int) -> None:
    """Train and ship the variants in ``names``, or all of them and the codec if it is empty.

    ``workers`` is the number of processes; 0 is this one alone.

    Raises:
        BenchError: there is no such variant, or a step failed.
    """
    for name in names:
        variant_recipe(name)
    n_clips = N_CLIPS + N_HELD_OUT
    for done, _ in enumerate(render_clips(n_clips, open_engine(workers)), start=1):
        if done % REPORT_EVERY == 0:
            print_notice(f"clips: {done} of {n_clips}")
    # The codec comes before ``Work``, whose folders are named after its weights.
    if not names or not weights_path(CODEC).is_file():
        print_notice(f"{CODEC}: {_fit_codec()}")
    work = Work(bench_home() / "mini-acfoley")
    n_parts = max(workers, 1)
    parts = [(index, n_parts) for index in range(n_parts)]
    for _ in _all_done(partial(encode_part, work), parts, workers):
        pass
    wanted = [name for name in VARIANTS if name in names or not names]
    for line in _all_done(partial(train_variant, work), wanted, workers):
        print_notice(line)


def encode_part(work: Work, part: tuple[int, int]) -> str:
    """Encode one part of all clips; returns the name of the part."""
    import torch

    from acfoley.mini.encoders import load_mini_encoders
    from acfoley.train.clips import CropLayout
    from acfoley.train.features import build_encoding
    from acfoley.train.precompute import ShardOptions, precompute
    from acfoley.train.shards import Part

    torch.set_num_threads(1)
    # Shards name the weights of encoders and codec: those that were made by others are refused.
    files = (*ENCODER_FILES.values(), CODEC)
    identity = "-".join(["mini-1", str(N_CROPS), *(weights_hash(name)[:12] for name in files)])
    # With embeddings of references too, for the variant with the CLAP-like encoder.
    encoding = build_encoding(
        load_mini_encoders(), open_mini_codec(), N_CROPS, identity, is_embedded=True
    )
    every = list_clips(N_CLIPS + N_HELD_OUT).clips
    sets = {"training": every[:N_CLIPS], "held-out": every[N_CLIPS:]}

    def on_clip(done: int, total: int) -> None:
        if done % REPORT_EVERY == 0:
            print_notice(f"features, part {Part(*part)}: {done} of {total}")

    for name, chosen in sets.items():
        listed, folder = ClipList(chosen), work.features(name)
        done = precompute(
            listed, encoding, folder, CropLayout(), ShardOptions(Part(*part)), on_clip
        )
        if done.failed:
            clip, reason = next(iter(done.failed.items()))
            raise BenchError(f"{clip} cannot be encoded: {reason}")
    return str(Part(*part))


def train_variant(work: Work, variant: str) -> str:
    """Train a variant in one thread, ship the average of its weights, and return a report."""
    import torch

    from acfoley.train.checkpoint import list_checkpoints
    from acfoley.train.ema import synthesise
    from acfoley.train.loop import TrainingData, TrainingSettings, train
    from bench.checkpoints.load import load_state

    # One process per core: more threads would only compete, and their number changes last digits.
    torch.set_num_threads(1)
    began, run = time.monotonic(), work.run(variant)
    data = TrainingData([work.features("training")], [work.features("held-out")])

    def on_step(report: StepReport) -> None:
        if report.step % REPORT_EVERY == 0:
            print_notice(
                f"{variant}: step {report.step} of {report.n_steps}, loss {report.loss:.3f}"
            )

    settings = TrainingSettings(
        log_every=20,
        validate_every=250,
        checkpoint_every=200,
        keep=1,
        resume=bool(list_checkpoints(run)),
        on_step=on_step,
    )
    train(variant_recipe(variant), data, run, settings)
    average = run / "weights.safetensors"
    synthesise(run, SIGMA, average)
    path = ship(load_state(average), variant)
    minutes = (time.monotonic() - began) / 60
    return f"{variant}: {path.name}, {path.stat().st_size / 1e6:.1f} MB, {minutes:.1f} min"


def _fit_codec() -> str:
    import torch

    from acfoley.codec.mel import MEL_44K, log_mel
    from acfoley.mini.pca_autoencoder import fit
    from acfoley.train.clips import CropLayout
    from acfoley.train.features import Source

    waveforms = [Source(clip, CropLayout()).waveform for clip in list_clips(N_CODEC_CLIPS).clips]
    mels = [log_mel(torch.from_numpy(audio)[None], MEL_44K) for audio in waveforms]
    path = ship(fit(torch.cat(mels)).state_dict(), CODEC)
    return f"{path.name}, {path.stat().st_size / 1e6:.1f} MB"


def _all_done(
    function: Callable[[Item], str], items: Iterable[Item], workers: int
) -> Iterator[str]:
    """Yield the report of each item; raises BenchError where one fails."""
    # The engine takes a factory that builds the state of a worker. There is none, so that the
    # factory returns ``function``; a lambda could not be sent to another process.
    for outcome in open_engine(workers).map(partial(partial, function), items):
        if outcome.failure is not None:
            raise BenchError(f"{outcome.item}: {outcome.failure.message}")
        yield str(outcome.value)


if __name__ == "__main__":
    try:
        main(sys.argv[1:], core_count())
    except BenchError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
