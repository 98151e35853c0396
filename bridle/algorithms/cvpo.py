"""Constrained variational policy optimisation, CVPO (Liu et al. 2022, arXiv:2201.11927).

An E-step finds the best distribution over sampled actions that stays near the old policy and under the cost limit; an
M-step fits the policy to it, inside trust regions of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from bridle.core.algorithm import Algorithm, Batch, Latest, Sequences, Update
from bridle.core.config import check_ranges, check_types
from bridle.core.names import by_constraint
from bridle.core.types import Continuous, CostLimit, Drawn, Spec, Transition
from bridle.maths import gaussian
from bridle.maths.moments import Moments, no_moments
from bridle.maths.returns import episode_cost
from bridle.nets.mlp import QEnsemble, obs_size
from bridle.parts.constraints.calibrated import Measured, critic_limit, follow, in_words, unmeasured
from bridle.parts.constraints.variational import Dual, e_step, initial_dual, within_reach
from bridle.parts.critics import cost_value, fit, last_row, polyak, reward_value, td_targets
from bridle.parts.off_policy import seen, update_moments
from bridle.parts.policies import GaussianActor

ALPHA_MIN = 1e-2
"""Least weight of a KL term under the rule `log`, against a fit of weight 1: low enough to be off, near enough to return."""


@dataclass(frozen=True)
class Config:
    """Constrained variational policy optimisation."""

    discount: float = 0.98
    """gamma, of reward and of cost."""
    hidden: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers of actor and critics."""
    activation: Literal["relu", "tanh", "elu", "silu"] = "relu"
    """After every hidden layer."""
    head: Literal["squashed", "diagonal", "full"] = "diagonal"
    """The policy: diagonal Gaussian through tanh, or a clipped Gaussian with diagonal or full covariance."""
    initial_std: float = 0.7
    """Standard deviation of the first policy's actions, before squashing."""
    critics: int = 2
    """Critics of reward; the least of them counts."""
    cost_critics: int = 2
    """Critics of cost; the greatest of them counts."""
    layer_norm: bool = False
    """Normalise the hidden layers of the critics."""
    normalise_obs: bool = False
    """Scale observations by their running mean and deviation."""
    n_step: int = 2
    """Env steps of experience in a TD target."""
    cost_after_death: Literal["masked", "unmasked"] = "masked"
    """Does a termination end the cost as it ends the reward? The code of Liu et al. left it unmasked."""
    batch: int = 256
    """States in one update."""
    every: int = 320
    """Env steps, summed over all copies, between two blocks of updates."""
    times: int = 32
    """Updates in a block."""
    memory: int = 100_000
    """Env steps that replay holds."""
    warmup: int = 5_000
    """Env steps of uniformly random actions at the start."""
    samples: int = 8
    """Actions that the E-step samples for each state."""
    radius: float = 0.1
    """E-step: KL of the improved distribution to the old policy, nats."""
    multiplier_cap: float = 1e3
    """Greatest multiplier, reward a unit of discounted cost."""
    limit_unit: Literal["calibrated", "infinite", "horizon"] = "calibrated"
    """How the limit of an episode becomes a limit for the critic (see `CostLimit.discounted`)."""
    gain: float = 0.05
    """Unit `calibrated`: the part of the gap between measured cost and limit that one E-step closes."""
    aim: float = 0.5
    """Unit `calibrated`: the part of the limit that training aims at, since costs scatter round where they are held."""
    reach: float = 1.0
    """The part of the greatest fall of cost within the KL ball that one E-step asks for at most; below 1 reward is heeded even where the
    limit is out of reach."""
    fit_steps: int = 1
    """M-step: gradient steps on the actor in one update."""
    mean_radius: float = 0.02
    """M-step: KL that the mean may move from the old policy's, nats."""
    covariance_radius: float = 0.0005
    """M-step: KL that the covariance may move from the old policy's, nats."""
    alpha_rule: Literal["log", "ascent"] = "log"
    """How the weights of the two KL terms rise: ascent of their logarithms, or the plain ascent of the paper's code."""
    alpha_rates: tuple[float, float] = (0.02, 0.02)
    """Step sizes of that rise for mean and covariance."""
    alpha_caps: tuple[float, float] = (1e2, 1e2)
    """Greatest weights of the two KL terms."""
    fit_scale: Literal["one", "1/samples"] = "one"
    """Weight of the fit against the KL terms; the paper's code divides it by the number of samples."""
    old_policy: Literal["ema", "copy"] = "ema"
    """The old policy follows the actor slowly, or is copied from it at the end of each block."""
    acts: Literal["old", "new"] = "old"
    """Which policy acts and is evaluated: the old one, an average that stays near its limit, or the newest one (paper)."""
    old_rate: float = 0.004
    """How fast it follows, an update."""
    target_rate: float = 0.005
    """polyak: how fast the target critics follow, an update."""
    e_step_critics: Literal["target", "online"] = "target"
    """Which critics weigh the sampled actions."""
    actor_rate: float = 5e-4
    """Adam step size of the actor."""
    critic_rate: float = 1e-3
    """Adam step size of the critics."""
    max_grad_norm: float | None = None
    """Global clip of the actor's gradient (the paper's code: 0.01)."""

    def __post_init__(self):
        check_types(self)
        ranges = {
            "discount": (0.0 < self.discount < 1.0, "a number in (0, 1)"),
            "hidden": (len(self.hidden) > 0 and all(h > 0 for h in self.hidden), "one or more integers > 0"),
            "radius": (self.radius > 0, "nats > 0"),
            "mean_radius": (self.mean_radius > 0, "nats > 0"),
            "covariance_radius": (self.covariance_radius > 0, "nats > 0"),
            "initial_std": (self.initial_std > 0, "a number > 0"),
            "multiplier_cap": (self.multiplier_cap > 0, "a number > 0"),
            "warmup": (self.warmup >= 0, "an integer >= 0"),
            "old_rate": (0.0 < self.old_rate <= 1.0, "a number in (0, 1]"),
            "target_rate": (0.0 < self.target_rate <= 1.0, "a number in (0, 1]"),
            "actor_rate": (self.actor_rate > 0, "a number > 0"),
            "critic_rate": (self.critic_rate > 0, "a number > 0"),
            "gain": (0.0 < self.gain <= 1.0, "a number in (0, 1]"),
            "aim": (0.0 < self.aim <= 1.0, "a number in (0, 1]"),
            "reach": (0.0 < self.reach <= 1.0, "a number in (0, 1]"),
            "samples": (self.samples > 1, "an integer > 1"),
        }
        ranges |= {
            "max_grad_norm": (self.max_grad_norm is None or self.max_grad_norm > 0, "a number > 0, or None"),
            "alpha_rates": (min(self.alpha_rates) >= 0, "two numbers >= 0"),
            "alpha_caps": (min(self.alpha_caps) > 0, "two numbers > 0"),
        }
        counts = ("critics", "cost_critics", "n_step", "batch", "every", "times", "memory", "fit_steps")
        ranges |= {name: (getattr(self, name) > 0, "an integer > 0") for name in counts}
        check_ranges(self, ranges)

    def build(self, spec: Spec, limit: CostLimit) -> Algorithm:
        """CVPO for a world with continuous actions that tells a cost."""
        least = max(self.batch, self.n_step * spec.num_envs)
        if self.memory < least:
            raise ValueError(f"memory = {self.memory}; allowed: an integer >= {least}, what one draw needs")
        if not isinstance(spec.action, Continuous):
            raise ValueError(f"cvpo takes continuous actions, and {spec.name} has {spec.action}")
        bound = {"config": self, "spec": spec, "limit": limit}
        policy = Update(
            "policy",
            Sequences(self.batch, self.n_step) if self.n_step > 1 else Batch(self.batch),
            partial(update, **bound),
            every=self.every,
            start=self.warmup // self.every * self.every,  # so that the first block is at the first multiple after it
            times=self.times,
        )
        told = in_words(limit, self.discount, spec.horizon, self.limit_unit, self.aim)
        window = max(1, min(spec.horizon, self.memory // spec.num_envs))
        measure = Update("limit", Latest(window), partial(update_measured, spec=spec), every=self.every, gradient=False)
        updates = [policy]
        if self.limit_unit == "calibrated":
            updates.append(measure)
        if self.normalise_obs:
            rows = Latest(max(1, self.every // spec.num_envs))
            updates.append(Update("moments", rows, update_moments, self.every, gradient=False))
        return Algorithm(
            init=partial(init, **bound),
            actor=lambda state: acting(state, self),
            begin=lambda num_envs: (),
            act=act,
            updates=tuple(updates),
            memory=self.memory,
            warmup=self.warmup,
            about=(told,),
        )


class State(NamedTuple):
    """What learning carries; every leaf an array."""

    actor: GaussianActor
    old_actor: GaussianActor
    critic: QEnsemble
    cost_critic: QEnsemble
    target_critic: QEnsemble
    target_cost_critic: QEnsemble
    actor_opt: Any
    critic_opt: Any
    dual: Dual
    alpha: jax.Array
    """Weights of the KL terms of mean and covariance (rule `ascent`), or their logarithms (rule `log`): [2]."""
    measured: Measured
    moments: Moments | tuple
    """Of observations; () where they are taken as they are."""
    updates: jax.Array


def init(key, *, config: Config, spec: Spec, limit: CostLimit) -> State:
    k_actor, k_critic, k_cost = jax.random.split(key, 3)
    o, a, c = obs_size(spec.obs), spec.action.size, len(limit.limit)
    actor = GaussianActor(k_actor, o, a, config.hidden, config.head, config.initial_std, config.activation)
    shape = {"activation": config.activation, "layer_norm": config.layer_norm}
    critic = QEnsemble(k_critic, config.critics, o, a, config.hidden, 1, **shape)
    cost_critic = QEnsemble(k_cost, config.cost_critics, o, a, config.hidden, c, **shape)
    alpha = jnp.zeros(2)
    actor_tx, critic_tx = optimisers(config)
    return State(
        actor=actor,
        old_actor=actor,
        critic=critic,
        cost_critic=cost_critic,
        target_critic=critic,
        target_cost_critic=cost_critic,
        actor_opt=actor_tx.init(actor),
        critic_opt=critic_tx.init((critic, cost_critic)),
        dual=initial_dual(c),
        alpha=alpha,
        measured=unmeasured(limit),
        moments=no_moments(o) if config.normalise_obs else (),
        updates=jnp.zeros((), jnp.int32),
    )


def acting(state: State, config: Config):
    """The policy that acts, with what its observations are normalised by, if they are."""
    actor = state.old_actor if config.acts == "old" else state.actor
    return (actor, state.moments) if config.normalise_obs else actor


def act(actor: GaussianActor | tuple, carry, obs, key, explore: bool):
    """Sampled actions to explore, the mean to evaluate."""
    network, moments = actor if isinstance(actor, tuple) else (actor, ())
    return carry, network.act(seen(obs, moments), key, explore), {}


def update(state: State, data: Drawn, key, *, config: Config, spec: Spec, limit: CostLimit):
    """One step of critics, E-step and M-step on one batch."""
    rows = data.rows if config.n_step > 1 else jax.tree.map(lambda leaf: leaf[:, None], data.rows)
    k_next, k_sample = jax.random.split(key)
    obs = seen(jax.tree.map(lambda leaf: leaf[:, 0], rows.obs), state.moments)
    critic, cost_critic, critic_opt, critic_metrics = fit_critics(state, rows, obs, k_next, config)

    # E-step: weigh actions of the old policy.
    old = state.old_actor(obs)
    pre_action = gaussian.sample(old, k_sample, (config.samples,))
    action = state.actor.to_action(pre_action)
    target = config.e_step_critics == "target"
    q = reward_value((state.target_critic if target else critic)(obs, action))
    cost_q = cost_value((state.target_cost_critic if target else cost_critic)(obs, action))
    mean_cost_q = cost_q.mean((0, 1))
    limit_now = limit_in_critic(state.measured, mean_cost_q, data.step, config, spec, limit)
    if config.reach < 1.0:
        limit_now = within_reach(cost_q, config.radius, limit_now, config.reach)
    expectation = e_step(state.dual, q, cost_q, config.radius, limit_now, config.multiplier_cap)

    # M-step: fit the weighted actions inside trust regions of mean and covariance.
    fitted = gaussian.weighted_moments(expectation.weight, pre_action, old.mean, old.full)
    fit_one = partial(fit_actor, obs=obs, old=old, fitted=fitted, config=config)
    learner = (state.actor, state.actor_opt, state.alpha)
    (actor, actor_opt, alpha), fit_metrics = jax.lax.scan(fit_one, learner, length=config.fit_steps)

    updates = state.updates + 1
    rate = 2.0 * config.every / (config.times * spec.num_envs * (spec.horizon or 1))
    if config.old_policy == "ema":
        old_actor = polyak(state.old_actor, actor, config.old_rate)
    else:
        due = updates % config.times == 0
        old_actor = jax.tree.map(lambda new, old: jnp.where(due, new, old), actor, state.old_actor)
    new_state = state._replace(
        actor=actor,
        old_actor=old_actor,
        critic=critic,
        cost_critic=cost_critic,
        target_critic=polyak(state.target_critic, critic, config.target_rate),
        target_cost_critic=polyak(state.target_cost_critic, cost_critic, config.target_rate),
        actor_opt=actor_opt,
        critic_opt=critic_opt,
        dual=expectation.dual,
        alpha=alpha,
        measured=follow(state.measured, mean_cost_q, rate, updates),
        updates=updates,
    )
    metrics = {
        **critic_metrics,
        "q": q.mean(),
        "eta": expectation.dual.eta,
        "feasible": expectation.feasible.astype(jnp.float32),
        "kl": expectation.kl,
        "residual_eta": expectation.residual_eta,
        "std": jnp.mean(gaussian.diagonal(old.scale, old.full)),
        **by_constraint("cost_q", mean_cost_q),
        **by_constraint("limit", limit_now),
        **by_constraint("multiplier", expectation.dual.multiplier),
        **by_constraint("residual_limit", expectation.residual_limit),
        **{name: value[-1] for name, value in fit_metrics.items()},
    }
    return new_state, metrics, {}


def fit_critics(state: State, rows: Transition, obs, key, config: Config):
    """One step of both critics to TD targets at an action of the current policy: critics, optimiser, metrics."""
    next_obs = seen(last_row(rows), state.moments)
    next_action = state.actor.act(next_obs, key, True)
    target, cost_target = td_targets(
        rows,
        reward_value(state.target_critic(next_obs, next_action)),
        cost_value(state.target_cost_critic(next_obs, next_action)),
        config.discount,
        config.discount,
        config.cost_after_death == "masked",
    )

    learner = (state.critic, state.cost_critic), state.critic_opt, optimisers(config)[1]
    critics, critic_opt, losses = fit(*learner, obs, rows.action[:, 0], (target[:, None], cost_target))
    return *critics, critic_opt, {"critic_loss": losses[0], "cost_critic_loss": losses[1]}


def limit_in_critic(measured: Measured, mean_cost_q, step, config: Config, spec: Spec, limit: CostLimit):
    """The limit that this E-step keeps, in the critic's unit: [C]."""
    if config.limit_unit != "calibrated":
        return limit.discounted(step, config.discount, spec.horizon, config.limit_unit)
    return critic_limit(
        measured, mean_cost_q, step, config.discount, spec.horizon, limit, gain=config.gain, aim=config.aim
    )


def fit_actor(learner, _, *, obs, old, fitted, config: Config):
    """One gradient step of the M-step (Liu et al. 2022, eq. 11; decoupled as in Abdolmaleki et al. 2018, section 4.2)."""
    actor, actor_opt, alpha = learner
    mean, second = fitted
    radii = jnp.array([config.mean_radius, config.covariance_radius])
    weights = jnp.exp(alpha) if config.alpha_rule == "log" else alpha
    scale = 1.0 if config.fit_scale == "one" else 1.0 / config.samples

    def loss(actor):
        new = actor(obs)
        misfit = gaussian.mean_energy(mean - new.mean, old.scale, old.full)
        misfit += gaussian.trace_energy(second, new.scale, old.full)
        kl = jnp.stack([gaussian.kl_mean(old, new.mean).mean(), gaussian.kl_covariance(old, new.scale).mean()])
        return scale * misfit.mean() + weights @ kl, (misfit.mean(), kl)

    if config.alpha_rule == "ascent":  # the code raises alpha before the actor's step, at the same KL
        _, (_, kl) = loss(actor)
        caps = jnp.array(config.alpha_caps)
        alpha = weights = jnp.clip(alpha + jnp.array(config.alpha_rates) * (kl - radii), 0.0, caps)
    grads, (misfit, kl) = jax.grad(loss, has_aux=True)(actor)
    steps, actor_opt = optimisers(config)[0].update(grads, actor_opt)
    actor = optax.apply_updates(actor, steps)
    if config.alpha_rule == "log":
        excess = jnp.clip(kl / radii - 1.0, -1.0, 1.0)
        caps = jnp.log(jnp.array(config.alpha_caps))
        alpha = jnp.clip(alpha + jnp.array(config.alpha_rates) * excess, jnp.log(ALPHA_MIN), caps)
    metrics = {
        "fit": misfit,
        "kl_mean": kl[0],
        "kl_covariance": kl[1],
        "alpha_mean": weights[0],
        "alpha_covariance": weights[1],
    }
    return (actor, actor_opt, alpha), metrics


def update_measured(state: State, data: Drawn, key, *, spec: Spec):
    """What an episode costs now, for the unit `calibrated`."""
    measured = state.measured._replace(episode_cost=episode_cost(data.rows, spec.horizon))
    return state._replace(measured=measured), by_constraint("episode_cost", measured.episode_cost), {}


def optimisers(config: Config):
    """Adam of the actor and of the critics."""
    clip = [] if config.max_grad_norm is None else [optax.clip_by_global_norm(config.max_grad_norm)]
    return optax.chain(*clip, optax.adam(config.actor_rate)), optax.adam(config.critic_rate)
