"""Running mean and variance of observations, exact whatever the sizes of the batches."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

CLIP = 10.0
"""Standard deviations beyond which a normalised number is cut."""


class Moments(NamedTuple):
    """Of all rows seen so far."""

    count: Float[Array, ""]
    mean: Float[Array, " O"]
    second: Float[Array, " O"]
    """Sum of squared deviations from the mean."""


def no_moments(size: int) -> Moments:
    """Of nothing."""
    return Moments(jnp.zeros(()), jnp.zeros(size), jnp.zeros(size))


def see(moments: Moments, rows: Float[Array, "B O"], valid: Float[Array, " B"]) -> Moments:
    """With more rows, of which those with `valid` 1 count (Chan, Golub and LeVeque 1983, eq. 2.1)."""
    fresh = valid.sum()
    mean = (valid @ rows) / jnp.maximum(fresh, 1.0)
    second = valid @ (rows - mean) ** 2
    count = moments.count + fresh
    apart, share = mean - moments.mean, fresh / jnp.maximum(count, 1.0)
    return Moments(count, moments.mean + share * apart, moments.second + second + apart**2 * moments.count * share)


def normalise(moments: Moments, rows: Float[Array, "*batch O"]) -> Float[Array, "*batch O"]:
    """(rows - mean) / standard deviation, cut at `CLIP`; as they are before anything was seen."""
    deviation = jnp.sqrt(moments.second / jnp.maximum(moments.count, 1.0))
    scaled = (rows - moments.mean) / jnp.where(moments.count > 1.0, jnp.maximum(deviation, 1e-4), 1.0)
    return jnp.clip(scaled, -CLIP, CLIP)
