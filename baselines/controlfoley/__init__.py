"""ControlFoley: video, prompt and reference, the other open system that takes a reference.

Facts of its repository at commit a096b25: one clip per call of ``demo.py``, which selects its mode
by what is given; the output is named by the video alone, so that references of one video overwrite
each other; of the reference it uses 2 to 4 s. A video with exactly the frames of 8 s is read short
by one, and the output is as short: hence a margin.
"""

from bench.isolation import Adapter, VideoInput, Weight
from bench.system import SecondsPerClip

WEIGHTS = "https://huggingface.co/YJX-Xiaomi/ControlFoley, into model_weights/"
EXTERNAL = "model_weights/ext_weights"

CONTROLFOLEY = Adapter(
    __name__,
    "controlfoley",
    "ControlFoley: flow matching with semantic and timbre vectors of the reference",
    repository="https://github.com/xiaomi-research/controlfoley",
    commit="a096b25",
    licence="Apache-2.0 (code), CC-BY-NC-4.0 (weights)",
    terms="Code: Apache-2.0. Weights: CC-BY-NC-4.0 (not for commercial use).",
    python="3.10",
    uses=frozenset({"video", "prompt", "reference"}),
    entry=("demo.py",),
    outputs=("{name}/{name}.flac",),
    video=VideoInput(margin_s=0.5),
    reference="wav",
    weights=(
        Weight("model_weights/weights/controlfoley.pth", WEIGHTS),
        Weight(f"{EXTERNAL}/v1-44.pth", WEIGHTS),
        Weight(f"{EXTERNAL}/synchformer_state_dict.pth", WEIGHTS),
        Weight(f"{EXTERNAL}/cav_mae_st.pth", WEIGHTS),
        Weight(
            f"{EXTERNAL}/music_speech_audioset_epoch_15_esc_89.98.pt",
            WEIGHTS,
            size_bytes=2_352_471_003,
            sha256="51c68f12f9d7ea25fdaaccf741ec7f81e93ee594455410f3bca4f47f88d8e006",
        ),
    ),
    chunk=1,  # a call per clip, so that more would gain nothing
    locked_on="2026-11-01",
    sample_rate_hz=44_100,
    # It compiles a network in every call.
    seconds_per_clip=SecondsPerClip(900.0, 120.0),
    judges_seen={"synchformer": "encoder", "clap": "encoder"},
    non_commercial=True,
).system()
