"""V-AURA: video to 44.1 kHz audio, autoregressive over codec tokens; no text.

Facts of its repository at commit 42ba74c: VGGSound's loader is the one that generates beyond 2.56 s
from the start of a file, and wants VGGSound's names, lists and an audio track; a batch that fails
is skipped, and a video that cannot be read is replaced by a random other one; a second run in the
same experiment folder can fail, so each chunk has a copy of it; samples are clamped to 0.501.
"""

from bench.isolation import Adapter, VideoInput, Weight
from bench.system import SecondsPerClip

ADDRESS = "https://a3s.fi/swift/v1/AUTH_a235c0f452d648828f745589cde1219a"
EXPERIMENT = "logs/24-08-01T08-34-26"
ARCHIVE = f"{ADDRESS}/v-aura_public/24-08-01T08-34-26.tar.gz, unpacked in logs/"

V_AURA = Adapter(
    __name__,
    "v-aura",
    "V-AURA: autoregressive codec tokens from video features at 25 fps",
    repository="https://github.com/ilpoviertola/V-AURA",
    commit="42ba74c",
    licence="MIT (code; weights: not stated)",
    terms="Code: MIT. Weights: no licence is stated.",
    python="3.8",
    uses=frozenset({"video"}),
    entry=("main.py", "configs/generate_vgg.yaml"),
    # The folder of samples has the time in its name.
    outputs=("experiment/vggsound_test/generated_samples_*/{name}.wav",),
    # Its loader reads 0.01 s more than it generates, so a clip of 8 s is not enough.
    video=VideoInput(seconds=10.0, fps=25, short_side=256, audio="silent"),
    staged_name="{id}_0_10000",
    weights=(
        Weight(f"{EXPERIMENT}/checkpoints/*.ckpt", ARCHIVE),
        Weight(f"{EXPERIMENT}/*/hparams.yaml", ARCHIVE),
        Weight(
            "segment_avclip/vggsound/best.pt",
            f"{ADDRESS}/sync/sync_models/23-12-22T16-10-50/checkpoints/epoch_best.pt, "
            "under this name",
        ),
    ),
    options={"experiment": EXPERIMENT},
    # It seeds once for all files.
    seeds="chunk",
    locked_on="2026-11-01",
    sample_rate_hz=44_100,
    seconds_per_clip=SecondsPerClip(1_200.0, 30.0),
    trained_on=("VGGSound train",),
    judges_seen={"imagebind": "filter of its training clips"},
    caveat="clamped to 0.501 of full scale; its visual encoder (Segment AVCLIP) is a part of "
    "Synchformer, trained on VGGSound",
).system()
