"""CVPO's E-step against SciPy in float64: feasible, infeasible, degenerate and badly scaled problems."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar

from bridle.parts.constraints import variational
from bridle.parts.constraints.variational import Dual, e_step, initial_dual, value_and_derivatives

K, B, RADIUS, CAP = 16, 24, 0.1, 1e3
solve = jax.jit(e_step)
derivatives = jax.jit(value_and_derivatives)


class Problem(NamedTuple):
    """What an E-step is given."""

    q: np.ndarray
    cost_q: np.ndarray
    limit: np.ndarray

    @property
    def scale(self):
        return np.maximum(self.cost_q.std(0).mean(0), 1e-6)


def random_problem(seed, constraints, place, q_scale=None, cost_scale=None):
    """Random values a state; the limit lies at `place` between the least cost in the ball (0) and the old policy's (1)."""
    random = np.random.default_rng(seed)
    q_scale = 10 ** random.uniform(-1, 1.5) if q_scale is None else q_scale
    cost_scale = 10 ** random.uniform(-1, 1.5, constraints) if cost_scale is None else cost_scale
    states = random.normal(size=(1, B, 1 + constraints)) + np.exp(random.normal(size=(1, B, 1))) * random.normal(
        size=(K, B, 1 + constraints)
    )
    states[..., 1:] += random.uniform(-0.9, 0.9) * states[..., :1]  # reward and cost go together, or do not
    q, cost_q = q_scale * states[..., 0], cost_scale * states[..., 1:]
    if constraints == 1:
        floor = np.array([least(cost_q[..., 0])])
    else:
        direction = random.dirichlet(np.ones(constraints)) / cost_scale
        floor = np.array([(weights_of_least(cost_q @ direction)[..., None] * cost_q).sum(0).mean(0)])[0]
    mean = cost_q.mean((0, 1))
    return Problem(*(v.astype(np.float32) for v in (q, cost_q, floor + place * (mean - floor))))


def dual_value(x, problem, radius=RADIUS):
    """g and its gradient in (log eta, multiplier), float64."""
    q, cost_q, limit = (np.asarray(v, np.float64) for v in problem)
    eta, multiplier = np.exp(x[0]), x[1:]
    z = (q - cost_q @ multiplier) / eta
    top = z.max(0)
    e = np.exp(z - top)
    log_mean = np.log(e.mean(0)) + top
    weight = e / e.sum(0)
    slope_eta = radius + (log_mean - (weight * z).sum(0)).mean()
    slope = limit - (weight[..., None] * cost_q).sum(0).mean(0)
    return eta * (radius + log_mean.mean()) + multiplier @ limit, np.concatenate([[eta * slope_eta], slope])


def by_scipy(problem):
    """The least dual over several starts."""
    q_scale = max(float(problem.q.std()), 1e-9)
    bounds = [(np.log(1e-6), np.log(1e5))] + [(0.0, CAP)] * len(problem.limit)
    unit = np.concatenate([[1.0], q_scale / problem.scale])  # multipliers in a unit of their own

    def scaled(x):
        value, slope = dual_value(x * unit, problem)
        return value / q_scale, slope * unit / q_scale

    def descend(eta, multiplier):
        start = np.concatenate([[np.log(eta * q_scale)], np.full(len(problem.limit), multiplier)])
        box = [(low / u, high / u) for (low, high), u in zip(bounds, unit, strict=True)]
        options = {"maxiter": 2000, "ftol": 1e-14, "gtol": 1e-9}
        return minimize(scaled, start, jac=True, bounds=box, method="L-BFGS-B", options=options)

    best = min((descend(*start) for start in ((1.0, 0.0), (3.0, 1.0), (0.3, 0.1), (1.0, 10.0))), key=lambda r: r.fun)
    return best.fun * q_scale, best.x * unit


def least(cost, radius=RADIUS):
    """The least mean cost in the KL ball, exactly: max over eta of the dual of that smaller problem, float64."""
    return -_least(cost, radius).fun


def _least(cost, radius=RADIUS):
    cost = np.asarray(cost, np.float64)
    scale = max(cost.std(), 1e-12)
    empty = np.zeros((*cost.shape, 0))

    def dual(log_eta):
        return dual_value(np.array([log_eta + np.log(scale)]), (-cost, empty, np.zeros(0)), radius)[0]

    return minimize_scalar(dual, bounds=(-9.0, 9.0), method="bounded", options={"xatol": 1e-10})


def weights_of_least(cost, radius=RADIUS):
    scale = max(np.asarray(cost, np.float64).std(), 1e-12)
    e = np.exp(-(cost - cost.min(0)) / (scale * np.exp(_least(cost, radius).x)))
    return e / e.sum(0)


def distance_to_feasible(problem):
    """max over directions d on the simplex of least(d . cost) - d . limit, in spreads of cost: at most 0 if feasible."""
    unit, limit = problem.cost_q / problem.scale, problem.limit / problem.scale

    def excess(part):
        direction = np.array([part, 1.0 - part])
        return -(least(unit @ direction) - direction @ limit)

    found = [minimize_scalar(excess, bounds=b, method="bounded") for b in ((0.0, 0.4), (0.3, 0.7), (0.6, 1.0))]
    return max(-min(r.fun for r in found), -excess(0.0), -excess(1.0))


def solved(problem, start=None):
    start = initial_dual(len(problem.limit)) if start is None else start
    return jax.device_get(solve(start, problem.q, problem.cost_q, RADIUS, problem.limit, CAP))


def check_sane(found):
    for leaf in jax.tree.leaves(found):
        assert np.isfinite(leaf).all(), found
    np.testing.assert_allclose(found.weight.sum(0), 1.0, rtol=1e-4)


def check_optimal(problem, found, tolerance=1e-3):
    """The dual's value is SciPy's; the ball is used up; a multiplier is positive only where its limit is reached."""
    check_sane(found)
    assert found.feasible
    value, _ = by_scipy(problem)
    ours, _ = dual_value(np.concatenate([[np.log(found.dual.eta)], found.dual.multiplier]).astype(float), problem)
    size = np.abs(problem.q).mean() + np.abs(value)
    assert ours - value <= tolerance * size, (ours, value)
    assert abs(found.kl - RADIUS) <= 0.02 * RADIUS
    residual = found.residual_limit / problem.scale
    assert (residual < 5e-3).all(), residual
    assert (found.dual.multiplier * problem.scale / problem.q.std() * np.abs(residual) < 5e-3).all()


@pytest.mark.parametrize("seed", range(100))
def test_one_limit_is_met_at_scipys_optimum(seed):
    problem = random_problem(seed, 1, place=np.random.default_rng(seed + 1).uniform(0.05, 1.3))
    check_optimal(problem, solved(problem))


@pytest.mark.parametrize("seed", range(60))
def test_two_limits_are_met_at_scipys_optimum(seed):
    problem = random_problem(seed, 2, place=np.random.default_rng(seed + 1).uniform(0.05, 1.3))
    check_optimal(problem, solved(problem))


@pytest.mark.parametrize("seed", range(40))
def test_with_one_limit_infeasible_means_below_the_least_cost_of_the_ball(seed):
    """Both sides of the boundary, at 1 % of the way from the least cost to the old policy's."""
    above, below = (random_problem(seed, 1, place) for place in (0.01, -0.01))
    assert solved(above).feasible
    found = solved(below)
    check_sane(found)
    assert not found.feasible
    reached = (found.weight * below.cost_q[..., 0]).sum(0).mean()
    assert reached - least(below.cost_q[..., 0]) < 2e-3 * below.scale[0], "recovery minimises cost"
    assert abs(found.kl - RADIUS) <= 0.02 * RADIUS


@pytest.mark.parametrize("seed", range(40))
def test_with_two_limits_feasibility_is_what_a_convex_search_says(seed):
    problem = random_problem(seed, 2, place=np.random.default_rng(seed + 7).uniform(-1.0, 0.6))
    distance = distance_to_feasible(problem)
    found = solved(problem)
    check_sane(found)
    if abs(distance) > 0.01:
        assert found.feasible == (distance < 0), distance
    if not found.feasible:
        old = np.maximum((problem.cost_q.mean((0, 1)) - problem.limit) / problem.scale, 0.0).sum()
        now = np.maximum(found.residual_limit / problem.scale, 0.0).sum()
        assert now < old, "recovery lowers the excess"


@pytest.mark.parametrize("constraints", [1, 2])
def test_the_derivatives_are_those_of_the_dual(constraints):
    problem = random_problem(3, constraints, 0.5)
    x = jnp.concatenate([jnp.array([2.0]), 0.3 * jnp.ones(constraints)])

    def value(x):
        dual = Dual(x[0], x[1:])
        cost_q = jnp.moveaxis(jnp.asarray(problem.cost_q), -1, 0)
        q, limit = jnp.asarray(problem.q), jnp.asarray(problem.limit)
        return value_and_derivatives(dual, q, cost_q, RADIUS, limit)

    g, gradient, hessian = jax.jit(value)(x)
    by_hand, _ = dual_value(np.concatenate([[np.log(2.0)], 0.3 * np.ones(constraints)]), problem)
    assert g == pytest.approx(by_hand, rel=1e-4)
    np.testing.assert_allclose(gradient, jax.jit(jax.grad(lambda x: value(x)[0]))(x), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(hessian, jax.jit(jax.hessian(lambda x: value(x)[0]))(x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("seed", range(15))
def test_a_warm_start_changes_the_way_and_not_the_answer(seed):
    problem = random_problem(seed, 1 + seed % 2, place=0.4)
    cold = solved(problem)
    for eta, multiplier in ((1e-4, 0.0), (50.0, 30.0), (float(cold.dual.eta), 1e3)):
        warm = solved(problem, Dual(jnp.asarray(eta), jnp.full(len(problem.limit), multiplier)))
        assert warm.feasible == cold.feasible
        np.testing.assert_allclose(warm.weight, cold.weight, atol=5e-3)


@pytest.mark.parametrize("scale", [1e-3, 1e-1, 1e2, 1e4])
@pytest.mark.parametrize("side", ["reward", "cost"])
def test_the_units_of_reward_and_cost_do_not_matter(scale, side):
    scales = (scale, np.ones(1)) if side == "reward" else (1.0, np.full(1, scale))
    for seed in range(4):
        plain = random_problem(seed, 1, 0.3, 1.0, np.ones(1))
        scaled = random_problem(seed, 1, 0.3, *scales)
        found = solve(initial_dual(1), scaled.q, scaled.cost_q, RADIUS, scaled.limit, 1e8)
        check_sane(found)
        np.testing.assert_allclose(found.weight, solved(plain).weight, atol=1e-2)


def test_equal_rewards_leave_the_old_policy_alone_where_it_is_cheap_enough():
    problem = random_problem(0, 1, 2.0)._replace(q=np.zeros((K, B), np.float32))
    found = solved(problem)
    check_sane(found)
    assert found.feasible
    np.testing.assert_allclose(found.weight, 1 / K, atol=1e-3)


def test_where_no_action_changes_the_cost_the_limit_alone_decides():
    problem = random_problem(0, 1, 0.5)
    flat = np.full((K, B, 1), 2.0, np.float32)
    met, missed = (problem._replace(cost_q=flat, limit=np.array([limit], np.float32)) for limit in (2.5, 1.5))
    free = solved(random_problem(0, 1, 1e3))
    found = solved(met)
    assert found.feasible and not solved(missed).feasible
    np.testing.assert_allclose(found.weight, free.weight, atol=2e-3)
    check_sane(solved(missed))


def test_a_limit_that_does_not_bind_has_no_price():
    found = solved(random_problem(4, 2, place=20.0))
    assert found.feasible
    np.testing.assert_array_equal(found.dual.multiplier, 0.0)


def test_an_infeasible_batch_leaves_the_warm_start_alone():
    start = Dual(jnp.asarray(0.7), jnp.array([2.0]))
    found = solved(random_problem(1, 1, place=-1.0), start)
    assert not found.feasible and found.dual.eta == np.float32(0.7) and found.dual.multiplier[0] == 2.0


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([1, 2]),
    st.floats(-2.0, 3.0),
    st.sampled_from([0.0, 1e-3, 1.0, 1e4]),
    st.sampled_from([0.0, 1e-3, 1.0, 1e4]),
    st.sampled_from([1e-6, 1.0, 1e3]),
)
def test_no_problem_yields_nan(seed, constraints, place, q_scale, cost_scale, eta):
    problem = random_problem(seed, constraints, place, q_scale, np.full(constraints, max(cost_scale, 1e-9)))
    if cost_scale == 0.0:
        problem = problem._replace(cost_q=np.zeros_like(problem.cost_q), limit=np.sign(problem.limit))
    start = Dual(jnp.asarray(eta, jnp.float32), jnp.full(constraints, CAP if seed % 2 else 0.0))
    check_sane(solved(problem, start))


def test_a_part_of_what_is_within_reach_is_asked_for_and_can_be_had():
    rng = np.random.default_rng(3)
    cost_q = jnp.asarray(rng.normal(size=(64, 256, 2)))
    radius, far = 0.05, jnp.array([-5.0, 10.0])
    lowest = np.array([
        (np.asarray(variational._least(jnp.asarray(cost_q[..., c]), radius)[1])) for c in range(2)
    ])  # fmt: skip
    asked = variational.within_reach(cost_q, radius, far, 0.5)
    mean = cost_q.mean((0, 1))
    np.testing.assert_allclose(asked[0], mean[0] - 0.5 * (mean[0] - lowest[0]), atol=1e-5)
    assert asked[1] == 10.0  # met already
    np.testing.assert_allclose(variational.within_reach(cost_q, radius, far, 1.0)[0], lowest[0], atol=1e-5)


def test_reward_rises_though_the_limit_is_out_of_reach():
    rng = np.random.default_rng(4)
    q, cost_q = jnp.asarray(rng.normal(size=(256, 512))), jnp.asarray(rng.normal(size=(256, 512, 1)))
    radius, limit = 0.02, jnp.array([-5.0])
    rise = lambda found: float((found.weight * q).sum(0).mean() - q.mean())
    start = variational.initial_dual(1)
    free = variational.e_step(start, q, cost_q, radius, jnp.array([50.0]), 1e3)
    strict = variational.e_step(start, q, cost_q, radius, limit, 1e3)
    half = variational.e_step(start, q, cost_q, radius, variational.within_reach(cost_q, radius, limit, 0.5), 1e3)
    assert free.feasible and not strict.feasible and half.feasible
    assert abs(rise(strict)) < 0.02 * rise(free)
    # sqrt(1 - 1/4) of what reward alone would gain, for half of the greatest fall of cost.
    assert 0.82 * rise(free) < rise(half) < 0.9 * rise(free)
    fall = lambda found: float(cost_q.mean() - (found.weight[..., None] * cost_q).sum(0).mean())
    assert abs(fall(half) - 0.5 * fall(strict)) < 0.02 * fall(strict)
