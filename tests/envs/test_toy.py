"""Toy worlds: their optimum, their bookkeeping, their determinism."""

import numpy as np
import pytest

from bridle.envs import make, toy

RINGS = [name for name in toy.RINGS]


def play(world, steps, seed=0):
    random = np.random.default_rng(seed)
    for _ in range(steps):
        n = world.spec.num_envs
        discrete = hasattr(world.spec.action, "choices")
        yield world.step(
            random.integers(0, world.spec.action.choices, n) if discrete else random.uniform(-1, 1, (n, 1))
        )


@pytest.mark.parametrize("name", ["toy/Corridor-v0", "toy/Discrete-v0"])
def test_the_constrained_optimum_lies_strictly_between_the_careless_and_the_costless_one(name):
    world = make(name)
    careless, limited, costless = (world.solve(limit) for limit in (1e6, 3.0, 0.0))
    assert careless.returns > limited.returns + 1 > costless.returns + 2
    assert careless.cost[0] > 10 and abs(limited.cost[0] - 3.0) < 1e-4 and abs(costless.cost[0]) < 1e-4


def test_the_published_optima_are_what_the_linear_program_says():
    assert abs(make("toy/Corridor-v0").solve(3.0).returns - 20.89) < 0.01
    assert abs(make("toy/Discrete-v0").solve(3.0).returns - 20.86) < 0.01
    assert abs(make("toy/TwoCosts-v0").solve((3.0, 4.0)).returns - 20.46) < 0.01


def test_the_careless_policy_earns_what_the_linear_program_says_of_it():
    world = make("toy/Corridor-v0", 4000)
    world.reset(np.arange(4000))
    rows = [world.step(np.ones((4000, 1))) for _ in range(20)]
    returns, cost = sum(row.reward.mean() for row in rows), sum(row.cost.mean() for row in rows)
    optimum = world.solve(1e6)
    assert abs(returns - optimum.returns) < 0.1 and abs(cost - optimum.cost[0]) < 0.1


def test_a_stationary_policy_nearly_reaches_the_optimum():
    world = make("toy/Corridor-v0", 4000)
    obs = world.reset(np.arange(4000))
    speed, returns, cost = np.array([1.0, 1.0, 0.1, 0.45, 0.45]), 0.0, 0.0
    for _ in range(20):
        out = world.step((obs @ speed)[:, None])
        obs, returns, cost = out.obs, returns + out.reward.mean(), cost + out.cost.mean()
    assert cost < 3.05 and returns > 0.98 * world.solve(3.0).returns


def test_two_limits_cost_more_than_one():
    world = make("toy/TwoCosts-v0")
    one, both = world.solve((3.0, 1e6)), world.solve((3.0, 4.0))
    assert one.returns > both.returns and one.cost[1] > 4.5 and abs(both.cost[1] - 4.0) < 1e-4


@pytest.mark.parametrize("name", RINGS)
def test_shapes_are_those_of_the_spec(name):
    world = make(name, 3)
    obs = world.reset(np.arange(3))
    out = next(iter(play(world, 1)))
    for tree in (obs, out.obs, out.next_obs):
        parts = [(world.spec.obs, tree)] if name != "toy/Dict-v0" else [(world.spec.obs[k], tree[k]) for k in tree]
        assert all(array.shape == (3, *leaf.shape) and array.dtype == leaf.dtype for leaf, array in parts)
    assert out.cost.shape == (3, len(world.spec.constraints)) and out.reward.shape == (3,)


@pytest.mark.parametrize("name", RINGS)
def test_state_goes_and_comes_back_exactly(name):
    world, other = make(name, 3), make(name, 3)
    world.reset(np.array([5, 6, 7]))
    list(play(world, 33))
    state = {key: value.copy() for key, value in world.get_state().items()}
    other.set_state(state)
    for a, b in zip(play(world, 30, 1), play(other, 30, 1), strict=True):
        assert str(a) == str(b)


def test_episode_k_of_a_copy_depends_on_its_seed_and_k_alone():
    wide, narrow = make("toy/Corridor-v0", 3), make("toy/Corridor-v0", 1)
    wide.reset(np.array([8, 9, 10]))
    narrow.reset(np.array([9]))
    for _ in range(50):
        a, b = wide.step(np.full((3, 1), 0.3)), narrow.step(np.full((1, 1), 0.3))
        assert np.array_equal(a.obs[1], b.obs[0]) and a.reward[1] == b.reward[0]


def test_an_episode_is_truncated_at_its_horizon_and_next_obs_is_its_true_successor():
    world = make("toy/Corridor-v0", 64, horizon=7)
    world.reset(np.arange(64))
    rows = [world.step(np.full((64, 1), -1.0)) for _ in range(14)]
    assert [row.truncated.all() for row in rows] == ([False] * 6 + [True]) * 2
    assert not any(row.terminated.any() for row in rows)
    assert not np.array_equal(rows[6].obs, rows[6].next_obs) and np.array_equal(rows[5].obs, rows[5].next_obs)


def test_wrong_actions_are_refused():
    with pytest.raises(ValueError, match="allowed: finite floats"):
        make("toy/Corridor-v0", 2).step(np.full((2, 1), np.nan))
    with pytest.raises(ValueError, match=r"allowed: int \[2\] in \[0, 5\)"):
        make("toy/Discrete-v0", 2).step(np.array([0, 5]))


def test_a_picture_shows_the_walker():
    world = make("toy/Corridor-v0", 2)
    assert world.render(1).dtype == np.uint8 and (world.render(1) == 255).any()
