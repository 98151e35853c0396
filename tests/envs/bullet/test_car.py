"""The car drives as in PyBullet 3.2.7: speeds in m/s after so many env steps of 0.1 s, radii in m."""

import numpy as np
import pytest

from bridle.envs import bullet
from bridle.envs.bullet import car
from bridle.envs.bullet.table import TIMING


def drive(throttle, steering=0.0, steps=40, task="SafetyCarCircle-v0", dialect="cvpo", walls=False):
    """obs [steps, 7], return and cost of one car under one action."""
    world = bullet.make(task, 1, dialect, horizon=10_000)
    if not walls:
        for k in range(8):
            model = world._agent._copies.model
            model.geom_pos[model.geom(f"wall{k}").id] *= 1e5
    world.reset(np.array([3]))
    out = [world.step(np.array([[throttle, steering]])) for _ in range(steps)]
    world.close()
    rows = np.array([o.obs[0, :7] for o in out], np.float64)
    return rows, sum(float(o.reward[0]) for o in out), sum(float(o.cost[0, 0]) for o in out)


def speed(rows):
    return np.hypot(rows[:, 2], rows[:, 3])


@pytest.mark.parametrize("throttle", [1.0, -1.0])
def test_car_gains_speed_at_full_throttle_as_in_bullet(throttle):
    low = np.array([0.0, 0.32, 0.48, 0.79, 1.44, 2.2, 2.7])
    high = np.array([0.1, 0.38, 0.55, 0.87, 1.51, 2.2, 2.7])
    told = speed(drive(throttle)[0])[[0, 1, 2, 4, 9, 19, 39]]
    assert np.all(told > 0.9 * low - 1e-9) and np.all(told < 1.1 * high), told


@pytest.mark.parametrize("throttle, after", [(0.5, 1.56), (0.25, 0.67)])
def test_car_at_part_throttle_is_as_fast_as_in_bullet(throttle, after):
    assert speed(drive(throttle)[0])[39] == pytest.approx(after, rel=0.10)


def test_car_of_run_is_slower_as_in_bullet():
    assert speed(drive(-1.0, task="SafetyCarRun-v0")[0])[39] == pytest.approx(2.25, rel=0.10)


@pytest.mark.parametrize("throttle", [1.0, -1.0, 0.5])
@pytest.mark.parametrize("steering, low, high", [(1.0, 1.9, 2.05), (-1.0, 1.9, 2.05), (0.5, 4.0, 4.0)])
def test_car_turns_in_the_radius_of_bullet(throttle, steering, low, high):
    rows = drive(throttle, steering, 100)[0][-50:]
    rate = 10 * rows[:, 6].mean()
    assert 0.9 * low < speed(rows).mean() / abs(rate) < 1.1 * high
    assert np.sign(rate) == np.sign(throttle * steering)


def test_reported_velocity_is_that_of_the_reported_point():
    rows = drive(1.0, 1.0, 100)[0][-20:]
    moved = np.diff(10 * rows[:, :2], axis=0) / 0.1
    np.testing.assert_allclose(moved, 0.5 * (rows[1:, 2:4] + rows[:-1, 2:4]), atol=0.05)


def test_car_starts_with_its_back_to_where_it_should_go():
    rows, gained, _ = drive(-1.0, task="SafetyCarRun-v0", steps=20)
    assert rows[0, 5] == pytest.approx(-1, abs=1e-3) and rows[-1, 0] > 0.1 and gained > 0


def test_car_rests_at_a_wall():
    world = bullet.make("SafetyCarCircle-v0", 16, horizon=1000)
    world.reset(np.arange(16))
    for _ in range(300):
        out = world.step(np.tile([1.0, 0.0], (16, 1)))
    rho = 10 * np.hypot(out.obs[:, 0], out.obs[:, 1])
    assert np.all(np.isfinite(out.obs)) and np.all(rho > 10) and np.all(rho < 13)
    assert np.all(world._agent._state[:, 3] < 0.3)
    world.close()


def test_only_the_fork_clips_the_action():
    def faster(dialect):
        twice, once = (speed(drive(throttle, steps=30, dialect=dialect)[0])[-1] for throttle in (-2.0, -1.0))
        return twice / once

    assert faster("fsrl") == 1.0 and faster("cvpo") > 1.3


def test_random_actions_shake_no_car_off_its_wheels():
    world = bullet.make("SafetyCarCircle-v0", 32, "cvpo")
    world.reset(np.arange(32))
    rng = np.random.default_rng(0)
    for _ in range(150):
        out = world.step(rng.choice([-3.0, 3.0], (32, 2)))
        assert np.all(np.abs(world._agent._state[:, 5:7]) < 0.1) and np.all(np.isfinite(out.obs))
    world.close()


def test_every_dialect_has_a_drive():
    assert {timing.substep for timing in TIMING.values()} <= set(car.DRIVE)
