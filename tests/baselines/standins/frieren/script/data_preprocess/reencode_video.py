"""The first script of Frieren: 4 frames a second of the first 10 s; missing files are passed over.

What it writes here is the number of frames.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from _standin import read_seconds

parser = argparse.ArgumentParser()
for name in ("item-list-path", "input-dir", "output-dir"):
    parser.add_argument(f"--{name}", required=True)
args = parser.parse_args()

Path(args.output_dir).mkdir(parents=True, exist_ok=True)
for item in Path(args.item_list_path).read_text().splitlines():
    video = Path(args.input_dir) / f"{item.strip()}.mp4"
    if video.exists():
        n_frames = int(4 * min(10.0, read_seconds(video)))
        (Path(args.output_dir) / video.name).write_text(str(n_frames))
