"""Obs, reward, cost and termination: those of Gymnasium's own classes, the limit of speed, NumPy and JAX alike."""

import gymnasium
import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

from bridle.envs import velocity
from bridle.envs.velocity import rules
from bridle.envs.velocity.bodies import load
from bridle.envs.velocity.robots import ROBOTS, named

TURNING = ("Ant", "Humanoid")


def states(world, count, rng):
    """Physics states [count S] of many kinds: starts, states on the way, and robots that have fallen or lean."""
    taken = []
    world.reset(rng.integers(2**31, size=world.spec.num_envs))
    while len(taken) * world.spec.num_envs < count:
        for _ in range(7):
            world.step(rng.uniform(-1, 1, (world.spec.num_envs, world.spec.action.size)))
        taken.append(world.get_state()["physics"])
    found = np.concatenate(taken)[:count]
    planar = world.robot.hidden == 1
    found[::5, 2 if planar else 3] -= rng.uniform(0, 0.8, len(found[::5]))
    found[1::5, 3 if planar else 4] += rng.uniform(-1.5, 1.5, len(found[1::5]))
    found[2::5, -4:] += rng.uniform(-120, 120, (len(found[2::5]), 4))
    return found


@pytest.mark.parametrize("name", ROBOTS)
def test_two_steps_from_any_state_are_those_of_gymnasium(name):
    """Of Ant and Humanoid the second step alone counts velocity from where Gymnasium last looked: before its end."""
    rng = np.random.default_rng(0)
    world = velocity.make(f"Safety{name}Velocity-v1", 8)
    env = gymnasium.make(f"{name}-v5").unwrapped
    env.reset(seed=0)
    high, nq = env.model.actuator_ctrlrange[:, 1], env.model.nq
    ends = 0
    for batch in np.split(states(world, 40, rng), 5):
        world.set_state({**world.get_state(), "physics": batch, "told": world._bodies.begin(batch)})
        actions = rng.uniform(-1, 1, (2, 8, world.spec.action.size))
        ours = [(*world.advance(action), world._velocity) for action in actions]
        for k, state in enumerate(batch):
            mujoco.mj_resetData(env.model, env.data)
            env.set_state(state[1 : 1 + nq], state[1 + nq :])
            for action, (obs, reward, cost, terminated, _, speed) in zip(actions, ours, strict=True):
                env.data.qacc_warmstart[:] = 0.0
                told, earned, ended, _, info = env.step(action[k] * high)
                np.testing.assert_allclose(obs[k], told, rtol=1e-6, atol=1e-6)
                assert reward[k] == pytest.approx(earned, rel=1e-6, abs=1e-6)
                assert terminated[k] == ended
                vx, vy = info["x_velocity"], info.get("y_velocity", 0.0)
                assert speed[k, 0] == pytest.approx(vx, rel=1e-6, abs=1e-6)
                assert cost[k, 0] == ((np.hypot(vx, vy) if name in TURNING else vx) > world.robot.threshold)
                ends += ended
    assert (ends > 2) == (name not in ("HalfCheetah", "Swimmer"))
    world.close()
    env.close()


@pytest.mark.parametrize("name", ROBOTS)
def test_steps_that_gymnasium_starts_warm_are_the_same(name):
    """Its solver goes on from the last step's forces, ours from none: the humanoid's stops after 50 iterations."""
    rng = np.random.default_rng(0)
    world, env = velocity.make(f"Safety{name}Velocity-v1", 1), gymnasium.make(f"{name}-v5").unwrapped
    env.reset(seed=0)
    world.reset(np.array([3]))
    state, nq = world.get_state()["physics"][0], env.model.nq
    env.set_state(state[1 : 1 + nq], state[1 + nq :])
    close = 1e-4 if name == "Humanoid" else 1e-6
    for action in rng.uniform(-1, 1, (10, 1, world.spec.action.size)):
        obs, reward, _, terminated, _ = world.advance(action)
        told, earned, ended, _, _ = env.step(action[0] * env.model.actuator_ctrlrange[:, 1])
        np.testing.assert_allclose(obs[0], told, rtol=close, atol=close)
        assert reward[0] == pytest.approx(earned, rel=close, abs=close) and terminated[0] == ended
    world.close()
    env.close()


@pytest.mark.parametrize("name", ROBOTS)
def test_the_first_obs_is_that_of_gymnasium(name):
    world, env = velocity.make(f"Safety{name}Velocity-v1", 3), gymnasium.make(f"{name}-v5").unwrapped
    obs, nq = world.reset(np.arange(3)), env.model.nq
    for k, state in enumerate(world.get_state()["physics"]):
        env.reset(seed=0)
        env.set_state(state[1 : 1 + nq], state[1 + nq :])
        np.testing.assert_allclose(obs[k], env._get_obs(), rtol=1e-6, atol=1e-6)
    world.close()
    env.close()


@pytest.mark.parametrize("name", ROBOTS)
def test_starts_are_spread_as_those_of_gymnasium(name):
    world, env = velocity.make(f"Safety{name}Velocity-v1", 500), gymnasium.make(f"{name}-v5").unwrapped
    world.reset(np.arange(500))
    ours = world.get_state()["physics"][:, 1:]
    theirs = []
    for k in range(300):
        env.reset(seed=k)
        theirs.append(env.state_vector())
    theirs = np.array(theirs)
    scale = world.robot.noise
    np.testing.assert_allclose(ours.mean(0), theirs.mean(0), atol=0.35 * scale)
    np.testing.assert_allclose(ours.std(0), theirs.std(0), rtol=0.2)
    assert (np.abs(ours[:, -1]).max() > 1.5 * scale) == world.robot.normal
    world.close()
    env.close()


@pytest.mark.parametrize("name", ROBOTS)
def test_a_step_costs_1_beyond_the_threshold_alone(name):
    robot = ROBOTS[name]
    just = robot.threshold * np.array([[1.0, 0.0], [1.001, 0.0], [-1.001, 0.0], [0.8, 0.7], [0.0, 0.0]])
    turning = name in TURNING
    np.testing.assert_array_equal(rules.cost(robot, just, np), [0.0, 1.0, float(turning), float(turning), 0.0])


def test_thresholds_are_those_of_safety_gymnasium():
    assert {name: robot.threshold for name, robot in ROBOTS.items()} == {
        "HalfCheetah": 3.2096, "Hopper": 0.7402, "Walker2d": 2.3415, "Ant": 2.6222, "Humanoid": 1.4149, "Swimmer": 0.2282,
    }  # fmt: skip


@pytest.mark.parametrize("name", ROBOTS)
def test_numpy_and_jax_give_the_same(name):
    robot, rng, count = ROBOTS[name], np.random.default_rng(1), 64
    model = load(robot)
    width = (robot.forces + 6 * 13) if robot.tells else 0
    qpos = (model.qpos0 + rng.normal(0, 0.3, (count, model.nq))).astype(np.float32)
    qvel, more = rng.normal(0, 20, (count, model.nv)).astype(np.float32), rng.normal(0, 3, (count, width))
    moved, control = rng.normal(0, 2, (count, 2)), rng.uniform(-1, 1, (count, model.nu))
    more, moved, control = more.astype(np.float32), moved.astype(np.float32), control.astype(np.float32)

    def all_of(qpos, qvel, more, moved, control, xp):
        well = rules.healthy(robot, qpos, qvel, xp)
        reward = rules.reward(robot, moved, control, well, more, xp)
        return rules.obs(robot, qpos, qvel, more, xp), well, reward, rules.cost(robot, moved, xp)

    ours = all_of(qpos, qvel, more, moved, control, np)
    theirs = jax.jit(lambda *arrays: all_of(*arrays, jnp))(qpos, qvel, more, moved, control)
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_what_is_not_finite_is_not_healthy():
    for name in ("Hopper", "Ant"):
        robot, model = ROBOTS[name], load(ROBOTS[name])
        qpos, qvel = np.tile(model.qpos0, (2, 1)), np.zeros((2, model.nv))
        qvel[1, -1] = np.nan
        np.testing.assert_array_equal(rules.healthy(robot, qpos, qvel, np), [True, False])


def test_a_name_of_a_task_is_that_of_its_robot():
    assert [named(task) for task in velocity.TASKS] == list(ROBOTS)
