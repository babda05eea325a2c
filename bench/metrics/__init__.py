"""Metrics: arrays in, numbers out.

    onset               onsets of a waveform: detection, description, suppression
    onset_scoring       accuracy, average precision and F1 of onsets
    dtw                 dynamic time warping, exact and FastDTW
    mcd                 mel-cepstral distortion
    spectral            envelope correlation, log-spectral distance
    frechet             Fréchet distance of two sets of features
    frechet_influence   the contribution of each sample to it
    frechet_limit       FD-infinity: the distance for unlimited samples
    kernel              kernel distance of two sets of features (KID)
    divergence          KL divergence of labels, inception score
    agreement           audio with its video or prompt: cosine of embeddings, offset in time
    clusters            mean of dependent scores and its standard error
    estimates           a statistic of sets with the contribution of each sample
    uncertainty         intervals, paired differences, chance pairings, tests of a loss

A metric is a function of its arguments alone (and of the random generator that it is given). It
takes the true side first and the generated one second, checks both by ``arrays``, computes in
float64, and raises ``ValueError`` for input that it cannot use. NaN means "not scored". Random
numbers and files are used nowhere else, with one exception: ``bench._numba`` stores compiled code.

The package imports nothing else of the benchmark, and needs numpy, scipy, librosa and numba; MCD
also pysptk and pyworld (``foley-bench[mcd]``). Heavy libraries load when a function needs them.
"""

from bench.metrics.agreement import cosine_score, desync, offset_grid
from bench.metrics.divergence import (
    InceptionScore,
    inception_estimate,
    inception_score,
    kl_divergence,
)
from bench.metrics.dtw import Alignment, dtw_path, fastdtw_path
from bench.metrics.estimates import SetEstimate
from bench.metrics.frechet import FrechetStatistics, Gaussian, frechet_distance
from bench.metrics.frechet_influence import frechet_estimate
from bench.metrics.frechet_limit import FrechetLimit, fd_infinity, frechet_limit_estimate
from bench.metrics.kernel import KernelDistance, kernel_distance, kernel_estimate
from bench.metrics.mcd import (
    default_envelope,
    mcd_c1,
    mel_cepstra,
    mel_cepstra_c1,
    mel_cepstral_distortion,
    steady_envelope,
    stft_envelope,
    world_envelope,
)
from bench.metrics.onset import (
    Onsets,
    annotated_onsets,
    describe_onsets,
    detect_onsets,
    onset_features,
    suppress_close_onsets,
)
from bench.metrics.onset_scoring import (
    OnsetScores,
    average_precision,
    match_onsets,
    onset_scores,
)
from bench.metrics.spectral import envelope, envelope_correlation, log_mel, log_spectral_distance
from bench.metrics.uncertainty import (
    Interval,
    derangements,
    estimate_interval,
    mean_interval,
    paired_difference,
    paired_ratio,
    two_sample_interval,
)

__all__ = [
    "Alignment",
    "FrechetLimit",
    "FrechetStatistics",
    "Gaussian",
    "InceptionScore",
    "Interval",
    "KernelDistance",
    "OnsetScores",
    "Onsets",
    "SetEstimate",
    "annotated_onsets",
    "average_precision",
    "cosine_score",
    "default_envelope",
    "derangements",
    "describe_onsets",
    "desync",
    "detect_onsets",
    "dtw_path",
    "envelope",
    "envelope_correlation",
    "estimate_interval",
    "fastdtw_path",
    "fd_infinity",
    "frechet_distance",
    "frechet_estimate",
    "frechet_limit_estimate",
    "inception_estimate",
    "inception_score",
    "kernel_distance",
    "kernel_estimate",
    "kl_divergence",
    "log_mel",
    "log_spectral_distance",
    "match_onsets",
    "mcd_c1",
    "mean_interval",
    "mel_cepstra",
    "mel_cepstra_c1",
    "mel_cepstral_distortion",
    "offset_grid",
    "onset_features",
    "onset_scores",
    "paired_difference",
    "paired_ratio",
    "steady_envelope",
    "stft_envelope",
    "suppress_close_onsets",
    "two_sample_interval",
    "world_envelope",
]
