"""CVPO's E-step: the best distribution over sampled actions under a KL ball and a limit on cost, by its exact dual.

For each state, K actions were sampled from the old policy. The distribution that maximises E[q] subject to
KL(p || old) <= radius and E[cost_q] <= limit weights them by softmax((q - multiplier . cost_q) / eta), where (eta,
multiplier) minimise the convex dual (Liu et al. 2022, arXiv:2201.11927, eq. 8)

    g = eta radius + multiplier . limit + mean_s eta log mean_k exp((q - multiplier . cost_q) / eta).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, ScalarLike

ETA_MIN, ETA_MAX = 1e-6, 1e5
NEWTON_STEPS = 20
TOLERANCE = 1e-3
"""Of a residual: nats for the KL ball (relative to its radius), relative to the spread of cost_q for the limit."""


class Dual(NamedTuple):
    """eta, in units of q; one multiplier a constraint, reward a unit of discounted cost: both carried on as a warm start."""

    eta: Float[Array, ""]
    multiplier: Float[Array, " C"]


class EStep(NamedTuple):
    """What an E-step yields."""

    weight: Float[Array, "K B"]
    """Sums to 1 over K."""
    dual: Dual
    feasible: Bool[Array, ""]
    """bool []: does any distribution in the KL ball meet the limit? If not, the weights minimise cost."""
    kl: Float[Array, ""]
    """Mean KL(weights || uniform) reached, nats."""
    residual_eta: Float[Array, ""]
    """d g / d eta: 0 at an inner optimum, nats."""
    residual_limit: Float[Array, " C"]
    """E_weight[cost_q] - limit: [C]; at most 0 where feasible, 0 where the multiplier is positive."""


def initial_dual(constraints: int) -> Dual:
    return Dual(jnp.ones(()), jnp.zeros(constraints))


def value_and_derivatives(
    dual: Dual, q: Float[Array, "K B"], cost_q: Float[Array, "C K B"], radius: ScalarLike, limit: Float[Array, " C"]
) -> tuple[Float[Array, ""], Float[Array, " D"], Float[Array, "D D"]]:
    """g, its gradient and Hessian in (eta, multiplier), D = 1 + C."""
    z = (q - jnp.einsum("c,ckb->kb", dual.multiplier, cost_q)) / dual.eta
    top = z.max(0)
    unnormalised = jnp.exp(z - top)
    total = unnormalised.sum(0)
    weight = unnormalised / total
    log_mean = jnp.log(total / z.shape[0]) + top
    features = jnp.concatenate([z[None], -cost_q])  # minus d/d(eta, multiplier) of eta z, up to sign
    mean = jnp.einsum("kb,fkb->fb", weight, features)
    apart = (features - mean[:, None]) * jnp.sqrt(weight)
    states = z.shape[1]
    hessian = jnp.einsum("fkb,gkb->fg", apart, apart) / states / dual.eta
    # features carry d z / d eta = -z / eta and d z / d multiplier = -cost_q / eta; flip the sign of the first.
    flip = jnp.ones(features.shape[0]).at[0].set(-1.0)
    hessian = hessian * jnp.outer(flip, flip)
    value = dual.eta * radius + dual.multiplier @ limit + dual.eta * log_mean.mean()
    gradient = jnp.concatenate([(radius + (log_mean - mean[0]).mean())[None], limit + mean[1:].mean(1)])
    return value, gradient, hessian


def _newton(start: Dual, q, cost_q, radius, limit, cap, scale):
    """Damped Newton in (log eta, multiplier) with multipliers projected to [0, cap]; -> (dual, converged)."""

    def derivatives(x):
        dual = Dual(jnp.exp(x[0]), x[1:])
        value, gradient, hessian = value_and_derivatives(dual, q, cost_q, radius, limit)
        chain = jnp.ones_like(x).at[0].set(dual.eta)
        curvature = hessian * jnp.outer(chain, chain)
        slope = gradient * chain
        curvature = curvature.at[0, 0].add(jnp.maximum(slope[0], 0.0))
        return value, gradient, slope, curvature

    low = jnp.zeros_like(scale).at[0].set(jnp.log(ETA_MIN))
    high = jnp.full_like(scale, cap).at[0].set(jnp.log(ETA_MAX))

    def free(x, slope):
        return ~(((x <= low) & (slope > 0)) | ((x >= high) & (slope < 0)))

    def residual(x, gradient, slope):
        return jnp.where(free(x, slope), jnp.abs(gradient) / scale, 0.0).max()

    def step(carry):
        x, (value, _, slope, curvature), i = carry
        moves = free(x, slope)
        matrix = jnp.where(jnp.outer(moves, moves), curvature, 0.0)
        diagonal = jnp.where(moves, jnp.diagonal(curvature) * 1e-5 + 1e-12, 1.0)
        direction = -jnp.linalg.solve(matrix + jnp.diag(diagonal), jnp.where(moves, slope, 0.0))
        direction = direction.at[0].set(jnp.clip(direction[0], -2.0, 2.0))

        def backtrack(carry):
            size, _, _ = carry
            size = 0.5 * size
            candidate = jnp.clip(x + size * direction, low, high)
            return size, candidate, derivatives(candidate)

        def too_far(carry):
            size, candidate, new = carry
            return (new[0] > value + 1e-4 * slope @ (candidate - x) + 1e-6 * jnp.abs(value)) & (size > 1e-3)

        first = jnp.clip(x + direction, low, high)
        _, x, new = jax.lax.while_loop(too_far, backtrack, (1.0, first, derivatives(first)))
        return x, new, i + 1

    def unfinished(carry):
        x, (_, gradient, slope, _), i = carry
        return (i < NEWTON_STEPS) & (residual(x, gradient, slope) > 0.1 * TOLERANCE)

    x = jnp.concatenate([jnp.log(start.eta)[None], start.multiplier])
    x = jnp.clip(x, low, high)
    x, (_, gradient, slope, _), _ = jax.lax.while_loop(unfinished, step, (x, derivatives(x), 0))
    return Dual(jnp.exp(x[0]), x[1:]), residual(x, gradient, slope) <= TOLERANCE


def _bisect(start: Dual, q, cost_q, radius, limit, cap):
    """The safeguard: cyclic bisection, one coordinate of the convex dual at a time; slow and always going down."""
    constraints = limit.shape[0]
    low = jnp.zeros(constraints + 1).at[0].set(jnp.log(ETA_MIN))
    high = jnp.full(constraints + 1, cap).at[0].set(jnp.log(ETA_MAX))

    def halve(i, carry):
        x, bounds = carry
        coordinate = (i // 40) % (constraints + 1)
        bounds = jnp.where(i % 40 == 0, jnp.stack([low[coordinate], high[coordinate]]), bounds)
        middle = bounds.mean()
        at = x.at[coordinate].set(middle)
        _, gradient, _ = value_and_derivatives(Dual(jnp.exp(at[0]), at[1:]), q, cost_q, radius, limit)
        bounds = jnp.where(gradient[coordinate] > 0, bounds.at[1].set(middle), bounds.at[0].set(middle))
        return at, bounds

    x = jnp.concatenate([jnp.log(start.eta)[None], start.multiplier])
    x, _ = jax.lax.fori_loop(0, 10 * 40 * (constraints + 1), halve, (x, jnp.zeros(2)))
    return Dual(jnp.exp(x[0]), x[1:])


def _scale(cost_q, radius, limit):
    """What each component of the dual's gradient is measured against: [1 + C]."""
    spread = jnp.maximum(cost_q.std(1).mean(1), 1e-6 + 1e-4 * jnp.abs(limit))
    return jnp.concatenate([jnp.asarray(radius)[None], spread])


def _safeguard(q, cost_q, radius, limit, cap):
    calm = Dual(jnp.clip(q.std(0).mean(), ETA_MIN, ETA_MAX), jnp.zeros_like(limit))
    near = _bisect(calm, q, cost_q, radius, limit, cap)
    return _newton(near, q, cost_q, radius, limit, cap, _scale(cost_q, radius, limit))[0]


def _least(cost, radius):
    """Weights [K B] of the least mean `cost` [K B] in the KL ball, and that least.

    They are softmax(-cost / eta) with the eta at which KL = radius. Far out KL falls as eta^-2, so Newton's method on
    log KL over log eta is there in a few steps.
    """

    def weigh(log_eta):
        z = -cost / jnp.exp(log_eta)
        log_weight = jax.nn.log_softmax(z, 0)
        weight = jnp.exp(log_weight)
        kl = (weight * log_weight).sum(0) + jnp.log(cost.shape[0])
        variance = (weight * (z - (weight * z).sum(0)) ** 2).sum(0)
        return weight, kl.mean(), variance.mean()

    def step(_, log_eta):
        _, kl, variance = weigh(log_eta)
        towards = jnp.log(jnp.maximum(kl, 1e-12) / radius) * kl / jnp.maximum(variance, 1e-12)
        return jnp.clip(log_eta + jnp.clip(towards, -2.0, 2.0), jnp.log(ETA_MIN), jnp.log(ETA_MAX))

    start = jnp.log(jnp.clip(cost.std(0).mean() / jnp.sqrt(2 * radius), ETA_MIN, ETA_MAX))
    weight, _, _ = weigh(jax.lax.fori_loop(0, 12, step, start))
    return weight, (weight * cost).sum(0).mean()


def within_reach(
    cost_q: Float[Array, "K B C"], radius: ScalarLike, limit: Float[Array, " C"], reach: ScalarLike
) -> Float[Array, " C"]:
    """`limit` [C], or so much more that it asks for at most the part `reach` of the least cost that the KL ball allows.

    To first order a step of given KL that takes the part r of the greatest fall of cost has sqrt(1 - r^2) of the greatest rise of
    reward left: 0.87 for one half. Under a limit that no step meets it has nothing left, and a policy that cannot do anything yet
    learns but to avoid cost.
    """
    mean = cost_q.mean((0, 1))
    least = jax.vmap(lambda cost: _least(cost, radius)[1], in_axes=-1)(cost_q)
    return jnp.maximum(limit, mean - reach * (mean - least))


def e_step(
    start: Dual,
    q: Float[Array, "K B"],
    cost_q: Float[Array, "K B C"],
    radius: ScalarLike,
    limit: Float[Array, " C"],
    cap: ScalarLike,
) -> EStep:
    """Solve the dual from a warm start: q [K B], cost_q [K B C], limit [C] in the unit of cost_q, multipliers in [0, cap].

    Infeasible means that along some direction of multipliers even the least cost in the KL ball exceeds the limit, so
    that the dual has no minimum; then the weights are those of the least cost (recovery) and the warm start stays.
    The direction tried first is that of the old policy's excess, which with one constraint decides; the second is the
    one along which Newton's multipliers grew.
    """
    cost_q = jnp.moveaxis(cost_q, -1, 0)
    spread = jnp.maximum(cost_q.std(1).mean(1), 1e-6)
    excess = cost_q.mean((1, 2)) - limit  # of the old policy

    def certify(direction):
        """(the weights of the least cost along `direction`, does it exceed the limit there?)"""
        direction = direction / jnp.maximum(direction.sum(), 1e-12)
        weight, least = _least(jnp.einsum("c,ckb->kb", direction, cost_q), radius)
        return weight, least > direction @ limit + 1e-6

    def optimise():
        scale = _scale(cost_q, radius, limit)
        dual, converged = _newton(start, q, cost_q, radius, limit, cap, scale)

        def solve():
            return _safeguard(q, cost_q, radius, limit, cap)

        if limit.shape[0] == 1:  # the certificate along the only direction has decided already
            return jnp.zeros_like(q), jnp.asarray(False), jax.lax.cond(converged, lambda: dual, solve)

        def doubt():  # at the cap the dual may go down for ever
            weight, infeasible = certify(dual.multiplier)
            keep = lambda: jax.lax.cond(converged, lambda: dual, solve)
            return weight, infeasible, jax.lax.cond(infeasible, lambda: start, keep)

        certain = converged & (dual.multiplier < cap).all()
        return jax.lax.cond(certain, lambda: (jnp.zeros_like(q), jnp.asarray(False), dual), doubt)

    first = jnp.maximum(excess, 0.0) / spread
    never = lambda _: (jnp.zeros_like(q), jnp.asarray(False))
    recovery, infeasible = jax.lax.cond((excess > 0).any(), certify, never, first)
    recovery, infeasible, dual = jax.lax.cond(infeasible, lambda: (recovery, infeasible, start), optimise)
    z = (q - jnp.einsum("c,ckb->kb", dual.multiplier, cost_q)) / dual.eta
    weight = jnp.where(infeasible, recovery, jax.nn.softmax(z, 0))
    _, gradient, _ = value_and_derivatives(dual, q, cost_q, radius, limit)
    kl = (weight * jnp.log(jnp.maximum(weight * weight.shape[0], 1e-30))).sum(0).mean()
    reached = jnp.einsum("kb,ckb->c", weight, cost_q) / q.shape[1]
    return EStep(weight, dual, ~infeasible, kl, gradient[0], reached - limit)
