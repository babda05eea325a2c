"""SSV2A: video to 16 kHz audio by detected sources, one CLAP vector and AudioLDM; no text.

Facts of its repository at commit 7f01d5f: files are named by their position in an unsorted list,
unless there is only one; all are written at the end, so a crash loses the chunk; AudioLDM wants a
multiple of 2.5 s, so ten seconds are generated and the first are kept; three candidates are drawn
per clip, and the best by CLAP is written.
"""

from bench.isolation import Adapter, Requirement, Weight
from bench.system import SecondsPerClip

DRIVE = "https://drive.google.com/drive/folders/17SAuZ2sZrTYf21BiNKhRsEfdj-fbeQQN"

SSV2A = Adapter(
    __name__,
    "ssv2a",
    "SSV2A: AudioLDM conditioned on the sources that are detected in the video",
    repository="https://github.com/wguo86/SSV2A",
    commit="7f01d5f",
    licence="not stated (code and weights)",
    terms="The commit has no licence file (another one has MIT); for the weights none is stated. "
    "It uses AudioLDM, whose weights are CC-BY-NC-SA-4.0.",
    python="3.10",
    uses=frozenset({"video"}),
    entry=("infer_v2a.py",),
    outputs=("{name}.wav", "{name}_*.wav"),
    weights=(
        Weight(
            "ssv2a.json",
            f"{DRIVE}, with the path of YOLOv8x Open Images V7 as its detection_model",
        ),
        Weight("ssv2a.pth", DRIVE),
        Weight("agg.pth", DRIVE),
    ),
    requirements=(
        Requirement(
            "import clip",
            "install git+https://github.com/openai/CLIP.git@"
            "dcba3cb2e2827b402d2701e7e1c7d9fed8a20ef1 in its environment",
        ),
        Requirement("command ffmpeg", "install ffmpeg, for example by your system's packages"),
    ),
    chunk=8,
    seeds="chunk",
    locked_on="2026-11-01",
    sample_rate_hz=16_000,
    seconds=10.0,
    seconds_per_clip=SecondsPerClip(1_200.0, 40.0),
    candidates=3,
    non_commercial=True,
    caveat="conditioned on one vector (of AudioLDM's CLAP) for a whole video, so nothing aligns "
    "its audio in time; CLAP picks one of its three candidates",
).system()
