"""Rules of CMBPO's tasks: truth tables, NumPy and JAX alike, and the same as what worlds tell."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bridle import envs
from bridle.envs import safe_mujoco, velocity
from bridle.envs.rules import check_rules
from bridle.envs.safe_mujoco.rules import PUBLISHED, RULES, near_wall
from bridle.envs.velocity.world import VelocityWorld


def ant(z=0.5, off=0.0, flipped=False, x=np.nan, width=29):
    """An ant's obs [1 29]: height, quaternion, where it is."""
    obs = np.zeros((1, width), np.float32)
    obs[0, :2], obs[0, -1] = (z, 0.0 if flipped else 1.0), off
    obs[0, 2] = float(flipped)
    obs[0, -2] = 0.0 if np.isnan(x) else x
    return obs


def told(rule, obs):
    return rule(obs, np.zeros((len(obs), 8), np.float32), obs)[0]


@pytest.mark.parametrize(
    ("obs", "ends", "ends_as_published"),
    [
        (ant(), False, False),
        (ant(z=1.5), True, False),
        (ant(z=0.1), True, False),
        (ant(flipped=True), True, True),
        (ant(z=1.5, flipped=True), True, False),
        (ant(x=np.inf), True, False),
        (ant(z=0.2), False, False),
        (ant(z=1.0), False, False),
    ],
)
def test_an_ant_that_leaves_its_height_or_lies_on_its_back_ends_an_episode(obs, ends, ends_as_published):
    """The published code compares a product, and lets an ant that is too high or too low go on."""
    assert told(RULES["Ant"].terminated, obs) == ends
    assert told(PUBLISHED["Ant"].terminated, obs) == ends_as_published
    assert told(RULES["Ant"].cost, obs) == [ends] and told(PUBLISHED["Ant"].cost, obs) == [ends_as_published]


@pytest.mark.parametrize(
    ("off", "price", "published"),
    [(0, 0, 0), (3.1, 0, 0), (3.3, 1, 1), (-5, 1, 1), (6.7, 1, 1), (6.9, 0, 1), (-40, 0, 1)],
)
def test_walls_cost_on_both_sides_and_as_published_without_end(off, price, published):
    assert told(RULES["Ant"].cost, ant(off=off)) == [price]
    assert told(PUBLISHED["Ant"].cost, ant(off=off)) == [published]


def test_the_other_rules():
    board = np.zeros((4, 20), np.float32)
    board[:, -1] = 0.19, -0.19, 0.21, 5.0
    action = np.zeros((4, 6), np.float32)
    np.testing.assert_array_equal(RULES["HalfCheetah"].cost(board, action, board)[:, 0], [1, 1, 0, 0])
    assert not RULES["HalfCheetah"].terminated(board, action, board).any()
    leg = np.zeros((6, 14), np.float32)
    leg[:, 0], leg[1, 0], leg[2, 1], leg[3, 2], leg[4, 3] = 1.25, 0.7, -0.2, 101.0, np.nan
    leg[:, -1] = 0.9, 0.9, 1.1, -0.9, -1.1, 2
    np.testing.assert_array_equal(RULES["Hopper"].terminated(leg, leg, leg), [False, True, True, True, True, False])
    np.testing.assert_array_equal(RULES["Hopper"].cost(leg, leg, leg)[:, 0], [1, 1, 0, 1, 0, 0])
    tall = np.zeros((4, 47), np.float32)
    tall[:, 0] = 0.9, 1.0, 2.0, 2.1
    np.testing.assert_array_equal(RULES["Humanoid"].terminated(tall, tall, tall), [True, False, False, True])
    np.testing.assert_array_equal(near_wall(np.array([0.0, 2.9, 3.1, -6.9, 7.1])), [False, False, True, True, False])
    for name in ("Humanoid", "Hopper"):
        assert (
            not PUBLISHED[name].terminated(tall, tall, tall).any() and not PUBLISHED[name].cost(tall, tall, tall).any()
        )


@pytest.mark.parametrize("task", safe_mujoco.TASKS)
def test_rules_tell_what_the_world_tells_on_its_way(task):
    world = envs.make(task, 32)
    obs, rng, ends, price = world.reset(np.arange(32)), np.random.default_rng(0), 0, 0.0
    for k in range(150):
        if k % 30 == 10:  # put some where it costs, and some where it ends
            state = world.get_state()
            if task.startswith("HalfCheetah"):
                state["physics"][::3, 2] = 8.5 + state["physics"][::3, 1]
            elif task.startswith("Hopper"):
                state["physics"][::3, 1] += 2.2
            else:
                state["physics"][::3, 2] += rng.uniform(-7, 7, 11)
                state["physics"][1::3, 3] += rng.uniform(-0.6, 0.6, 11)
            obs = world.set_state(state)
        action = rng.uniform(-1, 1, (32, world.spec.action.size)).astype(np.float32)
        out, rules = world.step(action), world.spec.rules
        np.testing.assert_array_equal(rules.terminated(obs, action, out.next_obs), out.terminated)
        if rules.cost is not None:
            np.testing.assert_array_equal(rules.cost(obs, action, out.next_obs), out.cost)
        obs, ends, price = out.obs, ends + out.terminated.sum(), price + out.cost.sum()
    assert price > 0 and (ends > 0) == (task != "HalfCheetahSafe-v2") and set(np.unique(out.cost)) <= {0.0, 1.0}
    world.close()


@pytest.mark.parametrize("task", ["AntSafe-v2", "HopperSafe-v2", "HalfCheetahSafe-v2", "HumanoidSafe-v2"])
@pytest.mark.parametrize("kind", ["exact", "published"])
def test_numpy_and_jax_give_the_same_and_the_check_finds_nothing(task, kind):
    world = envs.make(task, 1, rules=kind)
    spec = world.spec
    check_rules(spec.rules, spec)
    rng = np.random.default_rng(0)
    obs = rng.normal(0, 1, (2, 500, spec.obs.shape[0])).astype(np.float32)
    obs[..., 0] = rng.uniform(0, 2.5, (2, 500))
    obs[..., -1] = rng.uniform(-9, 9, (2, 500))
    action = rng.uniform(-1, 1, (2, 500, spec.action.size)).astype(np.float32)
    for rule in (spec.rules.cost, spec.rules.terminated):
        if rule is not None:
            np.testing.assert_array_equal(rule(obs, action, obs), jax.jit(rule)(*map(jnp.asarray, (obs, action, obs))))
    world.close()


def test_published_rules_change_no_world():
    ours, theirs = (envs.make("AntSafe-v2", 4, rules=kind) for kind in ("exact", "published"))
    assert ours.spec == theirs.spec and ours.spec.rules is not theirs.spec.rules
    for world in (ours, theirs):
        world.reset(np.arange(4))
    action = np.random.default_rng(0).uniform(-1, 1, (4, 8))
    for a, b in zip(ours.step(action), theirs.step(action), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("task", velocity.TASKS)
def test_of_velocity_tasks_obs_tell_the_end_of_an_episode(task):
    world: VelocityWorld = envs.make(task, 16)
    check_rules(world.spec.rules, world.spec)
    assert world.spec.rules.cost is None and world.spec.rules.reward is None
    obs, rng = world.reset(np.arange(16)), np.random.default_rng(0)
    for _ in range(60):
        action = rng.uniform(-1, 1, (16, world.spec.action.size)).astype(np.float32)
        out = world.step(action)
        np.testing.assert_array_equal(world.spec.rules.terminated(obs, action, out.next_obs), out.terminated)
        obs = out.obs
    world.close()
