"""MMAudio as published: video and prompt, each of which it can be run without.

The networks are ours (``acfoley``), the weights the official files that ``acfoley fetch`` gets. It
samples as published, 25 Euler steps with guidance 4.5, but from noise by the seed of each clip
alone. The 353,280 samples of 8 s are cut to 352,800.
"""

from __future__ import annotations

from functools import partial

from baselines.acfoley import (
    BATCH_SIZE,
    CODE,
    DTYPES,
    LICENCE,
    SAMPLE_RATE_HZ,
    WORKERS_PER_DEVICE,
    describe_missing_weights,
    official_weights,
    open_preset,
)
from bench.errors import MissingError
from bench.system import Generate, SecondsPerClip, System
from bench.types import COMPONENTS

#: It has no input for reference audio, and so none to mask.
MASKS = frozenset(COMPONENTS) - {"audio"}
CAVEAT = (
    "by the authors' own comparison (docs/MODELS.md of MMAudio) worse in Frechet distances than "
    "mmaudio-large-44k, though it generalises better"
)


def _system(
    name: str, preset: str, size: str, seconds: SecondsPerClip, memory_gib: float, caveat: str = ""
) -> System:
    return System(
        name,
        f"MMAudio as published, {size}: video and prompt",
        frozenset({"video", "prompt"}),
        partial(open_preset, preset),
        sample_rate_hz=SAMPLE_RATE_HZ,
        licence=LICENCE,
        masks=MASKS,
        lacks=partial(describe_missing_weights, preset),
        code=(*CODE, "baselines.mmaudio"),
        weights=partial(official_weights, preset),
        dtypes=DTYPES,
        caveat=caveat,
        seconds_per_clip=seconds,
        batch_size=BATCH_SIZE,
        device_memory_gib=memory_gib,
        workers_per_device=WORKERS_PER_DEVICE,
        looks_ahead=True,
        trained_on=("VGGSound train", "AudioCaps", "WavCaps", "Clotho"),
        judges_seen={"synchformer": "encoder"},
        non_commercial=True,
    )


# Seconds on a CPU by the share of the flow network in those of acfoley; memory with a full batch,
# by ``acfoley.memory.estimate_need``.
SMALL_44K = _system(
    "mmaudio-small-44k",
    "small_44k",
    "157 M weights, 44.1 kHz",
    SecondsPerClip(600.0, 2.0),
    11.1,
)
MEDIUM_44K = _system(
    "mmaudio-medium-44k",
    "medium_44k",
    "622 M weights, 44.1 kHz",
    SecondsPerClip(1_040.0, 3.0),
    12.0,
)
LARGE_44K = _system(
    "mmaudio-large-44k",
    "large_44k",
    "1,030 M weights, 44.1 kHz",
    SecondsPerClip(1_440.0, 5.0),
    13.0,
)
LARGE_44K_V2 = _system(
    "mmaudio-large-44k-v2",
    "large_44k_v2",
    "1,031 M weights, 44.1 kHz, second version",
    SecondsPerClip(1_440.0, 5.0),
    13.0,
    CAVEAT,
)

CODEC_16K = (
    "the codec of 16 kHz, which is not built here; its authors publish samples of VGGSound "
    "(mmaudio_small_16k_vggsound.tar): --model precomputed:ARCHIVE"
)


def _describe_missing_codec() -> str:
    return CODEC_16K


def open_small_16k(device: str) -> Generate:
    """Refuse: raises MissingError, with what to do instead."""
    raise MissingError(f"mmaudio-small-16k cannot generate, it needs {CODEC_16K}")


#: A row of the paper's table. Listed, so that whoever asks for it is given the way to its samples.
SMALL_16K = System(
    "mmaudio-small-16k",
    "MMAudio as published, 157 M weights, 16 kHz: not built here",
    frozenset({"video", "prompt"}),
    open_small_16k,
    sample_rate_hz=16_000,
    licence=LICENCE,
    lacks=_describe_missing_codec,
    code=(*CODE, "baselines.mmaudio"),
    trained_on=LARGE_44K.trained_on,
    judges_seen=LARGE_44K.judges_seen,
    non_commercial=True,
)
