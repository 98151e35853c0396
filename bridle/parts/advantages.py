"""Advantages of reward and of cost, and the values that they are measured against.

Reward and the C costs are K = 1 + C signals side by side, the reward first: each has its discount, its trace and its value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from bridle.core.config import check_ranges, check_types
from bridle.core.types import Transition
from bridle.maths.gaussian import Gaussian
from bridle.maths.minibatches import one_pass
from bridle.maths.moments import Moments, no_moments, see
from bridle.maths.returns import gae, inverse_variance_gae
from bridle.nets.mlp import MLP


@dataclass(frozen=True)
class ValueFit:
    """Networks of the values of states, and how they are fitted to each rollout."""

    hidden: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers."""
    activation: Literal["relu", "tanh", "elu", "silu"] = "tanh"
    """After every hidden layer."""
    members: int = 1
    """Networks of each value, whose mean counts."""
    loss: Literal["mse", "huber"] = "mse"
    """Squared errors, or Huber's: linear beyond `huber` standard deviations of what is fitted to."""
    huber: float = 0.3
    """Where Huber's loss becomes linear."""
    clip: float | None = None
    """A value's step away from the one before the fit counts up to so many standard deviations (PPO); by default whole."""
    rate: float = 1e-3
    """Adam step size."""
    passes: int = 10
    """Passes over a rollout."""
    batch: int = 256
    """States in a minibatch."""

    def __post_init__(self):
        check_types(self)
        counts = {name: (getattr(self, name) > 0, "an integer > 0") for name in ("members", "passes", "batch")}
        ranges = {
            "hidden": (len(self.hidden) > 0 and all(h > 0 for h in self.hidden), "one or more integers > 0"),
            "rate": (self.rate > 0, "a number > 0"),
            "huber": (self.huber > 0, "a number > 0"),
            "clip": (self.clip is None or self.clip > 0, "a number > 0, or None"),
        }
        check_ranges(self, ranges | counts)


class Values(NamedTuple):
    """What is known of the values of states."""

    of_reward: tuple[MLP, ...]
    """obs -> [1], in standard deviations of what they are fitted to."""
    of_cost: tuple[MLP, ...]
    """obs -> [C], the same."""
    opt: Any
    moments: Moments
    """Of what they are fitted to, [K]."""


class Experience(NamedTuple):
    """A rollout as learning takes it, rows flat: B = L N."""

    obs: Float[Array, "B O"]
    """Normalised, where observations are."""
    pre_action: Float[Array, "B A"]
    dist: Gaussian
    """Of the policy that acted."""
    log_prob: Float[Array, " B"]
    advantage: Float[Array, " B"]
    """Of reward: mean 0, standard deviation 1."""
    cost_advantage: Float[Array, "B C"]
    """Mean 0, in units of cost: its scale counts."""
    targets: Float[Array, "B K"]
    weight: Float[Array, " B"]
    """Sums to 1; 0 on rows that are not valid."""


def no_values(key, obs: int, constraints: int, fit: ValueFit) -> Values:
    """Values that have seen nothing."""
    keys = jax.random.split(key, 2 * fit.members)
    net = lambda k, out: MLP(k, (obs, *fit.hidden, out), fit.activation, last_scale=0.1)
    of_reward = tuple(net(k, 1) for k in keys[: fit.members])
    of_cost = tuple(net(k, constraints) for k in keys[fit.members :])
    opt = optax.adam(fit.rate).init((of_reward, of_cost))
    return Values(of_reward, of_cost, opt, no_moments(1 + constraints))


def deviation(moments: Moments) -> Float[Array, " K"]:
    """The standard deviation of what values are fitted to; 1 before anything was seen, and where nothing varies."""
    found = jnp.sqrt(moments.second / jnp.maximum(moments.count, 1.0))
    return jnp.where(found > 1e-4, found, 1.0)


def member_values(values: Values, obs: Float[Array, "*batch O"]) -> Float[Array, "E *batch K"]:
    """What each member says."""
    pairs = zip(values.of_reward, values.of_cost, strict=True)
    told = jnp.stack([jnp.concatenate([reward(obs), cost(obs)], -1) for reward, cost in pairs])
    return values.moments.mean + deviation(values.moments) * told


def value_of(values: Values, obs: Float[Array, "*batch O"]) -> Float[Array, "*batch K"]:
    """The values of reward and of each cost, in their own units."""
    return member_values(values, obs).mean(0)


def per_signal(of_reward: float, of_cost: float, constraints: int) -> Float[Array, " K"]:
    """One number for the reward, another for each cost."""
    return jnp.asarray([of_reward] + [of_cost] * constraints, jnp.float32)


def advantages(
    values: Values, rows: Transition, obs: Float[Array, "L N O"], next_obs: Float[Array, "L N O"], config
) -> tuple[Float[Array, "L N K"], Float[Array, "L N K"]]:
    """Advantages, and what values are fitted to: advantage + value.

    Truncation and the rollout's end bootstrap; a termination does not, nor does it for cost unless `cost_after_death` says
    "unmasked". `config` tells that, `discount`, `cost_discount`, `trace`, `cost_trace`.
    """
    constraints = rows.cost.shape[-1]
    x = jnp.concatenate([rows.reward[..., None], rows.cost], -1)
    value, next_value = value_of(values, obs), value_of(values, next_obs)
    masks = jnp.asarray([True] + [config.cost_after_death == "masked"] * constraints)
    found = gae(
        x,
        value,
        next_value,
        rows.terminated[..., None] & masks,
        rows.terminated | rows.truncated,
        per_signal(config.discount, config.cost_discount, constraints),
        per_signal(config.trace, config.cost_trace, constraints),
    )
    return found, found + value


def advantages_of_copies(
    values: Values,
    rows: Transition,
    who: Int[Array, " B"],
    obs: Float[Array, "L B O"],
    next_obs: Float[Array, "L E B O"],
    config,
    most: float,
) -> tuple[Float[Array, "L B K"], Float[Array, "L B K"], Bool[Array, "L B"]]:
    """The same of paths [L E B ...] that each of E members lived on its own, weighed by their variance: of the copy `who` [B], whose
    observations `obs` are; and which steps come before that variance exceeds `most` times that of first steps."""
    constraints = rows.cost.shape[-1]
    value = value_of(values, obs)
    masks = jnp.asarray([True] + [config.cost_after_death == "masked"] * constraints)
    found, spread = inverse_variance_gae(
        jnp.concatenate([rows.reward[..., None], rows.cost], -1),
        value,
        value_of(values, next_obs),
        rows.terminated[..., None] & masks,
        rows.valid,
        who,
        per_signal(config.discount, config.cost_discount, constraints),
        per_signal(config.trace, config.cost_trace, constraints),
    )
    sure = (spread <= most * jnp.maximum(spread[0].mean(0), 1e-8)).all(-1)
    return found, found + value, jnp.cumprod(sure, 0).astype(bool)


def experience(
    rows: Transition, obs: Float[Array, "L N O"], dist: Gaussian, log_prob, advantage, targets
) -> Experience:
    """Rows [L N ...] laid flat, advantages centred over those that are valid, and that of reward scaled too."""
    flat = lambda leaf: leaf.reshape(-1, *leaf.shape[2:])
    valid = flat(rows.valid).astype(jnp.float32)
    weight = valid / jnp.maximum(valid.sum(), 1.0)
    found = flat(advantage)
    found = found - weight @ found
    spread = jnp.sqrt(weight @ found[:, 0] ** 2) + 1e-8
    return Experience(
        obs=flat(obs),
        pre_action=flat(rows.extras["pre_action"]),
        dist=jax.tree.map(flat, dist),
        log_prob=flat(log_prob),
        advantage=found[:, 0] / spread,
        cost_advantage=found[:, 1:],
        targets=flat(targets),
        weight=weight,
    )


def joined(real: Experience, imagined: Experience, joint: bool, most: int) -> Experience:
    """Both in `most` rows, every step weighing the same; the last imagined ones are left out where they are more.

    `joint` centres and scales the advantages of reward together, else they stay as they are.
    """
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), real, imagined)
    valid = both.weight > 0
    places = jnp.nonzero(valid, size=most, fill_value=0)[0]
    batch = jax.tree.map(lambda leaf: leaf[places], both)
    there = (jnp.arange(most) < valid.sum()).astype(jnp.float32)
    batch = batch._replace(weight=there / jnp.maximum(there.sum(), 1.0))
    if not joint:
        return batch
    advantage = batch.advantage - batch.weight @ batch.advantage
    return batch._replace(advantage=advantage / (jnp.sqrt(batch.weight @ advantage**2) + 1e-8))


def error_of(x, fit: ValueFit):
    """The loss of an error, elementwise; Huber's is half a square times 2, so that both agree where errors are small."""
    return x**2 if fit.loss == "mse" else 2.0 * optax.losses.huber_loss(x, delta=fit.huber)


def fit_values(values: Values, rows: Experience, key, fit: ValueFit) -> tuple[Values, dict]:
    """Some passes of minibatches; the values, and their mean squared errors in variances of the targets."""
    valid = (rows.weight > 0).astype(jnp.float32)
    moments = see(values.moments, rows.targets, valid)
    targets = (rows.targets - moments.mean) / deviation(moments)
    optimiser = optax.adam(fit.rate)
    start = (values.of_reward, values.of_cost), values.opt
    told_by = lambda nets, obs: jnp.stack([jnp.concatenate([r(obs), c(obs)], -1) for r, c in zip(*nets, strict=True)])
    before = () if fit.clip is None else jnp.moveaxis(told_by(start[0], rows.obs), 0, 1)

    def step(state, batch):
        nets, opt = state
        obs, target, weight, old = batch

        def loss(nets):
            told = told_by(nets, obs)
            errors = error_of(told - target, fit)
            if fit.clip is not None:
                old_told = jnp.moveaxis(old, 1, 0)
                held = old_told + jnp.clip(told - old_told, -fit.clip, fit.clip)
                errors = jnp.maximum(errors, error_of(held - target, fit))
            errors = jnp.einsum("b,ebk->k", weight, errors) / jnp.maximum(weight.sum(), 1.0)
            return errors.sum(), errors / len(told)

        grads, errors = jax.grad(loss, has_aux=True)(nets)
        steps, opt = optimiser.update(grads, opt)
        return (optax.apply_updates(nets, steps), opt), errors

    def again(state, key):
        return one_pass(step, state, key, (rows.obs, targets, valid, before), fit.batch)

    (nets, opt), errors = jax.lax.scan(again, start, jax.random.split(key, fit.passes))
    told = {"value_loss": errors[-1, 0], "cost_value_loss": errors[-1, 1:].mean()}
    return Values(*nets, opt, moments), told
