"""Pessimistic values and TD targets against a slow oracle."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bridle.core.types import Transition
from bridle.parts.critics import cost_value, last_row, polyak, reward_value, squared_error, td_targets

B, C, O = 6, 2, 3
targets = jax.jit(td_targets, static_argnums=(3, 4, 5))


def rows(steps, seed=0):
    """Random stretches in which every pattern of ends occurs."""
    random = np.random.default_rng(seed)
    normal = lambda *shape: jnp.asarray(random.normal(size=(B, steps, *shape)), jnp.float32)
    flag = lambda share: jnp.asarray(random.random((B, steps)) < share)
    return Transition(normal(O), normal(1), normal(), normal(C), {"x": normal(O)}, flag(0.3), flag(0.3), flag(1.0), {})


def oracle(data, b, value, cost_value_, discount, cost_discount, mask_cost):
    """Target of reward and of cost of stretch b, and the row at which it bootstraps, step by step."""
    total, cost, steps = 0.0, np.zeros(C), data.reward.shape[1]
    for t in range(steps):
        total, cost = total + discount**t * data.reward[b, t], cost + cost_discount**t * data.cost[b, t]
        died, ended = data.terminated[b, t], data.terminated[b, t] | data.truncated[b, t]
        if ended or t == steps - 1:
            follows = discount ** (t + 1) * value[b] * (not died)
            cost_follows = cost_discount ** (t + 1) * cost_value_[b] * (not (died and mask_cost))
            return total + follows, cost + cost_follows, t


@pytest.mark.parametrize("mask_cost", [True, False])
@pytest.mark.parametrize("steps", [1, 3, 6])
def test_td_targets_are_those_of_a_slow_loop(steps, mask_cost):
    data = rows(steps, seed=steps)
    assert steps == 1 or (data.terminated.any() and data.truncated.any())
    value, cost_next = jnp.arange(1.0, B + 1), jnp.arange(2.0 * B).reshape(B, C) + 1
    found, cost_found = targets(data, value, cost_next, 0.9, 0.8, mask_cost)
    where = last_row(data)["x"]
    for b in range(B):
        of_reward, of_cost, last = oracle(jax.device_get(data), b, value, cost_next, 0.9, 0.8, mask_cost)
        np.testing.assert_allclose(found[b], of_reward, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(cost_found[b], of_cost, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(where[b], data.next_obs["x"][b, last])


def test_critics_are_pessimistic_about_reward_and_about_cost():
    q = jnp.array([[[1.0], [5.0]], [[3.0], [2.0]]])  # two members, two states
    np.testing.assert_array_equal(reward_value(q), [1.0, 2.0])
    np.testing.assert_array_equal(cost_value(q), [[3.0], [5.0]])


def test_the_greatest_member_is_taken_for_each_constraint_by_itself():
    np.testing.assert_array_equal(cost_value(jnp.array([[[1.0, 9.0]], [[2.0, 3.0]]])), [[2.0, 9.0]])


def test_the_loss_adds_the_members_mean_squared_errors():
    q, target = jnp.zeros((2, 4, 1)).at[1].set(3.0), jnp.ones((4, 1))
    assert squared_error(q, target) == pytest.approx(1.0 + 4.0)


def test_a_target_moves_its_part_of_the_way():
    moved = polyak({"w": jnp.array([0.0, 10.0])}, {"w": jnp.array([10.0, 10.0])}, 0.1)
    np.testing.assert_allclose(moved["w"], [1.0, 10.0])
