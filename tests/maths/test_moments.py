"""Running moments against those of all rows at once."""

import jax.numpy as jnp
import numpy as np

from bridle.maths.moments import CLIP, no_moments, normalise, see


def test_moments_of_batches_are_those_of_all_valid_rows_at_once():
    rng = np.random.default_rng(0)
    moments, kept = no_moments(3), []
    for size in (1, 7, 30, 2):
        rows, valid = rng.normal(5.0, [1.0, 20.0, 0.01], (size, 3)), rng.random(size) < 0.7
        moments = see(moments, jnp.asarray(rows, jnp.float32), jnp.asarray(valid, jnp.float32))
        kept.append(rows[valid])
    every = np.concatenate(kept)
    assert float(moments.count) == len(every)
    np.testing.assert_allclose(moments.mean, every.mean(0), rtol=1e-4)
    np.testing.assert_allclose(moments.second / moments.count, every.var(0), rtol=2e-2)


def test_normalised_rows_have_mean_0_and_deviation_1_and_are_cut():
    rows = np.random.default_rng(1).normal(3.0, 2.0, (4000, 2)).astype(np.float32)
    moments = see(no_moments(2), jnp.asarray(rows), jnp.ones(4000))
    found = normalise(moments, jnp.asarray(rows))
    np.testing.assert_allclose(found.mean(0), 0.0, atol=1e-3)
    np.testing.assert_allclose(found.std(0), 1.0, rtol=1e-3)
    assert float(normalise(moments, jnp.full((1, 2), 1e6)).max()) == CLIP


def test_nothing_seen_changes_nothing_and_a_constant_column_stays_finite():
    rows = jnp.full((5, 2), 3.0)
    np.testing.assert_array_equal(normalise(no_moments(2), rows), rows)
    moments = see(no_moments(2), rows, jnp.ones(5))
    np.testing.assert_array_equal(normalise(moments, rows), jnp.zeros((5, 2)))
