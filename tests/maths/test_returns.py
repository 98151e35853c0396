"""n-step sums against a slow oracle."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridle.core.types import Transition
from bridle.maths.returns import episode_cost, n_step, pick

DISCOUNT = 0.9
jitted = jax.jit(n_step, static_argnums=(3, 4))


def oracle(x, terminated, truncated, discount, mask):
    """One stretch, read step by step as the definition goes: (sum, factor of the value that follows, last row)."""
    total, factor = np.zeros(x.shape[1:]), 1.0
    for t in range(len(x)):
        total = total + factor * x[t]
        factor *= discount
        if terminated[t]:
            return total, 0.0 if mask else factor, t
        if truncated[t]:
            return total, factor, t
    return total, factor, len(x) - 1


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from([1, 2, 5]), st.booleans(), st.booleans())
def test_n_step_sums_are_those_of_a_slow_loop(data, steps, mask, of_cost):
    batch = 4
    flags = st.lists(st.booleans(), min_size=batch * steps, max_size=batch * steps)
    terminated, truncated = (np.array(data.draw(flags)).reshape(batch, steps) for _ in range(2))
    shape = (batch, steps, 2) if of_cost else (batch, steps)
    x = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=shape).astype(np.float32)
    ours = jitted(jnp.asarray(x), jnp.asarray(terminated), jnp.asarray(truncated), DISCOUNT, mask)
    for b in range(batch):
        total, bootstrap, last = oracle(x[b], terminated[b], truncated[b], DISCOUNT, mask)
        np.testing.assert_allclose(ours.total[b], total, atol=1e-5)
        np.testing.assert_allclose(ours.bootstrap[b], bootstrap, atol=1e-6)
        assert ours.last[b] == last


def sums(terminated, truncated, mask=True):
    row = jnp.array([[1.0, 1.0, 1.0]])
    return jitted(row, jnp.array([terminated]), jnp.array([truncated]), DISCOUNT, mask)


def test_truncation_still_bootstraps():
    found = sums([False] * 3, [False, True, False])
    np.testing.assert_allclose((found.total[0], found.bootstrap[0], found.last[0]), (1.9, 0.81, 1), rtol=1e-6)


def test_termination_does_not():
    found = sums([False, True, False], [False] * 3)
    np.testing.assert_allclose((found.total[0], found.bootstrap[0], found.last[0]), (1.9, 0.0, 1), rtol=1e-6)


def test_a_termination_at_the_time_limit_is_a_termination():
    assert sums([True, False, False], [True, False, False]).bootstrap[0] == 0.0


def test_unmasked_a_termination_bootstraps_and_still_ends_the_sum():
    found = sums([True, False, False], [False] * 3, mask=False)
    np.testing.assert_allclose((found.total[0], found.bootstrap[0], found.last[0]), (1.0, 0.9, 0), rtol=1e-6)


def test_pick_takes_one_row_of_each_stretch():
    leaf = jnp.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(pick(leaf, jnp.array([2, 0])), jnp.stack([leaf[0, 2], leaf[1, 0]]))


def rows(cost, truncated=None, terminated=None, valid=None):
    cost = np.asarray(cost, np.float32)
    none = np.zeros(cost.shape[:2], bool)
    told = [none if x is None else np.asarray(x) for x in (terminated, truncated)]
    return Transition(None, None, None, cost, None, *told, ~none if valid is None else np.asarray(valid), {})


def test_an_episode_costs_what_a_horizon_of_steps_costs_wherever_it_was_begun():
    rng = np.random.default_rng(0)
    cost = rng.random((20, 3, 2))
    ends = np.zeros((20, 3), bool)
    ends[[4, 9, 19], [0, 1, 2]] = True
    np.testing.assert_allclose(episode_cost(rows(cost, ends), 20), cost.sum((0, 1)) / 3, rtol=1e-5)


def test_episodes_that_end_early_are_counted_as_they_end_and_dummy_steps_not_at_all():
    cost, ends, valid = np.ones((20, 1, 1)), np.zeros((20, 1), bool), np.ones((20, 1), bool)
    ends[4::5] = True
    assert float(episode_cost(rows(cost, terminated=ends), 20)[0]) == pytest.approx(5.0)
    valid[:10] = False
    assert float(episode_cost(rows(cost, terminated=ends & valid, valid=valid), 20)[0]) == pytest.approx(5.0)
