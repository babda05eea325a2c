"""Metrics without networks: arrays in, numbers out.

    onset           where sounds start: detection, description, suppression
    onset_scoring   accuracy, average precision and F1 of onsets
    ranking         average precision
    dtw             dynamic time warping, exact and FastDTW
    mcd             mel-cepstral distortion
    spectral        envelope correlation, log-spectral distance
    frechet         Fréchet distance of two sets of features; frechet_limit: for endless samples
    frechet_influence   what each sample contributes to it
    kernel          kernel distance of two sets of features
    divergence      KL divergence of labels, inception score
    similarity      cosine of paired embeddings
    desync          offset of sound and picture
    clusters        mean of scores that depend on one another, and its standard error
    estimates       a statistic of whole sets with what each sample contributed
    uncertainty     intervals, paired differences, chance pairings

Every function is pure, takes the true side first and the generated one second, computes in
float64, and raises ``ValueError`` for input it cannot use. NaN means "not scored". Nothing else of
the suite is imported, and heavy libraries load when a function needs them.
"""

from bench.metrics.desync import desync, offset_grid
from bench.metrics.divergence import (
    InceptionScore,
    inception_estimate,
    inception_score,
    kl_divergence,
)
from bench.metrics.dtw import Alignment, dtw_path, fastdtw_path
from bench.metrics.estimates import SetEstimate
from bench.metrics.frechet import FrechetStatistics, frechet_distance
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
from bench.metrics.onset_scoring import OnsetScores, match_onsets, onset_scores
from bench.metrics.ranking import average_precision
from bench.metrics.similarity import cosine_score
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
