"""Rates by a mixed logit: raters and videos are normal variables on the scale of log odds.

A second view beside the two-way interval, which assumes no model of the votes. statsmodels fits it;
it is an extra, and everything else is printed without it.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bench.extras import describe_missing_module, has_module
from bench.study.statistics import Estimate, Labels, check_votes, describe_too_few, t_quantile

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from bench.types import FloatArray

#: The priors: the log odds of a vote, and the logarithm of either deviation, have these deviations.
ODDS_PRIOR, DEVIATION_PRIOR = 2.0, 1.0
#: Where the fit begins: the logarithm of both deviations, and the errors of all parameters.
START_DEVIATION, START_ERROR = -0.5, 0.3
#: Nodes of the integral over raters and videos.
N_NODES = 40


def mixed_logit_interval(values: npt.ArrayLike, raters: Labels, videos: Labels) -> Estimate:
    """Return the rate of ``values [N]``, 0 or 1, over all raters and videos, with its interval.

    ``P(1) = logistic(b + rater + video)``, both normal around 0; the rate is the mean of P over
    them, and its bounds are those of b. Deviations are fitted by variational Bayes
    (``statsmodels.BinomialBayesMixedGLM``). Its error of b takes b as independent of raters and
    videos, and its interval holds the truth in 60 to 90 % of studies only; so the error is that of
    the curvature of the log posterior at the fitted deviations, over raters and videos (Laplace),
    with Student's t of min(raters, videos) - 1 degrees of freedom.

    NaN with a reason without statsmodels, with fewer than 2 raters or videos, where all values are
    equal, or where the fit does not converge. ValueError without values, or for labels of another
    length.

    Source: Breslow & Clayton, "Approximate inference in generalized linear mixed models", 1993.
    """
    numbers, by_rater, by_video = check_votes(values, raters, videos)
    n_raters, n_videos = int(by_rater.max()) + 1, int(by_video.max()) + 1
    reason = describe_too_few(numbers, n_raters, n_videos)
    if not has_module("statsmodels"):
        reason = describe_missing_module("statsmodels", "mixed logit") or ""
    if reason:
        return Estimate(math.nan, math.nan, math.nan, len(numbers), reason)
    effects = _indicate(by_rater, by_video)
    fitted = _fit(numbers, effects, n_raters)
    if fitted is None:
        reason = "the mixed logit does not converge"
        return Estimate(math.nan, math.nan, math.nan, len(numbers), reason)
    odds, deviations, logits = fitted
    each = np.repeat(deviations, (n_raters, n_videos))
    half = t_quantile(min(n_raters, n_videos) - 1) * _find_error(logits, effects, each)
    variance = float(np.sum(deviations**2))
    rate, low, high = (_integrate(odds + step, variance) for step in (0.0, -half, half))
    return Estimate(rate, low, high, len(numbers))


def _indicate(by_rater: npt.NDArray[np.intp], by_video: npt.NDArray[np.intp]) -> csr_array:
    """Return ``[N, raters + videos]``: 1 for the rater and for the video of each vote."""
    from scipy.sparse import csr_array

    n_votes, n_raters = len(by_rater), int(by_rater.max()) + 1
    rows = np.tile(np.arange(n_votes), 2)
    columns = np.concatenate([by_rater, n_raters + by_video])
    shape = (n_votes, n_raters + int(by_video.max()) + 1)
    return csr_array((np.ones(2 * n_votes), (rows, columns)), shape=shape)


def _fit(
    values: FloatArray, effects: csr_array, n_raters: int
) -> tuple[float, FloatArray, FloatArray] | None:
    """Return b, the deviations of raters and of videos, and the log odds of every vote."""
    from statsmodels.genmod.bayes_mixed_glm import BinomialBayesMixedGLM

    n_votes, n_effects = effects.shape
    kinds = (np.arange(n_effects) >= n_raters).astype(int)
    model = BinomialBayesMixedGLM(
        values, np.ones((n_votes, 1)), effects, kinds, DEVIATION_PRIOR, ODDS_PRIOR
    )
    share = values.mean()
    start = np.zeros(3 + n_effects)
    start[:3] = math.log(share / (1 - share)), START_DEVIATION, START_DEVIATION
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the fit; what it says is asked for below
        found = model.fit_vb(start, np.full(len(start), START_ERROR), fit_method="L-BFGS-B")
    if not found.optim_retvals.success or not np.isfinite(found.params).all():
        return None
    odds = float(found.fe_mean[0])
    return odds, np.exp(found.vcp_mean), odds + effects @ found.vc_mean


def _find_error(logits: FloatArray, effects: csr_array, deviations: FloatArray) -> float:
    """Return the error of b from the curvature of the log posterior, raters and videos with it."""
    from scipy.special import expit

    shares = expit(logits)
    weights = shares * (1 - shares)
    own = weights.sum() + 1 / ODDS_PRIOR**2
    common = effects.T @ weights
    of_effects = (effects.T * weights) @ effects
    curvature = of_effects.toarray() + np.diag(1 / deviations**2)
    return float(1 / math.sqrt(own - common @ np.linalg.solve(curvature, common)))


def _integrate(odds: float, variance: float) -> float:
    """Return the mean of the logistic function of a normal variable."""
    from scipy.special import expit

    nodes, weights = np.polynomial.hermite_e.hermegauss(N_NODES)
    return float(weights @ expit(odds + math.sqrt(variance) * nodes) / weights.sum())
