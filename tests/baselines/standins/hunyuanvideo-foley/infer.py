"""The entry point of HunyuanVideo-Foley as its users know it: arguments, names, lengths, quirks.

Rows of a CSV file, named by their index; rows whose outputs exist are skipped; an empty prompt is
NaN; the length of the video, 15 s at most, whatever ``--audio_length``; the seed is always 1.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from _standin import read_seconds, record_call, write_wav

parser = argparse.ArgumentParser()
parser.add_argument("--model_path", required=True)
parser.add_argument("--config_path")
parser.add_argument("--model_size", choices=["xl", "xxl"], default="xxl")
group = parser.add_mutually_exclusive_group(required=True)
group.add_argument("--csv_path")
group.add_argument("--single_video")
parser.add_argument("--single_prompt")
parser.add_argument("--neg_prompt")
parser.add_argument("--output_dir", type=Path, required=True)
parser.add_argument("--guidance_scale", type=float, default=4.5)
parser.add_argument("--num_inference_steps", type=int, default=50)
parser.add_argument("--audio_length", type=float)
parser.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")
parser.add_argument("--gpu_id", type=int, default=0)
parser.add_argument("--batch_size", type=int, default=1)
for name in ("skip_existing", "save_video", "enable_offload"):
    parser.add_argument(f"--{name}", action="store_true")
parser.add_argument("--log_level", default="INFO")
args = parser.parse_args()
record_call(**vars(args))

configuration = args.config_path or f"configs/hunyuanvideo-foley-{args.model_size}.yaml"
for needed in (configuration, f"{args.model_path}/hunyuanvideo_foley.pth"):
    if not Path(needed).is_file():
        raise SystemExit(1)
if args.single_video:
    raise NotImplementedError("the stand-in has the mode with a CSV file only")
args.output_dir.mkdir(parents=True, exist_ok=True)
with Path(args.csv_path).open(newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
for index, row in enumerate(rows):
    video, prompt = Path(row["video"]), row["prompt"]
    path = args.output_dir / f"{index:04d}.wav"
    if path.exists() and path.with_suffix(".mp4").exists():
        continue
    if not prompt:
        raise ValueError("text input must be of type `str`, not nan")
    seconds = min(15.0, round(read_seconds(video) * 25) / 25)
    write_wav(path, 48_000, seconds, (1, index, prompt))
    path.with_suffix(".mp4").write_bytes(video.read_bytes())
