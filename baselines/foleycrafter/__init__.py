"""FoleyCrafter: video and prompt to 16 kHz audio, by diffusion with a temporal adapter.

Facts of its repository at commit c2399fa: one prompt serves a whole folder (so the worker makes a
folder of each prompt), ten seconds are generated and cut to the video, clips above 10 s break the
condition vector, ``--temporal_align`` of the README does not exist.
"""

from bench.isolation import Adapter, Requirement, Weight
from bench.system import SecondsPerClip

WEIGHTS = "https://huggingface.co/ymzhang319/FoleyCrafter"

FOLEYCRAFTER = Adapter(
    __name__,
    "foleycrafter",
    "FoleyCrafter: text-to-audio diffusion with semantic and temporal adapters",
    repository="https://github.com/open-mmlab/FoleyCrafter",
    commit="c2399fa",
    licence="Apache-2.0 (code and adapters; Auffusion has terms of its own)",
    terms="Code: Apache-2.0. Weights: tagged apache-2.0; for commercial use its README points to "
    "the terms of Auffusion.",
    python="3.10",
    uses=frozenset({"video", "prompt"}),
    entry=("inference.py",),
    # Stems keep our names: "+" of a stem would become a space.
    outputs=("*/audio/{name}.wav",),
    weights=(
        Weight("checkpoints/temporal_adapter.ckpt", WEIGHTS),
        Weight("checkpoints/timestamp_detector.pth.tar", WEIGHTS),
        Weight("checkpoints/semantic/semantic_adapter.bin", WEIGHTS),
        Weight("checkpoints/vocoder/vocoder.pt", WEIGHTS),
        Weight("checkpoints/vocoder/config.json", WEIGHTS),
    ),
    requirements=(
        Requirement("command ffmpeg", "install ffmpeg, for example by your system's packages"),
    ),
    needs_prompt=True,
    # A script call seeds once for all files of its folder.
    seeds="chunk",
    locked_on="2026-11-01",
    sample_rate_hz=16_000,
    seconds_per_clip=SecondsPerClip(600.0, 15.0),
    trained_on=("VGGSound train",),
).system()
