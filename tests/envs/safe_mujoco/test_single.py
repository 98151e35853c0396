"""The Gymnasium form of CMBPO's tasks, and their pictures."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from bridle.envs import gl, safe_mujoco
from bridle.envs.register import register
from bridle.envs.safe_mujoco.single import SafeMujocoEnv

register()


@pytest.mark.parametrize("task", safe_mujoco.TASKS)
@pytest.mark.filterwarnings("error", "ignore:.*(minimum|maximum) value is")
def test_gymnasium_finds_nothing_wrong(task):
    env = gymnasium.make(f"bridle/{task}", horizon=20)
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


@pytest.mark.parametrize("task", safe_mujoco.TASKS)
def test_both_forms_are_the_same(task):
    world = safe_mujoco.make(task, 2, horizon=12)
    seeds = np.array([5, 6])
    obs = world.reset(seeds)
    envs = [gymnasium.make(f"bridle/{task}", horizon=12, disable_env_checker=True) for _ in seeds]
    for k, env in enumerate(envs):
        np.testing.assert_array_equal(env.reset(seed=int(seeds[k]))[0], obs[k])
    rng = np.random.default_rng(0)
    for _ in range(26):
        action = rng.uniform(-1, 1, (2, world.spec.action.size)).astype(np.float32)
        out = world.step(action)
        for k, env in enumerate(envs):
            told, reward, terminated, truncated, info = env.step(action[k])
            np.testing.assert_array_equal(told, out.next_obs[k])
            assert reward == out.reward[k] and info == {"cost": out.cost[k, 0]}
            assert truncated == out.truncated[k] and terminated == out.terminated[k]
            if truncated or terminated:
                np.testing.assert_array_equal(env.reset()[0], out.obs[k])
    for one in (world, *envs):
        one.close()


def test_the_clock_rings_at_the_horizon_and_arguments_are_checked():
    env = gymnasium.make("bridle/HopperSafe-v2", horizon=3)
    env.reset(seed=0)
    assert [env.step(np.zeros(3, np.float32))[3] for _ in range(3)] == [False, False, True]
    assert env.unwrapped.horizon == 3 and env.unwrapped.metadata["render_fps"] == 125
    env.close()
    with pytest.raises(ValueError, match="render_mode = 'human'"):
        SafeMujocoEnv("HopperSafe-v2", render_mode="human")


@pytest.mark.parametrize("task", safe_mujoco.TASKS)
def test_every_task_is_seen_by_the_camera(task):
    if gl.available() is None:
        pytest.skip("no GL here")
    env = gymnasium.make(f"bridle/{task}", render_mode="rgb_array", disable_env_checker=True)
    env.reset(seed=0)
    pictures = [env.render()]
    for _ in range(5):
        env.step(np.ones(env.action_space.shape, np.float32))
    pictures.append(env.render())
    env.unwrapped.world._costs[:] = True
    pictures.append(env.render())
    env.close()
    for picture in pictures:
        assert picture.shape == (480, 640, 3) and picture.dtype == np.uint8
        assert len(np.unique(picture[::6, ::6].reshape(-1, 3), axis=0)) > 20
    assert not np.array_equal(pictures[0], pictures[1]) and not np.array_equal(pictures[1], pictures[2])
    red = (pictures[2] != pictures[1]).any(-1)
    assert pictures[2][red].mean(0).argmax() == 0, "the ball turns red where the step costs"


def test_without_gl_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(gl, "available", lambda: None)
    world = safe_mujoco.make("HopperSafe-v2")
    with pytest.raises(RuntimeError, match="no OpenGL works here.*apt-get install"):
        world.render()
    world.close()
