"""The Gymnasium form, by id; pictures."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import bridle  # noqa: F401 (registers)
from bridle.envs import gl, make, safety_gym

SOME = (
    "SafetyPointGoal1-v0",
    "SafetyCarButton2-v0",
    "SafetyDoggoPush1-v0",
    "SafetyAntCircle1-v0",
    "SafetyRacecarGoal0-v0",
    "SafetyPointRun0-v0",
)


@pytest.mark.parametrize("id", SOME)
@pytest.mark.filterwarnings("ignore")
def test_gymnasiums_checker_is_content(id):
    env = gymnasium.make(f"bridle/{id}")
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


def test_every_id_is_registered_and_told():
    for id in safety_gym.TASKS:
        assert f"bridle/{id}" in gymnasium.registry


def test_one_copy_is_the_world_of_one():
    env, world = gymnasium.make("bridle/SafetyPointGoal1-v0", horizon=3), make("SafetyPointGoal1-v0", 1, horizon=3)
    obs, _ = env.reset(seed=5)
    np.testing.assert_array_equal(obs, world.reset(np.array([5]))[0])
    for step in range(3):
        action = np.array([0.5, -0.5], np.float32)
        out, theirs = env.step(action), world.step(action[None])
        np.testing.assert_array_equal(out[0], theirs.next_obs[0])
        assert out[1] == theirs.reward[0] and out[4]["cost"] == theirs.cost[0, 0] and out[3] == (step == 2)


def test_a_world_without_mistakes_tells_no_cost():
    world = make("SafetyPointGoal0-v0", 2)
    assert world.spec.constraints == () and world.step(np.zeros((2, 2))).cost.shape == (2, 1)


@pytest.mark.skipif(gl.available() is None, reason="no OpenGL works here")
def test_a_picture_shows_something_and_changes():
    world = make("SafetyCarButton1-v0", 2)
    first = world.render(0)
    assert first.shape == (480, 640, 3) and first.std() > 10
    for _ in range(5):
        world.step(np.ones((2, 2)))
    assert not np.array_equal(world.render(0), first)
    world.close()


def test_without_opengl_a_picture_says_what_to_install(monkeypatch):
    monkeypatch.setattr(gl, "available", lambda: None)
    with pytest.raises(RuntimeError, match="no OpenGL works here without a screen"):
        make("SafetyPointGoal1-v0", 1).render()


def test_the_names_of_safety_gym_are_its_dialect():
    world = make("Safexp-PointGoal1-v0", 1)
    assert world.spec.name == "SafetyPointGoal1-v0" and dict(world.spec.notes)["dialect"] == "safety-gym"
    with pytest.raises(ValueError, match="no environment 'SafetyPointGaol1-v0'; did you mean 'SafetyPointGoal1-v0'"):
        make("Safexp-PointGaol1-v0", 1)


def test_info_names_each_kind_of_mistake_and_a_goal_that_was_met():
    env = gymnasium.make("bridle/SafetyPointGoal2-v0", cost="each")
    env.reset(seed=0)
    world = env.unwrapped.world
    world._physics[0, 1:3] = world._fixed["hazards"][0, 0]
    info = env.step(np.zeros(2, np.float32))[4]
    assert info["cost_hazards"] == 1.0 and "cost_vases" in info and info["cost"].shape == (2,)
    assert "goal_met" not in info
    world._physics[0, 1:3] = world._goal[0, :2]
    assert env.step(np.zeros(2, np.float32))[4]["goal_met"]
