"""The entry point of FoleyCrafter as its users know it: arguments, names, lengths, quirks.

All ``*.mp4`` of a folder in their order, one prompt; ten seconds cut to the video; a "+" of a stem
becomes a space; more than ten seconds of video fail.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from _standin import read_seconds, record_call, write_wav

parser = argparse.ArgumentParser()
for name in ("input", "save_dir", "prompt", "nprompt", "ckpt", "pretrain", "device"):
    parser.add_argument(f"--{name}", default="")
parser.add_argument("--seed", type=int, default=42)
parser.add_argument("--semantic_scale", type=float, default=1.0)
parser.add_argument("--temporal_scale", type=float, default=0.2)
args = parser.parse_args()

videos = sorted(Path(args.input).glob("*.mp4"))
record_call(videos=[video.name for video in videos], **vars(args))
for index, video in enumerate(videos):
    seconds = read_seconds(video)
    if seconds > 10.0:
        raise RuntimeError("The size of tensor a (1088) must match the size of tensor b (1024)")
    stem = video.stem.replace("+", " ")
    write_wav(Path(args.save_dir) / "audio" / f"{stem}.wav", 16_000, seconds, (args.seed, index))
    (Path(args.save_dir) / "video").mkdir(parents=True, exist_ok=True)
    (Path(args.save_dir) / "video" / f"{stem}.mp4").write_bytes(video.read_bytes())
