"""The columns that need networks: the paper's seven, those of a whole set beyond it, and CLAP."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from bench.metrics import SetEstimate
from bench.suite import clips, sets
from bench.suite.metric import Metric

#: The lengths that a network can hear, in seconds.
HEARD_S = {"passt": (0.0, 10.0), "panns": (0.31, math.inf), "vggish": (0.975, math.inf)}


def _fd(name: str, label: str, network: str) -> Metric:
    summary = f"Frechet distance of {network} embeddings"
    return _of_set(name, label, summary, network, sets.frechet)


def _of_set(
    name: str, label: str, summary: str, network: str, score_set: Callable[..., SetEstimate]
) -> Metric:
    shortest_s, longest_s = HEARD_S[network]
    return Metric(
        name,
        label,
        summary,
        (network,),
        None,
        "lower",
        2,
        score_set=partial(score_set, extractor=network),
        shortest_s=shortest_s,
        longest_s=longest_s,
    )


def _set_extras(suffix: str, label: str, network: str) -> tuple[Metric, ...]:
    """What else can be said of a whole set by one network; VGGish has no labels."""
    limit = _of_set(
        f"fd_inf_{suffix}",
        f"FD-inf {label}",
        f"Frechet distance of {network} embeddings for endlessly many samples",
        network,
        sets.frechet_limit,
    )
    kernel = _of_set(
        f"kid_{suffix}",
        f"KID {label}",
        f"kernel distance of {network} embeddings",
        network,
        sets.kernel,
    )
    inception = _of_set(
        f"is_{suffix}",
        f"IS {label}",
        f"inception score of the {network} labels of the generated audio",
        network,
        sets.inception,
    )
    rows = (limit, replace(kernel, decimals=4), replace(inception, better="higher"))
    return tuple(replace(row, is_extra=True) for row in rows[: 2 if network == "vggish" else 3])


def _kl_row(name: str, label: str, network: str) -> Metric:
    shortest_s, longest_s = HEARD_S[network]
    return Metric(
        name,
        label,
        f"KL divergence of {network} labels from those of the true audio",
        (network,),
        partial(clips.kl, extractor=network),
        "lower",
        2,
        shortest_s=shortest_s,
        longest_s=longest_s,
    )


#: The paper's columns that need networks, in its order.
NETWORK_ROWS = (
    _fd("fd_passt", "FD PaSST", "passt"),
    _fd("fd_panns", "FD PANNs", "panns"),
    _fd("fd_vgg", "FD VGG", "vggish"),
    _kl_row("kl_passt", "KL PaSST", "passt"),
    _kl_row("kl_panns", "KL PANNs", "panns"),
    Metric(
        "ib",
        "IB",
        "ImageBind cosine of picture and sound, times 100",
        ("imagebind_audio",),
        clips.imagebind,
        "higher",
        1,
        against="picture",
        true_reads=("imagebind_picture",),
    ),
    Metric(
        "desync",
        "DeSync",
        "mean absolute offset that Synchformer hears in two windows of 4.8 s",
        ("sync",),
        clips.desync,
        "lower",
        3,
        "s",
        against="picture",
        true_reads=(),
        shortest_s=4.8,
    ),
)

#: Agreement with the prompt, which the paper does not measure: only when asked for.
CLAP_ROW = Metric(
    "clap",
    "CLAP",
    "CLAP cosine of prompt and sound, times 100",
    ("clap_audio",),
    clips.clap,
    "higher",
    1,
    against="prompt",
    true_reads=("clap_text",),
    is_extra=True,
)

#: Metrics of whole sets beyond the paper's: minutes for thousands of clips, so only when asked for.
SET_ROWS = (
    *_set_extras("passt", "PaSST", "passt"),
    *_set_extras("panns", "PANNs", "panns"),
    *_set_extras("vgg", "VGG", "vggish"),
)
