"""The entry point of AC-Foley as its users know it: arguments, names, lengths, quirks.

One clip per call. Names are cut to 40 letters of reference and of prompt; with a reference it needs
a GPU; a silent reference gives NaN; where frames are missing the output is shorter.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soundfile
from _standin import count_frames, has_gpu, record_call, round_up, write_wav

parser = argparse.ArgumentParser()
parser.add_argument("--video", type=Path, required=True)
for name in ("audio", "prompt", "negative_prompt"):
    parser.add_argument(f"--{name}", default="")
parser.add_argument("--duration", type=float, default=8.0)
parser.add_argument("--cfg_strength", type=float, default=4.5)
parser.add_argument("--num_steps", type=int, default=25)
parser.add_argument("--seed", type=int, default=42)
for name in ("mask_away_clip", "skip_video_composite", "full_precision"):
    parser.add_argument(f"--{name}", action="store_true")
parser.add_argument("--output", type=Path, default=Path("results"))
parser.add_argument("--model_path", default="weights/ac_foley.pth")
args = parser.parse_args()
record_call(**vars(args))

if not Path(args.model_path).is_file():
    raise FileNotFoundError(args.model_path)
parts, reference = [args.video.stem], b""
is_silent = False
if args.audio:
    if not has_gpu():
        raise RuntimeError("Found no NVIDIA driver on your system.")
    samples, _ = soundfile.read(args.audio, always_2d=True)
    is_silent = not samples.mean(axis=1).any()
    reference = samples.tobytes()
    parts.append(Path(args.audio).stem[:40])
if args.prompt:
    parts.append(args.prompt.replace("/", "_").replace(" ", "_")[:40])
path = args.output / ("_".join(parts) + ".wav")
args.output.mkdir(parents=True, exist_ok=True)
seconds = round_up(count_frames(args.video, args.duration) / 25, 44_100, 1_024)
if is_silent:
    nan = np.full(round(44_100 * seconds), np.nan, np.float32)
    soundfile.write(path, nan, 44_100, subtype="FLOAT")
else:
    write_wav(path, 44_100, seconds, (args.seed, args.prompt, reference))
if not args.skip_video_composite:
    path.with_suffix(".mp4").write_bytes(args.video.read_bytes())
