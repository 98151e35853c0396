"""Reward, cost, start and obs of Circle and Run, as pure functions."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridle.envs.bullet import circle, run

RNG = np.random.default_rng(0)
XY, BEFORE, VELOCITY = RNG.uniform(-11, 11, (3, 2, 500))


def test_clockwise_speed_on_the_circle_is_worth_seven_tenths():
    angle = np.linspace(0, 6, 20)
    xy = 7 * np.stack([np.cos(angle), np.sin(angle)])
    clockwise = 3 * np.stack([np.sin(angle), -np.cos(angle)])
    np.testing.assert_allclose(circle.reward(xy, xy, clockwise, 0.0, np), 0.7 * 3)
    np.testing.assert_allclose(circle.reward(xy, xy, -clockwise, -1.0, np), -0.7 * 3 - 0.01)


def test_circle_costs_beyond_six_metres_along_x_only():
    xy = np.array([[6.0, 6.001, -6.1, 0.0], [0.0, 0.0, 0.0, 11.0]])
    np.testing.assert_array_equal(circle.cost("Ball", xy, xy, np), [False, True, True, False])


def test_circle_starts_in_the_ring_and_faces_clockwise():
    draw = RNG.uniform(size=(2, 10_000))
    xy, yaw = circle.start(draw, np)
    rho = np.hypot(*xy)
    assert 2 <= rho.min() < 2.05 and 3.95 < rho.max() <= 4
    assert np.mean(rho < 3) == pytest.approx((9 - 4) / (16 - 4), abs=0.02)  # uniform by area
    facing = np.stack([np.cos(yaw), np.sin(yaw)])
    np.testing.assert_allclose(xy[1] * facing[0] - xy[0] * facing[1], rho)


def test_run_pays_sixty_per_metre_towards_the_goal():
    before, xy = np.zeros((2, 1)), np.array([[0.3], [0.0]])
    assert run.reward(before, xy, xy, -0.5, np)[0] == pytest.approx(60 * 0.3 - 0.5)


@given(*[st.floats(-500, 500)] * 4)
def test_run_reward_is_the_difference_of_the_distances(ax, ay, bx, by):
    plain = 60 * (np.hypot(ax - 1000, ay) - np.hypot(bx - 1000, by))
    told = run.reward(np.array([ax, ay]), np.array([bx, by]), None, 0.0, np)
    assert told == pytest.approx(plain, rel=1e-9, abs=1e-7)


@pytest.mark.parametrize("agent, limit", [("Ball", 2.5), ("Car", 1.5), ("Drone", 1.5), ("Ant", 1.5)])
def test_run_costs_beyond_the_lines_or_the_speed_limit(agent, limit):
    xy = np.array([[0, 0, 0, 0], [2.0, -2.1, 0, 0]])
    velocity = np.array([[0, 0, 0.99 * limit, 0.8 * limit], [0, 0, 0, 0.8 * limit]])
    np.testing.assert_array_equal(run.cost(agent, xy, velocity, np), [False, True, False, True])


@pytest.mark.parametrize("goal", [circle, run])
def test_goals_are_the_same_on_jax(goal):
    numpy = goal.reward(BEFORE, XY, VELOCITY, -0.3, np)
    jax = goal.reward(jnp.asarray(BEFORE), jnp.asarray(XY), jnp.asarray(VELOCITY), -0.3, jnp)
    np.testing.assert_allclose(numpy, jax, rtol=1e-3, atol=5e-3 if goal is run else 1e-5)
    np.testing.assert_array_equal(goal.cost("Car", XY, VELOCITY, np), goal.cost("Car", jnp.asarray(XY), VELOCITY, jnp))
    for ours, theirs in zip(goal.obs(XY, np), goal.obs(jnp.asarray(XY), jnp), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    draw = RNG.uniform(size=(2, 100))
    for ours, theirs in zip(goal.start(draw, np), goal.start(jnp.asarray(draw), jnp), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
