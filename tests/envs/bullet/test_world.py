"""The batched world: episodes, seeds, state, errors."""

import subprocess
import sys

import numpy as np
import pytest

from bridle.core.types import Continuous, Leaf
from bridle.envs import bullet, draws
from bridle.envs import copies as native
from bridle.envs.bullet import table

PAIRS = [(task, dialect) for task in bullet.TASKS for dialect in table.DIALECTS]


WIDTH = {"Ball": (7, 2), "Car": (7, 2), "Drone": (17, 4), "Ant": (33, 8)}
"""Entries of each agent's obs and action."""


def agent(task):
    return next(name for name in WIDTH if name in task)


def actions(steps, copies, task="Car", seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (steps, copies, WIDTH[agent(task)][1])).astype(np.float32)


def play(world, plan):
    return [world.step(action) for action in plan]


def same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("task, dialect", PAIRS)
def test_shapes_types_and_spec(task, dialect):
    world = bullet.make(task, 3, dialect)
    width, size = WIDTH[agent(task)]
    width += "Circle" in task
    assert world.spec.name == task and world.spec.num_envs == 3 and world.spec.constraints == ("cost",)
    assert world.spec.obs == Leaf((width,)) and world.spec.action == Continuous(size)
    notes = dict(world.spec.notes)
    dt = {"fsrl": "0.1 s" if "Circle" in task else "0.03333 s", "cvpo": "0.1 s", "upstream": "0.01667 s"}[dialect]
    dt = "0.01667 s" if (task, dialect) == ("SafetyDroneRun-v0", "fsrl") else dt
    assert notes["dialect"] == dialect and notes["dt"] == dt and "PyBullet 3.2.7" in notes["physics"]
    obs = world.reset(np.arange(3))
    out = world.step(np.zeros((3, size), np.float32))
    assert obs.shape == out.obs.shape == out.next_obs.shape == (3, width)
    assert obs.dtype == out.obs.dtype == out.reward.dtype == out.cost.dtype == np.float32
    assert out.reward.shape == (3,) and out.cost.shape == (3, 1)
    assert out.terminated.dtype == out.truncated.dtype == out.valid.dtype == bool
    assert out.obs.flags.c_contiguous and out.valid.all() and not out.terminated.any()
    world.close()


def test_horizons_are_those_of_each_dialect():
    told = {d: [bullet.make(t, 1, d).spec.horizon for t in bullet.TASKS] for d in table.DIALECTS}
    assert told == {
        "fsrl": [200, 300, 300, 500, 100, 200, 200, 200],
        "cvpo": [300, 300, 300, 300, 250, 500, 500, 1000],
        "upstream": [250, 500, 500, 1000, 250, 500, 500, 1000],
    }
    assert bullet.make("SafetyCarRun-v0", 1, horizon=7).spec.horizon == 7
    assert all(line.endswith(f"{n} steps") for line, n in zip(bullet.TASKS.values(), told["fsrl"], strict=True))


@pytest.mark.parametrize("task", bullet.TASKS)
def test_an_episode_is_truncated_at_its_horizon_and_the_next_begins(task):
    world = bullet.make(task, 2, horizon=5)
    first = world.reset(np.array([1, 2]))
    outs = play(world, actions(10, 2, task))
    assert [o.truncated.all() for o in outs] == [False] * 4 + [True] + [False] * 4 + [True]
    for k, out in enumerate(outs):
        ended = k % 5 == 4
        assert not out.terminated.any()
        assert np.array_equal(out.obs, out.next_obs) != ended
    assert not np.array_equal(outs[4].obs, first)
    world.close()


def test_a_lost_copy_alone_begins_anew_and_tells_its_true_successor():
    world = bullet.make("SafetyAntRun-v0", 3, "cvpo", horizon=7)
    obs = world.reset(np.arange(3))
    state = world.get_state()
    state["physics"][1, 3:8] = 0.25, 0, 1, 0, 0  # on its back
    world.set_state(state)
    out = world.step(np.zeros((3, 8)))
    np.testing.assert_array_equal(out.terminated, [False, True, False])
    assert not out.truncated.any() and out.next_obs[1, 2] < 0.026 and out.reward[1] < out.reward[0]
    np.testing.assert_array_equal(world.get_state()["episode"], [0, 1, 0])
    np.testing.assert_array_equal(world.get_state()["step"], [1, 0, 1])
    np.testing.assert_array_equal(out.obs[[0, 2]], out.next_obs[[0, 2]])
    second = bullet.make("SafetyAntRun-v0", 1, "cvpo", horizon=1)
    second.reset(np.array([1]))
    np.testing.assert_array_equal(second.step(np.zeros((1, 8))).obs[0], out.obs[1])
    assert not np.array_equal(out.obs[1], obs[1])
    ends = [world.step(np.zeros((3, 8))).truncated for _ in range(7)]
    np.testing.assert_array_equal(np.array(ends), np.eye(7, dtype=bool)[[5, 6, 5]].T)
    for one in (world, second):
        one.close()


@pytest.mark.parametrize("task", bullet.TASKS)
def test_episode_k_of_a_copy_depends_on_its_seed_and_k_alone(task):
    wide, narrow = bullet.make(task, 5, horizon=4), bullet.make(task, 1, horizon=4)
    wide.reset(np.array([9, 8, 7, 6, 5]))
    narrow.reset(np.array([7]))
    plan = actions(9, 5, task)
    other = actions(9, 1, task, seed=1)
    for ours, theirs in zip(play(wide, plan)[3::4], play(narrow, other)[3::4], strict=True):
        np.testing.assert_array_equal(ours.obs[2], theirs.obs[0])
    for world in (wide, narrow):
        world.close()


@pytest.mark.parametrize("task", bullet.TASKS)
def test_a_world_gone_back_to_a_state_goes_on_bit_for_bit(task):
    world, other = bullet.make(task, 4, horizon=6), bullet.make(task, 4, horizon=6)
    world.reset(np.arange(4))
    plan = actions(25, 4, task)
    play(world, plan[:9])
    state = world.get_state()
    assert all(len(array) == 4 for array in state.values())
    kept = {name: array.copy() for name, array in state.items()}
    ours = play(world, plan[9:])
    for name, array in state.items():
        np.testing.assert_array_equal(array, kept[name])
    for one in (other, world):
        obs = one.set_state(state)
        assert obs.dtype == np.float32
        same(ours, play(one, plan[9:]))
        one.close()


@pytest.mark.parametrize("task", ["SafetyCarCircle-v0", "SafetyAntCircle-v0"])
def test_numbers_do_not_depend_on_the_number_of_threads(task, monkeypatch):
    told = []
    for count in (1, 2, 5):
        monkeypatch.setattr(native, "cores", lambda count=count: count)
        world = bullet.make(task, 10, horizon=30)
        world.reset(np.arange(10))
        told.append(play(world, actions(40, 10, task)))
        world.close()
    same(told[0], told[1])
    same(told[0], told[2])


@pytest.mark.parametrize("task", bullet.TASKS)
def test_copies_do_not_touch_each_other(task):
    wide, narrow = bullet.make(task, 6), bullet.make(task, 1)
    wide.reset(np.arange(6))
    narrow.reset(np.array([4]))
    plan = actions(30, 6, task)
    for ours, theirs in zip(play(wide, plan), play(narrow, plan[:, 4:5]), strict=True):
        np.testing.assert_array_equal(ours.obs[4], theirs.obs[0])
        assert ours.reward[4] == theirs.reward[0] and ours.cost[4] == theirs.cost[0]
    wide.close()
    narrow.close()


def test_an_outcome_stays_as_it_was():
    world = bullet.make("SafetyBallCircle-v0", 4, horizon=3)
    world.reset(np.arange(4))
    out = world.step(actions(1, 4)[0])
    kept = [np.copy(x) for x in out]
    play(world, actions(7, 4))
    same([out], [kept])


def test_draws_are_uniform_and_all_differ():
    told = draws.uniforms(np.repeat(np.arange(200), 50), np.tile(np.arange(50), 200), 4)
    assert told.shape == (4, 10_000) and len(np.unique(told)) == told.size
    assert 0 <= told.min() and told.max() < 1
    np.testing.assert_allclose(told.mean(1), 0.5, atol=0.01)
    np.testing.assert_allclose(np.corrcoef(told), np.eye(4), atol=0.04)
    assert draws.uniforms(np.array([-1, 2**62]), np.array([0, 1]), 1).shape == (1, 2)


def test_wrong_names_are_told_what_is_allowed():
    with pytest.raises(ValueError, match=r"^dialect = 'fsr'; allowed: 'fsrl', 'cvpo', 'upstream'$"):
        bullet.make("SafetyCarCircle-v0", 1, "fsr")
    with pytest.raises(ValueError, match="no task 'SafetyCarCirle-v0'; did you mean 'SafetyCarCircle-v0'?"):
        bullet.make("SafetyCarCirle-v0", 1)
    with pytest.raises(ValueError, match="horizon = 0"):
        bullet.make("SafetyCarCircle-v0", 1, horizon=0)
    with pytest.raises(ValueError, match="num_envs = 0"):
        bullet.make("SafetyCarCircle-v0", 0)


def test_wrong_shapes_are_errors():
    world = bullet.make("SafetyBallRun-v0", 2)
    with pytest.raises(ValueError, match=r"action has shape \(2,\); needed: \(2, 2\)"):
        world.step(np.zeros(2))
    with pytest.raises(ValueError, match="seeds have shape"):
        world.reset(np.arange(3))
    with pytest.raises(ValueError, match="index = 2"):
        world.render(2)


def test_the_table_loads_nothing_heavy():
    told = (
        "import sys, bridle.envs.bullet;print([m for m in ('numpy', 'mujoco', 'jax', 'gymnasium') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
