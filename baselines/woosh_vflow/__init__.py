"""Woosh VFlow: video, with a prompt or without one, to 48 kHz audio by flow matching.

Facts of its repository at commit 88006c5: its only script has fixed paths, so the worker calls what
the script calls; 8.01 s of audio for 8 s of video at 24 fps; it fetches Synchformer from the hub.
It is a uv project: its own environment (``uv sync``) can be given by ``--python``.
"""

from bench.isolation import Adapter, Requirement, VideoInput, Weight
from bench.system import SecondsPerClip

RELEASE = "https://github.com/SonyResearch/Woosh/releases, unpacked in the checkout"
CHECKPOINT = "checkpoints/Woosh-VFlow-8s"

WOOSH_VFLOW = Adapter(
    __name__,
    "woosh-vflow",
    "Woosh VFlow: flow matching from Synchformer features and text",
    repository="https://github.com/SonyResearch/Woosh",
    commit="88006c5",
    licence="MIT (code); CC-BY-NC-4.0 (weights)",
    terms="Code: MIT, in parts Apache-2.0. Weights: CC BY-NC (not for commercial use).",
    python="3.12",
    uses=frozenset({"video", "prompt"}),
    entry=("test_Woosh-VFlow.py", "woosh/model/video_kontext.py"),
    outputs=("{name}.wav",),
    # A little more than the 8 s that it reads.
    video=VideoInput(seconds=8.5, fps=24),
    weights=(
        Weight(f"{CHECKPOINT}/config.yaml", RELEASE),
        # Its own, and those of the autoencoder and the text encoder, which the configuration names.
        Weight("checkpoints/*/*.safetensors", RELEASE),
    ),
    requirements=(
        Requirement("command ffmpeg", "install ffmpeg, for example by your system's packages"),
    ),
    options={"checkpoint": CHECKPOINT},
    locked_on="2026-11-01",
    sample_rate_hz=48_000,
    seconds=8.01,
    seconds_per_clip=SecondsPerClip(900.0, 15.0),
    judges_seen={"synchformer": "encoder"},
    non_commercial=True,
).system()
