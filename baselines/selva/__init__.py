"""SelVA small_16k: MMAudio's flow with video features that the text selects.

Facts of its repository at commit 70a8589: ``demo.py`` has one clip per call and MMAudio's names
and lengths, where frames are missing a shorter output too: hence a margin.
"""

from bench.isolation import Adapter, VideoInput, Weight
from bench.system import SecondsPerClip

VARIANT = "small_16k"
HUB = "https://huggingface.co/jnwnlee/SelVA"


def _weight(path: str, md5: str) -> Weight:
    return Weight(path, f"{HUB}, folder {path.partition('/')[0]}", md5=md5)


SELVA = Adapter(
    __name__,
    "selva",
    f"SelVA {VARIANT}: of the sources in a video, the one that the prompt names",
    repository="https://github.com/jnwnlee/selva",
    commit="70a8589",
    licence="none stated (code and weights)",
    terms="Code: the repository has no LICENSE file, so that no right to use it is granted. "
    "Weights: none stated; they were trained from MMAudio's, CC-BY-NC-4.0 (not for commercial "
    "use).",
    python="3.10",
    uses=frozenset({"video", "prompt"}),
    entry=("demo.py",),
    outputs=("{name}/{name}.flac",),
    video=VideoInput(margin_s=0.5),
    weights=(
        _weight("weights/video_enc_sup_5.pth", "ff09a6dc36148536ee4db97eba081d05"),
        _weight("weights/generator_small_16k_sup_5.pth", "1cb0f0deec52de37f67b1fd9965337d0"),
        _weight("ext_weights/v1-16.pth", "69f56803f59a549a1a507c93859fd4d7"),
        _weight("ext_weights/best_netG.pt", "eeaf372a38a9c31c362120aba2dde292"),
        _weight("ext_weights/synchformer_state_dict.pth", "5b2f5594b0730f70e41e549b7c94390c"),
    ),
    options={"variant": VARIANT},
    chunk=1,  # a call per clip, so that more would gain nothing
    locked_on="2026-11-01",
    sample_rate_hz=16_000,
    seconds_per_clip=SecondsPerClip(300.0, 40.0),
    device_memory_gib=4.0,
    trained_on=("VGGSound train", "AudioSet", "Freesound", "AudioCaps", "WavCaps"),
    judges_seen={"synchformer": "encoder"},
    non_commercial=True,
).system()
