"""Living in a learned world: each step by an elite drawn at random, with known rules where there are some."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bridle.core.types import Guess, Rules, Spec, Step
from bridle.nets.ensemble import forward
from bridle.parts.dynamics.model import Dynamics, Model, Prediction, inputs_of, predict, told

BLOCK = 2_048
"""Rows that all members are asked about at once."""
LEARNED = Rules()
"""Nothing is known."""


def known(spec: Spec) -> Rules:
    """What a world tells of itself, which need not be learned."""
    return LEARNED if spec.rules is None else spec.rules


def asked(config: Dynamics, rules: Rules, constrained: bool) -> Dynamics:
    """The ensemble's settings, by which it learns cost, where it is heeded, and termination where no rule tells them."""
    told = {"learn_cost": "real"} if constrained and rules.cost is None and config.learn_cost == "no" else {}
    return replace(config, **told, learn_termination=config.learn_termination or rules.terminated is None)


def by_elites(
    state: Model, obs: Float[Array, "B O"], action: Float[Array, "B A"], key, constraints: int, config: Dynamics
) -> Prediction:
    """What one elite, drawn for each row, expects: a prediction with E = 1. No other member is asked.

    The batch is shuffled and cut into as many blocks as there are elites; each elite answers one.
    """
    count, size = config.elites, obs.shape[0]
    block = -(-size // count)
    order = jnp.resize(jax.random.permutation(key, size), count * block)  # a last few rows are asked twice
    x = inputs_of(state, obs, action, config)[order].reshape(count, block, -1)
    back = jnp.zeros(size, jnp.int32).at[order].set(jnp.arange(count * block, dtype=jnp.int32))
    ask = lambda item: forward(state.params.members.member(item[0]), item[1])
    out = jnp.concatenate([ask((state.elites[k], x[k])) for k in range(count)])[back]
    error = jnp.repeat(state.error[state.elites], block, 0)[back]
    return told(state, out[None], error[None], obs.shape[1], constraints, config)


def by_members(
    state: Model, obs: Float[Array, "R O"], action: Float[Array, "R A"], key, constraints: int, config: Dynamics
) -> Prediction:
    """What members expect where the rows are as many copies of something as there are members, R = E B: each copy asks a member of its
    own, who is who being drawn anew. A prediction with E = 1."""
    x = inputs_of(state, obs, action, config).reshape(config.members, -1, state.inputs.mean.shape[0])
    order = jax.random.permutation(key, config.members)  # copy order[i] asks member i
    back = jnp.argsort(order)
    out = state.params.members(x[order], own=True)[back].reshape(1, obs.shape[0], -1)
    error = jnp.repeat(state.error[back], x.shape[1], 0)[None]
    return told(state, out, error, obs.shape[1], constraints, config)


def drawn(predicted: Prediction, who) -> Prediction:
    """Of a prediction of all members that of member `who` [B] of each row: a prediction with E = 1."""
    return jax.tree.map(lambda leaf: leaf[who, jnp.arange(who.shape[0])][None], predicted)


def by_all(state: Model, obs, action, key, constraints: int, doubt: Callable, config: Dynamics) -> tuple:
    """What an elite drawn for each row expects, with E = 1, and the doubt [B] of all members.

    In blocks of rows that stay in a cache of a core, which on two cores takes a tenth less time.
    """
    size = obs.shape[0]
    who = state.elites[jax.random.randint(key, (size,), 0, state.elites.shape[0])]

    def ask(item):
        obs, action, who = item
        every = predict(state, obs, action, constraints, config)
        return drawn(every, who), doubt(every)

    blocks = -(-size // BLOCK)
    if blocks <= 1:
        return ask((obs, action, who))
    block = -(-size // blocks)
    few = blocks * block - size  # rows that are there only to fill the last block
    cut = lambda leaf: jnp.concatenate([leaf, leaf[:few]]).reshape(blocks, block, *leaf.shape[1:])
    found, doubts = jax.lax.map(ask, jax.tree.map(cut, (obs, action, who)))
    found = jax.tree.map(lambda leaf: leaf.reshape(1, blocks * block, *leaf.shape[3:])[:, :size], found)
    return found, doubts.reshape(-1)[:size]


def sampled(predicted: Prediction, key, config: Dynamics) -> Prediction:
    """A prediction with numbers drawn from it in place of means, and 0 or 1 in place of chances."""
    k_delta, k_reward, k_cost, k_end = jax.random.split(key, 4)
    noise = lambda k, mean, std: mean + std * jax.random.normal(k, mean.shape)
    cost = predicted.cost
    if config.learn_cost == "real":
        cost = jnp.maximum(noise(k_cost, cost, predicted.cost_std), 0.0)
    if config.learn_cost == "binary":
        cost = jax.random.bernoulli(k_cost, cost).astype(jnp.float32)
    return predicted._replace(
        delta=noise(k_delta, predicted.delta, predicted.delta_std),
        reward=noise(k_reward, predicted.reward, predicted.reward_std),
        cost=cost,
        terminated=jax.random.bernoulli(k_end, predicted.terminated).astype(jnp.float32),
    )


def as_step(
    state: Model,
    constraints: int,
    config: Dynamics,
    *,
    doubt: Callable[[Prediction], Float[Array, " B"]] | None = None,
    sample: bool = True,
    rules: Rules = LEARNED,
    ends: Bool[Array, ""] | bool = True,
    copies: bool = False,
) -> Step:
    """The ensemble as a world to imagine in. `rules` take the place of what was learned; what is neither learned nor ruled is 0.

    `doubt` (`pairwise_kl`, ...) asks every member; without it each row asks its elite alone and nothing is doubted.
    Without `sample`, steps are the elite's means (CMBPO), and an end is what is likelier than not. A learned end needs `ends`: did any
    episode end so yet? With `copies`, rows are as many copies of paths as there are members, and each copy asks a member of its own.
    """
    ask = by_members if copies else by_elites
    return partial(_step, state, constraints, config, doubt, ask, sample, rules, ends)


def _step(
    state: Model, constraints: int, config: Dynamics, doubt, ask, sample: bool, rules: Rules, ends, obs, action, key
) -> Guess:
    k_elite, k_sample = jax.random.split(key)
    if doubt is None:
        found, doubted = ask(state, obs, action, k_elite, constraints, config), jnp.zeros(obs.shape[0])
    else:
        found, doubted = by_all(state, obs, action, k_elite, constraints, doubt, config)
    if sample:
        found = sampled(found, k_sample, config)
    delta, reward, cost = found.delta[0], found.reward[0], found.cost[0]
    seen = obs, action, obs + delta
    return Guess(
        next_obs=obs + delta,
        reward=reward if rules.reward is None else rules.reward(*seen),
        cost=cost if rules.cost is None else rules.cost(*seen),
        terminated=(found.terminated[0] > 0.5) & ends if rules.terminated is None else rules.terminated(*seen),
        doubt=doubted,
    )
