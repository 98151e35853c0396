"""The drone flies as in PyBullet 3.2.7; env steps are 0.1 s and start in the air unless said otherwise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bridle.envs import bullet
from bridle.envs.bullet import drone
from bridle.envs.bullet.drone import flight, ground
from bridle.envs.bullet.drone.airframe import rotation
from bridle.envs.bullet.table import TIMING, Timing

CIRCLE = TIMING["cvpo", "Circle"]
SPINNING = [461.52279, -461.52279, 461.52279, -461.52279]


def state(z=1.0, turn=(0, 0, 0, 1), v=(0, 0, 0), w=(0, 0, 0), rotors=SPINNING, angles=(0, 0, 0, 0), xy=(0, 0)):
    return np.array([*xy, z, *turn, *v, *w, *rotors, *angles, 0.0], float)[:, None]


def fly(action, steps, start=None, timing=CIRCLE, walls=False):
    """States [steps + 1, 22] under one action."""
    states = [state() if start is None else start]
    for _ in range(steps):
        states.append(flight.move(states[-1], np.array(action, float)[:, None], timing, walls, np))
    return np.array(states)[..., 0]


def pitch(one):
    return -np.arcsin(np.array(rotation(one[3:7]))[2, 0])


def yaw(one):
    r = np.array(rotation(one[3:7]))
    return np.arctan2(r[1, 0], r[0, 0])


def test_without_action_it_hovers():
    np.testing.assert_allclose(fly((0, 0, 0, 0), 50)[:, :17], np.tile(state()[:17, 0], (51, 1)), atol=3e-4)


@pytest.mark.parametrize("timing", set(TIMING.values()) | {Timing(1 / 120, 2)})
def test_hovering_needs_no_correction_at_any_step(timing):
    assert fly((0, 0, 0, 0), 20, timing=timing)[-1, 2] == pytest.approx(1.0, abs=1e-4)


def test_at_full_action_it_climbs_as_in_bullet():
    told = fly((1, 1, 1, 1), 20)
    np.testing.assert_allclose(told[[1, 2, 5, 10, 20], 2], [1.01, 1.04, 1.23, 1.74, 3.10], atol=0.006)
    assert told[20, 9] == pytest.approx(1.46, abs=0.006)


def test_at_least_action_it_sinks_as_in_bullet():
    told = fly((-1, -1, -1, -1), 20, state(z=30.0))
    np.testing.assert_allclose(told[[1, 2, 5, 10, 20], 2], [29.99, 29.96, 29.79, 29.29, 27.91], atol=0.006)
    assert told[20, 9] == pytest.approx(-1.53, abs=0.006)


def test_rotors_turn_the_body_as_in_bullet():
    told = fly((1, -1, 1, -1), 20)
    assert yaw(told[20]) == pytest.approx(0.81, abs=0.02) and told[20, 12] == pytest.approx(-17.07, rel=0.002)
    np.testing.assert_allclose(told[[1, 5, 10], 12], [-2.245, -8.919, -13.850], rtol=0.002)


def test_unequal_thrust_pitches_it_as_in_bullet():
    told = fly((0.05, 0, -0.05, 0), 20)
    assert pitch(told[20]) == pytest.approx(-0.616, abs=0.003)
    np.testing.assert_allclose(told[20, :3], [-1.910, 0.001, 0.629], atol=0.01)
    np.testing.assert_allclose(told[20, 7:10], [-3.468, 0.003, -1.047], atol=0.02)


def test_it_starts_on_the_ground_and_rests_there():
    for timing in (*TIMING.values(), Timing(1 / 120, 2)):
        one = flight.begin(np.array([[3.0], [-1.0]]), np.array([0.7]), timing, np)
        assert one[2, 0] == pytest.approx(0.17, abs=5e-4) and one[21, 0] == 1
        rest = fly((-1, -1, -1, -1), 40, one, timing)[-1]
        np.testing.assert_allclose(rest[:3], [3, -1, 0.17], atol=2e-3)
        np.testing.assert_allclose(rest[7:13], 0, atol=0.02)
        assert yaw(rest) == pytest.approx(0.7, abs=0.02)


def test_a_drone_that_falls_is_thrown_up_by_its_depth_as_in_bullet():
    """Bullet: from 0.4 m it comes to -2.106 m/s at a depth of 0.0166 m, and one sub-step later has 0.9039 m/s."""
    one, timing = state(z=0.4, rotors=(0, 0, 0, 0)), Timing(1 / 60, 1)
    zero = [np.zeros(1)] * 4
    speeds = []
    for _ in range(16):
        one = flight.advance(one, zero, zero, timing, False, np)
        speeds.append(one[9, 0])
    np.testing.assert_allclose(speeds[10:13], [-1.7857, -1.9459, -2.1056], atol=2e-3)
    assert speeds[13] == pytest.approx(0.9039, abs=0.04)


def test_on_the_ground_it_slides_with_friction_as_in_bullet():
    """Bullet: from 2 m/s, rotors still, 1.9308, 1.8614, 1.7925, 1.7237 m/s after 1, 2, 3, 4 sub-steps of 1/60 s."""
    one = state(z=0.17, rotors=(0, 0, 0, 0), v=(2, 0, 0))
    zero = [np.zeros(1)] * 4
    for expected in (1.9308, 1.8614, 1.7925, 1.7237):
        one = flight.advance(one, zero, zero, Timing(1 / 60, 1), False, np)
        assert one[7, 0] == pytest.approx(expected, abs=0.01)
    assert abs(one[2, 0] - 0.17) < 1e-3


@pytest.mark.parametrize("k", range(8))
def test_walls_hold_it_but_not_above_their_top(k):
    out = np.array([np.cos(k * np.pi / 4), np.sin(k * np.pi / 4)])
    low = fly((0, 0, 0, 0), 20, state(z=1.0, xy=9 * out, v=(*(3 * out), 0)), walls=True)
    assert (low[:, :2] @ out).max() < 11.9 - 0.2
    high = fly((0, 0, 0, 0), 20, state(z=4.0, xy=9 * out, v=(*(3 * out), 0)), walls=True)
    assert high[-1, :2] @ out > 13


def test_contact_keeps_numbers_small():
    rng = np.random.default_rng(0)
    n = 500
    turn = rng.normal(size=(4, n))
    turn /= np.linalg.norm(turn, axis=0)
    place = np.stack([rng.uniform(-12, 12, n), rng.uniform(-12, 12, n), rng.uniform(-0.2, 1, n)])
    many = np.concatenate([place, turn, rng.normal(0, 5, (6, n)), rng.normal(0, 500, (4, n)), np.zeros((5, n))])
    for _ in range(30):
        many = flight.move(many, rng.uniform(-1, 1, (4, n)), CIRCLE, True, np)
        assert np.isfinite(many).all()
        np.testing.assert_allclose(np.linalg.norm(many[3:7], axis=0), 1, atol=1e-9)
        assert np.abs(many[7:13]).max() < 3 * ground.FASTEST


def test_actions_are_clipped():
    np.testing.assert_array_equal(fly((3, -7, 1, -1), 5), fly((1, -1, 1, -1), 5))


def test_reward_counts_life_spin_and_links_on_the_ground():
    flying, tipped = state(w=(0, 3, 4)), state(turn=(np.sin(0.8), 0, 0, np.cos(0.8)))
    assert drone.reward(flying, np)[0] == pytest.approx(1 - 0.25) and not drone.lost(flying)[0]
    assert drone.reward(tipped, np)[0] == pytest.approx(-10) and drone.lost(tipped)[0]
    resting = flight.begin(np.zeros((2, 1)), np.zeros(1), CIRCLE, np)
    assert drone.reward(resting, np)[0] == pytest.approx(0, abs=0.01)


def test_obs_are_scaled_as_in_bullet():
    one = state(z=2.0, v=(1, 2, 3), w=(4, 5, 6), rotors=(0, 0, 0, 0), xy=(3, -4))
    told = np.array(drone.obs(one))[:, 0]
    np.testing.assert_allclose(told[:13], [0.3, -0.4, 0.2, 0.2, 0.4, 0.6, 0, 0, 0, 1, 0.4, 0.5, 0.6])
    np.testing.assert_allclose(told[13:], np.array([-1, 1, -1, 1]) * 1.153807, atol=1e-5)


@pytest.mark.parametrize("task", ["SafetyDroneCircle-v0", "SafetyDroneRun-v0"])
def test_a_lost_drone_ends_its_own_episode_and_no_other(task):
    world = bullet.make(task, 40, "cvpo")
    obs = world.reset(np.arange(40))
    rng = np.random.default_rng(0)
    lost = 0
    for _ in range(80):
        before = world.get_state()
        out = world.step(rng.uniform(-1, 1, (40, 4)))
        after = world.get_state()
        dead = out.terminated
        lost += dead.sum()
        tilt = 1 - 2 * (out.next_obs[:, 6] ** 2 + out.next_obs[:, 7] ** 2)
        np.testing.assert_array_equal(dead, tilt < 0)
        np.testing.assert_array_equal(after["episode"], before["episode"] + dead)
        np.testing.assert_array_equal(after["step"], np.where(dead, 0, before["step"] + 1))
        np.testing.assert_array_equal(out.obs[~dead], out.next_obs[~dead])
        assert (np.abs(out.obs[dead, 2] - 0.017) < 1e-3).all()
        if "Run" in task and dead.any():
            assert dead.sum() == (np.abs(out.obs[dead, :2]) < 0.01).all(1).sum()
        obs = out.obs
    assert lost > 10 and not out.truncated.any() and obs.shape == (40, world.spec.obs.shape[0])
    world.close()


def test_drone_is_the_same_on_jax():
    rng = np.random.default_rng(0)
    n = 300
    turn = np.array([0, 0, 0, 1.0])[:, None] + rng.normal(0, 0.2, (4, n))
    turn /= np.linalg.norm(turn, axis=0)
    place = np.stack([rng.uniform(-11.6, 11.6, n), rng.uniform(-8, 8, n), rng.uniform(0.1, 1.5, n)])
    many = np.concatenate([place, turn, rng.normal(0, 1, (6, n)), np.tile(np.array(SPINNING)[:, None], n)])
    many = np.concatenate([many, rng.uniform(0, 0.19, (4, n)), np.zeros((1, n))])
    action = rng.uniform(-1.5, 1.5, (4, n))
    timing = Timing(1 / 60, 1)
    with jax.enable_x64(True):
        ours = flight.move(many, action, timing, True, np)
        theirs = jax.jit(lambda s, a: flight.move(s, a, timing, True, jnp))(jnp.asarray(many), jnp.asarray(action))
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
        np.testing.assert_allclose(np.array(drone.obs(ours)), np.array(drone.obs(theirs)), atol=2e-5)
        np.testing.assert_allclose(drone.reward(ours, np), drone.reward(theirs, jnp), atol=2e-5)
