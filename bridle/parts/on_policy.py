"""What on-policy learners share beside their step: how they act, what they draw, what an episode costs now.

`multiplier` is a value of `parts/constraints`, or None, and is only called here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from bridle.core.algorithm import Algorithm, Latest, Update
from bridle.core.types import Continuous, CostLimit, Spec, Transition, Tree
from bridle.maths import gaussian
from bridle.maths.minibatches import one_pass
from bridle.maths.moments import Moments, normalise, see
from bridle.maths.returns import episode_cost
from bridle.nets.mlp import flatten_obs

TOO_FAR = 1.5
"""A pass after which the policy has moved by more than so many times `target_kl` is undone, and steps become smaller."""
SLOWER, FASTER = 0.5, 1.05
"""What the pace is multiplied by where a pass was undone, and where none was."""


@dataclass(frozen=True)
class Rollouts:
    """Settings that all of these learners have."""

    aim: float = 0.9
    """The part of the limit that training aims at, since costs scatter round where they are held."""
    rollout: int = 16_000
    """Env steps, summed over all copies, that each update learns from."""
    discount: float = 0.99
    """gamma, of reward."""
    cost_discount: float = 0.99
    """gamma, of cost."""
    trace: float = 0.95
    """GAE's lambda, of reward."""
    cost_trace: float = 0.95
    """GAE's lambda, of cost."""
    cost_after_death: Literal["masked", "unmasked"] = "masked"
    """Does a termination end the cost as it ends the reward?"""
    hidden: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers of the actor."""
    activation: Literal["relu", "tanh", "elu", "silu"] = "tanh"
    """After every hidden layer."""
    initial_std: float = 0.6
    """Standard deviation of the first policy's actions."""
    normalise_obs: bool = True
    """Scale observations by their running mean and deviation."""


class Heard(NamedTuple):
    """What an episode comes to now."""

    cost: Float[Array, " C"]
    """Undiscounted."""
    length: Float[Array, ""]
    """Env steps."""


def common_ranges(config: Rollouts) -> dict[str, tuple[bool, str]]:
    """What is allowed of the fields that all of these learners have, as `check_ranges` takes it."""
    ranges = {
        "aim": (0.0 < config.aim <= 1.0, "a number in (0, 1]"),
        "rollout": (config.rollout > 0, "an integer > 0"),
        "hidden": (len(config.hidden) > 0 and all(h > 0 for h in config.hidden), "one or more integers > 0"),
        "initial_std": (config.initial_std > 0, "a number > 0"),
    }
    for name in ("trace", "cost_trace"):
        ranges[name] = (0.0 <= getattr(config, name) <= 1.0, "a number in [0, 1]")
    for name in ("discount", "cost_discount"):
        ranges[name] = (0.0 < getattr(config, name) < 1.0, "a number in (0, 1)")
    return ranges


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


def observed(moments: Moments | tuple, rows: Transition):
    """Moments of observations with the rows [L N ...] of one more rollout; () where there are none."""
    if not moments:
        return moments
    obs = flatten_obs(rows.obs, 2)
    return see(moments, obs.reshape(-1, obs.shape[-1]), rows.valid.reshape(-1).astype(jnp.float32))


def optimiser(config) -> optax.GradientTransformation:
    """Adam on gradients that are not too long."""
    return optax.chain(optax.clip_by_global_norm(config.max_grad_norm), optax.adam(config.actor_rate))


class Climbed(NamedTuple):
    """Where passes over a rollout have brought a policy."""

    actor: Any
    opt: Any
    pace: Float[Array, ""]
    told: dict


def climb(loss: Callable, actor, opt, pace, rows: tuple, apart: Callable, key, config) -> Climbed:
    """Passes of minibatches down `loss(actor, *minibatch) -> value, share that was cut`, until the policy has moved far enough.

    `apart(actor)` is how far it has moved, nats. A policy of small deviations moves far by small steps: a pass that went too far is
    undone, and then steps become smaller, instead of the policy being lost (decision 0021).
    """
    tx = optimiser(config)

    def step(learner, minibatch):
        actor, opt = learner
        grads, cut = jax.grad(loss, has_aux=True)(actor, *minibatch)
        steps, opt = tx.update(grads, opt)
        steps = jax.tree.map(lambda step: pace * step, steps)
        return (optax.apply_updates(actor, steps), opt), cut

    def one(carry):
        learner, count, kl, *_ = carry
        moved, cut = one_pass(step, learner, jax.random.fold_in(key, count), rows, config.batch)
        reached = apart(moved[0])
        kept = reached <= TOO_FAR * config.target_kl  # also false where it is not a number
        learner = jax.tree.map(lambda new, old: jnp.where(kept, new, old), moved, learner)
        return learner, count + 1, jnp.where(kept, reached, kl), cut, kept

    zero = jnp.zeros(())
    go_on = lambda carry: (carry[1] < config.passes) & (carry[2] <= config.target_kl) & carry[4]
    start = (actor, opt), jnp.zeros((), jnp.int32), zero, zero, jnp.ones((), bool)
    (actor, opt), passes, kl, cut, kept = jax.lax.while_loop(go_on, one, start)
    pace = jnp.where(kept, jnp.minimum(FASTER * pace, 1.0), SLOWER * pace)
    return Climbed(actor, opt, pace, {"kl": kl, "passes": passes.astype(jnp.float32), "pace": pace, "cut": cut})
