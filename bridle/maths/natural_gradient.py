"""Steps in the metric of a policy: Fisher products, conjugate gradients, and a line search that restores on failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bridle.maths.gaussian import Gaussian

Product = Callable[[Float[Array, " P"]], Float[Array, " P"]]
"""v -> H v."""


def fisher_product(
    predict: Callable[[Float[Array, " P"]], Gaussian],
    parameters: Float[Array, " P"],
    weight: Float[Array, " B"],
    damping: float,
) -> Product:
    """v -> (F + damping) v, F the Fisher matrix of the diagonal Gaussians [B A] that `predict` yields, mean over B under `weight`.

    F = J' M J with J the derivative of (mean, standard deviation) and M = diag(1 / std^2, 2 / std^2) their own Fisher matrix, which
    is the Hessian of the mean KL at `parameters`, whichever way round it is taken (Schulman et al. 2015, arXiv:1502.05477, app. C).
    """
    dist, push = jax.linearize(predict, parameters)
    pull = jax.linear_transpose(push, parameters)
    metric = weight[:, None] / dist.scale**2

    def product(v):
        moved = push(v)
        return pull(Gaussian(metric * moved.mean, 2.0 * metric * moved.scale))[0] + damping * v

    return product


def conjugate_gradient(product: Product, b: Float[Array, " P"], iterations: int, tolerance: float = 1e-6):
    """x with H x = b for a positive definite H, by `iterations` steps at most (Hestenes and Stiefel 1952).

    b is scaled to length 1 first, so that one tolerance (of the squared residual) fits all; once it is met, x stays. A b of length 0
    gives 0.
    """
    length = jnp.linalg.norm(b)
    unit = b / jnp.maximum(length, 1e-30)

    def step(_, state):
        x, residual, direction, left = state
        image = product(direction)
        curvature = direction @ image
        goes = (left > tolerance) & (curvature > 0.0)
        size = jnp.where(goes, left / jnp.where(goes, curvature, 1.0), 0.0)
        x, residual = x + size * direction, residual - size * image
        fresh = residual @ residual
        direction = residual + jnp.where(goes, fresh / jnp.maximum(left, 1e-30), 0.0) * direction
        return x, residual, direction, jnp.where(goes, fresh, left)

    start = jnp.zeros_like(unit), unit, unit, unit @ unit
    return length * jax.lax.fori_loop(0, iterations, step, start)[0]


class Search(NamedTuple):
    """What a line search found."""

    parameters: Float[Array, " P"]
    """Those accepted, or those that it began with."""
    fraction: Float[Array, ""]
    """The part of the whole step that was taken: 0 where none was accepted."""
    tries: Float[Array, ""]


def line_search(
    origin: Float[Array, " P"], step: Float[Array, " P"], accept: Callable, tries: int, shrink: float
) -> Search:
    """The first of origin + shrink^k step, k < `tries`, that `accept` (parameters -> bool) takes; else `origin`, to the bit."""

    def go_on(state):
        k, taken = state
        return (taken < 0) & (k < tries)

    def attempt(state):
        k, taken = state
        return k + 1, jnp.where(accept(origin + shrink**k * step), k, taken)

    k, taken = jax.lax.while_loop(go_on, attempt, (jnp.zeros((), jnp.int32), jnp.full((), -1, jnp.int32)))
    found = taken >= 0
    fraction = jnp.where(found, jnp.asarray(shrink, jnp.float32) ** taken, 0.0)
    return Search(jnp.where(found, origin + shrink**taken * step, origin), fraction, k.astype(jnp.float32))
