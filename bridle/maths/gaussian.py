"""Gaussians by mean and scale, diagonal or full: samples, moments under weights, decoupled KL divergences.

A scale is the standard deviation [... A] of a diagonal Gaussian or the lower Cholesky factor [... A A] of a full one;
`full` tells which. Log-determinants come from the diagonal, never from a determinant, so nothing needs a clamp.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

UNROLLED = 4
"""Up to this many actions a triangular system is written out, which fuses with its neighbours; more would compile for long."""


class Gaussian(NamedTuple):
    """mean [... A]; scale [... A] (standard deviations) or [... A A] (lower Cholesky factor)."""

    mean: Float[Array, "... A"]
    scale: Float[Array, "... A"] | Float[Array, "... A A"]

    @property
    def full(self) -> bool:
        return self.scale.ndim == self.mean.ndim + 1


def diagonal(scale: Float[Array, "... A"], full: bool) -> Float[Array, "... A"]:
    """The diagonal of the scale: [... A]."""
    return jnp.diagonal(scale, axis1=-2, axis2=-1) if full else scale


def solve_lower(chol: Float[Array, "... A A"], b: Float[Array, "... A"]) -> Float[Array, "... A"]:
    """x with chol x = b for lower-triangular chol [... A A] and b [... A]."""
    size = b.shape[-1]
    if size > UNROLLED:
        chol = jnp.broadcast_to(chol, (*b.shape, size))
        return jax.lax.linalg.triangular_solve(chol, b[..., None], left_side=True, lower=True)[..., 0]
    x = []
    for i in range(size):
        known = sum(chol[..., i, j] * x[j] for j in range(i))
        x.append((b[..., i] - known) / chol[..., i, i])
    return jnp.stack(x, -1)


def sample(dist: Gaussian, key, shape: tuple[int, ...] = ()) -> Float[Array, "... A"]:
    """Samples [*shape ... A]."""
    noise = jax.random.normal(key, (*shape, *dist.mean.shape))
    if dist.full:
        return dist.mean + jnp.einsum("...ij,...j->...i", dist.scale, noise)
    return dist.mean + dist.scale * noise


def log_prob(dist: Gaussian, x: Float[Array, "*shape A"]) -> Float[Array, " *shape"]:
    """Log-density at x [... A]: [...]."""
    white = solve_lower(dist.scale, x - dist.mean) if dist.full else (x - dist.mean) / dist.scale
    size = x.shape[-1]
    return (
        -0.5 * (white**2).sum(-1) - jnp.log(diagonal(dist.scale, dist.full)).sum(-1) - 0.5 * size * jnp.log(2 * jnp.pi)
    )


def squashed_log_prob(dist: Gaussian, pre_action: Float[Array, "*shape A"]) -> Float[Array, " *shape"]:
    """Log-density of tanh(pre_action) (Haarnoja et al. 2018, arXiv:1801.01290, appendix C), without cancellation near +-1."""
    stretch = 2.0 * (jnp.log(2.0) - pre_action - jax.nn.softplus(-2.0 * pre_action))
    return log_prob(dist, pre_action) - stretch.sum(-1)


def weighted_moments(
    weight: Float[Array, "K B"], x: Float[Array, "K B A"], about: Float[Array, "B A"], full: bool
) -> tuple[Float[Array, "B A"], Float[Array, "B A"] | Float[Array, "B A A"]]:
    """First moment and second moment about `about` [B A] of samples x [K B A] under weights [K B] that sum to 1 over K.

    Returns mean [B A] and second moment [B A] (diagonal) or [B A A] (full).
    """
    mean = jnp.einsum("kb,kba->ba", weight, x)
    apart = x - about
    second = jnp.einsum("kb,kbi,kbj->bij", weight, apart, apart) if full else jnp.einsum("kb,kba->ba", weight, apart**2)
    return mean, second


def mean_energy(apart: Float[Array, "*batch A"], scale: Float[Array, "... A"], full: bool) -> Float[Array, " *batch"]:
    """1/2 apart^T Sigma^-1 apart for apart [... A]: KL between equal covariances whose means differ by `apart`."""
    white = solve_lower(scale, apart) if full else apart / scale
    return 0.5 * (white**2).sum(-1)


def trace_energy(second: Float[Array, "... A"], scale: Float[Array, "... A"], full: bool) -> Float[Array, " ..."]:
    """1/2 [tr(Sigma^-1 second) + log |Sigma|]: minus the expected log-density, up to a constant, as a function of Sigma."""
    half_log_det = jnp.log(diagonal(scale, full)).sum(-1)
    if not full:
        return 0.5 * (second / scale**2).sum(-1) + half_log_det
    left = jax.vmap(solve_lower, (None, -1), -1)(scale, second)  # L^-1 M, by columns
    both = jax.vmap(solve_lower, (None, -2), -2)(scale, left)  # L^-1 M L^-T, by rows
    return 0.5 * jnp.trace(both, axis1=-2, axis2=-1) + half_log_det


def covariance(scale: Float[Array, "... A"], full: bool) -> Float[Array, "... A"]:
    """Sigma as `trace_energy` takes it: [... A] (diagonal) or [... A A]."""
    return jnp.einsum("...ij,...kj->...ik", scale, scale) if full else scale**2


def kl_mean(old: Gaussian, mean: Float[Array, "*batch A"]) -> Float[Array, " *batch"]:
    """KL(N(mean, Sigma_old) || N(mean_old, Sigma_old)): nats, [...]."""
    return mean_energy(mean - old.mean, old.scale, old.full)


def kl_covariance(old: Gaussian, scale: Float[Array, "... A"]) -> Float[Array, " ..."]:
    """KL(N(mean_old, Sigma_old) || N(mean_old, Sigma)): nats, [...]."""
    size = old.mean.shape[-1]
    old_half_log_det = jnp.log(diagonal(old.scale, old.full)).sum(-1)
    return trace_energy(covariance(old.scale, old.full), scale, old.full) - 0.5 * size - old_half_log_det


def kl(new: Gaussian, old: Gaussian) -> Float[Array, " ..."]:
    """KL(new || old) of diagonal Gaussians: nats, [...]."""
    ratio = (new.scale / old.scale) ** 2
    return 0.5 * (ratio - 1.0 - jnp.log(ratio) + ((new.mean - old.mean) / old.scale) ** 2).sum(-1)


def entropy(dist: Gaussian) -> Float[Array, " ..."]:
    """Differential entropy, nats, [...]."""
    return jnp.log(diagonal(dist.scale, dist.full)).sum(-1) + 0.5 * dist.mean.shape[-1] * jnp.log(2 * jnp.pi * jnp.e)
