"""Actors: the first policy, the range of actions, gradients that reach every head."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bridle.maths.gaussian import covariance, diagonal
from bridle.parts.policies import DeterministicActor, GaussianActor, clipped

HEADS = ("squashed", "diagonal", "full")
O, A, N = 5, 3, 200


def actor(head, std=0.7, key=0):
    return GaussianActor(jax.random.key(key), O, A, (16, 16), head, std, "relu")


@pytest.mark.parametrize("head", HEADS)
def test_the_first_policy_hardly_moves_and_has_the_standard_deviation_asked_for(head):
    dist = actor(head)(jax.random.normal(jax.random.key(1), (N, O)))
    assert dist.full == (head == "full") and dist.mean.shape == (N, A)
    assert jnp.abs(dist.mean).max() < 0.2
    np.testing.assert_allclose(jnp.sqrt(diagonal(covariance(dist.scale, dist.full), dist.full)), 0.7, atol=0.05)


@pytest.mark.parametrize("head", HEADS)
def test_actions_lie_in_the_unit_box_however_loud_the_network(head):
    loud = jax.tree.map(lambda leaf: 50.0 * leaf, actor(head))
    obs = 100.0 * jax.random.normal(jax.random.key(1), (N, O))
    for explore in (True, False):
        action = loud.act(obs, jax.random.key(2), explore)
        assert action.shape == (N, A) and jnp.isfinite(action).all() and jnp.abs(action).max() <= 1.0
    assert (diagonal(loud(obs).scale, loud(obs).full) > 0).all(), "a standard deviation is never zero"


@pytest.mark.parametrize("head", HEADS)
def test_the_mean_is_told_without_chance_and_samples_depend_on_the_key(head):
    policy, obs = actor(head), jnp.ones((N, O))
    np.testing.assert_array_equal(*(policy.act(obs, jax.random.key(k), False) for k in (1, 2)))
    first, second = (policy.act(obs, jax.random.key(k), True) for k in (1, 2))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, policy.act(obs, jax.random.key(1), True))


def test_a_full_head_tells_a_lower_cholesky_factor():
    loud = jax.tree.map(lambda leaf: 20.0 * leaf, actor("full"))
    chol = loud(jax.random.normal(jax.random.key(1), (N, O))).scale
    np.testing.assert_array_equal(chol, jnp.tril(chol))
    assert jnp.abs(jnp.tril(chol, -1)).max() > 0.1, "actions may depend on each other"


@pytest.mark.parametrize("head", HEADS)
def test_every_leaf_is_an_array_that_learning_reaches(head):
    obs = jax.random.normal(jax.random.key(1), (N, O))
    spread = lambda policy: (policy.act(obs, jax.random.key(2), True) ** 2).mean()
    for leaf in jax.tree.leaves(jax.grad(spread)(actor(head))):
        assert isinstance(leaf, jax.Array) and jnp.abs(leaf).max() > 0


def test_a_clipped_action_has_its_gradient_wherever_that_leads_inwards():
    x = jnp.array([-2.0, -2.0, -0.5, 0.5, 2.0, 2.0])
    slope = jnp.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])  # of a loss, so that a positive one pulls x down
    np.testing.assert_array_equal(clipped(x), [-1, -1, -0.5, 0.5, 1, 1])
    np.testing.assert_array_equal(jax.grad(lambda x: (slope * clipped(x)).sum())(x), [0, -1, 1, -1, 1, 0])


@pytest.mark.parametrize(("squash", "comes_back"), [("clipped", True), ("tanh", False)])
def test_an_actor_at_its_bound_comes_back_if_its_actions_are_clipped(squash, comes_back):
    actor = DeterministicActor(jax.random.key(0), O, A, (16,), squash=squash)
    loud = actor.net.biases[-1] + 8.0  # far beyond what saturates a tanh
    obs = jax.random.normal(jax.random.key(1), (N, O))

    def loss(bias):
        return (with_bias(actor, bias)(obs)).mean()

    bias = loud
    for _ in range(100):
        bias = bias - 0.5 * jax.grad(loss)(bias)
    assert (float(loss(bias)) < -0.9) == comes_back


def with_bias(actor, bias):
    return eqx.tree_at(lambda a: a.net.biases, actor, (*actor.net.biases[:-1], bias))
