"""Twin delayed deterministic policy gradient, TD3 (Fujimoto et al. 2018, arXiv:1802.09477), with a multiplier on cost where one
is asked for.

A deterministic actor climbs q - multiplier . cost_q, less often than critics of reward and of cost learn from replay.
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
from bridle.maths.moments import Moments, no_moments
from bridle.nets.mlp import QEnsemble, obs_size
from bridle.parts.constraints.lagrange import Lagrange
from bridle.parts.constraints.multiplier import Kind, price
from bridle.parts.constraints.pid import PID
from bridle.parts.critics import cost_value, fit, last_row, polyak, targets
from bridle.parts.off_policy import assemble, common_ranges, hear_critic, now_and_then, seen
from bridle.parts.policies import DeterministicActor, Squash


@dataclass(frozen=True)
class Config:
    """Twin delayed deterministic policy gradient."""

    constraint: Kind = "none"
    """How cost is kept under its limit: not at all, by dual ascent, or by PID control of the multiplier."""
    signal: Literal["episodes", "recent", "critic"] = "recent"
    """What the multiplier listens to: finished episodes (FSRL), the cost of an episode over the last horizon of steps of every
    env, or the cost critic (cvpo-safe-rl)."""
    aim: float = 0.5
    """The part of the limit that training aims at, since costs scatter round where they are held."""
    rescale: bool = True
    """Divide the actor's loss by 1 + the multipliers."""
    limit_unit: Literal["infinite", "horizon"] = "infinite"
    """Signal `critic`: how the limit of an episode becomes a limit for the critic (see `CostLimit.discounted`)."""
    lagrange: Lagrange = field(default_factory=lambda: Lagrange(rate=0.02, initial=1.0, bound=5.0))
    """Dual ascent, where it is asked for: `--lagrange.rate`, ..."""
    pid: PID = field(default_factory=PID)
    """PID control, where it is asked for: `--pid.kp`, ..."""
    discount: float = 0.98
    """gamma, of reward and of cost."""
    hidden: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers of actor and critics."""
    activation: Literal["relu", "tanh", "elu", "silu"] = "relu"
    """After every hidden layer."""
    squash: Squash = "clipped"
    """What keeps actions in [-1, 1]: tanh (published), whose gradient is gone where an action is at its bound, or a cut whose
    gradient is blocked only outwards."""
    noise: float = 0.5
    """Standard deviation of what is added to an action to explore."""
    correlation: float = 0.9
    """How much of it comes from the step before: 0, white noise (TD3); towards 1, noise that pushes one way for about
    1 / (1 - correlation) steps, as that of Ornstein and Uhlenbeck in Lillicrap et al. 2016."""
    noiseless: float = 0.25
    """Part of the copies (rounded down) that act without noise, as the policy is used; if there are any, the signal `recent`
    listens to them alone. The other signals hear every copy: `episodes` all that finish, `critic` the replay."""
    target_noise: float = 0.2
    """Standard deviation of what is added to the next action of a target."""
    target_noise_bound: float = 0.5
    """How far that may go."""
    critics: int = 2
    """Critics of reward; the least of them counts in targets, the first in the actor's loss."""
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
    batch: int = 256
    """States in one update."""
    every: int = 320
    """Env steps, summed over all copies, between two blocks of updates."""
    times: int = 32
    """Updates in a block."""
    acts: Literal["actor", "target"] = "target"
    """Which actor acts and is evaluated: the newest one (published), or the target, an average that stays near its limit."""
    actor_every: int = 2
    """Updates of the critics for each one of the actor and of the targets."""
    memory: int = 200_000
    """Env steps that replay holds."""
    warmup: int = 5_000
    """Env steps of uniformly random actions at the start."""
    normalise_obs: bool = False
    """Scale observations by their running mean and deviation."""
    target_rate: float = 0.01
    """polyak: how fast targets follow, each time that the actor learns."""
    actor_rate: float = 1e-4
    """Adam step size of the actor."""
    critic_rate: float = 1e-3
    """Adam step size of the critics."""

    def __post_init__(self):
        check_types(self)
        noises = ("noise", "target_noise", "target_noise_bound")
        ranges = common_ranges(self) | {name: (getattr(self, name) >= 0, "a number >= 0") for name in noises}
        parts = ("correlation", "noiseless")
        check_ranges(self, ranges | {name: (0.0 <= getattr(self, name) < 1.0, "a number in [0, 1)") for name in parts})

    @property
    def constrained(self) -> bool:
        """Does it need a cost and a limit?"""
        return self.constraint != "none"

    def build(self, spec: Spec, limit: CostLimit) -> Algorithm:
        """TD3 for a world with continuous actions."""
        if not isinstance(spec.action, Continuous):
            raise ValueError(f"td3 takes continuous actions, and {spec.name} has {spec.action}")
        multiplier = {"none": None, "lagrange": self.lagrange, "pid": self.pid}[self.constraint]
        actor = lambda state: (state.target_actor if self.acts == "target" else state.actor, state.moments)
        begin = lambda num_envs: jnp.zeros((num_envs, spec.action.size))
        quiet = int(self.noiseless * spec.num_envs) or None
        learner = assemble(self, spec, limit, multiplier, quiet, init=init, actor=actor, act=act, update=update)
        return learner._replace(begin=begin)


class State(NamedTuple):
    """What learning carries; every leaf an array."""

    actor: DeterministicActor
    target_actor: DeterministicActor
    critics: tuple[QEnsemble, ...]
    """Of reward; and of cost, where it is heeded."""
    target_critics: tuple[QEnsemble, ...]
    actor_opt: Any
    critic_opt: Any
    multiplier: Any
    """Of the rule that prices cost; () where none does."""
    moments: Moments | tuple
    """Of observations; () where they are taken as they are."""
    updates: jax.Array


def init(key, *, config: Config, spec: Spec, limit: CostLimit, multiplier) -> State:
    k_actor, k_critic, k_cost = jax.random.split(key, 3)
    o, a, c = obs_size(spec.obs), spec.action.size, len(limit.limit)
    actor = DeterministicActor(k_actor, o, a, config.hidden, config.activation, config.squash)
    shape = {"activation": config.activation, "layer_norm": config.layer_norm, "dropout": config.dropout}
    critics = (QEnsemble(k_critic, config.critics, o, a, config.hidden, 1, **shape),)
    if multiplier is not None:
        critics += (QEnsemble(k_cost, config.cost_critics, o, a, config.hidden, c, **shape),)
    return State(
        actor=actor,
        target_actor=actor,
        critics=critics,
        target_critics=critics,
        actor_opt=optax.adam(config.actor_rate).init(actor),
        critic_opt=optax.adam(config.critic_rate).init(critics),
        multiplier=() if multiplier is None else multiplier.init(c),
        moments=no_moments(o) if config.normalise_obs else (),
        updates=jnp.zeros((), jnp.int32),
    )


def act(actor, carry, obs, key, explore: bool, *, config: Config):
    """The actor's action; to explore with Gaussian noise, but for the first copies. `carry` is the noise [N A] of the step
    before, of variance 1."""
    network, moments = actor
    action = network(seen(obs, moments))
    if not explore:
        return carry, action, {}
    kept = config.correlation
    carry = kept * carry + (1.0 - kept**2) ** 0.5 * jax.random.normal(key, action.shape)
    noisy = jnp.arange(len(action)) >= int(config.noiseless * len(action))
    return carry, jnp.clip(action + config.noise * noisy[:, None] * carry, -1.0, 1.0), {}


def update(state: State, data: Drawn, key, *, config: Config, spec: Spec, limit: CostLimit, multiplier):
    """One step of critics, and now and then of actor, targets and (signal `critic`) multiplier, on one batch."""
    rows = data.rows if config.n_step > 1 else jax.tree.map(lambda leaf: leaf[:, None], data.rows)
    k_next, k_value, k_fit, k_actor = jax.random.split(key, 4)
    obs = seen(jax.tree.map(lambda leaf: leaf[:, 0], rows.obs), state.moments)
    learner = state.critics, state.critic_opt, optax.adam(config.critic_rate)
    dropping = k_fit if config.dropout > 0 else None
    critics, critic_opt, losses = fit(
        *learner, obs, rows.action[:, 0], targets_of(state, rows, k_next, k_value, config), dropping
    )
    state = state._replace(critics=critics, critic_opt=critic_opt, updates=state.updates + 1)
    improve = partial(fit_actor, obs=obs, key=k_actor, data=data, config=config, spec=spec, limit=limit)
    improve = partial(improve, multiplier=multiplier)
    due = state.updates % config.actor_every == 0
    state, metrics = now_and_then(improve, state, due, config.actor_every)
    names = ("critic_loss", "cost_critic_loss")
    return state, {**metrics, **dict(zip(names, losses, strict=False))}, {}


def targets_of(state: State, rows, k_next, k_value, config: Config) -> tuple:
    """TD targets of reward [B 1] and of cost [B C] at the target actor's action, smoothed by noise (section 5.3)."""
    next_obs = seen(last_row(rows), state.moments)
    next_action = state.target_actor.noisy(next_obs, k_next, config.target_noise, config.target_noise_bound)
    return targets(state.target_critics, rows, next_obs, next_action, k_value, config)


def fit_actor(state: State, *, obs, key, data: Drawn, config: Config, spec: Spec, limit: CostLimit, multiplier):
    """One step of the actor, of all targets, and of a multiplier that listens to the critic."""
    weight = None if multiplier is None else multiplier.weight(state.multiplier)
    k_drop = jax.random.split(key) if config.dropout > 0 else (None, None)

    def loss(actor):
        action = actor(obs)
        q = state.critics[0](obs, action, k_drop[0])[0, ..., 0]
        if weight is None:
            return -q.mean(), (q.mean(), None)
        cost_q = cost_value(state.critics[1](obs, action, k_drop[1]))
        return -price(q, cost_q, weight, config.rescale).mean(), (q.mean(), cost_q.mean(0))

    grads, (q, cost_q) = jax.grad(loss, has_aux=True)(state.actor)
    steps, actor_opt = optax.adam(config.actor_rate).update(grads, state.actor_opt)
    actor = optax.apply_updates(state.actor, steps)
    state = state._replace(
        actor=actor,
        actor_opt=actor_opt,
        target_actor=polyak(state.target_actor, actor, config.target_rate),
        target_critics=polyak(state.target_critics, state.critics, config.target_rate),
    )
    metrics = {"q": q}
    if weight is not None:
        state, told = hear_critic(
            state, data, cost_q, weight, config=config, spec=spec, limit=limit, multiplier=multiplier
        )
        metrics |= told
    return state, metrics
