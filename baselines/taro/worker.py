"""Runs in TARO's environment: one call of ``infer.py`` for each clip."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Callable


def open_worker(settings: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Return the function that generates a chunk with the script of the checkout."""

    def generate(chunk: dict[str, Any]) -> None:
        for request in chunk["requests"]:
            command = [sys.executable, "infer.py", f"--video_path={request['video']}"]
            command += [f"--save_folder_path={chunk['outputs']}"]
            command += ["--cavp_config_path=cavp/cavp.yaml", "--cavp_ckpt_path=cavp_epoch66.ckpt"]
            command += ["--onset_ckpt_path=onset_model.ckpt", "--model_ckpt_path=taro_ckpt.pt"]
            subprocess.run(command, cwd=settings["checkout"], check=True)

    return generate
