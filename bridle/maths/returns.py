"""Discounted sums over stretches of experience."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from bridle.core.types import Transition


class NStep(NamedTuple):
    """The part of an n-step target that experience alone gives."""

    total: Float[Array, " B *C"]
    """sum_k discount^k x_k up to the episode's end: [B] or [B C]."""
    bootstrap: Float[Array, " B"]
    """What multiplies the value that follows: discount^m, and 0 after a termination: [B]."""
    last: Int[Array, " B"]
    """Index in [0, L) of the last row that counts; its `next_obs` is where the value is taken: int [B]."""


def n_step(
    x: Float[Array, "B L *C"],
    terminated: Bool[Array, "B L"],
    truncated: Bool[Array, "B L"],
    discount: float,
    mask_terminal: bool = True,
) -> NStep:
    """n-step sums of x [B L] or [B L C] that stop at the first end of an episode.

    A termination takes the bootstrap away unless `mask_terminal` is False; a truncation keeps it. With L = 1 this is
    the one-step TD target x + discount (1 - terminated) v(next_obs) (Sutton and Barto 2018, section 7.1).
    """
    steps = terminated.shape[1]
    ended = terminated | truncated
    before = jnp.concatenate([jnp.zeros_like(ended[:, :1]), ended[:, :-1]], 1)
    alive = jnp.cumprod(1 - before.astype(jnp.int32), 1)
    last = alive.sum(1) - 1
    weight = alive * discount ** jnp.arange(steps, dtype=jnp.float32)
    total = jnp.einsum("bl,bl...->b...", weight, x)
    died = jnp.take_along_axis(terminated, last[:, None], 1)[:, 0]
    follows = 1.0 - died if mask_terminal else jnp.ones_like(total[..., 0] if total.ndim > 1 else total)
    return NStep(total, discount ** (last + 1.0) * follows, last)


def pick(tree_leaf: Shaped[Array, "B L *rest"], last: Int[Array, " B"]) -> Shaped[Array, " B *rest"]:
    """Row `last` [B] of a leaf [B L ...]: [B ...]."""
    index = last.reshape(-1, *(1,) * (tree_leaf.ndim - 1))
    return jnp.take_along_axis(tree_leaf, index, 1)[:, 0]


def episode_cost(rows: Transition, horizon: int) -> Float[Array, " C"]:
    """What an episode costs now: the cost of the last steps of every env, rows [L N ...], a `horizon` of them.

    Counted by steps and not by finished episodes, so that what is lived now is in it at once: the envs' episodes often
    end all together, and a measure that waits for them lags so far that the cost swings. Episodes that end early are
    counted as they end.
    """
    cost = jnp.where(rows.valid[..., None], rows.cost, 0.0).sum((0, 1))
    episodes = jnp.maximum((rows.terminated | rows.truncated).sum(), rows.valid.sum() / horizon)
    return cost / jnp.maximum(episodes, 1e-6)


def gae(
    x: Float[Array, "L N K"],
    value: Float[Array, "L N K"],
    next_value: Float[Array, "L N K"],
    stops: Bool[Array, "L N K"],
    ended: Bool[Array, "L N"],
    discount: Float[Array, " K"],
    trace: Float[Array, " K"],
) -> Float[Array, "L N K"]:
    """Generalised advantages of K signals side by side, [L N K] (Schulman et al. 2016, arXiv:1506.02438, eq. 16).

    `x` is what each step gave, `next_value` the value of its true successor, also where an episode ended with it. `stops`: nothing
    is bootstrapped there (a termination); `ended`: the row that follows belongs to another episode. A stretch that is cut bootstraps.
    """
    delta = x + discount * jnp.where(stops, 0.0, next_value) - value
    carries = discount * trace * jnp.where(ended, 0.0, 1.0)[..., None]

    def back(after, row):
        delta, carries = row
        advantage = delta + carries * after
        return advantage, advantage

    return jax.lax.scan(back, jnp.zeros_like(delta[0]), (delta, carries), reverse=True)[1]


def lambda_returns(
    x: Float[Array, "L N K"],
    next_value: Float[Array, "L N K"],
    stops: Bool[Array, "L N K"],
    ended: Bool[Array, "L N"],
    discount: Float[Array, " K"],
    trace: Float[Array, " K"],
) -> Float[Array, "L N K"]:
    """R_t = x_t + discount ((1 - trace) v_{t+1} + trace R_{t+1}), [L N K]: what values are fitted to.

    It is the value of a state and its advantage by `gae` together, whatever that value is (Sutton and Barto 2018, eq. 12.18).
    """
    follows = discount * jnp.where(stops, 0.0, 1.0)
    rest = jnp.where(ended, 0.0, 1.0)[..., None] * trace

    def back(after, row):
        x, next_value, follows, rest = row
        found = x + follows * ((1.0 - rest) * next_value + rest * after)
        return found, found

    return jax.lax.scan(back, next_value[-1], (x, next_value, follows, rest), reverse=True)[1]
