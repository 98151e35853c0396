"""The batched world of velocity tasks: episodes, seeds, state, threads, errors."""

import subprocess
import sys

import numpy as np
import pytest

from bridle import envs
from bridle.core.types import Continuous, Leaf
from bridle.envs import copies as native
from bridle.envs import telling, velocity

SIZES = {"HalfCheetah": (17, 6), "Hopper": (11, 3), "Walker2d": (17, 6), "Ant": (105, 8), "Humanoid": (348, 17), "Swimmer": (8, 2)}  # fmt: skip
"""Entries of obs and action: those of Gymnasium's v5 spaces."""


def actions(world, steps, seed=0):
    shape = (steps, world.spec.num_envs, world.spec.action.size)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def play(world, plan):
    return [world.step(action) for action in plan]


def same(ours, theirs, of=slice(None)):
    for a, b in zip(ours, theirs, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x[of], y)


@pytest.mark.parametrize("task", velocity.TASKS)
def test_shapes_types_and_spec(task):
    world = envs.make(f"bridle/{task}", 3)
    width, size = next(sizes for name, sizes in SIZES.items() if name in task)
    assert world.spec.name == task and world.spec.constraints == ("cost",) and world.spec.horizon == 1000
    assert world.spec.obs == Leaf((width,)) and world.spec.action == Continuous(size)
    assert "MuJoCo" in dict(world.spec.notes)["physics"]
    obs, out = world.reset(np.arange(3)), world.step(np.zeros((3, size), np.float32))
    assert obs.shape == out.obs.shape == out.next_obs.shape == (3, width)
    assert obs.dtype == out.obs.dtype == out.reward.dtype == out.cost.dtype == np.float32
    assert out.reward.shape == (3,) and out.cost.shape == (3, 1)
    assert out.terminated.dtype == out.truncated.dtype == out.valid.dtype == bool
    assert out.obs.flags.c_contiguous and out.valid.all()
    world.close()


@pytest.mark.parametrize("task", velocity.TASKS)
def test_copies_do_not_touch_each_other(task):
    wide, narrow = velocity.make(task, 6, horizon=12), velocity.make(task, 1, horizon=12)
    first = wide.reset(np.arange(6))
    np.testing.assert_array_equal(first[4:5], narrow.reset(np.array([4])))
    plan = actions(wide, 30)
    same(play(wide, plan), play(narrow, plan[:, 4:5]), slice(4, 5))
    for world in (wide, narrow):
        world.close()


@pytest.mark.parametrize("task", velocity.TASKS)
def test_an_episode_is_truncated_at_its_horizon_and_the_next_begins(task):
    world = velocity.make(task, 2, horizon=4)
    first = world.reset(np.array([1, 2]))
    outs = play(world, 0.1 * actions(world, 8))
    assert [out.truncated.all() for out in outs] == [False, False, False, True] * 2
    for k, out in enumerate(outs):
        assert np.array_equal(out.obs, out.next_obs) != (k % 4 == 3)
    assert not np.array_equal(outs[3].obs, first)
    np.testing.assert_array_equal(world.reset(np.array([1, 2])), first)
    np.testing.assert_array_equal(play(world, actions(world, 4, seed=5))[3].obs, outs[3].obs)
    world.close()


@pytest.mark.parametrize("task", [task for task in velocity.TASKS if "Cheetah" not in task and "Swimmer" not in task])
def test_a_fallen_copy_alone_begins_anew_and_tells_its_true_successor(task):
    world = velocity.make(task, 3)
    world.reset(np.arange(3))
    state = world.get_state()
    state["physics"][1, 3] += 1.2  # a planar robot's lean, another one's height
    world.set_state(state)
    out = world.step(np.zeros((3, world.spec.action.size)))
    np.testing.assert_array_equal(out.terminated, [False, True, False])
    np.testing.assert_array_equal(world.get_state()["episode"], [0, 1, 0])
    np.testing.assert_array_equal(world.get_state()["step"], [1, 0, 1])
    np.testing.assert_array_equal(out.obs[[0, 2]], out.next_obs[[0, 2]])
    assert not np.array_equal(out.obs[1], out.next_obs[1]) and not out.truncated.any()
    world.close()


@pytest.mark.parametrize("task", velocity.TASKS)
def test_a_world_gone_back_to_a_state_goes_on_bit_for_bit(task):
    world, other = velocity.make(task, 4, horizon=9), velocity.make(task, 4, horizon=9)
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


@pytest.mark.parametrize("task", ["SafetyHopperVelocity-v1", "SafetyAntVelocity-v1"])
def test_numbers_do_not_depend_on_the_number_of_threads(task, monkeypatch):
    told = []
    for count in (1, 3):
        for module in (native, telling):
            monkeypatch.setattr(module, "cores", lambda count=count: count)
        world = velocity.make(task, 7)
        world.reset(np.arange(7))
        told.append(play(world, actions(world, 25)))
        world.close()
    same(*told)


def test_an_outcome_stays_as_it_was():
    world = velocity.make("SafetyHopperVelocity-v1", 4, horizon=3)
    world.reset(np.arange(4))
    out = world.step(actions(world, 1)[0])
    kept = [np.copy(x) for x in out]
    play(world, actions(world, 7))
    same([out], [kept])


def test_actions_are_cut_and_scaled():
    world = velocity.make("SafetyHumanoidVelocity-v1", 2)
    state = world.reset(np.zeros(2, int)) is not None and world.get_state()
    world.step(np.repeat([[1.0], [7.0]], 17, 1))
    np.testing.assert_array_equal(*world.get_state()["physics"])
    world.set_state(state)
    strongest = world._bodies._data[0].model.actuator_ctrlrange[:, 1]
    np.testing.assert_allclose(strongest, 0.4)
    np.testing.assert_allclose(world._half, 0.4)
    world.close()


def test_what_is_wrong_is_told():
    with pytest.raises(ValueError, match="no task 'SafetyAntVelocity-v0'; did you mean 'SafetyAntVelocity-v1'"):
        velocity.make("SafetyAntVelocity-v0")
    with pytest.raises(ValueError, match="no environment 'SafetyHoperVelocity-v1'; did you mean 'SafetyHopperV"):
        envs.make("SafetyHoperVelocity-v1")
    with pytest.raises(ValueError, match="takes no argument 'horizn'; did you mean 'horizon'"):
        envs.make("SafetyHopperVelocity-v1", horizn=3)
    for wrong in ({"horizon": 0}, {"num_envs": 0}):
        with pytest.raises(ValueError, match="= 0; at least 1"):
            velocity.make("SafetyHopperVelocity-v1", **wrong)
    world = velocity.make("SafetyHopperVelocity-v1", 2)
    with pytest.raises(ValueError, match=r"action has shape \(2,\); needed: \(2, 3\)"):
        world.step(np.zeros(2))
    with pytest.raises(ValueError, match="seeds have shape"):
        world.reset(np.arange(3))
    with pytest.raises(ValueError, match="index = 2"):
        world.render(2)
    world.close()


def test_the_table_loads_nothing_heavy():
    told = "import sys, bridle.envs.velocity;print([m for m in ('numpy', 'mujoco', 'jax', 'gymnasium') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_making_a_world_says_nothing_on_the_screen(capfd):
    velocity.make("SafetyHalfCheetahVelocity-v1").close()
    assert capfd.readouterr() == ("", "")
