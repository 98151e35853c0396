"""n-step sums against a slow oracle."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridle.core.types import Transition
from bridle.maths.returns import episode_cost, gae, inverse_variance_gae, lambda_returns, n_step, pick

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


def loops(x, value, next_value, stops, ended, discount, trace):
    """Advantages and lambda-returns of one env and one signal, by the sums that define them."""
    length = len(x)
    advantage, returns = np.zeros(length), np.zeros(length)
    for t in range(length):
        weight = 1.0
        for k in range(t, length):
            bootstrap = 0.0 if stops[k] else next_value[k]
            advantage[t] += weight * (x[k] + discount * bootstrap - value[k])
            if ended[k]:
                break
            weight *= discount * trace
    for t in reversed(range(length)):
        follows = 0.0 if stops[t] else discount
        last = t == length - 1 or ended[t]
        mixed = next_value[t] if last else (1 - trace) * next_value[t] + trace * returns[t + 1]
        returns[t] = x[t] + follows * mixed
    return advantage, returns


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 0.97, 1.0]))
def test_advantages_and_lambda_returns_are_those_of_a_loop_over_each_env(seed, trace):
    rng = np.random.default_rng(seed)
    length, envs, signals = 9, 2, 3
    x, value, next_value = rng.normal(size=(3, length, envs, signals)).astype(np.float32)
    terminated, truncated = rng.uniform(size=(2, length, envs)) < 0.15
    stops = terminated[..., None] & np.array([True, False, True])
    ended = terminated | truncated
    discount = np.array([0.99, 0.9, 0.5], np.float32)
    traces = np.full(3, trace, np.float32)
    # Along an episode the value of a successor is that of the next row.
    value[1:] = np.where(ended[:-1, :, None], value[1:], next_value[:-1])
    put = jnp.asarray
    found = gae(*map(put, (x, value, next_value, stops, ended, discount, traces)))
    returns = lambda_returns(*map(put, (x, next_value, stops, ended, discount, traces)))
    for n in range(envs):
        for k in range(signals):
            one = x[:, n, k], value[:, n, k], next_value[:, n, k], stops[:, n, k], ended[:, n], discount[k], trace
            advantage, target = loops(*one)
            np.testing.assert_allclose(found[:, n, k], advantage, atol=1e-4)
            np.testing.assert_allclose(returns[:, n, k], target, atol=1e-4)
            np.testing.assert_allclose(advantage + value[:, n, k], target, atol=1e-4)


def slow_inverse_variance(x, value, next_value, stops, valid, who, discount, trace):
    """Path by path, horizon by horizon; of one signal."""
    length, members, paths = x.shape
    found = np.zeros((length, paths))

    def total(t, h, e, b):
        gained, factor = 0.0, 1.0
        for k in range(t, t + h):
            if not valid[k, e, b]:
                last = valid[:, e, b].sum() - 1
                return gained if stops[last, e, b] else gained + factor * next_value[last, e, b]
            gained, factor = gained + factor * x[k, e, b], factor * discount
        return gained if stops[t + h - 1, e, b] else gained + factor * next_value[t + h - 1, e, b]

    for b in range(paths):
        mine = int(valid[:, who[b], b].sum())
        for t in range(mine):
            horizons = range(1, mine - t + 1)
            weights = []
            for h in horizons:
                seen = [total(t, h, e, b) for e in range(members)]
                weights.append((trace * discount**2) ** (h - 1) / (np.var(seen) + 1e-8))
            weights[-1] /= 1 - trace * discount**2
            weights = np.array(weights) / np.sum(weights)
            own = [total(t, h, who[b], b) for h in horizons]
            found[t, b] = weights @ own - value[t, b]
    return found


@pytest.mark.parametrize("ends", [False, True])
def test_inverse_variance_advantages_are_those_of_a_slow_loop(ends):
    rng, (length, members, paths) = np.random.default_rng(0), (6, 3, 5)
    x, next_value = (rng.normal(size=(length, members, paths)) for _ in range(2))
    lengths = rng.integers(1, length + 1, (members, paths)) if ends else np.full((members, paths), length)
    valid = np.arange(length)[:, None, None] < lengths
    stops = (np.arange(length)[:, None, None] == lengths - 1) & (rng.random((members, paths)) < 0.5 * ends)
    who = rng.integers(0, members, paths)
    value = rng.normal(size=(length, paths))
    picked = next_value[:, who, np.arange(paths)]
    value[1:] = picked[:-1]  # a state's value is the same from both sides
    expected = slow_inverse_variance(x, value, next_value, stops, valid, who, 0.9, 0.8)
    deep = lambda leaf: jnp.asarray(leaf)[..., None]
    found, _ = inverse_variance_gae(
        deep(x.astype(np.float32)), deep(value.astype(np.float32)), deep(next_value.astype(np.float32)), deep(stops),
        jnp.asarray(valid), jnp.asarray(who), jnp.asarray([0.9]), jnp.asarray([0.8]),
    )  # fmt: skip
    mine = valid[:, who, np.arange(paths)]
    np.testing.assert_allclose(np.asarray(found)[..., 0][mine], expected[mine], rtol=2e-3, atol=2e-3)


def test_members_that_agree_give_gae_and_one_that_is_unsure_later_is_trusted_early():
    rng, (length, members, paths) = np.random.default_rng(1), (8, 4, 3)
    one = rng.normal(size=(length, 1, paths, 2)).astype(np.float32)
    x = jnp.asarray(np.repeat(one, members, 1))
    value = jnp.asarray(rng.normal(size=(length + 1, paths, 2)).astype(np.float32))
    next_value = jnp.repeat(value[1:, None], members, 1)
    stops, valid = jnp.zeros((length, members, paths, 2), bool), jnp.ones((length, members, paths), bool)
    discount, trace = jnp.asarray([0.9, 0.95]), jnp.asarray([0.8, 0.5])
    who = jnp.zeros(paths, int)
    found, spread = inverse_variance_gae(x, value[:-1], next_value, stops, valid, who, discount, trace)
    ended = jnp.zeros((length, paths), bool)
    plain = gae(x[:, 0], value[:-1], value[1:], stops[:, 0], ended, discount, trace * discount**2)
    np.testing.assert_allclose(found, plain, rtol=1e-3, atol=1e-3)
    assert not spread.any()
    unsure = x.at[3:].add(100.0 * rng.normal(size=(length - 3, members, paths, 2)))
    found, spread = inverse_variance_gae(unsure, value[:-1], next_value, stops, valid, who, discount, trace)
    for t in range(3):
        returns = [
            sum(discount**k * x[t + k, 0] for k in range(h)) + discount**h * value[t + h] for h in range(1, 4 - t)
        ]
        weights = [(trace * discount**2) ** h for h in range(3 - t)]
        short = sum(w * r for w, r in zip(weights, returns, strict=True)) / sum(weights) - value[t]
        np.testing.assert_allclose(found[t], short, rtol=1e-3, atol=1e-3)
    assert (spread[3:] > 0).all() and not spread[:3].any()
