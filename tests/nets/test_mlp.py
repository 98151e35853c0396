"""Networks: the shared first layer, flattened observations, initial sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bridle.core.types import Leaf
from bridle.nets.mlp import MLP, QEnsemble, flatten_obs, obs_size

E, B, K, O, A, C = 3, 5, 4, 6, 2, 2


@pytest.fixture(scope="module")
def critic():
    net = QEnsemble(jax.random.key(0), E, O, A, (16, 8), C)
    noise = jax.random.split(jax.random.key(1), 8)
    biases = tuple(b + 0.1 * jax.random.normal(k, b.shape) for b, k in zip(net.biases, noise, strict=False))
    return jax.tree.unflatten(jax.tree.structure(net), [net.from_obs, net.from_action, *net.weights, *biases])


def plain(net, member, obs, action):
    """The textbook critic: one network of the concatenated input."""
    x = np.concatenate([obs, action], -1) @ np.concatenate([net.from_obs[member], net.from_action[member]])
    x = np.maximum(x + net.biases[0][member], 0.0)
    for weight, bias in zip(net.weights[:-1], net.biases[1:-1], strict=True):
        x = np.maximum(x @ weight[member] + bias[member], 0.0)
    return x @ net.weights[-1][member] + net.biases[-1][member]


def test_many_actions_a_state_are_worth_what_each_is_worth_alone(critic):
    obs = jax.random.normal(jax.random.key(2), (B, O))
    action = jax.random.normal(jax.random.key(3), (K, B, A))
    together = critic(obs, action)
    assert together.shape == (E, K, B, C)
    for k in range(K):
        np.testing.assert_allclose(together[:, k], critic(obs, action[k]), atol=1e-5)


def test_an_ensemble_is_so_many_plain_networks_of_the_concatenated_input(critic):
    obs = jax.random.normal(jax.random.key(2), (B, O))
    action = jax.random.normal(jax.random.key(3), (B, A))
    each = np.stack([plain(critic, e, obs, action) for e in range(E)])
    np.testing.assert_allclose(critic(obs, action), each, atol=1e-5)
    assert np.abs(each[0] - each[1]).max() > 0.01, "members differ"


def test_a_dict_of_image_and_vector_becomes_one_row_with_pixels_in_the_unit_interval():
    obs = {"image": jnp.full((B, 4, 3, 1), 255, jnp.uint8), "vector": jnp.arange(2.0 * B).reshape(B, 2)}
    flat = flatten_obs(obs, 1)
    assert flat.shape == (B, 14) and flat.dtype == jnp.float32
    np.testing.assert_array_equal(flat[:, :12], 1.0)
    np.testing.assert_array_equal(flat[:, 12:], obs["vector"])
    assert flatten_obs(jax.tree.map(lambda leaf: leaf[None], obs), 2).shape == (1, B, 14)


def test_the_width_of_an_observation_is_known_before_there_is_one():
    spec = {"image": Leaf((4, 3, 1), "uint8"), "scalar": Leaf(()), "vector": Leaf((2,))}
    obs = {"image": jnp.zeros((B, 4, 3, 1), jnp.uint8), "scalar": jnp.zeros(B), "vector": jnp.zeros((B, 2))}
    assert obs_size(spec) == flatten_obs(obs, 1).shape[-1] == 15


def test_whole_numbers_that_are_no_pixels_keep_their_value():
    np.testing.assert_array_equal(flatten_obs(jnp.array([[300, 7]], jnp.int32), 1), [[300.0, 7.0]])


def test_layers_keep_the_size_of_their_input_and_the_last_is_as_small_as_asked():
    net = MLP(jax.random.key(0), (400, 400, 400, 3), last_scale=0.01)
    deviation = [float(w.std()) * 20 for w in net.weights]  # sqrt(400)
    np.testing.assert_allclose(deviation, [1.0, 1.0, 0.01], rtol=0.05)
    x = jax.random.normal(jax.random.key(1), (100, 400))
    assert net(x).shape == (100, 3) and all(bool((b == 0).all()) for b in net.biases)


def test_every_leaf_is_an_array(critic):
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves((critic, MLP(jax.random.key(0), (2, 3)))))
