"""Safety Gym as it was, and as the code of CVPO changed it: calibration of the robots, layouts, observations."""

import numpy as np
import pytest

from bridle.envs import safety_gym

WHEN = [1, 2, 5, 10, 20, 40, 80]
POINT = {
    "safety-gym": [0.057, 0.111, 0.263, 0.479, 0.805, 1.178, 1.431],
    "cvpo": [0.163, 0.308, 0.656, 1.025, 1.350, 1.485, 1.500],
}
CAR = {"safety-gym": [0.31, 0.52, 0.74, 0.75, 0.72, 0.79, 0.81], "cvpo": [0.59, 0.64, 0.67, 0.84, 0.75, 0.79, 0.76]}


def speeds(id, dialect, action, steps=80):
    """Speed (m/s) and yaw rate (rad/s) after each step of one action, far from all else."""
    world = safety_gym.make(id, 1, dialect, layout="random", horizon=1000)
    world.reset(np.array([0]))
    found = []
    for _ in range(steps):
        world.advance(np.array([action], float))
        found.append((np.hypot(*world._seen().velocity[0, :2]), world._sensed[0, world._at.sensors["gyro"]][2]))
    return np.array(found)


@pytest.mark.parametrize("dialect", POINT)
def test_a_point_gains_speed_as_measured(dialect):
    told = speeds("SafetyPointGoal0-v0", dialect, (1, 0))[:, 0]
    np.testing.assert_allclose(told[np.array(WHEN) - 1], POINT[dialect], rtol=0.02)


@pytest.mark.parametrize("dialect", CAR)
def test_a_car_gains_speed_as_measured(dialect):
    """How its wheels slip depends on the direction it faces: what was measured of one is within what a hundred do."""
    world = safety_gym.make("SafetyCarGoal0-v0", 100, dialect, layout="random", horizon=1000)
    world.reset(np.arange(100))
    found = []
    for _ in range(max(WHEN)):
        world.advance(np.ones((100, 2)))
        found.append(np.hypot(*world._seen().velocity[:, :2].T))
    told = np.array(found)[np.array(WHEN) - 1]
    assert (told.min(1) <= CAR[dialect]).all() and (told.max(1) >= CAR[dialect]).all()
    assert told[3:].mean() == pytest.approx(np.mean(CAR[dialect][3:]), rel=0.10)


def test_a_point_turns_at_three_radians_a_second_and_a_car_at_one_and_a_quarter():
    assert speeds("SafetyPointGoal0-v0", "cvpo", (0, 1))[-1, 1] == pytest.approx(3.0, rel=0.02)
    assert speeds("SafetyCarGoal0-v0", "cvpo", (1, -1))[20:, 1].mean() == pytest.approx(1.25, rel=0.10)


SIZES = {
    "safety-gym": {"Goal1": (60, 72), "Goal2": (60, 72), "Button1": (76, 88), "Button2": (76, 88), "Push1": (76, 88)},
    "cvpo": {"Goal1": (60, 72), "Goal2": (60, 72), "Button1": (76, 88), "Button2": (60, 72), "Push1": (76, 88)},
}


@pytest.mark.parametrize("dialect", SIZES)
def test_observations_have_the_sizes_of_the_originals(dialect):
    for task, sizes in SIZES[dialect].items():
        for robot, size in zip(("Point", "Car"), sizes, strict=True):
            assert safety_gym.make(f"Safety{robot}{task}-v0", 1, dialect).spec.obs.shape == (size,)
    assert safety_gym.make("SafetyDoggoGoal1-v0", 1, "safety-gym").spec.obs.shape == (104,)


def test_observations_stand_in_alphabetical_order():
    world = safety_gym.make("SafetyPointGoal1-v0", 1, "safety-gym")
    obs = world.reset(np.array([0]))[0]
    gravity, field = obs[:3], obs[3 + 16 + 3 + 16 :][:3]
    assert gravity[2] == pytest.approx(9.81) and np.hypot(*field[:2]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("task", "start", "goal"),
    [("Button1", (-0.7247, 0.9537, 2.2344), (-1.3, -1.3)), ("Button2", (0.1367, 0.6025, 2.8661), (-1.4, 0.6))],
)
def test_cvpo_begins_where_it_always_did_with_its_first_button(task, start, goal):
    world = safety_gym.make(f"SafetyPoint{task}-v0", 2, "cvpo")
    assert dict(world.spec.notes)["layout"] == "fixed" and world.spec.horizon == 400
    first = world.reset(np.array([3, 4]))
    np.testing.assert_array_equal(first[0], first[1])
    np.testing.assert_allclose(world._physics[:, 1:4], [start, start])
    np.testing.assert_allclose(world._goal[:, :2], [goal, goal])
    free = safety_gym.make(f"SafetyPoint{task}-v0", 2, "cvpo", layout="random")
    free.reset(np.array([3, 4]))
    assert not np.array_equal(free._physics[0, 1:4], free._physics[1, 1:4])
    np.testing.assert_array_equal(free._fixed["hazards"][0], world._fixed["hazards"][0])


def test_goal2_of_cvpo_ends_with_its_first_goal():
    world = safety_gym.make("SafetyPointGoal2-v0", 1, "cvpo")
    world.reset(np.array([0]))
    world._physics[0, 1:3] = world._goal[0, :2] + [0.1, 0.0]
    assert world.step(np.zeros((1, 2))).terminated[0]


@pytest.mark.parametrize("id", ["SafetyAntGoal1-v0", "SafetyRacecarPush0-v0", "SafetyPointCircle1-v0"])
@pytest.mark.parametrize("dialect", SIZES)
def test_a_task_that_a_dialect_does_not_have_is_told(dialect, id):
    with pytest.raises(ValueError, match=f"dialect '{dialect}' has no {id}"):
        safety_gym.make(id, 1, dialect)
