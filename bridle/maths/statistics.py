"""Few runs summed up: means and interquartile means with intervals, and how likely one method beats another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray

DRAWS = 10_000
"""Bootstrap samples of an interval: enough for its ends to stand still in the second digit."""
ENOUGH = 3
"""Runs of a stratum below which no interval is told: it would say more about our formulas than about the method."""


class Estimate(NamedTuple):
    """A number and its 95 % interval; the ends are NaN where there are too few runs for one."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


def student(x: Float[ndarray, " n"]) -> Estimate:
    """The mean of n independent runs with Student's interval (Student 1908), from `ENOUGH` of them on."""
    n = len(x)
    if n < ENOUGH:
        return Estimate(float(np.mean(x)))
    from scipy.special import stdtrit  # jax brings scipy

    half = stdtrit(n - 1, 0.975) * np.std(x, ddof=1) / n**0.5
    return Estimate(float(np.mean(x)), float(np.mean(x) - half), float(np.mean(x) + half))


def iqm(x: Float[ndarray, "*R n"]) -> Float[ndarray | np.float64, "*R"]:
    """The interquartile mean along the last axis: without the floor(n / 4) smallest and as many greatest.

    Agarwal et al. 2021 (arXiv:2108.13264), section 4.3. Of three values or fewer it is their mean.
    """
    cut = x.shape[-1] // 4
    return np.sort(x, -1)[..., cut : x.shape[-1] - cut].mean(-1)


def bootstrapped(
    strata: Sequence[Float[ndarray, " _"]],
    statistic: Callable = iqm,
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate:
    """A statistic of all runs together, with the percentile interval of the stratified bootstrap.

    A stratum holds the runs of one task; `statistic` works along the last axis. Each sample draws as many runs of each
    stratum as it has, with replacement (Agarwal et al. 2021, arXiv:2108.13264, section 4.1), so that no task falls out.
    The statistic weighs runs alike: a task with more runs weighs more.
    """
    whole = float(statistic(np.concatenate(strata)))
    if min(map(len, strata)) < ENOUGH:
        return Estimate(whole)
    rng = np.random.default_rng(seed)
    samples = [np.asarray(x)[rng.integers(0, len(x), (draws, len(x)))] for x in strata]
    return Estimate(whole, *_percentiles(statistic(np.concatenate(samples, 1))))


def improvement(
    ours: Sequence[Float[ndarray, " _"]], theirs: Sequence[Float[ndarray, " _"]], draws: int = DRAWS, seed: int = 0
) -> Estimate:
    """How likely a run of ours scores above one of theirs on the same task, mean over tasks; a tie counts half.

    That is Mann and Whitney's U / (n m) (Agarwal et al. 2021, arXiv:2108.13264, section 4.3, there P(X > Y)). The interval
    is that of the stratified bootstrap over the runs of both, drawn independently.
    """
    wins = [0.5 * (np.sign(x[:, None] - y[None, :]) + 1) for x, y in zip(ours, theirs, strict=True)]
    whole = float(np.mean([win.mean() for win in wins]))
    if min(min(win.shape) for win in wins) < ENOUGH:
        return Estimate(whole)
    rng = np.random.default_rng(seed)
    samples = [
        np.einsum("rn,nm,rm->r", _counts(rng, n, draws), win, _counts(rng, m, draws)) / (n * m)
        for win in wins
        for n, m in [win.shape]
    ]
    return Estimate(whole, *_percentiles(np.mean(samples, 0)))


def _counts(rng: np.random.Generator, n: int, draws: int) -> Float[ndarray, "draws n"]:
    """How often each of n runs stands in a bootstrap sample."""
    return rng.multinomial(n, np.full(n, 1 / n), draws).astype(float)


def _percentiles(x: Float[ndarray, " R"]) -> tuple[float, float]:
    low, high = np.percentile(x, [2.5, 97.5])
    return float(low), float(high)
