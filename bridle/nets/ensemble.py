"""Ensembles of networks: members side by side on shared or on their own inputs, one member alone, members apart."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bridle.nets.mlp import ACTIVATIONS


class Ensemble(eqx.Module):
    """E networks of one shape: x [... I], seen by all, or [E ... I], each its own -> [E ... out].

    Weights begin as normal numbers of standard deviation 1 / (2 sqrt(fan in)), none beyond two of these, and biases as 0
    (Chua et al. 2018, arXiv:1805.12114, code).
    """

    weights: tuple[jax.Array, ...]
    """[E in out] of each layer."""
    biases: tuple[jax.Array, ...]
    """[E out] of each layer."""
    activation: str = eqx.field(static=True)

    def __init__(self, key, members: int, sizes: tuple[int, ...], activation: str = "silu"):
        keys = jax.random.split(key, len(sizes) - 1)
        draw = lambda k, i, o: jax.random.truncated_normal(k, -2.0, 2.0, (members, i, o)) / (2.0 * i**0.5)
        self.weights = tuple(draw(k, i, o) for k, i, o in zip(keys, sizes[:-1], sizes[1:], strict=True))
        self.biases = tuple(jnp.zeros((members, o)) for o in sizes[1:])
        self.activation = activation

    def __call__(self, x: Float[Array, "*batch I"], own: bool = False) -> Float[Array, "E *any out"]:
        """What every member says; `own`: x [E ... I] holds the inputs of each."""
        # Members one after another: on two cores a step of training by plain products takes a tenth less than by batched ones.
        each = self.apart()
        return jnp.stack([forward(one, x[e] if own else x) for e, one in enumerate(each)])

    def member(self, index) -> Ensemble:
        """One member's own weights [in out] and biases [out], for `forward`; `index` may be traced."""
        return jax.tree.map(lambda leaf: leaf[index], self)

    def apart(self) -> list[Ensemble]:
        """Every member, as `member` gives it."""
        return [self.member(e) for e in range(self.biases[0].shape[0])]


def together(members: list) -> Ensemble:
    """The ensemble of such members; also of any trees like them, as an optimiser's moments."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)


def forward(member: Ensemble, x: Float[Array, "*batch I"]) -> Float[Array, "*batch out"]:
    """What one member says."""
    lead = x.shape[:-1]
    x = x.reshape(-1, x.shape[-1])
    activate = silu if member.activation == "silu" else ACTIVATIONS[member.activation]
    for w, b in zip(member.weights[:-1], member.biases[:-1], strict=True):
        x = activate(shifted(x @ w, b))
    x = shifted(x @ member.weights[-1], member.biases[-1])
    return x.reshape(*lead, x.shape[-1])


@jax.custom_vjp
def silu(x):
    """x sigmoid(x) by a tanh, which XLA's CPU backend has as a polynomial; the gradient takes what was computed on the way."""
    return x * (0.5 + 0.5 * jnp.tanh(0.5 * x))


def _silu_forward(x):
    gate = 0.5 + 0.5 * jnp.tanh(0.5 * x)
    return x * gate, (gate, x * gate)


def _silu_backward(kept, slope):
    gate, out = kept
    return (slope * (gate + out * (1.0 - gate)),)


silu.defvjp(_silu_forward, _silu_backward)


@jax.custom_vjp
def shifted(x, bias):
    """x [B out] + bias [out], whose gradient is summed by a product: sums down columns are slow on CPUs."""
    return x + bias


def _shifted_backward(_, slope):
    return slope, jnp.ones(slope.shape[0], slope.dtype) @ slope


shifted.defvjp(lambda x, bias: (x + bias, None), _shifted_backward)
