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


def inverse_variance_gae(
    x: Float[Array, "L E B K"],
    value: Float[Array, "L B K"],
    next_value: Float[Array, "L E B K"],
    stops: Bool[Array, "L E B K"],
    valid: Bool[Array, "L E B"],
    who: Int[Array, " B"],
    discount: Float[Array, " K"],
    trace: Float[Array, " K"],
) -> tuple[Float[Array, "L B K"], Float[Array, "L B K"]]:
    """Advantages of B paths, each lived by E members, that trust a return the less the more the members differ about it: [L B K].

    R(t, h), the return of h steps and the value that follows, is weighed by (trace discount^2)^h over its variance among the members,
    the last h by all that would follow; the advantage is that of member `who`, whose `value` of its own states is told. With equal
    variances it is `gae` with the trace trace discount^2. Rows that are not `valid` lie after the end of a member's path. (After
    the code that precedes Zanger et al. 2021, arXiv:2104.06922, in spirit Buckman et al. 2018, arXiv:1807.01675.) Also the variance
    of R(t, 1), [L B K].
    """
    length = x.shape[0]
    there = valid[..., None]
    powers = discount ** jnp.arange(length + 1.0)[:, None, None, None]  # [L+1 1 1 K]
    gained = jnp.cumsum(jnp.where(there, powers[:-1] * x, 0.0), 0)
    before = jnp.concatenate([jnp.zeros_like(gained[:1]), gained[:-1]])
    follows = jnp.where(there & ~stops, powers[1:] * next_value, 0.0)
    reached = gained + follows  # by k + 1 steps from the first state; after the end of a path, what it came to
    last = jnp.maximum(valid.sum(0) - 1, 0)
    end = jnp.take_along_axis(reached, last[None, ..., None], 0)
    reached = jnp.where(there, reached, end)
    mine = lambda leaf: jnp.take_along_axis(leaf, who.reshape(1, 1, -1, *(1,) * (leaf.ndim - 3)), 1)[:, 0]
    steps = jnp.arange(length)
    ahead = steps[None, :] - steps[:, None]  # h - 1, of R(t, h) in row t and column t + h - 1

    def variance(t):
        """Among members, of R(t, .): [L B K]."""
        return (reached - before[t]).var(1) / powers[t, 0] ** 2

    spread = jax.lax.map(variance, steps)
    own = mine(valid)
    counts = (ahead >= 0)[..., None] & own[None] & own[:, None]  # [t k B]
    decay = trace * discount**2
    weight = decay ** jnp.maximum(ahead, 0)[..., None, None] / (spread + 1e-8)
    final = counts & (steps[None, :, None] == jnp.maximum(own.sum(0) - 1, 0))
    weight = jnp.where(counts[..., None], weight, 0.0) * jnp.where(final[..., None], 1.0 / (1.0 - decay), 1.0)
    weight = weight / jnp.maximum(weight.sum(1, keepdims=True), 1e-30)
    tail = jnp.cumsum(weight[:, ::-1], 1)[:, ::-1]
    delta = mine(x) + discount * jnp.where(mine(stops), 0.0, mine(next_value)) - value
    carried = tail * discount ** jnp.maximum(ahead, 0)[..., None, None]
    found = jnp.einsum("tkbs,kbs->tbs", jnp.where(counts[..., None], carried, 0.0), delta)
    return found, jnp.diagonal(spread, axis1=0, axis2=1).transpose(2, 0, 1)
