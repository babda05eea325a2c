"""CondFoley: video and a reference video with audio to 2 s at 22.05 kHz; no text.

Facts of its repository at commit c565db7: pairs of one's own go through a function, since the lists
of the script are fixed; 192 spectrogram columns are what the published model needs (160 end in an
index error), and make 2.000 s; nothing seeds torch, so the worker does. Its torch is built for CUDA
10.2, which newer GPUs cannot use: on those, give an environment with a newer one by ``--python``.
"""

from bench.isolation import Adapter, Requirement, VideoInput, Weight
from bench.system import SecondsPerClip

MODEL = "2022-05-03T11-33-05_greatesthit_transformer_with_vNet_randshift_2s_GH_vqgan_no_earlystop"
DRIVE = "https://drive.google.com, the id 125nVHMXibhyNxLfbrXGwx35i7Q-dBKPg"
VOCODER = "the MelGAN of SpecVQGAN (https://github.com/v-iashin/SpecVQGAN)"

CONDFOLEY = Adapter(
    __name__,
    "condfoley",
    "CondFoley: Foley by analogy, from a video and a reference with its video",
    repository="https://github.com/XYPB/CondFoleyGen",
    commit="c565db7",
    licence="MIT (code; weights: not stated)",
    terms="Code: MIT. Weights: no licence is stated.",
    python="3.8",
    uses=frozenset({"video", "reference", "reference-video"}),
    entry=("audio_generation.py",),
    outputs=("2sec_full_generated_sound_{row}/{name}_*_to_{name}-reference_*.wav",),
    video=VideoInput(margin_s=0.5),
    reference="mp4",
    weights=(
        Weight(f"logs/{MODEL}/checkpoints/*.ckpt", DRIVE),
        Weight(f"logs/{MODEL}/configs/*.yaml", DRIVE),
        Weight("vocoder/logs/vggsound/best_netG.pt", VOCODER),
        Weight("vocoder/logs/vggsound/args.yml", VOCODER),
    ),
    requirements=(
        Requirement("file data/vggsound.csv", "copy data/vggsound.csv of SpecVQGAN"),
        Requirement("command ffmpeg", "install ffmpeg, for example by your system's packages"),
        Requirement("command ffprobe", "install ffmpeg, which has it"),
    ),
    options={"model": MODEL},
    splits_paths=True,
    locked_on="2026-11-01",
    sample_rate_hz=22_050,
    seconds=2.0,
    seconds_per_clip=SecondsPerClip(120.0, 10.0),
    trained_on=("Greatest Hits",),
    caveat="given the first 2 s of video and reference, and makes 2 s",
).system()
