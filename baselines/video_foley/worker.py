"""Runs in Video-Foley's environment: one call of ``infer_by_video.py`` for a chunk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable


def open_worker(settings: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Return the function that generates a chunk with the script of the checkout."""

    def generate(chunk: dict[str, Any]) -> None:
        # The script renames and replaces the files of its folder, so it gets names of its own.
        videos = Path(chunk["work"]) / "videos"
        videos.mkdir()
        # Prompts are given in the order of the sorted names.
        requests = sorted(chunk["requests"], key=lambda request: request["name"])
        for request in requests:
            os.link(request["video"], videos / Path(request["video"]).name)
        command = [sys.executable, "infer_by_video.py", f"--video_dir={videos}"]
        command += ["--prompt_type=text", "--epoch=500", f"--output_dir={chunk['outputs']}"]
        command += ["--video2rms_ckpt_dir=ckpt", "--rms2sound_ckpt_dir=ckpt"]
        command += [f"--device_id={0 if settings['device'] == 'cuda' else -1}"]
        command += [f"--num_workers={settings['options']['workers']}", "--batch_size=64"]
        # A list has no --name=value: one that begins with a hyphen would be an option.
        prompts = [request["prompt"] for request in requests]
        command += ["--prompt", *[f" {each}" if each[0] == "-" else each for each in prompts]]
        subprocess.run(command, cwd=settings["checkout"], check=True)

    return generate
