"""The entry point of ControlFoley as its users know it: arguments, names, lengths, quirks.

One clip per call. The output has the name of the video, whatever the reference, and is
overwritten; where frames are missing it is shorter.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from _standin import count_frames, record_call, round_up, write_flac

parser = argparse.ArgumentParser()
parser.add_argument("--variant", default="large_44k")
for name in ("video", "audio"):
    parser.add_argument(f"--{name}", type=Path)
for name in ("prompt", "negative_prompt"):
    parser.add_argument(f"--{name}", default="")
parser.add_argument("--duration", type=float, default=8.0)
parser.add_argument("--cfg_strength", type=float, default=4.5)
parser.add_argument("--num_steps", type=int, default=25)
parser.add_argument("--output", type=Path, default=Path("output"))
parser.add_argument("--seed", type=int, default=42)
for name in ("skip_video_composite", "mask_away_clip"):
    parser.add_argument(f"--{name}", action="store_true")
args = parser.parse_args()
record_call(**vars(args))

if not Path("model_weights/weights/controlfoley.pth").is_file():
    raise FileNotFoundError("model_weights/weights/controlfoley.pth")
reference = args.audio.read_bytes() if args.audio else b""
seconds = args.duration
if args.video:
    seconds = count_frames(args.video, args.duration) / 25
stem = args.video.stem if args.video else args.prompt.replace(" ", "_").replace("/", "_")
args.output.mkdir(parents=True, exist_ok=True)
noise = (args.seed, args.prompt, reference)
write_flac(args.output / f"{stem}.flac", 44_100, round_up(seconds, 44_100, 1_024), noise)
if args.video and not args.skip_video_composite:
    (args.output / f"{stem}.mp4").write_bytes(args.video.read_bytes())
