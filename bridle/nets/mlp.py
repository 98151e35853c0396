"""Multilayer perceptrons, and stacks of them whose members are computed side by side."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bridle.core.types import Tree

ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "elu": jax.nn.elu, "silu": jax.nn.silu}


def flatten_obs(obs: Tree, batch_dims: int):
    """A pytree of observations as one float array [... O]; integer leaves of images (uint8) are scaled to [0, 1]."""

    def flat(leaf):
        leaf = jnp.asarray(leaf)
        scaled = leaf.astype(jnp.float32) / 255.0 if leaf.dtype == jnp.uint8 else leaf.astype(jnp.float32)
        return scaled.reshape(*leaf.shape[:batch_dims], -1)

    leaves = [flat(leaf) for leaf in jax.tree.leaves(obs)]
    return leaves[0] if len(leaves) == 1 else jnp.concatenate(leaves, -1)


def obs_size(obs: Tree) -> int:
    """Width of `flatten_obs` for a pytree of `Leaf`."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(obs))


def _init(key, fan_in: int, shape: tuple[int, ...], scale: float = 1.0):
    bound = scale * (3.0 / fan_in) ** 0.5
    return jax.random.uniform(key, shape, jnp.float32, -bound, bound)


class MLP(eqx.Module):
    """x [... I] -> [... out]; the activation follows every layer but the last."""

    weights: tuple[jax.Array, ...]
    biases: tuple[jax.Array, ...]
    activation: str = eqx.field(static=True)

    def __init__(self, key, sizes: tuple[int, ...], activation: str = "relu", last_scale: float = 1.0):
        keys = jax.random.split(key, len(sizes) - 1)
        scales = [1.0] * (len(sizes) - 2) + [last_scale]
        self.weights = tuple(
            _init(k, i, (i, o), s) for k, i, o, s in zip(keys, sizes[:-1], sizes[1:], scales, strict=True)
        )
        self.biases = tuple(jnp.zeros(o) for o in sizes[1:])
        self.activation = activation

    def __call__(self, x: Float[Array, "*batch I"]) -> Float[Array, "*batch out"]:
        act = ACTIVATIONS[self.activation]
        for w, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = act(x @ w + b)
        return x @ self.weights[-1] + self.biases[-1]


class QEnsemble(eqx.Module):
    """E critics of observation and action: obs [... O], action [... A] -> [E ... out].

    The first layer is split, so that its observation half is computed once a state even where `action` carries further
    leading axes (K sampled actions a state): obs [B O] with action [K B A] gives [E K B out].

    `layer_norm` normalises every hidden layer before its activation, without gains of its own; `dropout` silences that part
    of its units wherever a `key` is given (DroQ: Hiraoka et al. 2022, arXiv:2110.02034, section 3.1).
    """

    from_obs: jax.Array
    from_action: jax.Array
    weights: tuple[jax.Array, ...]
    biases: tuple[jax.Array, ...]
    activation: str = eqx.field(static=True)
    layer_norm: bool = eqx.field(static=True)
    dropout: float = eqx.field(static=True)

    def __init__(
        self,
        key,
        members: int,
        obs: int,
        action: int,
        hidden: tuple[int, ...],
        out: int,
        activation="relu",
        layer_norm: bool = False,
        dropout: float = 0.0,
    ):
        k_first, *keys = jax.random.split(key, len(hidden) + 1)
        first = _init(k_first, obs + action, (members, obs + action, hidden[0]))
        self.from_obs, self.from_action = first[:, :obs], first[:, obs:]
        sizes = (*hidden, out)
        self.weights = tuple(_init(k, i, (members, i, o)) for k, i, o in zip(keys, sizes[:-1], sizes[1:], strict=True))
        self.biases = tuple(jnp.zeros((members, o)) for o in sizes)
        self.activation, self.layer_norm, self.dropout = activation, layer_norm, dropout

    def __call__(
        self, obs: Float[Array, "*states O"], action: Float[Array, "*batch A"], key=None
    ) -> Float[Array, "E *batch out"]:
        # Members one after another: XLA's CPU backend runs plain products several times faster than batched ones.
        members = range(self.biases[0].shape[0])
        keys = [None] * len(members) if key is None else list(jax.random.split(key, len(members)))
        return jnp.stack([self._member(e, obs, action, keys[e]) for e in members])

    def _member(self, e: int, obs, action, key):
        x = (obs @ self.from_obs[e] + self.biases[0][e]) + action @ self.from_action[e]
        lead = x.shape[:-1]
        x = x.reshape(-1, x.shape[-1])
        keys = [None] * len(self.weights) if key is None else list(jax.random.split(key, len(self.weights)))
        for w, b, k in zip(self.weights, self.biases[1:], keys, strict=True):
            x = self._hidden(x, k) @ w[e] + b[e]
        return x.reshape(*lead, x.shape[-1])

    def _hidden(self, x, key):
        """What follows a hidden layer's product: dropout, normalisation, activation."""
        if key is not None and self.dropout > 0:
            x = jnp.where(jax.random.bernoulli(key, 1.0 - self.dropout, x.shape), x / (1.0 - self.dropout), 0.0)
        if self.layer_norm:
            x = jax.nn.standardize(x, -1, epsilon=1e-5)
        return ACTIVATIONS[self.activation](x)
