"""Runs in CondFoley's environment: its function for one pair of videos, with the model loaded."""

from __future__ import annotations

import importlib
import os
import random
import sys
from pathlib import Path
from typing import Any, Callable


def open_worker(settings: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Return the function that generates a chunk with the module of the checkout."""
    sys.path.insert(0, settings["checkout"])
    torch = importlib.import_module("torch")
    module: Any = importlib.import_module("audio_generation")
    model = module.load_model(settings["options"]["model"], "./logs", module.device, False)

    def generate(chunk: dict[str, Any]) -> None:
        # The function writes to logs/NAME of the checkout, which belongs to the user.
        target = os.path.relpath(chunk["outputs"], Path(settings["checkout"]) / "logs")
        for request in chunk["requests"]:
            if request["reference"] is None:
                raise ValueError("CondFoley needs a reference with its video")
            # Both go to one folder for intermediate files, by their names.
            reference = Path(chunk["work"]) / f"{request['name']}-reference.mp4"
            os.link(request["reference"], reference)
            random.seed(request["seed"])
            torch.manual_seed(request["seed"])
            module.gen_audio_condImage_fast(
                request["video"],
                str(reference),
                model,
                target_log_dir=target,
                cond_cnt=request["row"],
                L=2.0,
                vqgan_L=2.0,
                using_torch=True,
                spec_take_first=192,
                outside=True,
                target_start_time=0,
                cond_start_time=0,
                ignore_input_spec=True,  # the video has no audio
                tmp_path=str(Path(chunk["work"]) / "intermediate"),
            )

    return generate
