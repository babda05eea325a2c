"""Runs in Woosh's environment: its model of video and text, loaded once."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, Callable

RATE_HZ = 48_000
#: Channels and frames of the latents of 8 s.
LATENTS = (1, 128, 801)


def open_worker(settings: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Return the function that generates a chunk with the package of the checkout."""
    sys.path.insert(0, settings["checkout"])
    device = settings["device"]
    torch: Any = importlib.import_module("torch")
    torchaudio: Any = importlib.import_module("torchaudio")
    sampler: Any = importlib.import_module("woosh.inference.flowmatching_sampler")
    videoio: Any = importlib.import_module("woosh.utils.videoio")
    load_config = importlib.import_module("woosh.components.base").LoadConfig
    video_kontext = importlib.import_module("woosh.model.video_kontext").VideoKontext
    processor = importlib.import_module("woosh.utils.video").SynchformerProcessor
    model = video_kontext(load_config(path=settings["options"]["checkpoint"])).eval().to(device)
    encoder = processor(frame_rate=24).eval().to(device)

    def sample(request: dict[str, Any]) -> Any:
        frames, fps, _ = videoio.extract_video_frames(request["video"], start_time=0, end_time=8)
        features = encoder(frames.to(device), fps)
        given = {
            "audio": None,
            "description": [request["prompt"]],
            "synch_out": features["synch_out"],
        }
        condition = model.get_cond(given, no_dropout=True, device=device)
        torch.manual_seed(request["seed"])
        latents, _ = sampler.flowmatching_integrate(
            model,
            noise=torch.randn(*LATENTS).to(device),
            cond=condition,
            cfg=4.5,
            atol=1e-3,
            rtol=1e-3,
            return_steps=True,
            device=device,
            dtype=torch.float64,
        )
        return model.autoencoder.inverse(latents)[0].cpu()

    def generate(chunk: dict[str, Any]) -> None:
        for request in chunk["requests"]:
            with torch.inference_mode():
                audio = sample(request)
            # As its script has it: what exceeds full scale is made quieter, nothing louder.
            audio = audio / max(1.0, float(abs(audio).max()))
            path = Path(chunk["outputs"]) / f"{request['name']}.wav"
            torchaudio.save(str(path), audio, sample_rate=RATE_HZ)

    return generate
