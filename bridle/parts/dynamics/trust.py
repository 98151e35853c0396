"""Does a model deserve trust? What really happened is lived once more in it, by the actions that were taken, and compared."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bridle.core.types import Drawn, Spec, Step, Transition
from bridle.parts.dynamics.model import Model, scale_of

HORIZONS = (1, 2, 4, 8, 16)
"""Steps after which model and world are compared."""
WINDOWS = 256
"""Stretches of experience that are tried."""


def newest(data: Drawn, rows: int, spec: Spec) -> Transition:
    """The last `rows` rows of a ring, oldest first, out of the whole of it: leaves [L N ...]."""
    whole = data.rows.valid.shape[0]
    index = ((data.step / spec.num_envs).astype(jnp.int32) - rows + jnp.arange(rows)) % whole
    return jax.tree.map(lambda leaf: leaf[index], data.rows)


def judged(model: Model, step: Step, data: Drawn, steps: int, spec: Spec, key) -> dict[str, Float[Array, ""]]:
    """What `compared` tells of the newest env steps in a ring whose observations are flat; 0 of a model that was never fitted."""
    unseen = newest(data, max(1, steps // spec.num_envs), spec)
    deviation = scale_of(model.inputs, True)[1][: unseen.obs.shape[-1]]
    told = compared(step, unseen, deviation, key)
    return {name: jnp.where(model.fits > 0, value, 0.0) for name, value in told.items()}


def compared(step: Step, rows: Transition, deviation: Float[Array, " O"], key) -> dict[str, Float[Array, ""]]:
    """Metrics of a model against rows [L N ...] that it has not learned from, observations flat, for each of `HORIZONS` that L holds.

    `error_H`: root mean square of the observation's error after H steps, in `deviation`s; `doubt_H`: the path's doubt by then;
    `rank_H`: their rank correlation over paths, 1 where doubt tells well which path is wrong; `real_return_H`, `imagined_return_H`,
    `real_cost_H`, `imagined_cost_H`: undiscounted sums over the path. 0 where no stretch of that length is whole.
    """
    length, envs = rows.valid.shape
    most = max((h for h in HORIZONS if h <= length), default=1)
    k_row, k_env, k_live = jax.random.split(key, 3)
    begin = jax.random.randint(k_row, (WINDOWS,), 0, length - most + 1)
    env = jax.random.randint(k_env, (WINDOWS,), 0, envs)
    seen = jax.tree.map(lambda leaf: leaf[begin + jnp.arange(most)[:, None], env], rows)  # [H B ...]
    ended = seen.terminated | seen.truncated
    before = jnp.concatenate([jnp.zeros_like(ended[:1]), ended[:-1]])
    whole = jnp.cumprod(seen.valid & ~before, 0).astype(bool)

    def one(obs, item):
        row, key = item
        guess = step(obs, row.action, key)
        error = jnp.sqrt((((guess.next_obs - row.next_obs) / deviation) ** 2).mean(-1))
        return guess.next_obs, (error, guess.doubt, guess.reward, guess.cost.sum(-1))

    _, (error, *sums) = jax.lax.scan(one, seen.obs[0], (seen, jax.random.split(k_live, most)))
    doubt, reward, cost = (jnp.cumsum(x, 0) for x in sums)
    real = {"return": jnp.cumsum(seen.reward, 0), "cost": jnp.cumsum(seen.cost.sum(-1), 0)}
    told = {}
    for h in (h for h in HORIZONS if h <= most):
        at, counts = h - 1, whole[h - 1]
        mean = lambda x, counts=counts: jnp.where(counts, x, 0.0).sum() / jnp.maximum(counts.sum(), 1)
        told |= {f"error_{h}": mean(error[at]), f"doubt_{h}": mean(doubt[at])}
        told[f"rank_{h}"] = rank_correlation(error[at], doubt[at], counts)
        for name, imagined in (("return", reward), ("cost", cost)):
            told |= {f"real_{name}_{h}": mean(real[name][at]), f"imagined_{name}_{h}": mean(imagined[at])}
    return told


def beside(real: Transition, imagined: Transition) -> dict[str, Float[Array, ""]]:
    """Metrics of what was lived and of what was imagined: `real_steps`, `real_reward` and `real_cost` of a step, `imagined_...` alike."""
    told = {}
    for name, rows in (("real", real), ("imagined", imagined)):
        mean = lambda x, rows=rows: jnp.where(rows.valid, x, 0.0).sum() / jnp.maximum(rows.valid.sum(), 1)
        told[f"{name}_steps"] = rows.valid.sum().astype(jnp.float32)
        told |= {f"{name}_reward": mean(rows.reward), f"{name}_cost": mean(rows.cost.sum(-1))}
    return told


def rank_correlation(x: Float[Array, " B"], y: Float[Array, " B"], counts) -> Float[Array, ""]:
    """Spearman's, over those that count; 0 where nothing varies."""
    rank = lambda v: jnp.argsort(jnp.argsort(jnp.where(counts, v, jnp.inf))).astype(jnp.float32)
    weight = counts / jnp.maximum(counts.sum(), 1)
    a, b = (rank(v) - weight @ jnp.where(counts, rank(v), 0.0) for v in (x, y))
    return (weight @ (a * b)) / jnp.maximum(jnp.sqrt((weight @ a**2) * (weight @ b**2)), 1e-6)
