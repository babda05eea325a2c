"""AC-Foley by its authors' own code, to compare with ``acfoley``.

Facts of its repository at commit 19d068a: one clip per call of ``inf.py``; the name of the output
is cut, so two references can share it; a silent reference is divided by its peak, zero; the latent
of the reference is drawn with the generator of the noise, so that one seed gives other noise with
and without a reference; the path of the reference needs a GPU. A video with exactly the frames
of 8 s is read short by one, and the output is as short: hence a margin.
"""

from bench.isolation import Adapter, VideoInput, Weight
from bench.system import SecondsPerClip

WEIGHTS = "https://huggingface.co/FF2416/AC-Foley, folder weights (scripts/download.sh)"

ACFOLEY_OFFICIAL = Adapter(
    __name__,
    "acfoley-official",
    "AC-Foley by the code of its authors: video, prompt and reference",
    repository="https://github.com/ff2416/AC-Foley",
    commit="19d068a",
    licence="none stated (code); parts of the weights are CC-BY-NC-4.0",
    terms="Code: the repository has no LICENSE file, so that no right to use it is granted. "
    "Weights: none stated either; v1-44.pth is MMAudio's, CC-BY-NC-4.0 (not for commercial use).",
    python="3.10",
    uses=frozenset({"video", "prompt", "reference"}),
    entry=("inf.py",),
    outputs=("{name}/{name}*.wav",),
    video=VideoInput(margin_s=0.5),
    reference="wav",
    refuses_silent_reference=True,
    weights=(
        Weight("weights/ac_foley.pth", WEIGHTS, size_bytes=4_335_438_310),
        Weight("weights/v1-44.pth", WEIGHTS),
        Weight("weights/synchformer_state_dict.pth", WEIGHTS),
        Weight("weights/empty_string.pth", WEIGHTS),
    ),
    chunk=1,  # a call per clip, so that more would gain nothing
    locked_on="2026-11-01",
    sample_rate_hz=44_100,
    seconds_per_clip=SecondsPerClip(600.0, 60.0),
    trained_on=("VGGSound train", "AudioCaps 2.0", "WavCaps"),
    judges_seen={"synchformer": "encoder", "imagebind": "filter of its training clips"},
    non_commercial=True,
    caveat="run without --mask_away_clip, also where video and reference disagree",
).system()
