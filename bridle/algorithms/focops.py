"""First order constrained optimisation in policy space, FOCOPS (Zhang, Vuong and Ross 2020, arXiv:2002.06506).

The best policy of a trust region under the limit has a closed form in the space of all policies; the actor descends its KL divergence
from that one, state by state, as long as a state's own KL stays in the region.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from bridle.core.algorithm import Algorithm
from bridle.core.config import check_ranges, check_types
from bridle.core.types import CostLimit, Drawn, Spec
from bridle.maths import gaussian
from bridle.maths.moments import Moments, no_moments
from bridle.nets.mlp import obs_size
from bridle.parts.advantages import Experience, ValueFit, Values, advantages, experience, fit_values, no_values
from bridle.parts.constraints.lagrange import Lagrange
from bridle.parts.constraints.multiplier import Kind, heed, price
from bridle.parts.constraints.pid import PID
from bridle.parts.on_policy import (
    Rollouts,
    assemble,
    climb,
    common_ranges,
    listen,
    look,
    observed,
    optimiser,
    rollout_of,
)
from bridle.parts.policies import PlainActor


@dataclass(frozen=True)
class Config(Rollouts):
    """First order constrained optimisation in policy space."""

    constraint: Kind = "lagrange"
    """How cost is kept under its limit: not at all, by dual ascent, or by PID control of the multiplier."""
    lagrange: Lagrange = field(default_factory=lambda: Lagrange(cap=2.0))
    """Dual ascent, where it is asked for: `--lagrange.rate`, ...; the published multiplier goes to 2 at most."""
    pid: PID = field(default_factory=PID)
    """PID control, where it is asked for: `--pid.kp`, ..."""
    values: ValueFit = field(default_factory=ValueFit)
    """How values are fitted: `--values.rate`, ..."""
    temperature: float = 1.5
    """lambda: the greater, the nearer the best policy lies to the present one."""
    target_kl: float = 0.02
    """delta and eta: states whose KL is greater no longer count, and passes stop once the mean is; nats."""
    passes: int = 10
    """Passes over a rollout at most."""
    batch: int = 256
    """States in a minibatch."""
    actor_rate: float = 3e-4
    """Adam step size of the actor."""
    max_grad_norm: float = 40.0
    """Longer gradients are scaled down to it."""

    def __post_init__(self):
        check_types(self)
        counts = {name: (getattr(self, name) > 0, "an integer > 0") for name in ("passes", "batch")}
        names = ("temperature", "target_kl", "actor_rate", "max_grad_norm")
        rates = {name: (getattr(self, name) > 0, "a number > 0") for name in names}
        check_ranges(self, common_ranges(self) | counts | rates)

    @property
    def constrained(self) -> bool:
        """Does it need a cost and a limit?"""
        return self.constraint != "none"

    def build(self, spec: Spec, limit: CostLimit) -> Algorithm:
        """FOCOPS for a world with continuous actions."""
        about = f"the multiplier ({self.constraint}) hears the cost of an episode over the last horizon of steps"
        return assemble("focops", self, spec, limit, init, update, about if self.constrained else None)


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
        heard, aimed = listen(data.rows, spec), config.aim * limit.at(data.step)
        multiplier, weight, metrics = heed(multiplier_of(config), state.multiplier, heard.cost, aimed)
        state = state._replace(multiplier=multiplier)
        gain = price(batch.advantage, batch.cost_advantage, weight, rescale=False)
    else:
        gain = batch.advantage
    state, told = improve(state, batch, gain, k_policy, config)
    values, of_values = fit_values(state.values, batch, k_values, config.values)
    return state._replace(values=values, moments=observed(state.moments, rows)), metrics | told | of_values, {}


def improve(state: State, batch: Experience, gain, key, config: Config) -> tuple[State, dict]:
    """Passes of minibatches down the divergence from the best policy (Zhang et al. 2020, eq. 11), until the policy has moved far enough."""
    valid = (batch.weight > 0).astype(jnp.float32)
    rows = batch.obs, batch.pre_action, batch.dist, batch.log_prob, gain, valid

    def loss(actor, obs, pre_action, old, old_log_prob, gain, valid):
        dist = actor(obs)
        ratio = jnp.exp(gaussian.log_prob(dist, pre_action) - old_log_prob)
        kl = gaussian.kl(dist, old)
        near = valid * (jax.lax.stop_gradient(kl) <= config.target_kl)
        share = near / jnp.maximum(valid.sum(), 1.0)
        # Where a ratio has overflowed its state counts no longer, and must not make 0 * inf.
        apart = jnp.where(near > 0, kl - ratio * gain / config.temperature, 0.0)
        return share @ apart, 1.0 - share.sum()

    apart = lambda actor: batch.weight @ gaussian.kl(actor(batch.obs), batch.dist)
    found = climb(loss, state.actor, state.actor_opt, state.pace, rows, apart, key, config)
    told = {
        "entropy": batch.weight @ gaussian.entropy(found.actor(batch.obs)),
        "std": jnp.exp(found.actor.log_std).mean(),
    }
    return state._replace(actor=found.actor, actor_opt=found.opt, pace=found.pace), found.told | told


def multiplier_of(config: Config):
    """The rule that prices cost."""
    return {"lagrange": config.lagrange, "pid": config.pid}[config.constraint]
