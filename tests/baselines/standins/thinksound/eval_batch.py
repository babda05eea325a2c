"""The second entry point of ThinkSound as its users know it: arguments, names, lengths, quirks.

Every file of the folder of features; a folder named by the day; whole latents of stereo audio of
16 bit, each batch scaled to a peak of 1; one seed for all.
"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

from _standin import record_call, write_wav

parser = argparse.ArgumentParser()
parser.add_argument("--dataset-config", default="")
parser.add_argument("--model-config", default="")
parser.add_argument("--ckpt-dir", default="ckpts/thinksound_light.ckpt")
parser.add_argument("--pretransform-ckpt-path", default="ckpts/vae.ckpt")
parser.add_argument("--test-batch-size", type=int, default=1)
parser.add_argument("--num-workers", type=int, default=32)
parser.add_argument("--seed", type=int, default=42)
parser.add_argument("--duration-sec", default="9")
parser.add_argument("--results-dir", default="results")
parser.add_argument("--save-dir", default="")
args = parser.parse_args()

for needed in ("defaults.ini", args.ckpt_dir, args.pretransform_ckpt_path):
    if not Path(needed).is_file():
        raise FileNotFoundError(needed)
day = datetime.datetime.now().strftime("%m%d")  # noqa: DTZ005 - as the script does
folder = Path(args.save_dir or args.results_dir) / f"{day}_batch_size{args.test_batch_size}"
seconds = round(44_100 / 2_048 * float(args.duration_sec)) * 2_048 / 44_100
files = sorted(Path(args.results_dir).iterdir())
record_call(script="eval_batch", files=[file.name for file in files])
for index, file in enumerate(files):
    noise = (args.seed, index, file.read_text(encoding="utf-8"))
    write_wav(folder / f"{file.stem}.wav", 44_100, seconds, noise, channels=2, peak=1.0)
