"""The Gymnasium form: checked by Gymnasium, and the same as the batched world."""

import importlib.metadata
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from bridle.envs import bullet, safe_mujoco, safety_gym, velocity
from bridle.envs.register import register

register()


@pytest.mark.parametrize("task", bullet.TASKS)
@pytest.mark.filterwarnings("error")
def test_gymnasium_finds_nothing_wrong(task):
    env = gymnasium.make(f"bridle/{task}", dialect="cvpo", horizon=20)
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


@pytest.mark.parametrize("task", bullet.TASKS)
def test_both_forms_are_the_same(task):
    world = bullet.make(task, 3, horizon=12)
    seeds = np.array([5, 6, 7])
    obs = world.reset(seeds)
    envs = [gymnasium.make(f"bridle/{task}", horizon=12) for _ in seeds]
    for k, env in enumerate(envs):
        np.testing.assert_array_equal(env.reset(seed=int(seeds[k]))[0], obs[k])
    rng = np.random.default_rng(0)
    for _ in range(30):
        action = rng.uniform(-1, 1, (3, world.spec.action.size)).astype(np.float32)
        out = world.step(action)
        for k, env in enumerate(envs):
            told, reward, terminated, truncated, info = env.step(action[k])
            np.testing.assert_array_equal(told, out.next_obs[k])
            assert reward == out.reward[k] and info == {"cost": out.cost[k, 0]}
            assert truncated == out.truncated[k] and not terminated
            if truncated:
                np.testing.assert_array_equal(env.reset()[0], out.obs[k])
    for one in (world, *envs):
        one.close()


def test_a_lost_ant_ends_its_episode_and_waits_for_reset():
    env = gymnasium.make("bridle/SafetyAntRun-v0", dialect="cvpo")
    env.reset(seed=3)
    world = env.unwrapped.world
    state = world.get_state()
    state["physics"][0, 3:8] = 0.25, 0, 1, 0, 0  # on its back
    world.set_state(state)
    told, _, terminated, truncated, _ = env.step(np.zeros(8, np.float32))
    assert terminated and not truncated and told[2] < 0.026
    assert env.reset()[0][2] > 0.06
    env.close()


def test_a_lost_drone_shows_its_true_end_in_both_forms_and_the_next_episode_follows():
    task, seeds = "SafetyDroneCircle-v0", np.arange(8)
    world = bullet.make(task, 8)
    world.reset(seeds)
    envs = [gymnasium.make(f"bridle/{task}", disable_env_checker=True) for _ in seeds]
    for k, env in enumerate(envs):
        env.reset(seed=k)
    rng, ends = np.random.default_rng(0), 0
    for _ in range(120):
        action = rng.uniform(-1, 1, (8, 4)).astype(np.float32)
        out = world.step(action)
        for k, env in enumerate(envs):
            told, reward, terminated, truncated, info = env.step(action[k])
            np.testing.assert_array_equal(told, out.next_obs[k])
            assert reward == out.reward[k] and info == {"cost": out.cost[k, 0]}
            assert terminated == out.terminated[k] and not truncated
            if terminated:
                ends += 1
                np.testing.assert_array_equal(env.reset()[0], out.obs[k])
    assert ends > 5
    for one in (world, *envs):
        one.close()


def test_layout_depends_on_the_seed_alone():
    env = gymnasium.make("bridle/SafetyCarCircle-v0")
    first = env.reset(seed=11)[0]
    for _ in range(3):
        env.step(env.action_space.sample())
    next_one = env.reset()[0]
    assert not np.array_equal(first, next_one)
    np.testing.assert_array_equal(env.reset(seed=11)[0], first)
    np.testing.assert_array_equal(env.reset()[0], next_one)
    env.close()


def test_dialect_and_horizon_are_keywords_and_the_clock_rings_once():
    env = gymnasium.make("bridle/SafetyCarRun-v0", dialect="cvpo")
    assert env.unwrapped.horizon == 500 and env.spec.max_episode_steps is None
    env.close()
    env = gymnasium.make("bridle/SafetyBallRun-v0", horizon=3)
    env.reset(seed=0)
    assert [env.step(np.zeros(2, np.float32))[3] for _ in range(3)] == [False, False, True]
    env.close()
    with pytest.raises(ValueError, match="dialect = 'x'"):
        gymnasium.make("bridle/SafetyBallRun-v0", dialect="x")
    with pytest.raises(ValueError, match="render_mode"):
        bullet_env = gymnasium.spec("bridle/SafetyBallRun-v0").entry_point
        gymnasium.envs.registration.load_env_creator(bullet_env)("SafetyBallRun-v0", render_mode="human")


def test_registering_touches_only_our_namespace_and_loads_no_simulator():
    told = (
        "import sys, gymnasium; before = set(gymnasium.registry);"
        "from bridle.envs.register import register; register();"
        "print(sorted(set(gymnasium.registry) - before), 'mujoco' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    tasks = (*bullet.TASKS, *safety_gym.TASKS, *velocity.TASKS, *safe_mujoco.TASKS)
    assert done.stdout.strip() == f"{sorted(f'bridle/{task}' for task in tasks)} False"
    assert "already" not in done.stderr


@pytest.mark.parametrize("imports", ["bridle, gymnasium", "gymnasium, bridle", "bridle, gymnasium.vector, gymnasium"])
def test_importing_bridle_registers_whichever_is_imported_first(imports):
    told = (
        f"import {imports}, sys; print(gymnasium.make('bridle/SafetyBallRun-v0').spec.id);"
        "print(any(type(finder).__name__ == '_Watch' for finder in sys.meta_path))"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["bridle/SafetyBallRun-v0", "False"]


def test_the_entry_point_is_that_of_gymnasium():
    (entry,) = importlib.metadata.entry_points(group="gymnasium.envs", name="bridle")
    assert entry.load() is register
