"""What a fit of dynamics minimises: likelihoods, squared and Huber's errors, cross-entropies."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from bridle.nets.ensemble import forward
from bridle.parts.dynamics.model import Dynamics, Heads, Params, split

SLOPE = 0.3
"""Standardised units beyond which Huber's loss grows linearly (CMBPO, code)."""


def loss_of(params: Params, x: Float[Array, "E B I"], y: Float[Array, "E B F"], config: Dynamics) -> Float[Array, ""]:
    """Sum of the members' losses on their own rows; `params.members` are apart. `y` holds the D targets, then what logits aim at."""
    found = [split(forward(one, x[e]), params, config) for e, one in enumerate(params.members)]
    d = params.high.shape[0]
    errors = [(heads.mean - y[e, :, :d]) ** 2 for e, heads in enumerate(found)]
    total = sum(crossed(heads, y[e, :, d:]).mean(0).sum() for e, heads in enumerate(found))
    if config.loss == "nll":
        chance = lambda error, heads: (error / heads.variance + jnp.log(heads.variance)).mean()
        total += sum(map(chance, errors, found))
        return total + 0.01 * (params.high.sum() - params.low.sum())
    if config.loss == "huber":
        return total + sum(optax.huber_loss(h.mean, y[e, :, :d], delta=SLOPE).mean() for e, h in enumerate(found))
    total += sum(error.mean() for error in errors)
    return total + (near_one(errors, found) if config.loss == "mspe" else 0.0)


def near_one(errors: list, found: list[Heads]):
    """What CMBPO's code asks of variances (Zanger et al. 2021, code): to match squared errors, and far more to stay near 1.

    The weight of the first is so chosen that it is 5 % of all squared errors, over all members.
    """
    still, variances = [jax.lax.stop_gradient(error) for error in errors], [h.variance for h in found]
    misses = [((v - error) ** 2).mean() for v, error in zip(variances, still, strict=True)]
    weight = 0.05 * sum(error.mean() for error in still) / jnp.maximum(jax.lax.stop_gradient(sum(misses)), 1e-12)
    return weight * sum(misses) + 0.05 * sum((jnp.log(v) ** 2).mean() for v in variances)


def crossed(heads: Heads, aims: Float[Array, "*batch F"]) -> Float[Array, "*batch F"]:
    """Cross-entropy of every logit with what it aims at, a number in [0, 1]."""
    logits = jnp.concatenate([heads.cost, heads.terminated], -1)
    return optax.sigmoid_binary_cross_entropy(logits, aims)


def grown(params: Params, config: Dynamics) -> list[tuple]:
    """The gradient of the decay, of every member's weights, layer by layer."""
    return [tuple(d * w for d, w in zip(config.decays, one.weights, strict=True)) for one in params.members]
