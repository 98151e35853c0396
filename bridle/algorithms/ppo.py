"""Proximal policy optimisation, PPO (Schulman et al. 2017, arXiv:1707.06347), with a multiplier on cost where one is asked for.

The policy climbs (advantage - multiplier . cost advantage) / (1 + multipliers) while no action's probability moves far.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from bridle.core.algorithm import Algorithm
from bridle.core.config import check_ranges, check_types
from bridle.core.names import by_constraint
from bridle.core.types import CostLimit, Drawn, Spec
from bridle.maths import gaussian
from bridle.maths.minibatches import one_pass
from bridle.maths.moments import Moments, no_moments, see
from bridle.nets.mlp import flatten_obs, obs_size
from bridle.parts.advantages import Experience, ValueFit, Values, advantages, experience, fit_values, no_values
from bridle.parts.constraints.lagrange import Lagrange
from bridle.parts.constraints.multiplier import Kind, price
from bridle.parts.constraints.pid import PID
from bridle.parts.on_policy import assemble, common_ranges, listen, look, rollout_of
from bridle.parts.policies import PlainActor

TOO_FAR = 1.5
"""A pass after which the policy has moved by more than so many times `target_kl` is undone, and steps become smaller."""
SLOWER, FASTER = 0.5, 1.05
"""What the pace is multiplied by where a pass was undone, and where none was."""


@dataclass(frozen=True)
class Config:
    """Proximal policy optimisation."""

    constraint: Kind = "none"
    """How cost is kept under its limit: not at all, by dual ascent, or by PID control of the multiplier."""
    aim: float = 0.9
    """The part of the limit that training aims at, since costs scatter round where they are held."""
    rescale: bool = True
    """Divide what the policy climbs by 1 + the multipliers."""
    lagrange: Lagrange = field(default_factory=Lagrange)
    """Dual ascent, where it is asked for: `--lagrange.rate`, ..."""
    pid: PID = field(default_factory=PID)
    """PID control, where it is asked for: `--pid.kp`, ..."""
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
    values: ValueFit = field(default_factory=ValueFit)
    """How values are fitted: `--values.rate`, ..."""
    clip: float = 0.2
    """How far the ratio of probabilities may move from 1 before its gain stops counting."""
    target_kl: float = 0.02
    """Passes over a rollout stop once the policy has moved so far, nats."""
    passes: int = 10
    """Passes over a rollout at most."""
    batch: int = 256
    """States in a minibatch."""
    actor_rate: float = 3e-4
    """Adam step size of the actor."""
    entropy: float = 0.0
    """Weight of the policy's entropy in what it climbs."""
    max_grad_norm: float = 40.0
    """Longer gradients are scaled down to it."""

    def __post_init__(self):
        check_types(self)
        counts = {name: (getattr(self, name) > 0, "an integer > 0") for name in ("passes", "batch")}
        rates = {
            name: (getattr(self, name) > 0, "a number > 0") for name in ("target_kl", "actor_rate", "max_grad_norm")
        }
        own = {
            "aim": (0.0 < self.aim <= 1.0, "a number in (0, 1]"),
            "clip": (0.0 < self.clip < 1.0, "a number in (0, 1)"),
            "entropy": (self.entropy >= 0, "a number >= 0"),
        }
        check_ranges(self, common_ranges(self) | counts | rates | own)

    @property
    def constrained(self) -> bool:
        """Does it need a cost and a limit?"""
        return self.constraint != "none"

    def build(self, spec: Spec, limit: CostLimit) -> Algorithm:
        """PPO for a world with continuous actions."""
        about = f"the multiplier ({self.constraint}) hears the cost of an episode over the last horizon of steps"
        return assemble("ppo", self, spec, limit, init, update, about if self.constrained else None)


class State(NamedTuple):
    """What learning carries; every leaf an array."""

    actor: PlainActor
    actor_opt: Any
    pace: jax.Array
    """Part of `actor_rate` that is used: it falls where a pass moved the policy too far, and comes back slowly."""
    values: Values
    multiplier: Any
    """Of the rule that prices cost; () where none does."""
    moments: Moments | tuple
    """Of observations; () where they are taken as they are."""


def init(key, *, config: Config, spec: Spec, limit: CostLimit) -> State:
    k_actor, k_values = jax.random.split(key)
    o, c = obs_size(spec.obs), max(1, len(spec.constraints))
    actor = PlainActor(k_actor, o, spec.action.size, config.hidden, config.initial_std, config.activation)
    return State(
        actor=actor,
        actor_opt=optimiser(config).init(actor),
        pace=jnp.ones(()),
        values=no_values(k_values, o, c, config.values),
        multiplier=multiplier_of(config).init(c) if config.constrained else (),
        moments=no_moments(o) if config.normalise_obs else (),
    )


def update(state: State, data: Drawn, key, *, config: Config, spec: Spec, limit: CostLimit):
    """One rollout: the multiplier, the policy, the values."""
    k_policy, k_values = jax.random.split(key)
    rows = rollout_of(data.rows, config, spec)
    obs, next_obs, dist, log_prob = look(state, rows)
    batch = experience(rows, obs, dist, log_prob, *advantages(state.values, rows, obs, next_obs, config))
    metrics = {}
    if config.constrained:
        heard, rule = listen(data.rows, spec), multiplier_of(config)
        multiplier = rule.update(state.multiplier, heard.cost, config.aim * limit.at(data.step))
        state = state._replace(multiplier=multiplier)
        weight = rule.weight(multiplier)
        metrics = by_constraint("multiplier", weight) | by_constraint("episode_cost", heard.cost)
        gain = price(batch.advantage, batch.cost_advantage, weight, config.rescale)
    else:
        gain = batch.advantage
    state, told = improve(state, batch, gain, k_policy, config)
    values, of_values = fit_values(state.values, batch, k_values, config.values)
    if config.normalise_obs:
        valid = (batch.weight > 0).astype(jnp.float32)
        state = state._replace(moments=see(state.moments, flatten_obs(rows.obs, 2).reshape(len(valid), -1), valid))
    return state._replace(values=values), metrics | told | of_values, {}


def improve(state: State, batch: Experience, gain, key, config: Config) -> tuple[State, dict]:
    """Passes of minibatches up the clipped gain (Schulman et al. 2017, eq. 7), until the policy has moved far enough."""
    valid = (batch.weight > 0).astype(jnp.float32)
    rows = batch.obs, batch.pre_action, batch.log_prob, gain, valid

    def step(learner, minibatch):
        actor, opt = learner
        obs, pre_action, old_log_prob, gain, valid = minibatch

        def loss(actor):
            dist = actor(obs)
            ratio = jnp.exp(gaussian.log_prob(dist, pre_action) - old_log_prob)
            clipped = jnp.clip(ratio, 1.0 - config.clip, 1.0 + config.clip)
            climbed = jnp.minimum(ratio * gain, clipped * gain) + config.entropy * gaussian.entropy(dist)
            share = valid / jnp.maximum(valid.sum(), 1.0)
            return -share @ climbed, share @ (ratio != clipped).astype(jnp.float32)

        grads, cut = jax.grad(loss, has_aux=True)(actor)
        steps, opt = optimiser(config).update(grads, opt)
        steps = jax.tree.map(lambda step: state.pace * step, steps)
        return (optax.apply_updates(actor, steps), opt), cut

    def one(carry):
        learner, count, kl, *_ = carry
        moved, cut = one_pass(step, learner, jax.random.fold_in(key, count), rows, config.batch)
        reached = batch.weight @ gaussian.kl(batch.dist, moved[0](batch.obs))
        kept = reached <= TOO_FAR * config.target_kl  # also false where it is not a number
        learner = jax.tree.map(lambda new, old: jnp.where(kept, new, old), moved, learner)
        return learner, count + 1, jnp.where(kept, reached, kl), cut, kept

    zero = jnp.zeros(())
    go_on = lambda carry: (carry[1] < config.passes) & (carry[2] <= config.target_kl) & carry[4]
    start = (state.actor, state.actor_opt), jnp.zeros((), jnp.int32), zero, zero, jnp.ones((), bool)
    (actor, opt), passes, kl, cut, kept = jax.lax.while_loop(go_on, one, start)
    # A policy of small deviations moves far by small steps: then steps become smaller, instead of the policy being lost.
    pace = jnp.where(kept, jnp.minimum(FASTER * state.pace, 1.0), SLOWER * state.pace)
    told = {
        "kl": kl,
        "passes": passes.astype(jnp.float32),
        "pace": pace,
        "clipped": cut,
        "entropy": batch.weight @ gaussian.entropy(actor(batch.obs)),
        "std": jnp.exp(actor.log_std).mean(),
    }
    return state._replace(actor=actor, actor_opt=opt, pace=pace), told


def optimiser(config: Config) -> optax.GradientTransformation:
    """Adam on gradients that are not too long."""
    return optax.chain(optax.clip_by_global_norm(config.max_grad_norm), optax.adam(config.actor_rate))


def multiplier_of(config: Config):
    """The rule that prices cost."""
    return {"lagrange": config.lagrange, "pid": config.pid}[config.constraint]
