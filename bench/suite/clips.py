"""Scores of one clip: from the features of its true and its generated side to a number.

NaN means "not scored".
"""

from __future__ import annotations

from bench.suite.metric import Side


def onset(true: Side, generated: Side, *, mode: str, field: str) -> float:
    """Return one field of the onset scores: accuracy, average_precision or f1."""
    from bench.metrics import onset_scores

    return float(getattr(onset_scores(true["onset"], generated["onset"], mode=mode), field))


def mcd(true: Side, generated: Side) -> float:
    """Return the mel-cepstral distortion in dB."""
    from bench.metrics import mel_cepstral_distortion

    return mel_cepstral_distortion(true["cepstra"]["cepstra"], generated["cepstra"]["cepstra"])


def mcd_c1(true: Side, generated: Side) -> float:
    """Return the distortion in dB without the level."""
    from bench.metrics import mcd_c1

    return mcd_c1(true["cepstra"]["cepstra_c1"], generated["cepstra"]["cepstra_c1"])


def envelope(true: Side, generated: Side) -> float:
    """Return the correlation of the loudness envelopes."""
    from bench.metrics import envelope_correlation

    return envelope_correlation(true["spectrum"]["envelope"], generated["spectrum"]["envelope"])


def log_spectral(true: Side, generated: Side) -> float:
    """Return the log-spectral distance in dB."""
    from bench.metrics import log_spectral_distance

    return log_spectral_distance(true["spectrum"]["log_mel"], generated["spectrum"]["log_mel"])


def kl(true: Side, generated: Side, *, extractor: str) -> float:
    """Return KL(true || generated) in nats, of one network's labels."""
    from bench.metrics import kl_divergence

    logits = (side[extractor]["logits"][None] for side in (true, generated))
    return float(kl_divergence(*logits)[0])


def imagebind(true: Side, generated: Side) -> float:
    """Return the cosine of the picture (true side) and the sound, times 100."""
    from bench.metrics import cosine_score

    video = true["imagebind_picture"]["embedding"][None]
    audio = generated["imagebind_audio"]["embedding"][None]
    return 100.0 * float(cosine_score(video, audio)[0])


def clap(true: Side, generated: Side) -> float:
    """Return the cosine of the prompt (true side) and the sound, times 100."""
    from bench.metrics import cosine_score

    prompt = true["clap_text"]["embedding"][None]
    audio = generated["clap_audio"]["embedding"][None]
    return 100.0 * float(cosine_score(prompt, audio)[0])


def desync(true: Side, generated: Side) -> float:
    """Return the mean absolute offset of two windows, in seconds."""
    from bench.metrics import desync

    return float(desync(generated["sync"]["logits"]))
