"""AudioX: video, prompt and an audio prompt to 10 s of stereo at 44.1 kHz by diffusion.

Facts of its repository at commit ca179cc: a package, whose README calls it from Python; 250 steps;
samples are normalised to their peak. Its loader of audio prompts neither resamples nor makes stereo
of mono, so the worker does, and puts a prompt that is shorter than 10 s at their end. How an audio
prompt acts beside a video is not documented. The later model "MAF" has another package.
"""

from bench.isolation import Adapter, Requirement, VideoInput
from bench.system import SecondsPerClip

AUDIOX = Adapter(
    __name__,
    "audiox",
    "AudioX: diffusion from video, text and an audio prompt",
    repository="https://github.com/ZeyueT/AudioX",
    commit="ca179cc",
    licence="CC-BY-NC-4.0",
    terms="Code and weights: CC BY-NC 4.0 (not for commercial use).",
    python="3.8",
    uses=frozenset({"video", "prompt", "reference"}),
    entry=("stable_audio_tools/__init__.py",),
    outputs=("{name}.wav",),
    # It takes every fifth frame, of 10 s.
    video=VideoInput(seconds=10.0),
    reference="wav",
    requirements=(
        Requirement(
            "import decord", "install the checkout, which brings it and torch, in its environment"
        ),
    ),
    options={"model": "HKUSTAudio/AudioX", "steps": 250},
    locked_on="2026-11-01",
    sample_rate_hz=44_100,
    seconds=10.0,
    seconds_per_clip=SecondsPerClip(1_800.0, 30.0),
    non_commercial=True,
    caveat="normalised to the peak of each sample, so its level means nothing; its weights are "
    "those that its hub has on the day of the run",
).system()
