"""CPO's dual: equal to solvers of another kind on random problems of all cases, and well-behaved where numbers run out."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bridle.parts.constraints import trust_region

RADIUS = 0.01
CASES = {"infeasible": 0, "recovers": 1, "bounded": 2, "inside": 3}


def problems(count, constraints, seed=0, size=4):
    """Random (H, g, b [C], c [C]) with every case among them: c is a random part of what a step could move the cost by."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(count, size, size)) + 1.5 * np.eye(size)
    h = root @ root.swapaxes(1, 2)
    g = rng.normal(size=(count, size)) * 10.0 ** rng.uniform(-3, 1, (count, 1))
    b = rng.normal(size=(count, constraints, size)) * 10.0 ** rng.uniform(-3, 1, (count, constraints, 1))
    s = np.einsum("nij,njk,nik->ni", b, np.linalg.inv(h), b)
    c = rng.uniform(-1.5, 1.5, (count, constraints)) * np.sqrt(2 * RADIUS * s)
    return h, g, b, c


def solve(h, g, b, c, radius=RADIUS):
    """x by the module, and what it told."""
    v, w = np.linalg.solve(h, g[..., None])[..., 0], np.linalg.solve(h, b.swapaxes(1, 2)).swapaxes(1, 2)
    q, r = np.einsum("ni,ni->n", g, v), np.einsum("nci,ni->nc", b, v)
    s = np.einsum("nci,ndi->ncd", b, w)
    told = jax.jit(jax.vmap(partial(trust_region.optimum, radius=radius)))(*map(jnp.float32, (q, r, s, c)))
    x = -(np.asarray(told.along)[:, None] * v + np.einsum("nc,nci->ni", told.cost_along, w))
    return x, told


def by_bisection(h, g, b, c):
    """The optimum for one constraint through its price alone: x(nu) has full length, and its cost falls as nu rises."""
    inverse = np.linalg.inv(h)

    def step(nu):
        push = g + nu[:, None] * b
        length = np.sqrt(np.einsum("ni,nij,nj->n", push, inverse, push))
        return -np.sqrt(2 * RADIUS) * np.einsum("nij,nj->ni", inverse, push) / length[:, None]

    cost = lambda nu: c + np.einsum("ni,ni->n", b, step(nu))
    low, high = np.zeros(len(g)), np.full(len(g), 1e9)
    for _ in range(200):
        middle = np.where(high > 1e-6, np.sqrt(np.maximum(low, 1e-9) * high), 0.5 * (low + high))
        dear = cost(middle) > 0
        low, high = np.where(dear, middle, low), np.where(dear, high, middle)
    free = cost(np.zeros(len(g))) <= 0
    return np.where(free[:, None], step(np.zeros(len(g))), step(high))


def test_ten_thousand_problems_of_one_constraint_agree_with_bisection_in_every_case():
    h, g, b, c = problems(10_000, 1)
    x, told = solve(h, g, b, c)
    case = np.asarray(told.case).astype(int)
    assert np.bincount(case, minlength=5)[:4].min() > 500, "all cases are there"
    length = np.einsum("ni,nij,nj->n", x, h, x)
    assert (length <= 2 * RADIUS * 1.01).all()  # single precision, where the two gradients are parallel to 1e-5
    s = np.einsum("ni,nij,nj->n", b[:, 0], np.linalg.inv(h), b[:, 0])
    scale = np.sqrt(2 * RADIUS * s)
    left = c[:, 0] + np.einsum("ni,ni->n", b[:, 0], x)
    feasible = case > 0
    assert (left[feasible] <= 1e-3 * scale[feasible]).all()
    exact = by_bisection(h, g, b[:, 0], c[:, 0])
    gain, best = np.einsum("ni,ni->n", g, x), np.einsum("ni,ni->n", g, exact)
    room = np.sqrt(2 * RADIUS * np.einsum("ni,nij,nj->n", g, np.linalg.inv(h), g))
    assert (np.abs(gain - best)[feasible] <= 2e-3 * room[feasible]).all()
    # Where no step is enough, cost goes down as far as a step can bring it.
    assert np.allclose(left[~feasible], (c[:, 0] - scale)[~feasible], atol=1e-3 * scale.max())
    # The cases as they are defined.
    exceeds, reaches = c[:, 0] >= 0, c[:, 0] ** 2 <= 2 * RADIUS * s
    named = np.select([exceeds & ~reaches, exceeds & reaches, ~exceeds & reaches], [0, 1, 2], 3)
    clear = np.abs(np.abs(c[:, 0]) / scale - 1) > 1e-3
    assert (named == case)[clear].all()


@pytest.mark.parametrize("constraints", [2, 3])
def test_several_constraints_agree_with_a_general_solver(constraints):
    from scipy.optimize import minimize

    h, g, b, c = problems(60, constraints, seed=constraints)
    x, told = solve(h, g, b, c)
    compared = 0
    for i in range(len(g)):
        ball = {"type": "ineq", "fun": lambda y, i=i: 2 * RADIUS - y @ h[i] @ y, "jac": lambda y, i=i: -2 * h[i] @ y}
        limits = {"type": "ineq", "fun": lambda y, i=i: -(c[i] + b[i] @ y), "jac": lambda y, i=i: -b[i]}
        scale = np.abs(g[i]).max()
        found = minimize(
            lambda y, i=i, scale=scale: g[i] @ y / scale, np.zeros(4), jac=lambda y, i=i, scale=scale: g[i] / scale,
            constraints=[ball, limits], method="SLSQP", options={"maxiter": 500, "ftol": 1e-12},
        )  # fmt: skip
        size = np.sqrt(2 * RADIUS * np.einsum("ci,ij,cj->c", b[i], np.linalg.inv(h[i]), b[i]))
        solved = found.success and (c[i] + b[i] @ found.x <= 1e-4 * size).all()
        if told.case[i] > 0:
            assert (c[i] + b[i] @ x[i] <= 2e-3 * size).all() and x[i] @ h[i] @ x[i] <= 2 * RADIUS * 1.001
        if solved:
            compared += 1
            assert told.case[i] > 0, "there is a point that keeps the limits"
            room = np.sqrt(2 * RADIUS * g[i] @ np.linalg.solve(h[i], g[i]))
            assert abs(g[i] @ x[i] - g[i] @ found.x) <= 5e-3 * room
    assert compared >= 15


def one(q, r, s, c):
    return trust_region.optimum(*(jnp.asarray(x, jnp.float32) for x in (q, r, s, c)), radius=RADIUS)


def test_a_cost_that_no_step_can_move_leaves_the_step_free():
    for c in (-1.0, 0.0, 1.0):
        told = one(1.0, [0.0], [[0.0]], [c])
        assert told.case == trust_region.FREE and told.cost_along[0] == 0.0
        assert np.isclose(told.along, np.sqrt(2 * RADIUS))


def test_an_excess_of_exactly_zero_and_a_gradient_of_zero_give_finite_steps():
    for q, r, s, c in (
        (1.0, 0.5, 1.0, 0.0),
        (1.0, 1.0, 1.0, 0.0),
        (0.0, 0.0, 1.0, 0.05),
        (0.0, 0.0, 1.0, -0.05),
        (0.0, 0.0, 0.0, 0.0),
    ):
        told = one(q, [r], [[s]], [c])
        assert all(np.isfinite(leaf).all() for leaf in told)


def test_two_limits_that_are_the_same_count_as_one():
    single, double = one(1.0, [0.6], [[1.0]], [0.05]), one(1.0, [0.6, 0.6], [[1.0, 1.0], [1.0, 1.0]], [0.05, 0.05])
    assert np.isclose(single.along, double.along, rtol=1e-3)
    assert np.isclose(single.cost_along[0], double.cost_along.sum(), rtol=1e-3)


def test_limits_that_contradict_each_other_are_descended_together():
    told = one(1.0, [0.3, -0.3], [[1.0, -1.0], [-1.0, 1.0]], [0.05, 0.04])
    assert told.case == trust_region.INFEASIBLE and told.along == 0.0 and np.isfinite(told.cost_along).all()


def test_more_constraints_than_can_be_tried_are_refused():
    with pytest.raises(ValueError, match="7 constraints; a trust region keeps 6"):
        one(1.0, np.zeros(7), np.eye(7), np.zeros(7))
