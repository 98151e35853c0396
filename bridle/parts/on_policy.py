"""What on-policy learners share beside their step: how they act, what they draw, what an episode costs now.

`multiplier` is a value of `parts/constraints`, or None, and is only called here.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bridle.core.algorithm import Algorithm, Latest, Update
from bridle.core.types import Continuous, CostLimit, Spec, Transition, Tree
from bridle.maths import gaussian
from bridle.maths.moments import Moments, normalise
from bridle.maths.returns import episode_cost
from bridle.nets.mlp import flatten_obs


class Heard(NamedTuple):
    """What an episode comes to now."""

    cost: Float[Array, " C"]
    """Undiscounted."""
    length: Float[Array, ""]
    """Env steps."""


def common_ranges(config) -> dict[str, tuple[bool, str]]:
    """What is allowed of the fields that all of these learners have, as `check_ranges` takes it."""
    shares = {name: (0.0 <= getattr(config, name) <= 1.0, "a number in [0, 1]") for name in ("trace", "cost_trace")}
    discounts = {
        name: (0.0 < getattr(config, name) < 1.0, "a number in (0, 1)") for name in ("discount", "cost_discount")
    }
    return (
        shares
        | discounts
        | {
            "rollout": (config.rollout > 0, "an integer > 0"),
            "hidden": (len(config.hidden) > 0 and all(h > 0 for h in config.hidden), "one or more integers > 0"),
            "initial_std": (config.initial_std > 0, "a number > 0"),
        }
    )


def seen(obs: Tree, moments: Moments | tuple, batch_dims: int):
    """Observations as networks take them, [... O]: flat, and normalised where there are moments."""
    flat = flatten_obs(obs, batch_dims)
    return normalise(moments, flat) if moments else flat


def act(actor, carry, obs, key, explore: bool):
    """Sampled or mean action, clipped; the sample before that is noted, since its probability is the policy's."""
    network, moments = actor
    dist = network(seen(obs, moments, 1))
    pre_action = gaussian.sample(dist, key) if explore else dist.mean
    return carry, jnp.clip(pre_action, -1.0, 1.0), {"pre_action": pre_action}


def rows_of(config, spec: Spec) -> int:
    """Steps of each env in a rollout."""
    return max(1, config.rollout // spec.num_envs)


def assemble(name: str, config, spec: Spec, limit: CostLimit, init, update, about: str | None) -> Algorithm:
    """An algorithm of one update a rollout. `about` tells how cost is kept under its limit; None where it is not heeded.

    Where it is heeded, the update is shown at least a horizon of steps of each env, so that it can tell what an episode costs.
    """
    if not isinstance(spec.action, Continuous):
        raise ValueError(f"{name} takes continuous actions, and {spec.name} has {spec.action}")
    rows = rows_of(config, spec)
    if about is not None:
        limit.discounted(0, config.cost_discount, spec.horizon)  # refuses a world without a horizon
    shown = rows if about is None else max(rows, spec.horizon or rows)
    bound = {"config": config, "spec": spec, "limit": limit}
    step = Update("policy", Latest(shown), partial(update, **bound), every=rows * spec.num_envs)
    if about is None:
        told = ("cost is measured and not heeded (constraint 'none')",) if limit.limit else ()
    else:
        told = (f"cost limit {limit.in_words()} an episode, of which training aims at {config.aim:.0%}; {about}",)
    return Algorithm(
        init=partial(init, **bound),
        actor=lambda state: (state.actor, state.moments),
        begin=lambda num_envs: (),
        act=act,
        updates=(step,),
        memory=shown * spec.num_envs,
        overlap=False,
        sampled=True,
        about=(*told, f"a rollout is {rows:,} steps of {spec.num_envs} env{'s' * (spec.num_envs > 1)}"),
    )


def listen(rows: Transition, spec: Spec) -> Heard:
    """What an episode costs, and how long it is, over the rows [L N ...] that were shown."""
    horizon = spec.horizon or rows.valid.shape[0]
    steps = rows.valid.sum().astype(jnp.float32)
    episodes = jnp.maximum((rows.terminated | rows.truncated).sum(), steps / horizon)
    return Heard(episode_cost(rows, horizon), steps / jnp.maximum(episodes, 1e-6))


def rollout_of(rows: Transition, config, spec: Spec) -> Transition:
    """The rows of the last rollout."""
    return jax.tree.map(lambda leaf: leaf[-rows_of(config, spec) :], rows)


def look(state: Any, rows: Transition) -> tuple:
    """obs and next_obs [L N O] as the policy that acted saw them, its distribution there, and log-probabilities."""
    obs, next_obs = seen(rows.obs, state.moments, 2), seen(rows.next_obs, state.moments, 2)
    dist = state.actor(obs)
    return obs, next_obs, dist, gaussian.log_prob(dist, rows.extras["pre_action"])
