"""Raters with a known preference, for simulations of the statistics."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm


def draw_votes(rng, n_raters, n_videos, per_rater, win, tie, rater_share, video_share):
    """Return outcomes, raters and videos: the rates are ``win`` and ``tie`` over all of them.

    A vote is a normal variable, of which the rater and the video contribute these shares of the
    variance, cut at the two quantiles.
    """
    raters = np.repeat(np.arange(n_raters), per_rater)
    videos = (raters * per_rater + np.tile(np.arange(per_rater), n_raters)) % n_videos
    latent = (
        np.sqrt(rater_share) * rng.normal(size=n_raters)[raters]
        + np.sqrt(video_share) * rng.normal(size=n_videos)[videos]
        + np.sqrt(1 - rater_share - video_share) * rng.normal(size=len(raters))
    )
    outcomes = 1 - (latent > norm.ppf(win)) - (latent > norm.ppf(win + tie))
    return outcomes, raters, videos
