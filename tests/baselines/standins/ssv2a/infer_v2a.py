"""The entry point of SSV2A as its users know it: arguments, names, lengths, quirks.

All files of a folder in any order, by whose position the samples are named unless there is one;
everything is written at the end; AudioLDM cannot make 8 s.
"""

from __future__ import annotations

import argparse
import glob
from pathlib import Path

from _standin import is_listed, write_wav

parser = argparse.ArgumentParser()
for name in ("cfg", "ckpt", "agg_ckpt", "vid_dir", "out_dir", "device"):
    parser.add_argument(f"--{name}", required=True)
for name, default in (("frames", 64), ("bs", 64), ("var_samples", 64), ("cycle_its", 64)):
    parser.add_argument(f"--{name}", type=int, default=default)
parser.add_argument("--cycle_samples", type=int, default=64)
parser.add_argument("--duration", type=int, default=10)
parser.add_argument("--seed", type=int, default=42)
args = parser.parse_args()

for path in (args.cfg, args.ckpt, args.agg_ckpt):
    assert Path(path).is_file(), path
videos = sorted(glob.glob(f"{args.vid_dir}/*"), reverse=True)  # noqa: PTH207 - as the script has it
stems = [Path(video).name.replace(".mp4", "") for video in videos]
if any(is_listed(stem, "broken.txt") for stem in stems):
    raise RuntimeError("CUDA out of memory")
if args.duration % 2.5:
    raise RuntimeError("Sizes of tensors must match except in dimension 1")
for index, stem in enumerate(stems):
    file = f"{stem}_{index}.wav" if len(stems) > 1 else f"{stem}.wav"
    peak = 0.1 * (int(stem[-1]) + 1)
    write_wav(Path(args.out_dir) / file, 16_000, args.duration, (args.seed, stem), peak=peak)
