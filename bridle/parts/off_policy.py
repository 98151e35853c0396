"""What off-policy learners share beside their losses: how observations are seen, and what a multiplier listens to.

`multiplier` is a value of `parts/constraints` (or None, where cost is not heeded), and is only called here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from bridle.core.algorithm import Algorithm, Batch, Finished, Latest, Sequences, Update
from bridle.core.names import by_constraint
from bridle.core.types import CostLimit, Drawn, Spec, Tree
from bridle.maths.moments import Moments, normalise, see
from bridle.maths.returns import episode_cost
from bridle.nets.mlp import flatten_obs

EPISODES = 64
"""At most so many finished episodes are told at once."""


def seen(obs: Tree, moments: Moments | tuple):
    """Observations [B ...] as networks take them: [B O], normalised where there are moments."""
    flat = flatten_obs(obs, 1)
    return normalise(moments, flat) if moments else flat


def common_ranges(config) -> dict[str, tuple[bool, str]]:
    """What is allowed of the fields that all of these learners have, as `check_ranges` takes it."""
    ranges = {
        "aim": (0.0 < config.aim <= 1.0, "a number in (0, 1]"),
        "discount": (0.0 < config.discount < 1.0, "a number in (0, 1)"),
        "hidden": (len(config.hidden) > 0 and all(h > 0 for h in config.hidden), "one or more integers > 0"),
        "subset": (config.subset is None or 0 < config.subset <= config.critics, "an integer in [1, critics], or None"),
        "dropout": (0.0 <= config.dropout < 1.0, "a number in [0, 1)"),
        "warmup": (config.warmup >= 0, "an integer >= 0"),
        "target_rate": (0.0 < config.target_rate <= 1.0, "a number in (0, 1]"),
    }
    counts = ("critics", "cost_critics", "n_step", "batch", "every", "times", "actor_every", "memory")
    ranges |= {name: (getattr(config, name) > 0, "an integer > 0") for name in counts}
    return ranges | {name: (getattr(config, name) > 0, "a number > 0") for name in ("actor_rate", "critic_rate")}


def assemble(config, spec: Spec, limit: CostLimit, multiplier: Any, heard: int | None = None, **parts) -> Algorithm:
    """An algorithm out of `init`, `actor`, `act` and `update`, each still to be told config, spec, limit and multiplier.

    `heard`: the signal `recent` listens to the first so many copies, by default to all.
    """
    least = max(config.batch, config.n_step * spec.num_envs)
    if config.memory < least:
        raise ValueError(f"memory = {config.memory}; allowed: an integer >= {least}, what one draw needs")
    if multiplier is not None and config.signal != "episodes":
        limit.discounted(0, config.discount, spec.horizon)  # refuses a world without a horizon
    bound = {"config": config, "spec": spec, "limit": limit, "multiplier": multiplier}
    draw = Sequences(config.batch, config.n_step) if config.n_step > 1 else Batch(config.batch)
    begin = config.warmup // config.every * config.every  # so that the first block is at the first multiple after it
    updates = [Update("policy", draw, partial(parts["update"], **bound), config.every, begin, times=config.times)]
    rows = max(1, config.every // spec.num_envs)
    if multiplier is not None and config.signal != "critic":
        horizon = max(1, min(spec.horizon or rows, config.memory // spec.num_envs))
        draw = Finished(EPISODES) if config.signal == "episodes" else Latest(horizon)
        listen = partial(update_multiplier, config=config, spec=spec, limit=limit, multiplier=multiplier, heard=heard)
        # What random actions cost says nothing of the policy: the multiplier waits for a horizon without any.
        after = begin if config.warmup == 0 else -(-(begin + horizon * spec.num_envs) // config.every) * config.every
        updates.append(Update("constraint", draw, listen, config.every, after, gradient=False))
    if config.normalise_obs:
        updates.append(Update("moments", Latest(rows), update_moments, config.every, gradient=False))
    return Algorithm(
        init=partial(parts["init"], **bound),
        actor=parts["actor"],
        begin=lambda num_envs: (),
        act=partial(parts["act"], config=config),
        updates=tuple(updates),
        memory=config.memory,
        warmup=config.warmup,
        about=about(config, spec, limit, multiplier),
    )


def about(config, spec: Spec, limit: CostLimit, multiplier: Any) -> tuple[str, ...]:
    """What is said of the limit at the start of a run."""
    if multiplier is None:
        return ("cost is measured and not heeded (constraint 'none')",) if limit.limit else ()
    numbers = lambda values: ", ".join(f"{float(x):.4g}" for x in values)
    told = f"cost limit {limit.in_words()} an episode, of which training aims at {config.aim:.0%}"
    if config.signal != "critic":
        heard = "finished episodes" if config.signal == "episodes" else "an episode, over the last horizon of steps"
        return (f"{told}; the multiplier ({config.constraint}) listens to the cost of {heard}",)
    unit = limit.discounted(0, config.discount, spec.horizon, config.limit_unit)
    return (
        f"{told} = {numbers(config.aim * unit)} in the cost critic, which the multiplier ({config.constraint}) hears",
    )


def now_and_then(improve: Callable, state, due, every: int):
    """`improve(state)`, a state and metrics, where it is `due`, which is once in `every` updates; else the state as it is.

    Metrics are 0 there, and `every` times themselves where it is due, so that their mean over a block is that of the improvements.
    """
    if every == 1:
        return improve(state)
    blank = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(improve, state)[1])
    state, metrics = jax.lax.cond(due, improve, lambda state: (state, blank), state)
    return state, {name: value * every for name, value in metrics.items()}


def hear_critic(state, data: Drawn, cost_q, weight, *, config, spec: Spec, limit: CostLimit, multiplier: Any):
    """One step of a multiplier that listens to the cost critic, whose mean is `cost_q` [C]; state and metrics."""
    metrics = by_constraint("cost_q", cost_q) | by_constraint("multiplier", weight)
    if config.signal != "critic":
        return state, metrics
    allowed = config.aim * limit.discounted(data.step, config.discount, spec.horizon, config.limit_unit)
    return state._replace(multiplier=multiplier.update(state.multiplier, cost_q, allowed)), metrics


def update_moments(state, data: Drawn, key):
    """Take note of the observations that were lived since the last block: of about as many, where copies do not divide `every`."""
    rows = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), data.rows.obs)
    moments = see(state.moments, flatten_obs(rows, 1), data.rows.valid.reshape(-1).astype(jnp.float32))
    return state._replace(moments=moments), {"count": moments.count}, {}


def update_multiplier(state, data: Drawn, key, *, config, spec: Spec, limit: CostLimit, multiplier: Any, heard):
    """One step of the multiplier on what episodes cost: the mean of those that finished, or that of the last horizon."""
    rows = data.rows
    if config.signal == "episodes":
        cost = (rows.valid @ rows.cost) / jnp.maximum(rows.valid.sum(), 1.0)
    else:
        cost = episode_cost(jax.tree.map(lambda leaf: leaf[:, :heard], rows), spec.horizon)
    found = multiplier.update(state.multiplier, cost, config.aim * limit.at(data.step))
    metrics = by_constraint("multiplier", multiplier.weight(found)) | by_constraint("episode_cost", cost)
    return state._replace(multiplier=found), metrics, {}
