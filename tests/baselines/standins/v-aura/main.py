"""The entry point of V-AURA as its users know it: a list of dots, lists of VGGSound, quirks.

It writes into the experiment's folder, which may have two sub-folders besides some known names; a
video that cannot be read is replaced by a random other one; a batch that fails is skipped; it
needs 25 fps, an audio track and 0.01 s more than it generates. The codec has 86 tokens a second,
of 512 samples each.
"""

from __future__ import annotations

import csv
import random
import shutil
import sys
import time
import traceback
from pathlib import Path

from _standin import has_audio_track, is_listed, read_seconds, read_video_track, write_wav

CKPT_PATH = "overridden_hparams.feature_extractor_config.params.ckpt_path"
KNOWN = {"config", "experiment_path", "duration", "device", "trainer.seed", CKPT_PATH} | {
    f"dataloader.{name}"
    for name in ("data_dir", "split_dir", "meta_file", "included_files", "fixed_start_pts_file")
}
EXCLUDED = ("vggsound_sparse", "vggsound_test", "vggsound_clean", "generated_samples", "vas")

args = dict(each.split("=", 1) for each in sys.argv[1:])
if unknown := args.keys() - KNOWN:
    raise KeyError(unknown)
seed = int(args.get("trainer.seed", 666))
random.seed(seed)
duration = float(args["duration"])
assert Path(args["config"]).is_file()
assert Path(args[CKPT_PATH]).is_file()
assert abs(duration / 0.64 - round(duration / 0.64)) < 1e-6

experiment = Path(args["experiment_path"])
assert list((experiment / "checkpoints").glob("*.ckpt"))
stamp = time.strftime("%y-%m-%dT%H-%M-%S")
output = experiment / "vggsound_test" / f"generated_samples_{stamp}"
output.mkdir(parents=True)
folders = [
    path
    for path in experiment.iterdir()
    if path.is_dir() and not any(name in path.name for name in (*EXCLUDED, "visualsound"))
]
assert len(folders) == 2, folders
(hparams,) = [path for path in folders if path.name != "checkpoints"]
if not (hparams / "hparams.original.yaml").exists():
    shutil.copy(hparams / "hparams.yaml", hparams / "hparams.original.yaml")
(hparams / "hparams.yaml").write_text(f"ckpt_path: {args[CKPT_PATH]}\n")

split_dir = Path(args["dataloader.split_dir"])
prefix = "vggsound" if "vggsound" in split_dir.name else "visualsound"
lists = {
    split: set((split_dir / f"{prefix}_{split}.txt").read_text().splitlines())
    for split in ("train", "validation", "test", "predict")
}
with Path(args["dataloader.meta_file"]).open() as file:
    meta = list(csv.reader(file))[1:]
with Path(args["dataloader.included_files"]).open() as file:
    included = {row[0] for row in list(csv.reader(file))[1:]}
with Path(args["dataloader.fixed_start_pts_file"]).open() as file:
    starts = {row[0]: float(row[1]) for row in list(csv.reader(file))[1:]}
assert all(row[2] for row in meta)
names = {f"{row[0]}_{int(row[1]) * 1000}_{(int(row[1]) + 10) * 1000}" for row in meta}
data_dir = Path(args["dataloader.data_dir"])
paths = [data_dir / f"{name}.mp4" for name in names & lists["test"] & included]


def load(path: Path) -> Path:
    """Return the video that is used for one of the list."""
    while is_listed(path.stem, "unreadable.txt") or read_seconds(path) < duration + 0.01:
        path = random.choice(paths)  # noqa: S311
    if duration <= 5.12 and starts[path.stem] != 0:  # its lists have random starts
        raise RuntimeError("this is not the start of the clip")
    if is_listed(path.stem, "broken.txt"):
        raise RuntimeError("CUDA out of memory")
    width, height, _, fps = read_video_track(path)
    if round(fps) != 25:
        raise RuntimeError("The size of tensor a (24) must match the size of tensor b (32)")
    if not has_audio_track(path) or min(width, height) != 256:
        raise RuntimeError(f"{path} was not encoded by scripts/reencode_videos.py")
    return path


for start in range(0, len(paths), 16):
    try:
        batch = [load(path) for path in paths[start : start + 16]]
        for path in batch:
            seconds = round(duration * 86) * 512 / 44_100
            write_wav(output / f"{path.stem}.wav", 44_100, seconds, (seed, path.stem), peak=0.501)
            shutil.copy(path, output / path.name)
    except Exception:
        traceback.print_exc()
        continue
