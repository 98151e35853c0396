"""Constrained policy optimisation, CPO (Achiam et al. 2017, arXiv:1705.10528): the best step in a trust region that keeps the limit.

Costs are linearised inside of the region; where no step can keep them, the policy steps towards those that do. `constrain_cost` turns it
into TRPO, truly, or as published code has it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from bridle.core.algorithm import Algorithm
from bridle.core.config import check_ranges, check_types
from bridle.core.names import by_constraint
from bridle.core.types import CostLimit, Drawn, Spec
from bridle.maths import gaussian
from bridle.maths.moments import Moments, no_moments
from bridle.maths.natural_gradient import conjugate_gradient, fisher_product, line_search
from bridle.nets.mlp import obs_size
from bridle.parts.advantages import Experience, ValueFit, Values, advantages, experience, fit_values, no_values
from bridle.parts.constraints import trust_region
from bridle.parts.on_policy import Heard, Rollouts, assemble, common_ranges, listen, look, observed, rollout_of
from bridle.parts.policies import PlainActor

MODES = {
    "episode": "the undiscounted cost of an episode, spread over its steps",
    "rate": "the mean cost of a step times the horizon, as if every episode were full (published CMBPO)",
    "discounted": "the mean discounted cost to come, in the cost value's unit (the paper's theory)",
}


@dataclass(frozen=True)
class Config(Rollouts):
    """Constrained policy optimisation."""

    constrain_cost: Literal["yes", "no", "line_search"] = "yes"
    """Is cost kept under its limit by the step itself, or not at all, which is TRPO? With `line_search` only a TRPO step's length is refused
    where it costs too much, as published code does where it is told not to constrain."""
    cost_mode: Literal["episode", "rate", "discounted"] = "episode"
    """What is held under the limit: the cost of an episode, that of a step times the horizon, or discounted cost. Results are judged by
    the cost of an episode in any case."""
    recovery: float = 4.0
    """Of what cost exceeds, a step asks so many times as much back: surrogates promise more than they keep (decision 0021)."""
    margin_rate: float = 0.005
    """How fast a margin grows with what episodes cost beyond the aim, as a part of that an update; 0 for none."""
    margin_decay: float = 1.0
    """What of the margin stays at each update."""
    margin_most: float = 0.2
    """The greatest margin, as a part of the limit (of 1, where the limit is less)."""
    values: ValueFit = field(default_factory=ValueFit)
    """How values are fitted: `--values.rate`, ..."""
    target_kl: float = 0.01
    """Radius of the trust region: mean KL, nats."""
    least_pace: float = 1.0
    """The part of `target_kl` that is left where cost comes to what is aimed at less the margin, falling from all of it at no cost and no margin; beyond
    that, steps are whole again. 1 for whole steps everywhere, as published."""
    least_std: float = 0.0
    """Standard deviations of actions stay at least this (actions lie in [-1, 1]): a trust region of KL lets means move in proportion to them."""
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
            "recovery": (self.recovery >= 1, "a number >= 1"),
            "margin_rate": (self.margin_rate >= 0, "a number >= 0"),
            "margin_most": (self.margin_most >= 0, "a number >= 0"),
            "margin_decay": (0.0 < self.margin_decay <= 1.0, "a number in (0, 1]"),
            "target_kl": (self.target_kl > 0, "a number > 0"),
            "least_std": (0.0 <= self.least_std <= self.initial_std, "a number in [0, initial_std]"),
            "least_pace": (0.0 < self.least_pace <= 1.0, "a number in (0, 1]"),
            "damping": (self.damping >= 0, "a number >= 0"),
            "shrink": (0.0 < self.shrink < 1.0, "a number in (0, 1)"),
        }
        check_ranges(self, common_ranges(self) | counts | own)

    @property
    def constrained(self) -> bool:
        """Does it need a cost and a limit?"""
        return self.constrain_cost != "no"

    def build(self, spec: Spec, limit: CostLimit) -> Algorithm:
        """CPO for a world with continuous actions."""
        if self.constrained and len(limit.limit) > trust_region.MOST:
            raise ValueError(f"cpo keeps {trust_region.MOST} limits at most, and {spec.name} has {len(limit.limit)}")
        about = f"the trust region keeps {MODES[self.cost_mode]}"
        return assemble("cpo", self, spec, limit, init, update, about if self.constrained else None)


class State(NamedTuple):
    """What learning carries; every leaf an array."""

    actor: PlainActor
    values: Values
    margin: jax.Array
    """[C], cost a step that is held back, since costs were higher than they should be for long."""
    moments: Moments | tuple
    """Of observations; () where they are taken as they are."""


def init(key, *, config: Config, spec: Spec, limit: CostLimit) -> State:
    k_actor, k_values = jax.random.split(key)
    o, c = obs_size(spec.obs), max(1, len(spec.constraints))
    return State(
        actor=PlainActor(k_actor, o, spec.action.size, config.hidden, config.initial_std, config.activation),
        values=no_values(k_values, o, c, config.values),
        margin=jnp.zeros(c),
        moments=no_moments(o) if config.normalise_obs else (),
    )


def update(state: State, data: Drawn, key, *, config: Config, spec: Spec, limit: CostLimit):
    """One rollout: the margin, the policy, the values."""
    rows = rollout_of(data.rows, config, spec)
    obs, next_obs, dist, log_prob = look(state, rows)
    batch = experience(rows, obs, dist, log_prob, *advantages(state.values, rows, obs, next_obs, config))
    metrics, beyond, pace = {}, jnp.zeros_like(state.margin), 1.0
    if config.constrained:
        heard = listen(data.rows, spec)
        state, beyond, pace = hold_back(state, heard, batch, rows, data.step, config, spec, limit)
        metrics = by_constraint("episode_cost", heard.cost) | by_constraint("margin", state.margin * spec.horizon)
    actor, told = improve(state.actor, batch, beyond, config, pace)
    values, of_values = fit_values(state.values, batch, key, config.values)
    moments = observed(state.moments, rows)
    return state._replace(actor=actor, values=values, moments=moments), metrics | told | of_values, {}


def hold_back(
    state: State, heard: Heard, batch: Experience, rows, step, config: Config, spec: Spec, limit: CostLimit
) -> tuple[State, jax.Array, jax.Array]:
    """The state with its margin moved, by how much cost exceeds what is aimed at, margin included: [C], cost a step; and what part of
    `target_kl` the policy may move by: less of it the nearer costs are to their limits, all of it as soon as one is beyond its own."""
    aimed = config.aim * limit.at(step)
    grown = config.margin_decay * state.margin + config.margin_rate * (heard.cost - aimed) / spec.horizon
    most = config.margin_most * jnp.maximum(limit.at(step), 1.0) / spec.horizon
    margin = jnp.clip(grown, 0.0, most)
    if config.cost_mode == "episode":
        cost, allowed = heard.cost / heard.length, aimed / heard.length
    elif config.cost_mode == "rate":
        valid = rows.valid[..., None]
        cost = jnp.where(valid, rows.cost, 0.0).sum((0, 1)) / jnp.maximum(valid.sum(), 1)
        allowed = aimed / spec.horizon
    else:
        unit = 1.0 - config.cost_discount
        cost = unit * batch.weight @ batch.targets[:, 1:]
        allowed = unit * config.aim * limit.discounted(step, config.cost_discount, spec.horizon)
    beyond = cost - allowed + margin
    room = jnp.where(allowed > 0.0, -beyond / jnp.maximum(allowed, 1e-8), 1.0)  # a limit of 0 has no room to tell by
    pace = jnp.where((beyond > 0.0).any(), 1.0, jnp.clip(room, config.least_pace, 1.0).min())
    return state._replace(margin=margin), jnp.where(beyond > 0.0, config.recovery * beyond, beyond), pace


def improve(actor: PlainActor, batch: Experience, beyond, config: Config, pace=1.0) -> tuple[PlainActor, dict]:
    """One step: `beyond` [C] is by how much each cost a step exceeds what is allowed (Achiam et al. 2017, algorithm 1); `pace` is the part
    of `target_kl` that it may move by."""
    flat, unravel = ravel_pytree(actor)
    target_kl = pace * config.target_kl
    some = slice(None, None, config.fisher_every)

    def surrogates(flat):
        """Gains of reward and of each cost, [K], a step."""
        ratio = jnp.exp(gaussian.log_prob(unravel(flat)(batch.obs), batch.pre_action) - batch.log_prob)
        both = jnp.concatenate([batch.advantage[:, None], batch.cost_advantage], -1)
        return (batch.weight * ratio) @ both

    before, gradients = surrogates(flat), jax.jacrev(surrogates)(flat)
    share = batch.weight[some] / jnp.maximum(batch.weight[some].sum(), 1e-8)
    product = fisher_product(lambda flat: unravel(flat)(batch.obs[some]), flat, share, config.damping)
    solve = lambda b: conjugate_gradient(product, b, config.iterations)
    v = solve(-gradients[0])
    hv = product(v)
    if config.constrain_cost == "yes":
        w = jnp.stack([solve(b) for b in gradients[1:]])
        hw = jnp.stack([product(one) for one in w])
        found = trust_region.optimum(v @ hv, w @ hv, w @ hw.T, beyond, target_kl)
        step = -(found.along * v + found.cost_along @ w)
        case, multiplier = found.case, found.multiplier
    else:
        step = -jnp.sqrt(2.0 * target_kl / jnp.maximum(v @ hv, 1e-20)) * v
        case, multiplier = jnp.asarray(trust_region.FREE), jnp.zeros_like(beyond)

    def bounded(flat):
        """With deviations raised to their bound: exp(-inf) is none."""
        actor = unravel(flat)
        least = math.log(config.least_std) if config.least_std else -math.inf
        return ravel_pytree(eqx.tree_at(lambda one: one.log_std, actor, jnp.maximum(actor.log_std, least)))[0]

    def moved(flat):
        return batch.weight @ gaussian.kl(unravel(flat)(batch.obs), batch.dist)

    def accept(flat):
        flat = bounded(flat)
        gains = surrogates(flat) - before
        # A start that is within the limits must not lose reward; one that is not may, to come back.
        well = (moved(flat) <= target_kl) & ((gains[0] >= 0.0) | (case <= trust_region.RECOVERS))
        cheap = (gains[1:] <= jnp.maximum(-beyond, 0.0)).all()
        return well & (cheap if config.constrained else True)

    taken = line_search(flat, step, accept, config.tries, config.shrink)
    reached = bounded(taken.parameters)
    actor = unravel(reached)
    gains = surrogates(reached) - before
    told = {
        "kl": moved(reached),
        "gain": gains[0],
        "step": taken.fraction,
        "pace": jnp.asarray(pace),
        "entropy": batch.weight @ gaussian.entropy(actor(batch.obs)),
        "std": jnp.exp(actor.log_std).mean(),
    }
    if config.constrained:
        told |= {f"case_{k}": (case == k).astype(jnp.float32) for k in range(5)}
        told |= (
            by_constraint("nu", multiplier) | by_constraint("beyond", beyond) | by_constraint("cost_gain", gains[1:])
        )
    return actor, told
