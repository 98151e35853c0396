"""The ensemble that learns a world: its settings, its state, and what it predicts.

A member maps standardised (obs, action) to the mean of [next_obs - obs, reward, (cost)] and, where its loss asks for it, to their
log-variances; and to logits of costs of 0 or 1 and of termination, where these are learned (Chua et al. 2018,
arXiv:1805.12114; Janner et al. 2019, arXiv:1906.08253, appendix).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from bridle.core.config import check_ranges, check_types
from bridle.maths.moments import Moments, no_moments
from bridle.nets.ensemble import Ensemble

PROBABILISTIC = ("nll", "mspe")
HIGHEST, LOWEST = 0.5, -10.0
"""Where the bounds of log-variances begin."""
UNBOUNDED = 2**30
"""More gradient steps than any fit takes."""


@dataclass(frozen=True)
class Dynamics:
    """An ensemble that learns a world's steps from experience."""

    members: int = 7
    """Networks, each trained on rows of its own draw."""
    elites: int = 5
    """So many of them, those with the lowest hold-out losses, are lived in."""
    hidden: tuple[int, ...] = (200, 200, 200, 200)
    """Widths of the hidden layers of each."""
    activation: Literal["silu", "relu", "tanh", "elu"] = "silu"
    """After every hidden layer."""
    loss: Literal["nll", "mspe", "mse", "huber"] = "nll"
    """Gaussian likelihood with bounded variances (PETS, MBPO); squared errors beside a variance fitted to them and held near 1
    (CMBPO as published); or squared or Huber's errors alone, with the variance that hold-out rows show."""
    learn_cost: Literal["no", "binary", "real"] = "no"
    """Is cost predicted: as a chance of costing 1, by cross-entropy, or as a number beside the reward?"""
    learn_termination: bool = False
    """Is termination predicted, by cross-entropy?"""
    scale_in: bool = True
    """Standardise inputs by the moments of the rows that are trained on."""
    scale_out: bool = False
    """Standardise targets so (CMBPO), or take them as they are (MBPO)."""
    rate: float = 1e-3
    """Adam step size."""
    decay: tuple[float, ...] = (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4)
    """Weight of half the squared weights in the loss: one number, or three (first layer, those between, last), or one a layer."""
    batch: int = 256
    """Rows of each member in one update."""
    holdout: float = 0.2
    """Part of the rows that is never trained on, by which epochs are judged."""
    max_holdout: int = 5_000
    """About so many rows at most are held out."""
    patience: int = 5
    """A fit ends after so many epochs in which no member improved."""
    improvement: float = 0.01
    """Part of the hold-out loss by which it has to fall to count as improved."""
    max_epochs: int = 0
    """A fit ends after so many epochs at the latest; 0: no such end."""
    max_updates: int = 0
    """A fit ends after so many updates at the latest; 0: no such end."""

    def __post_init__(self):
        check_types(self)
        layers = len(self.hidden) + 1
        few = f"one number, three, or {layers}, one for each layer of hidden {self.hidden}; all >= 0"
        counts = ("members", "batch", "max_holdout", "patience")
        ranges = {name: (getattr(self, name) > 0, "an integer > 0") for name in counts} | {
            "elites": (0 < self.elites <= self.members, "an integer in [1, members]"),
            "hidden": (layers > 1 and all(h > 0 for h in self.hidden), "one or more integers > 0"),
            "rate": (self.rate > 0, "a number > 0"),
            "decay": (len(self.decay) in (1, 3, layers) and all(d >= 0 for d in self.decay), few),
            "holdout": (0.0 < self.holdout < 1.0, "a number in (0, 1)"),
            "improvement": (0.0 <= self.improvement < 1.0, "a number in [0, 1)"),
            "max_epochs": (self.max_epochs >= 0, "an integer >= 0"),
            "max_updates": (self.max_updates >= 0, "an integer >= 0"),
        }
        check_ranges(self, ranges)

    @property
    def decays(self) -> tuple[float, ...]:
        """One a layer."""
        layers = len(self.hidden) + 1
        if len(self.decay) == layers:
            return self.decay
        return self.decay[0], *self.decay[len(self.decay) // 2 :][:1] * (layers - 2), self.decay[-1]


class Params(NamedTuple):
    """What is learned by gradients."""

    members: Ensemble
    high: Float[Array, " D"]
    """Upper bound of the log-variances, shared by the members."""
    low: Float[Array, " D"]
    """Lower bound."""


class Model(NamedTuple):
    """An ensemble as it stands; every leaf an array. D = O + 1, or O + 1 + C where cost is a number."""

    params: Params
    opt: Any
    inputs: Moments
    """Of the rows [obs, action] last trained on."""
    outputs: Moments
    """Of their targets [D]."""
    error: Float[Array, "E D"]
    """Mean squared error of each member on hold-out rows, in standardised units where `scale_out`."""
    holdout_loss: Float[Array, " E"]
    """Of each member, at its best; 0 before the first fit."""
    elites: Int[Array, " M"]
    """The members that are lived in, best first."""
    fits: Int[Array, ""]
    updates: Int[Array, ""]
    """Gradient steps so far."""


class Prediction(NamedTuple):
    """What every member expects of a step; standard deviations are of the world's chance alone, as the member sees it."""

    delta: Float[Array, "E B O"]
    """next_obs - obs."""
    delta_std: Float[Array, "E B O"]
    reward: Float[Array, "E B"]
    reward_std: Float[Array, "E B"]
    cost: Float[Array, "E B C"]
    """>= 0, a chance where `learn_cost` is binary; 0 where it is not learned."""
    cost_std: Float[Array, "E B C"]
    terminated: Float[Array, "E B"]
    """The chance of it; 0 where it is not learned."""


class Heads(NamedTuple):
    """What the last layer of one or more members holds."""

    mean: Float[Array, "*batch D"]
    variance: Float[Array, "*batch V"]
    """Bounded where the loss is nll; V is D, or 0 without variances."""
    cost: Float[Array, "*batch K"]
    """Logits; K is C or 0."""
    terminated: Float[Array, "*batch T"]
    """Logit; T is 1 or 0."""


def init(key, obs_size: int, action_size: int, constraints: int, config: Dynamics) -> Model:
    """An ensemble that has seen nothing."""
    d = targets_size(obs_size, constraints, config)
    logits = constraints * (config.learn_cost == "binary") + config.learn_termination
    sizes = (obs_size + action_size, *config.hidden, d * (1 + (config.loss in PROBABILISTIC)) + logits)
    members = Ensemble(key, config.members, sizes, config.activation)
    params = Params(members, jnp.full(d, HIGHEST, jnp.float32), jnp.full(d, LOWEST, jnp.float32))
    return Model(
        params=params,
        opt=optax.adam(config.rate).init(params),
        inputs=no_moments(obs_size + action_size),
        outputs=no_moments(d),
        error=jnp.ones((config.members, d)),
        holdout_loss=jnp.zeros(config.members),
        elites=jnp.arange(config.elites, dtype=jnp.int32),
        fits=jnp.zeros((), jnp.int32),
        updates=jnp.zeros((), jnp.int32),
    )


def targets_size(obs_size: int, constraints: int, config: Dynamics) -> int:
    """D: how many numbers are regressed."""
    return obs_size + 1 + constraints * (config.learn_cost == "real")


def split(out: Float[Array, "*batch out"], params: Params, config: Dynamics) -> Heads:
    """The last layer taken apart."""
    d = params.high.shape[0]
    ends = [d, 2 * d if config.loss in PROBABILISTIC else d, out.shape[-1] - config.learn_termination]
    mean, log_var, cost, terminated = jnp.split(out, ends, -1)
    variance = bounded(log_var, params) if config.loss == "nll" else jnp.exp(log_var)
    return Heads(mean, variance, cost, terminated)


def bounded(log_var: Float[Array, "*batch D"], params: Params) -> Float[Array, "*batch D"]:
    """The variance whose logarithm is bounded by two softplus, high - softplus(high - log_var) and likewise from below
    (Chua et al. 2018, A.1): the same number by one exponential."""
    log_var = jnp.maximum(log_var, -40.0)  # far below any bound; else the gradient would be inf / inf
    return jnp.exp(params.low) + 1.0 / (jnp.exp(-params.high) + jnp.exp(-log_var))


def scale_of(moments: Moments, asked: bool) -> tuple[Float[Array, " O"], Float[Array, " O"]]:
    """Mean and standard deviation by which numbers are standardised; a column that never changes keeps its scale."""
    if not asked:
        return jnp.zeros_like(moments.mean), jnp.ones_like(moments.mean)
    deviation = jnp.sqrt(moments.second / jnp.maximum(moments.count, 1.0))
    still = deviation <= 1e-5 * jnp.abs(moments.mean)  # what float32 leaves of a constant
    return moments.mean, jnp.where((moments.count > 1.0) & ~still & (deviation > 1e-12), deviation, 1.0)


def inputs_of(state: Model, obs: Float[Array, "*batch O"], action: Float[Array, "*batch A"], config: Dynamics):
    """What members see of (obs, action): [... I]."""
    mean, deviation = scale_of(state.inputs, config.scale_in)
    return (jnp.concatenate([obs, action], -1) - mean) / deviation


def predict(
    state: Model, obs: Float[Array, "B O"], action: Float[Array, "B A"], constraints: int, config: Dynamics
) -> Prediction:
    """What every member expects of each step."""
    out = state.params.members(inputs_of(state, obs, action, config))
    return told(state, out, state.error[:, None], obs.shape[-1], constraints, config)


def told(state: Model, out, error, obs_size: int, constraints: int, config: Dynamics) -> Prediction:
    """Last layers [E B out] as a prediction in the world's units; `error` [E 1 D] are their members' hold-out errors."""
    heads = split(out, state.params, config)
    center, scale = scale_of(state.outputs, config.scale_out)
    mean = heads.mean * scale + center
    variance = heads.variance if config.loss in PROBABILISTIC else error * jnp.ones_like(mean)
    std, end = jnp.sqrt(variance) * scale, obs_size
    cost = cost_std = jnp.zeros((*mean.shape[:-1], constraints))
    if config.learn_cost == "real":
        cost, cost_std = jnp.maximum(mean[..., end + 1 :], 0.0), std[..., end + 1 :]
    if config.learn_cost == "binary":
        cost = jax.nn.sigmoid(heads.cost)
        cost_std = jnp.sqrt(cost * (1.0 - cost))
    terminated = jax.nn.sigmoid(heads.terminated[..., 0]) if config.learn_termination else jnp.zeros(mean.shape[:-1])
    return Prediction(mean[..., :end], std[..., :end], mean[..., end], std[..., end], cost, cost_std, terminated)


def held_out(valid: Bool[Array, " R"], config: Dynamics) -> Bool[Array, " R"]:
    """Which rows are never trained on, by a hash of their place in the ring.

    The part falls as rows come (`holdout`, or `max_holdout` of all that are there), and those that are held out then are
    among those that were before: no row that was trained on is ever judged by.
    """
    x = jnp.arange(1, valid.shape[0] + 1, dtype=jnp.uint32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):  # the last steps of MurmurHash3 (Appleby 2011)
        x = (x ^ (x >> shift)) * jnp.uint32(factor)
    place = ((x ^ (x >> 16)) >> 8).astype(jnp.float32) / 2**24
    part = jnp.minimum(config.holdout, config.max_holdout / jnp.maximum(valid.sum(), 1))
    return valid & (place < part)
