"""The entry point of SelVA as its users know it: arguments, names, lengths, quirks.

One clip per call; where frames are missing the output is shorter, with a line in the log.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from _standin import count_frames, record_call, round_up, write_flac

VARIANTS = ("small_16k", "small_44k", "medium_44k", "large_44k")

parser = argparse.ArgumentParser()
parser.add_argument("--variant", default="small_16k")
parser.add_argument("--video", type=Path, required=True)
for name in ("prompt", "negative_prompt"):
    parser.add_argument(f"--{name}", default="")
parser.add_argument("--duration", type=float, default=8.0)
parser.add_argument("--cfg_strength", type=float, default=4.5)
parser.add_argument("--num_steps", type=int, default=25)
parser.add_argument("--output", type=Path, default=Path("output"))
parser.add_argument("--seed", type=int, default=42)
for name in ("skip_video_composite", "full_precision"):
    parser.add_argument(f"--{name}", action="store_true")
args = parser.parse_args()
record_call(**vars(args))

if args.variant not in VARIANTS:
    raise ValueError(f"Unknown model variant: {args.variant}")
if args.variant != "small_16k" or not Path("weights/generator_small_16k_sup_5.pth").is_file():
    raise FileNotFoundError("it would be downloaded")
seconds = count_frames(args.video, args.duration) / 25
if seconds < args.duration:
    print(f"WARNING: truncating to {seconds:.2f} sec")
args.output.mkdir(parents=True, exist_ok=True)
path = args.output / f"{args.video.stem}.flac"
write_flac(path, 16_000, round_up(seconds, 16_000, 512), (args.seed, args.prompt))
if not args.skip_video_composite:
    path.with_suffix(".mp4").write_bytes(args.video.read_bytes())
