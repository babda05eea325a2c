"""A stand-in of the script that extracts features of videos: its arguments and its cache."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--gt_cache", type=Path, required=True)
parser.add_argument("--video_path", type=Path, required=True)
parser.add_argument("--gt_batch_size", type=int, default=1)
parser.add_argument("--audio_length", type=float, required=True)
args = parser.parse_args()
videos = sorted(args.video_path.glob("*.mp4"))
assert videos, "no videos"
args.gt_cache.mkdir(parents=True)
(args.gt_cache / "videos.txt").write_text("\n".join(path.stem for path in videos))
