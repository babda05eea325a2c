"""The rows of ``peers`` whose tool has no package: each is a checkout, with weights of its own."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from bench.checkpoints.registry import weights_directory
from benchmarks.rows import SECONDS, Row


@contextmanager
def compare_av_benchmark(folder: Path) -> Iterator[Row]:
    """The audio columns (FD and KL) of eight pairs of 8 s, from folders of audio to numbers.

    Both sides need their checkpoints: ``bench weights fetch`` for ours. Times include the start of
    the process and opening the networks. The numbers differ in their digits, not in their meaning:
    tests/golden holds the proof on arrays.
    """
    with tempfile.TemporaryDirectory() as work:
        true, generated = Path(work, "true"), Path(work, "generated")
        rng = np.random.default_rng(0)
        for side in (true, generated):
            side.mkdir()
            for number in range(8):
                audio = rng.normal(0, 0.1, SECONDS * 16_000)
                soundfile.write(side / f"clip{number}_000000.wav", audio, 16_000)
        weights = weights_directory()
        turns = itertools.count()

        def theirs() -> None:
            caches = [f"--{side}_cache={work}/{side}-{next(turns)}" for side in ("gt", "pred")]
            sides = [f"--gt_audio={true}", f"--pred_audio={generated}", *caches]
            options = [f"--audio_length={SECONDS}", "--skip_video_related"]
            output = f"--output_metrics_dir={work}/metrics"
            _run([_python_of(folder), "evaluate.py", *sides, *options, output], folder)

        def ours() -> None:
            columns = "fd_passt,fd_panns,fd_vgg,kl_passt,kl_panns"
            sides = ["--generated", str(generated), "--reference", str(true)]
            # A new cache each time, as the peer's: otherwise only its first turn would be fair.
            home = {"BENCH_HOME": f"{work}/home-{next(turns)}"}
            command = [sys.executable, "-m", "bench", "score", *sides, "--metrics", columns]
            _run([*command, "--weights", str(weights)], Path.cwd(), home)

        yield Row("FD and KL of eight 8 s pairs, end to end", folder.name, theirs, ours)


@contextmanager
def compare_mmaudio(folder: Path) -> Iterator[Row]:
    """One guided step of ``small_44k`` for one clip of 8 s, conditions prepared once.

    MMAudio's network has no reference audio, so the values are others: only times compare.
    """
    from acfoley.params import sequence_lengths
    from acfoley.sampling import noise_for
    from benchmarks.flow_speed import drawn_features, drawn_network, ours

    sys.path.insert(0, str(folder))
    from mmaudio.model.networks import get_my_mmaudio

    lengths = sequence_lengths(float(SECONDS))
    network = drawn_network("small_44k")
    features = drawn_features(network, 1, lengths, "cpu")
    noise = noise_for(range(1), lengths.latents)
    peer = get_my_mmaudio("small_44k").eval()
    prepared = peer.preprocess_conditions(features.video, features.sync, features.text)
    empty = peer.get_empty_conditions(1)

    def theirs() -> None:
        peer.ode_wrapper(torch.tensor(0.5), noise, prepared, empty, 4.5)

    with torch.inference_mode():
        yield Row(
            "one guided step of small_44k, 8 s",
            folder.name,
            theirs,
            lambda: ours(network, features, noise, lengths, 1),
        )


def _python_of(folder: Path) -> str:
    own = folder / ".venv/bin/python"
    return str(own) if own.exists() else sys.executable


def _run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    variables = {**os.environ, **(environment or {})}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} failed in {folder}:\n{done.stderr[-2000:]}")


REPOSITORIES: dict[str, Callable[[Path], Any]] = {
    "av-benchmark": compare_av_benchmark,
    "mmaudio": compare_mmaudio,
}
#: What a checkout is recognised by.
ENTRIES = {"av-benchmark": "evaluate.py", "mmaudio": "mmaudio/model/networks.py"}
