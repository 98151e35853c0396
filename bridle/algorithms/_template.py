"""Template: deterministic policy gradient under a multiplier, the smallest algorithm here that keeps a limit.

A critic of reward and one of cost learn from replay, the actor climbs q - multiplier . cost_q, and the multiplier rises
while finished episodes cost more than the limit (Lillicrap et al. 2016, arXiv:1509.02971, and dual ascent).

Copy this file, keep its order, and change one thing at a time: docs/adding-an-algorithm.md walks through it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from bridle.core.algorithm import Algorithm, Batch, Finished, Update
from bridle.core.config import check_ranges, check_types
from bridle.core.types import Continuous, CostLimit, Drawn, Spec
from bridle.nets.mlp import MLP, QEnsemble, flatten_obs, obs_size
from bridle.parts.critics import cost_value, fit, last_row, polyak, reward_value, td_targets


# 1. Config: default, type, help text, validation and saved form of each setting, in one place. `build` only binds.
@dataclass(frozen=True)
class Config:
    """Deterministic policy gradient under a multiplier."""

    discount: float = 0.95
    """gamma, of reward and of cost."""
    hidden: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers of actor and critics."""
    noise: float = 0.3
    """Standard deviation of what is added to an action to explore."""
    batch: int = 128
    """Transitions in one update."""
    every: int = 64
    """Env steps, summed over all copies, between two blocks of updates."""
    times: int = 16
    """Updates in a block."""
    memory: int = 100_000
    """Env steps that replay holds."""
    warmup: int = 1_000
    """Env steps of uniformly random actions at the start."""
    actor_rate: float = 1e-3
    """Adam step size of the actor."""
    critic_rate: float = 1e-3
    """Adam step size of the critics."""
    target_rate: float = 0.01
    """polyak: how fast the targets follow, an update."""
    multiplier_rate: float = 0.01
    """Dual ascent: how far the multiplier moves for an excess of the whole limit, a finished episode."""

    def __post_init__(self):
        check_types(self)
        ranges = {"discount": (0.0 < self.discount < 1.0, "a number in (0, 1)")}
        counts = ("batch", "every", "times", "memory")
        check_ranges(self, ranges | {name: (getattr(self, name) > 0, "an integer > 0") for name in counts})

    def build(self, spec: Spec, limit: CostLimit) -> Algorithm:
        """The algorithm for a world with continuous actions."""
        if not isinstance(spec.action, Continuous):
            raise ValueError(f"the template takes continuous actions, and {spec.name} has {spec.action}")
        policy = Update(
            "policy",
            Batch(self.batch),
            partial(update, config=self),
            every=self.every,
            start=max(self.warmup, self.batch),
            times=self.times,
        )
        constraint = Update(
            "constraint",
            Finished(32),
            partial(update_multiplier, config=self, limit=limit),
            every=self.every,
            gradient=False,  # its steps are none of a network
        )
        return Algorithm(
            init=partial(init, config=self, spec=spec, constraints=len(limit.limit)),
            actor=lambda state: state.actor,
            begin=lambda num_envs: (),
            act=partial(act, noise=self.noise),
            updates=(policy, constraint),
            memory=self.memory,
            warmup=self.warmup,
        )


# 2. State: whatever learning carries. Every leaf is an array, so that jit, optax and a checkpoint take it as it is.
class State(NamedTuple):
    """What learning carries."""

    actor: MLP
    critics: tuple[QEnsemble, QEnsemble]
    """Of reward and of cost."""
    target_actor: MLP
    target_critics: tuple[QEnsemble, QEnsemble]
    actor_opt: Any
    critic_opt: Any
    multiplier: jax.Array
    """[C], reward a unit of cost."""


# 3. init: the state of a learner that has seen nothing. The key is an argument and is never kept.
def init(key, *, config: Config, spec: Spec, constraints: int) -> State:
    k_actor, k_critic, k_cost = jax.random.split(key, 3)
    o, a = obs_size(spec.obs), spec.action.size
    actor = MLP(k_actor, (o, *config.hidden, a), last_scale=0.01)
    critics = QEnsemble(k_critic, 2, o, a, config.hidden, 1), QEnsemble(k_cost, 2, o, a, config.hidden, constraints)
    actor_opt, critic_opt = optax.adam(config.actor_rate).init(actor), optax.adam(config.critic_rate).init(critics)
    return State(actor, critics, actor, critics, actor_opt, critic_opt, jnp.zeros(constraints))


# 4. act: what the loop calls at every env step. `explore` is static; a policy without memory hands its carry through.
def act(actor: MLP, carry, obs, key, explore: bool, *, noise: float):
    """The actor's action, with Gaussian noise to explore."""
    action = jnp.tanh(actor(flatten_obs(obs, 1)))
    apart = noise * jax.random.normal(key, action.shape) if explore else 0.0
    return carry, jnp.clip(action + apart, -1.0, 1.0), {}


# 5. update(s): (state, what was drawn, key) -> (state, metrics, what to write back); pure, compiled once by the loop.
def update(state: State, data: Drawn, key, *, config: Config):
    """One step of the critics, and one of the actor."""
    rows = jax.tree.map(lambda leaf: leaf[:, None], data.rows)  # stretches of one step
    obs, next_obs = flatten_obs(data.rows.obs, 1), flatten_obs(last_row(rows), 1)
    next_action = jnp.tanh(state.target_actor(next_obs))
    target_q, target_cost_q = (critic(next_obs, next_action) for critic in state.target_critics)
    targets = td_targets(
        rows, reward_value(target_q), cost_value(target_cost_q), config.discount, config.discount, True
    )

    learner = state.critics, state.critic_opt, optax.adam(config.critic_rate)
    critics, critic_opt, losses = fit(*learner, obs, data.rows.action, (targets[0][:, None], targets[1]))

    def actor_loss(actor):
        action = jnp.tanh(actor(obs))
        q, cost_q = reward_value(critics[0](obs, action)), cost_value(critics[1](obs, action))
        # Divided by 1 + the multipliers, so that the step stays as long as the price rises (Stooke et al. 2020, section 6).
        return -(q - cost_q @ state.multiplier).mean() / (1.0 + state.multiplier.sum()), q.mean()

    grads, q = jax.grad(actor_loss, has_aux=True)(state.actor)
    steps, actor_opt = optax.adam(config.actor_rate).update(grads, state.actor_opt)
    actor = optax.apply_updates(state.actor, steps)
    new_state = state._replace(
        actor=actor,
        critics=critics,
        target_actor=polyak(state.target_actor, actor, config.target_rate),
        target_critics=polyak(state.target_critics, critics, config.target_rate),
        actor_opt=actor_opt,
        critic_opt=critic_opt,
    )
    return new_state, {"q": q, "critic_loss": sum(losses)}, {}


def update_multiplier(state: State, data: Drawn, key, *, config: Config, limit: CostLimit):
    """Dual ascent on the undiscounted cost of finished episodes, which is what the limit speaks of."""
    episodes, allowed = data.rows, limit.at(data.step)
    excess = jnp.where(episodes.valid[:, None], episodes.cost - allowed, 0.0).sum(0)
    multiplier = jnp.maximum(state.multiplier + config.multiplier_rate * excess / jnp.maximum(allowed, 1.0), 0.0)
    return state._replace(multiplier=multiplier), {"multiplier": multiplier.mean(), "excess": excess.mean()}, {}


# 6. Small helpers of this file alone would follow here. With their second user they move down to `parts` or `maths`.
