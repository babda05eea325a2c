"""The entry point of TARO as its users know it: one video, 8.192 s of it, the seed 0."""

from __future__ import annotations

import argparse
from pathlib import Path

from _standin import read_seconds, write_wav

parser = argparse.ArgumentParser()
parser.add_argument("--video_path", required=True)
parser.add_argument("--save_folder_path", default="./output")
parser.add_argument("--cavp_config_path", default="./cavp.yaml")
parser.add_argument("--cavp_ckpt_path", default="./cavp_epoch66.ckpt")
parser.add_argument("--onset_ckpt_path", default="./onset_model.ckpt")
parser.add_argument("--model_ckpt_path", default="./taro_ckpt.pt")
args = parser.parse_args()

for path in (args.cavp_config_path, args.cavp_ckpt_path, args.onset_ckpt_path):
    assert Path(path).is_file(), path
assert Path(args.model_ckpt_path).is_file()
video = Path(args.video_path)
seconds = min(131_072 / 16_000, read_seconds(video))
folder = Path(args.save_folder_path)
write_wav(folder / f"{video.stem}.wav", 16_000, seconds, (0, video.read_bytes()))
(folder / f"{video.stem}_wa.mp4").write_bytes(video.read_bytes())
