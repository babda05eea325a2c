"""Runs in AudioX's environment: its model, loaded once, called as its README calls it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, Callable

SECONDS = 10
#: What its README asks for where a video has no description.
PROMPT = "Generate general audio for the video"


def open_worker(settings: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Return the function that generates a chunk with the package of the checkout."""
    sys.path.insert(0, settings["checkout"])
    torch: Any = importlib.import_module("torch")
    torchaudio: Any = importlib.import_module("torchaudio")
    tools: Any = importlib.import_module("stable_audio_tools")
    data: Any = importlib.import_module("stable_audio_tools.data.utils")
    generation: Any = importlib.import_module("stable_audio_tools.inference.generation")
    device, options = settings["device"], settings["options"]
    model, config = tools.get_pretrained_model(options["model"])
    model, rate_hz = model.to(device), config["sample_rate"]

    def load_reference(request: dict[str, Any], work: str) -> Any:
        """Return ``[2, samples]``; its own loader takes files as they are."""
        path = request["reference"]
        if path is not None:
            waveform, found_hz = torchaudio.load(path)
            if found_hz != rate_hz:
                waveform = torchaudio.functional.resample(waveform, found_hz, rate_hz)
            path = str(Path(work) / f"{request['name']}.wav")
            torchaudio.save(path, torch.cat([waveform, waveform])[:2], rate_hz)
        return data.load_and_process_audio(path, rate_hz, 0, SECONDS)

    def generate(chunk: dict[str, Any]) -> None:
        for request in chunk["requests"]:
            frames = data.read_video(
                request["video"], seek_time=0, duration=SECONDS, target_fps=config["video_fps"]
            )
            condition = {
                "video_prompt": [frames.unsqueeze(0)],
                "text_prompt": request["prompt"] or PROMPT,
                "audio_prompt": load_reference(request, chunk["work"]).unsqueeze(0),
                "seconds_start": 0,
                "seconds_total": SECONDS,
            }
            output = generation.generate_diffusion_cond(
                model,
                steps=options["steps"],
                cfg_scale=7,
                conditioning=[condition],
                sample_size=config["sample_size"],
                sigma_min=0.3,
                sigma_max=500,
                sampler_type="dpmpp-3m-sde",
                seed=request["seed"],
                device=device,
            )
            audio = output[0].to(torch.float32).cpu()
            path = Path(chunk["outputs"]) / f"{request['name']}.wav"
            torchaudio.save(str(path), audio / abs(audio).max(), rate_hz)

    return generate
