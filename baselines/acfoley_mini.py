"""AC-Foley of the mini world, in the variants that the paper's Tables 1, 4 and 5 compare.

The weights come with the package.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from baselines.acfoley import CODE, SAMPLE_RATE_HZ, USES, Generator, with_precision
from bench.extras import EXTRAS, has_module
from bench.system import Generate, SecondsPerClip, System
from bench.types import COMPONENTS

SECONDS_PER_CLIP = SecondsPerClip(3.0, 0.5)
CAVEAT = (
    "conditioned by the same small Synchformer and ImageBind that the mini judge scores with, "
    "which favours it in DeSync and IB"
)


def open_variant(variant: str, device: str) -> Generate:
    """Load a variant on ``device``; single precision is fast enough anywhere.

    Raises:
        MissingError: weights are not in the package.
        BenchError: a file is damaged.
    """
    from acfoley.mini.variants import open_mini

    return Generator(open_mini(variant, device))


def weights_files(variant: str) -> tuple[Path, ...]:
    """Return all files of weights that samples depend on."""
    from acfoley.mini.variants import CODEC, ENCODER_FILES, weights_path

    return tuple(weights_path(name) for name in (variant, CODEC, *ENCODER_FILES.values()))


def _describe_missing(variant: str) -> str:
    if not has_module("torch"):  # the names of the files below are in modules that import it
        return f"the package torch: pip install 'foley-bench[{EXTRAS['torch']}]'"
    # The package ships them; a checkout whose weights are being trained again may be without.
    is_complete = all(path.is_file() for path in weights_files(variant))
    return "" if is_complete else "weights: make mini-weights"


def _system(name: str, variant: str, summary: str) -> System:
    return System(
        name,
        summary,
        USES,
        partial(open_variant, variant),
        sample_rate_hz=SAMPLE_RATE_HZ,
        masks=frozenset(COMPONENTS),
        lacks=partial(_describe_missing, variant),
        code=(*CODE, "baselines.acfoley_mini"),
        weights=partial(weights_files, variant),
        caveat=CAVEAT,
        seconds_per_clip=SECONDS_PER_CLIP,
        looks_ahead=True,
        # Its encoders are those of the mini judge: the caveat describes them.
        trained_on=("mini world, training clips",),
    )


TWO_STAGE = _system("acfoley-mini", "two-stage", "AC-Foley small, for the mini world")
OVERLAP_ONLY = _system(
    "acfoley-mini-overlap-only", "overlap-only", "The same, trained on references from the target"
)
NON_OVERLAP_ONLY = _system(
    "acfoley-mini-non-overlap-only", "non-overlap-only", "The same, trained on later references"
)
ATTENTION_POOLING = _system(
    "acfoley-mini-attention-pooling", "attention-pooling", "The same, with attention pooling"
)
CLAP_ENCODER = _system(
    "acfoley-mini-clap-encoder",
    "clap-encoder",
    "The same, with an embedding of the reference",
)
TWO_STAGE_WITH = with_precision(TWO_STAGE, "mini")
