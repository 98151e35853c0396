"""Ensembles against plain networks; the quick gradients against those that JAX derives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bridle.nets.ensemble import Ensemble, forward, shifted, silu, together

E, B, I, OUT = 3, 5, 4, 2


@pytest.fixture(scope="module")
def net():
    net = Ensemble(jax.random.key(0), E, (I, 8, 8, OUT))
    return jax.tree.map(lambda leaf: leaf + 0.1 * jax.random.normal(jax.random.key(1), leaf.shape), net)


def plain(net, e, x):
    """The textbook network."""
    for w, b in zip(net.weights[:-1], net.biases[:-1], strict=True):
        x = jax.nn.silu(x @ w[e] + b[e])
    return x @ net.weights[-1][e] + net.biases[-1][e]


def test_members_see_the_same_or_each_its_own(net):
    x = jax.random.normal(jax.random.key(2), (E, B, I))
    np.testing.assert_allclose(net(x, own=True), [plain(net, e, x[e]) for e in range(E)], atol=1e-5)
    np.testing.assert_allclose(net(x[0]), [plain(net, e, x[0]) for e in range(E)], atol=1e-5)
    assert net(x).shape == (E, E, B, OUT), "leading axes are a batch unless inputs are each member's own"


def test_one_member_is_evaluated_by_an_index_that_is_traced(net):
    x = jax.random.normal(jax.random.key(2), (B, I))
    one = jax.jit(lambda net, e: forward(net.member(e), x))
    for e in range(E):
        np.testing.assert_allclose(one(net, e), plain(net, e, x), atol=1e-5)


def test_what_was_taken_apart_is_put_together_again(net):
    for old, new in zip(jax.tree.leaves(net), jax.tree.leaves(together(net.apart())), strict=True):
        np.testing.assert_array_equal(old, new)


def test_first_weights_are_truncated_normal_with_half_the_usual_deviation():
    net = Ensemble(jax.random.key(0), 2, (400, 400, 3))
    for w in net.weights:
        assert float(jnp.abs(w).max()) <= 2 / (2 * 400**0.5)
        assert float(w.std()) == pytest.approx(0.88 / (2 * 400**0.5), rel=0.05), "0.88: of a normal cut at 2 deviations"
    assert all(bool((b == 0).all()) for b in net.biases)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(net))


def test_the_quick_activation_and_shift_have_the_gradients_of_the_plain_ones():
    x = 4 * jax.random.normal(jax.random.key(0), (B, I))
    bias = jnp.arange(float(I))
    quick = jax.value_and_grad(lambda x, b: (silu(shifted(x, b)) ** 2).sum(), (0, 1))(x, bias)
    slow = jax.value_and_grad(lambda x, b: (jax.nn.silu(x + b) ** 2).sum(), (0, 1))(x, bias)
    for found, wanted in zip(jax.tree.leaves(quick), jax.tree.leaves(slow), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
