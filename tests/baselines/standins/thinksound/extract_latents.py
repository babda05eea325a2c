"""The first entry point of ThinkSound as its users know it: arguments, names, quirks.

Features of the rows of a CSV file; videos that cannot be read are left out without an error.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

from _standin import record_call

parser = argparse.ArgumentParser()
parser.add_argument("--root", type=Path, default=Path("videos"))
parser.add_argument("--tsv_path", default="cot_coarse/cot.csv")
parser.add_argument("--save-dir", type=Path, default=Path("results"))
parser.add_argument("--sample_rate", type=int, default=44_100)
parser.add_argument("--duration_sec", type=float, default=9.0)
parser.add_argument("--synchformer_ckpt", default="ckpts/synchformer_state_dict.pth")
parser.add_argument("--start-row", type=int, default=0)
parser.add_argument("--end-row", type=int)
parser.add_argument("--use_half", action="store_true")
args = parser.parse_args()

if not Path(args.synchformer_ckpt).is_file():
    raise FileNotFoundError(args.synchformer_ckpt)
args.save_dir.mkdir(parents=True, exist_ok=True)
with Path(args.tsv_path).open(newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
record_call(script="extract_latents", duration=args.duration_sec, rows=rows)
for row in rows:
    video = args.root / f"{row['id']}.mp4"
    if not video.is_file() or b"mvhd" not in video.read_bytes():
        continue
    features = json.dumps([row["caption"], row["caption_cot"]])
    (args.save_dir / f"{row['id']}.npz").write_text(features, encoding="utf-8")
