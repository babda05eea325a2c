"""The systems that come with the benchmark, by name.

``SYSTEMS`` is declared as an entry point in ``pyproject.toml`` and read by ``bench.plugins``, which
documents its form: a name, with what its argument is, and the address of its ``System`` or
``Family``. Importing this package imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bench.system import Generate, one_by_one
from bench.types import Audio, Request

SYSTEMS: dict[str, str] = {
    "ground-truth": "baselines.anchors:GROUND_TRUTH",
    "silence": "baselines.anchors:SILENCE",
    "noise": "baselines.anchors:NOISE",
    "shuffled": "baselines.anchors:SHUFFLED",
    "reference-loop": "baselines.anchors:REFERENCE_LOOP",
    "motion-grains": "baselines.motion_grains:MOTION_GRAINS",
    "oracle": "baselines.oracle:ORACLE",
    "oracle-shift:SECONDS": "baselines.oracle:ORACLE_SHIFT",
    "oracle-timbre:DISTANCE": "baselines.oracle:ORACLE_TIMBRE",
    "oracle-class:SHARE": "baselines.oracle:ORACLE_CLASS",
    "oracle-noise:DECIBELS": "baselines.oracle:ORACLE_NOISE",
    "oracle-lowpass:HERTZ": "baselines.oracle:ORACLE_LOWPASS",
    "oracle-gain:DECIBELS": "baselines.oracle:ORACLE_GAIN",
    "oracle-cut:SECONDS": "baselines.oracle:ORACLE_CUT",
    "oracle-speed:PERCENT": "baselines.oracle:ORACLE_SPEED",
    "precomputed:DIRECTORY": "baselines.precomputed:PRECOMPUTED",
    "multifoley": "baselines.multifoley:MULTIFOLEY",
    "v-aura": "baselines.v_aura:V_AURA",
    "ssv2a": "baselines.ssv2a:SSV2A",
    "foleycrafter": "baselines.foleycrafter:FOLEYCRAFTER",
    "frieren": "baselines.frieren:FRIEREN",
    "thinksound": "baselines.thinksound:THINKSOUND",
    "hunyuanvideo-foley": "baselines.hunyuanvideo_foley:HUNYUANVIDEO_FOLEY",
    "video-foley": "baselines.video_foley:VIDEO_FOLEY",
    "condfoley": "baselines.condfoley:CONDFOLEY",
    "mmaudio-official": "baselines.mmaudio_official:MMAUDIO_OFFICIAL",
    "acfoley-official": "baselines.acfoley_official:ACFOLEY_OFFICIAL",
    "controlfoley": "baselines.controlfoley:CONTROLFOLEY",
    "selva": "baselines.selva:SELVA",
    "taro": "baselines.taro:TARO",
    "audiox": "baselines.audiox:AUDIOX",
    "woosh-vflow": "baselines.woosh_vflow:WOOSH_VFLOW",
    "acfoley": "baselines.acfoley:ACFOLEY",
    "acfoley-with:PRECISION": "baselines.acfoley:ACFOLEY_WITH",
    "acfoley-overlap-only": "baselines.acfoley_trained:OVERLAP_ONLY",
    "acfoley-non-overlap-only": "baselines.acfoley_trained:NON_OVERLAP_ONLY",
    "acfoley-two-stage": "baselines.acfoley_trained:TWO_STAGE",
    "acfoley-attention-pooling": "baselines.acfoley_trained:ATTENTION_POOLING",
    "acfoley-clap-encoder": "baselines.acfoley_trained:CLAP_ENCODER",
    "mmaudio-small-16k": "baselines.mmaudio:SMALL_16K",
    "mmaudio-small-44k": "baselines.mmaudio:SMALL_44K",
    "mmaudio-medium-44k": "baselines.mmaudio:MEDIUM_44K",
    "mmaudio-large-44k": "baselines.mmaudio:LARGE_44K",
    "mmaudio-large-44k-v2": "baselines.mmaudio:LARGE_44K_V2",
    "acfoley-mini": "baselines.acfoley_mini:TWO_STAGE",
    "acfoley-mini-with:PRECISION": "baselines.acfoley_mini:TWO_STAGE_WITH",
    "acfoley-mini-overlap-only": "baselines.acfoley_mini:OVERLAP_ONLY",
    "acfoley-mini-non-overlap-only": "baselines.acfoley_mini:NON_OVERLAP_ONLY",
    "acfoley-mini-attention-pooling": "baselines.acfoley_mini:ATTENTION_POOLING",
    "acfoley-mini-clap-encoder": "baselines.acfoley_mini:CLAP_ENCODER",
}


def nothing_to_load(function: Callable[[Request], Audio]) -> Callable[[str], Generate]:
    """Return an ``open`` for a module-level function of one request, whatever the device."""
    return partial(_open, function)


def _open(function: Callable[[Request], Audio], device: str) -> Generate:
    return one_by_one(function)
