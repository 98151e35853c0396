"""A limit on an episode's cost as a limit for the critic, corrected all the time by what episodes do cost."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from bridle.core.types import CostLimit


class Measured(NamedTuple):
    """What is known of the policy's cost."""

    episode_cost: Float[Array, " C"]
    """Cost of an episode over the last `horizon` steps of every env."""
    cost_q: Float[Array, " C"]
    """Running mean of the cost critic, under the policy that acts, over about the same time."""


def unmeasured(limit: CostLimit) -> Measured:
    """Before anything is measured an episode is taken to cost its limit."""
    return Measured(limit.at(0), jnp.zeros(len(limit.limit)))


def follow(measured: Measured, cost_q: Float[Array, " C"], rate: float, updates) -> Measured:
    """One more mean of the critic; the first ones count alike."""
    step = jnp.clip(rate, 1.0 / updates, 1.0)
    return measured._replace(cost_q=measured.cost_q + step * (cost_q - measured.cost_q))


def critic_limit(
    measured: Measured,
    cost_q: Float[Array, " C"],
    step,
    discount: float,
    horizon: int,
    limit: CostLimit,
    gain: float,
    aim: float,
) -> Float[Array, " C"]:
    """The limit to keep now, in the critic's unit: the policy's own `cost_q` plus `gain` times the gap to `aim` of the limit.

    The gap between what episodes cost and what training aims at is closed bit by bit, since its measure lags an episode
    behind (decision 0007).
    """
    whole = limit.discounted(step, discount, horizon, "calibrated", (measured.cost_q, measured.episode_cost))
    held_back = (1.0 - aim) * limit.discounted(step, discount, horizon)
    return cost_q + gain * (whole - held_back - cost_q)


def in_words(limit: CostLimit, discount: float, horizon: int | None, unit: str, aim: float) -> str:
    """What is said at the start of a run: the limit, and what it is in the critic. A world without a horizon is refused."""
    critic = ", ".join(f"{float(x):.4g}" for x in limit.discounted(0, discount, horizon, unit))
    later = (
        f", then as episodes cost, see policy/limit; training aims at {aim:.0%} of it" if unit == "calibrated" else ""
    )
    how = f"(discount {discount}, horizon {horizon}, unit '{unit}'{later})"
    return f"cost limit {limit.in_words()} an episode = {critic} in the critic at the start {how}"
