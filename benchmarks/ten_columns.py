"""All ten columns of the paper's Table 1 on real clips, through seeded official-layout checkpoints.

    python -m benchmarks.ten_columns [clips]

The published checkpoints cannot be shipped, so five files of the official layouts are written with
seeded weights and loaded as the real ones would be: the numbers mean nothing, the path is the real
one. Needs the folder ``shared`` beside the checkout for names, shapes and clips, 5 GB of disk and
memory, and on two cores about a minute per clip.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.backbones import panns
from bench.checkpoints.registry import OFFICIAL_FILES
from bench.dsp.mel import slaney_mel_bank
from bench.judges import open_judge
from bench.media import read_audio, write_audio
from bench.pipeline.folders import FolderPlan, score_folders
from bench.suite import PROFILES
from bench.types import MAX_SHORTFALL_S, Audio, Excerpt
from reports.formats import render
from tests.backbones.seeded import seeded_state

SHARED = Path(__file__).resolve().parents[2] / "shared"
TABLES = {
    "passt": "m4_passt_state.json",
    "panns": "m2_panns_state.json",
    "vggish": "m3_vggish_state.json",
    "imagebind": "m5_imagebind_state.json",
    "synchformer": "m6_synchformer_state.json",
}
PANNS_BAND = (panns.SAMPLE_RATE_HZ, panns.MIN_HZ, panns.MAX_HZ)
PROFILE = "av-benchmark"


def main() -> int:
    """Write the checkpoints, score the clips, print the table."""
    n_clips = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    if not SHARED.is_dir():
        print(f"needs the folder {SHARED.name} beside the checkout", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        weights = write_checkpoints(root / "weights")
        true, made = write_pairs(root, n_clips)
        started = time.perf_counter()
        judge = open_judge("paper", PROFILE, weights)
        metrics = tuple(row for row in PROFILES[PROFILE] if not row.is_extra)
        plan = FolderPlan(made, true, true, 8.0, judge, metrics, workers=2)
        result = score_folders(plan, lambda stage, done, total: None)
        print(render([result.results], "markdown", extras=False))
        print(f"{time.perf_counter() - started:.0f} s for {n_clips} clips")
        for failure in result.failures:
            print(f"{failure.clip} [{failure.stage}] {failure.error}", file=sys.stderr)
        unscored = [n for n, score in result.results.metrics.items() if score.value is None]
    print(f"not scored: {', '.join(unscored)}" if unscored else "all ten columns are there")
    return 1 if unscored or result.failures else 0


def write_checkpoints(folder: Path, names: Iterable[str] = TABLES) -> Path:
    """Files of the official layouts with seeded weights, for these networks."""
    folder.mkdir(exist_ok=True)
    for name in names:
        state: dict[str, Any] = seeded_state(SHARED, TABLES[name])
        if name == "panns":  # the seeding leaves the front end's constants to the file
            bank = slaney_mel_bank(panns.N_MELS, panns.N_FFT, *PANNS_BAND)
            state = {"model": {**state, panns.MEL_BANK: torch.from_numpy(bank).float()}}
        torch.save(state, folder / OFFICIAL_FILES[name].file)
    return folder


def write_pairs(root: Path, n_clips: int) -> tuple[Path, Path]:
    """The first clips themselves, and as their samples the 2 s after each target four times."""
    videos = sorted((SHARED / "media" / "vggsound").glob("*.mp4"))[:n_clips]
    true, made = root / "true", root / "made"
    true.mkdir()
    for video in videos:
        (true / video.name).symlink_to(video.resolve())
        reference = read_audio(Excerpt(video, 8.0, 2.0), shortfall_s=MAX_SHORTFALL_S)
        loop = np.tile(reference.samples, (1, 4))
        write_audio(made / f"{video.stem}.flac", Audio(loop, reference.sample_rate_hz))
    return true, made


if __name__ == "__main__":
    sys.exit(main())
