"""The step of constrained policy optimisation: the best one in a trust region that keeps linearised costs under their limits.

Achiam et al. 2017 (arXiv:1705.10528), eqs. 10 to 14, for any number of constraints. In the metric H of the region,

    minimise g.x   so that   c_i + b_i.x <= 0 for each i   and   x.Hx <= 2 radius,

whose optimum is -(v + sum nu_i w_i) / lambda with v = H^-1 g, w_i = H^-1 b_i. Which constraints bind is found by trying each subset:
on one, the optimum has a closed form (their eqs. 12 and 13 where there is one constraint), and the best of those points that keep
every constraint is the optimum. Two points for one constraint, 2^C for C of them.
"""

from __future__ import annotations

from itertools import chain, combinations
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

MOST = 6
"""Constraints that can be kept at once: there are 2^C sets to try."""
NO_GRADIENT = 1e-12
"""A constraint with less of b.H^-1 b cannot be moved, and is left out."""
SLACK = 1e-4
"""What counts as kept: c_i + b_i.x up to this part of what a step of full length could move it by."""
RIDGE = 1e-7
"""Added to the unit diagonal of what the constraints have in common, so that two that are the same do no harm."""
TINY = 1e-20

INFEASIBLE, RECOVERS, BOUNDED, INSIDE, FREE = 0.0, 1.0, 2.0, 3.0, 4.0
"""Cases, as published code numbers them: no point of the region keeps the limits; some do, the present one does not; a limit cuts the
region; none does; no constraint has a gradient."""


class Step(NamedTuple):
    """x = -(along v + sum_i cost_along_i w_i), and what was found on the way."""

    along: Float[Array, ""]
    """1 / lambda; 0 where all of the step is recovery."""
    cost_along: Float[Array, " C"]
    """nu_i / lambda."""
    case: Float[Array, ""]
    multiplier: Float[Array, " C"]
    """nu: what a unit of each cost is worth in the objective; 0 in recovery."""
    kept: Float[Array, ""]
    """Is there a point in the region that keeps every limit?"""


def optimum(
    q: Float[Array, ""],
    r: Float[Array, " C"],
    s: Float[Array, "C C"],
    c: Float[Array, " C"],
    radius: float | Float[Array, ""],
) -> Step:
    """The optimum, from q = g.v, r_i = b_i.v, s_ij = b_i.w_j, and c, by how much each limit is exceeded; `radius` in nats.

    Where no point of the region keeps the limits, the step goes to the nearest one that does, as far as the region reaches: for one
    constraint that is pure descent of its cost.
    """
    if len(c) > MOST:
        raise ValueError(f"{len(c)} constraints; a trust region keeps {MOST} of them at most")
    # In units in which a step of length 1 moves each constraint by 1 at most, everything is of order 1.
    length = jnp.sqrt(jnp.maximum(jnp.diagonal(s), 0.0))
    moves = length**2 > NO_GRADIENT
    unit = jnp.where(moves, 1.0 / jnp.where(moves, length, 1.0), 0.0)
    reach = jnp.sqrt(2.0 * jnp.asarray(radius, jnp.float32))
    c = jnp.where(moves, c * unit, -2.0 * reach)
    r = r * unit
    s = s * unit[:, None] * unit + jnp.diag(jnp.where(moves, RIDGE, 1.0))
    q = jnp.maximum(q, TINY)
    points = [_on(subset, q, r, s, c, reach) for subset in _subsets(len(c))]
    along, cost_along, gain, excess = (jnp.stack(values) for values in zip(*points, strict=True))
    allowed = jnp.where(excess <= SLACK * reach, gain, jnp.inf)
    best = jnp.argmin(allowed)
    nearest, distance = _nearest(s, c, reach)
    kept = (distance <= reach) & jnp.isfinite(allowed[best])
    recovery = nearest * reach / jnp.maximum(distance, TINY)
    along = jnp.where(kept, along[best], 0.0)
    cost_along = jnp.where(kept, cost_along[best], recovery) * unit
    multiplier = jnp.where(kept, cost_along / jnp.maximum(along, TINY), 0.0)
    cuts = (jnp.abs(c) < reach) & moves
    case = jnp.where((c >= 0.0).any(), RECOVERS, jnp.where(cuts.any(), BOUNDED, INSIDE))
    case = jnp.where(moves.any(), jnp.where(kept, case, INFEASIBLE), FREE)
    return Step(along, cost_along, case, multiplier, kept.astype(jnp.float32))


def _subsets(count: int):
    """Every set of constraints that may bind, the empty one first."""
    return chain.from_iterable(combinations(range(count), size) for size in range(count + 1))


def _on(subset: tuple[int, ...], q, r, s, c, reach):
    """The optimum where just these constraints bind: 1 / lambda, nu / lambda [C], g.x, and the greatest c_i + b_i.x."""
    on = jnp.asarray(subset, jnp.int32)
    if not subset:
        along, cost_along = reach / jnp.sqrt(q), jnp.zeros_like(c)
    else:
        solved = jnp.linalg.solve(s[jnp.ix_(on, on)], jnp.stack([c[on], r[on]], -1))
        of_c, of_r = solved[:, 0], solved[:, 1]
        left = reach**2 - c[on] @ of_c  # of the region's length, squared, once the constraints are met
        slope = jnp.maximum(q - r[on] @ of_r, 1e-7 * q)  # of the objective along them, squared
        along = jnp.sqrt(jnp.maximum(left, 0.0) / slope)
        cost_along = jnp.zeros_like(c).at[on].set(of_c - along * of_r)
    gain = -(along * q + cost_along @ r)
    excess = c - along * r - s @ cost_along
    outside = 0.0 if not subset else jnp.maximum(-left, 0.0) / reach
    return along, cost_along, gain, jnp.maximum(excess.max(initial=-jnp.inf), outside)


def _nearest(s, c, reach):
    """The shortest step that keeps every limit, as weights [C] of the w_i, and its length."""
    weights, lengths, excesses = [], [], []
    for subset in _subsets(len(c)):
        on = jnp.asarray(subset, jnp.int32)
        weight = jnp.zeros_like(c)
        if subset:
            weight = weight.at[on].set(jnp.linalg.solve(s[jnp.ix_(on, on)], c[on]))
        weights.append(weight)
        lengths.append(jnp.sqrt(jnp.maximum(weight @ s @ weight, 0.0)))
        excesses.append((c - s @ weight).max(initial=-jnp.inf))
    weights, lengths, excesses = (jnp.stack(values) for values in (weights, lengths, excesses))
    length = jnp.where(excesses <= SLACK * reach, lengths, jnp.inf)
    best = jnp.argmin(length)
    # Limits that contradict each other: down the sum of what exceeds them.
    down = jnp.maximum(c, 0.0)
    over = jnp.sqrt(jnp.maximum(down @ s @ down, TINY))
    found = jnp.isfinite(length[best])
    far = 2.0 * reach + over
    return jnp.where(found, weights[best], down * far / over), jnp.where(found, length[best], far)
