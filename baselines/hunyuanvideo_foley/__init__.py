"""HunyuanVideo-Foley XXL: video and prompt to 48 kHz audio of the video's length.

Facts of its repository at commit df7b005: outputs are named by the row of a CSV file, and rows
whose outputs exist are skipped; an empty prompt becomes NaN; the length is that of the video, 15 s
at most, whatever ``--audio_length``; an exact 8 s of video are read short by one frame, so it gets
one more; the seed is fixed at 1 for each call, so that a sample depends on its place in the call.
"""

from bench.isolation import Adapter, Requirement, VideoInput, Weight
from bench.system import SecondsPerClip

WEIGHTS = "https://huggingface.co/tencent/HunyuanVideo-Foley, into weights/"
INSTALL = "uv pip install --python ENVIRONMENT"

HUNYUANVIDEO_FOLEY = Adapter(
    __name__,
    "hunyuanvideo-foley",
    "HunyuanVideo-Foley XXL: multimodal diffusion transformer, video and prompt",
    repository="https://github.com/Tencent-Hunyuan/HunyuanVideo-Foley",
    commit="df7b005",
    licence="Tencent Hunyuan Community (not in the EU, the UK and South Korea)",
    terms="Code and weights: Tencent Hunyuan Community License. It grants nothing in the European "
    "Union, the United Kingdom and South Korea, also for outputs; outputs may not train other "
    "models; above 100 million users a licence is to be requested.",
    python="3.10",
    uses=frozenset({"video", "prompt"}),
    entry=("infer.py", "configs/hunyuanvideo-foley-xxl.yaml"),
    outputs=("{row:04d}.wav",),
    video=VideoInput(margin_s=0.04),
    weights=(
        Weight("weights/hunyuanvideo_foley.pth", WEIGHTS),
        Weight("weights/vae_128d_48k.pth", WEIGHTS),
        Weight("weights/synchformer_state_dict.pth", WEIGHTS),
    ),
    requirements=(
        Requirement("command ffmpeg", "install ffmpeg, for example by your system's packages"),
        Requirement(
            "import transformers.models.siglip2",
            f"{INSTALL} --no-deps git+https://github.com/huggingface/transformers@v4.49.0-SigLIP-2",
        ),
        Requirement(
            "import audiotools",
            f"{INSTALL} git+https://github.com/descriptinc/audiotools",
        ),
    ),
    needs_prompt=True,
    # A script call seeds once, always with 1, for all rows.
    seeds="chunk",
    locked_on="2026-11-01",
    sample_rate_hz=48_000,
    seconds_per_clip=SecondsPerClip(900.0, 30.0),
    device_memory_gib=20.0,
    trained_on=("VGGSound train",),
    judges_seen={"synchformer": "encoder"},
    caveat="run with one seed for all calls, which its script fixes at 1",
).system()
