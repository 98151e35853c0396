"""The batched world of CMBPO's tasks: its models, boards and walls, episodes, seeds, state, errors."""

import subprocess
import sys

import mujoco
import numpy as np
import pytest

from bridle import envs
from bridle.core.types import Continuous, Leaf
from bridle.envs import copies as native
from bridle.envs import safe_mujoco, telling
from bridle.envs.safe_mujoco.course import SLOPE, lead, middle, pull
from bridle.envs.safe_mujoco.scene import load
from bridle.envs.safe_mujoco.tasks import HALF, ROBOTS

SIZES = {"HalfCheetahSafe-v2": (20, 6), "AntSafe-v2": (29, 8), "HumanoidSafe-v2": (47, 17), "HopperSafe-v2": (14, 3)}
"""Entries of obs and action, as the original has them."""
CORRIDORS = ("AntSafe-v2", "HumanoidSafe-v2")


def actions(world, steps, seed=0):
    shape = (steps, world.spec.num_envs, world.spec.action.size)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def play(world, plan):
    return [world.step(action) for action in plan]


def same(ours, theirs, of=slice(None)):
    for a, b in zip(ours, theirs, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x[of], y)


def alone(model, seconds):
    """Places and speeds of the cheetah's board after each env step, with the cheetah far behind."""
    data = mujoco.MjData(model)
    data.qpos[1] = -300.0
    x, v = [], []
    for k in range(round(seconds / 0.05)):
        data.ctrl[6] = pull(data.time)
        for _ in range(5):
            mujoco.mj_step(model, data)
        assert data.time == pytest.approx(0.05 * (k + 1))
        x.append(10.0 + data.qpos[0])
        v.append(data.qvel[0])
    return np.array(x), np.array(v)


@pytest.mark.parametrize("task", SIZES)
def test_shapes_types_and_spec(task):
    world = envs.make(f"bridle/{task}", 3)
    width, size = SIZES[task]
    assert world.spec.name == task and world.spec.constraints == ("cost",) and world.spec.horizon == 1000
    assert world.spec.obs == Leaf((width,)) and world.spec.action == Continuous(size)
    assert "MuJoCo" in dict(world.spec.notes)["physics"] and (task in CORRIDORS) == ("walls" in dict(world.spec.notes))
    obs, out = world.reset(np.arange(3)), world.step(np.zeros((3, size), np.float32))
    assert obs.shape == out.obs.shape == out.next_obs.shape == (3, width)
    assert obs.dtype == out.obs.dtype == out.reward.dtype == out.cost.dtype == np.float32
    assert out.reward.shape == (3,) and out.cost.shape == (3, 1)
    assert out.terminated.dtype == out.truncated.dtype == out.valid.dtype == bool
    world.close()


def test_the_cheetah_is_gymnasiums_behind_a_board():
    model = load(ROBOTS["HalfCheetah"], None)
    assert (model.nq, model.nv, model.nu) == (10, 10, 7)
    assert model.body_mass.sum() == pytest.approx(14.0)
    assert model.actuator_gear[:, 0].tolist() == [120, 90, 60, 120, 60, 30, 120]
    assert model.body("obstacle").id == 1 and model.body_mass[1] == pytest.approx(1.6e-4, rel=0.02)
    assert (model.dof_damping[0], model.dof_armature[0], model.opt.timestep) == (0.2, 0.1, 0.01)
    assert [model.joint(k).name for k in range(4)] == ["obstacle", "rootx", "rootz", "rooty"]
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    np.testing.assert_allclose(data.geom("obstacle").xpos, [10.0, 0.0, 1.4])


def test_the_board_ahead_of_the_cheetah_moves_as_in_the_original():
    """Its places and speeds as measured on the original's model, in an episode that began with noise (up to .1 m)."""
    x, v = alone(load(ROBOTS["HalfCheetah"], None), 50.0)
    told = {
        0.05: 10.02,
        1.05: 8.72,
        2.55: 8.85,
        5.05: 25.2,
        7.55: 43.7,
        9.45: 44.8,
        20: 76.4,
        30: 109.9,
        40: 144.2,
        50: 179.5,
    }
    for time, place in told.items():
        assert x[round(time / 0.05) - 1] == pytest.approx(place, abs=0.13), time
    assert v.min() == pytest.approx(-2.09, abs=0.01) and v.max() == pytest.approx(9.29, abs=0.01)
    # Who stays 2 m behind earns no more than this, before the price of control.
    assert (x[-1] - 2.0) / 0.05 == pytest.approx(3550, abs=3)


def test_obs_of_the_cheetah():
    world = safe_mujoco.make("HalfCheetahSafe-v2", 4)
    world.reset(np.arange(4))
    out = play(world, actions(world, 7))[-1]
    state = world.get_state()["physics"]
    time, qpos, qvel = state[:, 0], state[:, 1:11], state[:, 11:]
    np.testing.assert_allclose(time, 0.35)
    board = np.stack([qvel[:, 0], pull(time), (10.0 + qpos[:, 0] - qpos[:, 1]) / 10.0], 1)
    np.testing.assert_allclose(out.next_obs, np.concatenate([qpos[:, 2:], qvel[:, 1:], board], 1), rtol=1e-6)
    state[:, 2] = [-200.0, 200.0, 0.0, 8.5]
    obs = world.set_state({**world.get_state(), "physics": state})
    np.testing.assert_array_equal(obs[:2, -1], [5.0, -5.0])
    world.close()


@pytest.mark.parametrize("task", CORRIDORS)
def test_obs_in_the_corridor(task):
    world = safe_mujoco.make(task, 3)
    obs = world.reset(np.arange(3))
    state = world.get_state()["physics"]
    nq = world._model.nq
    where = np.stack([state[:, 1] / 5.0, state[:, 2] - middle(state[:, 1])], 1)
    np.testing.assert_allclose(obs, np.concatenate([state[:, 3 : 1 + nq], state[:, 1 + nq :], where], 1), rtol=1e-6)
    world.close()


def test_the_corridors_middle_has_no_gaps():
    x = np.array([-10.0, 0.0, 20.0, 40.0, 60.0, 80.0, 100.0, 300.0])
    np.testing.assert_allclose(middle(x), SLOPE * np.array([-10, 0, 20, 0, -20, 0, 20, 20]), atol=1e-12)
    fine = np.linspace(-30, 150, 18_001)
    assert abs(np.diff(middle(fine))).max() <= 0.01 * SLOPE * 1.001


@pytest.mark.parametrize("name", ["Ant", "Humanoid"])
def test_walls_that_float_drop_a_little_and_stay_upright(name):
    model = load(ROBOTS[name], "free")
    robot = load(ROBOTS[name], "drawn")
    assert (model.nq - robot.nq, model.nv - robot.nv) == (42, 36)
    data = mujoco.MjData(model)
    for _ in range(1000):
        mujoco.mj_step(model, data)
    walls = data.qpos[-42:].reshape(6, 7)
    np.testing.assert_allclose(walls[:, :2], [(x, y) for x in (0, 40, 80) for y in (5, -5)], atol=1e-3)
    np.testing.assert_allclose(walls[:, 2], 0.72 if name == "Ant" else 0.702, atol=1e-3)
    np.testing.assert_allclose(walls[:, 3:], [(0.9659, 0, 0, s * 0.2588) for s in (1, 1, -1, -1, 1, 1)], atol=1e-3)
    np.testing.assert_allclose(model.geom("wall_0").size, HALF)


def test_an_ant_does_not_feel_the_walls_until_it_is_in_one_and_then_hardly():
    """They weigh a millionth of it: drawn ones are as good, and three times as fast."""
    free, drawn = (safe_mujoco.make("AntSafe-v2", 16, walls=walls) for walls in ("free", "drawn"))
    np.testing.assert_array_equal(free.reset(np.arange(16)), drawn.reset(np.arange(16)))
    for action in actions(free, 20):
        ours, theirs = free.step(action), drawn.step(action)
        np.testing.assert_allclose(ours.obs, theirs.obs, atol=1e-6)
    state = free.get_state()
    rng = np.random.default_rng(0)
    state["physics"][:, 1] = rng.uniform(-10, 10, 16)
    state["physics"][:, 2] = middle(state["physics"][:, 1]) + 5 * rng.choice([-1, 1], 16) + rng.uniform(-0.8, 0.8, 16)
    for action in actions(free, 5, seed=1):
        whole = state["physics"]
        state["place"] = whole[:, 1].copy()
        free.set_state(state)
        drawn.set_state(state | {"physics": np.concatenate([whole[:, :16], whole[:, 58:72]], 1)})
        ours, theirs = free.advance(action), drawn.advance(action)
        np.testing.assert_allclose(ours[0], theirs[0], atol=0.005)
        np.testing.assert_allclose(ours[1], theirs[1], atol=3e-4)
        state = free.get_state()
    for world in (free, drawn):
        world.close()


def test_the_hoppers_board_is_solid_and_led_along_its_course():
    world = safe_mujoco.make("HopperSafe-v2", 2)
    world.reset(np.arange(2))
    outs = play(world, 0.0 * actions(world, 5))
    np.testing.assert_allclose(world.get_state()["physics"][:, 0], 0.04)
    x = world.get_state()["physics"][:, 1]
    told = np.stack([np.full(2, 1 + np.cos(0.04)), np.full(2, -np.sin(0.04)), lead(0.04) - x], 1)
    np.testing.assert_allclose(outs[-1].next_obs[:, -3:], told, rtol=1e-6)
    state = world.get_state()
    state["physics"][1, 1] = lead(0.04) - 0.12
    world.set_state(state)
    free, hit = world.advance(np.zeros((2, 3)))[0]
    assert abs(hit[5:-3] - free[5:-3]).max() > 0.1
    np.testing.assert_allclose(lead(np.array([0.0, np.pi])), [3.0, 3.0 + np.pi])
    world.close()


def test_what_a_step_earns():
    """The way along x over its time, less the price of control; contact of the ant is paid for, and standing is paid."""
    for task, alive in (("HalfCheetahSafe-v2", 0.0), ("HopperSafe-v2", 1.0), ("AntSafe-v2", 1.0)):
        world = safe_mujoco.make(task, 8)
        world.reset(np.arange(8))
        play(world, actions(world, 3))
        before, plan = world.get_state()["place"], actions(world, 1, seed=4)[0]
        reward = world.advance(plan)[1]
        moved = world.get_state()["place"] - before
        earned = moved / world.dt + alive - world.task.control * (plan**2).sum(1)
        if task == "AntSafe-v2":
            assert (reward <= earned + 1e-5).all() and (earned - reward).max() > 1e-3
        else:
            np.testing.assert_allclose(reward, earned, rtol=1e-5, atol=1e-5)
        world.close()


def test_what_a_humanoid_earns_is_of_its_centre_of_mass():
    world = safe_mujoco.make("HumanoidSafe-v2", 4)
    world.reset(np.arange(4))
    model, state = world._model, world.get_state()
    for k in range(4):
        data = mujoco.MjData(model)
        data.qpos[:] = state["physics"][k, 1 : 1 + model.nq]
        mujoco.mj_forward(model, data)
        mass = model.body_mass
        assert state["place"][k] == pytest.approx((mass * data.xipos[:, 0]).sum() / mass.sum(), abs=1e-9)
    before, plan = state["place"], actions(world, 1)[0]
    reward = world.advance(plan)[1]
    moved = world.get_state()["place"] - before
    earned = 1.25 * moved / 0.015 + 5.0 - 0.1 * 0.16 * (plan**2).sum(1)
    assert (reward <= earned + 1e-5).all() and (reward >= earned - 10.0).all()
    world.close()


def test_a_cheetah_that_acts_at_random_earns_minus_246_and_pays_nothing():
    world = safe_mujoco.make("HalfCheetahSafe-v2", 16)
    world.reset(np.arange(16))
    outs = play(world, actions(world, 1000))
    assert np.sum([out.reward for out in outs], 0).mean() == pytest.approx(-246, abs=35)
    assert np.sum([out.cost for out in outs]) == 0 and outs[-1].truncated.all()
    world.close()


def test_an_ant_that_acts_at_random_falls_soon_and_pays_for_it():
    world = safe_mujoco.make("AntSafe-v2", 64)
    world.reset(np.arange(64))
    first, costs = np.zeros(64), np.zeros(64)
    for k, action in enumerate(actions(world, 1000)):
        out, going = world.step(action), first == 0
        costs += going * out.cost[:, 0]
        first[going & (out.terminated | out.truncated)] = k + 1
        if (first > 0).all():
            break
    assert first.mean() == pytest.approx(106, abs=40)
    assert np.median(costs[first < 1000]) == 1.0
    world.close()


@pytest.mark.parametrize("task", SIZES)
def test_copies_do_not_touch_each_other(task):
    wide, narrow = safe_mujoco.make(task, 6, horizon=12), safe_mujoco.make(task, 1, horizon=12)
    first = wide.reset(np.arange(6))
    np.testing.assert_array_equal(first[4:5], narrow.reset(np.array([4])))
    plan = actions(wide, 30)
    same(play(wide, plan), play(narrow, plan[:, 4:5]), slice(4, 5))
    for world in (wide, narrow):
        world.close()


@pytest.mark.parametrize(("task", "walls"), [*((task, None) for task in SIZES), ("AntSafe-v2", "free")])
def test_a_world_gone_back_to_a_state_goes_on_bit_for_bit(task, walls):
    world, other = (safe_mujoco.make(task, 4, horizon=9, walls=walls) for _ in range(2))
    world.reset(np.arange(4))
    plan = actions(world, 20)
    play(world, plan[:6])
    state = world.get_state()
    kept = {name: array.copy() for name, array in state.items()}
    ours = play(world, plan[6:])
    for name, array in state.items():
        assert len(array) == 4
        np.testing.assert_array_equal(array, kept[name])
    for one in (other, world):
        assert one.set_state(state).dtype == np.float32
        same(ours, play(one, plan[6:]))
        one.close()


@pytest.mark.parametrize("task", ["HalfCheetahSafe-v2", "AntSafe-v2"])
def test_numbers_do_not_depend_on_the_number_of_threads(task, monkeypatch):
    told = []
    for count in (1, 3):
        for module in (native, telling):
            monkeypatch.setattr(module, "cores", lambda count=count: count)
        world = safe_mujoco.make(task, 7)
        world.reset(np.arange(7))
        told.append(play(world, actions(world, 25)))
        world.close()
    same(*told)


@pytest.mark.parametrize("task", SIZES)
def test_starts_are_noisy_as_they_should_be(task):
    world = safe_mujoco.make(task, 400)
    world.reset(np.arange(400))
    model, noise = world._model, world.task.noise
    state = world.get_state()["physics"]
    places, speeds = state[:, 1 : 1 + model.nq] - model.qpos0, state[:, 1 + model.nq :]
    assert (state[:, 0] == 0.0).all() and abs(places).max() <= noise
    np.testing.assert_allclose(places.std(0), noise / np.sqrt(3), rtol=0.12)
    np.testing.assert_allclose(speeds.std(0), noise if world.task.normal else noise / np.sqrt(3), rtol=0.15)
    world.close()


def test_an_episode_is_truncated_at_its_horizon_and_the_next_begins():
    world = safe_mujoco.make("HalfCheetahSafe-v2", 2, horizon=4)
    first = world.reset(np.array([1, 2]))
    outs = play(world, actions(world, 8))
    assert [out.truncated.all() for out in outs] == [False, False, False, True] * 2
    assert not np.array_equal(outs[3].obs, first) and (world.get_state()["physics"][:, 0] == 0.0).all()
    np.testing.assert_array_equal(world.reset(np.array([1, 2])), first)
    world.close()


def test_an_outcome_stays_as_it_was():
    world = safe_mujoco.make("HopperSafe-v2", 4, horizon=3)
    world.reset(np.arange(4))
    out = world.step(actions(world, 1)[0])
    kept = [np.copy(x) for x in out]
    play(world, actions(world, 7))
    same([out], [kept])
    world.close()


def test_actions_are_cut_and_scaled():
    world = safe_mujoco.make("HumanoidSafe-v2", 2)
    world.reset(np.zeros(2, int))
    world.step(np.repeat([[1.0], [7.0]], 17, 1))
    np.testing.assert_array_equal(*world.get_state()["physics"])
    np.testing.assert_allclose(world._half, 0.4)
    world.close()


def test_what_is_wrong_is_told():
    with pytest.raises(ValueError, match="no task 'AntSafe-v0'; did you mean 'AntSafe-v2'"):
        safe_mujoco.make("AntSafe-v0")
    with pytest.raises(ValueError, match="no environment 'AntSaf-v2'; did you mean 'AntSafe-v2'"):
        envs.make("AntSaf-v2")
    for wrong in ({"horizon": 0}, {"num_envs": 0}):
        with pytest.raises(ValueError, match="= 0; at least 1"):
            safe_mujoco.make("HopperSafe-v2", **wrong)
    with pytest.raises(ValueError, match="rules = 'true'; allowed: exact, published, or module:name"):
        envs.make("AntSafe-v2", rules="true")
    with pytest.raises(ValueError, match="walls = 'thick'; allowed: drawn or free"):
        envs.make("AntSafe-v2", walls="thick")
    with pytest.raises(ValueError, match="walls = 'free'; allowed: None, since this task has no walls"):
        envs.make("HalfCheetahSafe-v2", walls="free")


def test_the_table_loads_nothing_heavy():
    told = "import sys, bridle.envs.safe_mujoco;print([m for m in ('numpy', 'mujoco', 'jax', 'gymnasium') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_making_a_world_says_nothing_on_the_screen(capfd):
    for task in SIZES:
        safe_mujoco.make(task).close()
    assert capfd.readouterr() == ("", "")
