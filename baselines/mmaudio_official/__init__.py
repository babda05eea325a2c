"""MMAudio large_44k_v2 by its authors' own code, to compare with ``mmaudio-large-44k-v2``.

Facts of its repository at commit 974010a: ``demo.py`` has one clip per call; where frames are
missing it makes a shorter output, with a line in its log, and a video with exactly the frames of
8 s is read short by one: hence a margin. (``batch_eval.py`` drops such clips, reads no other set
than VGGSound's, and its samples depend on the batch.)
"""

from bench.isolation import Adapter, Requirement, VideoInput, Weight
from bench.system import SecondsPerClip

VARIANT = "large_44k_v2"
RELEASE = "https://github.com/hkchengrex/MMAudio/releases/tag/v0.1"

MMAUDIO_OFFICIAL = Adapter(
    __name__,
    "mmaudio-official",
    f"MMAudio {VARIANT} by the code of its authors: video and prompt",
    repository="https://github.com/hkchengrex/MMAudio",
    commit="974010a",
    licence="MIT (code), CC-BY-NC-4.0 (weights)",
    terms="Code: MIT. Weights: CC-BY-NC-4.0 (not for commercial use).",
    python="3.10",
    uses=frozenset({"video", "prompt"}),
    entry=("demo.py",),
    outputs=("{name}/{name}.flac",),
    video=VideoInput(margin_s=0.5),
    weights=(
        Weight(
            f"weights/mmaudio_{VARIANT}.pth",
            "https://huggingface.co/hkchengrex/MMAudio, folder weights",
            md5="01ad4464f049b2d7efdaa4c1a59b8dfe",
        ),
        Weight("ext_weights/v1-44.pth", RELEASE, md5="fab020275fa44c6589820ce025191600"),
        Weight(
            "ext_weights/synchformer_state_dict.pth",
            RELEASE,
            md5="5b2f5594b0730f70e41e549b7c94390c",
        ),
    ),
    requirements=(
        Requirement("command ffmpeg", "install ffmpeg, whose libraries torchcodec writes with"),
    ),
    options={"variant": VARIANT},
    chunk=1,  # a call per clip, so that more would gain nothing
    locked_on="2026-11-01",
    sample_rate_hz=44_100,
    seconds_per_clip=SecondsPerClip(600.0, 60.0),
    device_memory_gib=6.0,
    trained_on=("VGGSound train", "AudioCaps", "WavCaps", "Clotho"),
    judges_seen={"synchformer": "encoder"},
    non_commercial=True,
).system()
