"""ThinkSound without chain of thought (CoT), as the tables of others report it.

Facts of its repository at commit 4e2cfd5: there is no option for it, so the label is given as both
captions; ``eval_batch.py`` generates from every file in the folder of features, into a folder named
by the day, with every file scaled to a peak of 1; latents of 8 s are 7.988 s of audio, those of 9 s
are the training length; clips that cannot be read are left out; ``extract_latents.py`` needs a
GPU. (``scripts/eval_batch.sh`` takes the length of the first video for all, and fails with four
arguments, so it is not used.)
"""

from bench.isolation import Adapter, Requirement, VideoInput, Weight
from bench.system import SecondsPerClip

WEIGHTS = "https://huggingface.co/FunAudioLLM/ThinkSound, into ckpts/"

THINKSOUND = Adapter(
    __name__,
    "thinksound",
    "ThinkSound (w/o CoT): video and the label as both of its captions",
    repository="https://github.com/FunAudioLLM/ThinkSound",
    commit="4e2cfd5",
    licence="Apache-2.0, for research only (code and weights); Stability AI Community (VAE)",
    terms="Code and weights: Apache-2.0 by its README, which permits research only and no "
    "commercial use. vae.ckpt: Stability AI Community License.",
    python="3.10",
    uses=frozenset({"video", "prompt"}),
    entry=("extract_latents.py", "eval_batch.py", "defaults.ini"),
    outputs=("*_batch_size1/{name}.wav",),
    video=VideoInput(margin_s=1.0),
    weights=(
        Weight(
            "ckpts/thinksound_light.ckpt",
            WEIGHTS,
            sha256="5232db0ca3f1bca319958ea81181267e525228c226f62015d2b0fc624ce1df82",
        ),
        Weight(
            "ckpts/vae.ckpt",
            WEIGHTS,
            sha256="8132c32ec65bbba2f1457f2659136c5f2cb31f9902af1c659d78c9f7d3aa619e",
        ),
        Weight(
            "ckpts/synchformer_state_dict.pth",
            WEIGHTS,
            sha256="8aff082f2df5c3bc52759db0c865c7ee772ae6400b860d1b7e90413f2defb67c",
        ),
    ),
    requirements=(
        Requirement(
            "command ffmpeg", "install ffmpeg below version 7, whose libraries torio reads"
        ),
    ),
    needs_prompt=True,
    # A script call seeds once for all files of its folder.
    seeds="chunk",
    locked_on="2026-11-01",
    sample_rate_hz=44_100,
    seconds_per_clip=SecondsPerClip(600.0, 20.0),
    judges_seen={"synchformer": "encoder"},
    non_commercial=True,
    caveat="scaled to a peak of 1 in every file, so its loudness does not compare",
).system()
