"""Where imagined paths begin: in an archive of what several policies lived."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from bridle.maths import gaussian
from bridle.maths.gaussian import Gaussian

POLICIES = 4096
"""Past policies that are told apart."""


def by_policy(
    obs: Float[Array, "R O"],
    now: Gaussian,
    past: Gaussian,
    who: Int[Array, " R"],
    valid: Bool[Array, " R"],
    alpha: float,
) -> Callable:
    """(key, count) -> observations [count O] of the rows, drawn by policy `who` in proportion to exp(-alpha KL(now || past)), then alike
    within a policy.

    `now` and `past` are what the present policy and the one that acted there say of actions. Each policy's KL is the mean over its rows
    (Zanger et al. 2021, arXiv:2104.06922); alpha = 0 draws policies alike.
    """
    past = Gaussian(past.mean, jnp.where(valid[:, None], past.scale, 1.0))
    apart = gaussian.kl(now, past)
    total = lambda x: jax.ops.segment_sum(x, who % POLICIES, POLICIES)
    lived = total(valid.astype(jnp.float32))
    mean = jnp.maximum(total(jnp.where(valid, apart, 0.0)) / jnp.maximum(lived, 1.0), 0.0)
    share = jnp.exp(-alpha * mean) / jnp.maximum(lived, 1.0)
    chance = jnp.cumsum(jnp.where(valid, share[who % POLICIES], 0.0))

    def draw(key, count: int) -> Float[Array, "count O"]:
        drawn = jnp.searchsorted(chance, jax.random.uniform(key, (count,)) * chance[-1])
        return obs[jnp.minimum(drawn, obs.shape[0] - 1)]

    return draw
