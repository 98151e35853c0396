"""Every id of ours passes Gymnasium's own checker, and is the world of that name."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from bridle import envs
from bridle.envs import bullet, safe_mujoco, safety_gym, velocity


@pytest.mark.parametrize("id", [*bullet.TASKS, *safety_gym.TASKS, *velocity.TASKS, *safe_mujoco.TASKS])
@pytest.mark.filterwarnings("ignore:.*(bounds|Box observation space).*")  # most observations have none
def test_it_passes_the_checker_and_steps_as_its_world_does(id):
    env = gymnasium.make(f"bridle/{id}")
    check_env(env.unwrapped, skip_render_check=True)
    world = envs.make(id, 1)
    np.testing.assert_array_equal(env.reset(seed=5)[0], world.reset(np.array([5]))[0])
    action = np.full(world.spec.action.size, 0.3)
    obs, reward, *_, info = env.step(action)
    out = world.step(action[None])
    np.testing.assert_array_equal(obs, out.obs[0])
    assert reward == out.reward[0] and info["cost"] == out.cost[0, 0]
    env.close()
    world.close()
