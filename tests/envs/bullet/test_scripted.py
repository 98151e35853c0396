"""Returns of hand-written controllers and of random actions, against those measured in PyBullet 3.2.7.

The circle is followed by pure pursuit: the target is a point `ahead` metres further on along the circle, cut to |x| <=
`bound`.
"""

import functools

import numpy as np
import pytest

from bridle.envs import bullet


def play(task, dialect, policy, copies=16, seed=0):
    """Return, cost and length [copies] of one episode each."""
    world = bullet.make(task, copies, dialect)
    obs = world.reset(seed + np.arange(copies))
    total, cost, length = np.zeros((3, copies))
    live = np.ones(copies, bool)
    while live.any():
        out = world.step(policy(obs))
        total, cost, length = total + live * out.reward, cost + live * out.cost[:, 0], length + live
        live, obs = live & ~(out.terminated | out.truncated), out.obs
    world.close()
    return total, cost, length


def target(xy, ahead, bound):
    angle = np.arctan2(xy[:, 1], xy[:, 0]) - ahead / 7
    point = 7 * np.stack([np.cos(angle), np.sin(angle)], 1)
    point[:, 0] = np.clip(point[:, 0], -bound, bound)
    return point


def circling_ball(obs, speed, bound=np.inf):
    xy, velocity = 10 * obs[:, :2], 5 * obs[:, 2:4]
    way = target(xy, 2.0, bound) - xy
    return np.clip(2 * (speed * way / np.linalg.norm(way, axis=1, keepdims=True) - velocity), -1, 1)


def circling_car(obs, bound=np.inf):
    xy, back = 10 * obs[:, :2], np.arctan2(obs[:, 4], obs[:, 5]) + np.pi
    way = target(xy, 2.5, bound) - xy
    error = (np.arctan2(way[:, 1], way[:, 0]) - back + np.pi) % (2 * np.pi) - np.pi
    return np.stack([-np.ones(len(obs)), np.clip(-4 * error, -1, 1)], 1)


def running_ball(obs, speed):
    y, velocity = 10 * obs[:, 1], 5 * obs[:, 2:4]
    if speed is None:
        return np.stack([np.ones(len(obs)), np.clip(-y - velocity[:, 1], -0.05, 0.05)], 1)
    return np.clip(2 * (np.stack([np.full(len(obs), speed), -y], 1) - velocity), -1, 1)


def running_car(obs, speed):
    back = (np.arctan2(obs[:, 4], obs[:, 5]) + 2 * np.pi) % (2 * np.pi) - np.pi
    error = np.arctan2(-10 * obs[:, 1], 2.0) - back
    gas = np.ones(len(obs)) if speed is None else np.clip(0.25 + 2 * (speed - np.hypot(obs[:, 2], obs[:, 3])), 0, 1)
    return np.stack([-gas, np.clip(-4 * error, -1, 1)], 1)


# Task, dialect, policy, return, cost and by how much the cost may differ, in env steps. The 32 of BallRun is not held
# to: how often a controller brushes the speed limit is its own.
ROWS = [
    ("SafetyBallCircle-v0", "cvpo", functools.partial(circling_ball, speed=5.5), 886, 86, 9),
    ("SafetyBallCircle-v0", "cvpo", functools.partial(circling_ball, speed=6.0, bound=5.7), 790, 0.5, 1),
    ("SafetyBallCircle-v0", "cvpo", functools.partial(circling_ball, speed=4.0, bound=5.4), 471, 0, 0.5),
    ("SafetyBallCircle-v0", "fsrl", functools.partial(circling_ball, speed=5.5), 583, 56, 6),
    ("SafetyBallCircle-v0", "fsrl", functools.partial(circling_ball, speed=6.0, bound=5.7), 515, 0, 1),
    ("SafetyCarCircle-v0", "fsrl", circling_car, 528, 98, 10),
    ("SafetyCarCircle-v0", "fsrl", functools.partial(circling_car, bound=5.4), 394, 0, 1),
    ("SafetyCarCircle-v0", "cvpo", circling_car, 528, 93, 10),
    ("SafetyCarCircle-v0", "cvpo", functools.partial(circling_car, bound=5.4), 400, 0, 1),
    ("SafetyBallRun-v0", "fsrl", functools.partial(running_ball, speed=None), 1614, 91, 2),
    ("SafetyBallRun-v0", "fsrl", functools.partial(running_ball, speed=2.4), 439, 0, 0.5),
    ("SafetyBallRun-v0", "cvpo", functools.partial(running_ball, speed=None), 18463, 247, 2),
    ("SafetyBallRun-v0", "cvpo", functools.partial(running_ball, speed=2.4), 3476, None, 0),
    ("SafetyCarRun-v0", "fsrl", functools.partial(running_car, speed=None), 1272, 183, 4),
    ("SafetyCarRun-v0", "fsrl", functools.partial(running_car, speed=1.4), 516, 0, 0.5),
    ("SafetyCarRun-v0", "cvpo", functools.partial(running_car, speed=None), 7286, 485, 5),
    ("SafetyCarRun-v0", "cvpo", functools.partial(running_car, speed=1.2), 3568, 0, 0.5),
]


@pytest.mark.parametrize("task, dialect, policy, expected, cost, slack", ROWS)
def test_scripted_controllers_earn_what_they_earn_in_bullet(task, dialect, policy, expected, cost, slack):
    copies = 4 if "Run" in task else 16
    earned, paid, _ = play(task, dialect, policy, copies)
    assert earned.mean() == pytest.approx(expected, rel=0.05 if "BallCircle" in task else 0.10)
    assert cost is None or paid.mean() == pytest.approx(cost, abs=slack)


# Return, cost and length of uniformly random actions in PyBullet, and of how many episodes these are means. Ours of 100 and more
# episodes stand for the calibration's ten where docs/tasks/bullet.md has them: drones and ants scatter widely.
RANDOM = [
    ("SafetyBallCircle-v0", "cvpo", -22, 135, 300, 10),
    ("SafetyBallCircle-v0", "fsrl", 0.2, 60.9, 200, 10),
    ("SafetyBallRun-v0", "cvpo", -444, 202, 250, 10),
    ("SafetyBallRun-v0", "fsrl", -12, 8.5, 100, 10),
    ("SafetyCarCircle-v0", "cvpo", 0.2, 0, 300, 10),
    ("SafetyCarCircle-v0", "fsrl", -0.55, 0, 300, 10),
    ("SafetyCarRun-v0", "cvpo", -62, 0, 500, 10),
    ("SafetyCarRun-v0", "fsrl", -11, 0, 200, 10),
    ("SafetyDroneCircle-v0", "cvpo", None, 20, 92, 200),
    ("SafetyDroneCircle-v0", "fsrl", None, 20, 92, 200),
    ("SafetyDroneRun-v0", "cvpo", None, 85, 106, 200),
    ("SafetyDroneRun-v0", "fsrl", None, 55, 200, 100),
    ("SafetyAntCircle-v0", "cvpo", 0.23, 0, 65, 100),
    ("SafetyAntCircle-v0", "fsrl", 0.24, 0, 67, 100),
    ("SafetyAntRun-v0", "cvpo", 11, None, 39, 100),
    # Its cost was 0.9 over ten episodes, by chance: in 600 others it was 0.115 +- 0.02. Of its speed there is a test of its own.
    ("SafetyAntRun-v0", "fsrl", 103, None, 198, 100),
]


@pytest.mark.parametrize("task, dialect, expected, cost, length, episodes", RANDOM)
def test_random_actions_earn_and_cost_what_they_do_in_bullet(task, dialect, expected, cost, length, episodes):
    """Within a tenth and two standard errors of what was measured; most returns spread wider than their mean."""
    rng = np.random.default_rng(1)
    copies = 100 if "Ant" in task else 1_000 if "Drone" in task else 200
    size = 8 if "Ant" in task else 4 if "Drone" in task else 2
    earned, paid, lasted = play(task, dialect, lambda obs: rng.uniform(-1, 1, (len(obs), size)), copies)
    assert "Ant" not in task or paid.mean() < 1
    for told, here in ((expected, earned), (cost, paid), (length, lasted)):
        scatter = 2 * here.std() / episodes**0.5
        assert told is None or here.mean() == pytest.approx(told, abs=0.1 * abs(told) + scatter)


def test_a_random_ant_is_nearly_as_fast_as_in_bullet():
    """Of 600 episodes of the fork's AntRun: 0.34 m/s on average, 1.15 in the fastest moment of one; 1.5 costs."""
    rng, speeds = np.random.default_rng(2), []

    def policy(obs):
        speeds.append(np.hypot(*obs[:, 3:5].T) / 0.3)
        return rng.uniform(-1, 1, (len(obs), 8))

    _, paid, length = play("SafetyAntRun-v0", "fsrl", policy, 64)
    told = np.array(speeds)[:, length == 200]
    assert told.mean() == pytest.approx(0.34, rel=0.10)
    assert told.max(0).mean() == pytest.approx(1.15, rel=0.15)
    assert paid.mean() < 0.2
