"""How far the members of an ensemble disagree about what comes next: numbers >= 0, one for each step."""

from __future__ import annotations

from functools import partial
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from bridle.parts.dynamics.model import Prediction

FLOOR = 1e-12
"""Least variance."""


def pairwise_kl(predicted: Prediction, over: Literal["mean", "max"] = "mean") -> Float[Array, " B"]:
    """KL between the members' Gaussians of next_obs, nats: mean of all ordered pairs (Zanger et al. 2021, arXiv:2104.06922),
    and mean of the dimensions of an observation, or the greatest of them, which no calm dimension hides."""
    variance = jnp.maximum(predicted.delta_std**2, FLOOR)
    mean = predicted.delta - predicted.delta.mean(0)  # then the sum of means is 0, and less is lost to rounding
    k, sharp = mean.shape[0], (1.0 / variance).sum(0)
    # The sum over pairs of [v_i + (m_i - m_j)^2] / v_j - 1, in as many terms as there are members; logarithms cancel.
    total = (variance + mean**2).sum(0) * sharp + k * (mean**2 / variance).sum(0) - k**2
    each = jnp.maximum(0.5 * total / max(1, k * (k - 1)), 0.0)
    return each.max(-1) if over == "max" else each.mean(-1)


def normalised_variance(predicted: Prediction) -> Float[Array, " B"]:
    """Variance of the members' means of next_obs over the mean variance that they predict, mean of the dimensions; where the
    variances are equal this is their pairwise KL."""
    spread = predicted.delta.var(0, ddof=1) if predicted.delta.shape[0] > 1 else jnp.zeros(predicted.delta.shape[1:])
    return (spread / jnp.maximum((predicted.delta_std**2).mean(0), FLOOR)).mean(-1)


MEASURES = {"kl": pairwise_kl, "kl_max": partial(pairwise_kl, over="max"), "variance": normalised_variance}
"""What the words of `doubt` measure it by."""
