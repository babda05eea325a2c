"""Runs in Frieren's environment: its four scripts, one after the other, for a chunk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

SAMPLES = "CFG4.5_euler_26"


def open_worker(settings: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Return the function that generates a chunk with the scripts of the checkout."""
    checkout = Path(settings["checkout"])
    weights = checkout / "checkpoints"
    environment = {**os.environ, "PYTHONPATH": str(checkout / "Frieren")}
    # The script sets CUDA_VISIBLE_DEVICES to what -g says, counted from all GPUs of the machine.
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "0")

    def call(script: str, folder: Path, *arguments: str) -> None:
        command = [sys.executable, script, *arguments]
        subprocess.run(command, cwd=folder, env=environment, check=True)

    def generate(chunk: dict[str, Any]) -> None:
        work, outputs = Path(chunk["work"]), Path(chunk["outputs"])
        items, config = work / "items.txt", work / "infer.yaml"
        items.write_text("".join(f"{request['name']}\n" for request in chunk["requests"]))
        text = (checkout / settings["options"]["config"]).read_text(encoding="utf-8")
        config.write_text(_set_autoencoder(text, weights / "vae.ckpt"), encoding="utf-8")
        frames, features = work / "frames", work / "features"
        listed = f"--item-list-path={items}"
        inputs = Path(chunk["requests"][0]["video"]).parent
        call(
            "script/data_preprocess/reencode_video.py",
            checkout,
            *(listed, f"--input-dir={inputs}", f"--output-dir={frames}"),
        )
        call(
            "script/data_preprocess/extract_cavp_feature.py",
            checkout,
            *(listed, f"--cavp-config-path={checkout / 'Frieren/configs/cavp.yaml'}"),
            *(f"--cavp-ckpt-path={weights / 'cavp.ckpt'}", f"--video-path={frames}"),
            f"--output-dir={features}",
        )
        # These two find their modules by the folder in which they run. 26 is steps + 1.
        call(
            "generate_mel_cfm_cfg_scale.py",
            checkout / "script",
            *("-m", str(weights / "frieren.ckpt"), "-c", str(config), "-g", gpu),
            *(f"--cavp_feature={features}", f"--out-dir={outputs}", "-s", "euler", "-t", "26"),
            *("--scale=4.5", "--sample-num=1"),
        )
        call(
            "mel2wav_vocoder.py",
            checkout / "script",
            *(f"--root={outputs / SAMPLES}", f"--vocoder-path={weights / 'vocoder'}"),
        )

    return generate


def _set_autoencoder(text: str, path: Path) -> str:
    """Return the configuration with ``path`` as the ckpt_path of first_stage_config."""
    before, found, after = text.partition("first_stage_config:")
    lines = after.split("\n")
    quoted = str(path).replace("'", "''")
    for index, line in enumerate(lines):
        if found and line.strip().startswith("ckpt_path:"):
            lines[index] = f"{line.partition('ckpt_path:')[0]}ckpt_path: '{quoted}'"
            return before + found + "\n".join(lines)
    raise ValueError("the configuration has no ckpt_path in first_stage_config")
