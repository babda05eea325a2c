"""Runs in V-AURA's environment: one call of ``main.py`` for a chunk, as a split of VGGSound."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

WINDOW_S = 0.64
#: What the loader reads beyond what it generates, and what the codec leaves out at the end.
MARGIN_S = 0.02
#: Of staged files of 10 s: 9.6 s.
MOST_WINDOWS = 15


def open_worker(settings: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Return the function that generates a chunk with the script of the checkout."""
    checkout = Path(settings["checkout"])

    def generate(chunk: dict[str, Any]) -> None:
        requests = chunk["requests"]
        longest_s = max(request["seconds"] for request in requests)
        n_windows = math.ceil((longest_s + MARGIN_S) / WINDOW_S)
        if n_windows > MOST_WINDOWS:  # its loader would look for a longer file without end
            raise ValueError(f"V-AURA generates up to 9.5 s here, {longest_s} s were asked for")
        work, outputs = Path(chunk["work"]), Path(chunk["outputs"])
        experiment = _copy_experiment(checkout / settings["options"]["experiment"], outputs)
        data = _write_lists(requests, work)
        device = "cuda:0" if settings["device"] == "cuda" else "cpu"
        weights = "overridden_hparams.feature_extractor_config.params.ckpt_path"
        command = [sys.executable, "main.py", "config=configs/generate_vgg.yaml"]
        command += [f"experiment_path={experiment}", f"duration={n_windows * WINDOW_S:.2f}"]
        command += [f"{weights}={checkout / 'segment_avclip/vggsound/best.pt'}"]
        command += [f"device={device}", f"trainer.seed={requests[0]['seed']}"]
        command += [f"dataloader.{key}={path}" for key, path in data.items()]
        # The order of its files is that of a set of names.
        subprocess.run(command, cwd=checkout, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})
        if not list(experiment.rglob("generated_samples_*/*.wav")):
            raise RuntimeError("main.py skipped its only batch")

    return generate


def _copy_experiment(source: Path, outputs: Path) -> Path:
    """Make the folder of an experiment: ``main.py`` writes there, and counts its sub-folders."""
    experiment = outputs / "experiment"
    (experiment / "checkpoints").mkdir(parents=True)
    for path in (source / "checkpoints").glob("*.ckpt"):
        (experiment / "checkpoints" / path.name).symlink_to(path.resolve())
    (experiment / "hparams").mkdir()
    for path in source.glob("*/hparams*.yaml"):
        shutil.copy(path, experiment / "hparams" / path.name)
    return experiment


def _write_lists(requests: list[dict[str, Any]], work: Path) -> dict[str, Path]:
    """Write the chunk in VGGSound's form; all splits have to be there, "test" is what is used."""
    videos, splits = work / "vggsound", work / "splits" / "vggsound"
    videos.mkdir()
    splits.mkdir(parents=True)
    names = [request["name"] for request in requests]
    for request in requests:
        os.link(request["video"], videos / f"{request['name']}.mp4")
    for split in ("train", "validation", "test", "predict"):
        (splits / f"vggsound_{split}.txt").write_text("\n".join(names) + "\n")
    meta, test_set = work / "meta.csv", work / "test_set.csv"
    # Both with a first row that is skipped: id, start in seconds, label; name, start.
    rows = [f"{request['id']},0,unknown,test" for request in requests]
    meta.write_text("\n".join(["id,start,label,split", *rows]) + "\n")
    test_set.write_text("\n".join(["name,start", *[f"{name},0.0" for name in names]]) + "\n")
    return {
        "data_dir": videos,
        "split_dir": splits,
        "meta_file": meta,
        "included_files": test_set,
        "fixed_start_pts_file": test_set,
    }
