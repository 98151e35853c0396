"""Trust region policy optimisation, TRPO (Schulman et al. 2015, arXiv:1502.05477), with a multiplier on cost where one is asked for.

The natural gradient of (advantage - multiplier . cost advantage) / (1 + multipliers), as long as the trust region allows. Without a
constraint nothing of it heeds cost, its line search neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from bridle.core.algorithm import Algorithm
from bridle.core.config import check_ranges, check_types
from bridle.core.types import CostLimit, Drawn, Spec
from bridle.maths import gaussian
from bridle.maths.moments import Moments, no_moments
from bridle.maths.natural_gradient import conjugate_gradient, fisher_product, line_search
from bridle.nets.mlp import obs_size
from bridle.parts.advantages import Experience, ValueFit, Values, advantages, experience, fit_values, no_values
from bridle.parts.constraints.lagrange import Lagrange
from bridle.parts.constraints.multiplier import Kind, heed, price
from bridle.parts.constraints.pid import PID
from bridle.parts.on_policy import Rollouts, assemble, common_ranges, listen, look, observed, rollout_of
from bridle.parts.policies import PlainActor


@dataclass(frozen=True)
class Config(Rollouts):
    """Trust region policy optimisation."""

    constraint: Kind = "none"
    """How cost is kept under its limit: not at all, by dual ascent, or by PID control of the multiplier."""
    rescale: bool = True
    """Divide what the policy climbs by 1 + the multipliers."""
    lagrange: Lagrange = field(default_factory=Lagrange)
    """Dual ascent, where it is asked for: `--lagrange.rate`, ..."""
    pid: PID = field(default_factory=PID)
    """PID control, where it is asked for: `--pid.kp`, ..."""
    values: ValueFit = field(default_factory=ValueFit)
    """How values are fitted: `--values.rate`, ..."""
    target_kl: float = 0.01
    """Radius of the trust region: mean KL, nats."""
    damping: float = 0.1
    """Added to the Fisher matrix."""
    iterations: int = 10
    """Steps of conjugate gradients."""
    fisher_every: int = 4
    """One in so many states counts in the Fisher matrix."""
    tries: int = 15
    """Lengths of the step that the line search tries."""
    shrink: float = 0.8
    """Each as a part of the one before."""

    def __post_init__(self):
        check_types(self)
        counts = {name: (getattr(self, name) > 0, "an integer > 0") for name in ("iterations", "fisher_every", "tries")}
        own = {
            "target_kl": (self.target_kl > 0, "a number > 0"),
            "damping": (self.damping >= 0, "a number >= 0"),
            "shrink": (0.0 < self.shrink < 1.0, "a number in (0, 1)"),
        }
        check_ranges(self, common_ranges(self) | counts | own)

    @property
    def constrained(self) -> bool:
        """Does it need a cost and a limit?"""
        return self.constraint != "none"

    def build(self, spec: Spec, limit: CostLimit) -> Algorithm:
        """TRPO for a world with continuous actions."""
        about = f"the multiplier ({self.constraint}) hears the cost of an episode over the last horizon of steps"
        return assemble("trpo", self, spec, limit, init, update, about if self.constrained else None)


class State(NamedTuple):
    """What learning carries; every leaf an array."""

    actor: PlainActor
    values: Values
    multiplier: Any
    """Of the rule that prices cost; () where none does."""
    moments: Moments | tuple
    """Of observations; () where they are taken as they are."""


def init(key, *, config: Config, spec: Spec, limit: CostLimit) -> State:
    k_actor, k_values = jax.random.split(key)
    o, c = obs_size(spec.obs), max(1, len(spec.constraints))
    return State(
        actor=PlainActor(k_actor, o, spec.action.size, config.hidden, config.initial_std, config.activation),
        values=no_values(k_values, o, c, config.values),
        multiplier=multiplier_of(config).init(c) if config.constrained else (),
        moments=no_moments(o) if config.normalise_obs else (),
    )


def update(state: State, data: Drawn, key, *, config: Config, spec: Spec, limit: CostLimit):
    """One rollout: the multiplier, the policy, the values."""
    rows = rollout_of(data.rows, config, spec)
    obs, next_obs, dist, log_prob = look(state, rows)
    batch = experience(rows, obs, dist, log_prob, *advantages(state.values, rows, obs, next_obs, config))
    metrics = {}
    if config.constrained:
        heard, aimed = listen(data.rows, spec), config.aim * limit.at(data.step)
        multiplier, weight, metrics = heed(multiplier_of(config), state.multiplier, heard.cost, aimed)
        state = state._replace(multiplier=multiplier)
        gain = price(batch.advantage, batch.cost_advantage, weight, config.rescale)
    else:
        gain = batch.advantage
    actor, told = improve(state.actor, batch, gain, config)
    values, of_values = fit_values(state.values, batch, key, config.values)
    moments = observed(state.moments, rows)
    return state._replace(actor=actor, values=values, moments=moments), metrics | told | of_values, {}


def improve(actor: PlainActor, batch: Experience, gain, config: Config) -> tuple[PlainActor, dict]:
    """One step along the natural gradient of the gain: Schulman et al. 2015, appendix C."""
    flat, unravel = ravel_pytree(actor)
    some = slice(None, None, config.fisher_every)

    def climbed(flat):
        ratio = jnp.exp(gaussian.log_prob(unravel(flat)(batch.obs), batch.pre_action) - batch.log_prob)
        return batch.weight @ (ratio * gain)

    before, gradient = jax.value_and_grad(climbed)(flat)
    share = batch.weight[some] / jnp.maximum(batch.weight[some].sum(), 1e-8)
    product = fisher_product(lambda flat: unravel(flat)(batch.obs[some]), flat, share, config.damping)
    direction = conjugate_gradient(product, gradient, config.iterations)
    curvature = jnp.maximum(direction @ product(direction), 1e-20)
    step = jnp.sqrt(2.0 * config.target_kl / curvature) * direction

    def moved(flat):
        return batch.weight @ gaussian.kl(unravel(flat)(batch.obs), batch.dist)

    def accept(flat):
        return (climbed(flat) >= before) & (moved(flat) <= config.target_kl)

    found = line_search(flat, step, accept, config.tries, config.shrink)
    actor = unravel(found.parameters)
    told = {
        "kl": moved(found.parameters),
        "gain": climbed(found.parameters) - before,
        "step": found.fraction,
        "entropy": batch.weight @ gaussian.entropy(actor(batch.obs)),
        "std": jnp.exp(actor.log_std).mean(),
    }
    return actor, told


def multiplier_of(config: Config):
    """The rule that prices cost."""
    return {"lagrange": config.lagrange, "pid": config.pid}[config.constraint]
