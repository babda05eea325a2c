"""The module of CondFoley as its users know it: the function for a pair of one's own, its quirks.

Files go to logs/NAME of the current folder, and intermediate ones to a folder by their names; 160
columns end in an index error; the length is 2 s; the reference needs audio; top-k sampling by the
generator of torch.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from _standin import has_audio_track, read_seconds

device = "cpu"


def load_model(model_name: str, log_dir: str, device: str, load_new_first_stage: bool) -> str:
    """Return the model of a folder of logs."""
    folder = Path(log_dir) / model_name
    assert list((folder / "checkpoints").glob("*.ckpt"))
    assert list((folder / "configs").glob("*.yaml"))
    assert Path("data/vggsound.csv").is_file()
    return model_name


def _trim(video: str, start: float, seconds: float, folder: Path) -> Path:
    assert read_seconds(Path(video)) > start
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{Path(video).stem}_new_fps_trim_to_{int(seconds)}s_from_{start:.4f}.mp4"
    shutil.copyfile(video, path)
    return path


def gen_audio_condImage_fast(  # noqa: N802
    video_path: str,
    extra_cond_video_path: str,
    model: str,
    target_log_dir: str = "CondAVTransformer",
    cond_cnt: int = 0,
    L: float = 2.0,
    using_torch: bool = False,
    vqgan_L: float = 10.0,
    target_start_time: float = 0,
    cond_start_time: float = 0,
    outside: bool = False,
    spec_take_first: int = 160,
    ignore_input_spec: bool = False,
    tmp_path: str = "./tmp",
) -> None:
    """Write the sample of a pair, with a reconstruction of its reference."""
    assert outside
    assert using_torch
    target = _trim(video_path, target_start_time, vqgan_L, Path(tmp_path))
    reference = _trim(extra_cond_video_path, cond_start_time, vqgan_L, Path(tmp_path))
    assert target != reference, "the second has overwritten the first"
    if not has_audio_track(reference) or not (ignore_input_spec or has_audio_track(target)):
        raise RuntimeError("Output file does not contain any stream")
    if spec_take_first == 160:
        raise IndexError("index 50 is out of bounds for dimension 0 with size 50")
    folder = Path("logs") / target_log_dir
    folder.mkdir(exist_ok=True)  # not its parents
    name = f"{target.stem}_to_{reference.stem}.wav"
    for kind in (f"generated_sound_{cond_cnt}", f"cond_video_{cond_cnt}"):
        (folder / f"2sec_full_{kind}").mkdir(exist_ok=True)
        samples: Any = [torch.generator.uniform(-0.3, 0.3) for _ in range(441)]
        path = folder / f"2sec_full_{kind}" / name
        soundfile.write(path, np.tile(samples, 100), 22_050, "PCM_24")
