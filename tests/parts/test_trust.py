"""A model against what happened: errors, sums and ranks beside a slow loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import spearmanr

from bridle.core.types import Drawn, Guess, Transition
from bridle.envs import make
from bridle.parts.dynamics.trust import compared, newest, rank_correlation

L, N, O = 12, 3, 2


def lived(ends=()):
    """Rows of a world that adds the action to each number; reward 1, cost 2 a step."""
    action = np.random.default_rng(0).normal(size=(L, N, 1)).astype(np.float32)
    obs = np.concatenate([np.zeros((1, N, 1)), np.cumsum(action, 0)]).astype(np.float32) * np.ones(O, np.float32)
    flag = np.zeros((L, N), bool)
    truncated = flag.copy()
    for row in ends:
        truncated[row] = True
    one = np.ones((L, N), np.float32)
    return jax.tree.map(
        jnp.asarray, Transition(obs[:-1], action, one, 2 * one[..., None], obs[1:], flag, truncated, ~flag, {})
    )


def off(bias):
    """A model that is wrong by `bias` in every number of each step, and doubts as much."""

    def step(obs, action, key):
        size = obs.shape[0]
        zero = jnp.zeros(size)
        return Guess(obs + action + bias, zero + 0.5, jnp.ones((size, 1)), zero > 1, zero + bias)

    return step


@pytest.mark.parametrize("bias", [0.0, 0.3])
def test_errors_add_up_over_a_path_and_so_do_doubts_returns_and_costs(bias):
    told = jax.jit(lambda key: compared(off(bias), lived(), jnp.full(O, 2.0), key))(jax.random.key(0))
    assert {name for name in told if name.startswith("error")} == {f"error_{h}" for h in (1, 2, 4, 8)}
    for h in (1, 2, 4, 8):
        assert told[f"error_{h}"] == pytest.approx(h * bias / 2.0, abs=1e-5)
        assert told[f"doubt_{h}"] == pytest.approx(h * bias, abs=1e-5)
        assert (told[f"real_return_{h}"], told[f"imagined_return_{h}"]) == pytest.approx((h, 0.5 * h))
        assert (told[f"real_cost_{h}"], told[f"imagined_cost_{h}"]) == pytest.approx((2 * h, h))


def test_a_path_stops_where_the_episode_did():
    told = compared(off(1.0), lived(ends=(3, 7, 11)), jnp.ones(O), jax.random.key(0))
    assert told["error_4"] == pytest.approx(4.0) and told["real_return_4"] == 4.0
    assert told["error_8"] == told["real_return_8"] == told["imagined_cost_8"] == 0.0


def test_rank_correlation_is_spearmans_over_those_that_count():
    rng = np.random.default_rng(0)
    x, counts = rng.normal(size=40).astype(np.float32), rng.random(40) < 0.6
    y = (x + rng.normal(size=40)).astype(np.float32)
    found = rank_correlation(jnp.asarray(x), jnp.asarray(y), jnp.asarray(counts))
    assert found == pytest.approx(spearmanr(x[counts], y[counts]).statistic, abs=1e-5)


def test_the_newest_rows_of_a_ring_are_in_their_order():
    spec = make("toy/Corridor-v0", N).spec
    ring = np.array([10, 11, 12, 5, 6, 7, 8, 9])
    rows = jax.tree.map(lambda leaf: jnp.zeros((8, *leaf.shape[1:])), lived())._replace(
        reward=jnp.asarray(ring)[:, None]
    )
    data = Drawn(rows, None, None, jnp.asarray(11.0 * N))
    np.testing.assert_array_equal(newest(data, 5, spec).reward[:, 0], [8, 9, 10, 11, 12])
