"""The evaluator that the field publishes with, run from the user's checkout as a cross-check.

Facts of av-benchmark at commit 050a5cd: features of videos are extracted by a script of their own;
stems of 20, 21 and 30 characters are cut, so files get names of 11; a GPU is needed; existing
caches are believed, so every call has new ones.
"""

from bench.isolation.adapter import Adapter, Requirement, Weight

SYNCHFORMER = "https://github.com/hkchengrex/MMAudio/releases/download/v0.1"
CLAP = "https://huggingface.co/lukewys/laion_clap"

AV_BENCHMARK = Adapter(
    __name__,
    "av-benchmark",
    "the evaluator that the field publishes with, for `bench crosscheck`",
    repository="https://github.com/hkchengrex/av-benchmark",
    commit="050a5cd",
    licence="MIT (code); its networks have terms of their own",
    terms="Code: MIT. ImageBind's weights are for non-commercial use (CC BY-NC-SA 4.0).",
    python="3.10",
    uses=frozenset(),
    entry=("evaluate.py", "extract_video.py"),
    outputs=(),
    weights=(
        Weight(
            "weights/synchformer_state_dict.pth",
            SYNCHFORMER,
            md5="5b2f5594b0730f70e41e549b7c94390c",
        ),
        Weight(
            "weights/music_speech_audioset_epoch_15_esc_89.98.pt",
            CLAP,
            size_bytes=2_352_471_003,
            sha256="51c68f12f9d7ea25fdaaccf741ec7f81e93ee594455410f3bca4f47f88d8e006",
        ),
    ),
    requirements=(
        # Four of its dependencies are forks that only git has, so a lock cannot hold them.
        Requirement("import av_bench", "uv pip install --python ENVIRONMENT -e CHECKOUT"),
        Requirement("command ffmpeg", "ffmpeg below version 7, as torchaudio needs it"),
    ),
    locked_on="2026-11-01",
)
