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
    "foleycrafter": "baselines.foleycrafter:FOLEYCRAFTER",
    "thinksound": "baselines.thinksound:THINKSOUND",
    "hunyuanvideo-foley": "baselines.hunyuanvideo_foley:HUNYUANVIDEO_FOLEY",
    "mmaudio-official": "baselines.mmaudio_official:MMAUDIO_OFFICIAL",
    "selva": "baselines.selva:SELVA",
    "controlfoley": "baselines.controlfoley:CONTROLFOLEY",
    "acfoley-official": "baselines.acfoley_official:ACFOLEY_OFFICIAL",
    "acfoley": "baselines.acfoley:ACFOLEY",
    "acfoley-overlap-only": "baselines.acfoley_trained:OVERLAP_ONLY",
    "acfoley-non-overlap-only": "baselines.acfoley_trained:NON_OVERLAP_ONLY",
    "acfoley-two-stage": "baselines.acfoley_trained:TWO_STAGE",
    "acfoley-attention-pooling": "baselines.acfoley_trained:ATTENTION_POOLING",
    "acfoley-clap-encoder": "baselines.acfoley_trained:CLAP_ENCODER",
    "acfoley-mini": "baselines.acfoley_mini:TWO_STAGE",
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
