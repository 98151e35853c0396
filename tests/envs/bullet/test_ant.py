"""The ant stands, falls and is told as in PyBullet 3.2.7; its obs against MuJoCo's own kinematics."""

import mujoco
import numpy as np
import pytest

from bridle.envs import bullet
from bridle.envs.bullet import ant, models
from bridle.envs.bullet.table import TIMING


def walk(action, steps, task="SafetyAntCircle-v0", dialect="cvpo", number=16):
    """The world after `steps` under one action, and the outcomes."""
    world = bullet.make(task, number, dialect, horizon=10_000)
    world.reset(np.arange(number))
    outs = [world.step(np.broadcast_to(np.asarray(action, float), (number, 8))) for _ in range(steps)]
    return world, outs


def test_masses_are_those_of_bullet():
    model = models.read("ant.xml")
    mass = [model.body_mass[model.body(name).id] for name in ("leg_1", "foot_1")]
    assert model.body_mass.sum() == pytest.approx(182.2, abs=0.05)
    np.testing.assert_allclose(mass, [7.83, 13.52], atol=0.01)
    # The fixed hips belong to the torso.
    assert model.body_mass[model.body("torso").id] == pytest.approx(65.45 + 4 * 7.83, abs=0.02)


@pytest.mark.parametrize("dialect", ["cvpo", "fsrl"])
def test_an_ant_that_does_nothing_settles_and_is_paid_for_standing(dialect):
    world, outs = walk(0.0, 100, dialect=dialect)
    height = 10 * np.array([out.next_obs[:, 2] for out in outs])
    assert height[50:].mean() == pytest.approx(0.637, rel=0.02)
    paid = []
    for _ in range(20):
        world.step(np.zeros((16, 8)))
        paid.append(world._agent.reward(np.zeros((8, 16))))
    assert np.mean(paid) == pytest.approx(0.70, rel=0.10)
    world.close()


@pytest.mark.parametrize("k", range(8))
def test_a_torque_turns_its_own_hinge_and_beyond_one_it_turns_no_faster(k):
    once, twice = np.zeros(8), np.zeros(8)
    once[k], twice[k] = 1.0, 2.0
    rates = []
    for action in (once, twice):
        world, outs = walk(action, 1, "SafetyAntRun-v0", "fsrl", 2)
        rates.append(outs[-1].next_obs[0, 14:29:2])
        world.close()
    np.testing.assert_array_equal(*rates)
    assert np.argmax(np.abs(rates[0])) == k and rates[0][k] > 0.05


def test_obs_are_those_of_mujocos_kinematics():
    world, _ = walk(0.0, 3)
    rng = np.random.default_rng(0)
    for _ in range(15):
        obs = world.step(rng.uniform(-1, 1, (16, 8))).next_obs
    if world.get_state()["episode"].any():
        obs = world._obs()
    model, data = world._agent._copies.model, mujoco.MjData(world._agent._copies.model)
    seen = set()
    for k, state in enumerate(world._agent.get_state()):
        data.qpos[:], data.qvel[:] = state[1:16], state[16:]
        mujoco.mj_forward(model, data)
        velocity = np.zeros(6)
        mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_XBODY, model.body("torso").id, velocity, 0)
        np.testing.assert_allclose(obs[k, :3], 0.1 * data.body("torso").xpos, atol=1e-6)
        np.testing.assert_allclose(obs[k, 3:6], 0.3 * velocity[3:], atol=1e-5)
        np.testing.assert_allclose(obs[k, [9, 6, 7, 8]], data.body("torso").xquat, atol=1e-6)
        np.testing.assert_allclose(obs[k, 10:13], 0.15 * velocity[:3], atol=1e-5)
        low, high = model.jnt_range[1:].T
        np.testing.assert_allclose(obs[k, 13:29:2], (2 * data.qpos[7:] - low - high) / (high - low), atol=1e-5)
        np.testing.assert_allclose(obs[k, 14:29:2], 0.1 * data.qvel[6:], atol=1e-5)
        for leg in range(4):
            geom = data.geom(f"foot_{leg + 1}")
            half = model.geom(f"foot_{leg + 1}").size[1] * geom.xmat[8]
            touches = geom.xpos[2] - abs(half) - ant.RADIUS < ant.TOUCH
            assert obs[k, 29 + leg] == touches
            seen.add(bool(touches))
        assert obs[k, 33] == pytest.approx(0.1 * (np.hypot(*state[1:3]) - 7), abs=1e-6)
    assert seen == {False, True}
    world.close()


def test_reward_is_that_of_bullet_safety_gym_with_the_action_unclipped():
    world, _ = walk(0.3, 5)
    state, action = world.get_state(), np.full((8, 16), 1.5)
    bend, rates = world._obs()[:, 13:29:2], 10 * world._obs()[:, 14:29:2]
    expected = 1 - 2 * np.abs(1.5 * 0.1 * rates).mean(1) - 0.1 * 1.5**2 - 0.1 * (np.abs(bend) > 0.99).sum(1)
    np.testing.assert_allclose(world._agent.reward(action), expected, atol=1e-5)
    state["physics"][:, 3] = 0.26
    world.set_state(state)
    assert world._agent.lost.all()
    np.testing.assert_allclose(world._agent.reward(action), expected - 2, atol=1e-5)
    world.close()


def test_an_ant_starts_at_rest_height_facing_clockwise_with_its_hinges_about_their_rest():
    world = bullet.make("SafetyAntCircle-v0", 500, "upstream")
    obs = world.reset(np.arange(500))
    # After the one uncontrolled step of 1/60 s.
    np.testing.assert_allclose(10 * obs[:, 2], ant.SPAWN, atol=0.01)
    bend = world._agent._state[:, 8:16].T - ant._REST
    assert np.abs(bend).max() < 0.11 and np.abs(bend.mean(1)).max() < 0.01 and 0.05 < bend.std() < 0.065
    x, y, yaw = np.array([world._agent.place(k) for k in range(500)]).T
    clockwise = (y * np.cos(yaw) - x * np.sin(yaw)) / np.hypot(x, y)
    np.testing.assert_allclose(clockwise, 1.0, atol=0.02)
    world.close()


def test_an_ant_at_a_wall_is_held_by_it():
    world = bullet.make("SafetyAntCircle-v0", 8, "fsrl", horizon=1000)
    world.reset(np.arange(8))
    state = world.get_state()
    angle = np.arange(8) * np.pi / 4
    state["physics"][:, 1:3] = 10.5 * np.stack([np.cos(angle), np.sin(angle)], 1)
    state["physics"][:, 16:18] = 6 * np.stack([np.cos(angle), np.sin(angle)], 1)
    world.set_state(state)
    for _ in range(10):
        obs, *_ = world.advance(np.zeros((8, 8)))
        along = 10 * (obs[:, 0] * np.cos(angle) + obs[:, 1] * np.sin(angle))
        assert np.all(np.isfinite(obs)) and np.all(along < 11.9)
    world.close()


def test_every_dialect_has_its_limits():
    assert {timing.substep for timing in TIMING.values()} <= set(ant.GIVE)
