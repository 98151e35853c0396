"""Critics of reward and of cost: pessimistic values and TD targets."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from bridle.core.types import Transition
from bridle.maths.returns import n_step, pick


def reward_value(q: Float[Array, "E *batch 1"]) -> Float[Array, " *batch"]:
    """Pessimistic reward: the least of the members, q [E ... 1] -> [...]."""
    return q.min(0)[..., 0]


def cost_value(cost_q: Float[Array, "E *batch C"]) -> Float[Array, "*batch C"]:
    """Pessimistic cost: the greatest of the members, cost_q [E ... C] -> [... C]."""
    return cost_q.max(0)


def td_targets(
    rows: Transition,
    value: Float[Array, " B"],
    cost_value_: Float[Array, "B C"],
    discount: float,
    cost_discount: float,
    mask_cost: bool,
) -> tuple[Float[Array, " B"], Float[Array, "B C"]]:
    """TD targets of reward [B] and cost [B C] over stretches, leaves of `rows` [B L ...].

    `value` [B] and `cost_value_` [B C] are taken at the row that `last_row` picks. Truncation bootstraps, termination
    does not; `mask_cost=False` lets the cost bootstrap over a termination too, as the code of Liu et al. 2022 does.
    """
    of_reward = n_step(rows.reward, rows.terminated, rows.truncated, discount)
    of_cost = n_step(rows.cost, rows.terminated, rows.truncated, cost_discount, mask_cost)
    target = of_reward.total + of_reward.bootstrap * value
    cost_target = of_cost.total + of_cost.bootstrap[:, None] * cost_value_
    return target, cost_target


def targets(critics: tuple, rows: Transition, next_obs, next_action, key, config, bonus=0.0, cost_bonus=0.0) -> tuple:
    """TD targets of reward [B 1] and, where there are critics of it, of cost [B C], by target critics at `next_action` [B A].

    `bonus` [B] and `cost_bonus` [B 1] are added to the values there. `config` tells `critics`, `subset`, `dropout`, `discount`,
    `cost_after_death`.
    """
    k_subset, *k_drop = jax.random.split(key, 3)
    k_reward, k_cost = k_drop if config.dropout > 0 else (None, None)
    members = critics[0](next_obs, next_action, k_reward)
    value = reward_value(random_members(members, k_subset, config.subset or config.critics)) + bonus
    cost = jnp.zeros((len(value), rows.cost.shape[-1]))
    if len(critics) > 1:
        cost = cost_value(critics[1](next_obs, next_action, k_cost)) + cost_bonus
    masked = config.cost_after_death == "masked"
    target, cost_target = td_targets(rows, value, cost, config.discount, config.discount, masked)
    return (target[:, None], cost_target)[: len(critics)]


def last_row(rows: Transition):
    """The observation at which each stretch bootstraps, leaves [B ...]."""
    last = n_step(rows.reward, rows.terminated, rows.truncated, 1.0).last
    return jax.tree.map(lambda leaf: pick(leaf, last), rows.next_obs)


def squared_error(q: Float[Array, "E B out"], target: Float[Array, "B out"]) -> Float[Array, ""]:
    """Sum over members of the mean squared error: q [E B out], target [B out]."""
    return ((q - target) ** 2).mean((1, 2)).sum()


def random_members(q: Float[Array, "E *batch out"], key, size: int) -> Float[Array, "M *batch out"]:
    """`size` members, drawn anew at each call: a target by their least is less pessimistic than by that of all, and as
    little biased (REDQ: Chen et al. 2021, arXiv:2101.05982, algorithm 1)."""
    return q if size >= q.shape[0] else q[jax.random.permutation(key, q.shape[0])[:size]]


def fit(
    critics: tuple, opt, tx: optax.GradientTransformation, obs: Float[Array, "B O"], action, targets: tuple, key=None
):
    """One step of several ensembles to their targets [B out]: critics, optimiser, losses. `key` is for their dropout."""
    keys = [None] * len(critics) if key is None else list(jax.random.split(key, len(critics)))

    def loss(critics):
        every = zip(critics, targets, keys, strict=True)
        losses = tuple(squared_error(critic(obs, action, k), target) for critic, target, k in every)
        return sum(losses), losses

    grads, losses = jax.grad(loss, has_aux=True)(critics)
    steps, opt = tx.update(grads, opt)
    return optax.apply_updates(critics, steps), opt, losses


def polyak(target, online, rate):
    """Move every leaf of `target` towards `online` by `rate`."""
    return jax.tree.map(lambda t, o: t + rate * (o - t), target, online)
