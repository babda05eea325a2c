"""Frieren: video to 16 kHz audio by rectified flow from CAVP features; no text.

Facts of its repository at commit 0c39692: four scripts that need a GPU; one window of 8.192 s for
each full 32 frames at 4 per second, and nothing, without an error, for fewer; the path of the
autoencoder is in a YAML file, of which each chunk has a copy; the seed is 21.
"""

from bench.isolation import Adapter, Requirement, VideoInput, Weight
from bench.system import SecondsPerClip

CONFIG = "Frieren/configs/ldm_training/v2a_cfm_cfg_infer.yaml"
README = "the Google Drive folder in the repository's README"

FRIEREN = Adapter(
    __name__,
    "frieren",
    "Frieren: rectified flow from CAVP video features (no reflow, 25 steps)",
    repository="https://github.com/cyanbx/Frieren-V2A",
    commit="0c39692",
    licence="Apache-2.0 (code; weights: not stated)",
    terms="Code: Apache-2.0. Weights: no licence is stated.",
    python="3.8",
    uses=frozenset({"video"}),
    entry=(
        "script/data_preprocess/reencode_video.py",
        "script/data_preprocess/extract_cavp_feature.py",
        "script/generate_mel_cfm_cfg_scale.py",
        "script/mel2wav_vocoder.py",
        "Frieren/configs/cavp.yaml",
        CONFIG,
    ),
    outputs=("CFG4.5_euler_26gen_wav_16k_80/Y{name}_0.wav",),
    # Its first script takes 40 frames of it, of which 32 are used: one more than 8 s would do.
    video=VideoInput(seconds=10.0),
    staged_name="{id}_000000",
    weights=(
        Weight("checkpoints/frieren.ckpt", f"{README} (Frieren, no reflow), under this name"),
        Weight("checkpoints/vae.ckpt", f"{README} (VAE), under this name"),
        Weight("checkpoints/vocoder/best_netG.pt", f"{README} (vocoder)"),
        Weight("checkpoints/vocoder/args.yml", f"{README} (vocoder)"),
        Weight(
            "checkpoints/cavp.ckpt", "https://huggingface.co/SimianLuo/Diff-Foley, under this name"
        ),
    ),
    requirements=(
        Requirement("command ffmpeg", "install ffmpeg, for example by your system's packages"),
        Requirement(
            "import mmcv",
            "install mmcv==1.7.0 in its environment, with the option --no-build-isolation",
        ),
    ),
    options={"config": CONFIG},
    seeds="chunk",
    splits_paths=True,
    locked_on="2026-11-01",
    sample_rate_hz=16_000,
    seconds=8.192,
    seconds_per_clip=SecondsPerClip(600.0, 10.0),
    trained_on=("VGGSound train",),
    caveat="run with the seed of its scripts, 21: runs with other seeds have its samples again",
).system()
