"""TARO: video to 16 kHz audio by flow matching from CAVP and onset features; no text.

Facts of its repository at commit a88b98a: one video for each process, no option for the length
(8.192 s) or the seed, which is 0; it needs checkpoints of Diff-Foley and SyncFusion.
"""

from bench.isolation import Adapter, Requirement, VideoInput, Weight
from bench.system import SecondsPerClip

TARO = Adapter(
    __name__,
    "taro",
    "TARO: flow matching with onset-aware conditions from video",
    repository="https://github.com/triton99/TARO",
    commit="a88b98a",
    licence="not stated (code and weights)",
    terms="The repository has no licence file; for the weights none is stated.",
    python="3.10",
    uses=frozenset({"video"}),
    entry=("infer.py", "cavp/cavp.yaml"),
    outputs=("{name}.wav",),
    # It takes 32 frames at 4 per second and 120 at 15.
    video=VideoInput(seconds=10.0),
    weights=(
        Weight(
            "taro_ckpt.pt",
            "https://drive.google.com/drive/folders/1YqLsEtVYeSchhAh-wKS-BWuB6MK6_mJB",
        ),
        Weight("cavp_epoch66.ckpt", "https://huggingface.co/SimianLuo/Diff-Foley, under this name"),
        Weight("onset_model.ckpt", "https://github.com/mcomunita/syncfusion, under this name"),
    ),
    requirements=(
        Requirement("command ffmpeg", "install ffmpeg, for example by your system's packages"),
        Requirement(
            "import mmcv",
            "install mmcv==1.7.0 in its environment, with the option --no-build-isolation",
        ),
    ),
    splits_paths=True,
    locked_on="2026-11-01",
    sample_rate_hz=16_000,
    seconds=8.192,
    seconds_per_clip=SecondsPerClip(600.0, 40.0),
    trained_on=("VGGSound train",),
    caveat="run with the seed of its script, 0: runs with other seeds have its samples again",
).system()
