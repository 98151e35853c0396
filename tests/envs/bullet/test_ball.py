"""The ball rolls as in PyBullet 3.2.7: speeds in m/s after so many env steps of 0.1 s."""

import jax.numpy as jnp
import numpy as np
import pytest

from bridle.envs.bullet import ball
from bridle.envs.bullet.table import TIMING

CIRCLE, RUN = TIMING["cvpo", "Circle"], TIMING["cvpo", "Run"]


def roll(action, timing, steps, state=(0, 0, 0, 0), walls=False, xp=np):
    """States [steps + 1, 4] under one action."""
    states = [xp.asarray(state, float)]
    for _ in range(steps):
        states.append(ball.move(states[-1], xp.asarray(action, float), timing, walls, xp))
    return np.array(states)


def test_ball_gains_speed_as_in_bullet():
    speed = roll((1, 0), CIRCLE, 10)[:, 2]
    np.testing.assert_allclose(speed[[1, 2, 3, 5, 10]], [0.80, 1.58, 2.35, 3.83, 6.95], rtol=0.05)


def test_ball_gains_speed_as_in_bullet_with_the_long_sub_steps_of_run():
    speed = roll((1, 0), RUN, 30)[:, 2]
    np.testing.assert_allclose(speed[[1, 2, 3, 5, 10, 20, 30]], [0.88, 1.76, 2.53, 4.29, 7.18, 10.8, 12.1], rtol=0.10)


def test_ball_terminal_speed_matches_bullet():
    assert roll((1, 0), CIRCLE, 200)[-1, 2] == pytest.approx(12.0, rel=0.05)


def test_coasting_ball_slows_down_and_stops_as_in_bullet():
    speed = roll((0, 0), CIRCLE, 60, state=(0, 0, 3, 0))[:, 2]
    np.testing.assert_allclose(speed[[1, 10, 20, 30, 40, 50]], [2.91, 2.21, 1.60, 1.08, 0.66, 0.29], rtol=0.05)
    assert speed[60] == 0.0


def test_actions_are_clipped_and_directions_are_alike():
    np.testing.assert_array_equal(roll((3, -7), CIRCLE, 5), roll((1, -1), CIRCLE, 5))
    np.testing.assert_allclose(roll((0, -1), CIRCLE, 5)[:, 3], -roll((1, 0), CIRCLE, 5)[:, 2])


@pytest.mark.parametrize("k", range(8))
def test_ball_stops_at_every_wall_and_can_leave_it(k):
    normal = np.array([np.cos(k * np.pi / 4), np.sin(k * np.pi / 4)])
    action = normal / np.abs(normal).max()
    pushed = roll(action, CIRCLE, 60, walls=True)[-1]
    assert normal @ pushed[:2] == pytest.approx(ball.WALL, abs=1e-9)
    assert normal @ pushed[2:] == pytest.approx(0.0, abs=1e-9)
    assert normal @ roll(-action, CIRCLE, 10, state=pushed, walls=True)[-1][:2] < ball.WALL - 1


def test_spin_is_that_of_rolling():
    vx, vy = 1.5, -2.0
    rows = ball.obs(np.array([3.0, 4.0, vx, vy]), np)
    np.testing.assert_allclose(rows, [0.3, 0.4, 0.3, -0.4, 0.1 * 4.0, 0.1 * 3.0, 0.0])


def test_ball_is_the_same_on_jax():
    rng = np.random.default_rng(0)
    state = rng.uniform(-9, 9, (4, 300))
    action = rng.uniform(-1.5, 1.5, (2, 300))
    for timing in TIMING.values():
        ours = ball.move(state, action, timing, True, np)
        theirs = ball.move(jnp.asarray(state), jnp.asarray(action), timing, True, jnp)
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
        np.testing.assert_allclose(np.array(ball.obs(ours, np)), np.array(ball.obs(theirs, jnp)), atol=2e-5)
    np.testing.assert_allclose(ball.reward(action, np), ball.reward(jnp.asarray(action), jnp), rtol=1e-5)
