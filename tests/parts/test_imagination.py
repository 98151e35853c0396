"""Imagination against a slow loop: what is a step of a path, where paths end, what bootstraps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bridle.core.types import Guess
from bridle.parts.imagination import horizon_at, imagine, imagine_copies

B, L, O = 4, 6, 2
LINE = jnp.arange(float(B))[:, None] * jnp.ones((1, O))


def step(obs, action, key):
    """A hand-made world: each step adds the action; the state is the doubt, past 5.5 all ends."""
    next_obs = obs + action
    return Guess(next_obs, next_obs[:, 0], next_obs[:, :1] * 2, next_obs[:, 0] > 5.5, jnp.abs(obs[:, 0]))


def act(obs, key):
    return jnp.ones((obs.shape[0], 1)), {"log_prob": obs[:, 0]}


def slow(starts, length, budget=None):
    """Rows of each path, one after another: (obs, reward, terminated, truncated)."""
    paths = []
    for x in np.asarray(starts)[:, 0]:
        path, doubt = [], 0.0
        for _ in range(length):
            if budget is not None and doubt + abs(x) >= budget:
                break
            doubt, ended = doubt + abs(x), x + 1 > 5.5
            path.append([x, x + 1, ended, False])
            x += 1
            if ended:
                break
        if path and not path[-1][2]:
            path[-1][3] = True
        paths.append(path)
    return paths


@pytest.mark.parametrize("length", [1, 3, 6])
@pytest.mark.parametrize("budget", [None, 0.5, 3.0, 6.0, 100.0])
def test_paths_are_those_of_a_slow_loop(length, budget):
    found = jax.jit(lambda key, n: imagine(step, act, LINE, n, key, budget=budget, cap=L))(jax.random.key(0), length)
    rows = found.rows
    for b, path in enumerate(slow(LINE, length, budget)):
        n = len(path)
        assert int(found.horizon[b]) == n
        np.testing.assert_array_equal(rows.valid[:, b], np.arange(L) < n)
        if path:
            obs, reward, ended, cut = zip(*path, strict=True)
            np.testing.assert_allclose(rows.obs[:n, b, 0], obs)
            np.testing.assert_allclose(rows.next_obs[:n, b, 0], reward)
            np.testing.assert_allclose(rows.reward[:n, b], reward)
            np.testing.assert_allclose(rows.cost[:n, b, 0], 2 * np.array(reward))
            np.testing.assert_array_equal(rows.terminated[:n, b], ended)
            np.testing.assert_array_equal(rows.truncated[:n, b], cut)
            np.testing.assert_allclose(rows.extras["log_prob"][:n, b], obs)
            np.testing.assert_allclose(found.path_doubt[b], np.abs(obs).sum())
        assert not (rows.terminated | rows.truncated)[n:, b].any() and not found.doubt[n:, b].any()


def test_the_step_that_would_reach_the_budget_is_dropped():
    found = imagine(step, act, LINE[2:3], 5, jax.random.key(0), budget=5.0)  # doubts 2, then 3: together the budget
    np.testing.assert_array_equal(found.rows.valid[:, 0], [True, False, False, False, False])
    assert float(found.path_doubt[0]) == 2.0 and bool(found.rows.truncated[0, 0])


def test_a_path_that_doubts_at_once_contributes_nothing():
    found = imagine(step, act, LINE[3:4], 5, jax.random.key(0), budget=3.0)
    assert int(found.horizon[0]) == 0 and not found.rows.valid.any() and not found.rows.truncated.any()


def test_a_doubt_that_is_not_finite_ends_a_path():
    lost = lambda obs, action, key: step(obs, action, key)._replace(doubt=jnp.full(obs.shape[0], jnp.nan))
    assert not imagine(lost, act, LINE, 3, jax.random.key(0), budget=9.0).rows.valid.any()


def test_a_copy_of_a_path_is_that_of_its_member_alone_by_the_same_draws():
    pulls = jnp.asarray([1.0, 1.0, -0.5])

    def of_members(obs, action, key):
        own = obs.reshape(3, B, O) * pulls[:, None, None]
        return step(own.reshape(-1, O), action, key)

    def sampled(obs, key):
        return jax.random.normal(key, (len(obs), 1)), {"log_prob": obs[:, 0]}

    copies = imagine_copies(of_members, sampled, LINE, 3, L, jax.random.key(1))
    assert copies.rows.obs.shape == (L, 3, B, O)
    for member, pull in enumerate(pulls):
        alone = imagine(
            lambda obs, action, key, p=pull: step(obs * p, action, key), sampled, LINE, L, jax.random.key(1)
        )
        jax.tree.map(lambda a, b, m=member: np.testing.assert_allclose(a[:, m], b, rtol=1e-6), copies, alone)


def test_every_step_has_a_key_of_its_own_and_all_depend_on_the_one():
    noisy = lambda obs, key: (jax.random.normal(key, (obs.shape[0], 1)), {})
    one, same, other = (imagine(step, noisy, LINE, 3, jax.random.key(k)).rows.action for k in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other) and len(np.unique(np.asarray(one))) == one.size


def by_hand(epoch, schedule):
    """MBPO's rule in Python."""
    begin, end, first, last = schedule
    if epoch <= begin:
        return first
    return last if epoch >= end else int(first + (last - first) * (epoch - begin) / (end - begin))


@pytest.mark.parametrize("schedule", [(20, 150, 1, 15), (20, 100, 1, 25), (20, 150, 1, 1), (5, 5, 1, 3), (0, 10, 9, 2)])
def test_a_schedule_of_lengths_is_exact(schedule):
    for epoch in range(200):
        assert int(horizon_at(epoch, schedule)) == by_hand(epoch, schedule), epoch


def test_new_paths_follow_those_that_ended_until_there_are_enough():
    again = lambda key: jnp.zeros((B, O))
    found = imagine(step, act, LINE, 3, jax.random.key(0), budget=6.0, cap=9, again=again)
    rows, ends = found.rows, np.asarray(found.rows.terminated | found.rows.truncated)
    for b in range(B):
        first = slow(LINE[b : b + 1], 3, 6.0)[0]
        later = slow(jnp.zeros((1, O)), 3, 6.0)[0]
        expected, at = first, len(first) + (len(first) < 3)  # a step that is dropped takes its row
        got = [
            x for x, valid in zip(np.asarray(rows.obs)[:at, b, 0], np.asarray(rows.valid)[:at, b], strict=True) if valid
        ]
        assert got == [x for x, *_ in expected]
        np.testing.assert_array_equal(np.asarray(rows.obs)[at : at + 3, b, 0], [x for x, *_ in later][: 9 - at])
        assert ends[len(first) - 1, b] and ends[min(at + 2, 8), b] and not ends[at, b]
    few = imagine(step, act, LINE, 3, jax.random.key(0), cap=9, again=again, enough=6)
    assert int(few.rows.valid.sum()) == 8 and not few.rows.valid[2:].any()
    assert few.rows.truncated[1].all(), "where imagination stops, paths are truncated"
