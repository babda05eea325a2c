"""Video-Foley: video and prompt to 16 kHz audio, by loudness over time and an AudioLDM ControlNet.

Facts of its repository at commit 0afd45a: whole segments of ten seconds, none of a shorter video,
without an error; one prompt for each segment, in the order of the sorted names; files are renamed
in place, and get a track of silence in place where they have none; the first 10 s of a sample of
10.24 s have audio; the seed is that of the checkpoint's opts.yml, 123.
"""

from bench.isolation import Adapter, Requirement, VideoInput, Weight
from bench.system import SecondsPerClip

HUB = "https://huggingface.co/jnwnlee/video-foley, into ckpt/"
SUBMODULE = "RMS_ControlNet_Inference"

VIDEO_FOLEY = Adapter(
    __name__,
    "video-foley",
    "Video-Foley: RMS from video, then AudioLDM with a ControlNet and a text prompt",
    repository="https://github.com/jnwnlee/video-foley",
    commit="0afd45a",
    licence="not stated (code); AudioLDM: CC-BY-NC-SA-4.0",
    terms="The repository and its submodule have no licence file; the submodule asks to follow "
    "that of AudioLDM, CC-BY-NC-SA-4.0 (not for commercial use).",
    python="3.9",
    uses=frozenset({"video", "prompt"}),
    entry=("infer_by_video.py",),
    outputs=("audio/{name}_0_generated_audio.wav",),
    # A little more than a segment: 9.99 s of audio would be none.
    video=VideoInput(seconds=10.5, fps=30, audio="silent"),
    weights=(
        Weight("ckpt/opts.yml", HUB),
        Weight("ckpt/checkpoint_000500_Video2RMS.pt", HUB),
        Weight("ckpt/ControlNetstep300000.pth", HUB),
    ),
    requirements=(
        Requirement(f"file {SUBMODULE}/AudioLDMControlNetInfer", "run git submodule update --init"),
        Requirement(
            "import AudioLDMControlNetInfer",
            f"install {SUBMODULE}, its AudioLDMControlNetInfer/Model/AudioLdm and its TorchJAEKWON "
            "in its environment, each with the option -e",
        ),
        Requirement("command ffmpeg", "install ffmpeg with x264"),
        Requirement("command ffprobe", "install ffmpeg, which has it"),
    ),
    options={"workers": 4},
    needs_prompt=True,
    seeds="chunk",
    splits_paths=True,
    locked_on="2026-11-01",
    sample_rate_hz=16_000,
    seconds=10.0,
    seconds_per_clip=SecondsPerClip(1_800.0, 60.0),
    trained_on=("Greatest Hits",),
    non_commercial=True,
    caveat="run with the seed of its opts.yml: runs with other seeds have its samples again",
).system()
