"""Soft actor-critic, SAC (Haarnoja et al. 2018, arXiv:1812.05905), with a multiplier on cost where one is asked for.

The actor climbs q + entropy - multiplier . cost_q; critics of reward and of cost learn from replay. With ensembles, more updates a
step, normalised layers and dropout it is REDQ (Chen et al. 2021) and DroQ (Hiraoka et al. 2022): presets `redq`, `droq`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from bridle.core.algorithm import Algorithm
from bridle.core.config import check_ranges, check_types
from bridle.core.types import Continuous, CostLimit, Drawn, Spec
from bridle.maths import gaussian
from bridle.maths.moments import Moments, no_moments
from bridle.nets.mlp import QEnsemble, obs_size
from bridle.parts.constraints.lagrange import Lagrange
from bridle.parts.constraints.multiplier import Kind, price
from bridle.parts.constraints.pid import PID
from bridle.parts.critics import cost_value, fit, last_row, polyak, reward_value, targets
from bridle.parts.off_policy import assemble, common_ranges, hear_critic, now_and_then, seen
from bridle.parts.policies import GaussianActor


@dataclass(frozen=True)
class Config:
    """Soft actor-critic."""

    constraint: Kind = "none"
    """How cost is kept under its limit: not at all, by dual ascent, or by PID control of the multiplier."""
    signal: Literal["episodes", "recent", "critic"] = "recent"
    """What the multiplier listens to: finished episodes (FSRL), the cost of an episode over the last horizon of steps of every
    env, or the cost critic (cvpo-safe-rl)."""
    aim: float = 0.6
    """The part of the limit that training aims at, since costs scatter round where they are held."""
    rescale: bool = True
    """Divide the actor's loss by 1 + the multipliers."""
    limit_unit: Literal["infinite", "horizon"] = "infinite"
    """Signal `critic`: how the limit of an episode becomes a limit for the critic (see `CostLimit.discounted`)."""
    lagrange: Lagrange = field(default_factory=Lagrange)
    """Dual ascent, where it is asked for: `--lagrange.rate`, ..."""
    pid: PID = field(default_factory=PID)
    """PID control, where it is asked for: `--pid.kp`, ..."""
    discount: float = 0.98
    """gamma, of reward and of cost."""
    hidden: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers of actor and critics."""
    activation: Literal["relu", "tanh", "elu", "silu"] = "relu"
    """After every hidden layer."""
    initial_std: float = 0.7
    """Standard deviation of the first policy's actions, before squashing."""
    critics: int = 2
    """Critics of reward; the least of them counts."""
    subset: int | None = None
    """So many of them, drawn anew for each target, count there (REDQ: 2 of 10); by default all."""
    cost_critics: int = 1
    """Critics of cost; the greatest of them counts."""
    layer_norm: bool = False
    """Normalise the hidden layers of the critics."""
    dropout: float = 0.0
    """Part of the critics' hidden units that is silenced wherever learning asks them (DroQ: 0.01, with layer_norm)."""
    n_step: int = 2
    """Env steps of experience in a TD target."""
    cost_after_death: Literal["masked", "unmasked"] = "masked"
    """Does a termination end the cost as it ends the reward?"""
    entropy_in_cost: bool = False
    """Let the target of cost carry the entropy bonus too, as the code of cvpo-safe-rl does."""
    temperature: Literal["learned", "fixed"] = "learned"
    """Is alpha, the weight of entropy, learned?"""
    alpha: float = 0.1
    """Weight of entropy, or where it begins."""
    target_entropy: float | None = None
    """Entropy that a learned alpha holds, nats; by default minus the number of actions."""
    batch: int = 256
    """States in one update."""
    every: int = 320
    """Env steps, summed over all copies, between two blocks of updates."""
    times: int = 32
    """Updates in a block."""
    actor_every: int = 1
    """Updates of the critics for each one of the actor."""
    memory: int = 200_000
    """Env steps that replay holds."""
    warmup: int = 5_000
    """Env steps of uniformly random actions at the start."""
    normalise_obs: bool = False
    """Scale observations by their running mean and deviation."""
    target_rate: float = 0.005
    """polyak: how fast the target critics follow, an update."""
    actor_rate: float = 5e-4
    """Adam step size of the actor."""
    critic_rate: float = 1e-3
    """Adam step size of the critics."""
    alpha_rate: float = 3e-4
    """Adam step size of alpha's logarithm."""

    def __post_init__(self):
        check_types(self)
        rates = ("initial_std", "alpha", "alpha_rate")
        check_ranges(self, common_ranges(self) | {name: (getattr(self, name) > 0, "a number > 0") for name in rates})

    @property
    def constrained(self) -> bool:
        """Does it need a cost and a limit?"""
        return self.constraint != "none"

    def build(self, spec: Spec, limit: CostLimit) -> Algorithm:
        """SAC for a world with continuous actions."""
        if not isinstance(spec.action, Continuous):
            raise ValueError(f"sac takes continuous actions, and {spec.name} has {spec.action}")
        multiplier = {"none": None, "lagrange": self.lagrange, "pid": self.pid}[self.constraint]
        actor = lambda state: (state.actor, state.moments)
        return assemble(self, spec, limit, multiplier, init=init, actor=actor, act=act, update=update)


class State(NamedTuple):
    """What learning carries; every leaf an array."""

    actor: GaussianActor
    critics: tuple[QEnsemble, ...]
    """Of reward; and of cost, where it is heeded."""
    target_critics: tuple[QEnsemble, ...]
    actor_opt: Any
    critic_opt: Any
    log_alpha: jax.Array
    alpha_opt: Any
    multiplier: Any
    """Of the rule that prices cost; () where none does."""
    moments: Moments | tuple
    """Of observations; () where they are taken as they are."""
    updates: jax.Array


def init(key, *, config: Config, spec: Spec, limit: CostLimit, multiplier) -> State:
    k_actor, k_critic, k_cost = jax.random.split(key, 3)
    o, a, c = obs_size(spec.obs), spec.action.size, len(limit.limit)
    actor = GaussianActor(k_actor, o, a, config.hidden, "squashed", config.initial_std, config.activation)
    shape = {"activation": config.activation, "layer_norm": config.layer_norm, "dropout": config.dropout}
    critics = (QEnsemble(k_critic, config.critics, o, a, config.hidden, 1, **shape),)
    if multiplier is not None:
        critics += (QEnsemble(k_cost, config.cost_critics, o, a, config.hidden, c, **shape),)
    log_alpha = jnp.log(jnp.asarray(config.alpha, jnp.float32))
    return State(
        actor=actor,
        critics=critics,
        target_critics=critics,
        actor_opt=optax.adam(config.actor_rate).init(actor),
        critic_opt=optax.adam(config.critic_rate).init(critics),
        log_alpha=log_alpha,
        alpha_opt=optax.adam(config.alpha_rate).init(log_alpha),
        multiplier=() if multiplier is None else multiplier.init(c),
        moments=no_moments(o) if config.normalise_obs else (),
        updates=jnp.zeros((), jnp.int32),
    )


def act(actor, carry, obs, key, explore: bool, *, config: Config):
    """Sampled actions to explore, the mean to evaluate."""
    network, moments = actor
    return carry, network.act(seen(obs, moments), key, explore), {}


def update(state: State, data: Drawn, key, *, config: Config, spec: Spec, limit: CostLimit, multiplier):
    """One step of critics and actor, alpha and (signal `critic`) multiplier, on one batch."""
    rows = data.rows if config.n_step > 1 else jax.tree.map(lambda leaf: leaf[:, None], data.rows)
    k_next, k_value, k_fit, k_actor = jax.random.split(key, 4)
    obs = seen(jax.tree.map(lambda leaf: leaf[:, 0], rows.obs), state.moments)
    learner = state.critics, state.critic_opt, optax.adam(config.critic_rate)
    dropping = k_fit if config.dropout > 0 else None
    critics, critic_opt, losses = fit(
        *learner, obs, rows.action[:, 0], targets_of(state, rows, k_next, k_value, config), dropping
    )
    state = state._replace(
        critics=critics,
        critic_opt=critic_opt,
        target_critics=polyak(state.target_critics, critics, config.target_rate),
        updates=state.updates + 1,
    )
    improve = partial(fit_actor, obs=obs, key=k_actor, data=data, config=config, spec=spec, limit=limit)
    improve = partial(improve, multiplier=multiplier)
    due = state.updates % config.actor_every == 0
    state, metrics = now_and_then(improve, state, due, config.actor_every)
    names = ("critic_loss", "cost_critic_loss")
    return state, {**metrics, **dict(zip(names, losses, strict=False))}, {}


def targets_of(state: State, rows, k_next, k_value, config: Config) -> tuple:
    """TD targets of reward [B 1] and of cost [B C] at an action of the current policy."""
    next_obs = seen(last_row(rows), state.moments)
    dist = state.actor(next_obs)
    pre_action = gaussian.sample(dist, k_next)
    next_action = state.actor.to_action(pre_action)
    bonus = -jnp.exp(state.log_alpha) * gaussian.squashed_log_prob(dist, pre_action)
    cost_bonus = config.entropy_in_cost * bonus[:, None]
    return targets(state.target_critics, rows, next_obs, next_action, k_value, config, bonus, cost_bonus)


def fit_actor(state: State, *, obs, key, data: Drawn, config: Config, spec: Spec, limit: CostLimit, multiplier):
    """One step of the actor, of alpha, and of a multiplier that listens to the critic."""
    weight = None if multiplier is None else multiplier.weight(state.multiplier)
    alpha = jnp.exp(state.log_alpha)
    k_action, *k_drop = jax.random.split(key, 3) if config.dropout > 0 else (key, None, None)

    def loss(actor):
        dist = actor(obs)
        pre_action = gaussian.sample(dist, k_action)
        log_prob = gaussian.squashed_log_prob(dist, pre_action)
        action = actor.to_action(pre_action)
        members = state.critics[0](obs, action, k_drop[0])
        q = reward_value(members) if config.subset is None else members.mean(0)[..., 0]
        gain, told = q - alpha * log_prob, {"q": q.mean(), "entropy": -log_prob.mean()}
        if weight is None:
            return -gain.mean(), (told, None)
        cost_q = cost_value(state.critics[1](obs, action, k_drop[1]))
        return -price(gain, cost_q, weight, config.rescale).mean(), (told, cost_q.mean(0))

    grads, (metrics, cost_q) = jax.grad(loss, has_aux=True)(state.actor)
    steps, actor_opt = optax.adam(config.actor_rate).update(grads, state.actor_opt)
    state = state._replace(actor=optax.apply_updates(state.actor, steps), actor_opt=actor_opt)
    if (
        config.temperature == "learned"
    ):  # dual ascent on the entropy (Haarnoja et al. 2018, eq. 18), in alpha's logarithm
        wanted = -float(spec.action.size) if config.target_entropy is None else config.target_entropy
        gradient = alpha * (metrics["entropy"] - wanted)
        step, alpha_opt = optax.adam(config.alpha_rate).update(gradient, state.alpha_opt)
        state = state._replace(log_alpha=state.log_alpha + step, alpha_opt=alpha_opt)
    metrics["alpha"] = alpha
    if weight is not None:
        state, told = hear_critic(
            state, data, cost_q, weight, config=config, spec=spec, limit=limit, multiplier=multiplier
        )
        metrics |= told
    return state, metrics
